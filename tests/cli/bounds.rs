//! `--coefficient-bounds` and `--positive`: bounds and signs beside l1, against NumPy and scikit-learn.

use serde_json::Value;

use crate::support::{
    DIABETES, Folder, as_text, assert_close, columns, fails, fitted, json, numbers, ok, table,
    warned,
};

/// The bounds of the reference: two sides, one above zero, signs, a number.
const BOUNDS: &str =
    "name,lower,upper\nbmi,0,4\nbp,1.25,\nsex,-inf,0\ns1,-0.1,0.1\ns5,,30\ns3,0,0\n";

/// By coordinate descent in NumPy to rounding; L-BFGS-B of SciPy finds the same objective to 1e-13.
#[test]
fn bounded_fits_are_those_of_numpy() {
    let folder = Folder::new();
    let bounds = folder.text("b.csv", BOUNDS);
    let strengths = ["--l1", "2", "--l2", "0.05"];
    let flags = [&[DIABETES, "--coefficient-bounds", &bounds], &strengths[..]].concat();
    let (w, b) = fitted(&flags);
    let expected = [
        0.0,
        -14.51480192636,
        4.0,
        1.25,
        -0.1,
        -0.1129853986214,
        0.0,
        10.71295596275,
        30.0,
        0.3686872724899,
    ];
    assert_close(&w, &expected, 1e-10);
    assert_close(&[b], &[-234.9022176634], 1e-10);
    // The same in the order of the features, with signs by name.
    let in_order = folder.text(
        "o.csv",
        "-inf,inf\n,\n-5,4\n1.25,inf\n-0.1,0.1\n,\n0,0\n,\n,30\n,\n",
    );
    let flags = [
        DIABETES,
        "--coefficient-bounds",
        &in_order,
        "--positive",
        "bmi",
    ];
    assert_close(&fitted(&[&flags[..], &strengths].concat()).0, &w, 1e-12);
}

/// Bounds that no coefficient comes near change nothing, in f32 either, and their multipliers of rounding are no
/// duality gap.
#[test]
fn distant_bounds_leave_a_fit_as_it_is() {
    let folder = Folder::new();
    let lines = |bound: &str| format!("{},{bound}\n", bound.replacen('1', "-1", 1)).repeat(10);
    for precision in ["f64", "f32"] {
        for l2 in ["0", "0.05"] {
            let at = |more: &[&str]| {
                let flags = [DIABETES, "--l1", "2", "--l2", l2, "--precision", precision];
                fitted(&[&flags[..], more].concat())
            };
            let (w, b) = at(&[]);
            for bound in ["1e4", "1e9"] {
                let bounds = folder.text("b.csv", &lines(bound));
                let (bounded, intercept) = at(&["--coefficient-bounds", &bounds]);
                let tolerance = if precision == "f64" { 1e-9 } else { 1e-3 };
                assert_close(&bounded, &w, tolerance);
                assert_close(&[intercept], &[b], tolerance);
            }
        }
    }
}

/// `ElasticNet(positive=True)` of scikit-learn on standardised columns, tol 1e-14; signs of some by NumPy.
#[test]
fn signs_are_those_of_scikit_learn() {
    let all = "age,sex,bmi,bp,s1,s2,s3,s4,s5,s6";
    let (w, b) = fitted(&[DIABETES, "--positive", all, "--l1", "1.5", "--l2", "0.1"]);
    let expected = [
        0.0,
        0.0,
        5.612674287055,
        0.8265269874621,
        0.0,
        0.0,
        0.0,
        3.305321762506,
        39.85191389359,
        0.1921793932409,
    ];
    assert_close(&w, &expected, 1e-9);
    assert_close(&[b], &[-290.0944698879], 1e-9);
    let (own, _) = fitted(&[
        DIABETES,
        "--penalty",
        "nonneg",
        "--l1",
        "1.5",
        "--l2",
        "0.1",
    ]);
    assert_close(&w, &own, 1e-12);
    let (w, b) = fitted(&[
        DIABETES,
        "--positive",
        "age,s1,s4,s6",
        "--l1",
        "1",
        "--l2",
        "0",
    ]);
    let expected = [
        0.0,
        -18.69943767413,
        5.63104721249,
        1.019996595416,
        0.0,
        -0.1206847523903,
        -0.9606972672966,
        0.0,
        42.93813979513,
        0.217019709131,
    ];
    assert_close(&w, &expected, 1e-9);
    assert_close(&[b], &[-222.8080332967], 1e-9);
}

