//! The tables and the view of a store.
//!
//! | table | one row per |
//! | --- | --- |
//! | `meta` | fact about the store: `configuration` (TOML), `version` of the program that made it, rows and names of features of every study, digests of the plan's parts |
//! | `studies` | study: name, source, settings, fingerprints |
//! | `targets` | target of a study |
//! | `points` | point of a study: path, target, l1, l2, alpha, l1_ratio |
//! | `folds` | fold of a study: number, repeat, rows |
//! | `units` | unit of work: whose lease, done or not, seconds, device, digest of its results |
//! | `sessions` | process that has worked on the store, and on which shard (`i/N`) of the plan if not on all of it |
//! | `results` | finished cell |
//! | `evaluations` | of a tuning or a meta-learning alone: batch of points on a fold or group of tasks, by the hash of what it is of; whose lease, done or not, criteria, result, digest |
//!
//! The view `cells` joins results with points and folds, one row per finished cell, in the order of the
//! plan, and is what other programs should read.
//!
//! The definitions themselves are checked when a store is opened: whoever changes one here gives the
//! tables a new version.

use crate::sweep::record::Number;

/// Marks a file as a store of this program: `prxd`.
pub(super) const APPLICATION: i32 = 0x7072_7864;
/// The version of the tables.
pub(super) const VERSION: i32 = 2;

/// The row of `meta` that holds rows and names of features of a study, as JSON; stores of before have none.
pub(super) fn columns_key(study: usize) -> String {
    format!("columns of study {study}")
}

/// The row of `meta` that holds the digest of a part of the plan.
pub(super) fn digest_key(part: &str) -> String {
    format!("digest of the {part}")
}

/// Creates everything.
///
/// Results are rows in the order in which they arrive, with an index beside them: in the order of the
/// key a unit's cells would lie far apart, and storing a unit would write most pages again.
pub(super) fn create() -> String {
    let selected: Vec<String> = Number::ALL
        .iter()
        .filter(|n| **n != Number::Criterion)
        .map(|n| format!("r.{}", n.name()))
        .collect();
    format!(
        "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE studies (
    study INTEGER PRIMARY KEY, name TEXT NOT NULL, source TEXT NOT NULL, settings TEXT NOT NULL,
    fingerprint TEXT NOT NULL, points_digest TEXT NOT NULL, folds_digest TEXT NOT NULL
);
CREATE TABLE targets (
    study INTEGER NOT NULL, target INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (study, target)
) WITHOUT ROWID;
CREATE TABLE points (
    study INTEGER NOT NULL, point INTEGER NOT NULL, path INTEGER NOT NULL, place INTEGER NOT NULL,
    target INTEGER NOT NULL, l1 REAL NOT NULL, l2 REAL NOT NULL, alpha REAL, l1_ratio REAL,
    PRIMARY KEY (study, point)
) WITHOUT ROWID;
CREATE TABLE folds (
    study INTEGER NOT NULL, fold INTEGER NOT NULL, number INTEGER NOT NULL,
    repeat INTEGER NOT NULL, training_rows INTEGER NOT NULL, held_out_rows INTEGER NOT NULL,
    PRIMARY KEY (study, fold)
) WITHOUT ROWID;
CREATE TABLE sessions (
    session INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, boot TEXT NOT NULL,
    namespace TEXT NOT NULL, process INTEGER NOT NULL, process_start TEXT NOT NULL,
    version TEXT NOT NULL, beat INTEGER NOT NULL DEFAULT 0,
    started TEXT NOT NULL, ended TEXT, shard TEXT
);
CREATE TABLE units (
    unit INTEGER PRIMARY KEY, study INTEGER NOT NULL, fold INTEGER NOT NULL, path INTEGER NOT NULL,
    session INTEGER, done INTEGER NOT NULL DEFAULT 0, seconds REAL, device TEXT, finished TEXT,
    digest TEXT
);
CREATE INDEX open_units ON units (unit) WHERE done = 0;
CREATE UNIQUE INDEX units_by_place ON units (study, fold, path);
{results};
CREATE VIEW cells AS SELECT
    p.l1, p.l2, f.number AS fold, r.criterion, {selected}, r.status, r.warnings,
    s.name AS study, t.name AS target, p.alpha, p.l1_ratio, f.repeat, r.point,
    r.hypergradient_l1_vector, r.hypergradient_prior, r.solution,
    u.seconds AS unit_seconds, u.device
FROM results r
JOIN points p ON p.study = r.study AND p.point = r.point
JOIN folds f ON f.study = r.study AND f.fold = r.fold
JOIN studies s ON s.study = r.study
JOIN targets t ON t.study = r.study AND t.target = p.target
LEFT JOIN units u ON u.study = r.study AND u.fold = r.fold AND u.path = p.path
ORDER BY r.study, r.point, r.fold;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
",
        results = create_results(),
        selected = selected.join(", ")
    )
}

/// Creates the table of a search's evaluations.
pub(super) fn create_evaluations() -> &'static str {
    "CREATE TABLE IF NOT EXISTS evaluations (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL, part TEXT NOT NULL, fold INTEGER NOT NULL,
    points TEXT NOT NULL, device TEXT NOT NULL, session INTEGER, done INTEGER NOT NULL DEFAULT 0,
    criteria TEXT, seconds REAL, finished TEXT, result BLOB, digest TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS evaluations_by_key ON evaluations (key);"
}

/// Creates the table of results.
pub(super) fn create_results() -> String {
    results_as("results", ",\n    PRIMARY KEY (study, point, fold)")
}

/// Creates the same table under another name, without a key and the index that comes with it.
pub(super) fn create_results_without_key(name: &str) -> String {
    results_as(name, "")
}

fn results_as(name: &str, key: &str) -> String {
    let mut numbers = String::new();
    for number in Number::ALL {
        let kind = if number.is_whole() { "INTEGER" } else { "REAL" };
        numbers.push_str(&format!("    {} {kind},\n", number.name()));
    }
    format!(
        "CREATE TABLE {name} (
    study INTEGER NOT NULL, point INTEGER NOT NULL, fold INTEGER NOT NULL, status TEXT NOT NULL,
{numbers}    warnings TEXT NOT NULL,
    hypergradient_l1_vector BLOB, hypergradient_prior BLOB, solution BLOB{key}
)"
    )
}
