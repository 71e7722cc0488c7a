//! The GPU executor: runs recordings on any Vulkan, Metal or DX12 device through wgpu, in f32.
//!
//! All per-problem buffers lie in two arenas (reals and words), rows × problems with the problem
//! contiguous, and all shared buffers in two others, so that every kernel has the same bindings and
//! a batch is narrowed by repacking whole arenas. A plan turns a recording into dispatches; nothing
//! comes back to the host until a download asks for it.

mod arena;
mod clock;
mod counters;
mod design;
mod device;
mod job;
mod page;
pub mod path_kernel;
mod plan;
pub mod program;
mod repack;
mod run;
mod tables;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use self::arena::Arena;
pub use self::counters::Work;
use self::design::DesignPages;
pub use self::device::{Gpu, list_adapters};
pub use self::job::Job;
use self::page::{PageRef, RowsKey};
pub use super::adapter::{AdapterSummary, GpuOptions, Regime};
use super::{Buf, Executor, PendingWords, Recording, Scope, WordBuf, ready};
use crate::error::{Error, Result};

/// The module under which drivers and their loader log.
pub const DRIVER_LOG: &str = "wgpu_hal";

/// The remedy where no device is found.
pub const REMEDY: &str = "install a driver for Vulkan, Metal or DX12, or use --device cpu";

/// The place of a shared buffer of real numbers.
#[derive(Debug, Clone, Copy)]
enum SharedPlace {
    /// In the shared arena, from this word on.
    Table(usize),
    /// It is this design.
    Design(usize),
}

/// The arenas of a batch, as they are on the device.
#[derive(Debug)]
struct Batch {
    problems: usize,
    reals: Arena,
    words: Arena,
}

/// Memory on a device for one batch of problems.
#[derive(Debug)]
pub struct GpuExecutor {
    gpu: Arc<Gpu>,
    /// `None` only while an executor ends.
    batch: Option<Batch>,
    /// While focused: the whole batch, and which of its problems are in focus.
    aside: Option<(Batch, Vec<usize>)>,
    /// First row of every per-problem buffer, and rows in use.
    real_starts: Vec<usize>,
    real_rows: usize,
    word_starts: Vec<usize>,
    word_rows: usize,
    shared_reals: Option<Arena>,
    shared_words: Option<Arena>,
    shared_places: Vec<SharedPlace>,
    shared_real_words: usize,
    shared_word_starts: Vec<usize>,
    shared_word_words: usize,
    designs: Vec<DesignPages>,
    /// The last uploads to buffers of words, as they lie on the device: rows of minibatches are
    /// looked up here when the design is streamed.
    uploaded_words: HashMap<RowsKey, Vec<u32>>,
    /// Rows of room for the parts of split products: where, and how many.
    parts: Option<(usize, usize)>,
    guards: Vec<Guard>,
    jobs: Option<wgpu::Buffer>,
    bind_groups: HashMap<(PageRef, bool), wgpu::BindGroup>,
    /// A failure of a call that cannot tell, told by the next that can.
    failure: Option<Error>,
}

/// A row that no kernel may touch.
#[derive(Debug, Clone, Copy)]
struct Guard {
    words: bool,
    row: usize,
    written: bool,
}

/// The content of guard rows: a NaN with this payload.
const GUARD: u32 = 0x7fc0_beef;

impl Gpu {
    /// An executor on this device for a batch of `problems`.
    ///
    /// # Errors
    /// When the device is lost or has no memory for the least buffers.
    pub fn executor(self: &Arc<Self>, problems: usize) -> Result<Box<dyn Executor<f32>>> {
        Ok(Box::new(GpuExecutor::new(self, problems)?))
    }
}

