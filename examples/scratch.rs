use proxdiff::app::digits::Digits;
use proxdiff::data::{Matrix, Scaling};
use proxdiff::loss::Loss;
use proxdiff::map::spectrum::Spectrum;
use proxdiff::path::*;
use proxdiff::problem::Rows;
use proxdiff::{Control, Point, Problem, Specification};
use std::time::Instant;
fn main() {
    let d = std::path::Path::new("/tmp/mnist/package/data");
    let t = Instant::now();
    let all = Digits::read(
        &d.join("train-images-idx3-ubyte"),
        &d.join("train-labels-idx1-ubyte"),
    )
    .unwrap();
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let train = all.select(&(0..n).collect::<Vec<_>>());
    let val = all.select(&(30000..60000).collect::<Vec<_>>());
    println!("read {:?}", t.elapsed());
    let mut s = Specification::new(
        Loss::Multinomial,
        Matrix::Dense(train.pixels),
        vec![train.labels],
    );
    s.classes = 10;
    s.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    s.validation = Some(Rows {
        matrix: Matrix::Dense(val.pixels),
        targets: vec![val.labels],
        weights: None,
    });
    s.criterion_sign = -1.0;
    let t = Instant::now();
    let problem = Problem::new(s).unwrap();
    println!("problem {:?}", t.elapsed());
    let t = Instant::now();
    let spectrum = Spectrum::of(&problem);
    println!("spectrum {:?} {spectrum:?}", t.elapsed());
    let point = Point {
        l1: 0.02,
        l2: 0.1,
        target: 0,
    };
    for tol in [1e-3, 1e-6] {
        let t = Instant::now();
        let sol = solve::<f64>(
            &problem,
            &[point],
            None,
            &PathSettings {
                tolerance: Some(tol),
                max_steps: 100000,
            },
            &Control::new(),
        )
        .unwrap();
        let nz = sol[0].w.iter().filter(|w| **w != 0.0).count();
        println!(
            "solve {tol} {:?} {:?} steps {} nz {nz}",
            t.elapsed(),
            sol[0].status,
            sol[0].steps
        );
    }
}
