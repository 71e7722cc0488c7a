//! The CPU executor: runs the twins, tile by tile, tiles in parallel.
//!
//! Problems are independent, so a tile runs the whole recording before anything else touches its
//! memory: its working set stays in the cache of one core.

use rayon::prelude::*;

use super::{
    Arguments, Buf, Command, Executor, LANES, Recording, Scope, Source, Target, Twinned, View,
    WordBuf,
};
use crate::error::Result;

/// Memory and threads of the CPU for one batch.
#[derive(Debug)]
pub struct CpuExecutor<R> {
    problems: usize,
    shared: Memory<R>,
    tiles: Vec<Memory<R>>,
    /// While focused: the whole batch's tiles, its size, and which problems are in focus.
    aside: Option<(Vec<Memory<R>>, usize, Vec<usize>)>,
}

/// The buffers of one scope.
#[derive(Debug, Clone)]
struct Memory<R> {
    reals: Vec<Vec<R>>,
    words: Vec<Vec<u32>>,
}

impl<R> Memory<R> {
    fn new() -> Self {
        Self {
            reals: Vec::new(),
            words: Vec::new(),
        }
    }
}

impl<R: Twinned> CpuExecutor<R> {
    /// An executor for a batch of `problems`.
    #[must_use]
    pub fn new(problems: usize) -> Self {
        let tiles = vec![Memory::new(); problems.div_ceil(LANES)];
        Self {
            problems,
            shared: Memory::new(),
            tiles,
            aside: None,
        }
    }
}

impl<R: Twinned> Executor<R> for CpuExecutor<R> {
    fn problems(&self) -> usize {
        self.problems
    }

    fn allocate(&mut self, scope: Scope, rows: usize) -> Buf {
        let index = match scope {
            Scope::Shared => {
                self.shared.reals.push(vec![R::zero(); rows]);
                self.shared.reals.len() - 1
            }
            Scope::PerProblem => {
                self.tiles
                    .iter_mut()
                    .for_each(|tile| tile.reals.push(vec![R::zero(); rows * LANES]));
                self.tiles.first().map_or(0, |tile| tile.reals.len() - 1)
            }
        };
        Buf { index, scope, rows }
    }

    fn allocate_words(&mut self, scope: Scope, rows: usize) -> WordBuf {
        let index = match scope {
            Scope::Shared => {
                self.shared.words.push(vec![0; rows]);
                self.shared.words.len() - 1
            }
            Scope::PerProblem => {
                self.tiles
                    .iter_mut()
                    .for_each(|tile| tile.words.push(vec![0; rows * LANES]));
                self.tiles.first().map_or(0, |tile| tile.words.len() - 1)
            }
        };
        WordBuf { index, scope, rows }
    }

    fn upload(&mut self, buf: Buf, values: &[R]) {
        match buf.scope {
            Scope::Shared => self.shared.reals[buf.index].copy_from_slice(values),
            Scope::PerProblem => {
                let tiles = self.tiles.par_iter_mut();
                let tiles = tiles.map(|tile| &mut tile.reals[buf.index]);
                scatter(tiles, values, buf.rows, self.problems);
            }
        }
    }

    fn upload_words(&mut self, buf: WordBuf, words: &[u32]) {
        match buf.scope {
            Scope::Shared => self.shared.words[buf.index].copy_from_slice(words),
            Scope::PerProblem => {
                let tiles = self.tiles.par_iter_mut();
                let tiles = tiles.map(|tile| &mut tile.words[buf.index]);
                scatter(tiles, words, buf.rows, self.problems);
            }
        }
    }

    fn run(&mut self, recording: &Recording<R>, times: usize) -> Result<()> {
        let (shared, problems) = (&self.shared, self.problems);
        self.tiles.par_iter_mut().enumerate().for_each(|(t, tile)| {
            let lanes = (problems - t * LANES).min(LANES);
            for _ in 0..times {
                if let Some(active) = recording.active
                    && tile.words[active.index][..lanes]
                        .iter()
                        .all(|&flag| flag == 0)
                {
                    break;
                }
                recording
                    .commands
                    .iter()
                    .for_each(|command| execute(command, shared, tile, lanes));
            }
        });
        Ok(())
    }

