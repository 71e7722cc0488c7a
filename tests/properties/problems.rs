//! Random problems from a table of recipes, and a random stream that is the same everywhere.

use proxdiff::data::{Dense, Matrix, Scaling, Sparse};
use proxdiff::hypergrad::Hypergradient;
use proxdiff::kinds::Wrt;
use proxdiff::loss::Loss;
use proxdiff::penalty::{Groups, Penalty};
use proxdiff::problem::{Perturbation, RidgeStrengths, Rows};
use proxdiff::{Point, Problem, Specification};

/// SplitMix64: the same numbers on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [−1, 1).
    pub fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    /// Mean 0, variance 1, bell-shaped.
    pub fn bell(&mut self) -> f64 {
        (0..4).map(|_| self.signed()).sum::<f64>() * 0.75f64.sqrt()
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn vector(&mut self, size: usize) -> Vec<f64> {
        (0..size).map(|_| self.bell()).collect()
    }
}

/// Which penalty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    ElasticNet,
    Weighted,
    Group,
    GroupStrengths,
    SparseGroup,
    NonNegative,
    Box,
    /// Bounds and signs of coefficients, with one strength.
    Bounded,
    /// The same with a strength for each.
    BoundedWeighted,
}

pub const KINDS: [Kind; 9] = [
    Kind::ElasticNet,
    Kind::Weighted,
    Kind::Group,
    Kind::GroupStrengths,
    Kind::SparseGroup,
    Kind::NonNegative,
    Kind::Box,
    Kind::Bounded,
    Kind::BoundedWeighted,
];

pub const LOSSES: [Loss; 9] = [
    Loss::Squared,
    Loss::Logistic,
    Loss::Multinomial,
    Loss::Huber { delta: 0.7 },
    Loss::SquaredHinge,
    Loss::Quadratic,
    Loss::Poisson,
    Loss::Gamma,
    Loss::Tweedie { power: 1.3 },
];

/// What a random problem is made of.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    pub loss: Loss,
    pub kind: Kind,
    pub sparse: bool,
    pub intercept: bool,
    pub standardize: bool,
    pub weights: bool,
    pub prior: bool,
    /// Ridge strengths that differ, some shared by coordinates.
    pub ridges: bool,
    pub perturbed: bool,
    pub targets: usize,
    pub rows: usize,
    pub features: usize,
    pub seed: u64,
}

impl Recipe {
    pub fn new(loss: Loss, kind: Kind, seed: u64) -> Self {
        Self {
            loss,
            kind,
            sparse: false,
            intercept: false,
            standardize: false,
            weights: false,
            prior: false,
            ridges: false,
            perturbed: false,
            targets: 1,
            rows: 23,
            features: 6,
            seed,
        }
    }

    /// Everything on that the loss allows.
    pub fn full(self) -> Self {
        let plain = self.loss == Loss::Quadratic;
        Self {
            intercept: !plain,
            standardize: !plain,
            weights: !plain,
            prior: true,
            perturbed: !plain,
            targets: 2,
            ..self
        }
    }

    pub fn classes(&self) -> usize {
        if self.loss == Loss::Multinomial { 3 } else { 1 }
    }

    /// What the problem can be differentiated with respect to.
    pub fn wrt(&self) -> Vec<Wrt> {
        let mut wrt = vec![Wrt::L1, Wrt::L2, Wrt::Prior];
        if self.loss != Loss::Quadratic {
            wrt.push(Wrt::SampleWeights);
        }
        if self.loss.is_classification() {
            wrt.push(Wrt::ClassWeights);
        }
        if self.perturbed {
            wrt.push(Wrt::Perturbation);
        }
        if matches!(self.kind, Kind::Box | Kind::Bounded | Kind::BoundedWeighted) {
            wrt.push(Wrt::BoxBounds);
        }
        if matches!(self.loss, Loss::Huber { .. }) {
            wrt.push(Wrt::HuberDelta);
        }
        wrt
    }

