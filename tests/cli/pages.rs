//! Reports as pages: their heads, names, and numbers that are those of the tables.

use std::path::Path;

use crate::support::{DIABETES, Folder, as_text, fails, json, noise, ok, program, table, words};

/// Runs a command at a time that is given, and returns what it prints.
fn at(seconds: &str, arguments: &[&str]) -> String {
    let mut command = program();
    command.env("SOURCE_DATE_EPOCH", seconds).args(arguments);
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn page(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("report.html")).unwrap()
}

/// Six significant digits without zeros at the end, as tables show a number.
fn short(value: f64) -> String {
    let magnitude = value.abs().log10().floor() as i32;
    let text = format!("{value:.*}", usize::try_from(5 - magnitude).unwrap());
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Six significant digits, as tables show what was computed.
fn significant(value: f64) -> String {
    let magnitude = value.abs().log10().floor() as i32;
    format!("{value:.*}", usize::try_from(5 - magnitude).unwrap())
}

/// Sixteen tasks of twelve rows.
fn tasks() -> String {
    let (x, e) = (noise(400, 1), noise(200, 2));
    let mut text = String::from("school,hours,age,score\n");
    for row in 0..192 {
        let (a, b) = (x[2 * row], x[2 * row + 1]);
        let y = 2.0 * a - b + 0.1 * (row % 16) as f64 + 0.3 * e[row];
        text.push_str(&format!("s{},{a},{b},{y}\n", row % 16));
    }
    text
}

#[test]
fn every_report_says_what_made_it_and_is_the_same_byte_for_byte() {
    let folder = Folder::new();
    let data = folder.text("my data.csv", &table(80, 5));
    let schools = folder.text("schools.csv", &tasks());
    let model = as_text(&folder.path("model"));
    let own = ["--only", "a,b,c", "--target", "y"];
    for (name, flags, shape) in [
        (
            "influence",
            vec!["influence", &data, "--exact"],
            "80 rows × 3 columns",
        ),
        ("clean", vec!["clean", &data], "80 rows × 3 columns"),
        (
            "fit",
            vec!["fit", &data, "--l1", "0.01", "--out", &model],
            "80 rows × 3 columns",
        ),
        (
            "meta",
            vec!["meta", &schools, "--target", "score", "--task", "school"],
            "192 rows × 2 columns",
        ),
    ] {
        let of_table: &[&str] = if name == "meta" { &[] } else { &own };
        let seed: &[&str] = &["--seed", "7"];
        let write = |out: &Path| {
            let out = as_text(out);
            let all = [&flags[..], of_table, seed, &["--report", &out]].concat();
            at("1700000000", &all)
        };
        let place = folder.path(name);
        write(&place);
        let first = page(&place);
        for part in [
            &format!("<pre>proxdiff {name} "),
            "2023-11-14 22:13:20 UTC",
            &format!("proxdiff {}", env!("CARGO_PKG_VERSION")),
            shape,
            "squared loss · elastic-net penalty · seed 7",
            "<h1>",
        ] {
            assert!(first.contains(part), "{name}: {part}");
        }
        if name != "meta" {
            assert!(first.contains(&format!("'{data}'")), "{name}");
        }
        write(&place);
        assert_eq!(first, page(&place), "{name}");
    }
}

#[test]
fn a_report_of_a_store_names_what_the_sweep_was_of() {
    let folder = Folder::new();
    let path = |name: &str| as_text(&folder.path(name));
    let (store, out, again) = (path("s.db"), path("first"), path("second"));
    ok(&words(
        "sweep --cv 3 --seed 4 --keep-solutions --store {} --report {}",
        &[&store, &out],
    ));
    let first = page(&folder.path("first"));
    let command = format!("proxdiff sweep --cv 3 --seed 4 --keep-solutions --store {store}");
    assert!(first.contains(&command), "{first}");
    at("0", &["runs", "report", &store, "--out", &out]);
    at("0", &["runs", "report", &store, "--out", &again]);
    let stored = page(&folder.path("first"));
    assert!(stored.contains(&format!("proxdiff runs report {store} --out {out}")));
    assert!(stored.contains("1970-01-01 00:00:00 UTC"));
    assert_eq!(stored.replace(&out, &again), page(&folder.path("second")));
    for text in [&first, &stored] {
        assert!(
            text.contains("442 rows × 10 columns · squared loss"),
            "{text}"
        );
        assert!(text.contains("elastic-net penalty · seed 4"), "{text}");
        // The chart of paths has names.
        assert!(
            text.contains(">bmi<") && !text.contains("coefficient 2"),
            "{text}"
        );
    }
}

#[test]
fn a_time_that_is_none_is_refused_before_anything_is_computed() {
    let folder = Folder::new();
    let out = as_text(&folder.path("report"));
    for text in ["yesterday", "-1", "253402300800", ""] {
        let mut command = program();
        command.env("SOURCE_DATE_EPOCH", text);
        command.args(["sweep", "--cv", "2", "--report", &out]);
        let output = command.output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}: {errors}");
        assert!(errors.contains("SOURCE_DATE_EPOCH"), "{errors}");
        assert!(!folder.path("report").exists());
    }
}

