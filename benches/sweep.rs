//! Sweeps without the command line: planning, and folds × points in memory.

use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use proxdiff::data::{Dense, Matrix};
use proxdiff::exec::Device;
use proxdiff::loss::Loss;
use proxdiff::sweep::cells::MemoryCells;
use proxdiff::sweep::compress::Compression;
use proxdiff::sweep::folds::{Dealing, k_folds};
use proxdiff::sweep::plan::{plan, plan_study};
use proxdiff::sweep::record::{Number, Plan, Shard};
use proxdiff::sweep::run::{Keep, Monitor, Run};
use proxdiff::sweep::space::{Axes, Search, Space};
use proxdiff::sweep::study::Study;
use proxdiff::sweep::summary::summarize;
use proxdiff::{Control, Specification};

fn study(rows: usize, columns: usize) -> Study {
    let mut generator = ChaCha8Rng::seed_from_u64(0);
    let mut number = || generator.random_range(-1.0..1.0);
    let x: Vec<f64> = (0..rows * columns).map(|_| number()).collect();
    let y: Vec<f64> = (0..rows)
        .map(|i| {
            (0..columns.min(20))
                .map(|j| x[i * columns + j])
                .sum::<f64>()
                + 1.5 * number()
        })
        .collect();
    let x = Matrix::Dense(Dense::new(rows, columns, x).expect("a shape"));
    let specification = Specification::new(Loss::Squared, x, vec![y]);
    let folds = k_folds(rows, 5, 1, Dealing::Plain, 0).expect("folds");
    Study::new(specification, folds)
}

fn space(alphas: usize, ratios: &str) -> Space {
    Space {
        axes: Axes::Ratio {
            alpha: format!("frac:1:1e-3:{alphas}").parse().expect("an axis"),
            l1_ratio: ratios.parse().expect("an axis"),
        },
        search: Search::Grid,
        seed: 0,
    }
}

/// Everything from the study to the means over folds.
fn sweep(study: &Study, space: &Space, pool: &rayon::ThreadPool) -> (Plan, f64) {
    let count = space.points(&|_| 1.0).expect("points").len();
    let compression = pool.install(|| Compression::of(study, count));
    let whole = match &compression {
        Some(compression) => compression.whole(study).unwrap().problem,
        None => study.whole().expect("a problem"),
    };
    let plan = plan(
        vec![plan_study(study, space, &|_, l2| whole.l1_max(0, l2)).expect("a plan")],
        String::new(),
    );
    let mut cells = MemoryCells::new(&plan);
    let run = Run {
        plan: &plan,
        studies: std::slice::from_ref(study),
        compressions: &[compression],
        pool,
        stop: &Control::new(),
        problems: &[None],
        shard: Shard::WHOLE,
        devices: &[Device::Cpu],
        keep: Keep::Cells,
        monitor: &Monitor::new(&plan),
    };
    run.execute(&mut cells).expect("a sweep");
    let summaries = summarize(&cells, 0, &plan.studies[0]).expect("summaries");
    assert_eq!(summaries.len(), count);
    assert!(summaries.iter().all(|s| s.means[Number::DualityGap] < 1e-6));
    let best = summaries
        .iter()
        .map(|s| s.means[Number::Criterion])
        .fold(f64::INFINITY, f64::min);
    (plan, best)
}

fn benches(c: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("threads");
    let mut group = c.benchmark_group("sweep");
    group.sample_size(10);
    let small = study(200, 5);
    let large = space(2000, "0.1,0.3,0.5,0.7,0.9,0.2,0.4,0.6,0.8,1.0");
    group.bench_function("plan 100 000 cells", |b| {
        b.iter(|| plan_study(&small, &large, &|_, _| 1.0).expect("a plan"));
    });
    let wide = study(10_000, 200);
    let grid = space(100, "0.1,0.3,0.5,0.7,0.9");
    group.bench_function("5 folds x 500 points, 10 000 x 200", |b| {
        b.iter(|| sweep(&wide, &grid, &pool));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
