//! The design operator of a batch: its buffers, and how its products are recorded.

use crate::data::{Design, Matrix, Sparse};
use crate::exec::{Buf, Executor, Recording, Scope, Source, Twinned, WordBuf};
use crate::kernel::{cg, product, sampled, sparse};
use crate::problem::Point;
use crate::real::{Real, Slices, convert};

/// A design on the executor, shared by the batch: n × columns, acting on columns·c coordinates.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Number of rows n.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Number of classes c.
    pub classes: usize,
    storage: Storage,
}

#[derive(Debug, Clone)]
enum Storage {
    Dense(Buf),
    Sparse {
        by_rows: Compressed,
        /// Entries of the longest row.
        longest: usize,
        by_columns: Compressed,
        center: Option<Box<Center>>,
    },
}

/// Starts, indices and values of a compressed sparse matrix.
#[derive(Debug, Clone, Copy)]
struct Compressed {
    starts: WordBuf,
    indices: WordBuf,
    values: Buf,
}

/// The rank-one term of a sparse design, and room for the scaled coefficients and their offset.
#[derive(Debug, Clone, Copy)]
struct Center {
    center: Buf,
    inverse_scale: Buf,
    scaled: Buf,
    offset: Buf,
}

/// The entries of a sparse minibatch times 1 + classes that one dispatch walks through: a software driver
/// ends loops, unsaid, after some 32 000 entries, and every entry is a loop over the classes.
const TRIPS: usize = 40_000;

/// Which rows a step sees: a ring of minibatches and the counter that points into it.
#[derive(Debug, Clone, Copy)]
pub struct Minibatch {
    /// Row indices: `ring · batch`.
    pub rows: WordBuf,
    /// The step.
    pub counter: WordBuf,
    /// Rows in a minibatch.
    pub batch: usize,
    /// Minibatches in the ring.
    pub ring: usize,
}

/// The curvature of rows: `h` and `scale` as in [`crate::kernel::curvature`].
#[derive(Debug, Clone, Copy)]
pub struct RowCurvature {
    /// Scaled curvatures; multinomial: probabilities.
    pub h: Buf,
    /// s/n.
    pub scale: Buf,
    /// Whether rows are multinomial.
    pub multinomial: bool,
}

/// λ₂ on the first `penalized` coordinates.
#[derive(Debug, Clone, Copy)]
pub struct Ridge {
    /// λ₂ per problem.
    pub l2: Buf,
    /// Number of coordinates that it acts on.
    pub penalized: usize,
    /// 1 where each of them has its own, 0 where it is one in common.
    pub stride: usize,
}

