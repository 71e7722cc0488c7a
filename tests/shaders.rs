//! The kernels' WGSL: every file binds what its kernel declares and makes a valid module.

use std::fs;
use std::path::Path;

use naga::front::wgsl;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use proxdiff::exec::gpu::path_kernel::{self, Team};
use proxdiff::exec::gpu::program::{self, Shader, Storage, Sums, Variant};
use proxdiff::model::loss::Loss;
use proxdiff::model::penalty::Row;

/// What `kernel! { … NAME = twin(inputs) -> (outputs) [parameters] }` says.
struct Declaration {
    name: String,
    bindings: Vec<String>,
    parameters: Vec<String>,
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of a list.
fn names(list: &str) -> impl Iterator<Item = String> {
    list.split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let start = text
        .find(open)
        .unwrap_or_else(|| panic!("{open} in {text}"))
        + open.len();
    let length = text[start..]
        .find(close)
        .unwrap_or_else(|| panic!("{close} in {text}"));
    &text[start..start + length]
}

fn declarations() -> Vec<Declaration> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernel");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for block in text.split("\nkernel! {").skip(1) {
            let line = block
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.starts_with("//"))
                .unwrap();
            let (inputs, outputs) = line.split_once(" -> ").unwrap();
            found.push(Declaration {
                name: between(inputs, " = ", "(").to_owned(),
                bindings: names(between(inputs, "(", ")"))
                    .chain(names(between(outputs, "(", ")")))
                    .collect(),
                parameters: names(between(outputs, "[", "]")).collect(),
            });
        }
    }
    assert!(found.len() > 50, "only {} declarations", found.len());
    found
}

/// A name as WGSL takes it: reserved words end in an underscore.
fn safe(name: &str) -> String {
    if naga::keywords::wgsl::RESERVED.contains(&name) {
        format!("{name}_")
    } else {
        name.to_owned()
    }
}

/// The kernel's function: functions of WGSL keep their names.
fn function(name: &str) -> String {
    match name {
        "dot" | "distance" | "select" => format!("{name}_kernel"),
        _ => name.to_owned(),
    }
}

/// The kernel as programs are made of it.
fn shader(kernel: &Declaration) -> Shader {
    let text = read(&format!("shaders/{}.wgsl", kernel.name));
    let leaked = |names: &[String]| -> &'static [&'static str] {
        let names: Vec<&str> = names.iter().map(|name| &*name.clone().leak()).collect();
        names.leak()
    };
    Shader {
        name: kernel.name.clone().leak(),
        text: text.leak(),
        inputs: leaked(&kernel.bindings),
        outputs: &[],
        parameters: leaked(&kernel.parameters),
    }
}

/// Every way of storing the design and of adding up.
fn variants() -> Vec<Variant> {
    let storages = [Storage::F32, Storage::NativeF16, Storage::PackedF16];
    let pairs = storages
        .map(|storage| [Sums::Workgroup, Sums::Subgroup].map(|sums| Variant { storage, sums }));
    pairs.concat()
}

fn assert_valid(name: &str, text: &str) {
    let module = match wgsl::parse_str(text) {
        Ok(module) => module,
        Err(error) => panic!("{name}: {}", error.emit_to_string(text)),
    };
    let capabilities = Capabilities::SUBGROUP
        | Capabilities::SHADER_FLOAT16
        | Capabilities::COOPERATIVE_MATRIX
        | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    if let Err(error) = Validator::new(ValidationFlags::all(), capabilities).validate(&module) {
        panic!("{name}: {}", error.emit_to_string(text));
    }
}

#[test]
fn every_kernel_makes_a_valid_module() {
    for kernel in &declarations() {
        for variant in variants() {
            let text = program::module(&[shader(kernel)], false, variant);
            assert_valid(&kernel.name, &text);
        }
    }
}

#[test]
fn all_kernels_fit_into_one_resident_module() {
    let shaders: Vec<Shader> = declarations().iter().map(shader).collect();
    for variant in variants() {
        assert_valid("all", &program::module(&shaders, true, variant));
    }
}

