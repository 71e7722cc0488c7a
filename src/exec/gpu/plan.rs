//! From a recording to dispatches: which programs, with which jobs, over which grids.
//!
//! In the matrix regime a command is a dispatch, and a product of the dense design is the tiled
//! product over the whole batch. In the resident regime the recording is one dispatch: a workgroup
//! keeps its problems and replays all commands, as often as a watchdog allows.

mod product;

use std::sync::Arc;

use super::job::{JOB_BYTES, Job, MAX_COMMANDS, NONE};
use super::page::{PageRef, RowsKey};
use super::program::{self, COPY_ROWS, FILL_ROWS, Shader, Variant};
use super::{GpuExecutor, Regime, SharedPlace};
use crate::error::{DeviceFault, Error, Result};
use crate::exec::{Command, Kernel, Recording, Scope, Source};

/// One dispatch.
#[derive(Debug)]
pub struct Step {
    /// The program.
    pub program: Arc<wgpu::ComputePipeline>,
    /// Workgroups.
    pub grid: [u32; 3],
    /// Bytes from the start of the jobs to its own.
    pub job_offset: u32,
    /// The page it reads.
    pub page: PageRef,
    /// True where it is a whole recording.
    pub resident: bool,
}

/// A recording as dispatches.
#[derive(Debug, Default)]
pub struct Plan {
    /// The dispatches of one replay.
    pub steps: Vec<Step>,
    /// The design whose minibatches are streamed, and the buffer of their rows' indices.
    pub ring: Option<(usize, RowsKey)>,
    jobs: Vec<u8>,
    alignment: usize,
}

impl Plan {
    /// The jobs, and room so that the last may be bound like any other.
    pub fn job_bytes(&self) -> Vec<u8> {
        let mut bytes = self.jobs.clone();
        bytes.resize(bytes.len() + MAX_COMMANDS * JOB_BYTES, 0);
        bytes
    }

    /// Adds jobs that are bound together, and returns where.
    fn push_jobs(&mut self, jobs: &[Job]) -> u32 {
        let at = self.jobs.len().next_multiple_of(self.alignment);
        self.jobs.resize(at, 0);
        self.jobs.extend_from_slice(bytemuck::cast_slice(jobs));
        at as u32
    }
}

/// A command with its job, before it is dispatched.
struct Call {
    shader: Shader,
    job: Job,
    /// Rows of work that lanes share.
    rows: usize,
    /// Trips through loops of all lanes together.
    trips: usize,
    /// The design that it reads.
    design: Option<usize>,
    sampled: Option<Source>,
}

/// A team's shape: slots and lanes of a workgroup.
#[derive(Debug, Clone, Copy)]
struct TeamShape {
    width: usize,
    lanes: usize,
}

impl TeamShape {
    fn constants(self) -> [(&'static str, f64); 2] {
        [("WIDTH", self.width as f64), ("LANES", self.lanes as f64)]
    }
}

impl GpuExecutor {
    /// Plans a recording; returns the plan and how often it is to be replayed.
    pub(super) fn plan(
        &mut self,
        recording: &Recording<f32>,
        times: usize,
    ) -> Result<(Plan, usize)> {
        let active = recording.active.map_or(NONE, |active| {
            (self.word_starts[active.index] * self.stride()) as u32
        });
        let mut calls = Vec::with_capacity(recording.commands.len());
        for command in &recording.commands {
            let mut call = self.call(command)?;
            call.job.active = active;
            calls.push(call);
        }
        let alignment = self.gpu.limits.min_uniform_buffer_offset_alignment as usize;
        let mut plan = Plan {
            alignment: alignment.max(16),
            ..Plan::default()
        };
        if let Some(most) = self.resident_replays(&calls, times) {
            let replays = self.plan_resident(&mut plan, &mut calls, times, most)?;
            return Ok((plan, replays));
        }
        for call in &calls {
            self.plan_call(&mut plan, call)?;
        }
        Ok((plan, times))
    }

    fn stride(&self) -> usize {
        self.batch().reals.stride
    }

