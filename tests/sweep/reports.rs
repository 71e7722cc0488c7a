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
    assert!(page.contains("one std. error") && page.contains("near a kink"));
    assert!(page.contains("width=device-width"));
    for outside in ["http://", "https://", "<script", "href=", "@import"] {
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
