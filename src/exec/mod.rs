//! Recordings and the executors that run them.
//!
//! An algorithm does not compute: it *records* which kernel runs on which buffers. An
//! [`Executor`] then runs the recording for a whole batch of problems, as often as wanted. The CPU
//! executor calls each kernel's twin, a plain function generic over [`Real`]; nothing in a
//! recording depends on a value that changes from step to step, so that a block of steps is
//! recorded once and replayed.
//!
//! A buffer is either *shared* by the batch (the data) or *per problem* (iterates, strengths,
//! flags). Problems are packed into tiles of [`LANES`]; inside a tile an array of `rows` entries
//! per problem is stored with the problem index contiguous, so that every twin is a loop over rows
//! of [`LANES`] numbers. A problem's arithmetic never looks at its neighbours: the same bits come
//! out for any packing and any number of threads.

use std::sync::Arc;

use crate::error::Result;
use crate::real::Real;

mod adapter;
pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "no_gpu.rs"]
pub mod gpu;
mod place;
pub mod walks;

pub use cpu::CpuExecutor;
#[cfg(feature = "gpu")]
pub use gpu::GpuExecutor;
pub use gpu::{Gpu, GpuOptions};
pub use place::Device;

/// Problems in a tile.
pub const LANES: usize = 16;

/// One row of a tile: an entry of every problem in it.
pub type Row<R> = [R; LANES];

/// The owner of the entries of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One copy for the whole batch; kernels only read it.
    Shared,
    /// A copy for every problem.
    PerProblem,
}

/// A buffer of real numbers: a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buf {
    index: usize,
    scope: Scope,
    rows: usize,
}

/// A buffer of 32-bit words (indices, flags, packed bits): a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordBuf {
    index: usize,
    scope: Scope,
    rows: usize,
}

impl Buf {
    /// Entries, per problem where the scope is per problem.
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }
}

impl WordBuf {
    /// Entries, per problem where the scope is per problem.
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Shared or per problem.
    #[must_use]
    pub fn scope(self) -> Scope {
        self.scope
    }
}

/// An input of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Real numbers.
    Real(Buf),
    /// Words.
    Words(WordBuf),
}

impl From<Buf> for Source {
    fn from(buf: Buf) -> Self {
        Self::Real(buf)
    }
}

impl From<WordBuf> for Source {
    fn from(buf: WordBuf) -> Self {
        Self::Words(buf)
    }
}

