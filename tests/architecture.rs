//! The direction of dependencies, read from the sources: a module names only modules below it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom; modules of one layer may name each other only where it says so below.
const LAYERS: [&[&str]; 14] = [
    &["cli"],
    &["sweep", "paper", "poison"],
    &["store", "report"],
    &["hypergrad"],
    &["iterate", "path"],
    &["map"],
    &["l1_max"],
    &["problem"],
    &["data"],
    &["kernel"],
    &["exec"],
    &["penalty", "loss"],
    &["kinds", "control", "real"],
    &["error"],
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file that is not a test's: its path below src.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            (name, fs::read_to_string(path).unwrap())
        })
        .filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/"))
        .collect()
}

/// The code without comments and without what follows `#[cfg(test)]`.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<&str>>()
        .join("\n")
}

/// The modules of the crate that the code names: after `crate::`, alone or in braces.
fn named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut names = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(inner) = after.strip_prefix('{') else {
            names.insert(word(after));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                c if start && !c.is_whitespace() => {
                    names.insert(word(&inner[at..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn dependencies_point_downwards() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, text) in files() {
        let module = file
            .split('/')
            .next()
            .unwrap()
            .trim_end_matches(".rs")
            .to_string();
        if module == "lib" || module == "main" {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("the module `{module}` has no layer"));
        seen.insert(module.clone());
        for name in named(&code(&text)) {
            // Names that lib.rs re-exports, and macros, belong to these modules.
            let target = match name.as_str() {
                "Control" => "control",
                "Error" | "Result" => "error",
                "Point" | "Problem" | "Specification" => "problem",
                other => other,
            };
            match layer(target) {
                _ if target == module => {}
                Some(below) if below > own => {}
                Some(_) => wrong.push(format!(
                    "src/{file} names crate::{target}, which is not below {module}"
                )),
                None => wrong.push(format!(
                    "src/{file} names crate::{target}, which has no layer"
                )),
            }
        }
    }
    let declared: BTreeSet<String> = LAYERS
        .iter()
        .flat_map(|modules| modules.iter().map(ToString::to_string))
        .collect();
    assert_eq!(seen, declared, "modules and layers");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wgpu_is_named_by_the_gpu_executor_alone() {
    let wrong: Vec<String> = files()
        .into_iter()
        .filter(|(file, text)| !file.starts_with("exec/gpu") && code(text).contains("wgpu"))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The reading itself: what is named is found, what is commented or a test's is not.
#[test]
fn names_are_read() {
    let text = "use crate::{cli::{run, data}, path};\nlet x = crate::map::Map; // crate::hypergrad\n#[cfg(test)]\nuse crate::exec;";
    let found: Vec<String> = named(&code(text)).into_iter().collect();
    assert_eq!(found, ["cli", "map", "path"]);
}

/// Without features the documentation shows few modules: the others are inner ones.
#[test]
fn the_core_shows_at_most_eight_modules() {
    let root = files().into_iter().find(|(file, _)| file == "lib.rs");
    let (_, text) = root.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let shown: Vec<&str> = (1..lines.len())
        .filter(|&at| !lines[at - 1].starts_with("#["))
        .filter_map(|at| lines[at].strip_prefix("pub mod "))
        .collect();
    assert!((1..=8).contains(&shown.len()), "{shown:?}");
}
