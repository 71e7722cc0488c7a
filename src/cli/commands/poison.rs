//! `proxdiff poison`: how robust a model is against perturbed training rows.

use std::path::Path;

use serde_json::json;

use crate::cli::arguments::poison::{Arguments, DefenceName, MethodName, NormName};
use crate::cli::arguments::{Format, ProblemArguments};
use crate::cli::configuration::{Study, points, read_test, side_options};
use crate::cli::failure::Failure;
use crate::cli::numbers::{counted, short};
use crate::cli::origin::Origin;
use crate::cli::output::{one_line, plain, titled, write, write_npy, write_text};
use crate::cli::runtime::Runtime;
use crate::cli::whole::write_whole;
use crate::data::{Matrix, readers};
use crate::error::Error;
use crate::kinds::{Method, Precision, Status};
use crate::poison::{
    self, Choice, Defences, Defended, Measured, Measurement, Norm, Subject, figures,
};
use crate::problem::{Point, Problem};
use crate::report::{Theme, png};

/// The files that the directory of --out receives.
const JSON: &str = "poison.json";
const SVG: &str = "poison.svg";
const PNG: &str = "poison.png";
const PICTURES: &str = "pictures.png";
const PAGE: &str = "poison.html";
const FEATURES: &str = "X.npy";
const TARGETS: &str = "y.npy";
const ROWS: &str = "rows.npy";
const PERTURBATION: &str = "perturbation.npy";

/// The share of test rows when no flag says otherwise.
const TEST_SHARE: f64 = 0.2;
/// Places shown of each ranking.
const SHOWN: usize = 10;

/// Whether the command may write a file of this name into the directory of --out.
pub fn has_file(name: &str) -> bool {
    [
        JSON,
        SVG,
        PNG,
        PICTURES,
        PAGE,
        FEATURES,
        TARGETS,
        ROWS,
        PERTURBATION,
    ]
    .contains(&name)
}

/// Runs the command.
pub fn run(arguments: &Arguments, origin: &Origin) -> Result<(), Failure> {
    check_flags(arguments)?;
    let mut settings = settings(arguments)?;
    let runtime = Runtime::new(&arguments.runtime, arguments.time_budget)?;
    let study = Study::read(&arguments.data, &arguments.problem, false)?;
    if study.target_names().len() != 1 {
        return Err(Failure::usage(
            "poison measures one target at a time; name one with --target",
        ));
    }
    let test = read_test(
        &arguments.data,
        study.tables(),
        arguments.test.x_test.as_deref(),
        arguments.test.y_test.as_deref(),
    )?;
    let share = arguments.test.test_fraction.unwrap_or(TEST_SHARE);
    let (specification, test, training_rows) = study.subject(share, test.as_ref())?;
    if let (Choice::Named(rows), Some(training)) = (&mut settings.choice, &training_rows) {
        *rows = positions(rows, training)?;
    }
    let problem = Problem::new(specification.clone())?;
    let point = point(&arguments.problem, &problem)?;
    settings.device = runtime.choose_device(
        &problem,
        std::slice::from_ref(&point),
        &crate::hypergrad::Settings::default(),
    )?;
    let subject = Subject {
        specification,
        point,
        test,
    };
    let attacks = settings.budgets.len() * settings.restarts;
    let measurement = runtime.run(attacks, |control| {
        poison::measure(&subject, &settings, control)
    })?;
    let output = Output {
        arguments,
        origin,
        settings: &settings,
        study: &study,
        subject: &subject,
        measurement: &measurement,
        training_rows: training_rows.as_deref(),
    };
    let saved = output.save(&arguments.out);
    if arguments.format == Some(Format::Json) {
        write(&one_line(&output.json()), None)?;
        saved?;
        return output.conclude();
    }
    write_text(&output.tables(), None)?;
    saved?;
    let note = format!(
        "Numbers, figures and perturbed data are in {}\n",
        arguments.out.display()
    );
    write_text(&note, None)?;
    output.conclude()
}

fn check_flags(arguments: &Arguments) -> Result<(), Failure> {
    let problem = &arguments.problem;
    let message = if problem.perturbation.is_some() {
        "poison finds a perturbation of its own; drop --perturbation"
    } else if problem.criterion.is_some() || problem.criterion_sign != 1.0 {
        "poison raises the loss of the fit on validation rows; drop --criterion and --criterion-sign"
    } else if arguments.data.val_fraction == Some(0.0) {
        "poison needs validation rows; raise --val-fraction or give --x-val"
    } else if arguments.runtime.precision == Some(Precision::F32) {
        "poison trains in f64; drop --precision"
    } else if arguments.format == Some(Format::Csv) {
        "poison has no rows of csv; choose --format table or json"
    } else {
        return Ok(());
    };
    Err(Failure::usage(message))
}

