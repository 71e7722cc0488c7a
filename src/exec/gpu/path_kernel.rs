//! The path kernel on a device: its module, its dispatches, and what comes back.

use wgpu::util::DeviceExt;

use super::arena::{self, Readback};
use super::device::Gpu;
use super::program::Sums;
use super::{Regime, tables};
use crate::error::Result;
use crate::exec::walks::{
    LARGEST, Limits, NUMBERS, Numbers, Quadratic, ROUNDS, Segment, WalkPoint, Walked,
};
use crate::model::penalty::Row;

const KERNEL: &str = include_str!("../../../shaders/path_kernel.wgsl");
const NUMERICS: &str = include_str!("../../../shaders/lib/numerics.wgsl");

/// Members of a team that is a workgroup.
const WORKGROUP: u32 = 32;
/// Coordinates that a member keeps in registers, at most.
const MOST_BLOCKS: u32 = 32;
/// The largest subgroup that is a team.
const LARGEST_SUBGROUP: u32 = 64;
/// Seconds of a dispatch, at most, by an estimate.
const SECONDS: f64 = 0.1;
/// Operations a second that even a slow device makes, in software and in hardware.
const SOFTWARE_SPEED: f64 = 2e9;
const HARDWARE_SPEED: f64 = 2e11;

/// The arguments of `shaders/path_kernel.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Settings {
    first: u32,
    tasks: u32,
    trips: u32,
    most: u32,
    features: u32,
    keep: u32,
    limit: f32,
    adjoint_limit: f32,
    bounds: [f32; 2],
    loss: f32,
    criterion: f32,
}

/// The shape of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Team {
    /// How its members add up.
    pub sums: Sums,
    /// Its members.
    pub lanes: u32,
    /// Coordinates of a member.
    pub blocks: u32,
}

impl Team {
    /// A team for so many coordinates on a device whose subgroups all have `subgroup` members; `None` where
    /// they differ, or may not be used.
    #[must_use]
    pub fn new(features: usize, subgroup: Option<u32>) -> Self {
        let blocks = |lanes: u32| (features as u32).div_ceil(lanes).max(1);
        let fits =
            |lanes: &u32| (4..=LARGEST_SUBGROUP).contains(lanes) && blocks(*lanes) <= MOST_BLOCKS;
        let (sums, lanes) = match subgroup.filter(fits) {
            Some(lanes) => (Sums::Subgroup, lanes),
            None => (Sums::Workgroup, WORKGROUP),
        };
        Self {
            sums,
            lanes,
            blocks: blocks(lanes),
        }
    }

    /// Room for all coordinates.
    fn size(self) -> usize {
        (self.lanes * self.blocks) as usize
    }

    /// Trips through loops of an update of one coordinate.
    fn trips(self) -> usize {
        match self.sums {
            Sums::Subgroup => 1,
            Sums::Workgroup => 1 + self.lanes.ilog2() as usize,
        }
    }
}

/// The module of the kernel.
#[must_use]
pub fn module(team: Team, row: Row, weighted: bool, trips: usize) -> String {
    let Team {
        sums,
        lanes,
        blocks,
    } = team;
    let size = team.size();
    let mut text = String::new();
    for (name, value) in [
        ("LANES", lanes as usize),
        ("SIZE", size),
        ("NUMBERS", NUMBERS),
        ("ROUNDS", ROUNDS as usize),
        ("TRIPS", trips),
        ("COST", team.trips()),
        ("CURVATURES", 0),
        ("LINEAR", size),
        ("REFERENCE", 2 * size),
        ("REFERENCE_GRADIENT", 3 * size),
        ("HELD_OUT_LINEAR", 4 * size),
        ("HELD_OUT_REFERENCE", 5 * size),
        ("HELD_OUT_REFERENCE_GRADIENT", 6 * size),
        ("STRENGTHS", 7 * size),
    ] {
        text.push_str(&format!("const {name}: u32 = {value}u;\n"));
    }
    text.push_str(NUMERICS);
    text.push_str(&tables::row(row));
    // Nothing says that the members of a subgroup are numbered as those of the workgroup are.
    let (of_team, number) = match sums {
        Sums::Subgroup => (
            include_str!("../../../shaders/lib/path_team_subgroup.wgsl"),
            "subgroup_invocation_id",
        ),
        Sums::Workgroup => (
            include_str!("../../../shaders/lib/path_team_workgroup.wgsl"),
            "local_invocation_index",
        ),
    };
    text.push_str(of_team);
    let (declared, strength) = match weighted {
        true => ("let s# = vectors[STRENGTHS + j#];", "(l1 * s#)"),
        false => ("", "l1"),
    };
    let kernel = KERNEL
        .replace("ROW_", &format!("{}_", row.name()))
        .replace("NUMBER_IN_TEAM", number)
        .replace("WEIGHTED", declared)
        .replace("STRENGTH#", strength);
    text.push_str(&repeated(&kernel, lanes, blocks));
    text
}

