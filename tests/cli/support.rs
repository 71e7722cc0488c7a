//! Running the program, and small data for it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use npyz::WriterBuilder;
use serde_json::Value;
use tempfile::TempDir;

/// The program under test, with a quiet log.
pub fn program() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("proxdiff"));
    command.env_remove("RUST_LOG");
    command
}

/// Runs the program.
pub fn run(arguments: &[&str]) -> Output {
    let mut program = program();
    // Without it some drivers complain on standard error.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        program.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
    program.args(arguments).output().unwrap()
}

/// Standard output of a run that must succeed and keep standard error empty.
pub fn ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The JSON of a run whose standard error may hold warnings, and these.
pub fn warned(arguments: &[&str]) -> (Value, String) {
    let output = run(&[arguments, &["--format", "json"]].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    (serde_json::from_slice(&output.stdout).unwrap(), errors)
}

/// The JSON object that a successful run prints.
pub fn json(arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.extend(["--format", "json"]);
    serde_json::from_str(&ok(&arguments)).unwrap()
}

/// The embedded diabetes data as a file.
pub const DIABETES: &str = "src/data/embedded/diabetes.csv";

/// Coefficients and intercept of the first point of a fit, which must converge.
pub fn fitted(flags: &[&str]) -> (Vec<f64>, f64) {
    let folder = Folder::new();
    let model = as_text(&folder.path("m"));
    let report = json(&[&["fit", "--coefficients", "--out", &model], flags].concat());
    let point = &report["points"][0];
    assert_eq!(point["status"], "converged", "{flags:?}");
    (
        numbers(&point["coefficients"]),
        point["intercept"].as_f64().unwrap(),
    )
}

/// The one line on standard error of a run that must fail with this status.
pub fn fails(arguments: &[&str], status: i32) -> String {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {errors}"
    );
    assert!(errors.starts_with("error: "), "{arguments:?}: {errors}");
    assert_eq!(
        errors.trim_end().lines().count(),
        1,
        "{arguments:?}: {errors}"
    );
    errors
}

/// The words of a command line, in which every `{}` is the next of the values.
pub fn words<'a>(line: &'a str, values: &[&'a str]) -> Vec<&'a str> {
    let mut values = values.iter().copied();
    let word = |word| {
        if word == "{}" {
            values.next().unwrap()
        } else {
            word
        }
    };
    line.split(' ').map(word).collect()
}

/// A folder of files that is removed at the end.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A text file; its path as a flag takes it.
    pub fn text(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        as_text(&path)
    }

    /// A NumPy array of f64.
    pub fn npy(&self, name: &str, shape: &[u64], values: &[f64]) -> String {
        let path = self.path(name);
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values).unwrap();
        writer.finish().unwrap();
        std::fs::write(&path, bytes).unwrap();
        as_text(&path)
    }
}

pub fn as_text(path: &Path) -> String {
    path.to_str().unwrap().to_string()
}

/// Numbers in [−1, 1) without any pattern, the same on every machine.
pub fn noise(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(next).collect()
}

/// A CSV file with features `a,b,c` and targets `y` (a linear model with noise), `z` (another),
/// `label` (two classes as text) and `kind` (three classes as text).
pub fn table(rows: usize, seed: u64) -> String {
    let numbers = noise(rows * 4, seed);
    let mut text = String::from("a,b,c,y,z,label,kind\n");
    for row in numbers.chunks(4) {
        let (a, b, c) = (row[0], 10.0 * row[1] + 3.0, 0.1 * row[2]);
        let y = 2.0 * a - 0.3 * b + 1.0 + 0.2 * row[3];
        let z = 0.5 * b + 4.0 * c + 0.1 * row[3];
        let label = if a + 0.3 * row[3] > 0.0 { "yes" } else { "no" };
        let kind = match a + 0.2 * row[3] {
            v if v < -0.3 => "low",
            v if v < 0.3 => "middle",
            _ => "high",
        };
        text.push_str(&format!("{a},{b},{c},{y},{z},{label},{kind}\n"));
    }
    text
}

/// The same table with only the named columns.
pub fn columns(table: &str, names: &[&str]) -> String {
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let at: Vec<usize> = names
        .iter()
        .map(|name| header.iter().position(|h| h == name).unwrap())
        .collect();
    table
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let kept: Vec<&str> = at.iter().map(|&j| fields[j]).collect();
            kept.join(",") + "\n"
        })
        .collect()
}

/// Presses Ctrl-C for a command that runs: what it says, and the JSON that it prints, with exit status 1.
#[cfg_attr(not(unix), allow(dead_code))]
pub fn interrupted(child: Child) -> (String, Value) {
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    (errors, serde_json::from_slice(&output.stdout).unwrap())
}

/// The numbers of a JSON array, or of a single number.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![
            value
                .as_f64()
                .unwrap_or_else(|| panic!("{value} is no number")),
        ],
    }
}

/// Asserts agreement, entry by entry, relative to the larger of the two.
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
    for (f, e) in found.iter().zip(expected) {
        let scale = f.abs().max(e.abs());
        assert!(
            f.is_finite() && (f - e).abs() <= tolerance * scale,
            "{found:?} {expected:?}"
        );
    }
}