/// The smallest l1 at which every coefficient is as near to zero as its bounds allow, by NumPy.
#[test]
fn the_largest_l1_is_that_of_the_bounds() {
    let folder = Folder::new();
    let bounds = folder.text("b.csv", BOUNDS);
    let flags = [DIABETES, "--coefficient-bounds", &bounds, "--l2", "0.05"];
    let model = as_text(&folder.path("m"));
    let report = json(&[&["fit", "--l1", "frac:1", "--out", &model], &flags[..]].concat());
    assert_close(
        &numbers(&report["points"][0]["l1"]),
        &[38.33146751154],
        1e-12,
    );
    let (w, _) = fitted(&[&flags[..], &["--l1", "frac:1.000001"]].concat());
    let expected = [0.0, 0.0, 0.0, 1.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(w, expected);
    let (w, _) = fitted(&[&flags[..], &["--l1", "frac:0.999"]].concat());
    assert!(w.iter().filter(|w| **w != 0.0).count() == 2, "{w:?}");
}

/// Derivatives in the bounds, in l1 and in l2 are those of the criterion: central differences.
#[test]
fn bounds_are_differentiated_in_the_units_of_the_data() {
    let folder = Folder::new();
    let criterion = |bmi: f64, bp: f64, l1: f64| {
        let text = format!("bmi,0,{bmi}\nbp,{bp},inf\n");
        let bounds = folder.text("b.csv", &text);
        let l1 = l1.to_string();
        json(&[
            "hypergrad",
            DIABETES,
            "--coefficient-bounds",
            &bounds,
            "--l1",
            &l1,
            "--l2",
            "0.05",
            "--wrt",
            "l1,l2,box",
        ])["points"][0]
            .clone()
    };
    let at = criterion(4.0, 1.5, 2.0);
    assert_eq!(at["certified"], true);
    let slopes = &at["hypergradient"];
    let (lower, upper) = (numbers(&slopes["box_lo"]), numbers(&slopes["box_hi"]));
    assert_eq!((lower.len(), upper.len()), (10, 10));
    let value = |point: &Value| point["criterion"].as_f64().unwrap();
    let differences = [
        (value(&criterion(4.001, 1.5, 2.0)) - value(&criterion(3.999, 1.5, 2.0))) / 0.002,
        (value(&criterion(4.0, 1.501, 2.0)) - value(&criterion(4.0, 1.499, 2.0))) / 0.002,
        (value(&criterion(4.0, 1.5, 2.001)) - value(&criterion(4.0, 1.5, 1.999))) / 0.002,
    ];
    let found = [upper[2], lower[3], numbers(&slopes["l1"])[0]];
    assert_close(&found, &differences, 1e-6);
    assert!(
        lower
            .iter()
            .enumerate()
            .all(|(j, g)| (*g != 0.0) == (j == 3)),
        "{lower:?}"
    );
    assert!(
        upper
            .iter()
            .enumerate()
            .all(|(j, g)| (*g != 0.0) == (j == 2)),
        "{upper:?}"
    );
    // The recorded iterations say the same.
    let bounds = folder.text("b.csv", "bmi,0,4\nbp,1.5,inf\n");
    for method in ["itd-reverse", "itd-forward", "aid-fp", "direct"] {
        let flags = ["--coefficient-bounds", &bounds, "--l1", "2", "--l2", "0.05"];
        let more = ["--wrt", "l1,l2,box", "--method", method];
        let report = json(&[&["hypergrad", DIABETES], &flags[..], &more].concat());
        let other = &report["points"][0]["hypergradient"];
        for part in ["l1", "l2", "box_lo", "box_hi"] {
            for (a, b) in numbers(&other[part]).iter().zip(numbers(&slopes[part])) {
                assert!(
                    (a - b).abs() < 1e-7 * b.abs().max(1.0),
                    "{method}, {part}: {a} {b}"
                );
            }
        }
    }
}

/// Every command takes bounds, and keeps to them.
#[test]
fn bounds_hold_in_every_command() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &columns(&table(80, 3), &["a", "b", "c", "y"]));
    let bounds = folder.text("b.csv", "a,-inf,1.2\nb,-0.2,0\n");
    let flags = [&data, "--coefficient-bounds", &bounds, "--positive", "c"];
    let holds = |w: &[f64]| {
        assert!(
            w[0] <= 1.2 + 1e-12 && w[1] >= -0.2 - 1e-12 && w[1] <= 0.0 && w[2] >= 0.0,
            "{w:?}"
        );
    };
    let model = as_text(&folder.path("m"));
    for more in [
        &["fit", "--cv", "4", "--l2", "0,0.1"][..],
        &["fit", "--cv", "4", "--l2", "0", "--adaptive"],
        &["fit", "--l1", "0.01", "--l2", "0", "--relax=0.5"],
        &["tune"],
    ] {
        let out = if more[0] == "tune" {
            "--model"
        } else {
            "--out"
        };
        ok(&[&[more[0]], &flags[..], &more[1..], &[out, &model]].concat());
        let saved = std::fs::read_to_string(folder.path("m/model.json")).unwrap();
        let saved: Value = serde_json::from_str(&saved).unwrap();
        assert_eq!(saved["penalty"], "bounded");
        let bytes = std::fs::read(folder.path("m/coefficients.npy")).unwrap();
        let array = npyz::NpyFile::new(&bytes[..]).unwrap();
        holds(&array.into_vec::<f64>().unwrap());
        std::fs::remove_dir_all(folder.path("m")).unwrap();
    }
    let swept = json(
        &[
            &["sweep"],
            &flags[..],
            &["--cv", "3", "--l1", "0.001,0.1", "--l2", "0.01"],
        ]
        .concat(),
    );
    assert_eq!(swept["points"].as_array().unwrap().len(), 2);
    json(
        &[
            &["influence"],
            &flags[..],
            &["--l1", "0.01", "--l2", "0.01"],
        ]
        .concat(),
    );
    // Multinomial: the bounds of a feature are those of its coefficient in every class.
    let kinds = folder.text("k.csv", &columns(&table(80, 3), &["a", "b", "c", "kind"]));
    let flags = [
        "fit",
        &kinds,
        "--loss",
        "multinomial",
        "--positive",
        "a",
        "--l1",
        "0.001",
    ];
    let report = json(
        &[
            &flags[..],
            &["--l2", "0.01", "--coefficients", "--out", &model],
        ]
        .concat(),
    );
    let w = numbers(&report["points"][0]["coefficients"]);
    assert!(w.len() == 9 && w[..3].iter().all(|w| *w >= 0.0), "{w:?}");
}