#[test]
fn a_report_removes_the_charts_of_the_one_before_it_and_no_other_file() {
    let folder = Folder::new();
    let out = as_text(&folder.path("report"));
    let charts = || {
        let files = std::fs::read_dir(folder.path("report")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".svg")).collect();
        names.sort();
        names
    };
    let fit = ["fit", "--example", "--report", &out];
    ok(&fit);
    let of_the_fit = charts();
    let own = folder.path("report").join("my.svg");
    std::fs::write(&own, "<svg/>").unwrap();
    ok(&["sweep", "--cv", "2", "--best", "1", "--report", &out]);
    let of_both = charts();
    assert!(of_both.len() > 1 && of_both.iter().all(|name| !of_the_fit.contains(name)));
    ok(&fit);
    std::fs::remove_file(&own).unwrap();
    assert_eq!(charts(), of_the_fit);
}

#[test]
fn a_report_needs_a_folder_that_can_be_written() {
    let folder = Folder::new();
    let file = folder.text("taken", "a file");
    let below = as_text(&folder.path("taken/below"));
    let model = as_text(&folder.path("model"));
    let schools = folder.text("schools.csv", &tasks());
    for command in [
        vec!["influence", "--example"],
        vec!["clean", "--example"],
        vec!["fit", "--example", "--out", &model],
        vec!["meta", &schools, "--target", "score", "--task", "school"],
    ] {
        let line = fails(&[&command[..], &["--report", &file]].concat(), 2);
        assert!(line.contains("there is a file of that name"), "{line}");
        let line = fails(&[&command[..], &["--report", &below]].concat(), 1);
        assert!(
            line.contains("choose another place with --report"),
            "{line}"
        );
    }
    let line = fails(
        &["fit", "--example", "--out", &model, "--report", &model],
        2,
    );
    assert!(line.contains("would write the same folder"), "{line}");
    // What else lies in a folder stays.
    let out = folder.path("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    ok(&["influence", "--example", "--report", &as_text(&out)]);
    assert_eq!(std::fs::read(out.join("notes.txt")).unwrap(), b"mine");
}

#[test]
fn a_criterion_has_a_line_for_each_l2_and_each_l1_ratio() {
    let folder = Folder::new();
    let out = as_text(&folder.path("r"));
    let curve = |flags: &str| {
        let flags: Vec<&str> = flags.split(' ').collect();
        ok(&[&["sweep", "--cv", "3", "--report", &out][..], &flags].concat());
        std::fs::read_to_string(folder.path("r/1-1-criterion.svg")).unwrap()
    };
    let svg = curve("--alpha frac:1e-2:1:12 --l1-ratio 0.2,0.5,0.9");
    assert!(svg.contains("a line for each l1 ratio"), "{svg}");
    assert_eq!(svg.matches("<polyline").count(), 3);
    // The band is of the best alone.
    assert_eq!(svg.matches("<polygon").count(), 1);
    assert!(svg.contains("(best), with one std. error"));
    for ratio in ["l1 ratio 0.2", "l1 ratio 0.5", "l1 ratio 0.9"] {
        assert!(svg.contains(ratio), "{ratio}");
    }
    let svg = curve("--l1 frac:1e-2:1:12 --l2 log:1e-3:1:20");
    assert!(
        svg.contains("a line each of 12 of 20 values of l2"),
        "{svg}"
    );
    assert_eq!(svg.matches("<polyline").count(), 12);
    let svg = curve("--l1 frac:1e-2:1:12 --l2 0.1");
    assert_eq!(svg.matches("<polyline").count(), 1);
}

#[test]
fn captions_have_the_numbers_of_the_tables() {
    let folder = Folder::new();
    let data = folder.text("t.csv", &table(120, 3));
    let (model, out) = (as_text(&folder.path("m")), as_text(&folder.path("r")));
    let own = ["--only", "a,b,c", "--out", &model, "--report", &out];
    let fit = |flags: &[&str]| {
        let found = json(&[&["fit", &data][..], &own, flags].concat());
        (found, page(&folder.path("r")))
    };
    let test = ["--test-fraction", "0.3"];
    let (found, text) = fit(&[&["--target", "y", "--l1", "0.01"][..], &test].concat());
    let r2 = found["test"][0]["r2"].as_f64().unwrap();
    assert!(text.contains(&format!(" R² {}.", short(r2))), "{r2} {text}");
    assert!(
        text.contains("84 rows") || text.contains("36 test rows"),
        "{text}"
    );

    for target in ["label", "kind"] {
        let loss = if target == "label" {
            "logistic"
        } else {
            "multinomial"
        };
        let flags = ["--target", target, "--loss", loss, "--l2", "0.1"];
        let (found, text) = fit(&[&flags[..], &test].concat());
        let auc = found["test"][0]["auc"].as_f64().unwrap();
        assert!(
            text.contains(&format!(" AUC {}.", short(auc))),
            "{auc} {text}"
        );
        let (found, text) = fit(&[&flags[..], &["--cv", "4", "--by", "auc"]].concat());
        let auc = found["choice"][0]["mean"].as_f64().unwrap();
        let caption = format!(" AUC {}, mean over the folds.", short(auc));
        assert!(text.contains(&caption), "{caption} {text}");
    }

    let found = json(&words(
        "sweep {} --target progression --cv 5 --l1 frac:1e-2:1:10 --l2 0.1 --report {}",
        &[DIABETES, &out],
    ));
    let r2 = found["best"]["metrics"]["r2"].as_f64().unwrap();
    let text = page(&folder.path("r"));
    let caption = format!(" R² {}, mean over the folds.", short(r2));
    assert!(text.contains(&caption), "{caption} {text}");
}

/// The chosen coefficients are those of `fit --from`.
#[test]
fn a_sweep_shows_the_coefficients_of_its_choice_by_name() {
    let folder = Folder::new();
    let path = |name: &str| as_text(&folder.path(name));
    let (store, out, model) = (path("s.db"), path("r"), path("m"));
    ok(&words(
        "sweep {} --target progression --cv 5 --l1 frac:1e-2:1:10 --l2 0.1 --store {} --report {}",
        &[DIABETES, &store, &out],
    ));
    let found = json(&["fit", "--from", &store, "--out", &model, "--coefficients"]);
    let coefficients = crate::support::numbers(&found["points"][0]["coefficients"]);
    let text = page(&folder.path("r"));
    let names = ["age", "sex", "bmi"];
    for (name, value) in names.iter().zip(&coefficients).filter(|(_, v)| **v != 0.0) {
        let cells = format!("<td>{name}</td><td>{}</td>", significant(*value));
        assert!(text.contains(&cells), "{cells} {text}");
    }
    assert!(text.contains("progression per standard deviation of the feature"));
}

#[test]
fn influences_are_drawn_by_row_with_their_rank_correlation() {
    let folder = Folder::new();
    let out = as_text(&folder.path("r"));
    let found = json(&words(
        "influence --example --exact --top 3 --report {}",
        &[&out],
    ));
    let correlation = found["rank_correlation"].as_f64().unwrap();
    let text = page(&folder.path("r"));
    assert!(text.contains(&format!("Rank correlation {correlation:.4}.")));
    let values = crate::support::numbers(&found["exact"]);
    let rows = crate::support::numbers(&found["rows"]);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let svg = std::fs::read_to_string(folder.path("r/influence.svg")).unwrap();
    assert_eq!(svg.matches("<g><title>row ").count(), 6);
    for at in [order[0], order[values.len() - 1]] {
        assert!(svg.contains(&format!(">row {}<", rows[at])), "{at} {svg}");
    }
    let scatter = std::fs::read_to_string(folder.path("r/estimates.svg")).unwrap();
    // One marker a row, and that of the legend.
    assert_eq!(scatter.matches("<circle").count(), values.len() + 1);
}

/// Weighted rows in folds: sums in another order differ by rounding, and no curve may miss its end for that.
#[test]
fn curves_of_weighted_folds_are_drawn_whatever_their_weights() {
    let folder = Folder::new();
    let mut text = String::from("a,b,label,w\n");
    for x in noise(1600, 5).chunks(4) {
        let label = if x[0] + x[1] > 0.3 * x[2] {
            "yes"
        } else {
            "no"
        };
        text += &format!("{},{},{label},{}\n", x[0], x[1], 0.1 + x[3].abs());
    }
    let data = folder.text("d.csv", &text);
    for command in ["sweep", "fit"] {
        let (report, model) = (as_text(&folder.path(command)), as_text(&folder.path("m")));
        let own: &[&str] = if command == "fit" {
            &["--out", &model]
        } else {
            &[]
        };
        let flags = [
            command,
            &data,
            "--target",
            "label",
            "--sample-weights",
            "w",
            "--loss",
            "logistic",
            "--l1",
            "0.01",
            "--l2",
            "0.01",
            "--cv",
            "5",
            "--report",
            &report,
        ];
        ok(&[&flags[..], own].concat());
        assert!(
            page(&folder.path(command)).contains("ROC curves of the 400 held-out rows in 5 folds")
        );
    }
}

/// A criterion on the training rows holds nothing out, and the page does not call them held out.
#[test]
fn training_rows_are_not_called_held_out() {
    let folder = Folder::new();
    let report = as_text(&folder.path("r"));
    ok(&words(
        "sweep {} --target progression --l1 1,10 --val-fraction 0 --report {}",
        &[DIABETES, &report],
    ));
    let page = page(&folder.path("r"));
    assert!(page.contains("No row was held out"), "{page}");
    assert!(!page.contains("held-out rows"), "{page}");
    assert!(!folder.path("r").join("1-1-held-out.svg").exists());
    assert!(folder.path("r").join("1-1-coefficients.svg").exists());
}

/// The reason that the terminal gives is in the page too.
#[test]
fn a_page_of_a_fit_that_was_not_saved_says_so() {
    let folder = Folder::new();
    let (report, model) = (as_text(&folder.path("r")), as_text(&folder.path("m")));
    let output = crate::support::run(&words(
        "fit {} --target progression --l1 1 --max-steps 1 --out {} --report {}",
        &[DIABETES, &model, &report],
    ));
    assert_eq!(output.status.code(), Some(1));
    let page = page(&folder.path("r"));
    assert!(page.contains("no model was saved"), "{page}");
}

/// Rows that are set aside are not counted among those of the fit.
#[test]
fn a_page_says_how_many_rows_the_fit_is_to() {
    let folder = Folder::new();
    let (report, model) = (as_text(&folder.path("r")), as_text(&folder.path("m")));
    ok(&words(
        "fit {} --target progression --l1 1 --test-fraction 0.25 --out {} --report {}",
        &[DIABETES, &model, &report],
    ));
    let page = page(&folder.path("r"));
    let split = (1..442).any(|kept| page.contains(&format!("fit to {kept} of 442 rows")));
    assert!(split && !page.contains("fit to all rows"), "{page}");
}

/// The rows are called what the column of --id calls them.
#[test]
fn rows_are_drawn_by_their_own_names() {
    let folder = Folder::new();
    let mut text = String::from("house,a,b,y\n");
    for (row, x) in noise(180, 4).chunks(3).enumerate() {
        text += &format!("h{row},{},{},{}\n", x[0], x[1], x[0] - x[1] + 0.1 * x[2]);
    }
    let data = folder.text("d.csv", &text);
    for (command, chart) in [("influence", "influence"), ("clean", "evidence")] {
        let out = as_text(&folder.path(command));
        let flags = ["--id", "house", "--target", "y", "--report", &out];
        let found = json(&[&[command, &data][..], &flags].concat());
        let svg =
            std::fs::read_to_string(folder.path(command).join(format!("{chart}.svg"))).unwrap();
        let row = if command == "clean" {
            found["ranking"][0].as_u64().unwrap()
        } else {
            let values = crate::support::numbers(&found["influence"]);
            let best = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]));
            found["rows"][best.unwrap()].as_u64().unwrap()
        };
        assert!(svg.contains(&format!(">h{row}<")), "h{row} {svg}");
        assert!(!svg.contains(">row "), "{svg}");
        if command == "influence" {
            let page = page(&folder.path(command));
            assert!(page.contains(&format!("<td>h{row}</td>")), "h{row} {page}");
        }
    }
}