    pub fn specification(&self) -> Specification {
        let mut random = Random::new(self.seed);
        let (c, d) = (self.classes(), self.features);
        let n = if self.loss == Loss::Quadratic {
            d
        } else {
            self.rows
        };
        let truth = random.vector(d * c);
        let train = self.sample(&mut random, n, &truth, self.weights);
        let validation = self.sample(
            &mut random,
            if self.loss == Loss::Quadratic { d } else { 11 },
            &truth,
            true,
        );
        let mut specification =
            Specification::new(self.loss, train.matrix.clone(), train.targets.clone());
        specification.train = train;
        specification.validation = Some(validation);
        specification.classes = c;
        specification.scaling = Scaling {
            intercept: self.intercept,
            standardize: self.standardize,
        };
        specification.penalty = penalty(self, d * c, &mut random);
        if self.weights && self.loss.is_classification() {
            let factor = |&y: &f64| [0.5, 2.0, 1.3][(y + 1.0) as usize % 3];
            let labels = specification.train.targets[0].iter();
            specification.weight_factors = Some(labels.map(factor).collect());
        }
        if self.ridges {
            specification.ridge = Some(ridges(d * c, n > d, &mut random));
        }
        if self.prior {
            specification.prior = Some((0..d * c).map(|_| 0.4 * random.signed()).collect());
        }
        if self.perturbed {
            let rows = vec![4, 1, n - 1];
            specification.perturbation = Some(Perturbation {
                values: Dense::new(3, d, random.vector(3 * d)).unwrap(),
                rows,
            });
        }
        specification
    }

