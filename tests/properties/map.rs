//! The map's four products: adjoint to each other, and the derivatives of `apply`.

use proxdiff::exec::{Buf, CpuExecutor, Executor, Recording, Scope};
use proxdiff::kinds::Wrt;
use proxdiff::map::spectrum::Spectrum;
use proxdiff::map::{FixedPointMap, ProxGrad};
use proxdiff::penalty::Penalty;
use proxdiff::problem::{Members, RidgeStrengths};
use proxdiff::{Point, Problem};

use super::problems::{KINDS, Kind, LOSSES, Random, Recipe, relative};
use proxdiff::loss::Loss;

type Cpu = CpuExecutor<f64>;

/// A map on an executor of its own, with room for the vectors of the tests.
struct Bench {
    executor: Cpu,
    map: ProxGrad,
    w: Buf,
    v: Buf,
    zero: Buf,
    out: Buf,
    one: Buf,
}

impl Bench {
    fn new(
        problem: &Problem,
        points: &[Point],
        spectrum: &Spectrum,
        gram: bool,
        wrt: &[Wrt],
    ) -> Self {
        let mut executor = Cpu::new(points.len());
        let members = Members::of(problem, points);
        let gamma: Vec<f64> = points
            .iter()
            .map(|p| spectrum.step(problem.ridge_range(p)).gamma)
            .collect();
        let mut map = ProxGrad::new(&mut executor, &members, points, &gamma, gram).unwrap();
        map.allocate_sums(&mut executor, wrt);
        map.allocate_tangents(&mut executor, wrt);
        let p = map.coordinates;
        let mut room = || executor.allocate(Scope::PerProblem, p);
        let (w, v, zero, out) = (room(), room(), room(), room());
        let one = executor.allocate(Scope::Shared, 1);
        executor.upload(one, &[1.0]);
        Self {
            executor,
            map,
            w,
            v,
            zero,
            out,
            one,
        }
    }

    fn run(&mut self, record: impl Fn(&ProxGrad, &mut Recording<f64>)) -> Vec<f64> {
        let mut recording = Recording::new();
        record(&self.map, &mut recording);
        self.executor.run(&recording, 1).unwrap();
        self.executor.download(self.out).unwrap()
    }

    fn apply(&mut self, w: &[f64]) -> Vec<f64> {
        self.executor.upload(self.w, w);
        let (w, out) = (self.w, self.out);
        self.run(|map, recording| map.apply(recording, w, out))
    }

    /// Linearises at w; returns Φ(w) from what is frozen.
    fn linearize(&mut self, w: &[f64]) -> Vec<f64> {
        self.executor.upload(self.w, w);
        let (w, out) = (self.w, self.out);
        self.run(|map, recording| {
            map.linearize(recording, w);
            map.value(recording, out);
        })
    }

    fn jvp(&mut self, v: &[f64]) -> Vec<f64> {
        self.executor.upload(self.v, v);
        let (v, out) = (self.v, self.out);
        self.run(|map, recording| map.jvp_w(recording, v, out))
    }

    fn vjp(&mut self, v: &[f64]) -> Vec<f64> {
        self.executor.upload(self.v, v);
        let (v, zero, out) = (self.v, self.zero, self.out);
        self.run(|map, recording| map.vjp_w(recording, v, zero, out))
    }

    /// The tangent buffer and the sum buffer of one hyperparameter.
    fn buffers(&self, wrt: Wrt) -> (Buf, Buf) {
        let (t, s) = (self.map.tangents.unwrap(), self.map.sums);
        match wrt {
            Wrt::L1 => (t.strengths, s.strengths.unwrap()),
            Wrt::L2 => (t.ridge, s.ridge.unwrap()),
            Wrt::Prior => (t.prior, s.prior.unwrap()),
            Wrt::SampleWeights | Wrt::ClassWeights => (t.weights.unwrap(), s.weights.unwrap()),
            Wrt::Perturbation => (t.perturbation.unwrap(), s.perturbation.unwrap()),
            Wrt::BoxBounds => (t.bounds, s.bounds.unwrap()),
            Wrt::HuberDelta => (t.delta.unwrap(), s.delta.unwrap()),
        }
    }

