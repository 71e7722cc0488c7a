//! What each column of a table is for: feature, target, weight, or nothing.

use super::{ReadOptions, bad};
use crate::data::align::is_generic;
use crate::data::labels::{list, quote};
use crate::error::Result;

/// What a file is read for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// One file with features and targets.
    Dataset,
    /// Features alone: the `x` of a pair, or a matrix.
    Features,
    /// Targets alone: the `y` of a pair, or a vector.
    Targets,
    /// Features for a model that was trained with those of the given names.
    Model(&'a [String]),
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

    fn find(&self, wanted: &str, use_as: &str, source: &str) -> Result<usize> {
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
        let mut roles = vec![None; self.count];
        let group = options.group_column.as_ref();
        let group_is_target = group.is_some_and(|name| options.targets.contains(name));
        let ignored = group
            .filter(|_| !group_is_target)
            .map(|name| (name, "the group column"))
            .into_iter()
            .chain(
                options
                    .ignore
                    .iter()
                    .map(|name| (name, "a column to ignore")),
            );
        for (name, use_as) in ignored {
            // Of a pair of files only one may have the column.
            let column = match purpose {
                Purpose::Dataset => Some(self.find(name, use_as, source)?),
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
        if !matches!(purpose, Purpose::Features) {
            let use_as = if group_is_target {
                "the group column"
            } else {
                "the target"
            };
            for name in &options.targets {
                let column = self.find(name, use_as, source)?;
                self.claim(&mut roles, column, Role::Target, source)?;
            }
        }
        if matches!(purpose, Purpose::Dataset)
            && options.targets.is_empty()
            && let Some(column) = roles.iter().rposition(Option::is_none)
        {
            roles[column] = Some(Role::Target);
        }
        let rest = match purpose {
            Purpose::Targets if options.targets.is_empty() => Role::Target,
            Purpose::Targets => Role::Ignored,
            _ => Role::Feature,
        };
        let roles: Vec<Role> = roles.into_iter().map(|r| r.unwrap_or(rest)).collect();
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
                "a data file needs features beside its targets; features and targets may also \
                 be two files (--x and --y)",
            ));
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
                "name it once among targets, weights and ignored columns",
            ));
        }
        Ok(())
    }

    /// The columns that a trained model takes; targets where the table has them.
    fn model_roles(
        &self,
        model: &[String],
        options: &ReadOptions,
        source: &str,
    ) -> Result<Vec<Role>> {
        let mut roles = vec![Role::Ignored; self.count];
        if let Some(names) = &self.names {
            let missing = model.iter().find(|feature| !names.contains(feature));
            match missing {
                None => {
                    for feature in model {
                        // A name that is there has a position.
                        if let Some(column) = names.iter().position(|name| name == feature) {
                            roles[column] = Role::Feature;
                        }
                    }
                    for column in options.targets.iter().filter_map(|t| self.position(t)) {
                        if roles[column] == Role::Ignored {
                            roles[column] = Role::Target;
                        }
                    }
                    return Ok(roles);
                }
                Some(feature) if !is_generic(model) => {
                    return Err(bad(
                        source,
                        None,
                        None,
                        format!(
                            "the model's feature {} is not among the columns",
                            quote(feature)
                        ),
                        format!("the model takes {}; the order is free", list(model)),
                    ));
                }
                Some(_) => {}
            }
        }
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
                    "give the columns {}, and name a target among them (--target)",
                    list(model)
                ),
            ));
        }
        Ok(roles)
    }
}

/// `y` for a single target without a name, `y0`, `y1`, … for several.
pub(super) fn generic_target_names(count: usize) -> Vec<String> {
    if count == 1 {
        vec!["y".to_string()]
    } else {
        (0..count).map(|j| format!("y{j}")).collect()
    }
}
