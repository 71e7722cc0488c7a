//! Precedence of settings: the one that is given closer to the user wins.
//!
//! The keys at the top of a configuration file give way to those of a [[study]] table, and both to
//! the command line. A setting gives way to the same setting, to one that it cannot stand beside,
//! and to one that leaves it without a meaning: with `--folds FILE` on the command line, a file's
//! `cv` and `repeats` go. Sums of squares have their folds in them: they take the place of other data, but what
//! deals rows stays beside them, and is refused.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, Command};

use crate::sweep::ordered::Scheme;

/// Settings by their names, as texts.
pub type Settings = BTreeMap<String, String>;

/// Settings that say more about `cv`.
const OF_CV: [&str; 4] = ["stratified", "repeats", "group-column", "gap"];

/// Settings that say which rows are held out.
const DEALING: [&str; 9] = [
    "cv",
    "folds",
    "stratified",
    "repeats",
    "group-column",
    "gap",
    "val-fraction",
    "bootstrap",
    "subsamples",
];
/// Settings that name data.
const DATA: [&str; 3] = ["data", "x", "example"];

/// The name of an argument in a configuration.
pub fn name_of(argument: &Arg) -> &str {
    argument
        .get_long()
        .unwrap_or_else(|| argument.get_id().as_str())
}

/// The argument of a name.
pub fn argument<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|argument| name_of(argument) == name)
}

/// Whether an argument is a switch, on or off.
pub fn is_switch(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
        || argument
            .get_default_values()
            .first()
            .is_some_and(|value| value == "false")
}

