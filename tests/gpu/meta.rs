//! Meta-learning on the device: the prior of tasks with designs and numbers of rows of their own is that of the CPU.

use libtest_mimic::{Failed, Trial};
use proxdiff::exec::Device;
use proxdiff::exec::gpu::GpuOptions;
use proxdiff::hypergrad::Settings;
use proxdiff::tune::{Guard, MetaLearning, MetaVariable};
use proxdiff::{Point, Problem};

use crate::common::relative_error;
use crate::device;

/// Numbers in [−1, 1) without any pattern.
fn noise(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Tasks of 7, 8, … rows around 2 a − b.
fn tasks(count: usize) -> Vec<Problem> {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let task = |number: usize| {
        let w = [
            2.0 + 0.3 * noise(&mut state),
            -1.0 + 0.3 * noise(&mut state),
        ];
        let mut rows = |count: usize| {
            let row = |_| vec![noise(&mut state), noise(&mut state)];
            let x: Vec<Vec<f64>> = (0..count).map(row).collect();
            let y: Vec<f64> = x.iter().map(|x| w[0] * x[0] + w[1] * x[1]).collect();
            let y = y
                .iter()
                .map(|y| y + 0.1 * noise(&mut state))
                .collect::<Vec<f64>>();
            (x, y)
        };
        let ((x, y), (x_val, y_val)) = (rows(7 + number), rows(5));
        let builder = Problem::elastic_net(&x, &y).validation(&x_val, &y_val);
        builder.standardize(false).build().unwrap()
    };
    (0..count).map(task).collect()
}

fn priors() -> Result<(), Failed> {
    let tasks = tasks(4);
    let learned = |settings: &Settings| {
        let learning = MetaLearning::new(&tasks).guard(Guard::None);
        let learning = learning
            .variables([MetaVariable::Prior])
            .at(Point::new(0.0, 0.5));
        learning
            .max_evaluations(8)
            .settings(settings)
            .run()
            .unwrap()
    };
    let on_device = Settings::default().device(Device::Gpu(device::open(GpuOptions::default())));
    let (device, cpu) = (learned(&on_device), learned(&Settings::default()));
    let error = relative_error(&device.prior, &cpu.prior);
    if cpu.prior == [0.0, 0.0] || error > 1e-8 {
        return Err(format!("{error:e}: {device:?} {cpu:?}").into());
    }
    Ok(())
}

pub fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "meta::a_prior_of_ragged_tasks_is_that_of_the_cpu",
        priors,
    )]
}