    /// A command's kernel and job.
    fn call(&self, command: &Command<f32>) -> Result<Call> {
        let (shader, inputs, outputs, parameters, kernel) = match command {
            Command::Copy { from, to } => {
                let parameters = vec![to.rows() as u32];
                (
                    COPY_ROWS,
                    vec![Source::Real(*from)],
                    vec![Source::Real(*to)],
                    parameters,
                    None,
                )
            }
            Command::Fill { buf, value } => {
                let parameters = vec![buf.rows() as u32, value.to_bits()];
                (
                    FILL_ROWS,
                    Vec::new(),
                    vec![Source::Real(*buf)],
                    parameters,
                    None,
                )
            }
            Command::Host { .. } => {
                return Err(Error::unsupported(
                    "a function of the user's own on a GPU",
                    "use --device cpu for it",
                ));
            }
            Command::Dispatch {
                kernel,
                inputs,
                outputs,
                parameters,
            } => {
                let shader = Shader::from(*kernel);
                (
                    shader,
                    inputs.clone(),
                    outputs.clone(),
                    parameters.clone(),
                    Some(*kernel),
                )
            }
        };
        let mut job = Job {
            slots: self.batch().problems as u32,
            stride: self.stride() as u32,
            shared_bindings: 0,
            active: NONE,
            offsets: [0; 16],
            parameters: [0; 8],
            page_start: 0,
            page_rows: 0,
            streamed: 0,
            kernel: 0,
            times: 1,
            commands: 1,
            parts_offset: 0,
            parts: 1,
            last_table: 0,
            padding: [0; 3],
        };
        let mut design = None;
        for (k, source) in inputs.iter().chain(&outputs).enumerate() {
            let (offset, shared) = self.offset(*source, &mut design);
            job.offsets[k] = offset;
            job.shared_bindings |= u32::from(shared) << k;
            if let (Source::Words(table), true) = (source, shared) {
                job.last_table = table.rows as u32;
            }
        }
        job.parameters[..parameters.len()].copy_from_slice(&parameters);
        let own_rows = |sources: &[Source]| {
            let rows = sources.iter().map(|source| match source {
                Source::Real(buf) if buf.scope == Scope::PerProblem => buf.rows,
                Source::Words(buf) if buf.scope == Scope::PerProblem => buf.rows,
                _ => 0,
            });
            (rows.clone().max().unwrap_or(0), rows.sum::<usize>())
        };
        let ((read, all_read), (written, all_written)) = (own_rows(&inputs), own_rows(&outputs));
        let rows = if read == 0 {
            written
        } else {
            written.min(8 * read)
        };
        let trips = kernel.and_then(|kernel| product_trips(kernel, &parameters, &inputs));
        let sampled = kernel
            .filter(|kernel| kernel.name.starts_with("sampled_"))
            .and_then(|kernel| kernel.inputs.iter().position(|&name| name == "rows"))
            .map(|at| inputs[at]);
        Ok(Call {
            shader,
            job,
            rows: rows.max(1),
            trips: trips.unwrap_or(2 * (all_read + all_written)),
            design,
            sampled,
        })
    }

    /// The place of a binding, and true where it is shared.
    fn offset(&self, source: Source, design: &mut Option<usize>) -> (u32, bool) {
        match source {
            Source::Real(buf) => match buf.scope {
                Scope::PerProblem => ((self.real_starts[buf.index] * self.stride()) as u32, false),
                Scope::Shared => match self.shared_places[buf.index] {
                    SharedPlace::Table(start) => (start as u32, true),
                    SharedPlace::Design(which) => {
                        *design = Some(which);
                        (0, true)
                    }
                },
            },
            Source::Words(buf) => match buf.scope {
                Scope::PerProblem => ((self.word_starts[buf.index] * self.stride()) as u32, false),
                Scope::Shared => (self.shared_word_starts[buf.index] as u32, true),
            },
        }
    }

    fn variant(&self) -> Variant {
        Variant {
            storage: self.gpu.storage(),
            sums: self.gpu.sums(),
        }
    }