impl GpuExecutor {
    /// An executor on a device for a batch of `problems`.
    ///
    /// # Errors
    /// When the device is lost or has no memory for the least buffers.
    pub fn new(gpu: &Arc<Gpu>, problems: usize) -> Result<Self> {
        gpu.check()?;
        Ok(Self {
            gpu: Arc::clone(gpu),
            batch: Some(Batch::new(gpu, problems, 8, 8)?),
            aside: None,
            real_starts: Vec::new(),
            real_rows: 0,
            word_starts: Vec::new(),
            word_rows: 0,
            shared_reals: Some(Arena::new(gpu, 1, 256)?),
            shared_words: Some(Arena::new(gpu, 1, 256)?),
            shared_places: Vec::new(),
            shared_real_words: 0,
            shared_word_starts: Vec::new(),
            shared_word_words: 0,
            designs: Vec::new(),
            uploaded_words: HashMap::new(),
            parts: None,
            guards: Vec::new(),
            jobs: None,
            bind_groups: HashMap::new(),
            failure: None,
        })
    }

    fn batch(&self) -> &Batch {
        // infallible: taken only in `drop`.
        self.batch.as_ref().expect("an executor has its batch")
    }

    fn tables(&self) -> (&Arena, &Arena) {
        // infallible: taken only in `drop`.
        let tables = self.shared_reals.as_ref().zip(self.shared_words.as_ref());
        tables.expect("an executor has its tables")
    }

    /// Rows for a new buffer, and a guard after it where these are asked for.
    fn reserve_rows(&mut self, words: bool, rows: usize) -> usize {
        let next = if words {
            &mut self.word_rows
        } else {
            &mut self.real_rows
        };
        let start = *next;
        *next += rows;
        if self.gpu.options.guards {
            self.guards.push(Guard {
                words,
                row: *next,
                written: false,
            });
            *next += 1;
        }
        start
    }