/// Levels of a factor take the sign of the factor.
#[test]
fn a_factor_has_one_sign() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &columns(&table(80, 3), &["a", "b", "kind", "y"]));
    let model = as_text(&folder.path("m"));
    let flags = [
        "fit",
        &data,
        "--positive",
        "kind",
        "--l1",
        "0.001",
        "--l2",
        "0.01",
    ];
    // The warning says that the column is a factor.
    let (report, _) = warned(&[&flags[..], &["--coefficients", "--out", &model]].concat());
    let w = numbers(&report["points"][0]["coefficients"]);
    assert!(w.len() == 5 && w[2..].iter().all(|w| *w >= 0.0), "{w:?}");
}

#[test]
fn bounds_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let model = as_text(&folder.path("m"));
    let file = |name: &str, text: &str| folder.text(name, text);
    let short = file("short.csv", "0,1\n0,1\n");
    let unknown = file("unknown.csv", "bmi,0,1\nheight,0,1\n");
    let twice = file("twice.csv", "bmi,0,1\nbmi,0,2\n");
    let empty = file("empty.csv", "bmi,1,0\n");
    let word = file("word.csv", "bmi,0,1\nbp,low,1\n");
    let below = file("below.csv", "bmi,-2,-1\n");
    let cases: [(&[&str], i32, &str); 10] = [
        (
            &["--coefficient-bounds", &short],
            1,
            "10, one line per feature, found 2",
        ),
        (
            &["--coefficient-bounds", &unknown],
            1,
            "there is no feature \"height\"; name one of the features: age",
        ),
        (
            &["--coefficient-bounds", &twice],
            1,
            "\"bmi\" has bounds twice",
        ),
        (
            &["--coefficient-bounds", &empty],
            1,
            "no number lies between 1 and 0",
        ),
        (&["--coefficient-bounds", &word], 1, "line 2"),
        (&["--coefficient-bounds", "none.csv"], 1, "check the path"),
        (
            &["--positive", "weight"],
            1,
            "there is no feature \"weight\"",
        ),
        (
            &["--positive", "bmi", "--coefficient-bounds", &below],
            1,
            "upper bound -1",
        ),
        (
            &["--positive", "bmi", "--penalty", "nonneg"],
            2,
            "--penalty nonneg has bounds of its own",
        ),
        (
            &["--positive", "bmi", "--penalty", "box", "--box=0:1"],
            2,
            "elastic-net or weighted",
        ),
    ];
    for (flags, status, text) in cases {
        let message = fails(
            &[&["fit", DIABETES, "--out", &model], flags].concat(),
            status,
        );
        assert!(message.contains(text), "{flags:?}: {message}");
    }
    let message = fails(&["hypergrad", DIABETES, "--wrt", "box"], 2);
    assert!(message.contains("--coefficient-bounds"), "{message}");
}