/// A kernel, declared once: its name, what it binds, and its twin in both precisions.
#[derive(Debug)]
pub struct Kernel {
    /// The name of shader, twin and benchmark.
    pub name: &'static str,
    /// The names of what it reads, in binding order.
    pub inputs: &'static [&'static str],
    /// The names of what it writes (or updates), in binding order; all per problem.
    pub outputs: &'static [&'static str],
    /// The names of its integer parameters.
    pub parameters: &'static [&'static str],
    /// The same in WGSL, for the GPU.
    pub shader: &'static str,
    /// The twin in f32.
    pub twin_f32: fn(&mut Arguments<'_, f32>),
    /// The twin in f64.
    pub twin_f64: fn(&mut Arguments<'_, f64>),
}

/// A real type that has twins: `f32` and `f64`.
pub trait Twinned: Real {
    /// The twin of a kernel in this precision.
    fn twin(kernel: &Kernel) -> fn(&mut Arguments<'_, Self>);
}

impl Twinned for f32 {
    fn twin(kernel: &Kernel) -> fn(&mut Arguments<'_, Self>) {
        kernel.twin_f32
    }
}

impl Twinned for f64 {
    fn twin(kernel: &Kernel) -> fn(&mut Arguments<'_, Self>) {
        kernel.twin_f64
    }
}

/// An input of a running twin.
#[derive(Debug, Clone, Copy)]
pub enum View<'a, R> {
    /// Real numbers.
    Real(&'a [R], Scope),
    /// Words.
    Words(&'a [u32], Scope),
}

impl<'a, R: Real> View<'a, R> {
    /// The entries of a shared buffer, or `rows × LANES` entries of a tile.
    #[inline(always)]
    pub fn real(self) -> &'a [R] {
        match self {
            View::Real(values, _) => values,
            View::Words(..) => &[],
        }
    }

    /// The words.
    #[inline(always)]
    pub fn words(self) -> &'a [u32] {
        match self {
            View::Words(words, _) => words,
            View::Real(..) => &[],
        }
    }

    /// True when the buffer is shared by the batch.
    #[inline(always)]
    pub fn is_shared(self) -> bool {
        matches!(
            self,
            View::Real(_, Scope::Shared) | View::Words(_, Scope::Shared)
        )
    }

    /// Row j for every lane: a tile's row, or a shared entry repeated.
    #[inline(always)]
    pub fn row(self, j: usize) -> Row<R> {
        match self {
            View::Real(values, Scope::PerProblem) => row(values, j),
            View::Real(values, Scope::Shared) => [values[j]; LANES],
            View::Words(..) => [R::zero(); LANES],
        }
    }

    /// Word j of one lane.
    #[inline(always)]
    pub fn word(self, j: usize, lane: usize) -> u32 {
        match self {
            View::Words(words, Scope::PerProblem) => words[j * LANES + lane],
            View::Words(words, Scope::Shared) => words[j],
            View::Real(..) => 0,
        }
    }
}

/// Row j of a tile's array.
#[inline(always)]
pub fn row<R: Real>(values: &[R], j: usize) -> Row<R> {
    let mut out = [R::zero(); LANES];
    out.copy_from_slice(&values[j * LANES..(j + 1) * LANES]);
    out
}

/// Row j of a tile's array, to write.
#[inline(always)]
pub fn row_mut<R>(values: &mut [R], j: usize) -> &mut Row<R> {
    // infallible: the range has LANES entries.
    (&mut values[j * LANES..(j + 1) * LANES])
        .try_into()
        .expect("a row has LANES entries")
}

/// An output of a running twin.
#[derive(Debug)]
pub enum Target<R> {
    /// Real numbers: `rows × LANES`.
    Real(Vec<R>),
    /// Words: `rows × LANES`.
    Words(Vec<u32>),
}

/// The arguments of a twin: views of its inputs, its outputs, and parameters.
#[derive(Debug)]
pub struct Arguments<'a, R> {
    /// In the order of [`Kernel::inputs`].
    pub inputs: &'a [View<'a, R>],
    /// In the order of [`Kernel::outputs`].
    pub outputs: &'a mut [Target<R>],
    /// In the order of [`Kernel::parameters`].
    pub parameters: &'a [u32],
}

impl<'a, R: Real> Arguments<'a, R> {
    /// Parameter k as an index.
    #[inline(always)]
    pub fn parameter(&self, k: usize) -> usize {
        self.parameters[k] as usize
    }

    /// The first parameters as indices.
    #[inline(always)]
    pub fn parameters<const COUNT: usize>(&self) -> [usize; COUNT] {
        std::array::from_fn(|k| self.parameter(k))
    }

    /// Input k.
    #[inline(always)]
    pub fn input(&self, k: usize) -> View<'a, R> {
        self.inputs[k]
    }

    /// Output k, real.
    #[inline(always)]
    pub fn output(&mut self, k: usize) -> &mut [R] {
        match &mut self.outputs[k] {
            Target::Real(values) => values,
            Target::Words(_) => &mut [],
        }
    }

    /// Output k, words.
    #[inline(always)]
    pub fn output_words(&mut self, k: usize) -> &mut [u32] {
        match &mut self.outputs[k] {
            Target::Words(words) => words,
            Target::Real(_) => &mut [],
        }
    }
}

/// A function of the user that runs on the host, one problem at a time.
///
/// It is called with the rows of its inputs and of its outputs for one problem; the outputs come
/// filled with zeros.
pub type HostFunction<R> = Arc<dyn Fn(&[&[R]], &mut [&mut [R]]) + Send + Sync>;

