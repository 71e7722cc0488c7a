//! The purpose of each column of a table: feature, target, weight, or nothing.

use std::collections::{HashMap, HashSet};

use super::options::{Categorical, Format, ReadOptions};
use super::part::bad;
use crate::data::align::Expected;
use crate::data::labels::{list, quote};
use crate::error::Result;

/// The purpose for which a file is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// One file with features and targets.
    Dataset,
    /// Features alone: the `x` of a pair, or a matrix.
    Features,
    /// Targets alone: the `y` of a pair, or a vector.
    Targets,
    /// Features for a model that was trained with those expected.
    Model(&'a Expected),
}

impl Purpose<'_> {
    /// Refuses options that name columns of text files for a format without any. Targets, and files that
    /// are to match others, need not have the columns.
    ///
    /// # Errors
    /// [`crate::Error::Data`] with the flag.
    pub fn check(self, options: &ReadOptions, format: Format, source: &str) -> Result<()> {
        if matches!(self, Self::Targets) || options.expected.is_some() {
            return Ok(());
        }
        let selects = !(options.ignore.is_empty() && options.only.is_empty());
        let (what, remedy) = match format {
            Format::Csv | Format::Parquet => return Ok(()),
            Format::Libsvm | Format::Npz | Format::Idx if selects => (
                "columns to leave out or to keep are named, and the format names none",
                "leave --drop, --only and --id out, or give a .csv or .npy file",
            ),
            _ if matches!(options.categorical, Categorical::Named(_)) => (
                "columns with levels are named, and the format holds numbers alone",
                "leave --categorical out, or give a .csv file",
            ),
            _ => return Ok(()),
        };
        Err(bad(source, None, None, what, remedy))
    }
}

/// The use of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Feature,
    Target,
    Weight,
    Ignored,
}

/// The columns of a table.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub count: usize,
    /// Their names, where the file has some; without duplicates.
    pub names: Option<Vec<String>>,
    /// Whether they may be text: numbers alone have a column for each level of a factor.
    pub may_be_text: bool,
    /// Number of the last columns that are the index of the table: flags have asked for them, and no target is
    /// looked for among them.
    pub index: usize,
}

impl Columns {
    /// The column's number from 1, with its name: `3 ("age")`.
    pub fn label(&self, column: usize) -> String {
        match self.names.as_ref().and_then(|names| names.get(column)) {
            Some(name) => format!("{} ({})", column + 1, quote(name)),
            None => (column + 1).to_string(),
        }
    }

    /// The column of a name, or else of an index from 0.
    fn position(&self, wanted: &str) -> Option<usize> {
        let by_name = self
            .names
            .as_ref()
            .and_then(|names| names.iter().position(|name| name == wanted));
        by_name.or_else(|| wanted.parse().ok().filter(|&index| index < self.count))
    }

    pub fn find(&self, wanted: &str, use_as: &str, source: &str) -> Result<usize> {
        self.position(wanted).ok_or_else(|| {
            let last = self.count.saturating_sub(1);
            let remedy = match &self.names {
                Some(names) => format!(
                    "name one of {}, or give an index from 0 to {last}",
                    list(names)
                ),
                None => format!("the file names no columns: give an index from 0 to {last}"),
            };
            bad(
                source,
                None,
                None,
                format!("there is no column \"{wanted}\" to use as {use_as}"),
                remedy,
            )
        })
    }

    /// The role of every column for the purpose.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when a column that the options name is not there or has two uses, or
    /// no column remains for the purpose.
    pub fn roles(
        &self,
        purpose: Purpose<'_>,
        options: &ReadOptions,
        source: &str,
    ) -> Result<Vec<Role>> {
        if let Purpose::Model(model) = purpose {
            return self.model_roles(model, options, source);
        }
        let roles = self.named_roles(purpose, options, source)?;
        let targets = self.targets(options);
        // Of a file that is to match another one by name, other columns are of no use.
        let by_name = match (&options.expected, purpose) {
            (Some(expected), Purpose::Dataset | Purpose::Features) => {
                self.matched(expected, source)?
            }
            _ => None,
        };
        // Of one that is matched by position those that were chosen, unless no others are there.
        let left = roles.iter().filter(|role| role.is_none()).count();
        let chosen: Option<HashSet<usize>> = match (&options.expected, &by_name) {
            (Some(expected), None)
                if !options.only.is_empty() && left != expected.columns().len() =>
            {
                options
                    .only
                    .iter()
                    .map(|name| self.position(name))
                    .collect()
            }
            _ => None,
        };
        let kept = by_name.or(chosen);
        let rest = |column: usize| match purpose {
            Purpose::Targets if targets.is_empty() => Role::Target,
            Purpose::Targets => Role::Ignored,
            _ if !options.only.is_empty() && options.expected.is_none() => Role::Ignored,
            _ if kept.as_ref().is_some_and(|kept| !kept.contains(&column)) => Role::Ignored,
            _ => Role::Feature,
        };
        let roles: Vec<Role> = (0..self.count)
            .map(|column| roles[column].unwrap_or_else(|| rest(column)))
            .collect();
        check_left(&roles, purpose, source)?;
        Ok(roles)
    }

