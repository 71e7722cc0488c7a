//! Programs: WGSL modules put together from the kernels' files and the shared pieces.
//!
//! Every kernel is a function of its team (`shaders/lib/team.wgsl`) over the same bindings, so that a
//! module may hold one kernel, run once per dispatch, or all kernels of a recording, replayed by a
//! workgroup that keeps its problems. The tiled product is a program of its own.

use super::job::MAX_COMMANDS;
use super::tables;
use crate::exec::Kernel;

/// A WGSL function of its team: the name of its file, the text, and the names that it binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shader {
    /// The name.
    pub name: &'static str,
    /// The text, without declarations of what it binds.
    pub text: &'static str,
    /// Its inputs, in binding order.
    pub inputs: &'static [&'static str],
    /// Its outputs, in binding order after the inputs.
    pub outputs: &'static [&'static str],
    /// Its integer parameters.
    pub parameters: &'static [&'static str],
}

impl Shader {
    const fn own(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            inputs: &[],
            outputs: &[],
            parameters: &[],
        }
    }

    /// The text with the names of bindings and parameters at the head of its function.
    fn declared(&self) -> String {
        // Words that WGSL keeps for itself end in an underscore.
        let safe = |name: &str| match name {
            "active" | "from" => format!("{name}_"),
            name => name.to_owned(),
        };
        let head = format!("fn {}(team: Team) {{\n", function_name(self));
        let mut declared = head.clone();
        for (at, name) in self.inputs.iter().chain(self.outputs).enumerate() {
            declared.push_str(&format!("    const {} = {at}u;\n", safe(name)));
        }
        for (at, name) in self.parameters.iter().enumerate() {
            declared.push_str(&format!("    let {} = parameter({at}u);\n", safe(name)));
        }
        self.text.replacen(&head, &declared, 1)
    }
}

impl From<&Kernel> for Shader {
    fn from(kernel: &Kernel) -> Self {
        Self {
            name: kernel.name,
            text: kernel.shader,
            inputs: kernel.inputs,
            outputs: kernel.outputs,
            parameters: kernel.parameters,
        }
    }
}

/// `to ← from`, for [`Command::Copy`](crate::exec::Command::Copy).
pub const COPY_ROWS: Shader =
    Shader::own("copy_rows", include_str!("../../../shaders/copy_rows.wgsl"));

/// `to ← value`, for [`Command::Fill`](crate::exec::Command::Fill).
pub const FILL_ROWS: Shader =
    Shader::own("fill_rows", include_str!("../../../shaders/fill_rows.wgsl"));

/// The end of a split product.
pub const SUM_PARTS: Shader =
    Shader::own("sum_parts", include_str!("../../../shaders/sum_parts.wgsl"));

/// The storage of entries of the dense design on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Storage {
    /// Four bytes an entry.
    #[default]
    F32,
    /// Two bytes an entry, read by the device's own f16 loads.
    NativeF16,
    /// Two bytes an entry, unpacked by arithmetic.
    PackedF16,
}

impl Storage {
    /// Bytes of an entry.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::NativeF16 | Self::PackedF16 => 2,
        }
    }

    fn piece(self) -> &'static str {
        match self {
            Self::F32 => include_str!("../../../shaders/lib/design_f32.wgsl"),
            Self::NativeF16 => include_str!("../../../shaders/lib/design_native_f16.wgsl"),
            Self::PackedF16 => include_str!("../../../shaders/lib/design_f16.wgsl"),
        }
    }
}

/// The way in which the members of a team add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sums {
    /// Through workgroup memory alone.
    Workgroup,
    /// By shuffles inside subgroups first.
    Subgroup,
}

/// The features that distinguish one module from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The storage of the design.
    pub storage: Storage,
    /// The sums of teams.
    pub sums: Sums,
}

const LAYOUT: &str = include_str!("../../../shaders/lib/layout.wgsl");
const TEAM: &str = include_str!("../../../shaders/lib/team.wgsl");
const NUMERICS: &str = include_str!("../../../shaders/lib/numerics.wgsl");
const ENTRY: &str = include_str!("../../../shaders/lib/entry.wgsl");
const RESIDENT: &str = include_str!("../../../shaders/lib/resident.wgsl");
const TILED: &str = include_str!("../../../shaders/tiled_product.wgsl");
const COOPERATIVE: &str = include_str!("../../../shaders/cooperative_product.wgsl");
const REPACK: &str = include_str!("../../../shaders/repack.wgsl");

