//! Plans of 100 000 cells: planned at once, stored at little cost, held in little memory.

use std::time::Instant;

use proxdiff::Specification;
use proxdiff::data::{Dense, Matrix};
use proxdiff::kinds::Status;
use proxdiff::loss::Loss;
use proxdiff::store::{Cell, Claim, Number, Plan, Shard, Store, summarize};
use proxdiff::sweep::folds::{Dealing, k_folds};
use proxdiff::sweep::plan::{plan, plan_study};
use proxdiff::sweep::space::{Axes, Search, Space};
use proxdiff::sweep::study::Study;

use crate::support::{Folder, noise};

fn study(rows: usize, columns: usize, folds: usize) -> Study {
    let x = Matrix::Dense(Dense::new(rows, columns, noise(rows * columns, 3)).unwrap());
    let specification = Specification::new(Loss::Squared, x, vec![noise(rows, 4)]);
    let folds = k_folds(rows, folds, 1, Dealing::Plain, 0).unwrap();
    Study::new(specification, folds)
}

/// 100 × 100 points on 10 folds.
fn large_plan() -> Plan {
    let space = Space {
        axes: Axes::Strengths {
            l1: "frac:1e-4:1:100".parse().unwrap(),
            l2: "log:1e-4:1:100".parse().unwrap(),
        },
        search: Search::Grid,
        seed: 0,
    };
    let record = plan_study(&study(200, 5, 10), &space, &|_, _| 1.0).unwrap();
    plan(vec![record], String::new())
}

#[test]
fn a_hundred_thousand_cells_are_planned_within_a_second() {
    let folder = Folder::new();
    let begin = Instant::now();
    let plan = large_plan();
    assert_eq!((plan.cell_count(), plan.unit_count()), (100_000, 1000));
    let mut store = Store::open(&folder.path("s.db"), &plan).unwrap();
    let Claim::Units(units) = store.claim(1, Shard::WHOLE).unwrap() else {
        panic!("nothing to do");
    };
    assert_eq!(units.len(), 1);
    let elapsed = begin.elapsed().as_secs_f64();
    assert!(
        elapsed < 1.0,
        "planning and storing the plan took {elapsed} s"
    );
}

#[test]
fn a_hundred_thousand_cells_are_stored_and_read_back() {
    let folder = Folder::new();
    let plan = large_plan();
    let mut store = Store::open(&folder.path("s.db"), &plan).unwrap();
    let begin = Instant::now();
    loop {
        let units = match store.claim(16, Shard::WHOLE).unwrap() {
            Claim::Units(units) => units,
            Claim::Elsewhere(_) => panic!("nobody else is here"),
            Claim::Nothing => break,
        };
        let cells = |unit: &proxdiff::store::Unit| -> Vec<Cell> {
            let path = &plan.studies[0].paths[unit.path];
            path.iter()
                .map(|&point| {
                    let mut cell = Cell {
                        point: point as usize,
                        fold: unit.fold,
                        status: Status::Converged,
                        ..Cell::default()
                    };
                    for number in Number::ALL {
                        cell.numbers[number] = f64::from(point) + unit.fold as f64;
                    }
                    cell
                })
                .collect()
        };
        let results: Vec<_> = units.iter().map(|unit| (*unit, cells(unit))).collect();
        store.finish(&results, 0.1, "none").unwrap();
    }
    let per_cell = begin.elapsed().as_secs_f64() / 100_000.0;
    // A cell that takes 2 ms to compute, as small ones do, leaves 100 µs for the store.
    assert!(per_cell < 100e-6, "{per_cell} s per cell");
    let summaries = summarize(&store, 0, &plan.studies[0]).unwrap();
    assert_eq!(summaries.len(), 10_000);
    assert_eq!(summaries[7].means[Number::Criterion], 7.0 + 4.5);
    assert_eq!(store.tally().unwrap().cells_done, 100_000);
}
