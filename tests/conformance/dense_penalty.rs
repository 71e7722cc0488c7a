//! A penalty as dense matrices: what the kernels of its family are compared with.

use proxdiff::model::penalty::{GROUPED, Row};

pub const SOFT: usize = Row::SoftThreshold as usize;
pub const NON_NEGATIVE: usize = Row::NonNegative as usize;
pub const BOX: usize = Row::Interval as usize;
pub const BOUNDED: usize = Row::Bounded as usize;
pub const GROUP: usize = Row::Free as usize | GROUPED as usize;
/// Groups whose coordinates also pay by themselves.
pub const SPARSE_GROUP: usize = SOFT | GROUPED as usize;

/// A penalty with its u: D, D⁺ and the derivatives in strengths and bounds as dense matrices.
pub struct Dense {
    pub p: usize,
    pub penalized: usize,
    pub tag: usize,
    pub gamma: f64,
    /// γ·l1·strength per entry.
    pub thresholds: Vec<f64>,
    pub u: Vec<f64>,
    pub bounds: Vec<f64>,
    pub groups: Vec<Vec<usize>>,
}

impl Dense {
    pub fn new(i: &[Vec<f64>], p: &[usize]) -> Self {
        let starts = &i[6];
        let groups = starts
            .windows(2)
            .map(|ends| {
                (ends[0] as usize..ends[1] as usize)
                    .map(|at| i[5][at] as usize)
                    .collect()
            })
            .collect();
        Self {
            p: p[0],
            penalized: p[1],
            tag: p[2],
            gamma: i[3][0],
            thresholds: i[1]
                .iter()
                .map(|strength| i[3][0] * i[2][0] * strength)
                .collect(),
            u: i[0].clone(),
            bounds: i[4].clone(),
            groups,
        }
    }

    pub fn is_grouped(&self) -> bool {
        self.tag == GROUP || self.tag == SPARSE_GROUP
    }

    /// Strengths before those of the groups.
    pub fn first(&self) -> usize {
        usize::from(self.tag == SPARSE_GROUP)
    }

    /// γ·l1·strength of group g.
    pub fn threshold(&self, g: usize) -> f64 {
        self.thresholds[self.first() + g]
    }

    /// What is left of a grouped coordinate after what it pays by itself.
    pub fn s(&self, j: usize) -> f64 {
        if self.tag == SPARSE_GROUP {
            self.u[j].signum() * (self.u[j].abs() - self.thresholds[0]).max(0.0)
        } else {
            self.u[j]
        }
    }

    /// Whether a grouped coordinate passes what it pays by itself.
    pub fn passes(&self, j: usize) -> bool {
        self.tag == GROUP || self.thresholds[0] == 0.0 || self.u[j].abs() > self.thresholds[0]
    }

