//! Several that open one new store at the same moment.

use std::path::Path;
use std::process::Stdio;
use std::sync::Barrier;

use proxdiff::store::{Plan, PlanFold, PlanPoint, Store, Study, verify};

use crate::support::{Folder, program};

/// A plan of one path of two points on one fold.
fn plan(l1: f64) -> Plan {
    let point = PlanPoint {
        l1,
        l2: 0.1,
        ratio: None,
        target: 0,
    };
    Plan {
        studies: vec![Study {
            name: "race".into(),
            targets: vec!["y".into()],
            points: vec![point; 2],
            folds: vec![PlanFold {
                number: 0,
                repeat: 0,
                training_rows: 3,
                held_out_rows: 1,
            }],
            paths: vec![vec![0, 1]],
            ..Study::default()
        }],
        configuration: String::new(),
    }
}

/// What becomes of every plan when all are opened at once.
fn race(path: &Path, plans: &[Plan]) -> Vec<Result<(), String>> {
    let start = Barrier::new(plans.len());
    std::thread::scope(|scope| {
        let open = |plan| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                let opened = Store::open(path, plan);
                opened.map(drop).map_err(|error| error.to_string())
            })
        };
        let racers: Vec<_> = plans.iter().map(open).collect();
        racers.into_iter().map(|r| r.join().unwrap()).collect()
    })
}

#[test]
fn of_two_plans_one_gets_the_store_and_the_other_is_told_so() {
    let folder = Folder::new();
    for number in 0..200 {
        let path = folder.path(&format!("{number}.db"));
        let outcomes = race(&path, &[plan(1.0), plan(2.0)]);
        let refused: Vec<&String> = outcomes.iter().filter_map(|o| o.as_ref().err()).collect();
        assert_eq!(refused.len(), 1, "race {number}: {outcomes:?}");
        assert!(
            refused[0].contains("it holds another plan, with other points"),
            "race {number}: {}",
            refused[0]
        );
    }
}

#[test]
fn equal_plans_share_a_new_store() {
    let folder = Folder::new();
    for number in 0..100 {
        let path = folder.path(&format!("{number}.db"));
        let plans = vec![plan(1.0); 4];
        let outcomes = race(&path, &plans);
        assert_eq!(outcomes, vec![Ok(()); 4], "race {number}");
        let store = Store::read(&path).unwrap();
        assert_eq!(store.sessions().unwrap().len(), 4);
        assert_eq!(verify(&store).unwrap().faults, Vec::<String>::new());
        assert_eq!(store.plan().unwrap(), plans[0]);
    }
}

#[test]
fn a_store_that_is_written_meanwhile_is_sound() {
    let folder = Folder::new();
    let store = folder.path("s.db");
    let name = store.display().to_string();
    let mut child = program()
        .args(["sweep", "--example", "--cv", "10", "--l2", "log:1e-3:1:60"])
        .args(["--l1", "log:0.1:10:100", "--threads", "1", "--store", &name])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut looks = 0;
    while child.try_wait().unwrap().is_none() {
        let Ok(opened) = Store::read(&store) else {
            continue;
        };
        let found = verify(&opened).unwrap();
        assert!(found.faults.is_empty(), "{:?}", found.faults);
        looks += 1;
    }
    assert!(child.wait().unwrap().success());
    assert!(looks > 0, "it was never looked at");
}
