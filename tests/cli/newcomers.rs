//! What docs/from-scikit-learn.md says of strengths, beside scikit-learn 1.9.1 (tol 1e-14) behind a
//! `StandardScaler`; and of scales in docs/from-glmnet.md.

use crate::support::{Folder, as_text, assert_close, json, numbers};

const DIABETES: &str = "src/data/embedded/diabetes.csv";

fn coefficients(flags: &[&str]) -> Vec<f64> {
    let folder = Folder::new();
    let model = as_text(&folder.path("m"));
    let report = json(&[&["fit", "--coefficients", "--out", &model], flags].concat());
    numbers(&report["points"][0]["coefficients"])
}

#[test]
fn strengths_of_scikit_learn_are_translated_as_the_page_says() {
    let cases: [(&[&str], [f64; 10]); 3] = [
        // ElasticNet(alpha=2, l1_ratio=0.5)
        (
            &[DIABETES, "--alpha", "2", "--l1-ratio", "0.5"],
            [
                0.0748645267971,
                -6.4812936708,
                3.24477790423,
                0.669951262307,
                0.0,
                -0.0151401061441,
                -0.528550311258,
                3.97585856341,
                23.6586655236,
                0.437218947675,
            ],
        ),
        // The same without a scaler.
        (
            &[
                DIABETES,
                "--alpha",
                "2",
                "--l1-ratio",
                "0.5",
                "--no-standardize",
            ],
            [
                -0.0414109858005,
                -2.96343827369,
                5.91946146541,
                1.04932794759,
                1.24282929734,
                -1.34995029157,
                -2.12839085013,
                0.0,
                1.10805271278,
                0.358919510421,
            ],
        ),
        // Ridge(alpha=10): 10/442
        (
            &[DIABETES, "--l1", "0", "--l2", "0.02262443438914027"],
            [
                -0.0196995000924,
                -21.9167337215,
                5.57430790371,
                1.09255853133,
                -0.326756846852,
                0.05954074044,
                -0.507896857647,
                4.34479973086,
                48.5475866449,
                0.306785089983,
            ],
        ),
    ];
    for (flags, expected) in cases {
        assert_close(&coefficients(flags), &expected, 1e-7);
    }
}

/// `LogisticRegression(C=0.1, l1_ratio=0.5, solver="saga")`: 0.5/(0.1·442) each.
#[test]
fn the_c_of_a_logistic_regression_is_translated_as_the_page_says() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(DIABETES).unwrap();
    let labelled = |line: &str| {
        let (features, target) = line.rsplit_once(',').unwrap();
        match target.parse::<f64>() {
            Ok(y) => format!("{features},{}\n", if y > 140.0 { "high" } else { "below" }),
            Err(_) => format!("{line}\n"),
        }
    };
    let data = folder.text("d.csv", &text.lines().map(labelled).collect::<String>());
    let strength = "0.011312217194570135";
    let flags = [
        &data, "--loss", "logistic", "--l1", strength, "--l2", strength,
    ];
    let own = coefficients(&flags);
    let expected = [
        0.0,
        -0.66019158204,
        0.128445117018,
        0.0308029551821,
        -0.00148576406578,
        -0.00137257478673,
        -0.033092725848,
        0.0,
        1.29080491218,
        0.0,
    ];
    // The order of the labels decides the sign: "below" is the first.
    let sign = own[8].signum();
    let own: Vec<f64> = own.iter().map(|w| sign * w + 0.0).collect();
    assert_close(&own, &expected, 1e-6);
}

/// glmnet divides y by its deviation, and its λ by the same: in these units the ridge is what is left of λ.
#[test]
fn the_ridge_of_a_gaussian_glmnet_is_divided_by_the_deviation_of_the_target() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(DIABETES).unwrap();
    let targets: Vec<f64> = text
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once(',').unwrap().1.parse().unwrap())
        .collect();
    let n = targets.len() as f64;
    let mean = targets.iter().sum::<f64>() / n;
    let squares: f64 = targets.iter().map(|y| (y - mean).powi(2)).sum();
    let deviation = (squares / n).sqrt();
    assert!((deviation - 77.0057).abs() < 1e-4, "the page has it so");
    let scaled = |line: &str| {
        let (features, target) = line.rsplit_once(',').unwrap();
        match target.parse::<f64>() {
            Ok(y) => format!("{features},{}\n", y / deviation),
            Err(_) => format!("{line}\n"),
        }
    };
    let data = folder.text("d.csv", &text.lines().map(scaled).collect::<String>());
    // λ = 2, α = ½ on y/sd(y) at λ/sd(y).
    let alpha = (2.0 / deviation).to_string();
    let own = coefficients(&[&data, "--alpha", &alpha, "--l1-ratio", "0.5"]);
    let l2 = (1.0 / deviation).to_string();
    let translated = coefficients(&[DIABETES, "--l1", "1", "--l2", &l2]);
    let own: Vec<f64> = own.iter().map(|w| w * deviation).collect();
    assert_close(&own, &translated, 1e-8);
}