    /// Slots and lanes of a workgroup: few problems get more lanes each.
    fn team_shape(&self, resident: bool) -> TeamShape {
        let limit = self.gpu.limits.max_compute_invocations_per_workgroup as usize;
        let invocations = if limit >= 256 { 256 } else { 64 };
        let problems = self.batch().problems;
        let width = match problems {
            0..4 => 1,
            4..24 => 8,
            _ if resident => 8,
            _ => 32,
        };
        TeamShape {
            width,
            lanes: invocations / width,
        }
    }

    /// Workgroups along x and z that hold all slots.
    fn slot_groups(&self, shape: TeamShape) -> (u32, u32) {
        let groups = self.batch().problems.div_ceil(shape.width) as u32;
        let widest = self.gpu.limits.max_compute_workgroups_per_dimension;
        let x = groups.min(widest);
        (x, groups.div_ceil(x))
    }

    /// The program of a variant of kernels.
    fn kernel_program(
        &self,
        shaders: &[Shader],
        resident: bool,
        shape: TeamShape,
    ) -> Result<Arc<wgpu::ComputePipeline>> {
        let names: Vec<&str> = shaders.iter().map(|shader| shader.name).collect();
        let variant = self.variant();
        let name = format!(
            "{} {variant:?} {}",
            names.join("+"),
            if resident { "resident" } else { "" }
        );
        self.gpu.program(&name, &shape.constants(), || {
            program::module(shaders, resident, variant)
        })
    }

    /// The replays that one dispatch may hold, where the resident regime is chosen and possible.
    fn resident_replays(&self, calls: &[Call], times: usize) -> Option<usize> {
        let mut designs = calls.iter().filter_map(|call| call.design);
        let design = designs.next();
        let one_page = design.is_none_or(|design| {
            let pages = &self.designs[design].pages;
            pages.len() == 1 && pages[0].buffer.is_some()
        });
        let same = designs.all(|other| Some(other) == design);
        if calls.len() > MAX_COMMANDS || !one_page || !same {
            return None;
        }
        let chosen = match self.gpu.options.regime {
            Regime::Matrix => false,
            Regime::Resident => true,
            // On paper (not yet measured): a product small enough for one workgroup, and replays
            // enough to pay for a program of its own. A software rasteriser gains nothing.
            Regime::Auto => {
                let size = design.map_or(0, |design| {
                    let design = &self.designs[design];
                    design.rows.max(design.columns)
                });
                let small = size <= 128 || (size <= 256 && self.batch().problems <= 128);
                small && times > 1 && !self.gpu.summary.software
            }
        };
        let lanes = self.team_shape(true).lanes;
        let trips: usize = calls.iter().map(|call| call.trips / lanes + 8).sum();
        let most = self.gpu.trip_limit() / trips.max(1);
        (chosen && most > 0).then_some(most)
    }

    /// One dispatch that replays the recording; returns how often that is dispatched.
    fn plan_resident(
        &self,
        plan: &mut Plan,
        calls: &mut [Call],
        times: usize,
        most: usize,
    ) -> Result<usize> {
        let mut shaders: Vec<Shader> = Vec::new();
        let commands = calls.len() as u32;
        // Replays are shared out evenly: every dispatch holds as many.
        let dispatches = times.div_ceil(most);
        let each = (1..=most.min(times))
            .rev()
            .find(|each| times.is_multiple_of(*each) && *each * dispatches.max(1) <= 2 * times)
            .unwrap_or(1);
        let mut page = PageRef::None;
        for call in calls.iter_mut() {
            let known = shaders.iter().position(|shader| *shader == call.shader);
            call.job.kernel = known.unwrap_or(shaders.len()) as u32;
            if known.is_none() {
                shaders.push(call.shader);
            }
            (call.job.times, call.job.commands) = (each as u32, commands);
            if let Some(design) = call.design {
                call.job.page_rows = self.designs[design].rows as u32;
                page = PageRef::Resident { design, page: 0 };
            }
        }
        let jobs: Vec<Job> = calls.iter().map(|call| call.job).collect();
        let shape = self.team_shape(true);
        let (x, z) = self.slot_groups(shape);
        let step = Step {
            program: self.kernel_program(&shaders, true, shape)?,
            grid: [x, 1, z],
            job_offset: plan.push_jobs(&jobs),
            page,
            resident: true,
        };
        plan.steps.push(step);
        Ok(times / each)
    }