    pub fn problem(&self) -> Problem {
        Problem::new(self.specification()).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// `count` points of moderate strengths, targets in turn.
    pub fn points(&self, count: usize) -> Vec<Point> {
        let mut random = Random::new(self.seed + 1000);
        (0..count)
            .map(|at| {
                Point::new(0.02 + 0.08 * random.unit(), 0.1 + 0.2 * random.unit())
                    .of_target(at % self.targets)
            })
            .collect()
    }

    fn sample(&self, random: &mut Random, n: usize, truth: &[f64], weighted: bool) -> Rows {
        let d = self.features;
        if self.loss == Loss::Quadratic {
            return self.form(random);
        }
        // Columns of unequal scale and centre.
        let values: Vec<f64> = (0..n * d)
            .map(|at| {
                let j = at % d;
                let zero = self.sparse && random.unit() < 0.5;
                let x = (0.5 + 0.3 * j as f64) * random.bell() + 0.4 * j as f64 - 0.5;
                if zero { 0.0 } else { x }
            })
            .collect();
        let c = self.classes();
        let mut targets: Vec<Vec<f64>> = (0..self.targets)
            .map(|target| {
                (0..n)
                    .map(|i| {
                        let z: Vec<f64> = (0..c)
                            .map(|k| {
                                (0..d)
                                    .map(|j| values[i * d + j] * truth[j * c + k])
                                    .sum::<f64>()
                                    * 0.5
                                    + random.bell()
                                    + 0.3 * target as f64
                            })
                            .collect();
                        match self.loss {
                            Loss::Multinomial => (0..c)
                                .fold(0, |best, k| if z[k] > z[best] { k } else { best })
                                as f64,
                            loss if loss.is_binary() => {
                                if z[0] > 0.0 {
                                    1.0
                                } else {
                                    -1.0
                                }
                            }
                            // Counts; amounts; amounts of which some are zero. All near 1: steps are
                            // small where the objective at w = 0 is large.
                            Loss::Poisson => (0.6 + z[0].tanh()).exp().floor(),
                            Loss::Gamma => z[0].tanh().exp(),
                            Loss::Tweedie { .. } if z[0] < -0.6 => 0.0,
                            Loss::Tweedie { .. } => z[0].tanh().exp(),
                            _ => z[0],
                        }
                    })
                    .collect()
            })
            .collect();
        // An intercept needs rows of every class.
        let classes: Vec<f64> = match self.loss {
            Loss::Multinomial => (0..c).map(|k| k as f64).collect(),
            loss if loss.is_binary() => vec![-1.0, 1.0],
            _ => Vec::new(),
        };
        for target in &mut targets {
            for (at, &class) in classes.iter().enumerate() {
                if !target.contains(&class) {
                    target[at] = class;
                }
            }
        }
        Rows {
            matrix: self.matrix(n, d, values),
            targets,
            weights: (weighted && (self.weights || n == 11))
                .then(|| (0..n).map(|_| 0.3 + 2.0 * random.unit()).collect()),
            offset: None,
        }
    }

    /// A quadratic form: Q positive definite.
    fn form(&self, random: &mut Random) -> Rows {
        let d = self.features;
        let x = random.vector(2 * d * d);
        let mut q = vec![0.0; d * d];
        for i in 0..d {
            for j in 0..=i {
                let value =
                    (0..2 * d).map(|k| x[k * d + i] * x[k * d + j]).sum::<f64>() / (2 * d) as f64;
                q[i * d + j] = value;
                q[j * d + i] = value;
            }
        }
        Rows {
            matrix: self.matrix(d, d, q),
            targets: (0..self.targets).map(|_| random.vector(d)).collect(),
            weights: None,
            offset: None,
        }
    }

    fn matrix(&self, n: usize, d: usize, values: Vec<f64>) -> Matrix {
        let dense = Dense::new(n, d, values).unwrap();
        if self.sparse {
            Matrix::Sparse(sparse(&dense))
        } else {
            Matrix::Dense(dense)
        }
    }
}

/// The entries that are not zero.
pub fn sparse(dense: &Dense) -> Sparse {
    let mut row_starts = vec![0];
    let (mut column_indices, mut values) = (Vec::new(), Vec::new());
    for i in 0..dense.rows {
        for (j, &x) in dense.row(i).iter().enumerate() {
            if x != 0.0 {
                column_indices.push(j as u32);
                values.push(x);
            }
        }
        row_starts.push(values.len());
    }
    Sparse {
        rows: dense.rows,
        columns: dense.columns,
        row_starts,
        column_indices,
        values,
    }
}

/// Strengths of which one is shared by every fifth coordinate, and one may be zero.
fn ridges(penalized: usize, has_zero: bool, random: &mut Random) -> RidgeStrengths {
    let entries: Vec<u32> = (0..penalized).map(|j| (j % 5) as u32).collect();
    let count = penalized.min(5);
    let strength = |at: usize, random: &mut Random| match at {
        2 if has_zero => 0.0,
        _ => 0.2 + 1.6 * random.unit(),
    };
    let strengths = (0..count).map(|at| strength(at, random)).collect();
    RidgeStrengths::shared(strengths, entries).unwrap()
}

fn penalty(recipe: &Recipe, penalized: usize, random: &mut Random) -> Penalty {
    // Groups that are not consecutive, of unequal size.
    let labels: Vec<u32> = (0..penalized)
        .map(|j| [0, 1, 1, 2, 0, 2, 2][j * 3 % 7])
        .collect();
    match recipe.kind {
        Kind::ElasticNet => Penalty::ElasticNet,
        Kind::Weighted => Penalty::Weighted {
            strengths: (0..penalized)
                .map(|j| {
                    if j == 2 {
                        0.0
                    } else {
                        0.3 + 1.4 * random.unit()
                    }
                })
                .collect(),
        },
        Kind::Group => Penalty::Group {
            groups: Groups::from_labels(&labels),
            strengths: None,
        },
        Kind::GroupStrengths => {
            let groups = Groups::from_labels(&labels);
            let strengths = (0..groups.len())
                .map(|g| if g == 1 { 0.0 } else { 0.5 + random.unit() })
                .collect();
            Penalty::Group {
                groups,
                strengths: Some(strengths),
            }
        }
        Kind::SparseGroup => {
            let groups = Groups::from_labels(&labels);
            let strengths = (0..=groups.len()).map(|_| 0.3 + 0.7 * random.unit());
            let strengths = strengths.collect();
            Penalty::sparse_group(groups, Some(strengths))
        }
        Kind::NonNegative => Penalty::NonNegative,
        Kind::Box => Penalty::Box {
            lower: -0.15,
            upper: 0.25,
        },
        Kind::Bounded => bounded(recipe, Penalty::ElasticNet, penalized),
        Kind::BoundedWeighted => {
            let strength = |j: usize| {
                if j == 2 {
                    0.0
                } else {
                    0.4 + 0.2 * (j % 7) as f64
                }
            };
            let strengths = (0..penalized).map(strength).collect();
            bounded(recipe, Penalty::Weighted { strengths }, penalized)
        }
    }
}

/// The penalty with bounds of every sort: one, two, none, a sign, a number, and such without zero between them.
fn bounded(recipe: &Recipe, penalty: Penalty, penalized: usize) -> Penalty {
    let (none, low) = (f64::INFINITY, 0.05);
    // Iterations of a loss without a bound of its curvature start at zero.
    let without_zero = match recipe.loss.curvature_bound() {
        Some(_) => [[low, none], [-0.4, -low]],
        None => [[-low, none], [-0.4, low]],
    };
    let kinds = [
        [-none, 0.06],
        [-0.04, none],
        without_zero[0],
        [0.0, none],
        [-none, none],
        [-0.03, 0.03],
        without_zero[1],
        [-none, 0.0],
        [0.0, 0.0],
    ];
    let of = |side: usize| (0..penalized).map(|j| kinds[j % 9][side]).collect();
    penalty.within(of(0), of(1)).unwrap()
}

/// ‖a − b‖/‖b‖ with a floor on ‖b‖; NaN never passes.
pub fn relative(a: &[f64], b: &[f64], floor: f64) -> f64 {
    assert_eq!(a.len(), b.len(), "lengths");
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let error =
        norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied()).max(floor);
    if error.is_nan() { f64::INFINITY } else { error }
}

