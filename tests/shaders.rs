//! The kernels' WGSL: every file binds what its kernel declares and makes a valid module.

use std::fs;
use std::path::Path;

use naga::front::wgsl;
use naga::valid::{Capabilities, ValidationFlags, Validator};

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

fn piece(name: &str) -> String {
    read(&format!("shaders/lib/{name}.wgsl"))
}

/// A module around kernels that calls all of them.
fn module(kernels: &[&Declaration]) -> String {
    let mut text = piece("layout");
    text.push_str("@group(0) @binding(5) var<uniform> jobs: array<Job, 1>;\n");
    for name in ["team", "team_sum", "numerics", "design_f32"] {
        text.push_str(&piece(name));
    }
    let shaders: Vec<String> = kernels
        .iter()
        .map(|kernel| read(&format!("shaders/{}.wgsl", kernel.name)))
        .collect();
    for name in ["loss", "penalty"] {
        let used = |shader: &String| {
            let first = shader.lines().next().unwrap_or_default();
            first
                .strip_prefix("// uses: ")
                .is_some_and(|list| names(list).any(|used| used == name))
        };
        if shaders.iter().any(used) {
            text.push_str(&piece(name));
        }
    }
    shaders.iter().for_each(|shader| text.push_str(shader));
    text.push_str(
        "@compute @workgroup_size(WIDTH * LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let team = join_team(group, groups, index);
",
    );
    for kernel in kernels {
        text.push_str(&format!("    {}(team);\n", function(&kernel.name)));
    }
    text.push_str("}\n");
    text
}

fn assert_valid(name: &str, text: &str) {
    let module = match wgsl::parse_str(text) {
        Ok(module) => module,
        Err(error) => panic!("{name}: {}", error.emit_to_string(text)),
    };
    if let Err(error) =
        Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module)
    {
        panic!("{name}: {}", error.emit_to_string(text));
    }
}

#[test]
fn every_kernel_makes_a_valid_module() {
    for kernel in &declarations() {
        assert_valid(&kernel.name, &module(&[kernel]));
    }
}

#[test]
fn all_kernels_fit_into_one_module() {
    let declarations = declarations();
    assert_valid("all", &module(&declarations.iter().collect::<Vec<_>>()));
}

#[test]
fn bindings_and_parameters_are_those_declared() {
    for kernel in declarations() {
        let shader = read(&format!("shaders/{}.wgsl", kernel.name));
        let head = format!("fn {}(team: Team) {{\n", function(&kernel.name));
        let body = shader
            .split_once(&head)
            .unwrap_or_else(|| panic!("no `{}` in {}", head.trim(), kernel.name))
            .1;
        let expected: Vec<String> = kernel
            .bindings
            .iter()
            .enumerate()
            .map(|(at, name)| format!("    const {} = {at}u;", safe(name)))
            .collect();
        let found: Vec<&str> = body.lines().take(expected.len()).collect();
        assert_eq!(found, expected, "{}", kernel.name);
        // Parameters that are not used may be missing.
        let mut last = None;
        for line in body.lines().filter(|line| line.contains("= parameter(")) {
            let name = between(line, "let ", " ");
            let at: usize = between(line, "parameter(", "u)").parse().unwrap();
            assert_eq!(
                kernel.parameters.get(at).map(|name| safe(name)).as_deref(),
                Some(name),
                "{}: {line}",
                kernel.name
            );
            assert!(last < Some(at), "{}: {line}", kernel.name);
            last = Some(at);
        }
    }
}
