//! The report: one page and its charts, made from a store at any time.

use crate::support::{Folder, ok};

#[test]
fn the_report_is_whole_and_loads_nothing() {
    let folder = Folder::new();
    let (store, out) = (
        folder.path("s.db").display().to_string(),
        folder.path("report").display().to_string(),
    );
    ok(&[
        "sweep",
        "--cv",
        "3",
        "--keep-solutions",
        "--store",
        &store,
        "--report",
        &out,
    ]);
    let read = |name: &str| std::fs::read_to_string(folder.path("report").join(name)).unwrap();
    let page = read("report.html");
    let charts = [
        "1-1-criterion",
        "1-1-support",
        "1-1-surface",
        "1-1-paths",
        "1-1-coefficients",
        "1-1-held-out",
        "1-1-convergence",
        "1-1-diagnostics",
        "timing",
    ];
    for chart in charts {
        let svg = read(&format!("{chart}.svg"));
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{chart}");
        assert!(svg.contains("prefers-color-scheme:dark"), "{chart}");
        let png = std::fs::read(folder.path("report").join(format!("{chart}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{chart}");
    }
    assert_eq!(page.matches("<svg").count(), charts.len());
    // A file more or less would be one that nobody has looked at.
    let files = std::fs::read_dir(folder.path("report")).unwrap().count();
    assert_eq!(files, 2 * charts.len() + 1);
    let (counts, timing) = (read("1-1-diagnostics.svg"), read("timing.svg"));
    assert!(
        counts.contains("0 of 144") && counts.contains("not converged"),
        "{counts}"
    );
    assert!(
        timing.contains("s in 12 units") && timing.contains(">cpu<"),
        "{timing}"
    );
    let convergence = read("1-1-convergence.svg");
    assert!(convergence.contains("linear residual") && convergence.contains("<polyline"));
    // A tile and an arrow per point, 48 of them, beside the colour scale and the axes.
    let surface = read("1-1-surface.svg");
    assert_eq!(surface.matches("<rect").count(), 48 + 24 + 1);
    assert!(page.contains("one std. error") && page.contains("support not certified"));
    assert!(page.contains("width=device-width"));
    for outside in ["http://", "https://", "<script src", "href=", "@import"] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn an_unfinished_sweep_has_a_report_too() {
    let folder = Folder::new();
    let (store, out) = (
        folder.path("s.db").display().to_string(),
        folder.path("report").display().to_string(),
    );
    ok(&["sweep", "--cv", "3", "--store", &store, "--shard", "0/3"]);
    ok(&["runs", "report", &store, "--out", &out]);
    let page = std::fs::read_to_string(folder.path("report").join("report.html")).unwrap();
    assert!(page.contains("of 144 cells are finished"), "{page}");
}

/// Units run fold by fold: until the last fold has begun, no point is finished on all.
#[test]
fn before_the_last_fold_the_report_is_of_the_folds_that_are_finished() {
    let folder = Folder::new();
    let path = |name: &str| folder.path(name).display().to_string();
    let (store, out) = (path("s.db"), path("report"));
    let space = ["--l1", "log:0.001:1:8", "--l2", "0.01,0.1"];
    let sweep = |more: &[&str]| {
        let begin: &[&str] = &["sweep", "--cv", "3", "--keep-solutions", "--store", &store];
        ok(&[begin, &space, more].concat())
    };
    sweep(&["--shard", "0/6"]);
    sweep(&["--shard", "1/6"]);
    let units = ok(&["runs", "show", &store]);
    ok(&["runs", "report", &store, "--out", &out]);
    let read = |name: &str| std::fs::read_to_string(folder.path("report").join(name)).unwrap();
    let page = read("report.html");
    assert!(page.contains("on 1 of 3 folds"), "{page}");
    assert!(read("1-1-criterion.svg").contains("on 1 of 3 folds"));
    assert!(read("1-1-diagnostics.svg").contains("of 16 finished cells"));
    assert!(units.contains("means on 1 of 3 folds"), "{units}");

    // Once a point is finished on all folds, these alone count.
    for shard in ["2/6", "3/6", "4/6"] {
        sweep(&["--shard", shard]);
    }
    let text = ok(&["runs", "show", &store]);
    assert!(
        text.contains("means over 3 folds; the best of 8 points that are done on all folds, of 16"),
        "{text}"
    );
    sweep(&["--report", &out]);
    let page = read("report.html");
    assert!(!page.contains("of 3 folds"), "{page}");
    assert_eq!(ok(&["runs", "show", &store]).matches("done on").count(), 0);
}

/// Makes the report of a sweep over three folds with these flags.
fn report_of(folder: &Folder, flags: &str) {
    let out = folder.path("report").display().to_string();
    let mut arguments = vec!["sweep", "--cv", "3", "--report", &out];
    arguments.extend(flags.split(' '));
    ok(&arguments);
}

fn file_of_report(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path("report").join(name)).unwrap()
}

/// A random plan has no path along l1: a line through its points, or one l2 for all of them, would be
/// made up.
#[test]
fn points_of_a_random_search_are_no_path() {
    let folder = Folder::new();
    let space = "--search random --samples 20 --l1 log:0.001:2:14 --l2 log:1e-4:1:3";
    report_of(&folder, &format!("{space} --keep-solutions"));
    let read = |name: &str| file_of_report(&folder, name);
    for chart in ["criterion", "support", "convergence"] {
        let svg = read(&format!("1-1-{chart}.svg"));
        assert!(
            svg.contains("all points; l2 differs from point to point"),
            "{chart}"
        );
        assert!(!svg.contains("<polyline"), "{chart}");
        assert!(svg.matches("<circle").count() >= 20, "{chart}");
    }
    assert!(!folder.path("report").join("1-1-paths.svg").exists());
    assert!(read("report.html").contains("no regularisation paths"));
}

/// In a plan of alpha and l1 ratio the choices are in these, and the points of a path share a ratio.
#[test]
fn choices_are_told_in_the_strengths_of_the_plan() {
    let folder = Folder::new();
    report_of(&folder, "--alpha log:0.01:1:80 --l1-ratio 0.2,0.5,0.8");
    let read = |name: &str| file_of_report(&folder, name);
    let page = read("report.html");
    assert!(page.contains("<th>alpha</th><th>l1 ratio</th>"), "{page}");
    let curve = read("1-1-criterion.svg");
    assert!(curve.contains("a line for each l1 ratio"));
    assert_eq!(curve.matches("<polyline").count(), 3);
    let support = read("1-1-support.svg");
    assert!(support.contains("on the path of the best point, l1 ratio 0."));
    // More columns than there is room for arrows in each.
    assert!(read("1-1-surface.svg").contains("arrows point along the negative hypergradient"));
}

/// An l2 of zero leaves the axis of l1 logarithmic.
#[test]
fn every_axis_of_a_surface_has_its_own_scale() {
    let folder = Folder::new();
    report_of(&folder, "--l1 log:0.001:1:6 --l2 0,0.1,0.2");
    let surface = file_of_report(&folder, "1-1-surface.svg");
    assert!(surface.contains(">10<tspan") && surface.contains(">0.10<"));
}
