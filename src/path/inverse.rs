//! An approximate inverse of the Hessian on a face, which conjugate gradient is preconditioned by.
//!
//! Where all coordinates of several classes are free, and the design is dense, the Hessian is near
//!
//! ```text
//! (h̄ X̂ᵀSX̂ + λ₂) ⊗ I      h̄ = the weighted mean over rows, and that over classes, of the curvature h_i(k, k)
//! ```
//!
//! of which one class's block is factored: a product then costs little more, and fewer are needed, the fewer
//! the more the columns are alike. Elsewhere it is the Hessian's diagonal.

use crate::kinds::Preconditioner;
use crate::real::{Real, sum_of};

use super::rows::FaceHessian;
use crate::linalg::cholesky;

/// Columns for each class up to which the block is formed: it costs as many products as half of them.
const COLUMNS_A_CLASS: usize = 100;

/// An approximate inverse on a face.
pub(super) enum Inverse {
    /// 1 over the diagonal's entries, on the face.
    Diagonal(Vec<f64>),
    /// The factor of every class's block.
    Classes {
        /// Its lower triangle.
        factor: Vec<f64>,
        /// Number of classes.
        classes: usize,
    },
}

impl Inverse {
    /// That of a Hessian on its face, for vectors with one entry for each coordinate of the face.
    pub(super) fn of<R: Real>(operator: &FaceHessian<'_, '_, R>) -> Self {
        Self::by_classes(operator)
            .unwrap_or_else(|| Self::of_diagonal(operator.face, &operator.diagonal()))
    }

    /// That of a preconditioner: none at all, the diagonal, which is given, or the best there is.
    pub(super) fn by<R: Real>(
        preconditioner: Preconditioner,
        operator: &FaceHessian<'_, '_, R>,
        diagonal: &[f64],
    ) -> Self {
        let by_diagonal = || Self::of_diagonal(operator.face, diagonal);
        match preconditioner {
            Preconditioner::None => Self::Diagonal(vec![1.0; operator.face.len()]),
            Preconditioner::Diagonal => by_diagonal(),
            Preconditioner::Cholesky => Self::by_classes(operator).unwrap_or_else(by_diagonal),
        }
    }

    fn of_diagonal(face: &[u32], diagonal: &[f64]) -> Self {
        let inverse = |&j: &u32| diagonal[j as usize].recip();
        Self::Diagonal(face.iter().map(inverse).collect())
    }

    fn by_classes<R: Real>(operator: &FaceHessian<'_, '_, R>) -> Option<Self> {
        let smooth = operator.smooth;
        let (c, columns) = (smooth.classes, smooth.parts.columns.count);
        let is_whole = operator.face.len() == smooth.p && operator.groups.is_empty();
        if c == 1 || !is_whole || columns > COLUMNS_A_CLASS * c {
            return None;
        }
        let spread = smooth.spread()?;
        let of_row = |i: usize| sum_of(c, |k| operator.curvature.diagonal(smooth, i, k));
        let mean = sum_of(smooth.rows(), of_row) / c as f64;
        let stride = cholesky::stride(columns);
        let mut factor = vec![0.0; stride * columns];
        for j in 0..columns {
            let column = &mut factor[j * stride..][..columns];
            for (entry, &gram) in column.iter_mut().zip(&spread[j * columns..]) {
                *entry = mean * gram;
            }
            let ridge = |k: usize| operator.regularizer.ridge(j * c + k);
            column[j] += sum_of(c, ridge) / c as f64;
        }
        cholesky::factor(&mut factor, columns).then_some(Self::Classes { factor, classes: c })
    }

    /// z ← the approximate inverse times r.
    pub(super) fn apply(&self, r: &[f64], z: &mut [f64]) {
        match self {
            Self::Diagonal(inverse) => {
                for ((z, r), inverse) in z.iter_mut().zip(r).zip(inverse) {
                    *z = r * inverse;
                }
            }
            Self::Classes { factor, classes } => {
                for k in 0..*classes {
                    let mut own: Vec<f64> = r.iter().skip(k).step_by(*classes).copied().collect();
                    cholesky::solve(factor, &mut own);
                    let of_class = z.iter_mut().skip(k).step_by(*classes);
                    of_class.zip(own).for_each(|(z, own)| *z = own);
                }
            }
        }
    }
}