    fn download(&self, buf: Buf) -> Result<Vec<R>> {
        Ok(match buf.scope {
            Scope::Shared => self.shared.reals[buf.index].clone(),
            Scope::PerProblem => gather(
                self.tiles.iter().map(|tile| &tile.reals[buf.index]),
                buf.rows,
                self.problems,
            ),
        })
    }

    fn download_words(&self, buf: WordBuf) -> Result<Vec<u32>> {
        Ok(match buf.scope {
            Scope::Shared => self.shared.words[buf.index].clone(),
            Scope::PerProblem => gather(
                self.tiles.iter().map(|tile| &tile.words[buf.index]),
                buf.rows,
                self.problems,
            ),
        })
    }

    fn focus(&mut self, problems: &[usize]) {
        self.unfocus();
        let mut tiles = vec![Memory::new(); problems.len().div_ceil(LANES)];
        let Some(first) = self.tiles.first() else {
            return;
        };
        for index in 0..first.reals.len() {
            let old: Vec<&Vec<R>> = self.tiles.iter().map(|tile| &tile.reals[index]).collect();
            repack(&old, problems, R::zero())
                .zip(&mut tiles)
                .for_each(|(new, tile)| tile.reals.push(new));
        }
        for index in 0..first.words.len() {
            let old: Vec<&Vec<u32>> = self.tiles.iter().map(|tile| &tile.words[index]).collect();
            repack(&old, problems, 0)
                .zip(&mut tiles)
                .for_each(|(new, tile)| tile.words.push(new));
        }
        let whole = std::mem::replace(&mut self.tiles, tiles);
        self.aside = Some((whole, self.problems, problems.to_vec()));
        self.problems = problems.len();
    }

    fn unfocus(&mut self) {
        let Some((mut whole, problems, focus)) = self.aside.take() else {
            return;
        };
        for (slot, &problem) in focus.iter().enumerate() {
            let (from, to) = (&self.tiles[slot / LANES], &mut whole[problem / LANES]);
            let (source, target) = (slot % LANES, problem % LANES);
            from.reals
                .iter()
                .zip(&mut to.reals)
                .for_each(|(from, to)| copy_lane(from, source, to, target));
            from.words
                .iter()
                .zip(&mut to.words)
                .for_each(|(from, to)| copy_lane(from, source, to, target));
        }
        self.tiles = whole;
        self.problems = problems;
    }
}

/// Copies one problem's column of a tile to another tile.
fn copy_lane<T: Copy>(from: &[T], source: usize, to: &mut [T], target: usize) {
    for (from, to) in from.chunks_exact(LANES).zip(to.chunks_exact_mut(LANES)) {
        to[target] = from[source];
    }
}

/// Writes problem-major `values` into the arrays of the tiles.
fn scatter<'a, T: Copy + Sync + Send + 'a>(
    tiles: impl IndexedParallelIterator<Item = &'a mut Vec<T>>,
    values: &[T],
    rows: usize,
    problems: usize,
) {
    assert_eq!(
        values.len(),
        rows * problems,
        "one row of {rows} per problem"
    );
    tiles.enumerate().for_each(|(t, tile)| {
        for lane in 0..(problems - t * LANES).min(LANES) {
            let source = &values[(t * LANES + lane) * rows..][..rows];
            source
                .iter()
                .enumerate()
                .for_each(|(j, &value)| tile[j * LANES + lane] = value);
        }
    });
}

/// The problems of all tiles, problem-major.
fn gather<'a, T: Copy + 'a>(
    tiles: impl Iterator<Item = &'a Vec<T>>,
    rows: usize,
    problems: usize,
) -> Vec<T> {
    let mut out = Vec::with_capacity(rows * problems);
    for (t, tile) in tiles.enumerate() {
        for lane in 0..(problems - t * LANES).min(LANES) {
            out.extend((0..rows).map(|j| tile[j * LANES + lane]));
        }
    }
    out
}

/// New tiles that hold the problems `keep` of the old ones.
fn repack<'a, T: Copy>(
    old: &'a [&'a Vec<T>],
    keep: &'a [usize],
    zero: T,
) -> impl Iterator<Item = Vec<T>> + 'a {
    keep.chunks(LANES).map(move |chunk| {
        let mut new = vec![zero; old[0].len()];
        for (lane, &problem) in chunk.iter().enumerate() {
            let (tile, from) = (old[problem / LANES], problem % LANES);
            for at in 0..new.len() / LANES {
                new[at * LANES + lane] = tile[at * LANES + from];
            }
        }
        new
    })
}

