//! `tune --report`: one page that loads nothing, with what every tuning has to show.

use std::fs;

use super::{Data, data};
use crate::support::{as_text, fails, ok, run};

/// The page of a tuning, and the names of the charts beside it.
fn report(data: &Data, flags: &[&str]) -> (String, Vec<String>) {
    let folder = as_text(&data.folder.path("page"));
    ok(&data.with("tune", &[flags, &["--report", &folder]].concat()));
    let page = fs::read_to_string(data.folder.path("page/report.html")).unwrap();
    let names = fs::read_dir(&folder).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".svg"))
        .collect();
    names.sort();
    for name in &names {
        let png = data
            .folder
            .path(&format!("page/{}", name.replace(".svg", ".png")));
        assert!(fs::read(png).unwrap().starts_with(b"\x89PNG"), "{name}");
        let svg = fs::read_to_string(data.folder.path(&format!("page/{name}"))).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    }
    for outside in ["src=\"http", "href=", "<script src", "@import", "url(http"] {
        assert!(!page.contains(outside), "{outside}");
    }
    (page, names)
}

#[test]
fn two_variables_have_a_surface_with_the_ways_of_all_starts() {
    let data = data(40, 8, 2);
    let (page, names) = report(&data, &["--cv", "5", "--test-fraction", "0.2"]);
    assert_eq!(names, ["descents.svg", "surface.svg"]);
    let surface = fs::read_to_string(data.folder.path("page/surface.svg")).unwrap();
    assert!(surface.contains("Criterion over l1 and l2"));
    // A dark and a pale line for each way, and the dot where it ended.
    let named = page.matches("<title>start 1 (").count();
    assert_eq!(named, 1);
    let ways = surface.matches("<polyline").count();
    assert!(ways >= 2 && ways.is_multiple_of(2), "{ways}");
    assert_eq!(
        surface.matches("<circle cx").count() - 2,
        ways / 2,
        "a ring and the ends"
    );
    for words in [
        "projected slope",
        "mean over 5 folds",
        "test row",
        "arrows of descent",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn one_variable_has_a_curve() {
    let data = data(40, 8, 2);
    let (page, names) = report(&data, &["--tune", "l1", "--l2", "0.5"]);
    assert_eq!(names, ["criterion.svg", "descents.svg"]);
    assert!(page.contains("Criterion along l1") && page.contains("evaluated"));
    // What is fixed is said too.
    assert!(
        page.contains("<td>l2</td><td>0.5</td><td>–</td><td>fixed</td>"),
        "{page}"
    );
}

#[test]
fn a_vector_has_its_entries_by_name_and_its_first_stage_a_curve() {
    let data = data(40, 8, 2);
    let (page, names) = report(
        &data,
        &["--tune", "l1[]", "--l2", "0.01", "--guard", "none"],
    );
    assert_eq!(names, ["criterion.svg", "descents.svg", "entries-1.svg"]);
    assert!(page.contains("Entries of l1[]") && page.contains("all 8"));
    assert!(page.contains("of what all entries have in common"));
    for feature in 0..8 {
        assert!(page.contains(&format!(">x{feature}<")), "x{feature}");
    }
}

#[test]
fn of_many_entries_the_largest_and_smallest_are_drawn() {
    let data = data(60, 40, 2);
    let flags = [
        "--tune",
        "l2[]",
        "--l1",
        "0",
        "--guard",
        "none",
        "--max-evaluations",
        "60",
    ];
    let (page, names) = report(&data, &flags);
    assert!(names.contains(&"entries-1.svg".to_string()), "{names:?}");
    assert!(page.contains("the 12 largest and smallest of 40"));
}

#[test]
fn a_report_takes_no_place_of_an_input() {
    let data = data(40, 8, 2);
    let error = fails(&data.with("tune", &["--report", &data.train[1]]), 2);
    assert!(
        error.contains("--report") && error.contains("is used by the same command"),
        "{error}"
    );
}

#[test]
fn what_the_first_stage_leaves_out_is_named() {
    let data = data(40, 8, 2);
    let flags = ["--loss", "huber", "--tune", "l1,l2,huber-delta"];
    let (page, _) = report(&data, &[&flags[..], &["--max-evaluations", "60"]].concat());
    assert!(page.contains("with huber-delta fixed at"));
    assert!(!page.contains("all entries have in common"));
}

/// Some that draw SVG refuse a line of one place.
#[test]
fn a_way_of_one_place_is_a_dot_alone() {
    let data = data(40, 8, 2);
    let words = ["--max-evaluations", "1", "--report"];
    let folder = as_text(&data.folder.path("page"));
    let output = run(&data.with("tune", &[&words[..], &[folder.as_str()]].concat()));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let surface = fs::read_to_string(data.folder.path("page/surface.svg")).unwrap();
    assert!(!surface.contains("<polyline") && surface.contains("<circle"));
}

#[test]
fn a_prior_has_bars_to_the_side_of_its_sign() {
    let data = data(40, 8, 2);
    let flags = [
        "--tune",
        "prior,l2",
        "--guard",
        "none",
        "--max-evaluations",
        "60",
    ];
    let (page, names) = report(&data, &flags);
    assert!(page.contains("with prior fixed at the start"));
    let name = names
        .iter()
        .find(|name| name.starts_with("entries"))
        .unwrap();
    let bars = fs::read_to_string(data.folder.path(&format!("page/{name}"))).unwrap();
    // Signed bars say name and value where they are pointed at.
    assert!(bars.contains("<title>x0: "), "{bars}");
}