/// The strengths of the model, by the flags and defaults of `hypergrad`.
fn point(arguments: &ProblemArguments, problem: &Problem) -> Result<Point, Failure> {
    let points = points(arguments, problem)?;
    match points.as_slice() {
        [point] => Ok(point.clone()),
        points => Err(Failure::usage(format!(
            "--l1 and --l2 make {} pairs where poison measures one model; give each a single value",
            points.len()
        ))),
    }
}

/// Positions of rows of the user's table among the training rows.
fn positions(rows: &[usize], training: &[usize]) -> Result<Vec<usize>, Failure> {
    let position = |&row: &usize| {
        training
            .iter()
            .position(|&known| known == row)
            .ok_or_else(|| {
                Error::value(
                    "--rows",
                    format!("row {row} of the table is no training row: it is held out"),
                    "name rows that the report of a run with --rows influence shows, from 0",
                )
                .into()
            })
    };
    rows.iter().map(position).collect()
}

fn settings(arguments: &Arguments) -> Result<poison::Settings, Failure> {
    let attack = &arguments.attack;
    let choice = match attack.rows.as_str() {
        "random" => Choice::Random,
        "influence" => Choice::Influence,
        file => {
            let numbers =
                readers::read_vector(Path::new(file), &side_options(&arguments.data.file))?;
            if let Some(bad) = numbers.iter().find(|v| v.fract() != 0.0 || **v < 0.0) {
                return Err(Error::value(
                    format!("rows in {file}"),
                    format!("{bad} is not a row number"),
                    "give whole numbers, from 0",
                )
                .into());
            }
            Choice::Named(numbers.into_iter().map(|row| row as usize).collect())
        }
    };
    Ok(poison::Settings {
        budgets: attack.budget.values(0.0),
        norm: match attack.norm {
            NormName::Linf => Norm::LInf,
            NormName::L2 => Norm::L2,
        },
        range: attack.range.map(|range| (range.lower, range.upper)),
        choice,
        share: attack.share,
        steps: attack.steps,
        restarts: attack.restarts,
        seed: arguments.data.seed,
        method: match attack.method {
            MethodName::AidCg => Method::AidCg,
            MethodName::Nsid => Method::Nsid,
        },
        stochastic: (attack.stochastic_steps, attack.minibatch),
        tolerance: attack.tol,
        defences: Defences {
            tune: arguments.defence.tune,
            trim: arguments.defence.defence.contains(&DefenceName::Trim),
            clean: arguments.defence.defence.contains(&DefenceName::Clean),
        },
        ..poison::Settings::default()
    })
}

/// The results that are written and printed.
struct Output<'a> {
    arguments: &'a Arguments,
    origin: &'a Origin,
    settings: &'a poison::Settings,
    study: &'a Study<'a>,
    subject: &'a Subject,
    measurement: &'a Measurement,
    training_rows: Option<&'a [usize]>,
}