    /// ∂₂Φ λ̇ for a direction of one hyperparameter alone.
    fn jvp_hyper(&mut self, wrt: Wrt, direction: &[f64]) -> Vec<f64> {
        let (tangent, _) = self.buffers(wrt);
        let problems = self.executor.problems();
        // The prior's tangent has a row for every coordinate; those of the intercepts stay zero.
        let per = direction.len() / problems;
        let mut padded = vec![0.0; tangent.rows() * problems];
        for problem in 0..problems {
            padded[problem * tangent.rows()..][..per]
                .copy_from_slice(&direction[problem * per..][..per]);
        }
        self.executor.upload(tangent, &padded);
        let (w, out) = (self.w, self.out);
        let result = self.run(|map, recording| {
            recording.fill(out, 0.0);
            map.jvp_hyper(recording, w, out);
        });
        self.executor.upload(tangent, &vec![0.0; padded.len()]);
        result
    }

    /// ∂₂Φᵀ v for one hyperparameter.
    fn vjp_hyper(&mut self, wrt: Wrt, v: &[f64]) -> Vec<f64> {
        let (_, sum) = self.buffers(wrt);
        self.executor.upload(self.v, v);
        let (w, v, one) = (self.w, self.v, self.one);
        self.run(|map, recording| {
            recording.fill(sum, 0.0);
            map.vjp_hyper(recording, w, v, one);
        });
        self.executor.download(sum).unwrap()
    }
}

/// |a·b − c·d| relative to the sums of their terms' sizes, the worst over problems.
fn pairing_error((a, b): (&[f64], &[f64]), (c, d): (&[f64], &[f64]), problems: usize) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let size = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum::<f64>();
    let (left, right) = (a.len() / problems, c.len() / problems);
    (0..problems)
        .map(|at| {
            let (a, b) = (&a[at * left..][..left], &b[at * left..][..left]);
            let (c, d) = (&c[at * right..][..right], &d[at * right..][..right]);
            let error = (dot(a, b) - dot(c, d)).abs() / (size(a, b) + size(c, d)).max(1e-12);
            if error.is_nan() { f64::INFINITY } else { error }
        })
        .fold(0.0, f64::max)
}

/// Every loss × penalty × design × options, shapes in turn.
fn table() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for loss in LOSSES {
        for kind in KINDS {
            for sparse in [false, true] {
                for options in 0..4u64 {
                    let seed = recipes.len() as u64;
                    let mut recipe = Recipe::new(loss, kind, seed);
                    recipe.sparse = sparse;
                    recipe.rows = [9, 16, 17, 31][seed as usize % 4];
                    recipe.features = [3, 5, 8, 12, 7][seed as usize % 5];
                    recipe.prior = options & 1 == 1;
                    if loss != Loss::Quadratic {
                        recipe.intercept = options & 2 == 2;
                        recipe.weights = options & 1 == 1;
                        recipe.standardize = seed.is_multiple_of(3);
                        recipe.perturbed = options != 0;
                        recipe.targets = 1 + (options as usize & 1);
                    }
                    recipes.push(recipe);
                }
            }
        }
    }
    recipes
}

#[test]
fn products_are_adjoint_to_each_other() {
    for recipe in table() {
        let problem = recipe.problem();
        let points = recipe.points(3);
        let wrt = recipe.wrt();
        let mut bench = Bench::new(&problem, &points, &Spectrum::of(&problem), false, &wrt);
        let mut random = Random::new(recipe.seed);
        let size = 3 * bench.map.coordinates;
        let (w, v, u) = (
            random.vector(size),
            random.vector(size),
            random.vector(size),
        );
        let applied = bench.apply(&w);
        assert_eq!(
            bench.linearize(&w),
            applied,
            "{recipe:?}: Φ(w) of the linearisation"
        );
        let (jvp, vjp) = (bench.jvp(&v), bench.vjp(&u));
        let error = pairing_error((&jvp, &u), (&v, &vjp), 3);
        assert!(error < 1e-13, "{recipe:?}: ∂₁Φ against ∂₁Φᵀ {error:.1e}");
        for &wrt in &wrt {
            let (_, sum) = bench.buffers(wrt);
            let direction = random.vector(3 * sum.rows());
            let (jvp, vjp) = (bench.jvp_hyper(wrt, &direction), bench.vjp_hyper(wrt, &u));
            let error = pairing_error((&jvp, &u), (&direction, &vjp), 3);
            assert!(
                error < 1e-13,
                "{recipe:?}, {wrt:?}: ∂₂Φ against ∂₂Φᵀ {error:.1e}"
            );
        }
    }
}