/// Tables that a kernel's file names in its first line, `// uses: a, b`.
const TABLES: [Table; 2] = [
    Table {
        name: "loss",
        text: tables::loss,
    },
    Table {
        name: "penalty",
        text: tables::penalty,
    },
];

/// A table that kernels may use, and what makes its text.
struct Table {
    name: &'static str,
    text: fn() -> String,
}

/// The name of a kernel's WGSL function: that of the kernel, with `_kernel` after it where WGSL has
/// a function of that name.
fn function_name(shader: &Shader) -> String {
    let renamed = format!("{}_kernel", shader.name);
    if shader.text.contains(&format!("fn {renamed}(")) {
        renamed
    } else {
        shader.name.to_owned()
    }
}

/// True when a kernel needs its whole team in one workgroup.
#[must_use]
pub fn needs_one_workgroup(shader: &Shader) -> bool {
    shader.text.contains("team_sum(") || shader.text.contains("team_barrier(")
}

/// Names that a kernel's file uses.
fn uses(shader: &str) -> impl Iterator<Item = &str> {
    shader
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("// uses: "))
        .into_iter()
        .flat_map(|names| names.split(", "))
}

/// The text before every entry point: features, bindings, helpers.
fn prelude(variant: Variant, commands: usize) -> String {
    let mut text = String::new();
    if variant.storage == Storage::NativeF16 {
        text.push_str("enable f16;\n");
    }
    text.push_str(LAYOUT);
    text.push_str(&format!(
        "@group(0) @binding(5) var<uniform> jobs: array<Job, {commands}>;\n"
    ));
    text.push_str(TEAM);
    text.push_str(NUMERICS);
    text.push_str(match variant.sums {
        Sums::Workgroup => include_str!("../../../shaders/lib/team_sum.wgsl"),
        Sums::Subgroup => include_str!("../../../shaders/lib/team_sum_subgroup.wgsl"),
    });
    text.push_str(variant.storage.piece());
    text
}

/// The module of one kernel (`resident` false), or of several that a workgroup replays.
#[must_use]
pub fn module(kernels: &[Shader], resident: bool, variant: Variant) -> String {
    let mut text = prelude(variant, if resident { MAX_COMMANDS } else { 1 });
    for table in TABLES {
        if kernels
            .iter()
            .any(|k| uses(k.text).any(|used| used == table.name))
        {
            text.push_str(&(table.text)());
        }
    }
    for kernel in kernels {
        text.push_str(&kernel.declared());
    }
    text.push_str("fn call_kernel(which: u32, team: Team) {\n    switch which {\n");
    for (at, kernel) in kernels.iter().enumerate() {
        let function = function_name(kernel);
        text.push_str(&format!("        case {at}u: {{ {function}(team); }}\n"));
    }
    text.push_str("        default: {}\n    }\n}\n");
    let entry = if resident { RESIDENT } else { ENTRY };
    match variant.sums {
        Sums::Workgroup => text.push_str(entry),
        Sums::Subgroup => text.push_str(&with_subgroup_size(entry)),
    }
    text
}

/// An entry point that also receives the size of its subgroup.
fn with_subgroup_size(entry: &str) -> String {
    entry.replace(
        "index: u32,\n) {",
        "index: u32,\n    @builtin(subgroup_size) size: u32,\n) {\n    subgroup_size = size;",
    )
}

/// The module of the tiled product.
#[must_use]
pub fn tiled_product(variant: Variant) -> String {
    let variant = Variant {
        sums: Sums::Workgroup,
        ..variant
    };
    prelude(variant, 1) + TILED
}

/// The module of the product by cooperative matrices: 16 × 16, factors in f16, sums in f32.
#[must_use]
pub fn cooperative_product(variant: Variant) -> String {
    let variant = Variant {
        sums: Sums::Workgroup,
        ..variant
    };
    let mut text = String::from("enable wgpu_cooperative_matrix;\n");
    if variant.storage != Storage::NativeF16 {
        text.push_str("enable f16;\n");
    }
    text + &prelude(variant, 1) + COOPERATIVE
}

/// The module that moves problems between slots.
#[must_use]
pub fn repack() -> &'static str {
    REPACK
}
