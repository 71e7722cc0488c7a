//! Cases, how they are drawn, and how they are run.

use proxdiff::exec::{Executor, Kernel, Recording, Scope, Source, Twinned};
use proxdiff::real::Real;

use crate::compare::{Sum, difference};
use crate::{linear, penalties, rows, sampled, time};

/// What a kernel binds: words or real numbers, shared (one row) or one row per problem.
#[derive(Debug, Clone)]
pub struct Given {
    pub words: bool,
    pub scope: Scope,
    pub rows: usize,
    /// Row after row.
    pub values: Vec<f64>,
}

/// One call of a kernel: inputs, outputs as they are before, parameters.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub inputs: Vec<Given>,
    pub outputs: Vec<Given>,
    pub parameters: Vec<usize>,
}

/// What one problem must come out as: `out` holds the outputs as they were before.
pub type Reference = fn(inputs: &[Vec<f64>], parameters: &[usize], out: &mut [Vec<Sum>]);

/// A kernel, its random calls and its reference.
#[derive(Debug, Clone)]
pub struct Entry {
    pub kernel: &'static Kernel,
    pub draw: fn(&mut Draw) -> Call,
    pub reference: Reference,
}

impl Entry {
    #[cfg(feature = "gpu")]
    /// A call of moderate size.
    pub fn example(&self) -> Call {
        let shape = Shape {
            problems: 5,
            n: 9,
            d: 7,
            c: 3,
        };
        (self.draw)(&mut Draw {
            shape,
            turn: 1,
            state: 11,
        })
    }
}

/// Sizes of a case.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub problems: usize,
    pub n: usize,
    pub d: usize,
    pub c: usize,
}

/// Every kernel of the program with its cases.
pub fn entries() -> Vec<Entry> {
    [
        linear::entries(),
        penalties::entries(),
        rows::entries(),
        sampled::entries(),
        time::entries(),
    ]
    .concat()
}

const PROBLEMS: [usize; 5] = [1, 15, 16, 17, 33];

const SHAPES: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (2, 3, 1),
    (3, 2, 2),
    (7, 8, 3),
    (8, 7, 1),
    (9, 31, 1),
    (31, 9, 5),
    (8, 9, 2),
    (7, 1, 3),
    (1, 8, 2),
    (31, 2, 1),
    (9, 7, 5),
];

/// A stream of numbers with the shape that is to be filled.
pub struct Draw {
    pub shape: Shape,
    /// Counts the cases of a kernel, to go through variants in turn.
    pub turn: usize,
    state: u64,
}

impl Draw {
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// In [−2, 2), with all digits.
    pub fn number(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 51) as f64 - 2.0
    }

    fn fill(
        &mut self,
        words: bool,
        scope: Scope,
        rows: usize,
        entry: &mut dyn FnMut(&mut Self) -> f64,
    ) -> Given {
        let copies = if scope == Scope::Shared {
            1
        } else {
            self.shape.problems
        };
        let values = (0..copies * rows).map(|_| entry(self)).collect();
        Given {
            words,
            scope,
            rows,
            values,
        }
    }

    /// Real numbers per problem.
    pub fn own(&mut self, rows: usize) -> Given {
        self.fill(false, Scope::PerProblem, rows, &mut Self::number)
    }

    /// λ₂ of `penalized` coordinates, in common or one each, and its stride.
    pub fn ridges(&mut self, penalized: usize) -> (Given, usize) {
        let stride = self.below(2);
        let rows = if stride == 1 { penalized.max(1) } else { 1 };
        (self.own(rows), stride)
    }

    /// Real numbers of the batch.
    pub fn shared(&mut self, rows: usize) -> Given {
        self.fill(false, Scope::Shared, rows, &mut Self::number)
    }

    /// Real numbers of either scope.
    pub fn either(&mut self, rows: usize) -> Given {
        self.either_of(rows, &mut Self::number)
    }

    pub fn own_of(&mut self, rows: usize, entry: &mut dyn FnMut(&mut Self) -> f64) -> Given {
        self.fill(false, Scope::PerProblem, rows, entry)
    }

    pub fn either_of(&mut self, rows: usize, entry: &mut dyn FnMut(&mut Self) -> f64) -> Given {
        let scope = if self.below(2) == 0 {
            Scope::Shared
        } else {
            Scope::PerProblem
        };
        self.fill(false, scope, rows, entry)
    }

    pub fn own_words(&mut self, rows: usize, entry: &mut dyn FnMut(&mut Self) -> f64) -> Given {
        self.fill(true, Scope::PerProblem, rows, entry)
    }

    pub fn either_words(&mut self, rows: usize, entry: &mut dyn FnMut(&mut Self) -> f64) -> Given {
        let scope = if self.below(2) == 0 {
            Scope::Shared
        } else {
            Scope::PerProblem
        };
        self.fill(true, scope, rows, entry)
    }
}

/// Shared real numbers that are given.
pub fn table(values: &[f64]) -> Given {
    Given {
        words: false,
        scope: Scope::Shared,
        rows: values.len(),
        values: values.to_vec(),
    }
}

