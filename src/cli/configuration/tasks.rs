//! Tasks: the rows of a table by the values of a column, each with rows of its own held out.

use std::collections::HashMap;
use std::path::Path;

use super::Study;
use crate::cli::failure::Failure;
use crate::cli::numbers::counted;
use crate::data::dataset::Dataset;
use crate::data::design::{self, Scaling};
use crate::data::labels::names_of;
use crate::data::missing::fill;
use crate::data::split::hold_out;
use crate::error::{Error, Result};
use crate::problem::Problem;

/// A task's rows, split several times.
struct TaskRows {
    name: String,
    splits: Vec<Split>,
}

/// Rows that a task is fitted to, and rows that its fit has not seen.
struct Split {
    training: Vec<usize>,
    held_out: Vec<usize>,
}

/// The choice of tasks and of their rows.
pub struct TaskChoice<'a> {
    /// The flag that names the tasks, for messages.
    pub flag: &'static str,
    /// The column or file with the task of each row; without one each file of a folder is a task.
    pub name: Option<&'a str>,
    /// Times that each task's rows are split.
    pub splits: usize,
    /// The share of tasks that nothing is learned from.
    pub set_aside: f64,
}

/// Tasks as problems on columns of one scale.
pub struct Tasks {
    /// Every split of the tasks that are learned from, task after task.
    pub training: Vec<Problem>,
    /// Those of the others.
    pub test: Vec<Problem>,
    /// Times that each task's rows are split.
    pub splits: usize,
    /// The names of these.
    pub test_names: Vec<String>,
    /// The rows of all tasks that are learned from, as their first splits have them, as one problem.
    pub pooled: Problem,
    /// The number that each column was divided by.
    pub scale: Vec<f64>,
    /// The values that missing cells of the columns were filled with.
    pub filled: Option<Vec<f64>>,
}

