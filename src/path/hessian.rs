//! The Hessian of the smooth part on a set of coordinates, formed in full.

use crate::linalg::products::{add_gram, cross_products};
use crate::model::loss::{Loss, multinomial};
use crate::real::Real;

use super::smooth::{Curvature, KeptHessian, Smooth};

impl<R: Real> Smooth<'_, R> {
    /// X̂ᵀSX̂ of a dense design, lower triangle, in `f64`.
    pub(super) fn spread(&self) -> Option<&[f64]> {
        let values = self.parts.columns.dense()?;
        let form = || {
            let (count, root) = (self.parts.columns.count, roots::<R>(&self.parts.weight));
            let scaled = self.scaled_columns(values, (0..count).map(|j| (j, &root[..])));
            let mut gram = vec![R::zero(); count * count];
            add_gram(&scaled, self.rows(), count, R::one(), &mut gram);
            gram.into_iter().map(|g| g.to_f64()).collect()
        };
        Some(self.parts.spread.get_or_init(form))
    }

    /// ∇²loss restricted to `set`, full symmetric storage.
    pub(super) fn hessian(&self, set: &[u32], curvature: &Curvature) -> Vec<R> {
        let m = set.len();
        if let Some(gram) = &self.parts.gram {
            let mut h = Vec::with_capacity(m * m);
            for &j in set {
                let column = &gram[j as usize * self.p..(j as usize + 1) * self.p];
                h.extend(set.iter().map(|&i| column[i as usize]));
            }
            return h;
        }
        let mut h = vec![R::zero(); m * m];
        match (self.loss, self.parts.columns.dense()) {
            (Loss::Quadratic, _) => self.gather_form(set, &mut h),
            (Loss::Multinomial, Some(values)) => {
                self.dense_multinomial(values, set, curvature, &mut h);
            }
            (_, Some(values)) => {
                let root: Vec<R> = roots(&curvature.values);
                let scaled =
                    self.scaled_columns(values, set.iter().map(|&j| (j as usize, &root[..])));
                add_gram(&scaled, self.rows(), m, R::one(), &mut h);
            }
            (_, None) => self.sparse_hessian(set, curvature, &mut h),
        }
        for j in 0..m {
            for i in j + 1..m {
                h[i * m + j] = h[j * m + i];
            }
        }
        h
    }

    /// ∇²loss of a quadratic loss on `set`, given that on a subset.
    ///
    /// Every entry is a sum over rows of its own, whatever the set, so that it has the same bits
    /// however the set grew.
    pub(super) fn extend_hessian(&self, kept: &KeptHessian<R>, set: &[u32]) -> KeptHessian<R> {
        let (n, m) = (self.rows(), set.len());
        let dense = match self.parts.columns.dense() {
            Some(values) if self.loss == Loss::Squared => values,
            _ => {
                return KeptHessian {
                    set: set.to_vec(),
                    hessian: self.hessian(set, &self.curvature(&[], 0, 0.0)),
                    scaled: Vec::new(),
                };
            }
        };
        let root: Vec<R> = roots(&self.parts.weight);
        let place: Vec<Option<usize>> =
            set.iter().map(|j| kept.set.binary_search(j).ok()).collect();
        let mut scaled = Vec::with_capacity(n * m);
        for (&j, place) in set.iter().zip(&place) {
            match place {
                Some(at) => scaled.extend_from_slice(&kept.scaled[at * n..(at + 1) * n]),
                None => scaled.extend(
                    dense[j as usize * n..(j as usize + 1) * n]
                        .iter()
                        .zip(&root)
                        .map(|(&x, &r)| x * r),
                ),
            }
        }
        let mut hessian = vec![R::zero(); m * m];
        for (a, from) in place.iter().enumerate() {
            let Some(from) = from else { continue };
            let old = &kept.hessian[from * kept.set.len()..(from + 1) * kept.set.len()];
            for (b, from) in place.iter().enumerate() {
                if let Some(from) = from {
                    hessian[a * m + b] = old[*from];
                }
            }
        }
        let fresh: Vec<usize> = (0..m).filter(|&at| place[at].is_none()).collect();
        cross_products(&scaled, n, &fresh, &mut hessian);
        KeptHessian {
            set: set.to_vec(),
            hessian,
            scaled,
        }
    }

    /// Entries of Q.
    fn gather_form(&self, set: &[u32], h: &mut [R]) {
        let m = set.len();
        let mut place = vec![usize::MAX; self.p];
        set.iter()
            .enumerate()
            .for_each(|(at, &j)| place[j as usize] = at);
        for (at, &j) in set.iter().enumerate() {
            self.parts.columns.for_each_stored(j as usize, |i, x| {
                if place[i] != usize::MAX {
                    h[at * m + place[i]] = R::of(x);
                }
            });
        }
    }

    /// The columns of a set, scaled by the roots of the rows' curvature, where the Hessian is the product
    /// of these with themselves.
    pub(super) fn columns_of_hessian(&self, set: &[u32], curvature: &Curvature) -> Option<Vec<R>> {
        let values = self.parts.columns.dense()?;
        if matches!(self.loss, Loss::Quadratic | Loss::Multinomial) {
            return None;
        }
        let root: Vec<R> = roots(&curvature.values);
        Some(self.scaled_columns(values, set.iter().map(|&j| (j as usize, &root[..]))))
    }

    fn scaled_columns<'r>(
        &self,
        values: &[R],
        scaled: impl Iterator<Item = (usize, &'r [R])>,
    ) -> Vec<R> {
        let n = self.rows();
        let mut out = Vec::with_capacity(n * scaled.size_hint().0);
        for (j, root) in scaled {
            let column = &values[j * n..(j + 1) * n];
            out.extend(column.iter().zip(root).map(|(&x, &r)| x * r));
        }
        out
    }

    /// With probabilities p_k and blend b: block-diagonal in the classes
    /// `Σ_i (s_i/n)((1 − b)p_ik + b/2) x xᵀ`, minus `(1 − b) Σ_i (s_i/n) p_ik p_il x xᵀ`.
    fn dense_multinomial(&self, values: &[R], set: &[u32], curvature: &Curvature, h: &mut [R]) {
        let (n, c, m) = (self.rows(), self.classes, set.len());
        let (keep, blend) = (1.0 - curvature.blend, curvature.blend);
        let per_class = |factor: &dyn Fn(f64, f64) -> f64| -> Vec<R> {
            (0..c * n)
                .map(|at| R::of(factor(curvature.values[at], self.parts.weight[at % n])))
                .collect()
        };
        let joint = per_class(&|p, s| (keep * s).sqrt() * p);
        let column = |at: u32| (at as usize / c, at as usize % c);
        let scaled = self.scaled_columns(
            values,
            set.iter().map(|&at| {
                let (j, k) = column(at);
                (j, &joint[k * n..(k + 1) * n])
            }),
        );
        add_gram(&scaled, n, m, -R::one(), h);
        let own = per_class(&|p, s| (s * (keep * p + multinomial::MAJORANT * blend)).sqrt());
        for k in 0..c {
            let members: Vec<usize> = (0..m).filter(|&at| column(set[at]).1 == k).collect();
            let scaled = self.scaled_columns(
                values,
                members
                    .iter()
                    .map(|&at| (column(set[at]).0, &own[k * n..(k + 1) * n])),
            );
            let size = members.len();
            let mut block = vec![R::zero(); size * size];
            add_gram(&scaled, n, size, R::one(), &mut block);
            for b in 0..size {
                for a in b..size {
                    h[members[b] * m + members[a]] += block[b * size + a];
                }
            }
        }
    }

    fn sparse_hessian(&self, set: &[u32], curvature: &Curvature, h: &mut [R]) {
        let (n, c, m) = (self.rows(), self.classes, set.len());
        let mut q = vec![0.0; n * c];
        for (at, &coordinate) in set.iter().enumerate() {
            let (j, k) = (coordinate as usize / c, coordinate as usize % c);
            q.fill(0.0);
            self.parts
                .columns
                .add_scaled(j, 1.0, &mut q[k * n..(k + 1) * n]);
            self.apply_curvature(curvature, &mut q);
            let totals: Vec<f64> = q.chunks_exact(n).map(|q| q.iter().sum()).collect();
            for (other, &coordinate) in set.iter().enumerate().skip(at) {
                let (j, k) = (coordinate as usize / c, coordinate as usize % c);
                let product = self.parts.columns.dot(j, &q[k * n..(k + 1) * n], totals[k]);
                h[at * m + other] = R::of(product);
            }
        }
    }
}

fn roots<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|v| R::of(v.sqrt())).collect()
}