#[test]
fn the_executors_own_programs_are_valid() {
    for shader in [program::COPY_ROWS, program::FILL_ROWS, program::SUM_PARTS] {
        for variant in variants() {
            assert_valid(shader.name, &program::module(&[shader], false, variant));
        }
    }
    for variant in variants() {
        assert_valid("tiled_product", &program::tiled_product(variant));
        let text = program::cooperative_product(variant);
        assert_valid("cooperative_product", &text);
    }
    assert_valid("repack", program::repack());
}

/// Teams of any subgroup, and workgroups, for any number of coordinates.
#[test]
fn the_path_kernel_is_valid() {
    for features in [1, 9, 100, 256] {
        for subgroup in [Some(4), Some(8), Some(16), Some(32), Some(64), None] {
            let team = Team::new(features, subgroup);
            assert!((team.lanes * team.blocks) as usize >= features, "{team:?}");
            for row in [Row::SoftThreshold, Row::NonNegative, Row::Interval] {
                for weighted in [false, true] {
                    let text = path_kernel::module(team, row, weighted, 60_000);
                    assert_valid(&format!("{team:?} {row:?}"), &text);
                }
            }
        }
    }
}

/// A comparator that cannot fail would prove nothing.
#[test]
#[should_panic(expected = "broken")]
fn a_broken_shader_is_found() {
    let broken = Shader {
        name: "broken",
        text: "fn broken(team: Team) { reals[0] = words[0]; }",
        inputs: &[],
        outputs: &[],
        parameters: &[],
    };
    let variant = variants()[0];
    assert_valid("broken", &program::module(&[broken], false, variant));
}

/// What a kernel binds is declared once, in Rust: its file declares none of it.
#[test]
fn kernels_declare_neither_bindings_nor_parameters() {
    for kernel in declarations() {
        let shader = read(&format!("shaders/{}.wgsl", kernel.name));
        let head = format!("fn {}(team: Team) {{\n", function(&kernel.name));
        assert!(
            shader.contains(&head),
            "no `{}` in {}",
            head.trim(),
            kernel.name
        );
        for line in shader.lines().map(str::trim) {
            let own = line.starts_with("const ") || line.contains("= parameter(");
            assert!(!own, "{}: {line}", kernel.name);
        }
        let text = program::module(&[self::shader(&kernel)], false, variants()[0]);
        for (at, name) in kernel.bindings.iter().enumerate() {
            let line = format!("\n    const {} = {at}u;\n", safe(name));
            assert!(text.contains(&line), "{}: {line}", kernel.name);
        }
        for (at, name) in kernel.parameters.iter().enumerate() {
            let line = format!("\n    let {} = parameter({at}u);\n", safe(name));
            assert!(text.contains(&line), "{}: {line}", kernel.name);
        }
    }
}

/// The constants of the tables are those of the enums, and no shader names a row by a number.
#[test]
fn tags_are_those_of_the_enums() {
    let kernels = declarations();
    let kernel = |name: &str| shader(kernels.iter().find(|k| k.name == name).unwrap());
    let variant = variants()[0];
    let penalties = program::module(&[kernel("prox")], false, variant);
    for &row in Row::ALL {
        let name = row.name().to_uppercase();
        let line = format!("const ROW_{name}: u32 = {}u;", row as u32);
        assert!(penalties.contains(&line), "{line}");
        assert_eq!(Row::of_tag(row as u32), row);
    }
    let losses = program::module(&[kernel("residual")], false, variant);
    for loss in Loss::ALL {
        let name = loss.name().replace('-', "_").to_uppercase();
        let line = format!("const LOSS_{name}: u32 = {}u;", loss.tag());
        assert!(losses.contains(&line), "{line}");
        assert_eq!(Loss::of_tag(loss.tag(), loss.shape()), loss);
    }
    for kernel in &kernels {
        let text = read(&format!("shaders/{}.wgsl", kernel.name));
        for tag in [
            "penalty == ",
            "penalty != ",
            "loss == ",
            "loss != ",
            "row == ",
        ] {
            for after in text.split(tag).skip(1) {
                let is_name = after.starts_with(|c: char| c.is_ascii_uppercase());
                assert!(is_name, "{}: {tag}{}", kernel.name, &after[..4]);
            }
        }
    }
}