impl Output<'_> {
    /// The row of the user's table that a training row is.
    fn original(&self, row: usize) -> usize {
        self.training_rows.map_or(row, |rows| rows[row])
    }

    /// The exit status after what is known was printed.
    fn conclude(&self) -> Result<(), Failure> {
        let (done, all) = (self.measurement.budgets.len(), self.settings.budgets.len());
        if done == all {
            return Ok(());
        }
        Err(Failure::Outcome(format!(
            "interrupted: {done} of {all} budgets were measured"
        )))
    }

    fn save(&self, directory: &Path) -> Result<(), Failure> {
        let put = |file: &str, bytes: &[u8]| {
            let path = directory.join(file);
            write_whole(&path, bytes).map_err(|source| Failure::unwritable("--out", &path, &source))
        };
        std::fs::create_dir_all(directory)
            .map_err(|source| Failure::unwritable("--out", directory, &source))?;
        put(JSON, self.json().to_string().as_bytes())?;
        let plot = figures::robustness(self.measurement);
        put(SVG, plot.svg(Theme::Auto).as_bytes())?;
        put(PNG, &png::from_svg(&plot.svg(Theme::Light), 2.0)?)?;
        let Matrix::Dense(x) = &self.subject.specification.train.matrix else {
            return Ok(());
        };
        let grid = match self.arguments.image_width {
            Some(width) => figures::picture_grid(x, self.measurement, width)?,
            None => None,
        };
        if let Some(grid) = &grid {
            put(PICTURES, grid)?;
        }
        let mut page = figures::robustness_page(self.measurement, self.study.source(), grid);
        page.head = self
            .origin
            .head(page.head.title, vec![self.study.basis()])?;
        put(PAGE, page.html().as_bytes())?;
        let Some(last) = self.measurement.budgets.last() else {
            return Ok(());
        };
        let rows = &self.measurement.rows;
        let poisoned = poison::perturbed(x, rows, &last.perturbation.values);
        let (n, d) = (x.rows, x.columns);
        let numbers: Vec<f64> = rows.iter().map(|&row| row as f64).collect();
        let array = |file: &str, shape: &[usize], values: &[f64]| {
            write_npy(&directory.join(file), shape, values)
        };
        array(FEATURES, &[n, d], &poisoned.values)?;
        array(TARGETS, &[n], &self.subject.specification.train.targets[0])?;
        array(ROWS, &[rows.len()], &numbers)?;
        array(PERTURBATION, &[rows.len(), d], &last.perturbation.values)
    }

    fn json(&self) -> serde_json::Value {
        let m = self.measurement;
        let names = self.study.feature_names();
        json!({
            "schema": 1,
            "source": self.study.source(),
            "loss": self.subject.specification.loss.name(),
            "penalty": self.subject.specification.penalty.name(),
            "l1": self.subject.point.l1,
            "l2": self.subject.point.l2,
            "norm": self.settings.norm.name(),
            "steps": self.settings.steps,
            "seed": self.settings.seed,
            "training_rows": self.subject.specification.train.matrix.rows(),
            "perturbed_rows": m.rows.len(),
            "clean": m.clean,
            "defended": m.defended.as_ref().map(|clean| json!({"clean": clean})),
            "budgets": m.budgets.iter().map(|at| json!({
                "budget": at.budget,
                "random": at.random,
                "worst_random": at.worst_random,
                "attacks": at.attacks,
                "poisoned": at.poisoned,
                "defended": at.defended.as_ref().map(|poisoned| json!({
                    "random": at.defended_random,
                    "poisoned": poisoned,
                })),
                "validation_loss_along_the_ascent": at.traces,
            })).collect::<Vec<_>>(),
            "row_slopes": m.row_slopes.iter().map(|&(row, slope)| json!({
                "row": self.original(row), "slope": slope,
            })).collect::<Vec<_>>(),
            "feature_slopes": m.feature_slopes.iter().map(|&(feature, slope)| json!({
                "feature": names.get(feature), "slope": slope,
            })).collect::<Vec<_>>(),
        })
    }

    fn tables(&self) -> String {
        let m = self.measurement;
        let what = if m.clean.validation.accuracy.is_some() {
            "accuracy"
        } else {
            "root mean square error"
        };
        let mut table = plain(&[
            "budget",
            "rows",
            "validation loss",
            "validation",
            "test",
            "features",
            "Jaccard",
            "Kuncheva",
        ]);
        let mut row = |budget: &str, rows: &str, measured: &Measured| {
            let test = measured.test.map_or(f64::NAN, |test| test.headline());
            table.add_row([
                budget.to_string(),
                rows.to_string(),
                short(measured.validation.loss),
                short(measured.validation.headline()),
                short(test),
                measured.features.to_string(),
                index(measured.stability.jaccard),
                index(measured.stability.kuncheva),
            ]);
        };
        row("–", "clean", &m.clean);
        for at in &m.budgets {
            let budget = short(at.budget);
            let random = format!("moved at random, worst of {}", at.random.len());
            row(&budget, &random, &at.worst_random);
            let poisoned = format!("poisoned, worst of {}", at.attacks.len());
            row(&budget, &poisoned, &at.poisoned);
        }
        let title = format!(
            "{}: {} of {} training rows moved, {} norm; {what} on validation and test rows",
            self.study.source(),
            m.rows.len(),
            self.subject.specification.train.matrix.rows(),
            self.settings.norm.name()
        );
        let mut text = titled(&title, table, &[0, 1]);
        text += &self.defences(what);
        let mut table = plain(&["row", "loss per unit"]);
        for &(row, slope) in m.row_slopes.iter().take(SHOWN) {
            table.add_row([self.original(row).to_string(), short(slope)]);
        }
        text += &titled("Rows that matter most, at the clean model", table, &[]);
        let mut table = plain(&["feature", "mean |slope|"]);
        let names = self.study.feature_names();
        for &(feature, slope) in m.feature_slopes.iter().take(SHOWN) {
            let name = names.get(feature).cloned().unwrap_or_default();
            table.add_row([name, short(slope)]);
        }
        text + &titled("Features that matter most", table, &[0])
    }

    /// The data sets that defences have met: budget and name, the undefended model, what they made of it.
    fn defended(&self) -> Vec<(String, &'static str, &Measured, &Defended)> {
        let m = self.measurement;
        let mut all = Vec::new();
        if let Some(defended) = &m.defended {
            all.push(("–".to_string(), "clean", &m.clean, defended));
        }
        for at in &m.budgets {
            let budget = || short(at.budget);
            if let Some(defended) = &at.defended_random {
                all.push((budget(), "moved at random", &at.worst_random, defended));
            }
            if let Some(defended) = &at.defended {
                all.push((budget(), "poisoned", &at.poisoned, defended));
            }
        }
        all
    }

    /// The tables of the defences, and what a reader should know of them.
    fn defences(&self, what: &str) -> String {
        let (all, defences) = (self.defended(), self.settings.defences);
        let mut text = String::new();
        if !all.is_empty() {
            let mut header = vec!["budget", "rows", "undefended"];
            let columns = [
                (defences.tune, "tuned anew"),
                (defences.trim, "TRIM"),
                (defences.clean, "clean"),
            ];
            let shown = columns.iter().filter(|(is_there, _)| *is_there);
            header.extend(shown.map(|(_, name)| *name));
            let mut table = plain(&header);
            let has_test = self.subject.test.is_some();
            let headline = |measured: &Measured| {
                short(measured.test.unwrap_or(measured.validation).headline())
            };
            for (budget, name, undefended, defended) in &all {
                let mut fields = vec![budget.clone(), (*name).to_string(), headline(undefended)];
                let tuned = defended.retuned.map(|found| found.scores);
                let trim = defended.trim.map(|found| found.scores);
                let clean = defended.clean.map(|found| found.scores);
                let scores = [tuned, trim, clean].into_iter().zip(&columns);
                let shown = scores.filter(|(_, (is_there, _))| *is_there);
                fields.extend(
                    shown.map(|(scores, _)| scores.map_or("–".into(), |found| headline(&found))),
                );
                table.add_row(fields);
            }
            let rows = if has_test { "test" } else { "validation" };
            text += &titled(&format!("Defences; {what} on {rows} rows"), table, &[0, 1]);
        }
        text += &self.tuned(&all);
        for (budget, name, _, defended) in &all {
            for failed in &defended.failed {
                let of = match failed.defence {
                    "retuned" => "--tune",
                    "trim" => "TRIM",
                    other => other,
                };
                text += &format!("{of} at budget {budget}, {name}: {}\n", failed.reason);
            }
        }
        for (budget, name, _, defended) in &all {
            if let Some(trim) = defended.trim.filter(|_| *name == "poisoned") {
                text += &format!(
                    "TRIM at budget {budget}: {} left out, {} of the rows that had moved among them\n",
                    counted(trim.discarded, "row"),
                    share(trim.found)
                );
            }
            if let Some(clean) = defended.clean.filter(|_| *name == "poisoned") {
                let others = clean.others.map_or("–".into(), share);
                text += &format!(
                    "clean at budget {budget}: mean weight {} of the rows that had moved, {others} of the others\n",
                    share(clean.moved),
                );
            }
        }
        let m = self.measurement;
        let fits = m
            .budgets
            .iter()
            .flat_map(|at| at.random.iter().chain(&at.attacks));
        let fits: Vec<&Measured> = fits.chain([&m.clean]).collect();
        let failed = fits
            .iter()
            .filter(|fit| fit.status != Status::Converged)
            .count();
        if failed > 0 {
            text += &format!(
                "{failed} of {} did not converge: choose a greater --l2\n",
                counted(fits.len(), "fit")
            );
        }
        text
    }

    /// The table of strengths tuned anew.
    fn tuned(&self, all: &[(String, &'static str, &Measured, &Defended)]) -> String {
        let mut table = plain(&[
            "budget",
            "rows",
            "l1",
            "l2",
            "loss, fixed",
            "loss, tuned",
            "slope, fixed",
            "slope, tuned",
        ]);
        let mut is_empty = true;
        for (budget, name, fixed, defended) in all {
            let Some(tuned) = defended.retuned else {
                continue;
            };
            is_empty = false;
            let slope = |slope: Option<f64>| slope.map_or("–".into(), short);
            table.add_row([
                budget.clone(),
                (*name).to_string(),
                short(tuned.l1),
                short(tuned.l2),
                short(fixed.validation.loss),
                short(tuned.scores.validation.loss),
                slope(tuned.slope_fixed),
                slope(tuned.slope),
            ]);
        }
        if is_empty {
            return String::new();
        }
        titled(
            "Strengths tuned on the validation rows; slope: growth of the validation loss for each unit of budget, \
             all rows together",
            table,
            &[0, 1],
        )
    }
}

/// A share, to two digits.
fn share(value: f64) -> String {
    format!("{value:.2}")
}

/// An index of agreement, or a dash.
fn index(value: Option<f64>) -> String {
    value.map_or("–".into(), share)
}