#[test]
fn products_are_derivatives_of_apply() {
    const H: f64 = 1e-6;
    let (mut checked, mut kinks) = (0, 0);
    for recipe in table() {
        let specification = recipe.specification();
        let problem = recipe.problem();
        let point = &recipe.points(1)[0];
        let spectrum = Spectrum::of(&problem);
        let wrt = recipe.wrt();
        let mut bench = Bench::new(
            &problem,
            std::slice::from_ref(point),
            &spectrum,
            false,
            &wrt,
        );
        let mut random = Random::new(recipe.seed + 7);
        let p = bench.map.coordinates;
        let (mut w, v) = (random.vector(p), random.vector(p));
        if recipe.loss.has_log_link() {
            // Exponentials of far predictors leave no digits for differences.
            w.iter_mut().for_each(|w| *w *= 0.1);
        }
        let moved = |by: f64| -> Vec<f64> { w.iter().zip(&v).map(|(w, v)| w + by * v).collect() };
        let ends = [moved(-H), moved(H)];
        let images: Vec<Vec<f64>> = ends.iter().map(|w| bench.apply(w)).collect();
        let slopes: Vec<Vec<f64>> = ends
            .iter()
            .map(|w| {
                bench.linearize(w);
                bench.jvp(&v)
            })
            .collect();
        bench.linearize(&w);
        let jvp = bench.jvp(&v);
        let difference = |images: &[Vec<f64>]| -> Vec<f64> {
            images[1]
                .iter()
                .zip(&images[0])
                .map(|(b, a)| (b - a) / (2.0 * H))
                .collect()
        };
        checked += 1;
        // A kink between the ends shows as a jump of the derivative.
        if relative(&slopes[0], &slopes[1], 1e-3) > 1e-3 {
            kinks += 1;
        } else {
            let error = relative(&difference(&images), &jvp, 1e-2);
            assert!(
                error < 1e-7,
                "{recipe:?}: ∂₁Φ against differences {error:.1e}"
            );
        }

        for &wrt in &wrt {
            let (_, sum) = bench.buffers(wrt);
            let mut direction = random.vector(sum.rows());
            if wrt == Wrt::L1 {
                direction.iter_mut().for_each(|d| *d = d.abs());
                if !problem.penalty().has_strength_vector() {
                    direction.fill(1.0);
                }
            }
            if let (Wrt::BoxBounds, Penalty::Bounded { .. }) = (wrt, problem.penalty()) {
                // A bound of zero may have one side alone that moves the coefficient, and two bounds that are
                // one number do not move alone.
                let bounds = problem.penalty().bounds();
                for (at, d) in direction.iter_mut().enumerate() {
                    if bounds[at] == 0.0 || bounds[at] == bounds[at ^ 1] {
                        *d = 0.0;
                    }
                }
            }
            let jvp = bench.jvp_hyper(wrt, &direction);
            let gamma = bench.executor.download(bench.map.gamma).unwrap();
            let image = |by: f64| {
                let mut changed = specification.clone();
                let mut point = point.clone();
                let moved = |values: &[f64], unit: f64| -> Vec<f64> {
                    values
                        .iter()
                        .zip(&direction)
                        .map(|(x, d)| x + by * d / unit)
                        .collect()
                };
                let mut problem = problem.clone();
                match wrt {
                    Wrt::L1 => {
                        let penalty = problem.penalty().clone();
                        if penalty.has_strength_vector() {
                            let strengths = penalty.strengths(problem.penalized());
                            let penalty = penalty.with_strengths(moved(&strengths, point.l1));
                            problem = problem.with_penalty(penalty).unwrap();
                        } else {
                            point.l1 += by;
                        }
                    }
                    Wrt::L2 => match problem.ridge().cloned() {
                        None => point.l2 += by * direction[0],
                        Some(_) => {
                            // The sums are per coordinate.
                            let each = problem.ridges(&point);
                            let ridge = RidgeStrengths::each(moved(each.as_slice(), 1.0));
                            problem = problem.with_ridge(ridge).unwrap();
                            point.l2 = 1.0;
                        }
                    },
                    Wrt::Prior => {
                        let zero = vec![0.0; direction.len()];
                        let prior = moved(problem.prior().unwrap_or(&zero), 1.0);
                        problem = problem.with_prior(prior).unwrap();
                    }
                    Wrt::SampleWeights | Wrt::ClassWeights => {
                        let weights = moved(&problem.train().weights, 1.0);
                        problem = problem.with_weights(weights).unwrap();
                    }
                    Wrt::Perturbation => {
                        let values = &mut changed.perturbation.as_mut().unwrap().values.values;
                        let scale = &problem.features().scale;
                        values
                            .iter_mut()
                            .zip(&direction)
                            .enumerate()
                            .for_each(|(at, (x, d))| *x += by * d * scale[at % scale.len()]);
                        problem = Problem::new(changed).unwrap();
                    }
                    Wrt::HuberDelta => {
                        if let Loss::Huber { delta } = changed.loss {
                            // The direction is in units of δ.
                            changed.loss = Loss::Huber {
                                delta: delta * (1.0 + by * direction[0]),
                            };
                        }
                        problem = Problem::new(changed).unwrap();
                    }
                    Wrt::BoxBounds => {
                        let mut penalty = problem.penalty().clone();
                        if let Penalty::Bounded { lower, upper, .. } = &mut penalty {
                            for (at, d) in direction.iter().enumerate() {
                                let bounds = [&mut *lower, &mut *upper];
                                bounds[at % 2][at / 2] += by * d;
                            }
                            problem = problem.with_penalty(penalty).unwrap();
                        }
                        if let &Penalty::Box { lower, upper } = problem.penalty() {
                            let moved = Penalty::Box {
                                lower: lower + by * direction[0],
                                upper: upper + by * direction[1],
                            };
                            problem = problem.with_penalty(moved).unwrap();
                        }
                    }
                }
                let mut bench = Bench::new(&problem, &[point.clone()], &spectrum, false, &[]);
                bench.executor.upload(bench.map.gamma, &gamma);
                bench.apply(&w)
            };
            // At a strength of zero only the right derivative exists; the prox is piecewise affine there.
            let strengths = problem.effective_strengths(point.l1);
            let is_one_sided = wrt == Wrt::L1 && strengths.contains(&0.0);
            let (from, to) = if is_one_sided { (0.0, H) } else { (-H, H) };
            let (before, after) = (image(from), image(to));
            let slope: Vec<f64> = after
                .iter()
                .zip(&before)
                .map(|(b, a)| (b - a) / (to - from))
                .collect();
            checked += 1;
            let error = relative(&slope, &jvp, 1e-2);
            assert!(
                error < 1e-6,
                "{recipe:?}, {wrt:?}: ∂₂Φ against differences {error:.1e}"
            );
        }
    }
    assert!(
        kinks * 20 < checked,
        "{kinks} of {checked} directions crossed a kink"
    );
}