    /// Makes the arenas large enough for every buffer.
    fn settle(&mut self) -> Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let (reals, words) = (self.real_rows, self.word_rows);
        let (table_reals, table_words) = (self.shared_real_words, self.shared_word_words);
        let gpu = &self.gpu;
        let mut moved = false;
        if let Some(batch) = &mut self.batch {
            moved |= batch.reals.reserve(gpu, reals)?;
            moved |= batch.words.reserve(gpu, words)?;
        }
        if let Some(table) = &mut self.shared_reals {
            moved |= table.reserve(gpu, table_reals)?;
        }
        if let Some(table) = &mut self.shared_words {
            moved |= table.reserve(gpu, table_words)?;
        }
        if moved {
            self.bind_groups.clear();
        }
        if self.aside.is_none() {
            self.write_guards();
        }
        Ok(())
    }

    fn write_guards(&mut self) {
        let mut guards = std::mem::take(&mut self.guards);
        for guard in guards.iter_mut().filter(|guard| !guard.written) {
            let batch = self.batch();
            let arena = if guard.words {
                &batch.words
            } else {
                &batch.reals
            };
            arena.write(&self.gpu, guard.row, &vec![GUARD; arena.stride]);
            guard.written = true;
        }
        self.guards = guards;
    }

    /// True where every guard row still holds what was written there.
    ///
    /// # Errors
    /// When the device fails.
    pub fn check_guards(&self) -> Result<bool> {
        for guard in self.guards.iter().filter(|guard| guard.written) {
            let batch = self.batch();
            let arena = if guard.words {
                &batch.words
            } else {
                &batch.reals
            };
            let row: Vec<u32> = arena.read(&self.gpu, guard.row, 1)?;
            if row[..batch.problems].iter().any(|&word| word != GUARD) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until the device has done everything that it was asked.
    ///
    /// # Errors
    /// When the device fails.
    pub fn finish(&self) -> Result<()> {
        let polled = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
        self.gpu.check()?;
        polled.map(|_| ()).map_err(|error| {
            let fault = crate::error::DeviceFault::Lost;
            self.gpu.fault_error(fault, &error.to_string())
        })
    }

    /// Keeps words that may be the rows of minibatches of a design that is streamed.
    fn remember_rows(&mut self, buf: WordBuf, words: &[u32]) {
        if self.designs.iter().any(DesignPages::needs_rows) {
            let own = buf.scope == Scope::PerProblem;
            let index = buf.index;
            self.uploaded_words
                .insert(RowsKey { own, index }, words.to_vec());
        }
    }

    /// Remembers a failure until a call can tell it.
    fn note(&mut self, outcome: Result<()>) {
        if let (Err(error), None) = (outcome, &self.failure) {
            self.failure = Some(error);
        }
    }
}

impl Batch {
    fn new(gpu: &Gpu, problems: usize, reals: usize, words: usize) -> Result<Self> {
        let stride = problems.max(1);
        Ok(Self {
            problems,
            reals: Arena::new(gpu, stride, reals)?,
            words: Arena::new(gpu, stride, words)?,
        })
    }

    fn recycle(self, gpu: &Gpu) {
        self.reals.recycle(gpu);
        self.words.recycle(gpu);
    }
}

impl Drop for GpuExecutor {
    fn drop(&mut self) {
        let gpu = Arc::clone(&self.gpu);
        let aside = self.aside.take().map(|(batch, _)| batch);
        let batches = self.batch.take().into_iter().chain(aside);
        batches.for_each(|batch| batch.recycle(&gpu));
        let tables = self
            .shared_reals
            .take()
            .into_iter()
            .chain(self.shared_words.take());
        tables.for_each(|table| table.recycle(&gpu));
        self.designs
            .drain(..)
            .for_each(|design| design.recycle(&gpu));
    }
}

/// Rows and problems of a block of a transposition: what a line of the cache holds.
const BLOCK: usize = 16;

/// Problem-major rows as the device has them: coordinate-major, the problem contiguous.
fn to_device<T: Copy + Send + Sync>(values: &[T], rows: usize, problems: usize) -> Vec<T> {
    if rows == 1 || problems == 1 {
        return values.to_vec();
    }
    let mut out = Vec::new();
    if let Some(&first) = values.first() {
        out.resize(rows * problems, first);
        // Block by block, or every entry would bring a line of the cache for itself.
        out.par_chunks_mut(BLOCK * problems)
            .enumerate()
            .for_each(|(block, out)| {
                let first = block * BLOCK;
                for start in (0..problems).step_by(BLOCK) {
                    let end = problems.min(start + BLOCK);
                    for (j, row) in out.chunks_exact_mut(problems).enumerate() {
                        for problem in start..end {
                            row[problem] = values[problem * rows + first + j];
                        }
                    }
                }
            });
    }
    out
}

/// The inverse of [`to_device`].
fn from_device<T: Copy + Send + Sync>(values: &[T], rows: usize, problems: usize) -> Vec<T> {
    to_device(values, problems, rows)
}

impl Executor<f32> for GpuExecutor {
    fn problems(&self) -> usize {
        self.batch().problems
    }

    fn allocate(&mut self, scope: Scope, rows: usize) -> Buf {
        let index = match scope {
            Scope::Shared => {
                let start = self.shared_real_words;
                self.shared_real_words += rows;
                self.shared_places.push(SharedPlace::Table(start));
                self.shared_places.len() - 1
            }
            Scope::PerProblem => {
                let start = self.reserve_rows(false, rows);
                self.real_starts.push(start);
                self.real_starts.len() - 1
            }
        };
        Buf { index, scope, rows }
    }

    fn allocate_words(&mut self, scope: Scope, rows: usize) -> WordBuf {
        let index = match scope {
            Scope::Shared => {
                let start = self.shared_word_words;
                self.shared_word_words += rows;
                self.shared_word_starts.push(start);
                self.shared_word_starts.len() - 1
            }
            Scope::PerProblem => {
                let start = self.reserve_rows(true, rows);
                self.word_starts.push(start);
                self.word_starts.len() - 1
            }
        };
        WordBuf { index, scope, rows }
    }

    fn allocate_design(&mut self, rows: usize, columns: usize) -> Buf {
        self.designs
            .push(DesignPages::new(&self.gpu, rows, columns));
        let place = SharedPlace::Design(self.designs.len() - 1);
        self.shared_places.push(place);
        Buf {
            index: self.shared_places.len() - 1,
            scope: Scope::Shared,
            rows: rows * columns,
        }
    }

    fn upload(&mut self, buf: Buf, values: &[f32]) {
        let settled = self.settle();
        self.note(settled);
        if self.failure.is_some() {
            return;
        }
        match buf.scope {
            Scope::Shared => match self.shared_places[buf.index] {
                SharedPlace::Table(start) => self.tables().0.write(&self.gpu, start, values),
                SharedPlace::Design(design) => {
                    let gpu = Arc::clone(&self.gpu);
                    let uploaded = self.designs[design].upload(&gpu, values);
                    self.bind_groups.clear();
                    self.note(uploaded);
                }
            },
            Scope::PerProblem => {
                let problems = self.problems();
                assert_eq!(values.len(), buf.rows * problems, "one row per problem");
                let rows = to_device(values, buf.rows, problems);
                let start = self.real_starts[buf.index];
                self.batch().reals.write(&self.gpu, start, &rows);
            }
        }
    }

    fn upload_words(&mut self, buf: WordBuf, words: &[u32]) {
        let settled = self.settle();
        self.note(settled);
        if self.failure.is_some() {
            return;
        }
        match buf.scope {
            Scope::Shared => {
                let start = self.shared_word_starts[buf.index];
                self.tables().1.write(&self.gpu, start, words);
                self.remember_rows(buf, words);
            }
            Scope::PerProblem => {
                let problems = self.problems();
                assert_eq!(words.len(), buf.rows * problems, "one row per problem");
                let rows = to_device(words, buf.rows, problems);
                let start = self.word_starts[buf.index];
                self.batch().words.write(&self.gpu, start, &rows);
                self.remember_rows(buf, &rows);
            }
        }
    }

    fn run(&mut self, recording: &Recording<f32>, times: usize) -> Result<()> {
        if times == 0 || recording.commands.is_empty() || self.problems() == 0 {
            return Ok(());
        }
        self.settle()?;
        let (plan, times) = self.plan(recording, times)?;
        // A plan may have asked for room for the parts of its products.
        self.settle()?;
        self.run_plan(&plan, times)
    }

    fn download(&self, buf: Buf) -> Result<Vec<f32>> {
        if let Some(Error::Device {
            fault,
            what,
            remedy,
        }) = &self.failure
        {
            return Err(Error::device(*fault, what.clone(), remedy.clone()));
        }
        match buf.scope {
            Scope::Shared => match self.shared_places[buf.index] {
                SharedPlace::Table(start) => self.tables().0.read(&self.gpu, start, buf.rows),
                SharedPlace::Design(_) => Err(Error::unsupported(
                    "reading a design back from the device",
                    "keep it on the host",
                )),
            },
            Scope::PerProblem => {
                let batch = self.batch();
                let start = self.real_starts[buf.index];
                let rows = batch.reals.read(&self.gpu, start, buf.rows)?;
                Ok(from_device(&rows, buf.rows, batch.problems))
            }
        }
    }

    fn download_words(&self, buf: WordBuf) -> Result<Vec<u32>> {
        if let Some(Error::Device {
            fault,
            what,
            remedy,
        }) = &self.failure
        {
            return Err(Error::device(*fault, what.clone(), remedy.clone()));
        }
        match buf.scope {
            Scope::Shared => {
                let start = self.shared_word_starts[buf.index];
                self.tables().1.read(&self.gpu, start, buf.rows)
            }
            Scope::PerProblem => {
                let batch = self.batch();
                let start = self.word_starts[buf.index];
                let rows = batch.words.read(&self.gpu, start, buf.rows)?;
                Ok(from_device(&rows, buf.rows, batch.problems))
            }
        }
    }

    fn runs_ahead(&self) -> bool {
        true
    }

    fn request_words(&self, buf: WordBuf) -> Result<PendingWords> {
        let (words, problems) = (&self.batch().words, self.problems());
        let own = buf.scope == Scope::PerProblem && buf.rows > 0;
        if self.failure.is_some() || !own {
            return self.download_words(buf).map(ready);
        }
        let start = self.word_starts[buf.index];
        if !words.holds(start, buf.rows) {
            return self.download_words(buf).map(ready);
        }
        let readback = words.request(&self.gpu, start, buf.rows);
        let gpu = Arc::clone(&self.gpu);
        Ok(Box::new(move || {
            let rows = readback.wait(&gpu)?;
            Ok(from_device(&rows, buf.rows, problems))
        }))
    }

    fn focus(&mut self, problems: &[usize]) {
        self.unfocus();
        let outcome = self.narrow(problems);
        self.note(outcome);
    }

    fn unfocus(&mut self) {
        let outcome = self.widen();
        self.note(outcome);
    }
}