impl Operator {
    /// Uploads a design.
    pub fn upload<R: Twinned>(
        executor: &mut dyn Executor<R>,
        design: &Design,
        classes: usize,
    ) -> Self {
        let storage = match &design.matrix {
            Matrix::Dense(m) => {
                let x = executor.allocate_design(m.rows, m.columns);
                match R::from_f64::<Slices<'_>>(&m.values) {
                    Ok(own) => executor.upload(x, own),
                    Err(values) => executor.upload(x, &convert::<R>(values)),
                }
                Storage::Dense(x)
            }
            Matrix::Sparse(m) => {
                let by_rows = Compressed::upload(executor, m);
                let sizes = m.row_starts.windows(2).map(|ends| ends[1] - ends[0]);
                let longest = sizes.max().unwrap_or(0);
                let by_columns = Compressed::upload(executor, &m.transposed());
                let center = design.rank_one.as_ref().map(|rank_one| {
                    Box::new(Center {
                        center: shared(executor, &rank_one.center),
                        inverse_scale: shared(executor, &rank_one.inverse_scale),
                        scaled: executor.allocate(Scope::PerProblem, m.columns * classes),
                        offset: executor.allocate(Scope::PerProblem, classes),
                    })
                });
                Storage::Sparse {
                    by_rows,
                    longest,
                    by_columns,
                    center,
                }
            }
        };
        Self {
            rows: design.rows(),
            columns: design.columns(),
            classes,
            storage,
        }
    }

    /// The same for other rows of the same dense design; a sparse one has room of its own.
    #[must_use]
    pub fn shared(&self) -> Option<Self> {
        matches!(self.storage, Storage::Dense(_)).then(|| self.clone())
    }

    /// Records Z = X̂·W.
    pub fn product<R: Real>(&self, recording: &mut Recording<R>, w: Buf, z: Buf) {
        match &self.storage {
            Storage::Dense(x) => recording.dispatch(
                &product::DENSE_PRODUCT,
                &[(*x).into(), w.into()],
                &[z.into()],
                &[self.rows, self.columns, self.classes],
            ),
            Storage::Sparse {
                by_rows, center, ..
            } => {
                let w = self.scaled(recording, center.as_deref(), w);
                by_rows.product(recording, w, z, self.rows, self.classes);
                self.subtract_offset(recording, center.as_deref(), z, self.rows);
            }
        }
    }

    /// Records G = X̂ᵀ·R.
    pub fn adjoint<R: Real>(&self, recording: &mut Recording<R>, r: Buf, g: Buf) {
        match &self.storage {
            Storage::Dense(x) => recording.dispatch(
                &product::DENSE_ADJOINT,
                &[(*x).into(), r.into()],
                &[g.into()],
                &[self.rows, self.columns, self.classes],
            ),
            Storage::Sparse {
                by_columns, center, ..
            } => {
                by_columns.product(recording, r, g, self.columns, self.classes);
                self.center_adjoint(recording, center.as_deref(), r, g, self.rows);
            }
        }
    }

    /// Records Z = `X̂[rows]`·W for the minibatch of the step.
    pub fn sampled_product<R: Real>(
        &self,
        recording: &mut Recording<R>,
        minibatch: Minibatch,
        w: Buf,
        z: Buf,
    ) {
        let Minibatch {
            rows,
            counter,
            batch,
            ring,
        } = minibatch;
        match &self.storage {
            Storage::Dense(x) => recording.dispatch(
                &sampled::SAMPLED_PRODUCT,
                &[(*x).into(), rows.into(), counter.into(), w.into()],
                &[z.into()],
                &[batch, ring, self.columns, self.classes],
            ),
            Storage::Sparse {
                by_rows, center, ..
            } => {
                let w = self.scaled(recording, center.as_deref(), w);
                recording.dispatch(
                    &sampled::SAMPLED_SPARSE_PRODUCT,
                    &by_rows.sampled(minibatch, w),
                    &[z.into()],
                    &[batch, ring, self.classes],
                );
                self.subtract_offset(recording, center.as_deref(), z, batch);
            }
        }
    }

    /// Records G = `X̂[rows]`ᵀ·R for the minibatch of the step.
    pub fn sampled_adjoint<R: Real>(
        &self,
        recording: &mut Recording<R>,
        minibatch: Minibatch,
        r: Buf,
        g: Buf,
    ) {
        let Minibatch {
            rows,
            counter,
            batch,
            ring,
        } = minibatch;
        match &self.storage {
            Storage::Dense(x) => recording.dispatch(
                &sampled::SAMPLED_ADJOINT,
                &[(*x).into(), rows.into(), counter.into(), r.into()],
                &[g.into()],
                &[batch, ring, self.columns, self.classes],
            ),
            Storage::Sparse {
                by_rows,
                longest,
                center,
                ..
            } => {
                // Every lane walks through all entries, and drivers count its trips.
                let trips = (TRIPS / (1 + self.classes)).max(1);
                let take = longest.clamp(&1, &trips);
                let count = (trips / take).max(1);
                let parts = (0..batch).step_by(count);
                let parts = parts.flat_map(|first| {
                    let windows = (0..(*longest).max(1)).step_by(*take);
                    windows.map(move |skip| (first, skip))
                });
                for (first, skip) in parts {
                    recording.dispatch(
                        &sampled::SAMPLED_SPARSE_ADJOINT,
                        &by_rows.sampled(minibatch, r),
                        &[g.into()],
                        &[
                            batch,
                            ring,
                            self.columns,
                            self.classes,
                            first,
                            count,
                            skip,
                            *take,
                        ],
                    );
                }
                self.center_adjoint(recording, center.as_deref(), r, g, batch);
            }
        }
    }

    /// Records the diagonal of X̂ᵀHX̂ + λ₂.
    pub fn hessian_diagonal<R: Twinned>(
        &self,
        executor: &mut dyn Executor<R>,
        recording: &mut Recording<R>,
        rows: RowCurvature,
        ridge: Ridge,
        diagonal: Buf,
    ) {
        let RowCurvature {
            h,
            scale,
            multinomial,
        } = rows;
        let size = [
            self.rows,
            self.columns,
            self.classes,
            ridge.penalized,
            usize::from(multinomial),
            ridge.stride,
        ];
        match &self.storage {
            Storage::Dense(x) => recording.dispatch(
                &cg::HESSIAN_DIAGONAL,
                &[(*x).into(), h.into(), scale.into(), ridge.l2.into()],
                &[diagonal.into()],
                &size,
            ),
            Storage::Sparse {
                by_rows, center, ..
            } => {
                let (center, inverse_scale) = match center {
                    Some(center) => (center.center, center.inverse_scale),
                    None => (
                        shared(executor, &vec![0.0; self.columns]),
                        shared(executor, &vec![1.0; self.columns]),
                    ),
                };
                recording.dispatch(
                    &cg::SPARSE_HESSIAN_DIAGONAL,
                    &[
                        by_rows.starts.into(),
                        by_rows.indices.into(),
                        by_rows.values.into(),
                        center.into(),
                        inverse_scale.into(),
                        h.into(),
                        scale.into(),
                        ridge.l2.into(),
                    ],
                    &[diagonal.into()],
                    &size,
                );
            }
        }
    }

    /// Records W∘σ⁻¹ and its offset where the design is centred; returns what to multiply.
    fn scaled<R: Real>(
        &self,
        recording: &mut Recording<R>,
        center: Option<&Center>,
        w: Buf,
    ) -> Buf {
        let Some(center) = center else { return w };
        recording.dispatch(
            &sparse::SCALE_AND_OFFSET,
            &[center.center.into(), center.inverse_scale.into(), w.into()],
            &[center.scaled.into(), center.offset.into()],
            &[self.columns, self.classes],
        );
        center.scaled
    }

    fn subtract_offset<R: Real>(
        &self,
        recording: &mut Recording<R>,
        center: Option<&Center>,
        z: Buf,
        rows: usize,
    ) {
        if let Some(center) = center {
            recording.dispatch(
                &sparse::SUBTRACT_OFFSET,
                &[center.offset.into()],
                &[z.into()],
                &[rows, self.classes],
            );
        }
    }

    fn center_adjoint<R: Real>(
        &self,
        recording: &mut Recording<R>,
        center: Option<&Center>,
        r: Buf,
        g: Buf,
        rows: usize,
    ) {
        if let Some(center) = center {
            recording.dispatch(
                &sparse::CENTER_ADJOINT,
                &[center.center.into(), center.inverse_scale.into(), r.into()],
                &[g.into()],
                &[rows, self.columns, self.classes],
            );
        }
    }
}