#[test]
fn gram_form_is_the_row_form() {
    for kind in KINDS {
        for options in 0..4 {
            let mut recipe = Recipe::new(Loss::Squared, kind, 40 + options);
            if options > 0 {
                recipe = Recipe {
                    perturbed: false,
                    ..recipe.full()
                };
            }
            recipe.intercept &= options != 2;
            let problem = recipe.problem();
            let points = recipe.points(5);
            let wrt = [Wrt::L1, Wrt::L2, Wrt::Prior];
            let spectrum = Spectrum::of(&problem);
            let mut rows = Bench::new(&problem, &points, &spectrum, false, &wrt);
            let mut gram = Bench::new(&problem, &points, &spectrum, true, &wrt);
            let mut random = Random::new(options);
            let size = 5 * rows.map.coordinates;
            let (w, v) = (random.vector(size), random.vector(size));
            assert!(
                relative(&gram.linearize(&w), &rows.linearize(&w), 1e-3) < 1e-13,
                "{recipe:?}: Φ"
            );
            assert!(
                relative(&gram.jvp(&v), &rows.jvp(&v), 1e-3) < 1e-13,
                "{recipe:?}: ∂₁Φ"
            );
            assert!(
                relative(&gram.vjp(&v), &rows.vjp(&v), 1e-3) < 1e-13,
                "{recipe:?}: ∂₁Φᵀ"
            );
            for wrt in wrt {
                let (a, b) = (gram.vjp_hyper(wrt, &v), rows.vjp_hyper(wrt, &v));
                assert!(relative(&a, &b, 1e-3) < 1e-13, "{recipe:?}: {wrt:?}");
            }
        }
    }
}