/// The settings of `below` that do not give way to those of `above`.
pub fn remaining(command: &Command, below: &Settings, above: &Settings) -> Settings {
    let stays = |name: &str| !gives_way(command, name, below, above);
    let kept = below.iter().filter(|(name, _)| stays(name));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn gives_way(command: &Command, name: &str, below: &Settings, above: &Settings) -> bool {
    if above.contains_key(name) {
        return true;
    }
    let is_off = |name: &str, value: &str| {
        value == "false" && argument(command, name).is_some_and(is_switch)
    };
    above.iter().any(|(winner, value)| {
        !is_off(winner, value)
            && (exclude(command, name, winner) && !is_contradiction(name, winner)
                || is_void(name, below, winner, value))
    })
}

/// Whether two settings that exclude each other say what no other setting can be taken for, so that neither gives
/// way.
fn is_contradiction(name: &str, winner: &str) -> bool {
    match (name, winner) {
        (name, "factors") => DEALING.contains(&name),
        ("factors", winner) => !DATA.contains(&winner),
        _ => false,
    }
}

/// Whether the command refuses two settings together.
pub fn exclude(command: &Command, one: &str, other: &str) -> bool {
    let names = |first: &str, second: &str| {
        argument(command, first).is_some_and(|first| {
            let conflicts = command.get_arg_conflicts_with(first);
            conflicts.iter().any(|argument| name_of(argument) == second)
        })
    };
    names(one, other) || names(other, one)
}

/// Whether a setting says nothing, or something else, beside a new one that the command would not
/// refuse by itself.
fn is_void(name: &str, below: &Settings, winner: &str, value: &str) -> bool {
    let changes = below.get(winner).is_none_or(|old| old != value);
    match winner {
        "folds" | "val-fraction" | "x-val" if OF_CV.contains(&name) => true,
        "cv" | "folds" | "val-fraction" | "example" if name == "y-val" => true,
        "cv" => OF_CV.contains(&name) && !fits_scheme(name, value),
        "refine" => name == "precision",
        "precision" => name == "refine",
        "search" => name == "samples" && value == "grid",
        "penalty" if changes => !fits_penalty(name, value) || name == "wrt",
        "loss" if changes && name == "wrt" => true,
        // These follow another setting unless they are given.
        "loss" if changes => name == "criterion" && below.get("criterion") == below.get("loss"),
        "multiplier" => name == "shift",
        "stochastic-steps" => name == "freeze",
        _ => false,
    }
}

/// Whether a setting has a meaning for a scheme of folds.
fn fits_scheme(name: &str, scheme: &str) -> bool {
    scheme.parse::<Scheme>().is_ok_and(|scheme| match name {
        "gap" => scheme.is_in_time(),
        _ => scheme.is_random(),
    })
}

/// Whether a setting has a meaning for a penalty.
fn fits_penalty(name: &str, penalty: &str) -> bool {
    match name {
        "l1-file" => matches!(penalty, "weighted" | "group" | "sparse-group"),
        "group-size" | "groups" | "group-weights" => matches!(penalty, "group" | "sparse-group"),
        "box" => penalty == "box",
        // Bounds are no defaults: where they cannot hold, that is an error.
        "coefficient-bounds" | "positive" => true,
        "adaptive" | "first-fit" => penalty == "elastic-net",
        "relax" => matches!(penalty, "elastic-net" | "weighted"),
        "l1" | "alpha" | "l1-ratio" => penalty != "box",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pair = |(name, value): &(&str, &str)| ((*name).to_string(), (*value).to_string());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_cannot_stand_beside_a_flag_gives_way_to_it() {
        let whole = crate::cli::arguments::command();
        let command = whole.find_subcommand("sweep").unwrap();
        for (below, above, left) in [
            (
                &[("cv", "5"), ("seed", "1")][..],
                ("cv", "3"),
                &["seed"][..],
            ),
            (
                &[("cv", "5"), ("repeats", "2"), ("stratified", "true")],
                ("folds", "f.csv"),
                &[],
            ),
            (
                &[("cv", "5"), ("group-column", "site")],
                ("val-fraction", "0.3"),
                &[],
            ),
            (
                &[("cv", "expanding:5"), ("gap", "2"), ("seed", "1")],
                ("cv", "5"),
                &["seed"],
            ),
            (
                &[("cv", "5"), ("repeats", "2"), ("gap", "2")],
                ("cv", "rolling:5:9"),
                &["gap"],
            ),
            (&[("x-val", "x.npy"), ("y-val", "y.npy")], ("cv", "3"), &[]),
            (&[("l1", "1"), ("l2", "1")], ("alpha", "1"), &[]),
            (&[("alpha", "1"), ("l1-ratio", "0.5")], ("l2", "1"), &[]),
            (
                &[("stratified", "true"), ("cv", "3")],
                ("group-column", "site"),
                &["cv"],
            ),
            (
                &[("group-column", "site"), ("cv", "3")],
                ("stratified", "false"),
                &["cv", "group-column"],
            ),
            (&[("example", "true")], ("data", "d.csv"), &[]),
            (&[("data", "d.csv")], ("x", "x.npy"), &[]),
            (
                &[("cv", "5"), ("data", "d.csv"), ("header", "yes")],
                ("factors", "a.factors"),
                &["cv"],
            ),
            (&[("factors", "a.factors")], ("cv", "5"), &["factors"]),
            (&[("factors", "a.factors")], ("header", "yes"), &["factors"]),
            (&[("factors", "a.factors")], ("data", "d.csv"), &[]),
            (&[("precision", "f32")], ("refine", "true"), &[]),
            (
                &[("search", "sobol"), ("samples", "9")],
                ("search", "grid"),
                &[],
            ),
            (
                &[("penalty", "group"), ("groups", "g"), ("l1-file", "s")],
                ("penalty", "weighted"),
                &["l1-file"],
            ),
            (
                &[("penalty", "group"), ("groups", "g")],
                ("penalty", "group"),
                &["groups"],
            ),
            (
                &[("loss", "squared"), ("criterion", "squared")],
                ("loss", "huber"),
                &[],
            ),
            (
                &[("loss", "huber"), ("criterion", "squared")],
                ("loss", "logistic"),
                &["criterion"],
            ),
            (
                &[("loss", "huber"), ("wrt", "l1,huber-delta")],
                ("loss", "squared"),
                &[],
            ),
            (
                &[("loss", "huber"), ("wrt", "l1,huber-delta")],
                ("loss", "huber"),
                &["wrt"],
            ),
        ] {
            let found = remaining(command, &settings(below), &settings(&[above]));
            let names: Vec<&str> = found.keys().map(String::as_str).collect();
            assert_eq!(names, left, "{below:?} beside {above:?}");
        }
    }
}
