//! Functions with known minima: smooth, with kinks, at bounds, flat, with values that fail.

use super::*;

fn square(lower: f64, upper: f64, dimensions: usize) -> BoxBounds {
    BoxBounds::new(vec![lower; dimensions], vec![upper; dimensions]).unwrap()
}

fn minimise(
    mut search: Search,
    f: impl Fn(&[f64]) -> Option<(f64, Vec<f64>)>,
) -> (SearchOutcome, usize) {
    let mut evaluations = 0;
    loop {
        let asked = search.ask();
        if asked.is_empty() {
            break;
        }
        evaluations += asked.len();
        let tell = |asked: &Asked| {
            let (value, slope) = f(&asked.place)?;
            Some(Value { value, slope })
        };
        search.tell(asked.iter().map(tell).collect()).unwrap();
    }
    (search.outcome().unwrap(), evaluations)
}

fn rosenbrock(x: &[f64]) -> Option<(f64, Vec<f64>)> {
    let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
    let slope = vec![-2.0 * a - 40.0 * x[0] * b, 20.0 * b];
    Some((a * a + 10.0 * b * b, slope))
}

#[test]
fn a_smooth_minimum_is_stationary() {
    let search = Search::new(square(-5.0, 5.0, 2), 200)
        .from(&[-1.2, 1.0])
        .unwrap();
    let (found, evaluations) = minimise(search, rosenbrock);
    assert_eq!(found.status, TuningStatus::Stationary);
    assert!(
        found.value < 1e-12 && found.projected_slope <= 1e-5,
        "{found:?}"
    );
    assert!(evaluations < 60, "{evaluations}");
    assert_eq!(found.starts[0].evaluations, evaluations);
}

#[test]
fn the_best_is_never_worse_than_before() {
    let search = Search::new(square(-5.0, 5.0, 2), 200)
        .from(&[-1.2, 1.0])
        .unwrap()
        .from(&[3.0, -3.0])
        .unwrap();
    let (found, _) = minimise(search, rosenbrock);
    for start in &found.starts {
        let values: Vec<f64> = start.trajectory.iter().map(|v| v.criterion).collect();
        assert!(values.is_sorted_by(|a, b| a > b), "{values:?}");
        assert_eq!(values.last(), Some(&start.criterion));
    }
    assert!(found.starts[0].criterion <= found.starts[1].criterion);
}

/// |x − 1| + 10 |y − x²| /… : a curved valley of kinks, which ends in a kink.
#[test]
fn a_valley_of_kinks_leads_to_its_end() {
    let valley = |x: &[f64]| {
        let b = x[1] - x[0] * x[0];
        let sign = if b > 0.0 { 1.0 } else { -1.0 };
        let value = 0.5 * (x[0] - 1.0).powi(2) + 2.0 * b.abs();
        Some((value, vec![x[0] - 1.0 - 4.0 * sign * x[0], 2.0 * sign]))
    };
    let search = Search::new(square(-5.0, 5.0, 2), 400)
        .from(&[-1.0, 2.0])
        .unwrap();
    let (found, _) = minimise(search, valley);
    assert!(found.value < 1e-5, "{found:?}");
    assert_eq!(found.status, TuningStatus::StationaryKink);
    assert!((found.place[0] - 1.0).abs() < 0.01);
}

#[test]
fn a_pyramid_ends_at_its_tip() {
    let pyramid = |x: &[f64]| {
        let sign = |x: f64| if x > 0.0 { 1.0 } else { -1.0 };
        let value = (x[0] - 0.3).abs() + 3.0 * (x[1] + 0.7).abs();
        Some((value, vec![sign(x[0] - 0.3), 3.0 * sign(x[1] + 0.7)]))
    };
    let search = Search::new(square(-5.0, 5.0, 2), 400)
        .from(&[2.0, 2.0])
        .unwrap();
    let (found, evaluations) = minimise(search, pyramid);
    assert!(found.value < 1e-5, "{found:?} after {evaluations}");
    assert_eq!(found.status, TuningStatus::StationaryKink);
}

