//! Invariants of a store: its tables and its plan are those that were made.
//!
//! A plan never changes once it is stored. Its parts have digests in the table `meta`, so that a point
//! or a fold that was altered in the file is noticed as surely as a result.

use std::collections::BTreeMap;
use std::hash::Hasher;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use xxhash_rust::xxh3::Xxh3Default;

use super::failure::is_damage;
use super::read::{REMEDY, Unread};
use super::{Result, Store, schema};
use crate::error::Error;
use crate::sweep::record::Plan;

/// An index of a table that has rows of its own, and what it holds of which of them.
struct Index {
    name: &'static str,
    table: &'static str,
    columns: &'static str,
    filter: &'static str,
}

/// The indices by which units and cells are found.
const INDICES: [Index; 4] = [
    Index {
        name: "evaluations_by_key",
        table: "evaluations",
        columns: "number, key",
        filter: "true",
    },
    Index {
        name: "open_units",
        table: "units",
        columns: "unit",
        filter: "done = 0",
    },
    Index {
        name: "units_by_place",
        table: "units",
        columns: "unit, study, fold, path",
        filter: "true",
    },
    Index {
        name: "sqlite_autoindex_results_1",
        table: "results",
        columns: "rowid, study, point, fold",
        filter: "true",
    },
];

/// The result of a look at tables and plan.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    /// The plan, where it can be read.
    pub plan: Option<Plan>,
    /// Faults, one sentence each.
    pub faults: Vec<String>,
    /// Faults of views and indices, which hold no data, with the statements that make them again.
    pub mendable: Vec<Mendable>,
}

/// A view or an index that is not what it was.
#[derive(Debug)]
pub(super) struct Mendable {
    /// The fault in a sentence.
    pub fault: String,
    /// The statements that make it again.
    pub statements: String,
}

impl Store {
    /// Checks tables, view and plan. It costs little beside reading the plan.
    pub(super) fn inspect(&self) -> Result<Inspection> {
        let (mut faults, mendable) = self.schema_faults()?;
        if !faults.is_empty() {
            // The contents of the tables mean nothing then.
            return Ok(Inspection {
                plan: None,
                faults,
                mendable,
            });
        }
        let plan = match self.read_plan() {
            Ok(plan) => plan,
            Err(Unread::Damage(fault)) => {
                return Ok(Inspection {
                    plan: None,
                    faults: vec![fault],
                    mendable,
                });
            }
            Err(Unread::Failure(error)) => return Err(self.failure(&error)),
        };
        faults.extend(self.digest_faults(&plan)?);
        faults.extend(self.count_faults(&plan)?);
        faults.extend(self.unit_faults(&plan)?);
        Ok(Inspection {
            plan: Some(plan),
            faults,
            mendable,
        })
    }

    /// The plan of a store whose tables and plan are those that were made.
    pub(super) fn sound_plan(&self) -> Result<Plan> {
        let Inspection { plan, faults, .. } = self.inspect()?;
        match (plan, faults.into_iter().next()) {
            (Some(plan), None) => Ok(plan),
            (_, fault) => Err(Error::store(
                &self.path,
                fault.unwrap_or_else(|| "its plan cannot be read".into()),
                REMEDY,
            )),
        }
    }

