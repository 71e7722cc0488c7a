//! Axes, spaces and what they refuse.

use super::*;

fn values(text: &str) -> Vec<f64> {
    text.parse::<Axis>().unwrap().values(10.0)
}

#[test]
fn lists_and_ranges_mix() {
    let found = values("0,log:1e-2:1:3, 5,lin:1:2:3");
    assert_eq!(found.len(), 8);
    assert_eq!(
        (found[0], found[1], found[3], found[4]),
        (0.0, 1e-2, 1.0, 5.0)
    );
    assert!((found[2] - 0.1).abs() < 1e-15);
    assert_eq!(found[5..], [1.0, 1.5, 2.0]);
    assert_eq!(values("log:2:1:1"), [2.0]);
    let fractions = values("frac:1e-2:1:3");
    for (found, expected) in fractions.iter().zip([0.1, 1.0, 10.0]) {
        assert!((found / expected - 1.0).abs() < 1e-11);
    }
    assert!(fractions[2] > 10.0, "above l1_max");
    assert_eq!(values("frac:1"), fractions[2..]);
}

#[test]
fn what_is_not_a_strength_is_refused_with_a_remedy() {
    for (text, part) in [
        ("-1", "-1 is not a strength"),
        ("nan", "NaN is not a strength"),
        ("inf", "inf is not a strength"),
        ("a", "'a' is not a number"),
        ("", "'' is not a number"),
        ("1,", "'' is not a number"),
        ("log:1:2", "log:LO:HI:N"),
        ("lin:1", "lin:LO:HI:N"),
        ("frac:1:2:3:4", "frac:LO:HI:N"),
        ("cube:1:2:3", "'cube:1:2:3' is not a number"),
        ("log:0:1:3", "cannot hold 0"),
        ("log:1e-320:1:3", "too far apart"),
        ("log:1:1e-310:3", "too far apart"),
        ("log:1:2:0", "'0' is not a number of values"),
        ("log:1:2:1000000000", "not a number of values"),
    ] {
        let message = text.parse::<Axis>().unwrap_err();
        assert!(message.contains(part), "{text}: {message}");
        assert!(!message.contains('\n'));
    }
}

fn space(axes: Axes, search: Search) -> Space {
    Space {
        axes,
        search,
        seed: 3,
    }
}

#[test]
fn ratios_become_strengths() {
    let axes = Axes::Ratio {
        alpha: "1,0.5".parse().unwrap(),
        l1_ratio: "0.25,1".parse().unwrap(),
    };
    let points = space(axes, Search::Grid).points(&|_| 8.0).unwrap();
    let pairs: Vec<(f64, f64)> = points.iter().map(|p| (p.l1, p.l2)).collect();
    assert_eq!(
        pairs,
        [(0.25, 0.75), (1.0, 0.0), (0.125, 0.375), (0.5, 0.0)]
    );
    let series: Vec<_> = points.iter().map(|p| p.series).collect();
    assert_eq!(series, [Some(0), Some(1), Some(0), Some(1)]);

    let axes = Axes::Ratio {
        alpha: "frac:0.5:1:2".parse().unwrap(),
        l1_ratio: "0.1,0.9".parse().unwrap(),
    };
    for point in space(axes, Search::Grid).points(&|_| 8.0).unwrap() {
        let fraction = point.l1 / 8.0;
        assert!((fraction - 0.5).abs() < 1e-11 || (fraction - 1.0).abs() < 1e-11);
    }
}

/// With a prior l1_max depends on λ₂: 2 falls to 1 and then rises.
#[test]
fn fractions_are_of_l1_max_at_the_points_own_ridge() {
    let l1_max = |l2: f64| f64::max(2.0 - l2, 0.5 + 0.5 * l2);
    let axes = Axes::Strengths {
        l1: "frac:0.5:1:2".parse().unwrap(),
        l2: "0,0.25,3,frac:2:2:1".parse().unwrap(),
    };
    let points = space(axes, Search::Grid).points(&l1_max).unwrap();
    assert_eq!(points.len(), 8);
    for (at, point) in points.iter().enumerate() {
        let share = if at < 4 { 0.5 } else { 1.0 };
        assert!((point.l1 / (share * l1_max(point.l2)) - 1.0).abs() < 1e-11);
    }
    assert!(
        (points[3].l2 / 4.0 - 1.0).abs() < 1e-11,
        "twice that of no ridge"
    );
    let axes = Axes::Ratio {
        alpha: "frac:0.1:1:4".parse().unwrap(),
        l1_ratio: "0.4,0.9,1".parse().unwrap(),
    };
    for search in [Search::Grid, Search::Random { samples: 20 }] {
        for point in space(axes.clone(), search).points(&l1_max).unwrap() {
            let fraction = point.l1 / l1_max(point.l2);
            assert!((0.1 - 1e-9..=1.0 + 1e-9).contains(&fraction), "{fraction}");
        }
    }
    let points = space(axes, Search::Grid).points(&l1_max).unwrap();
    for point in &points[9..] {
        assert!((point.l1 / l1_max(point.l2) - 1.0).abs() < 1e-11);
    }
    // λ₂ = 4 l1: half of it is more than l1 ever is.
    let axes = Axes::Ratio {
        alpha: "frac:0.5:1:2".parse().unwrap(),
        l1_ratio: "0.2".parse().unwrap(),
    };
    let error = space(axes, Search::Grid).points(&l1_max).unwrap_err();
    assert!(error.to_string().contains("no alpha"), "{error}");
}

#[test]
fn a_ratio_outside_its_range_is_refused() {
    for bad in ["0", "1.5"] {
        let axes = Axes::Ratio {
            alpha: "1".parse().unwrap(),
            l1_ratio: bad.parse().unwrap(),
        };
        let error = space(axes, Search::Grid).points(&|_| 1.0).unwrap_err();
        assert!(error.to_string().contains("l1 ratio"), "{error}");
    }
}

#[test]
fn samples_stay_in_their_ranges_and_depend_on_the_seed() {
    let axes = Axes::Strengths {
        l1: "frac:1e-3:1:9".parse().unwrap(),
        l2: "lin:1:3:2".parse().unwrap(),
    };
    for search in [
        Search::Random { samples: 64 },
        Search::Sobol { samples: 64 },
    ] {
        let points = space(axes.clone(), search).points(&|_| 2.0).unwrap();
        assert_eq!(points.len(), 64);
        assert!(points.iter().all(|p| (2e-3..=2.000_001).contains(&p.l1)));
        assert!(points.iter().all(|p| (1.0..=3.0).contains(&p.l2)));
        let other = Space {
            seed: 4,
            ..space(axes.clone(), search)
        };
        assert_ne!(points, other.points(&|_| 2.0).unwrap());
    }
}

#[test]
fn too_many_points_are_refused() {
    let axes = Axes::Strengths {
        l1: "log:1:2:10000".parse().unwrap(),
        l2: "log:1:2:10000".parse().unwrap(),
    };
    assert!(space(axes, Search::Grid).points(&|_| 1.0).is_err());
}