/// The text with the lines of blocks once for each.
fn repeated(kernel: &str, lanes: u32, blocks: u32) -> String {
    let (mut text, mut lines) = (String::new(), None::<String>);
    for line in kernel.lines() {
        match (line.trim(), &mut lines) {
            ("// each block", _) => lines = Some(String::new()),
            ("// end", _) => {
                let of_block = lines.take().unwrap_or_default();
                for block in 0..blocks {
                    let offset = format!("{}u", block * lanes);
                    let of_block = of_block.replace("OFFSET#", &offset);
                    text.push_str(&of_block.replace('#', &block.to_string()));
                }
            }
            (_, Some(lines)) => {
                lines.push_str(line);
                lines.push('\n');
            }
            (_, None) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

impl Gpu {
    /// True where the path kernel can hold so many coordinates, and the device was not opened for a way of
    /// running recordings.
    #[must_use]
    pub fn walks(&self, features: usize) -> bool {
        let (limits, options) = (&self.limits, &self.options);
        let is_plain = options.regime == Regime::Auto
            && !(options.half_design || options.cooperative_products || options.large_tiles);
        is_plain
            && (1..=LARGEST).contains(&features)
            && self.buffer_limit() >= 1 << 20
            && limits.max_storage_buffers_per_shader_stage >= 7
            && limits.max_compute_invocations_per_workgroup >= LARGEST_SUBGROUP
    }

    /// The shape of the path kernel's teams for so many coordinates.
    #[must_use]
    pub fn team(&self, features: usize) -> Team {
        let subgroup = (self.sums() == Sums::Subgroup)
            .then_some(self.subgroup_size)
            .filter(|size| *size == self.least_subgroup_size);
        Team::new(features, subgroup)
    }

    /// Walks the segments, which hold every point once, and reports of each point; `keep` asks for the
    /// vectors too.
    ///
    /// # Errors
    /// When the device fails.
    pub fn walk(
        &self,
        problem: &Quadratic<f32>,
        points: &[WalkPoint<f32>],
        segments: &[Segment],
        limits: &Limits<f32>,
        keep: bool,
    ) -> Result<Walked<f32>> {
        self.check()?;
        let team = self.team(problem.features);
        let (d, size) = (problem.features, team.size());
        let trips = self.trip_limit();
        // One point must fit a dispatch.
        let room =
            (trips / team.trips()).saturating_sub(4 * ROUNDS as usize * (d + 1) + 4 * d + 512);
        let limits = &Limits {
            most: limits.most.min(room as u32 / 2),
            ..*limits
        };
        let weighted = problem.strengths.is_some();
        let name = format!("path kernel {team:?} {} {weighted}", problem.row.name());
        let groups = self.layout_of_walks();
        let layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("path kernel"),
                bind_group_layouts: &[Some(&groups)],
                immediate_size: 0,
            });
        let program = self.program_of_its_own(&name, Some(&layout), || {
            module(team, problem.row, weighted, trips)
        })?;
        let storage = |label, contents: &[u8]| {
            self.device
                .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: Some(label),
                    contents,
                    usage: wgpu::BufferUsages::STORAGE,
                })
        };
        let matrix = |label, values: &[f32]| {
            let mut padded = vec![0.0f32; size * size];
            for (row, values) in padded.chunks_exact_mut(size).zip(values.chunks_exact(d)) {
                row[..d].copy_from_slice(values);
            }
            storage(label, bytemuck::cast_slice(&padded))
        };
        let curvatures: Vec<f32> = (0..d).map(|j| problem.gram[j * d + j]).collect();
        let vectors = [
            &curvatures,
            &problem.linear,
            &problem.loss.at,
            &problem.loss.gradient,
            &problem.held_out_linear,
            &problem.criterion.at,
            &problem.criterion.gradient,
            problem.strengths.as_ref().unwrap_or(&curvatures),
        ];
        let mut padded = vec![0.0f32; vectors.len() * size];
        for (room, values) in padded.chunks_exact_mut(size).zip(vectors) {
            room[..d].copy_from_slice(values);
        }
        let gram = matrix("Gram matrix", &problem.gram);
        let held_out = matrix("held-out Gram matrix", &problem.held_out);
        let vectors = storage("vectors", bytemuck::cast_slice(&padded));
        let padded: Vec<[f32; 4]> = points.iter().map(|p| [p.l1, p.l2, p.gamma, 0.0]).collect();
        let point_buffer = storage("points", bytemuck::cast_slice(&padded));
        let found = arena::create(self, (4 * NUMBERS * points.len()) as u64)?;
        let kept_words = if keep { 2 * size * points.len() } else { 1 };
        let kept = arena::create(self, 4 * kept_words as u64)?;
        let mut numbers: Vec<f32> = Vec::new();
        let mut left: Vec<Segment> = segments.to_vec();
        while !left.is_empty() {
            let words: Vec<[u32; 2]> = left.iter().map(|s| [s.first, s.count]).collect();
            let segment_buffer = storage("segments", bytemuck::cast_slice(&words));
            let together = self.segments_of_a_dispatch(&left, team, limits);
            for first in (0..left.len()).step_by(together) {
                let tasks = together.min(left.len() - first) as u32;
                let settings = Settings {
                    first: first as u32,
                    tasks,
                    trips: trips_of_a_point(team, d, limits) as u32,
                    most: limits.most,
                    features: d as u32,
                    keep: u32::from(keep),
                    limit: limits.distance,
                    adjoint_limit: limits.adjoint.unwrap_or(0.0),
                    bounds: problem.bounds,
                    loss: problem.loss.value,
                    criterion: problem.criterion.value,
                };
                let settings = self
                    .device
                    .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                        label: Some("path kernel"),
                        contents: bytemuck::bytes_of(&settings),
                        usage: wgpu::BufferUsages::UNIFORM,
                    });
                let bound = [
                    &gram,
                    &held_out,
                    &vectors,
                    &point_buffer,
                    &segment_buffer,
                    &found,
                    &kept,
                    &settings,
                ];
                let x = tasks.min(self.limits.max_compute_workgroups_per_dimension);
                let grid = [x, tasks.div_ceil(x), 1];
                self.dispatch("path kernel", &program, &bound, grid);
            }
            let encoder = self.device.create_command_encoder(&Default::default());
            let bytes = (4 * NUMBERS * points.len()) as u64;
            numbers = Readback::request(self, encoder, &found, 0..bytes).wait(self)?;
            // A segment that was too long for one dispatch goes on where it ended.
            let reached = |at: u32| numbers[(at as usize + 1) * NUMBERS - 1] != 0.0;
            left = left
                .iter()
                .filter_map(|segment| {
                    let end = segment.first + segment.count;
                    let next = (segment.first..end).find(|&at| !reached(at))?;
                    (next > segment.first).then_some(Segment {
                        first: next,
                        count: end - next,
                    })
                })
                .collect();
        }
        let mut vectors = Vec::new();
        if keep {
            let encoder = self.device.create_command_encoder(&Default::default());
            let bytes = 4 * kept_words as u64;
            let padded: Vec<f32> = Readback::request(self, encoder, &kept, 0..bytes).wait(self)?;
            vectors.reserve(2 * d * points.len());
            let rows = padded.chunks_exact(size);
            rows.for_each(|row| vectors.extend_from_slice(&row[..d]));
        }
        arena::recycle(self, found);
        arena::recycle(self, kept);
        self.check()?;
        // infallible: chunks of that length.
        let of_point = |written: &[f32]| Numbers::of(written.try_into().expect("NUMBERS numbers"));
        Ok(Walked {
            numbers: numbers.chunks_exact(NUMBERS).map(of_point).collect(),
            vectors,
        })
    }

    /// The bindings of `shaders/path_kernel.wgsl`.
    fn layout_of_walks(&self) -> wgpu::BindGroupLayout {
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let types = [
            storage(true),
            storage(true),
            storage(true),
            storage(true),
            storage(true),
            storage(false),
            storage(false),
            wgpu::BufferBindingType::Uniform,
        ];
        let entries: Vec<wgpu::BindGroupLayoutEntry> = types
            .into_iter()
            .enumerate()
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        self.device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("path kernel"),
                entries: &entries,
            })
    }

    /// Segments whose work is that of one dispatch: short enough for a watchdog.
    fn segments_of_a_dispatch(
        &self,
        segments: &[Segment],
        team: Team,
        limits: &Limits<f32>,
    ) -> usize {
        let longest = segments.iter().map(|s| s.count).max().unwrap_or(1);
        let systems = if limits.adjoint.is_some() { 2.0 } else { 1.0 };
        // A coordinate moves a few times, and a move passes over all of them.
        let of_point = systems * 4.0 * (team.size() * team.size()) as f64 * 16.0;
        let speed = if self.summary.software {
            SOFTWARE_SPEED
        } else {
            HARDWARE_SPEED
        };
        let widest = self.limits.max_compute_workgroups_per_dimension as f64;
        let many = SECONDS * speed / (of_point * f64::from(longest));
        many.clamp(16.0, widest * widest) as usize
    }
}

/// Trips through loops that a point takes at most.
fn trips_of_a_point(team: Team, features: usize, limits: &Limits<f32>) -> usize {
    let updates = 2 * limits.most as usize + 4 * features + 256;
    updates * team.trips() + 4 * ROUNDS as usize * (features + 1) + 64 * team.trips()
}