    /// Tables that are missing or have another definition, the same of views and indices, and triggers, which the program
    /// makes none of: they might change what is written. Further views and indices do no harm.
    fn schema_faults(&self) -> Result<(Vec<String>, Vec<Mendable>)> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let fresh = Connection::open_in_memory().map_err(failure)?;
        fresh.execute_batch(&schema::create()).map_err(failure)?;
        let found = definitions(&self.connection).map_err(failure)?;
        if found.contains_key("evaluations") {
            let create = schema::create_evaluations();
            fresh.execute_batch(create).map_err(failure)?;
        }
        let expected = definitions(&fresh).map_err(failure)?;
        let (mut faults, mut mendable) = (Vec::new(), Vec::new());
        for (name, (kind, text)) in &expected {
            let what = match found.get(name) {
                None => "is missing",
                Some((_, own)) if own != text => "has another definition",
                Some(_) => continue,
            };
            let fault = format!("the {kind} {name} {what}");
            let is_same_kind = found.get(name).is_none_or(|(own, _)| own == kind);
            if kind == "table" || !is_same_kind {
                faults.push(fault);
            } else {
                let statements = format!("DROP {kind} IF EXISTS {name}; {text};");
                mendable.push(Mendable { fault, statements });
            }
        }
        for (name, (kind, _)) in &found {
            if kind == "trigger" {
                faults.push(format!("there is a trigger, {name}"));
            }
        }
        Ok((faults, mendable))
    }

    /// Parts of the plan that do not match the digests that were stored with them.
    fn digest_faults(&self, plan: &Plan) -> Result<Vec<String>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let mut faults = Vec::new();
        let mut query = self
            .connection
            .prepare("SELECT key, value FROM meta")
            .map_err(failure)?;
        let kept: BTreeMap<String, String> = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(failure)?;
        if !kept.contains_key("version") {
            faults.push("the table meta has no row version".into());
        }
        for (part, digest) in plan.digests() {
            match kept.get(&schema::digest_key(part)) {
                None => faults.push(format!("the table meta has no digest of the {part}")),
                Some(kept) if *kept != digest => {
                    faults.push(format!("the plan was altered: its {part}"));
                }
                Some(_) => {}
            }
        }
        // The digest by which a resumed sweep knows its points.
        let text = "SELECT points_digest FROM studies ORDER BY study";
        let mut query = self.connection.prepare(text).map_err(failure)?;
        let kept: Vec<String> = query
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(failure)?;
        for (study, kept) in plan.studies.iter().zip(&kept) {
            if study.points_digest() != *kept {
                faults.push(format!(
                    "the points of study {} do not match their digest",
                    study.name
                ));
            }
        }
        Ok(faults)
    }

    /// Indices that do not hold what their tables hold, one sentence each: what is found by such an index is
    /// not all there is.
    pub(super) fn index_faults(&self) -> Result<Vec<String>> {
        // An index and its table are compared as they are at one moment: other processes go on writing.
        let is_own = self.connection.is_autocommit();
        if is_own {
            let begin = self.connection.execute_batch("BEGIN");
            begin.map_err(|e| self.failure(&e))?;
        }
        let faults = self.index_faults_at_one_moment();
        if is_own {
            // Nothing was written, and damage may have ended the transaction already.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        faults
    }

    fn index_faults_at_one_moment(&self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        for Index {
            name,
            table,
            columns,
            filter,
        } in INDICES
        {
            let exists = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'index' AND name = ?1";
            // One that is missing is a fault of the tables' definitions.
            if self.count(exists, [name])? == 0 {
                continue;
            }
            let sums = |how: &str| {
                let text = format!("SELECT {columns} FROM {table} {how} WHERE {filter}");
                self.sum_of_rows(&text)
            };
            match (sums(&format!("INDEXED BY {name}")), sums("NOT INDEXED")) {
                (Ok(by_index), Ok(by_table)) if by_index == by_table => {}
                (Ok(_), Ok(_)) => {
                    faults.push(format!("the index {name} does not hold what {table} holds"));
                }
                (Err(error), Ok(_)) if is_damage(&error) => {
                    faults.push(format!("the index {name} cannot be read ({error})"));
                }
                (_, Err(error)) | (Err(error), _) => return Err(self.failure(&error)),
            }
        }
        Ok(faults)
    }

    /// The number of rows of a query and a sum of their hashes, the same in whichever order they come.
    fn sum_of_rows(&self, query: &str) -> rusqlite::Result<(usize, u64)> {
        let mut query = self.connection.prepare(query)?;
        let columns = query.column_count();
        let (mut count, mut sum) = (0, 0u64);
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let mut hash = Xxh3Default::new();
            for at in 0..columns {
                match row.get_ref(at)? {
                    ValueRef::Null => hash.write_u8(0),
                    ValueRef::Integer(value) => hash.write_i64(value),
                    ValueRef::Real(value) => hash.write_u64(value.to_bits()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => hash.write(bytes),
                }
            }
            count += 1;
            sum = sum.wrapping_add(hash.digest());
        }
        Ok((count, sum))
    }

    /// Rows that belong to no study of the plan.
    fn count_faults(&self, plan: &Plan) -> Result<Vec<String>> {
        let sum = |of: fn(&super::Study) -> usize| plan.studies.iter().map(of).sum::<usize>();
        let mut faults = Vec::new();
        for (table, planned) in [
            ("targets", sum(|study| study.targets.len())),
            ("points", sum(|study| study.points.len())),
            ("folds", sum(|study| study.folds.len())),
        ] {
            let kept = self.count(&format!("SELECT COUNT(*) FROM {table} NOT INDEXED"), [])?;
            if kept != planned {
                faults.push(format!(
                    "there are {kept} {table}, the studies have {planned}"
                ));
            }
        }
        Ok(faults)
    }

    /// Units that are not those of the plan.
    fn unit_faults(&self, plan: &Plan) -> Result<Vec<String>> {
        let failure = |e: rusqlite::Error| self.failure(&e);
        let kept = self.count("SELECT COUNT(*) FROM units NOT INDEXED", [])?;
        let planned = plan.unit_count();
        if kept != planned {
            let what = format!("there are {kept} units, the plan has {planned}");
            return Ok(vec![what]);
        }
        let mut query = self
            .connection
            .prepare("SELECT unit, study, fold, path FROM units NOT INDEXED ORDER BY unit")
            .map_err(failure)?;
        let mut rows = query.query([]).map_err(failure)?;
        for unit in plan.units() {
            let Some(row) = rows.next().map_err(failure)? else {
                break;
            };
            let place = || -> rusqlite::Result<[usize; 4]> {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
            };
            // Not an integer, hence not a valid index.
            if place().ok() != Some([unit.number, unit.study, unit.fold, unit.path]) {
                let what = format!("unit {} is not that of the plan", unit.number);
                return Ok(vec![what]);
            }
        }
        Ok(Vec::new())
    }
}

/// Kind and text of everything that has been created, by name; not what SQLite makes for itself.
fn definitions(connection: &Connection) -> rusqlite::Result<BTreeMap<String, (String, String)>> {
    let text =
        "SELECT name, type, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut query = connection.prepare(text)?;
    let rows = query.query_map([], |row| {
        let text: Option<String> = row.get(2)?;
        Ok((row.get(0)?, (row.get(1)?, text.unwrap_or_default())))
    })?;
    rows.collect()
}
