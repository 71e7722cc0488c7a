//! The direction of dependencies, read from the sources: a module names only modules below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom; modules of one layer may name each other only where it says so below.
const LAYERS: [&[&str]; 18] = [
    &["cli"],
    &["paper"],
    &["poison", "store"],
    &["tune"],
    &["report", "sweep"],
    &["hypergrad"],
    &["engine"],
    &["iterate", "path"],
    &["map"],
    &["l1_max"],
    &["problem"],
    &["data"],
    &["kernel"],
    &["exec"],
    &["model", "linalg"],
    &["control", "real"],
    &["kinds"],
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

/// The word that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// All paths of a use tree, such as `a::{b, c::{self, d as e}}`, segment by segment; also a path within
/// an expression. Stops where the tree ends.
fn expanded(tree: &str) -> Vec<Vec<String>> {
    fn walk(text: &str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
        let (mut at, mut path) = (0, prefix.to_vec());
        loop {
            at += text[at..].len() - text[at..].trim_start().len();
            if text[at..].starts_with('{') {
                at += 1;
                while at < text.len() && !text[at..].starts_with('}') {
                    at += walk(&text[at..], &path, paths);
                    let next = text[at..].find([',', '}']).unwrap_or(0);
                    at += next;
                    if text[at..].starts_with(',') {
                        at += 1;
                        at += text[at..].len() - text[at..].trim_start().len();
                    }
                }
                return (at + 1).min(text.len());
            }
            let segment = word(&text[at..]);
            at += segment.len();
            if segment != "self" || path.is_empty() {
                path.push(segment.to_string());
            }
            if segment.is_empty() || !text[at..].starts_with("::") {
                paths.push(path);
                return at;
            }
            at += 2;
        }
    }
    let mut paths = Vec::new();
    walk(tree, &[], &mut paths);
    paths
}

/// The paths that the code names, by their first segment: `crate`, `super`, `self`, or the module of a
/// `use`. What a module only re-exports is in the second list.
fn paths(code: &str) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let (mut named, mut exported) = (Vec::new(), Vec::new());
    let mut rest = String::new();
    // A statement begins a line, and ends with a semicolon.
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let start = line.trim_start();
        let Some(at) = start.find("use ").filter(|&at| {
            let before = start[..at].trim();
            before.is_empty() || before.starts_with("pub")
        }) else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = start[at + 4..].to_string();
        while !tree.contains(';') {
            tree.push_str(lines.next().unwrap_or(";"));
        }
        let list = if at == 0 { &mut named } else { &mut exported };
        list.extend(expanded(&tree));
    }
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in rest.match_indices(start) {
            let is_inside = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == ':');
            if !is_inside {
                named.extend(expanded(&rest[at..]));
            }
        }
    }
    (named, exported)
}

/// The modules of the crate that the code names.
fn named(code: &str) -> BTreeSet<String> {
    let (mut all, exported) = paths(code);
    all.extend(exported);
    let of_crate = all.into_iter().filter(|path| path[0] == "crate");
    of_crate.filter_map(|path| path.get(1).cloned()).collect()
}

/// The files by their modules, `["store", "read"]` for `store/read.rs`, each with what it names and
/// what it re-exports.
struct Sources(BTreeMap<Vec<String>, Source>);

struct Source {
    file: String,
    named: Vec<Vec<String>>,
    exported: Vec<Vec<String>>,
}

impl Sources {
    fn read() -> Self {
        let module = |file: &str| -> Vec<String> {
            let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
            let path = if path == "lib" { "" } else { path };
            path.split('/')
                .filter(|s| !s.is_empty())
                .map(String::from)
                .collect()
        };
        let sources = files().into_iter().filter(|(file, _)| file != "main.rs");
        Self(
            sources
                .map(|(file, text)| {
                    let (named, exported) = paths(&code(&text));
                    let source = Source {
                        named,
                        exported,
                        file: file.clone(),
                    };
                    (module(&file), source)
                })
                .collect(),
        )
    }