impl Study<'_> {
    /// The tasks that a column or file makes of the rows.
    pub fn tasks(&self, choice: &TaskChoice<'_>) -> std::result::Result<Tasks, Failure> {
        if self.tables().validation.is_some() {
            return Err(Failure::usage(
                "meta holds out rows of each task; leave --x-val and --y-val out, and give all rows in one file",
            ));
        }
        if !self.splits() {
            return Err(Failure::usage(
                "meta needs rows of each task that its fit has not seen; give --val-fraction a share above 0",
            ));
        }
        let labelled = match (choice.name, self.tables().file_of_row()) {
            (Some(name), _) => self.by_label(choice.flag, name)?,
            (None, Some(files)) => groups_of(&names_of(&files)),
            (None, None) => {
                return Err(Failure::usage(format!(
                    "meta needs the task of each row; give {} a column, or a folder with a file for each task as \
                     the data",
                    choice.flag
                )));
            }
        };
        let mut all: Vec<TaskRows> = Vec::with_capacity(labelled.len());
        for (number, (name, rows)) in labelled.into_iter().enumerate() {
            all.push(self.split_task(name, &rows, number * choice.splits, choice.splits)?);
        }
        let (learned, test) = if choice.set_aside > 0.0 {
            let parts = hold_out(all.len(), choice.set_aside, self.test_seed());
            parts.map_err(|_| too_few(all.len(), choice.set_aside))?
        } else {
            ((0..all.len()).collect(), Vec::new())
        };
        if learned.len() < 2 {
            return Err(too_few(all.len(), choice.set_aside));
        }

        // A common scale: a coefficient means the same in every task.
        let first = |part: fn(&Split) -> &[usize]| -> Vec<usize> {
            let rows = learned.iter().flat_map(|&task| part(&all[task].splits[0]));
            rows.copied().collect()
        };
        let rows = first(|split| &split.training);
        // As the scale, the values of missing cells are those of all tasks that are learned from.
        let filled = self.values_of(&self.tables().all.select_rows(&rows))?;
        let mut whole = None;
        if let Some(values) = &filled {
            let mut table = self.tables().all.clone();
            fill(&mut table.matrix, values);
            whole = Some(table);
        }
        let table = whole.as_ref().unwrap_or(&self.tables().all);
        let scaling = self.scaling();
        let training = table.select_rows(&rows);
        let weights = training
            .weights
            .clone()
            .unwrap_or_else(|| vec![1.0; rows.len()]);
        let scale = design::measure(&training.matrix, &weights, scaling).scale;
        let multipliers: Vec<f64> = scale.iter().map(|s| s.recip()).collect();
        let own = Scaling {
            standardize: false,
            ..scaling
        };
        let problem = |training: &[usize], held_out: &[usize]| -> Result<Problem> {
            let scaled = |rows: &[usize]| -> Dataset {
                let mut part = table.select_rows(rows);
                part.matrix.multiply_columns(&multipliers);
                part
            };
            self.problem_scaled(&scaled(training), &scaled(held_out), own)
        };
        let of_tasks = |tasks: &[usize]| -> std::result::Result<Vec<Problem>, Failure> {
            let mut problems = Vec::with_capacity(tasks.len() * choice.splits);
            for &task in tasks {
                for Split { training, held_out } in &all[task].splits {
                    if training.len() < 2 {
                        return Err(Failure::usage(format!(
                            "task {} has {} rows, and its fit would have one, where it needs two; leave tasks of so \
                             few rows out, or hold out a smaller share with --val-fraction",
                            all[task].name,
                            training.len() + held_out.len()
                        )));
                    }
                    let stated = problem(training, held_out);
                    problems.push(stated.map_err(|error| in_task(&all[task].name, error))?);
                }
            }
            Ok(problems)
        };
        Ok(Tasks {
            training: of_tasks(&learned)?,
            test: of_tasks(&test)?,
            splits: choice.splits,
            test_names: test.iter().map(|&task| all[task].name.clone()).collect(),
            pooled: problem(&rows, &first(|split| &split.held_out))?,
            scale,
            filled,
        })
    }

    /// The rows of each value of a column or file, in the order in which the values appear.
    pub fn by_label(
        &self,
        flag: &str,
        name: &str,
    ) -> std::result::Result<Vec<(String, Vec<usize>)>, Failure> {
        let labels = super::data::read_labels_of(self.data, flag, name, self.tables())?;
        Ok(groups_of(&names_of(&labels)))
    }

    fn split_task(
        &self,
        name: String,
        rows: &[usize],
        first: usize,
        count: usize,
    ) -> std::result::Result<TaskRows, Failure> {
        if rows.len() < 2 {
            return Err(Failure::usage(format!(
                "task {name} has one row, and none would be left to judge its fit by; leave tasks of one row out"
            )));
        }
        let split = |number: usize| {
            let seed = self.data.seed.wrapping_add(number as u64);
            let parts = self.hold_out_by(rows, seed);
            let (training, held_out) = parts.map_err(|error| in_task(&name, error))?;
            Ok(Split { training, held_out })
        };
        let splits = (first..first + count)
            .map(split)
            .collect::<std::result::Result<_, Failure>>()?;
        Ok(TaskRows { name, splits })
    }
}

impl Tasks {
    /// The number of tasks that are learned from.
    pub fn learned(&self) -> usize {
        self.training.len() / self.splits
    }
}

/// The rows of each label, in the order in which the labels appear.
fn groups_of(labels: &[String]) -> Vec<(String, Vec<usize>)> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (row, label) in labels.iter().enumerate() {
        let place = *places.entry(label).or_insert_with(|| {
            groups.push((label.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(row);
    }
    groups
}

/// The column, which is then no feature, of a flag that takes a column or a file.
pub fn column_of(name: &str) -> Option<&str> {
    (!Path::new(name).is_file()).then_some(name)
}

/// The failure of a task, with its name.
fn in_task(name: &str, error: Error) -> Failure {
    Failure::usage(format!("task {name}: {error}"))
}

fn too_few(tasks: usize, set_aside: f64) -> Failure {
    Failure::usage(format!(
        "{} with {set_aside} of them set aside {} fewer than two to learn from; lower --test-tasks, or give more \
         tasks",
        counted(tasks, "task"),
        if tasks == 1 { "leaves" } else { "leave" },
    ))
}