    pub fn norm(&self, g: usize) -> f64 {
        self.groups[g]
            .iter()
            .map(|&j| self.s(j).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    /// ŝ of group g.
    pub fn direction(&self, g: usize) -> Vec<f64> {
        let norm = self.norm(g);
        self.groups[g]
            .iter()
            .map(|&j| if norm == 0.0 { 0.0 } else { self.s(j) / norm })
            .collect()
    }

    pub fn active(&self, g: usize) -> bool {
        self.threshold(g) == 0.0 || self.norm(g) > self.threshold(g)
    }

    /// How much the differences of a group lose.
    pub fn condition(&self) -> f64 {
        if !self.is_grouped() {
            return 1.0;
        }
        (0..self.groups.len())
            .filter(|&g| self.active(g) && self.norm(g) > 0.0)
            .map(|g| (self.norm(g) / (self.norm(g) - self.threshold(g))).powi(2))
            .fold(1.0, f64::max)
    }

    /// S(u_j) of a coordinate of its own.
    pub fn shrunk(&self, j: usize) -> f64 {
        self.u[j].signum() * (self.u[j].abs() - self.thresholds[j]).max(0.0)
    }

    /// The bounds of coordinate j, each of which has its own.
    pub fn bounds_of(&self, j: usize) -> [f64; 2] {
        [self.bounds[2 * j], self.bounds[2 * j + 1]]
    }

    pub fn inside(&self, j: usize) -> bool {
        let u = self.u[j];
        j >= self.penalized
            || match self.tag {
                SOFT => u.abs() > self.thresholds[j] || self.thresholds[j] == 0.0,
                NON_NEGATIVE => u > self.thresholds[j],
                BOUNDED => {
                    let [lower, upper] = self.bounds_of(j);
                    let moves = u.abs() > self.thresholds[j] || self.thresholds[j] == 0.0;
                    moves && lower < self.shrunk(j) && self.shrunk(j) < upper
                }
                _ => self.bounds[0] < u && u < self.bounds[1],
            }
    }

    /// A p × p matrix: `mask` on the diagonal where D is one, `group(t)·I + more(t)·ŝŝᵀ` on active groups.
    pub fn matrix(&self, group: impl Fn(f64) -> (f64, f64)) -> Vec<Vec<f64>> {
        let mut m = vec![vec![0.0; self.p]; self.p];
        for j in 0..self.p {
            if (!self.is_grouped() || j >= self.penalized) && self.inside(j) {
                m[j][j] = 1.0;
            }
        }
        if !self.is_grouped() {
            return m;
        }
        for g in (0..self.groups.len()).filter(|&g| self.active(g)) {
            let t = if self.threshold(g) == 0.0 {
                0.0
            } else {
                self.threshold(g) / self.norm(g)
            };
            let (across, along) = group(t);
            let direction = self.direction(g);
            for (a, &j) in self.groups[g].iter().enumerate() {
                if !self.passes(j) {
                    continue;
                }
                m[j][j] += across;
                for (b, &l) in self.groups[g].iter().enumerate() {
                    m[j][l] += along * direction[a] * direction[b];
                }
            }
        }
        m
    }

    pub fn derivative(&self) -> Vec<Vec<f64>> {
        self.matrix(|t| (1.0 - t, t))
    }

    pub fn range(&self) -> Vec<Vec<f64>> {
        self.matrix(|_| (1.0, 0.0))
    }

    /// D⁺ = D⁻¹ on active groups: the eigenvalues 1 − t across and 1 along ŝ, inverted.
    pub fn inverse(&self) -> Vec<Vec<f64>> {
        self.matrix(|t| (1.0 / (1.0 - t), 1.0 - 1.0 / (1.0 - t)))
    }

    /// Column by column ∂G/∂strength.
    pub fn strengths(&self) -> Vec<Vec<f64>> {
        let mut m = vec![vec![0.0; self.thresholds.len()]; self.p];
        match self.tag {
            GROUP | SPARSE_GROUP => {
                for g in (0..self.groups.len()).filter(|&g| self.active(g)) {
                    for (&j, direction) in self.groups[g].iter().zip(self.direction(g)) {
                        m[j][self.first() + g] = -self.gamma * direction;
                    }
                }
                if self.tag == SPARSE_GROUP {
                    // D of the norms after the slopes of the coordinates.
                    let norms = self.derivative();
                    for j in 0..self.penalized {
                        m[j][0] = (0..self.penalized)
                            .filter(|&l| self.u[l] != 0.0)
                            .map(|l| -self.gamma * norms[j][l] * self.u[l].signum())
                            .sum();
                    }
                }
            }
            BOX => {}
            _ => {
                for j in (0..self.penalized).filter(|&j| self.inside(j) && self.u[j] != 0.0) {
                    m[j][j] = -self.gamma * self.u[j].signum();
                }
            }
        }
        m
    }

    /// ∂G/∂(lower, upper).
    pub fn bound_columns(&self) -> Vec<Vec<f64>> {
        let of_pair = |j: usize| {
            let mut row = vec![0.0; self.bounds.len()];
            let (s, [lower, upper]) = (self.shrunk(j), self.bounds_of(j));
            let held = self.thresholds[j] > 0.0 && self.u[j].abs() <= self.thresholds[j];
            if s >= upper && !(held && upper == 0.0) {
                row[2 * j + 1] = 1.0;
            } else if s <= lower && !(held && lower == 0.0) {
                row[2 * j] = 1.0;
            }
            row
        };
        (0..self.p)
            .map(|j| {
                if self.tag == BOUNDED && j < self.penalized {
                    of_pair(j)
                } else if self.tag != BOX || j >= self.penalized {
                    vec![0.0; self.bounds.len()]
                } else if self.u[j] >= self.bounds[1] {
                    vec![0.0, 1.0]
                } else {
                    vec![f64::from(u8::from(self.u[j] <= self.bounds[0])), 0.0]
                }
            })
            .collect()
    }
}