/// Shared words that are given.
pub fn word_table(values: &[usize]) -> Given {
    Given {
        words: true,
        ..table(
            &values
                .iter()
                .map(|&value| value as f64)
                .collect::<Vec<f64>>(),
        )
    }
}

/// Runs every case of a kernel on executors of a kind, and compares. `store` is what the executor
/// does to an entry of the dense design; `intact` says, after a call, whether nothing was written
/// beside the outputs.
///
/// # Errors
/// What differs first.
pub fn check<R: Twinned, E: Executor<R>>(
    make: &dyn Fn(usize) -> E,
    store: fn(f64) -> f64,
    intact: &dyn Fn(&E) -> bool,
    entry: &Entry,
) -> Result<(), String> {
    let name = entry.kernel.name;
    let seed = name.bytes().fold(7u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let epsilon = Real::to_f64(<R as num_traits::Float>::epsilon());
    let mut turn = 0;
    for problems in PROBLEMS {
        for (n, d, c) in SHAPES {
            let mut draw = Draw {
                shape: Shape { problems, n, d, c },
                turn,
                state: seed.wrapping_add(1000 * turn as u64),
            };
            turn += 1;
            let mut call = (entry.draw)(&mut draw);
            // What the executor is given is what the reference sees.
            for given in call
                .inputs
                .iter_mut()
                .chain(&mut call.outputs)
                .filter(|given| !given.words)
            {
                given
                    .values
                    .iter_mut()
                    .for_each(|value| *value = Real::to_f64(R::of(*value)));
            }
            for (given, name) in call.inputs.iter_mut().zip(entry.kernel.inputs) {
                if *name == "design" {
                    given
                        .values
                        .iter_mut()
                        .for_each(|value| *value = store(*value));
                }
            }
            let mut executor = make(problems);
            let found = run(&mut executor, entry.kernel, &call);
            if !intact(&executor) {
                return Err(format!("{name}, {:?}: wrote past its outputs", draw.shape));
            }
            for (index, found) in found.iter().enumerate() {
                let expected = expected(entry, &call, problems, index);
                if let Some(what) = difference(found, &expected, epsilon) {
                    return Err(format!(
                        "{name} in {}, {:?}, output {index}: {what}",
                        R::PRECISION.name(),
                        draw.shape
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Runs a call and reads its outputs back.
pub fn run<R: Twinned>(
    executor: &mut dyn Executor<R>,
    kernel: &'static Kernel,
    call: &Call,
) -> Vec<Vec<f64>> {
    let columns = kernel.parameters.iter().position(|&name| name == "columns");
    let mut bind = |given: &Given, name: &str| -> Source {
        if name == "design" {
            let columns = columns.map_or(1, |at| call.parameters[at]);
            let buf = executor.allocate_design(given.rows / columns, columns);
            let values: Vec<R> = given.values.iter().map(|&value| R::of(value)).collect();
            executor.upload(buf, &values);
            buf.into()
        } else if given.words {
            let buf = executor.allocate_words(given.scope, given.rows);
            let words: Vec<u32> = given.values.iter().map(|&value| value as u32).collect();
            executor.upload_words(buf, &words);
            buf.into()
        } else {
            let buf = executor.allocate(given.scope, given.rows);
            let values: Vec<R> = given.values.iter().map(|&value| R::of(value)).collect();
            executor.upload(buf, &values);
            buf.into()
        }
    };
    let mut bind_all = |given: &[Given], names: &[&str]| -> Vec<Source> {
        let pairs = given.iter().zip(names);
        pairs.map(|(given, name)| bind(given, name)).collect()
    };
    let inputs = bind_all(&call.inputs, kernel.inputs);
    let outputs = bind_all(&call.outputs, kernel.outputs);
    let mut recording = Recording::new();
    recording.dispatch(kernel, &inputs, &outputs, &call.parameters);
    executor.run(&recording, 1).unwrap();
    outputs
        .iter()
        .map(|output| match *output {
            Source::Real(buf) => executor
                .download(buf)
                .unwrap()
                .iter()
                .map(|&value| Real::to_f64(value))
                .collect(),
            Source::Words(buf) => executor
                .download_words(buf)
                .unwrap()
                .iter()
                .map(|&word| f64::from(word))
                .collect(),
        })
        .collect()
}

/// Output `index` of every problem by the reference.
fn expected(entry: &Entry, call: &Call, problems: usize, index: usize) -> Vec<Sum> {
    let of = |given: &Given, problem: usize| -> Vec<f64> {
        match given.scope {
            Scope::Shared => given.values.clone(),
            Scope::PerProblem => given.values[problem * given.rows..][..given.rows].to_vec(),
        }
    };
    (0..problems)
        .flat_map(|problem| {
            let inputs: Vec<Vec<f64>> =
                call.inputs.iter().map(|given| of(given, problem)).collect();
            let mut out: Vec<Vec<Sum>> = call
                .outputs
                .iter()
                .map(|given| of(given, problem).into_iter().map(Sum::of).collect())
                .collect();
            (entry.reference)(&inputs, &call.parameters, &mut out);
            out.swap_remove(index)
        })
        .collect()
}