/// Problems that between them have every loss, penalty and option.
pub fn recipes() -> Vec<Recipe> {
    use Kind::{
        Bounded, BoundedWeighted, Box, ElasticNet, Group, GroupStrengths, NonNegative, SparseGroup,
        Weighted,
    };
    let huber = Loss::Huber { delta: 0.7 };
    let tweedie = Loss::Tweedie { power: 1.3 };
    let plain = |loss, kind, seed| Recipe::new(loss, kind, seed);
    let full = |loss, kind, seed| Recipe::new(loss, kind, seed).full();
    let sparse = |recipe: Recipe| Recipe {
        sparse: true,
        ..recipe
    };
    let ridges = |recipe: Recipe| Recipe {
        ridges: true,
        ..recipe
    };
    vec![
        plain(Loss::Squared, ElasticNet, 101),
        full(Loss::Squared, ElasticNet, 102),
        sparse(full(Loss::Squared, Weighted, 103)),
        full(Loss::Squared, Group, 104),
        full(Loss::Squared, GroupStrengths, 105),
        full(Loss::Squared, NonNegative, 106),
        full(Loss::Squared, Box, 107),
        plain(Loss::Logistic, Weighted, 108),
        full(Loss::Logistic, ElasticNet, 109),
        sparse(full(Loss::Logistic, GroupStrengths, 110)),
        full(Loss::Logistic, Box, 111),
        plain(Loss::Multinomial, ElasticNet, 112),
        full(Loss::Multinomial, Weighted, 113),
        sparse(full(Loss::Multinomial, Group, 114)),
        full(huber, ElasticNet, 115),
        sparse(full(huber, Weighted, 116)),
        full(huber, Group, 117),
        full(Loss::SquaredHinge, ElasticNet, 118),
        sparse(full(Loss::SquaredHinge, NonNegative, 119)),
        full(Loss::SquaredHinge, GroupStrengths, 120),
        full(Loss::Quadratic, Box, 121),
        sparse(full(Loss::Quadratic, Box, 122)),
        full(Loss::Quadratic, ElasticNet, 123),
        full(Loss::Quadratic, GroupStrengths, 124),
        plain(Loss::Poisson, ElasticNet, 170),
        full(Loss::Poisson, Weighted, 171),
        sparse(full(Loss::Poisson, Group, 172)),
        full(Loss::Poisson, Box, 173),
        full(Loss::Gamma, ElasticNet, 174),
        ridges(full(Loss::Gamma, GroupStrengths, 175)),
        sparse(full(Loss::Gamma, NonNegative, 176)),
        plain(tweedie, Weighted, 177),
        full(tweedie, ElasticNet, 178),
        sparse(full(tweedie, SparseGroup, 179)),
        full(Loss::Squared, SparseGroup, 126),
        sparse(full(Loss::Logistic, SparseGroup, 127)),
        full(Loss::Multinomial, SparseGroup, 128),
        Recipe {
            features: 14,
            rows: 9,
            ..full(Loss::Squared, ElasticNet, 125)
        },
        plain(Loss::Squared, Bounded, 180),
        full(Loss::Squared, Bounded, 181),
        sparse(full(Loss::Squared, BoundedWeighted, 182)),
        full(Loss::Logistic, Bounded, 183),
        full(Loss::Multinomial, BoundedWeighted, 184),
        full(huber, Bounded, 185),
        sparse(full(Loss::SquaredHinge, Bounded, 186)),
        full(Loss::Quadratic, BoundedWeighted, 187),
        full(Loss::Poisson, Bounded, 188),
        ridges(full(Loss::Gamma, BoundedWeighted, 189)),
        ridges(full(Loss::Squared, Bounded, 190)),
        Recipe {
            features: 14,
            rows: 9,
            ..full(Loss::Squared, Bounded, 191)
        },
        ridges(full(Loss::Squared, ElasticNet, 130)),
        ridges(sparse(full(Loss::Squared, Weighted, 131))),
        ridges(full(Loss::Squared, GroupStrengths, 132)),
        ridges(full(Loss::Squared, SparseGroup, 133)),
        ridges(full(Loss::Squared, NonNegative, 134)),
        ridges(full(Loss::Squared, Box, 135)),
        ridges(plain(Loss::Logistic, ElasticNet, 136)),
        ridges(sparse(full(Loss::Logistic, Group, 137))),
        ridges(full(Loss::Multinomial, ElasticNet, 138)),
        ridges(sparse(full(Loss::Multinomial, SparseGroup, 139))),
        ridges(full(huber, Weighted, 140)),
        ridges(full(Loss::SquaredHinge, Group, 141)),
        ridges(full(Loss::Quadratic, ElasticNet, 142)),
        ridges(sparse(full(Loss::Quadratic, Box, 143))),
        Recipe {
            features: 14,
            rows: 9,
            ..ridges(full(Loss::Squared, ElasticNet, 144))
        },
    ]
}

/// The parts of a hypergradient by name.
pub fn parts(h: &Hypergradient) -> Vec<(&'static str, Vec<f64>)> {
    let Hypergradient {
        l1,
        l2,
        prior,
        sample_weights,
        class_weights,
        perturbation,
        box_bounds,
        huber_delta,
    } = h.clone();
    [
        ("l1", l1.map(|l1| l1.as_slice().to_vec())),
        ("l2", l2.map(|l2| l2.as_slice().to_vec())),
        ("prior", prior),
        ("sample weights", sample_weights),
        ("class weights", class_weights),
        ("perturbation", perturbation),
        (
            "box bounds",
            box_bounds.map(|(lower, upper)| [lower.as_slice(), upper.as_slice()].concat()),
        ),
        ("huber delta", huber_delta.map(|delta| vec![delta])),
    ]
    .into_iter()
    .filter_map(|(name, part)| part.map(|part| (name, part)))
    .collect()
}
