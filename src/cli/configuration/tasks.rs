//! Tasks: the rows of a table by the values of a column, each with rows of its own held out.

use std::collections::HashMap;
use std::path::Path;

use super::Study;
use crate::cli::failure::Failure;
use crate::data::dataset::Dataset;
use crate::data::design::{self, Scaling};
use crate::data::labels::names_of;
use crate::data::split::hold_out;
use crate::error::{Error, Result};
use crate::problem::Problem;

/// A task's rows, split.
struct Split {
    name: String,
    training: Vec<usize>,
    held_out: Vec<usize>,
}

/// Tasks as problems on columns of one scale.
pub struct Tasks {
    /// The tasks that are learned from.
    pub training: Vec<Problem>,
    /// The others.
    pub test: Vec<Problem>,
    /// The names of these.
    pub test_names: Vec<String>,
    /// The rows of all tasks that are learned from, as one problem.
    pub pooled: Problem,
    /// The number that each column was divided by.
    pub scale: Vec<f64>,
}

impl Study<'_> {
    /// The tasks that a column or file makes of the rows, a share of them set aside.
    pub fn tasks(
        &self,
        flag: &str,
        name: &str,
        set_aside: f64,
    ) -> std::result::Result<Tasks, Failure> {
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
        let of_rows = self.by_label(flag, name)?;
        let splits: Vec<Split> = of_rows
            .into_iter()
            .enumerate()
            .map(|(number, (name, rows))| {
                let seed = self.data.seed.wrapping_add(number as u64);
                self.split_task(name, &rows, seed)
            })
            .collect::<std::result::Result<_, _>>()?;
        let (learned, test) = if set_aside > 0.0 {
            hold_out(splits.len(), set_aside, self.test_seed())
                .map_err(|_| too_few(splits.len(), set_aside))?
        } else {
            ((0..splits.len()).collect(), Vec::new())
        };
        if learned.len() < 2 {
            return Err(too_few(splits.len(), set_aside));
        }

        // A common scale: a coefficient means the same in every task.
        let all = |part: fn(&Split) -> &[usize]| -> Vec<usize> {
            let rows = learned
                .iter()
                .flat_map(|&task| part(&splits[task]).iter().copied());
            rows.collect()
        };
        let table = &self.tables().all;
        let rows = all(|split| &split.training);
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
            let of_task = |&task: &usize| {
                let Split {
                    name,
                    training,
                    held_out,
                } = &splits[task];
                problem(training, held_out).map_err(|error| in_task(name, error))
            };
            tasks.iter().map(of_task).collect()
        };
        Ok(Tasks {
            training: of_tasks(&learned)?,
            test: of_tasks(&test)?,
            test_names: test.iter().map(|&task| splits[task].name.clone()).collect(),
            pooled: problem(&rows, &all(|split| &split.held_out))?,
            scale,
        })
    }

    /// The rows of each value of a column or file, in the order in which the values appear.
    pub fn by_label(
        &self,
        flag: &str,
        name: &str,
    ) -> std::result::Result<Vec<(String, Vec<usize>)>, Failure> {
        let labels = names_of(&super::read_labels(
            self.data,
            flag,
            name,
            &self.tables().all,
        )?);
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (row, label) in labels.iter().enumerate() {
            let place = *places.entry(label).or_insert_with(|| {
                groups.push((label.clone(), Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(row);
        }
        Ok(groups)
    }

    fn split_task(
        &self,
        name: String,
        rows: &[usize],
        seed: u64,
    ) -> std::result::Result<Split, Failure> {
        if rows.len() < 2 {
            return Err(Failure::usage(format!(
                "task {name} has one row, and none would be left to judge its fit by; leave tasks of one row out"
            )));
        }
        let (training, held_out) = self
            .hold_out_by(rows, seed)
            .map_err(|error| in_task(&name, error))?;
        Ok(Split {
            name,
            training,
            held_out,
        })
    }
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
        "{tasks} tasks with {set_aside} of them set aside leave fewer than two to learn from; lower \
         --test-tasks, or name a column with more values"
    ))
}