#[test]
fn sparse_designs_are_dense_designs() {
    for loss in LOSSES {
        let dense = Recipe {
            rows: 17,
            ..Recipe::new(loss, Kind::Weighted, 60).full()
        };
        let mut sparse = dense.specification();
        let to_sparse = |matrix: &mut proxdiff::data::Matrix| {
            if let proxdiff::data::Matrix::Dense(m) = matrix {
                *matrix = proxdiff::data::Matrix::Sparse(super::problems::sparse(m));
            }
        };
        to_sparse(&mut sparse.train.matrix);
        to_sparse(&mut sparse.validation.as_mut().unwrap().matrix);
        let (problem, other) = (dense.problem(), Problem::new(sparse).unwrap());
        let points = dense.points(4);
        let wrt = dense.wrt();
        // One step for both: that of the dense design.
        let spectrum = Spectrum::of(&problem);
        let mut a = Bench::new(&problem, &points, &spectrum, false, &wrt);
        let mut b = Bench::new(&other, &points, &spectrum, false, &wrt);
        let mut random = Random::new(3);
        let size = 4 * a.map.coordinates;
        let (w, v) = (random.vector(size), random.vector(size));
        assert!(
            relative(&b.linearize(&w), &a.linearize(&w), 1e-3) < 1e-13,
            "{loss:?}: Φ"
        );
        assert!(
            relative(&b.jvp(&v), &a.jvp(&v), 1e-3) < 1e-13,
            "{loss:?}: ∂₁Φ"
        );
        assert!(
            relative(&b.vjp(&v), &a.vjp(&v), 1e-3) < 1e-13,
            "{loss:?}: ∂₁Φᵀ"
        );
        for wrt in wrt {
            let (x, y) = (b.vjp_hyper(wrt, &v), a.vjp_hyper(wrt, &v));
            assert!(relative(&x, &y, 1e-3) < 1e-12, "{loss:?}: {wrt:?}");
        }
    }
}

#[test]
fn a_nan_marks_its_own_problem_alone() {
    for recipe in table().into_iter().step_by(3) {
        let problem = recipe.problem();
        let points = recipe.points(5);
        let mut bench = Bench::new(&problem, &points, &Spectrum::of(&problem), false, &[]);
        let p = bench.map.coordinates;
        let w = Random::new(recipe.seed).vector(5 * p);
        let clean = bench.apply(&w);
        for j in 0..p {
            let mut poisoned = w.clone();
            poisoned[2 * p + j] = f64::NAN;
            let found = bench.apply(&poisoned);
            for at in 0..5 {
                let (found, clean) = (&found[at * p..][..p], &clean[at * p..][..p]);
                if at == 2 {
                    assert!(
                        found.iter().any(|x| x.is_nan()),
                        "{recipe:?}: the NaN of coordinate {j} is lost"
                    );
                } else {
                    assert_eq!(found, clean, "{recipe:?}: the NaN reached problem {at}");
                }
            }
        }
    }
}