#[test]
fn a_bound_that_holds_the_minimum_says_so() {
    let slope = |x: &[f64]| Some((x[0] + (x[1] - 0.5).powi(2), vec![1.0, 2.0 * (x[1] - 0.5)]));
    let search = Search::new(square(-1.0, 1.0, 2), 100)
        .from(&[0.9, 0.9])
        .unwrap();
    let (found, _) = minimise(search, slope);
    assert_eq!(found.status, TuningStatus::AtBound);
    assert_eq!(found.place[0], -1.0);
    assert!((found.place[1] - 0.5).abs() < 1e-6);
    assert!(found.projected_slope < 1e-6, "{found:?}");
}

#[test]
fn what_does_not_change_is_flat() {
    let search = Search::new(square(-1.0, 1.0, 1), 100).from(&[0.0]).unwrap();
    let (found, evaluations) = minimise(search, |_| Some((2.0, vec![0.0])));
    assert_eq!((found.status, evaluations), (TuningStatus::Flat, 1));
}

#[test]
fn places_that_fail_are_gone_around() {
    // No value beyond 2, where the slope leads to.
    let f = |x: &[f64]| (x[0] < 2.0).then(|| (-x[0], vec![-1.0]));
    let search = Search::new(square(-10.0, 10.0, 1), 200)
        .from(&[0.0])
        .unwrap();
    let (found, evaluations) = minimise(search, f);
    assert!(
        found.place[0] > 1.99 && evaluations < 200,
        "{found:?} {evaluations}"
    );
    // A start without a value ends; the other is not lost.
    let search = Search::new(square(-10.0, 10.0, 1), 200)
        .from(&[5.0])
        .unwrap()
        .from(&[1.0])
        .unwrap();
    let (found, _) = minimise(search, f);
    assert_eq!(found.starts.len(), 2);
    assert!(found.place[0] > 1.99 && found.starts[1].criterion == f64::INFINITY);
    let search = Search::new(square(-10.0, 10.0, 1), 200)
        .from(&[5.0])
        .unwrap();
    let mut search = search;
    assert_eq!(search.ask().len(), 1);
    search.tell(vec![None]).unwrap();
    assert!(search.ask().is_empty() && search.outcome().is_none());
}

#[test]
fn the_budget_is_kept_exactly() {
    for budget in [1, 2, 7, 13] {
        let search = Search::new(square(-5.0, 5.0, 2), budget)
            .from(&[-1.2, 1.0])
            .unwrap()
            .from(&[3.0, 1.0])
            .unwrap();
        let (found, evaluations) = minimise(search, rosenbrock);
        assert_eq!(evaluations, budget);
        assert_eq!(found.status, TuningStatus::BudgetSpent);
    }
}

#[test]
fn a_start_far_behind_waits_for_the_others() {
    let f = |x: &[f64]| {
        // Two valleys; the right one is deeper.
        let (a, b) = ((x[0] + 2.0).powi(2) + 1.0, (x[0] - 2.0).powi(2));
        Some(if a < b {
            (a, vec![2.0 * (x[0] + 2.0)])
        } else {
            (b, vec![2.0 * (x[0] - 2.0)])
        })
    };
    let search = Search::new(square(-5.0, 5.0, 1), 300)
        .from(&[-4.0])
        .unwrap()
        .from(&[4.0])
        .unwrap();
    let (found, _) = minimise(search, f);
    assert_eq!(found.starts.len(), 2);
    assert!(found.value < 1e-12);
    assert!((found.starts[1].criterion - 1.0).abs() < 1e-9);
    assert_eq!(found.starts[1].status, TuningStatus::Stationary);
}