fn execute<R: Twinned>(
    command: &Command<R>,
    shared: &Memory<R>,
    tile: &mut Memory<R>,
    lanes: usize,
) {
    match command {
        Command::Copy { from, to } => match from.scope {
            Scope::Shared => {
                for (row, &value) in tile.reals[to.index]
                    .chunks_exact_mut(LANES)
                    .zip(&shared.reals[from.index])
                {
                    row.fill(value);
                }
            }
            Scope::PerProblem => {
                let mut target = std::mem::take(&mut tile.reals[to.index]);
                target.copy_from_slice(&tile.reals[from.index]);
                tile.reals[to.index] = target;
            }
        },
        Command::Fill { buf, value } => tile.reals[buf.index].fill(*value),
        Command::Host {
            function,
            inputs,
            outputs,
        } => run_host(function, inputs, outputs, shared, tile, lanes),
        Command::Dispatch {
            kernel,
            inputs,
            outputs,
            parameters,
        } => {
            // Outputs leave the tile while the twin runs, so that it may read the others.
            let mut targets: Vec<Target<R>> = outputs
                .iter()
                .map(|output| match *output {
                    Source::Real(buf) => Target::Real(std::mem::take(&mut tile.reals[buf.index])),
                    Source::Words(buf) => Target::Words(std::mem::take(&mut tile.words[buf.index])),
                })
                .collect();
            let views: Vec<View<'_, R>> = inputs
                .iter()
                .map(|input| match *input {
                    Source::Real(buf) => {
                        let memory = if buf.scope == Scope::Shared {
                            shared
                        } else {
                            &*tile
                        };
                        View::Real(&memory.reals[buf.index], buf.scope)
                    }
                    Source::Words(buf) => {
                        let memory = if buf.scope == Scope::Shared {
                            shared
                        } else {
                            &*tile
                        };
                        View::Words(&memory.words[buf.index], buf.scope)
                    }
                })
                .collect();
            (R::twin(kernel))(&mut Arguments {
                inputs: &views,
                outputs: &mut targets,
                parameters,
            });
            for (target, output) in targets.into_iter().zip(outputs) {
                match (target, *output) {
                    (Target::Real(values), Source::Real(buf)) => tile.reals[buf.index] = values,
                    (Target::Words(words), Source::Words(buf)) => tile.words[buf.index] = words,
                    _ => {}
                }
            }
        }
    }
}

/// Calls a user's function for every problem of a tile, with its rows gathered into slices.
fn run_host<R: Twinned>(
    function: &super::HostFunction<R>,
    inputs: &[Buf],
    outputs: &[Buf],
    shared: &Memory<R>,
    tile: &mut Memory<R>,
    lanes: usize,
) {
    let total = |bufs: &[Buf]| bufs.iter().map(|buf| buf.rows).sum();
    let mut read: Vec<R> = vec![R::zero(); total(inputs)];
    let mut written: Vec<R> = vec![R::zero(); total(outputs)];
    for lane in 0..lanes {
        let mut rest = read.as_mut_slice();
        let mut arguments: Vec<&[R]> = Vec::with_capacity(inputs.len());
        for buf in inputs {
            let (argument, after) = rest.split_at_mut(buf.rows);
            match buf.scope {
                Scope::Shared => argument.copy_from_slice(&shared.reals[buf.index]),
                Scope::PerProblem => argument
                    .iter_mut()
                    .zip(tile.reals[buf.index].iter().skip(lane).step_by(LANES))
                    .for_each(|(to, &from)| *to = from),
            }
            arguments.push(argument);
            rest = after;
        }
        written.fill(R::zero());
        let mut rest = written.as_mut_slice();
        let mut results: Vec<&mut [R]> = Vec::with_capacity(outputs.len());
        for buf in outputs {
            let (result, after) = rest.split_at_mut(buf.rows);
            results.push(result);
            rest = after;
        }
        function(&arguments, &mut results);
        for (buf, result) in outputs.iter().zip(results) {
            tile.reals[buf.index]
                .iter_mut()
                .skip(lane)
                .step_by(LANES)
                .zip(result)
                .for_each(|(to, from)| *to = *from);
        }
    }
}
