//! Bounds, starts and slopes of variables.

use super::*;

use crate::control::Control;
use crate::hypergrad::Settings;
use crate::model::loss::Loss;
use crate::problem::{Point, RidgeStrengths};
use crate::tune::chosen::Fold;

fn problem() -> Problem {
    let x = [[1.0, 2.0], [2.0, -1.0], [0.5, 3.0], [-1.0, 1.0], [3.0, 0.0]];
    let y = [1.0, 2.5, 0.2, -1.0, 3.3];
    Problem::elastic_net(&x, &y)
        .validation(&[[1.0, 1.0], [0.0, 2.0]], &[1.2, 0.1])
        .build()
        .unwrap()
}

fn space(variables: &[Variable]) -> Result<Space> {
    Space::new(variables, Point::new(0.1, 0.2), &[&problem()])
}

#[test]
fn default_bounds_are_in_the_problems_units() {
    let space = space(&[Variable::l2(), Variable::l1()]).unwrap();
    let l1_max = problem().l1_max(0, 0.0);
    // In one order, whatever that of the names.
    assert_eq!(space.names(), ["l1", "l2"]);
    let bounds: Vec<(f64, f64)> = space
        .tuned(space.box_bounds().lower(), &[0.0; 2])
        .iter()
        .map(|v| (v.lower, v.upper))
        .collect();
    // Standardised columns: the curvature along each is 1.
    assert_eq!(bounds[0], (1e-4 * l1_max, 0.999 * l1_max));
    assert!((bounds[1].0 / 1e-6 - 1.0).abs() < 1e-12 && (bounds[1].1 / 1e3 - 1.0).abs() < 1e-12);
    // Bounds are met to the last bit.
    let lower = space.box_bounds().lower().to_vec();
    let point = space.chosen(&lower).point;
    assert_eq!((point.l1, point.l2), (bounds[0].0, bounds[1].0));
    assert!(space.start().is_none());
}