/// One command of a recording.
#[derive(Clone)]
pub enum Command<R> {
    /// Run a kernel.
    Dispatch {
        /// The kernel.
        kernel: &'static Kernel,
        /// Its inputs.
        inputs: Vec<Source>,
        /// Its outputs; an output that is also read is updated in place.
        outputs: Vec<Source>,
        /// Its parameters.
        parameters: Vec<u32>,
    },
    /// Copy one real buffer to another of the same shape.
    Copy {
        /// From.
        from: Buf,
        /// To.
        to: Buf,
    },
    /// Set every entry.
    Fill {
        /// The function.
        buf: Buf,
        /// To which value.
        value: R,
    },
    /// Call a user's function (CPU executor only).
    Host {
        /// The function.
        function: HostFunction<R>,
        /// Its inputs, shared or per problem.
        inputs: Vec<Buf>,
        /// Its outputs, per problem.
        outputs: Vec<Buf>,
    },
}

impl<R> std::fmt::Debug for Command<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dispatch { kernel, .. } => write!(f, "{}", kernel.name),
            Self::Copy { .. } => write!(f, "copy"),
            Self::Fill { .. } => write!(f, "fill"),
            Self::Host { .. } => write!(f, "host"),
        }
    }
}

/// Commands in the order in which they run, for every problem of the batch.
#[derive(Debug, Clone)]
pub struct Recording<R> {
    /// The commands.
    pub commands: Vec<Command<R>>,
    /// Flags (0 or 1 per problem): a tile without an active problem skips the recording.
    pub active: Option<WordBuf>,
}

impl<R> Default for Recording<R> {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            active: None,
        }
    }
}

impl<R: Real> Recording<R> {
    /// An empty recording.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a kernel.
    ///
    /// # Panics
    /// When the numbers of bindings or parameters differ from the kernel's declaration: a mistake
    /// in the algorithm, not in its data.
    pub fn dispatch(
        &mut self,
        kernel: &'static Kernel,
        inputs: &[Source],
        outputs: &[Source],
        parameters: &[usize],
    ) {
        assert_eq!(inputs.len(), kernel.inputs.len(), "{}: inputs", kernel.name);
        assert_eq!(
            outputs.len(),
            kernel.outputs.len(),
            "{}: outputs",
            kernel.name
        );
        assert_eq!(
            parameters.len(),
            kernel.parameters.len(),
            "{}: parameters",
            kernel.name
        );
        self.commands.push(Command::Dispatch {
            kernel,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            parameters: parameters.iter().map(|&p| p as u32).collect(),
        });
    }

    /// Records a copy.
    pub fn copy(&mut self, from: Buf, to: Buf) {
        debug_assert_eq!(from.rows, to.rows);
        self.commands.push(Command::Copy { from, to });
    }

    /// Records a fill.
    pub fn fill(&mut self, buf: Buf, value: R) {
        self.commands.push(Command::Fill { buf, value });
    }

    /// Records a call of a user's function.
    pub fn host(&mut self, function: HostFunction<R>, inputs: &[Buf], outputs: &[Buf]) {
        self.commands.push(Command::Host {
            function,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
        });
    }

    /// The number of dispatches of each kernel, by name.
    #[must_use]
    pub fn counts(&self) -> std::collections::BTreeMap<&'static str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for command in &self.commands {
            let name = match command {
                Command::Dispatch { kernel, .. } => kernel.name,
                Command::Copy { .. } => "copy",
                Command::Fill { .. } => "fill",
                Command::Host { .. } => "host",
            };
            *counts.entry(name).or_insert(0) += 1;
        }
        counts
    }
}

/// Words that were asked for, or are on their way: calling it gives them.
pub type PendingWords = Box<dyn FnOnce() -> Result<Vec<u32>>>;

/// Words that are there already.
#[must_use]
pub fn ready(words: Vec<u32>) -> PendingWords {
    Box::new(move || Ok(words))
}