#[test]
fn many_variables_take_the_limited_memory() {
    let n = 80;
    let f = |x: &[f64]| {
        let each = |i: usize| (1.0 + i as f64) * (x[i] - 0.01 * i as f64);
        let value = (0..n)
            .map(|i| 0.5 * each(i) * (x[i] - 0.01 * i as f64))
            .sum();
        Some((value, (0..n).map(each).collect()))
    };
    let search = Search::new(square(-1.0, 0.5, n), 400)
        .from(&vec![0.3; n])
        .unwrap();
    let (found, evaluations) = minimise(search, f);
    // 30 of the minima lie above the upper bound.
    assert_eq!(found.status, TuningStatus::AtBound);
    assert!(evaluations < 200, "{evaluations}");
    for i in 0..n {
        assert!(
            (found.place[i] - (0.01 * i as f64).min(0.5)).abs() < 1e-5,
            "{i}"
        );
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let search = || Search::new(square(-1.0, 1.0, 2), 10);
    for (error, message) in [
        (search().from(&[0.0]).unwrap_err(), "2 entries"),
        (search().from(&[0.0, f64::NAN]).unwrap_err(), "NaN"),
        (search().drop_beyond(-1.0).unwrap_err(), "zero or more"),
        (search().drop_beyond(f64::NAN).unwrap_err(), "zero or more"),
    ] {
        assert!(error.to_string().contains(message), "{error}");
    }
    // A value told for something else is not taken: the place is still asked for.
    let mut search = search().from(&[0.5, 0.5]).unwrap();
    let asked = search.ask();
    assert!(search.tell(Vec::new()).is_err());
    let short = Value {
        value: 1.0,
        slope: vec![1.0],
    };
    assert!(search.tell(vec![Some(short)]).is_err());
    assert_eq!((search.ask(), search.left()), (asked, 10));
}

/// The slopes on both sides of a kink show it to be a minimum, also where the evaluations end before a line
/// closes on it.
#[test]
fn a_kink_is_seen_when_the_evaluations_end() {
    let kink = |x: &[f64]| {
        let d = x[0] - 0.3;
        Some((d.abs() + 0.5 * d * d, vec![d.signum() + d]))
    };
    let ends: Vec<SearchOutcome> = (1..40)
        .map(|budget| {
            let search = Search::new(square(-5.0, 5.0, 1), budget);
            minimise(search.from(&[2.0]).unwrap(), kink).0
        })
        .collect();
    let is_kink = |end: &SearchOutcome| end.status == TuningStatus::StationaryKink;
    let first = ends.iter().position(is_kink).unwrap();
    // Not before both sides are known near by, and from then on.
    assert!(first > 2 && ends[first..].iter().all(is_kink), "{first}");
    for end in &ends[first..] {
        assert!((end.place[0] - 0.3).abs() < 1e-3 && end.projected_slope <= 1e-5);
    }
    // The same descent is not over then.
    assert!(ends[first].starts[0].evaluations < ends[ends.len() - 1].starts[0].evaluations);
}

/// Slopes of both signs near the minimum of a steep valley are no kink, wherever the evaluations end.
#[test]
fn a_steep_valley_is_no_kink() {
    for steep in [1.0, 30.0, 1e3, 1e5] {
        for bent in [0.0, 0.3] {
            let valley = |x: &[f64]| {
                let d = x[0] - 0.3;
                let value = steep * (0.5 * d * d + bent * d.powi(3) / 3.0 + bent * d.powi(4));
                let slope = steep * (d + bent * d * d + 4.0 * bent * d.powi(3));
                Some((value, vec![slope]))
            };
            for start in [2.0, 0.301, 0.2996] {
                for budget in 1..40 {
                    let search = Search::new(square(-5.0, 5.0, 1), budget);
                    let (end, _) = minimise(search.from(&[start]).unwrap(), valley);
                    assert_ne!(
                        end.status,
                        TuningStatus::StationaryKink,
                        "{steep} {bent} {start} {budget}: {end:?}"
                    );
                }
            }
        }
    }
}