impl Compressed {
    fn upload<R: Twinned>(executor: &mut dyn Executor<R>, m: &Sparse) -> Self {
        let starts: Vec<u32> = m.row_starts.iter().map(|&s| s as u32).collect();
        Self {
            starts: shared_words(executor, &starts),
            indices: shared_words(executor, &m.column_indices),
            values: shared(executor, &m.values),
        }
    }

    /// The inputs of a product of the minibatch of the step.
    fn sampled(&self, minibatch: Minibatch, operand: Buf) -> [Source; 6] {
        [
            self.starts.into(),
            self.indices.into(),
            self.values.into(),
            minibatch.rows.into(),
            minibatch.counter.into(),
            operand.into(),
        ]
    }

    fn product<R: Real>(
        &self,
        recording: &mut Recording<R>,
        w: Buf,
        z: Buf,
        rows: usize,
        classes: usize,
    ) {
        recording.dispatch(
            &sparse::SPARSE_PRODUCT,
            &[
                self.starts.into(),
                self.indices.into(),
                self.values.into(),
                w.into(),
            ],
            &[z.into()],
            &[rows, classes],
        );
    }
}

/// A shared buffer with these values.
pub fn shared<R: Twinned>(executor: &mut dyn Executor<R>, values: &[f64]) -> Buf {
    let buf = executor.allocate(Scope::Shared, values.len());
    executor.upload(buf, &convert::<R>(values));
    buf
}

/// A shared buffer with these words.
pub fn shared_words<R: Twinned>(executor: &mut dyn Executor<R>, words: &[u32]) -> WordBuf {
    let buf = executor.allocate_words(Scope::Shared, words.len());
    executor.upload_words(buf, words);
    buf
}

/// A per-problem buffer of `rows` entries with these values, problem after problem.
pub fn per_problem<R: Twinned>(executor: &mut dyn Executor<R>, rows: usize, values: &[f64]) -> Buf {
    let buf = executor.allocate(Scope::PerProblem, rows);
    executor.upload(buf, &convert::<R>(values));
    buf
}

/// A per-problem buffer of `rows` entries with the values that `of` gives for every point.
pub fn per_point<R: Twinned>(
    executor: &mut dyn Executor<R>,
    rows: usize,
    points: &[Point],
    of: impl Fn(&Point) -> Vec<f64>,
) -> Buf {
    let values: Vec<f64> = points.iter().flat_map(of).collect();
    per_problem(executor, rows, &values)
}