    /// The roles of the columns that the options name, and of the last one as the target where they name
    /// none.
    fn named_roles(
        &self,
        purpose: Purpose<'_>,
        options: &ReadOptions,
        source: &str,
    ) -> Result<Vec<Option<Role>>> {
        let mut roles = vec![None; self.count];
        let group = options.group_column.as_ref();
        let group_is_target = group.is_some_and(|name| options.targets.contains(name));
        let ignored = group
            .filter(|_| !group_is_target)
            .map(|name| (name, "the group column"))
            .into_iter()
            .chain(
                // The columns of a file of targets are its targets.
                options
                    .ignore
                    .iter()
                    .filter(|_| !matches!(purpose, Purpose::Targets))
                    .map(|name| (name, "a column to ignore")),
            );
        for (name, use_as) in ignored {
            // Of a pair of files only one may have the column; validation files need not.
            let column = match purpose {
                Purpose::Dataset if options.expected.is_none() => {
                    Some(self.find(name, use_as, source)?)
                }
                Purpose::Features if options.expected.is_none() && Some(name) != group => {
                    Some(self.find(name, use_as, source)?)
                }
                _ => self.position(name),
            };
            if let Some(column) = column {
                roles[column] = Some(Role::Ignored);
            }
        }
        if let Some(name) = &options.weights_column {
            let column = match purpose {
                Purpose::Dataset => Some(self.find(name, "weights", source)?),
                _ => self.position(name),
            };
            if let Some(column) = column {
                self.claim(&mut roles, column, Role::Weight, source)?;
            }
        }
        let targets = self.targets(options);
        if !matches!(purpose, Purpose::Features) {
            for name in targets {
                let column = match options.expected.as_ref().filter(|_| self.names.is_some()) {
                    Some(expected) if expected.named.targets => {
                        self.expected_target(name, source)?
                    }
                    _ if group_is_target => self.find(name, "the group column", source)?,
                    _ => self.find(name, "the target", source)?,
                };
                self.claim(&mut roles, column, Role::Target, source)?;
            }
        }
        if matches!(purpose, Purpose::Dataset)
            && targets.is_empty()
            && let Some(column) = roles[..self.count - self.index]
                .iter()
                .rposition(Option::is_none)
        {
            roles[column] = Some(Role::Target);
        }
        if !matches!(purpose, Purpose::Targets) && options.expected.is_none() {
            for name in &options.only {
                let column = self.find(name, "a feature", source)?;
                self.claim(&mut roles, column, Role::Feature, source)?;
            }
        }
        Ok(roles)
    }

    fn claim(
        &self,
        roles: &mut [Option<Role>],
        column: usize,
        role: Role,
        source: &str,
    ) -> Result<()> {
        if roles[column].replace(role).is_some() {
            return Err(bad(
                source,
                None,
                Some(self.label(column)),
                "the column is named for two uses",
                "name it once among targets, weights, features and ignored columns",
            ));
        }
        Ok(())
    }

