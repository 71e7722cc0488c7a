use super::*;
use crate::problem::Point;

fn results() -> Vec<OnFold> {
    vec![
        OnFold {
            is_solved: true,
            criterion: -0.0,
            slope: Some(vec![1e-300, -0.0, f64::INFINITY]),
            warm: WarmStart {
                w: vec![0.0, -0.0, 3.5, 0.0, f64::from_bits(0x7ff8_0000_0000_0001)],
                v: Vec::new(),
            },
            kink_margin: Some(f64::MIN_POSITIVE),
            not_unique: Some("two \"columns\"\nagree: ∞".into()),
        },
        OnFold {
            is_solved: false,
            criterion: f64::NAN,
            slope: None,
            warm: WarmStart {
                w: vec![0.0; 3],
                v: vec![2.0, 0.0, -1.0],
            },
            kink_margin: None,
            not_unique: None,
        },
    ]
}

/// The bits of everything.
fn bits(results: &[OnFold]) -> Vec<u64> {
    let of = |result: &OnFold| {
        let slope = result.slope.clone().unwrap_or_default();
        let margin = result.kink_margin.into_iter();
        let numbers = [vec![result.criterion], slope, margin.collect()].concat();
        let all = [numbers, result.warm.w.clone(), result.warm.v.clone()].concat();
        all.into_iter().map(f64::to_bits).collect::<Vec<u64>>()
    };
    results.iter().flat_map(of).collect()
}

#[test]
fn a_result_that_was_kept_has_every_bit() {
    let own = results();
    let again = decoded(&encoded(&own)).unwrap();
    assert_eq!(bits(&again), bits(&own));
    for (a, b) in again.iter().zip(&own) {
        assert_eq!(a.is_solved, b.is_solved);
        assert_eq!(a.slope.is_some(), b.slope.is_some());
        assert_eq!(a.not_unique, b.not_unique);
        assert_eq!(a.kink_margin, b.kink_margin);
    }
    assert_eq!(decoded(&encoded(&[])), Some(Vec::new()));
}

#[test]
fn bytes_that_were_cut_are_no_result() {
    let bytes = encoded(&results());
    for length in 0..bytes.len() {
        assert_eq!(decoded(&bytes[..length]), None, "{length}");
    }
}

/// A store that keeps nothing, and cancels a control where the guard of a tuning begins.
#[derive(Debug)]
pub(in crate::tune) struct KeepsNothing(pub(in crate::tune) Control);

impl EvaluationStore for KeepsNothing {
    fn claim(&self, batch: &Batch) -> Result<BatchClaim> {
        if batch.part != "whole" {
            self.0.cancel();
        }
        Ok(BatchClaim::Own)
    }

    fn keep(&self, _: &Batch, _: &BatchResult) -> Result<()> {
        Ok(())
    }

    fn give_back(&self, _: &Batch) -> Result<()> {
        Ok(())
    }

    fn unreadable(&self, _: &Batch) -> Error {
        Error::value("store", "it keeps nothing", "ask it for nothing")
    }
}

/// Whatever decides a result decides the key.
#[test]
fn a_key_knows_everything_that_decides_a_result() {
    let nothing = KeepsNothing(Control::new());
    let kept = |study: &str, part: &str, device: &str| Kept {
        store: &nothing,
        study: study.into(),
        part: part.into(),
        device: device.into(),
    };
    let point = |l1: f64| Chosen::from(Point::new(l1, 0.5));
    let start = |w: f64, v: Vec<f64>| WarmStart { w: vec![w], v };
    let key = |kept: &Kept<'_>, variables: &str, points: &[Chosen], starts: &[WarmStart], fold| {
        let each = [starts];
        let warm = (!starts.is_empty()).then_some(&each[..]);
        let request = Request {
            variables,
            points,
            starts: Starts::of_points(warm),
            tasks: None,
        };
        kept.batch(request, fold).key
    };
    let plain = kept("a", "whole", "cpu");
    let two = [start(1.0, vec![]), start(1.0, vec![])];
    let other = [start(2.0, vec![]), start(1.0, vec![])];
    let keys = [
        key(&plain, "l1 1", &[point(1.0)], &[], 0),
        key(&kept("b", "whole", "cpu"), "l1 1", &[point(1.0)], &[], 0),
        key(&kept("a", "outer", "cpu"), "l1 1", &[point(1.0)], &[], 0),
        key(&kept("a", "whole", "gpu"), "l1 1", &[point(1.0)], &[], 0),
        key(&plain, "l1 1, l2 1", &[point(1.0)], &[], 0),
        key(&plain, "l1 1", &[point(1.0f64.next_up())], &[], 0),
        key(&plain, "l1 1", &[point(1.0), point(2.0)], &[], 0),
        key(&plain, "l1 1", &[point(2.0), point(1.0)], &[], 0),
        key(&plain, "l1 1", &[point(1.0)], &[], 1),
        key(&plain, "l1 1", &[point(1.0)], &two, 0),
        key(&plain, "l1 1", &[point(1.0)], &other, 0),
    ];
    for (at, one) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(one), "{at}");
    }
    // The start on another fold decides nothing.
    assert_eq!(
        key(&plain, "l1 1", &[point(1.0)], &two, 1),
        key(&plain, "l1 1", &[point(1.0)], &other, 1)
    );
    let own = Chosen {
        huber_delta: Some(1.0),
        ..point(1.0)
    };
    assert_ne!(
        key(&plain, "l1 1", &[own], &[], 0),
        key(&plain, "l1 1", &[point(1.0)], &[], 0)
    );
}

/// Of a group of tasks the starts of its own tasks decide, and its criterion is its share of the mean.
#[test]
fn a_group_of_tasks_is_known_by_its_own_starts_and_has_its_share_of_the_mean() {
    let kept = Kept {
        store: &KeepsNothing(Control::new()),
        study: "a".into(),
        part: WHOLE.into(),
        device: "cpu".into(),
    };
    let groups = Groups::of(64);
    let points = [
        Chosen::from(Point::new(0.0, 1.0)),
        Chosen::from(Point::new(0.0, 2.0)),
    ];
    let starts = |last: f64| -> Vec<WarmStart> {
        let value = |task: usize| if task == 63 { last } else { task as f64 };
        let start = |task: usize| WarmStart {
            w: vec![value(task)],
            v: Vec::new(),
        };
        (0..64).map(start).collect()
    };
    let key = |starts: &[WarmStart], group: usize| {
        let request = Request {
            variables: "l2",
            points: &points[..1],
            starts: Starts::OfTasks(starts),
            tasks: Some(groups),
        };
        kept.batch(request, group).key
    };
    let (one, other) = (starts(1.0), starts(2.0));
    assert_eq!(key(&one, 0), key(&other, 0));
    assert_ne!(key(&one, 1), key(&other, 1));

    let asked = kept.ask(
        Request {
            variables: "l2",
            points: &points,
            starts: Starts::FromZero,
            tasks: Some(groups),
        },
        1,
    );
    let result = |number: usize| OnFold {
        is_solved: number != 63,
        criterion: number as f64,
        ..results()[0].clone()
    };
    // Task by task the results of both points, whose last one was not solved at the second.
    let found: Vec<OnFold> = (0..64).map(result).collect();
    assert!(asked.fits(&found) && !asked.fits(&found[1..]));
    let share = (0..64).step_by(2).sum::<usize>() as f64 / 64.0;
    assert_eq!(asked.request.criteria(&found), [Some(share), None]);
}