/// Runs recordings for a batch of problems. `download` is the only blocking call.
///
/// The host's side of a per-problem buffer has one row per problem: `values[problem * rows + j]`.
pub trait Executor<R: Real> {
    /// Number of problems in the batch.
    fn problems(&self) -> usize;

    /// A new buffer of real numbers, zero.
    fn allocate(&mut self, scope: Scope, rows: usize) -> Buf;

    /// A new buffer of words, zero.
    fn allocate_words(&mut self, scope: Scope, rows: usize) -> WordBuf;

    /// A new shared buffer for the entries of a dense design, row by row: a device may store it in
    /// pages or in half precision, or leave it on the host and stream its rows.
    fn allocate_design(&mut self, rows: usize, columns: usize) -> Buf {
        self.allocate(Scope::Shared, rows * columns)
    }

    /// Fills a buffer from the host.
    fn upload(&mut self, buf: Buf, values: &[R]);

    /// Fills a word buffer from the host.
    fn upload_words(&mut self, buf: WordBuf, words: &[u32]);

    /// Runs a recording `times` times for every problem.
    ///
    /// # Errors
    /// When the device fails; the CPU executor has no failures of its own.
    fn run(&mut self, recording: &Recording<R>, times: usize) -> Result<()>;

    /// The contents of a buffer.
    ///
    /// # Errors
    /// When the device fails.
    fn download(&self, buf: Buf) -> Result<Vec<R>>;

    /// The contents of a word buffer.
    ///
    /// # Errors
    /// When the device fails.
    fn download_words(&self, buf: WordBuf) -> Result<Vec<u32>>;

    /// True where [`run`](Self::run) returns before the device has run: then more work is to be
    /// asked for before the results of the last are waited for.
    fn runs_ahead(&self) -> bool {
        false
    }

    /// Asks for the contents of a word buffer as they are now; calling the answer waits for them,
    /// and for nothing that is asked later.
    ///
    /// # Errors
    /// When the device fails.
    fn request_words(&self, buf: WordBuf) -> Result<PendingWords> {
        self.download_words(buf).map(ready)
    }

    /// Sets all but the given problems (indices into the whole batch) aside, so that runs, uploads
    /// and downloads see only these, packed densely. A second call starts from the whole batch.
    fn focus(&mut self, problems: &[usize]);

    /// Brings the problems that were set aside back, each to its place.
    fn unfocus(&mut self);
}

impl<R: Real, E: Executor<R> + ?Sized> Executor<R> for Box<E> {
    fn problems(&self) -> usize {
        (**self).problems()
    }

    fn allocate(&mut self, scope: Scope, rows: usize) -> Buf {
        (**self).allocate(scope, rows)
    }

    fn allocate_words(&mut self, scope: Scope, rows: usize) -> WordBuf {
        (**self).allocate_words(scope, rows)
    }

    fn allocate_design(&mut self, rows: usize, columns: usize) -> Buf {
        (**self).allocate_design(rows, columns)
    }

    fn upload(&mut self, buf: Buf, values: &[R]) {
        (**self).upload(buf, values);
    }

    fn upload_words(&mut self, buf: WordBuf, words: &[u32]) {
        (**self).upload_words(buf, words);
    }

    fn run(&mut self, recording: &Recording<R>, times: usize) -> Result<()> {
        (**self).run(recording, times)
    }

    fn download(&self, buf: Buf) -> Result<Vec<R>> {
        (**self).download(buf)
    }

    fn download_words(&self, buf: WordBuf) -> Result<Vec<u32>> {
        (**self).download_words(buf)
    }

    fn runs_ahead(&self) -> bool {
        (**self).runs_ahead()
    }

    fn request_words(&self, buf: WordBuf) -> Result<PendingWords> {
        (**self).request_words(buf)
    }

    fn focus(&mut self, problems: &[usize]) {
        (**self).focus(problems);
    }

    fn unfocus(&mut self) {
        (**self).unfocus();
    }
}
