//! Too much of anything: an error line each, or a thinner result that says so.

use std::process::Command;

use crate::support::{Folder, fails, ok};

#[test]
fn too_many_repetitions_are_refused_with_a_limit() {
    let base = ["sweep", "--l1", "1", "--l2", "1"];
    for (cv, repeats, most) in [
        ("2", "9223372036854775807", "at most 50000"),
        ("2", "18446744073709551615", "at most 50000"),
        ("2", "99999999999", "at most 50000"),
        // The product is a small number again.
        ("3", "6148914691236517206", "at most 33333"),
        ("10", "10001", "at most 10000"),
    ] {
        let words = [&base[..], &["--cv", cv, "--repeats", repeats]].concat();
        let line = fails(&words, 1);
        assert!(line.contains("--repeats") && line.contains(most), "{line}");
    }
    let many = [
        "sweep",
        "--l1",
        "log:1:2:40000",
        "--l2",
        "1",
        "--cv",
        "2",
        "--repeats",
        "50000",
    ];
    let line = fails(&many, 1);
    assert!(line.contains("at most 1000000000 cells"), "{line}");
    let line = fails(
        &[
            &base[..],
            &["--cv", "2", "--shard", "1/18446744073709551615"],
        ]
        .concat(),
        2,
    );
    assert!(line.contains("N is at most 1000000"), "{line}");
}

#[test]
fn a_limit_of_threads_is_an_error_and_no_panic() {
    let folder = Folder::new();
    // Another user has another count of processes, and must be able to reach the program.
    let program = folder.path("proxdiff");
    std::fs::copy(assert_cmd::cargo::cargo_bin!("proxdiff"), &program).unwrap();
    let limited = |limit: usize, command: &str| {
        let shell = format!("ulimit -u {limit}; exec {} {command}", program.display());
        let ids = ["--reuid=54321", "--regid=54321", "--clear-groups"];
        let opened = Command::new("chmod")
            .arg("755")
            .arg(folder.path(""))
            .status();
        opened.ok().filter(std::process::ExitStatus::success)?;
        let output = Command::new("setpriv")
            .args(ids)
            .args(["bash", "-c", &shell])
            .output();
        let output = output.ok()?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (!errors.contains("setpriv:")).then_some((output.status.code(), errors))
    };
    let mut outcomes = Vec::new();
    for limit in [2, 4, 5, 6, 7, 8, 9, 10, 12, 40] {
        let sweep = "sweep --l1 0.5,1 --l2 1,2 --cv 3 --threads 4";
        let Some((code, errors)) = limited(limit, sweep) else {
            eprintln!("skipped: this test needs a user of its own");
            return;
        };
        assert!(matches!(code, Some(0 | 1)), "{limit}: {code:?} {errors}");
        let line = errors.lines().last().unwrap_or_default();
        assert!(
            code == Some(0) || line.starts_with("error: --threads"),
            "{limit}: {errors}"
        );
        outcomes.push((code, errors.contains("beside those that compute")));
    }
    assert_eq!(outcomes[0], (Some(1), false));
    assert!(outcomes.contains(&(Some(1), true)), "{outcomes:?}");
    assert_eq!(outcomes[9], (Some(0), false));
}

#[test]
fn a_report_of_very_many_points_is_thinned_and_says_so() {
    let folder = Folder::new();
    for (name, space) in [
        (
            "strewn",
            [
                "--search",
                "sobol",
                "--samples",
                "25000",
                "--l1",
                "log:0.1:10:2",
                "--l2",
                "log:0.01:1:2",
            ],
        ),
        (
            "grid",
            [
                "--search",
                "grid",
                "--seed",
                "1",
                "--l1",
                "log:0.1:10:160",
                "--l2",
                "log:0.01:1:160",
            ],
        ),
    ] {
        let out = folder.path(name);
        let report = out.display().to_string();
        ok(&[&["sweep", "--report", &report], &space[..]].concat());
        let surface = std::fs::read_to_string(out.join("1-1-surface.svg")).unwrap();
        let tiles = surface.matches("<rect").count();
        assert!((500..20_000).contains(&tiles), "{tiles}");
        assert!(surface.contains("each tile is the lowest of its points"));
        let page = std::fs::read_to_string(out.join("report.html")).unwrap();
        if name == "strewn" {
            assert!(page.contains("of every 13 neighbours the one with the smallest mean"));
            let curve = std::fs::read_to_string(out.join("1-1-criterion.svg")).unwrap();
            assert!(curve.matches("<circle").count() < 2100);
        }
    }
}
