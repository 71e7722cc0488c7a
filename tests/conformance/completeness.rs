//! No kernel without its cases.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The twins named by `kernel! { … NAME = twin(…) … }` in the sources.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernel");
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for block in text.split("\nkernel! {").skip(1) {
            let line = block
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.starts_with("//"))
                .unwrap();
            let (_, rest) = line
                .split_once(" = ")
                .unwrap_or_else(|| panic!("a declaration in `{line}`"));
            names.insert(rest.split('(').next().unwrap().to_string());
        }
    }
    names
}

#[test]
fn every_kernel_has_cases() {
    let declared = declared();
    assert!(
        declared.len() > 50,
        "only {} declarations were found",
        declared.len()
    );
    let tested: BTreeSet<String> = crate::harness::entries()
        .iter()
        .map(|entry| entry.kernel.name.to_string())
        .collect();
    assert_eq!(declared, tested);
}