    /// The targets that this file is to have: those of the training data where both have names, else
    /// those that the options name.
    pub fn targets<'a>(&self, options: &'a ReadOptions) -> &'a [String] {
        match &options.expected {
            Some(expected) if expected.named.targets && self.names.is_some() => &expected.targets,
            _ => &options.targets,
        }
    }

    fn expected_target(&self, wanted: &str, source: &str) -> Result<usize> {
        let names = self.names.as_deref().unwrap_or_default();
        names.iter().position(|name| name == wanted).ok_or_else(|| {
            bad(
                source,
                None,
                None,
                format!(
                    "there is no column {}, the target of the training data",
                    quote(wanted)
                ),
                format!(
                    "name the target like that one; the columns here are {}",
                    list(names)
                ),
            )
        })
    }

    /// The columns of the expected features by name; `None` where they are matched by position.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when a feature that a file has named is not there.
    fn matched(&self, expected: &Expected, source: &str) -> Result<Option<HashSet<usize>>> {
        let Some(names) = &self.names else {
            return Ok(None);
        };
        let places: HashMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(column, name)| (name.as_str(), column))
            .collect();
        let features = expected.columns();
        let mut columns = HashSet::with_capacity(features.len());
        for feature in &features {
            match places.get(feature.as_str()) {
                Some(&column) => columns.insert(column),
                None if !expected.named.features => return Ok(None),
                None => {
                    return Err(bad(
                        source,
                        None,
                        None,
                        format!("the feature {} is not among the columns", quote(feature)),
                        format!("give the features {}; the order is free", list(&features)),
                    ));
                }
            };
        }
        Ok(Some(columns))
    }

    /// The columns that a trained model takes; targets where the table has them.
    fn model_roles(
        &self,
        model: &Expected,
        options: &ReadOptions,
        source: &str,
    ) -> Result<Vec<Role>> {
        let mut roles = vec![Role::Ignored; self.count];
        if let Some(columns) = self.matched(model, source)? {
            columns
                .iter()
                .for_each(|&column| roles[column] = Role::Feature);
            for column in options.targets.iter().filter_map(|t| self.position(t)) {
                if roles[column] == Role::Ignored {
                    roles[column] = Role::Target;
                }
            }
            return Ok(roles);
        }
        let model = &match self.may_be_text {
            true => model.columns(),
            false => model.features.clone(),
        };
        // By position: all columns, or all but those that the options name.
        if self.count > model.len() {
            for (column, role) in options
                .targets
                .iter()
                .map(|name| (self.position(name), Role::Target))
                .chain(
                    options
                        .weights_column
                        .iter()
                        .chain(&options.group_column)
                        .chain(&options.ignore)
                        .map(|name| (self.position(name), Role::Weight)),
                )
            {
                if let Some(column) = column {
                    roles[column] = role;
                }
            }
        }
        for role in &mut roles {
            *role = match role {
                Role::Target => Role::Target,
                Role::Weight => Role::Ignored,
                _ => Role::Feature,
            };
        }
        let found = roles.iter().filter(|&&r| r == Role::Feature).count();
        if found != model.len() {
            return Err(crate::Error::shape(
                source,
                format!("{} feature columns as in training", model.len()),
                found.to_string(),
                format!(
                    "give the columns {} and no others, or a header that names them",
                    list(model)
                ),
            ));
        }
        Ok(roles)
    }
}

/// The names of columns, each of which must have one of its own; a column without one is called `column` and
/// its number. `line` is that of the header, in a text.
///
/// # Errors
/// [`crate::Error::Data`] for a name that two columns have.
pub(super) fn distinct_names(
    texts: &[&str],
    line: Option<u64>,
    source: &str,
) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(texts.len());
    let mut seen = HashMap::new();
    for (j, text) in texts.iter().enumerate() {
        let name = if text.is_empty() {
            format!("column{}", j + 1)
        } else {
            (*text).to_string()
        };
        if let Some(earlier) = seen.insert(name.clone(), j) {
            return Err(bad(
                source,
                line,
                Some(format!("{} ({})", j + 1, quote(&name))),
                format!("column {} has the same name", earlier + 1),
                "give every column a name of its own",
            ));
        }
        names.push(name);
    }
    Ok(names)
}

/// `y` for a single target without a name, `y0`, `y1`, … for several.
pub(super) fn generic_target_names(count: usize) -> Vec<String> {
    if count == 1 {
        vec!["y".to_string()]
    } else {
        (0..count).map(|j| format!("y{j}")).collect()
    }
}

/// Refuses columns of which none is left for the purpose.
fn check_left(roles: &[Role], purpose: Purpose<'_>, source: &str) -> Result<()> {
    let (needed, name) = match purpose {
        Purpose::Targets => (Role::Target, "target"),
        _ => (Role::Feature, "feature"),
    };
    if !roles.contains(&needed) {
        return Err(bad(
            source,
            None,
            None,
            format!("no column is left for a {name}"),
            match purpose {
                Purpose::Dataset => {
                    "a data file needs features beside its targets; features and targets may \
                     also be two files (--x and --y)"
                }
                _ => "give a file with such a column",
            },
        ));
    }
    Ok(())
}
