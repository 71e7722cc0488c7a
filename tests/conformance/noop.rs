//! Every kernel as the GPU executor runs it, on wgpu's noop backend: no driver is needed to see that
//! modules, layouts, bindings and dispatches are valid.

use proxdiff::error::DeviceFault;
use proxdiff::exec::gpu::{Gpu, GpuOptions, Regime};
use proxdiff::exec::walks::{Limits, Quadratic, Reference, Segment, WalkPoint};
use proxdiff::exec::{Executor, GpuExecutor, Kernel, Recording, Scope};
use proxdiff::model::penalty::Row;

use crate::harness::{entries, run};

fn accepts(options: GpuOptions) {
    let gpu = Gpu::noop(options).unwrap();
    for entry in entries() {
        let call = entry.example();
        let mut executor = GpuExecutor::new(&gpu, 5).unwrap();
        let found = run(&mut executor, entry.kernel, &call);
        let sizes: Vec<usize> = found.iter().map(Vec::len).collect();
        let expected: Vec<usize> = call.outputs.iter().map(|given| given.rows * 5).collect();
        assert_eq!(sizes, expected, "{}", entry.kernel.name);
    }
}

#[test]
fn every_kernel_is_a_valid_dispatch() {
    accepts(GpuOptions {
        regime: Regime::Matrix,
        ..GpuOptions::default()
    });
}

#[test]
fn every_kernel_is_a_valid_resident_program() {
    accepts(GpuOptions {
        regime: Regime::Resident,
        ..GpuOptions::default()
    });
}

#[test]
fn every_storage_of_the_design_is_valid() {
    for (without_native_f16, page_limit, design_limit) in
        [(false, 0, 0), (true, 0, 0), (false, 64, 0), (false, 0, 1)]
    {
        accepts(GpuOptions {
            half_design: true,
            without_native_f16,
            page_limit,
            design_limit,
            ..GpuOptions::default()
        });
    }
}

#[test]
fn the_path_kernel_is_a_valid_dispatch() {
    let reference = Reference {
        at: vec![0.0; 3],
        gradient: vec![-1.0; 3],
        value: 1.0,
    };
    let gram = [2.0f32, 0.5, 0.0, 0.5, 2.0, 0.5, 0.0, 0.5, 2.0];
    let problem = Quadratic {
        features: 3,
        row: Row::SoftThreshold,
        bounds: [0.0; 2],
        gram: gram.into(),
        linear: vec![1.0; 3],
        strengths: None,
        loss: reference.clone(),
        held_out: gram.into(),
        held_out_linear: vec![1.0; 3],
        criterion: reference,
    };
    let point = WalkPoint {
        l1: 0.1,
        l2: 0.1,
        gamma: 0.3,
    };
    let whole = [Segment { first: 0, count: 4 }];
    let limits = Limits {
        distance: 1e-6,
        adjoint: Some(1e-6),
        most: 1_000,
    };
    let gpu = Gpu::noop(GpuOptions::default()).unwrap();
    let found = gpu
        .walk(&problem, &[point; 4], &whole, &limits, true)
        .unwrap();
    // The noop device computes nothing, and so comes to no point.
    assert_eq!((found.numbers.len(), found.vectors.len()), (4, 24));
    assert!(found.numbers.iter().all(|numbers| numbers.reached == 0.0));
}

/// A kernel whose shader does not compile.
static BROKEN: Kernel = Kernel {
    name: "broken",
    inputs: &[],
    outputs: &["x"],
    parameters: &[],
    shader: "fn broken(team: Team) { reals[0] = team; }",
    twin_f32: |_| {},
    twin_f64: |_| {},
};

#[test]
fn a_shader_that_does_not_compile_is_a_typed_error() {
    let gpu = Gpu::noop(GpuOptions::default()).unwrap();
    let mut executor = GpuExecutor::new(&gpu, 2).unwrap();
    let x = executor.allocate(Scope::PerProblem, 1);
    let mut recording = Recording::new();
    recording.dispatch(&BROKEN, &[], &[x.into()], &[]);
    let error = executor.run(&recording, 1).unwrap_err();
    assert_eq!(error.device_fault(), Some(DeviceFault::Invalid));
    let text = error.to_string();
    assert!(
        text.contains("`broken") && text.contains("--device cpu"),
        "{text}"
    );
}