    /// The module of the file in which what a path names is defined, as seen from a module; `None` for
    /// paths of other crates.
    fn resolved(&self, from: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let mut place = match path[0].as_str() {
            "crate" => Vec::new(),
            "self" | "super" => from.to_vec(),
            first if self.0.contains_key(&[from, &[first.to_string()]].concat()) => from.to_vec(),
            _ => return None,
        };
        let mut rest = path.iter().peekable();
        while let Some(segment) = rest.peek() {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    place.pop();
                }
                name => {
                    let below = [&place[..], &[name.to_string()]].concat();
                    if !self.0.contains_key(&below) {
                        break;
                    }
                    place = below;
                }
            }
            rest.next();
        }
        // A name that the module only re-exports is defined elsewhere.
        if let (Some(item), Some(source)) = (rest.peek(), self.0.get(&place))
            && depth < 8
        {
            let same = |path: &&Vec<String>| path.last() == Some(item);
            if let Some(other) = source.exported.iter().find(same) {
                return self.resolved(&place, other, depth + 1).or(Some(place));
            }
        }
        self.0.contains_key(&place).then_some(place)
    }

    /// Per file the files that it names.
    fn arrows(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let arrows = self.0.iter().map(|(module, source)| {
            let targets = source
                .named
                .iter()
                .filter_map(|path| self.resolved(module, path, 0));
            let targets = targets.map(|target| self.0[&target].file.as_str());
            let others = targets.filter(|file| *file != source.file && *file != "lib.rs");
            (source.file.as_str(), others.collect())
        });
        arrows.collect()
    }
}

/// The files that can be reached from a file along arrows.
fn reached<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for &next in &arrows[file] {
            if found.insert(next) {
                open.push(next);
            }
        }
    }
    found
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
        if ["lib", "main", "prelude"].contains(&module.as_str()) {
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

/// Rooms whose files still name each other in circles.
const CIRCULAR: [&str; 0] = [];

#[test]
fn no_file_depends_on_itself() {
    let sources = Sources::read();
    let arrows = sources.arrows();
    assert!(
        arrows.values().map(BTreeSet::len).sum::<usize>() > 500,
        "too few are seen"
    );
    let reach: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|&file| (file, reached(&arrows, file)))
        .collect();
    let mut circles: BTreeSet<Vec<&str>> = BTreeSet::new();
    for (&file, others) in &reach {
        if others.contains(file) {
            let circle = others.iter().filter(|other| reach[**other].contains(file));
            circles.insert(circle.copied().collect());
        }
    }
    let room = |file: &str| {
        file.split(['/', '.'])
            .next()
            .unwrap_or_default()
            .to_string()
    };
    circles.retain(|circle| {
        let rooms: BTreeSet<String> = circle.iter().map(|file| room(file)).collect();
        rooms.len() > 1 || !rooms.iter().all(|room| CIRCULAR.contains(&room.as_str()))
    });
    let shown: Vec<String> = circles
        .iter()
        .map(|circle| {
            let inside = |file: &&&str| circle.contains(file);
            let arrows = circle.iter().map(|file| {
                let targets: Vec<&str> = arrows[file].iter().filter(inside).copied().collect();
                format!("  {file} -> {}", targets.join(", "))
            });
            arrows.collect::<Vec<_>>().join("\n")
        })
        .collect();
    assert!(circles.is_empty(), "circles:\n{}", shown.join("\n\n"));
}

#[test]
fn wgpu_is_named_by_the_gpu_executor_alone() {
    let wrong: Vec<String> = files()
        .into_iter()
        .filter(|(file, text)| {
            // The stand-in of a build without devices names what logs there.
            !(file.starts_with("exec/gpu") || file == "exec/no_gpu.rs")
                && code(text).contains("wgpu")
        })
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
    let tree =
        |text: &str| -> Vec<String> { expanded(text).iter().map(|path| path.join("::")).collect() };
    assert_eq!(
        tree("super::{self, a::{B, c as d}, e}; x"),
        ["super", "super::a::B", "super::a::c", "super::e"]
    );
    assert_eq!(
        tree("crate::error::Error::value(x)"),
        ["crate::error::Error::value"]
    );
    let (named, exported) = paths("use a::B;\npub use c::{D,\n  E};\nlet x = super::f();");
    assert_eq!(named, [vec!["a", "B"], vec!["super", "f"]]);
    assert_eq!(exported, [vec!["c", "D"], vec!["c", "E"]]);
}

/// Without features the documentation shows few modules: the others are inner ones.
#[test]
fn the_core_shows_at_most_nine_modules() {
    let root = files().into_iter().find(|(file, _)| file == "lib.rs");
    let (_, text) = root.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let shown: Vec<&str> = (1..lines.len())
        .filter(|&at| !lines[at - 1].starts_with("#["))
        .filter_map(|at| lines[at].strip_prefix("pub mod "))
        .collect();
    assert!((1..=9).contains(&shown.len()), "{shown:?}");
}
