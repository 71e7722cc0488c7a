//! A configuration file: the flags of `sweep` by their names, in TOML, and the effective ones written
//! back.
//!
//! ```toml
//! data = "prices.csv"
//! target = "price"
//! cv = 5
//!
//! [space]                    # a table only groups settings
//! l1 = "frac:1e-3:1:64"
//! l2 = [0.01, 0.1]
//!
//! [[study]]                  # one problem each, with the flags above unless it has its own
//! name = "plain"
//! [[study]]
//! name = "robust"
//! loss = "huber"
//! ```

use std::ffi::OsString;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use toml::{Table, Value};

use crate::cli::Cli;
use crate::cli::commands::sweep::Arguments;
use crate::cli::failure::Failure;
use crate::error::{Error, Place};

/// Flags that say where a run happens and what it prints, not what is computed.
const NOT_CONFIGURED: [&str; 9] = [
    "config",
    "report",
    "write-config",
    "shard",
    "format",
    "out",
    "best",
    "coefficients",
    "strict",
];

/// The studies that the command line and its configuration file describe, and their effective
/// configuration as TOML.
pub fn studies(arguments: &Arguments) -> Result<(Vec<Arguments>, String), Failure> {
    let given: Vec<OsString> = std::env::args_os().collect();
    let tables = match arguments.config_file() {
        None => vec![Table::new()],
        Some(path) => tables(path)?,
    };
    let command_line = matches_of(&given)?;
    let mut parsed = Vec::with_capacity(tables.len());
    let mut effective = Vec::with_capacity(tables.len());
    for table in &tables {
        let flags = flags_of(table, &command_line, arguments.config_file())?;
        let mut all = given.clone();
        // After the command's name, so that what follows is read by the same command.
        let place = all.iter().position(|word| word == "sweep").unwrap_or(0) + 1;
        all.splice(place..place, flags);
        let matches = matches_of(&all)?;
        let arguments = Arguments::from_arg_matches(&matches)
            .map_err(|error| Failure::usage(first_line(&error)))?;
        effective.push(effective_table(&matches));
        parsed.push(arguments);
    }
    Ok((parsed, as_toml(effective)))
}

/// The studies of a file: its top-level keys, overridden by each [[study]] table.
fn tables(path: &Path) -> Result<Vec<Table>, Failure> {
    let bad = |what: String, line: Option<u64>, remedy: &str| {
        Failure::from(Error::Data {
            place: Place {
                source: path.display().to_string(),
                line,
                column: None,
            },
            what,
            remedy: remedy.into(),
        })
    };
    let text = std::fs::read_to_string(path).map_err(|source| {
        Failure::from(Error::Io {
            path: path.to_path_buf(),
            source,
            remedy: "check the name of the configuration file",
        })
    })?;
    let mut common: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map(|span| text[..span.start].lines().count().max(1) as u64);
        let message = error
            .message()
            .lines()
            .next()
            .unwrap_or_default()
            .to_string();
        bad(message, line, "write TOML: name = value, texts in quotes")
    })?;
    let Some(studies) = common.remove("study") else {
        return Ok(vec![flat(common)]);
    };
    let not_tables = || {
        bad(
            "study is not a list of tables".into(),
            None,
            "write each study under a line [[study]]",
        )
    };
    let Value::Array(studies) = studies else {
        return Err(not_tables());
    };
    studies
        .into_iter()
        .map(|study| {
            let Value::Table(own) = study else {
                return Err(not_tables());
            };
            let mut table = flat(common.clone());
            table.extend(flat(own));
            Ok(table)
        })
        .collect()
}

/// Tables only group settings, and underscores are as good as dashes.
fn flat(table: Table) -> Table {
    let mut all = Table::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => all.extend(flat(inner)),
            value => {
                all.insert(key.replace('_', "-"), value);
            }
        }
    }
    all
}

fn matches_of(words: &[OsString]) -> Result<ArgMatches, Failure> {
    let matches = Cli::command()
        .try_get_matches_from(words)
        .map_err(|error| Failure::usage(first_line(&error)))?;
    match matches.subcommand() {
        Some(("sweep", sweep)) => Ok(sweep.clone()),
        _ => Err(Failure::usage("a configuration file belongs to sweep")),
    }
}

/// The first line of a usage error, and what it is about.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let details: Vec<&str> = lines
        .take_while(|line| line.starts_with("  "))
        .map(str::trim)
        .filter(|line| !line.starts_with("tip:"))
        .collect();
    if first.ends_with(':') && !details.is_empty() {
        format!("{first} {}", details.join(", "))
    } else {
        first.to_string()
    }
}

/// The words of a table's flags, without those that the command line gives itself.
fn flags_of(
    table: &Table,
    command_line: &ArgMatches,
    path: Option<&Path>,
) -> Result<Vec<OsString>, Failure> {
    let command = Cli::command();
    // infallible: the command is there by its own name
    let sweep = command.find_subcommand("sweep").expect("sweep");
    let mut words: Vec<OsString> = Vec::new();
    for (key, value) in table {
        let argument = sweep.get_arguments().find(|argument| {
            argument.get_long() == Some(key.as_str())
                || (argument.is_positional() && argument.get_id() == key.as_str())
        });
        let known = argument.filter(|_| key != "config" && key != "write-config");
        let Some(argument) = known else {
            return Err(Error::Data {
                place: Place {
                    source: path.map_or_else(String::new, |path| path.display().to_string()),
                    ..Place::default()
                },
                what: format!("there is no setting \"{key}\""),
                remedy: "use the long names of the flags of `proxdiff sweep`, without dashes"
                    .into(),
            }
            .into());
        };
        let id = argument.get_id().as_str();
        if command_line.value_source(id) == Some(ValueSource::CommandLine) {
            continue;
        }
        if let Value::Boolean(on) = value {
            if *on {
                words.push(format!("--{key}").into());
            }
            continue;
        }
        let text = text_of(value).ok_or_else(|| {
            Failure::usage(format!(
                "setting {key} is neither a text, a number, a truth value nor a list of such"
            ))
        })?;
        if argument.is_positional() {
            words.push(text.into());
        } else {
            words.push(format!("--{key}={text}").into());
        }
    }
    Ok(words)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Array(values) => {
            let texts: Option<Vec<String>> = values.iter().map(text_of).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

/// Every flag with its value, defaults included.
fn effective_table(matches: &ArgMatches) -> Table {
    let command = Cli::command();
    // infallible: the command is there by its own name
    let sweep = command.find_subcommand("sweep").expect("sweep");
    let mut table = Table::new();
    for argument in sweep.get_arguments() {
        let id = argument.get_id().as_str();
        let name = argument.get_long().unwrap_or(id);
        if NOT_CONFIGURED.contains(&name) || matches.value_source(id).is_none() {
            continue;
        }
        let Some(raw) = matches.try_get_raw(id).ok().flatten() else {
            continue;
        };
        let texts: Vec<String> = raw
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let text = texts.join(",");
        let is_switch = matches!(argument.get_action(), clap::ArgAction::SetTrue);
        let value = if is_switch {
            Value::Boolean(text == "true")
        } else if let Ok(whole) = text.parse::<i64>() {
            Value::Integer(whole)
        } else {
            Value::String(text)
        };
        table.insert(name.to_string(), value);
    }
    table
}

/// One study's keys at the top; several as [[study]] tables.
fn as_toml(mut tables: Vec<Table>) -> String {
    let table = if tables.len() == 1 {
        tables.remove(0)
    } else {
        let studies = tables.into_iter().map(Value::Table).collect();
        Table::from_iter([("study".to_string(), Value::Array(studies))])
    };
    table.to_string()
}