#[test]
fn a_cleaning_shows_how_well_known_errors_are_found() {
    let folder = Folder::new();
    let x = noise(3 * 160, 1);
    let mut text = String::from("a,b,c,wrong,label\n");
    for (row, x) in x.chunks(3).enumerate() {
        let (right, wrong) = (x[0] > 0.2 * x[1], row % 4 == 1);
        let label = if right == wrong { "no" } else { "yes" };
        text += &format!("{},{},{},{},{label}\n", x[0], x[1], x[2], u8::from(wrong));
    }
    let data = folder.text("d.csv", &text);
    let out = as_text(&folder.path("r"));
    let flags = [
        "clean",
        &data,
        "--target",
        "label",
        "--loss",
        "logistic",
        "--corrupted",
        "wrong",
    ];
    let printed = ok(&[&flags[..], &["--report", &out]].concat());
    let line = printed
        .lines()
        .find(|line| line.contains("AUC of the evidence"));
    let auc = line.unwrap().split("evidence ").nth(1).unwrap();
    let auc = auc.split(';').next().unwrap();
    let text = page(&folder.path("r"));
    assert!(
        text.contains(&format!("AUC of the evidence {auc};")),
        "{auc}"
    );
    for chart in ["evidence", "weights", "error", "corrupted"] {
        let svg = std::fs::read_to_string(folder.path(&format!("r/{chart}.svg"))).unwrap();
        assert!(!svg.contains("NaN"), "{chart}");
    }
    assert!(text.contains("<th>corrupted</th>"), "{text}");
}

#[test]
fn a_prior_is_shown_by_the_names_of_its_features() {
    let folder = Folder::new();
    let schools = folder.text("schools.csv", &tasks());
    let out = as_text(&folder.path("r"));
    let found = json(&words(
        "meta {} --target score --task school --curve --report {}",
        &[&schools, &out],
    ));
    let text = page(&folder.path("r"));
    for chart in ["errors", "curve", "tasks", "prior"] {
        assert!(folder.path(&format!("r/{chart}.svg")).exists(), "{chart}");
    }
    let alone = found["error"]["alone"].as_f64().unwrap();
    assert!(text.contains(">each task alone<"), "{text}");
    assert!(
        text.contains(&format!(">{}<", significant(alone))),
        "{alone}"
    );
    assert!(text.contains("<td>hours</td>") && text.contains("<td>age</td>"));
    assert_eq!(
        text.matches("<td>s").count(),
        found["test_tasks"].as_array().unwrap().len()
    );
}