/// λ₂ multiplies the strengths of the problem: in units of their mean, the bounds are the same.
#[test]
fn default_bounds_of_a_factor_are_in_units_of_its_strengths() {
    let bounds = |strengths: [f64; 3]| {
        let ridge = RidgeStrengths::shared(strengths.to_vec(), vec![0, 1, 2, 0]).unwrap();
        let x: Vec<Vec<f64>> = (0..6)
            .map(|i: u32| (0..4u32).map(|j| f64::from((i * 5 + j * 3) % 7)).collect())
            .collect();
        let problem = Problem::elastic_net(&x, &[1.0, 2.0, 0.5, 3.0, 1.0, 0.0])
            .ridge(ridge)
            .build()
            .unwrap();
        let space = Space::new(&[Variable::l2()], Point::default(), &[&problem]).unwrap();
        let box_bounds = space.box_bounds();
        (box_bounds.lower()[0].exp(), box_bounds.upper()[0].exp())
    };
    for (strengths, mean) in [
        ([1.0, 1.0, 1.0], 1.0),
        ([10.0, 20.0, 40.0], 20.0),
        ([1e-5, 0.0, 2e-5], 1e-5),
        ([0.0, 0.0, 0.0], 1.0),
    ] {
        let (lower, upper) = bounds(strengths);
        assert!((lower * mean / 1e-6 - 1.0).abs() < 1e-9, "{lower:e}");
        assert!((upper * mean / 1e3 - 1.0).abs() < 1e-9, "{upper:e}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_remedy() {
    for (variables, message) in [
        (vec![Variable::l1(), Variable::l1()], "named twice"),
        (vec![Variable::l1().within(0.0, 1.0)], "greater than zero"),
        (vec![Variable::l1().within(1.0, f64::INFINITY)], "finite"),
        (
            vec![Variable::l2().within(1.0, 1.0)],
            "leaves nothing to tune",
        ),
        (vec![Variable::l2().within(2.0, 1.0)], "smaller bound first"),
        (
            vec![Variable::l2().within(1.0, 2.0).from(3.0)],
            "outside its bounds",
        ),
        (vec![Variable::l2().from(f64::NAN)], "outside its bounds"),
    ] {
        let error = space(&variables).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let x = [[1.0], [2.0], [4.0]];
    let boxed = Problem::elastic_net(&x, &[1.0, 2.0, 3.0])
        .bounds(0.0, 1.0)
        .build()
        .unwrap();
    let flat = Problem::elastic_net(&x, &[1.0, 1.0, 1.0]).build().unwrap();
    for problem in [boxed, flat] {
        let error = Space::new(&[Variable::l1()], Point::default(), &[&problem]).unwrap_err();
        assert!(
            error.to_string().contains("does not depend on it"),
            "{error}"
        );
        assert!(Space::new(&[Variable::l2()], Point::default(), &[&problem]).is_ok());
    }
}

#[test]
fn a_start_without_slope_is_moved_and_said() {
    let l1_max = problem().l1_max(0, 0.0);
    let space = space(&[
        Variable::l1()
            .within(1e-3, 10.0 * l1_max)
            .from(2.0 * l1_max),
        Variable::l2(),
    ])
    .unwrap();
    let start = space.chosen(&space.start().unwrap()).point;
    assert!((start.l1 / l1_max - 0.9).abs() < 1e-12);
    // The middle of 1e-3 and 3.
    assert!((start.l2 - 3e-3f64.sqrt()).abs() < 1e-9, "{}", start.l2);
    assert_eq!(space.remarks.len(), 1);
}

/// Asserts that the slope at a place is that of finite differences of the criterion in the logarithms.
fn assert_slope(problem: &Problem, space: &Space, place: &[f64]) {
    let wrt = space.variables.iter().map(|v| v.hyperparameter.wrt());
    let settings = Settings {
        wrt: wrt.collect(),
        ..Settings::default()
    };
    let at = |place: &[f64]| {
        let chosen = [space.chosen(place)];
        let outcomes = Fold::new(problem).evaluate(&settings, &Control::new(), &chosen, None);
        outcomes.unwrap().remove(0)
    };
    let here = at(place);
    let slope = space
        .slope(&space.chosen(place), here.gradient().unwrap(), problem)
        .unwrap();
    assert_eq!(slope.len(), place.len());
    for i in 0..place.len() {
        let (mut up, mut down) = (place.to_vec(), place.to_vec());
        up[i] += 1e-5;
        down[i] -= 1e-5;
        let difference = (at(&up).criterion - at(&down).criterion) / 2e-5;
        assert!(
            (difference - slope[i]).abs() < 1e-7,
            "{difference} {}",
            slope[i]
        );
    }
}

/// The slope in the logarithms, with strengths in common and of each.
#[test]
fn slopes_are_those_of_the_logarithms() {
    for strengths in [None, Some([1.0, 0.4])] {
        let mut problem = problem();
        if let Some(strengths) = strengths {
            let strengths = strengths.to_vec();
            problem = problem
                .with_penalty(crate::model::penalty::Penalty::Weighted { strengths })
                .unwrap();
        }
        let space = Space::new(
            &[Variable::l1(), Variable::l2()],
            Point::default(),
            &[&problem],
        )
        .unwrap();
        let place = [(0.2 * problem.l1_max(0, 0.0)).ln(), 0.3f64.ln()];
        assert_slope(&problem, &space, &place);
    }
}

#[test]
fn a_coarse_stage_leaves_evaluations_for_descents() {
    for variables in [
        &[Variable::l1()][..],
        &[Variable::l2()],
        &[Variable::l1(), Variable::l2()],
    ] {
        let space = space(variables).unwrap();
        for budget in 1..500 {
            let axes = space.coarse(budget);
            let points: usize = axes.iter().map(|axis| axis.count).product();
            let most = (0.75 * budget as f64).max(1.0);
            assert!(
                points >= 1 && points as f64 <= most,
                "{} {budget} {points}",
                axes.len()
            );
        }
    }
}

fn about_mean(entries: Range<usize>) -> Spread {
    Spread {
        entries,
        about: About::Mean,
    }
}

/// A strength for each: the slope, and the point that has them.
#[test]
fn a_vector_has_a_slope_for_each() {
    let variables = [Variable::l1_each(), Variable::l2()];
    let problem = with_vectors(problem(), &variables).unwrap();
    let space = Space::new(&variables, Point::default(), &[&problem]).unwrap();
    assert_eq!(
        (space.vectors(), space.box_bounds().dimensions()),
        (vec![about_mean(0..2)], 3)
    );
    let l1_max = problem.l1_max(0, 0.0);
    let place = [(0.2 * l1_max).ln(), (0.1 * l1_max).ln(), 0.3f64.ln()];
    assert_slope(&problem, &space, &place);
    let common = Point::new(0.5 * l1_max, 0.3);
    assert_eq!(
        space.place_of(&common.clone().into())[0],
        space.place_of(&common.clone().into())[1]
    );
    // Not twice what is one thing, and not where the penalty has none.
    let twice = [Variable::l1(), Variable::l1_each()];
    assert!(Space::new(&twice, Point::default(), &[&problem]).is_err());
    let error = with_vectors(problem, &[Variable::l1_group()])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no such strengths") && error.contains("l1[group]"),
        "{error}"
    );
}

/// The common factor of a vector's strengths keeps the vector's bounds, and its name in remedies.
#[test]
fn the_common_strength_has_the_vectors_bounds() {
    let l1_max = problem().l1_max(0, 0.0);
    let vector = Variable::l1_each().within(0.2 * l1_max, 0.3 * l1_max);
    let common = vector.clone().from(0.25 * l1_max).in_common().unwrap();
    assert_eq!(Variable::prior().in_common(), None);
    assert_eq!((common.bounds, common.start), (vector.bounds, None));
    let space = space(&[common]).unwrap();
    let lower = space.box_bounds().lower().to_vec();
    assert_eq!(space.chosen(&lower).point.l1, 0.2 * l1_max);
    let remark = space.held(&lower, &[1.0]).remove(0);
    assert!(remark.contains("--bounds l1[]="), "{remark}");
}

/// A start of another variable leaves that of the vector to be found.
#[test]
fn a_start_of_one_variable_keeps_the_others_starts() {
    let variables = [Variable::l1_each(), Variable::l2().from(0.5)];
    let problem = with_vectors(problem(), &variables).unwrap();
    let space = Space::new(&variables, Point::default(), &[&problem]).unwrap();
    assert!(!space.has_vector_start());
    let place = [-1.5, -2.5, 0.1];
    assert_eq!(
        space.with_given_starts(place.to_vec()),
        [-1.5, -2.5, 0.5f64.ln()]
    );
}

/// Ridge strengths of each coordinate and l1 of tied ones: the slopes, and the point that has them.
#[test]
fn vectors_of_both_strengths_have_slopes_for_each() {
    let variables = [Variable::l2_each(), Variable::l1_each().tied(vec![0, 0])];
    let problem = with_vectors(problem(), &variables).unwrap();
    let space = Space::new(&variables, Point::default(), &[&problem]).unwrap();
    assert_eq!(space.vectors(), [about_mean(0..1), about_mean(1..3)]);
    let l1_max = problem.l1_max(0, 0.0);
    let place = [(0.15 * l1_max).ln(), 0.3f64.ln(), 0.05f64.ln()];
    assert_slope(&problem, &space, &place);
    let point = space.chosen(&place).point;
    assert_eq!(point.strengths().map(<[f64]>::len), Some(2));
    assert_eq!(point.ridge().map(<[f64]>::len), Some(2));
}

#[test]
fn ties_and_ridges_that_do_not_fit_are_refused() {
    for (variable, part) in [
        (
            Variable::l2_each().tied(vec![0]),
            "one number per coefficient",
        ),
        (Variable::l2_each().tied(vec![1, 1]), "number 0"),
        (Variable::l2_each().tied(vec![0, 2]), "number 2"),
        // Nothing of that length is made.
        (
            Variable::l1_each().tied(vec![0, u32::MAX]),
            "coefficient 2 has number 4294967295",
        ),
        (Variable::l2().tied(vec![0, 0]), "has no ties"),
        (Variable::l2_class(), "no such strengths"),
        (Variable::l2_group(), "no such strengths"),
    ] {
        let error = with_vectors(problem(), std::slice::from_ref(&variable)).unwrap_err();
        assert!(error.to_string().contains(part), "{variable:?}: {error}");
    }
}

/// A prior: on a linear scale, with bounds in units of the largest coefficient that a feature has alone.
#[test]
fn a_prior_has_a_slope_for_each() {
    let variables = [Variable::prior(), Variable::l2()];
    let problem = problem();
    let rest = Point::new(0.05, 0.0);
    let space = Space::new(&variables, rest.clone(), &[&problem]).unwrap();
    assert_eq!(space.names(), ["l2", "prior"]);
    assert_eq!(
        space.vectors(),
        [Spread {
            entries: 1..3,
            about: About::Place(vec![0.0, 0.0])
        }]
    );
    assert_slope(&problem, &space, &[0.3f64.ln(), 0.4, -0.2]);
    // The curvature along standardised columns is 1: the slope at zero is the coefficient.
    let alone = problem.l1_max(0, 0.0);
    let tuned = space
        .tuned(&space.place_of(&rest.into()), &[0.0; 3])
        .remove(1);
    assert!((tuned.upper / alone - 10.0).abs() < 1e-12 && tuned.lower == -tuned.upper);
    assert_eq!(tuned.values, [0.0, 0.0]);
    let upper = space.box_bounds().upper().to_vec();
    assert_eq!(
        space.chosen(&upper).point.prior(),
        Some(&[tuned.upper; 2][..])
    );
}

/// A prior starts at its start, else at the problem's own, which a guard keeps it near.
#[test]
fn a_prior_starts_at_the_problems() {
    let problem = problem().with_prior(vec![3.0, -0.5]).unwrap();
    for (variable, expected) in [
        (Variable::prior(), [3.0, -0.5]),
        (Variable::prior().from(0.25), [0.25, 0.25]),
    ] {
        let space = Space::new(&[variable], Point::new(0.1, 0.2), &[&problem]).unwrap();
        let own = space.place_of(&Point::new(0.1, 0.2).into());
        let start = space.with_given_starts(own.clone());
        let found = space.chosen(&start).point;
        for (found, expected) in found.prior().unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15);
        }
        let near = About::Place(own);
        assert_eq!(space.vectors()[0].about, near);
    }
    for (variable, rest, message) in [
        (
            Variable::prior(),
            Point::new(0.1, 0.0),
            "does not depend on it",
        ),
        (
            Variable::prior().within(-1.0, 1.0),
            Point::new(0.1, 0.2),
            "start at 3",
        ),
        (
            Variable::prior().within(-1.0, 1.0).from(-2.0),
            Point::new(0.1, 0.2),
            "start at -2, outside its bounds -1e0 to 1e0",
        ),
        (
            Variable::prior().within(f64::NEG_INFINITY, 1.0),
            Point::new(0.1, 0.2),
            "finite bounds",
        ),
        (
            Variable::prior().within(1.0, 0.5),
            Point::new(0.1, 0.2),
            "smaller bound first",
        ),
    ] {
        let error = Space::new(&[variable], rest, &[&problem]).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

fn huber() -> Problem {
    let x: Vec<[f64; 2]> = (0..12u32)
        .map(|i| [f64::from(i * 5 % 7) - 3.0, f64::from(i * i % 5) - 2.0])
        .collect();
    let noise = |i: usize| {
        if i.is_multiple_of(4) {
            4.0
        } else {
            0.3 * (i % 3) as f64
        }
    };
    let y: Vec<f64> = x
        .iter()
        .enumerate()
        .map(|(i, x)| x[0] - 0.5 * x[1] + noise(i))
        .collect();
    let problem = Problem::huber(&x[..8], &y[..8], 1.0).validation(&x[8..], &y[8..]);
    problem.criterion(Loss::Squared).build().unwrap()
}

/// δ of the Huber loss: its slope beside those of strengths, bounds by the spread of the targets, and units
/// of the others where it starts.
#[test]
fn delta_has_a_slope_and_bounds_by_the_spread() {
    let problem = huber();
    let variables = [Variable::huber_delta(), Variable::l2(), Variable::l1()];
    let space = Space::new(&variables, Point::default(), &[&problem]).unwrap();
    assert_eq!(space.names(), ["l1", "l2", "huber-delta"]);
    let l1_max = problem.l1_max(0, 0.0);
    for delta in [0.4f64, 1.5] {
        let place = [(0.1 * l1_max).ln(), 0.2f64.ln(), delta.ln()];
        let chosen = space.chosen(&place);
        assert!((chosen.huber_delta.unwrap() / delta - 1.0).abs() < 1e-15);
        assert_slope(&problem, &space, &place);
    }
    let tuned = space.tuned(space.box_bounds().lower(), &[0.0; 3]);
    let mut targets = problem.train().targets[0].clone();
    targets.sort_by(f64::total_cmp);
    let middle = targets[4];
    let mut distances: Vec<f64> = targets.iter().map(|y| (y - middle).abs()).collect();
    distances.sort_by(f64::total_cmp);
    let spread = 1.4826 * distances[4];
    assert!((tuned[2].lower / (0.01 * spread) - 1.0).abs() < 1e-12);
    assert!((tuned[2].upper / (10.0 * spread) - 1.0).abs() < 1e-12);
    // Where δ is large, coefficients leave zero at a larger l1.
    let wide = huber().with_huber_delta(10.0 * spread).unwrap();
    assert!((tuned[0].upper / (0.999 * wide.l1_max(0, 0.0)) - 1.0).abs() < 1e-12);
    assert!(tuned[0].lower <= 1e-4 * l1_max * (1.0 + 1e-12));
    // Beside others it starts at the problem's, or at its own start, in whose units theirs are.
    assert_eq!(space.untuned().huber_delta, Some(1.0));
    let own = [Variable::huber_delta().from(0.3), Variable::l1()];
    let space = Space::new(&own, Point::default(), &[&problem]).unwrap();
    assert_eq!(space.untuned().huber_delta, Some(0.3));
    let small = huber().with_huber_delta(0.3).unwrap();
    let lower = space.box_bounds().lower()[0].exp();
    assert!((lower / (1e-4 * small.l1_max(0, 0.0)) - 1.0).abs() < 1e-12);
    assert!(space.free_delta().is_none());
}

#[test]
fn delta_is_of_the_huber_loss() {
    let error = space(&[Variable::huber_delta()]).unwrap_err().to_string();
    assert!(error.contains("the squared loss has no delta"), "{error}");
    let outside = [Variable::huber_delta().within(1.0, 2.0).from(3.0)];
    let error = Space::new(&outside, Point::default(), &[&huber()]).unwrap_err();
    assert!(error.to_string().contains("outside its bounds"), "{error}");
}

/// Rows of two and of three classes.
fn classes(count: u32) -> Problem {
    let x: Vec<[f64; 2]> = (0..18u32)
        .map(|i| [f64::from(i * 5 % 7) - 3.0, f64::from(i * i % 5) - 2.0])
        .collect();
    let label = |i: u32| {
        f64::from(if i.is_multiple_of(4) {
            i / 4 % count
        } else {
            i * 7 % 5 % count
        })
    };
    let labels: Vec<f64> = (0..18).map(label).collect();
    let signs: Vec<f64> = labels
        .iter()
        .map(|&y| if y > 0.0 { 1.0 } else { -1.0 })
        .collect();
    let own: Vec<f64> = (0..12u32).map(|i| 1.0 + f64::from(i % 3)).collect();
    let problem = match count {
        2 => Problem::logistic(&x[..12], &signs[..12]).validation(&x[12..], &signs[12..]),
        _ => Problem::multinomial(&x[..12], &labels[..12]).validation(&x[12..], &labels[12..]),
    };
    problem.sample_weights(&own).build().unwrap()
}

/// Weights of classes: that of the first one is 1, and has the slope that the others leave it.
#[test]
fn weights_of_classes_have_slopes() {
    for count in [2, 3] {
        let problem = classes(count);
        let variables = [Variable::class_weights(), Variable::l2(), Variable::l1()];
        let space = Space::new(&variables, Point::default(), &[&problem]).unwrap();
        assert_eq!(space.names(), ["l1", "l2", "class-weights"]);
        let weights = count as usize - 1;
        assert_eq!(space.box_bounds().dimensions(), 2 + weights);
        let l1_max = problem.l1_max(0, 0.0);
        let mut place = vec![(0.1 * l1_max).ln(), 0.2f64.ln(), 0.7];
        place.extend(std::iter::repeat_n(-0.4, weights - 1));
        assert_slope(&problem, &space, &place);
        let chosen = space.chosen(&place);
        let own = chosen.class_weights.as_deref().unwrap();
        assert_eq!((own.len(), own[0]), (1 + weights, 1.0));
        let tuned = space
            .tuned(&place, &[9.0, 9.0, 2.0, 3.0][..2 + weights])
            .remove(2);
        assert_eq!(tuned.values, own);
        assert!(tuned.slope.iter().sum::<f64>().abs() < 1e-15 && tuned.slope[1] == 2.0);
        assert_eq!(space.entries()[2], Some(1 + weights));
        assert_eq!(space.values(&place).len(), 3 + weights);
        assert_eq!(space.vectors()[0].about, About::MeanWithZero);
        // All are 1 where they are not tuned.
        assert_eq!(space.place_of(&Point::new(0.1, 0.1).into())[2], 0.0);
        assert_eq!(space.untuned().class_weights, None);
    }
    let error = space(&[Variable::class_weights()]).unwrap_err().to_string();
    assert!(error.contains("the squared loss has no classes"), "{error}");
    for (variable, part) in [
        (
            Variable::class_weights().within(2.0, 3.0),
            "start at 1, outside",
        ),
        (
            Variable::class_weights().within(2.0, 3.0).from(4.0),
            "start at 4, outside",
        ),
        (
            Variable::class_weights().within(0.0, 3.0),
            "greater than zero",
        ),
    ] {
        let error = Space::new(&[variable], Point::default(), &[&classes(2)]).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}