    /// The dispatches of one command in the matrix regime.
    fn plan_call(&mut self, plan: &mut Plan, call: &Call) -> Result<()> {
        let Some(design) = call.design else {
            return self.plan_kernel(plan, call, call.job, PageRef::None);
        };
        let pages = &self.designs[design];
        if let Some(rows) = call.sampled
            && pages.needs_rows()
        {
            let Source::Words(rows) = rows else {
                return Ok(());
            };
            let own = rows.scope == Scope::PerProblem;
            plan.ring = Some((
                design,
                RowsKey {
                    own,
                    index: rows.index,
                },
            ));
            let job = Job {
                streamed: if own { 2 } else { 1 },
                page_rows: rows.rows as u32,
                ..call.job
            };
            return self.plan_kernel(plan, call, job, PageRef::Ring(design));
        }
        let refs: Vec<(usize, usize, PageRef)> = pages
            .pages
            .iter()
            .enumerate()
            .map(|(at, page)| {
                let (start, rows) = (page.start, page.rows);
                let page_ref = match page.buffer {
                    Some(_) => PageRef::Resident { design, page: at },
                    None => PageRef::Rows {
                        design,
                        start,
                        rows,
                    },
                };
                (start, rows, page_ref)
            })
            .collect();
        let tiled = matches!(call.shader.name, "dense_product" | "dense_adjoint");
        for (start, rows, page) in refs {
            let job = Job {
                page_start: start as u32,
                page_rows: rows as u32,
                ..call.job
            };
            if tiled {
                self.plan_product(plan, call, job, page)?;
            } else {
                self.plan_kernel(plan, call, job, page)?;
            }
        }
        Ok(())
    }

    /// A dispatch of a kernel as it is.
    fn plan_kernel(&self, plan: &mut Plan, call: &Call, job: Job, page: PageRef) -> Result<()> {
        let shape = self.team_shape(false);
        let (x, z) = self.slot_groups(shape);
        let limit = self.gpu.trip_limit();
        let y = if program::needs_one_workgroup(&call.shader) {
            1
        } else {
            let fine = call.rows.div_ceil(shape.lanes * 4);
            let needed = call.trips.div_ceil(shape.lanes * limit);
            let widest = self.gpu.limits.max_compute_workgroups_per_dimension as usize;
            fine.max(needed).clamp(1, widest)
        };
        if call.trips / (shape.lanes * y) > limit {
            return Err(self.gpu.fault_error(
                DeviceFault::Invalid,
                &format!(
                    "`{}` is too long for one dispatch of this driver",
                    call.shader.name
                ),
            ));
        }
        let step = Step {
            program: self.kernel_program(&[call.shader], false, shape)?,
            grid: [x, y as u32, z],
            job_offset: plan.push_jobs(&[job]),
            page,
            resident: false,
        };
        plan.steps.push(step);
        Ok(())
    }
}

/// Trips of all lanes together of the kernels that loop over more than the rows they bind.
fn product_trips(kernel: &Kernel, parameters: &[u32], inputs: &[Source]) -> Option<usize> {
    let parameter = |name: &str| {
        let at = kernel.parameters.iter().position(|&known| known == name)?;
        Some(parameters[at] as usize)
    };
    let words = |name: &str| {
        let at = kernel.inputs.iter().position(|&known| known == name)?;
        match inputs[at] {
            Source::Words(buf) => Some(buf.rows),
            Source::Real(_) => None,
        }
    };
    let classes = parameter("classes").unwrap_or(1);
    if kernel.inputs.contains(&"indices") {
        return Some(4 * (words("indices")? + words("starts")?) * classes);
    }
    if kernel.inputs.contains(&"design") {
        let rows = parameter("rows").or_else(|| parameter("batch"))?;
        return Some((rows + 2) * (parameter("columns")? + 2) * classes);
    }
    if kernel.inputs.contains(&"perturbed") {
        let count = parameter("count")?;
        return Some((count + 1) * (parameter("features")? + 1) * (classes + 1));
    }
    None
}
