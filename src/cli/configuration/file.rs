//! A configuration file: the flags of `sweep` or `tune` by their names, in TOML, and the effective ones written
//! back.
//!
//! ```toml
//! data = "prices.csv"
//! target = "price"
//! cv = 5
//!
//! [space]                    # a table of the groups' names only groups settings
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
use clap::{ArgMatches, FromArgMatches};
use toml::{Table, Value};

use super::defaults::left_to_defaults;
use super::precedence::{Settings, argument, exclude, is_switch, name_of, remaining};
use super::provenance::{Provenance, line_of};
use crate::cli::arguments::{command, sweep, tune};
use crate::cli::failure::Failure;
use crate::cli::usage;
use crate::error::{Error, Place};

/// Names of tables that group settings, and nothing more.
const GROUPS: [&str; 10] = [
    "tuning",
    "data",
    "problem",
    "space",
    "folds",
    "hypergradient",
    "solver",
    "runtime",
    "store",
    "output",
];

/// Flags that say where a run happens and what it prints, not what is computed.
const NOT_CONFIGURED: [&str; 10] = [
    "model",
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

/// Settings of the whole run: its studies cannot have different ones.
const OF_THE_RUN: [&str; 13] = [
    "store",
    "report",
    "shard",
    "threads",
    "device",
    "regime",
    "design-storage",
    "products",
    "time-budget",
    "format",
    "out",
    "best",
    "strict",
];

/// The flags of a command that a configuration file may hold.
pub trait Configured: FromArgMatches + Clone {
    /// The command.
    const COMMAND: &str;

    /// The configuration file.
    fn config(&self) -> Option<&Path>;

    /// The settings that are left to defaults, by the names of their flags.
    fn defaults(&self) -> Vec<(&'static str, String)>;
}

impl Configured for sweep::Arguments {
    const COMMAND: &str = "sweep";

    fn config(&self) -> Option<&Path> {
        self.store.configuration.config.as_deref()
    }

    fn defaults(&self) -> Vec<(&'static str, String)> {
        left_to_defaults(self)
    }
}

impl Configured for tune::Arguments {
    const COMMAND: &str = "tune";

    fn config(&self) -> Option<&Path> {
        self.configuration.config.as_deref()
    }

    fn defaults(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A study as the flags ask for it, whether they stand on the command line or in a file.
pub struct Request<A> {
    /// The flags.
    pub arguments: A,
    /// The same as they were parsed.
    pub matches: ArgMatches,
    /// Its place in the file; empty where there is none.
    pub place: String,
}

/// The studies of a sweep, as the command line and its configuration file describe them.
pub struct Described<A> {
    /// The studies, at least one.
    pub studies: Vec<Request<A>>,
    /// The effective configuration, as TOML.
    pub configuration: String,
}

impl<A: Configured> Described<A> {
    /// The studies of a command line: its flags, its matches and its words.
    ///
    /// Without a configuration file they are what was parsed already; else the words are parsed once more
    /// for each study, those of the file among them.
    pub fn of(arguments: &A, matches: &ArgMatches, given: &[OsString]) -> Result<Self, Failure> {
        let whole = command();
        // infallible: the command is there by its own name
        let sweep = whole.find_subcommand(A::COMMAND).expect("the command");
        let matches = own_of::<A>(matches)?;
        let studies = match arguments.config() {
            None => vec![Request {
                arguments: arguments.clone(),
                matches: matches.clone(),
                place: String::new(),
            }],
            Some(path) => {
                let on_command_line = given_settings(sweep, matches);
                let left = |(settings, provenance): (Settings, Provenance)| {
                    (remaining(sweep, &settings, &on_command_line), provenance)
                };
                let parts: Vec<_> = parts(path, sweep)?.into_iter().map(left).collect();
                check_run(&parts)?;
                let request = |(settings, provenance): &(Settings, Provenance)| {
                    request(&words(sweep, given, settings), provenance)
                };
                parts.iter().map(request).collect::<Result<_, _>>()?
            }
        };
        // Defaults are written as well: the effective configuration is complete.
        let configuration = as_toml(studies.iter().map(|s| effective_table(sweep, s)).collect());
        Ok(Self {
            studies,
            configuration,
        })
    }
}

/// Flags that may stand beside a store: where the data lie, how rows are read that the sweep had not, and how the
/// problem is solved. What is computed stands in the store.
const BESIDE_A_STORE: [&str; 16] = [
    "data",
    "x",
    "y",
    "x-val",
    "y-val",
    "unknown-levels",
    "solver",
    "tol",
    "max-steps",
    "time-budget",
    "strict",
    "threads",
    "device",
    "regime",
    "products",
    "design-storage",
];

/// Settings of a store that say where it was computed.
const OF_THE_MACHINE: [&str; 6] = [
    "store",
    "threads",
    "device",
    "regime",
    "products",
    "design-storage",
];

/// The flags that the study of a store was swept with, by its number there, given the effective
/// configuration of the store and the matches of `command`, whose flags beside `own` stand above them.
///
/// # Errors
/// [`Failure::Usage`] for a flag of the command that says what is computed.
#[cfg_attr(not(feature = "store"), allow(dead_code))]
pub fn stored(
    store: &Path,
    configuration: &str,
    number: usize,
    given: GivenBeside<'_>,
) -> Result<sweep::Arguments, Failure> {
    let whole = command();
    // infallible: the commands are there by their own names
    let [fit, sweep] =
        [given.command, "sweep"].map(|name| whole.find_subcommand(name).expect("the command"));
    let above = given_settings(fit, given.matches);
    let is_own = |name: &str| given.own.contains(&name);
    let is_beside = |name: &str| BESIDE_A_STORE.contains(&name);
    if let Some(name) = above.keys().find(|name| !is_own(name) && !is_beside(name)) {
        return Err(Failure::usage(format!(
            "--{name} cannot stand beside --from, which takes what is computed from the store; drop one of them"
        )));
    }
    let above: Settings = above
        .into_iter()
        .filter(|(name, _)| is_beside(name))
        .collect();
    let mut provenance = Provenance::of_file(store, configuration);
    let mut table: Table = configuration.parse().map_err(|_| {
        provenance.error(
            None,
            "its configuration is not TOML".into(),
            "sweep the data anew",
        )
    })?;
    if let Some(Value::Array(studies)) = table.remove("study") {
        provenance = provenance.of_study(configuration, number);
        match studies.into_iter().nth(number) {
            Some(Value::Table(own)) => table = own,
            _ => table = Table::new(),
        }
    }
    let mut settings = settings_of(&provenance, sweep, flat(&provenance, table)?)?;
    settings.retain(|name, _| !OF_THE_MACHINE.contains(&name.as_str()));
    let mut all = remaining(sweep, &settings, &above);
    all.extend(above);
    let given = ["proxdiff", "sweep"].map(OsString::from);
    request(&words(sweep, &given, &all), &provenance).map(|request| request.arguments)
}

/// The flags of a command that stand beside a store.
pub struct GivenBeside<'a> {
    /// The name of the command.
    pub command: &'a str,
    /// Its matches.
    pub matches: &'a ArgMatches,
    /// Its flags that have nothing to do with the sweep.
    pub own: &'a [&'a str],
}

/// The study that words ask for, those of a part of the file among them.
fn request<A: Configured>(
    words: &[OsString],
    provenance: &Provenance,
) -> Result<Request<A>, Failure> {
    let parse = || -> Result<(A, ArgMatches), clap::Error> {
        let mut matches = command().try_get_matches_from(words)?;
        // The words are those of the command, or they would not be read here.
        if let Some((_, inner)) = matches.remove_subcommand() {
            matches = inner;
        }
        Ok((A::from_arg_matches(&matches)?, matches))
    };
    let (arguments, matches) = parse().map_err(|error| refused(&error, words, provenance))?;
    Ok(Request {
        arguments,
        matches,
        place: provenance.of(None).source,
    })
}

/// Refuses studies that differ in what a run has one of: only the first would count.
fn check_run(parts: &[(Settings, Provenance)]) -> Result<(), Failure> {
    let Some(((first, place), others)) = parts.split_first() else {
        return Ok(());
    };
    for name in OF_THE_RUN {
        for (settings, provenance) in others {
            let (own, other) = (settings.get(name), first.get(name));
            if own == other {
                continue;
            }
            let text =
                |value: Option<&String>| value.map_or("not given", String::as_str).to_string();
            let what = format!(
                "{name} is {} here and {} in {}",
                text(own),
                text(other),
                place.of(None)
            );
            let remedy =
                format!("a sweep has one {name}: give it once, above the [[study]] tables");
            return Err(provenance.error(own.map(|_| name), what, &remedy));
        }
    }
    Ok(())
}

/// The parser's complaint about settings, with their place in the file.
fn refused(error: &clap::Error, words: &[OsString], provenance: &Provenance) -> Failure {
    let flag = usage::flag(error);
    let failure = Failure::usage(usage::line(error, words));
    failure.in_configuration(&provenance.of(flag.as_deref()).to_string())
}

/// The studies of a file: its top-level keys, overridden by each [[study]] table.
fn parts(path: &Path, sweep: &clap::Command) -> Result<Vec<(Settings, Provenance)>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        Failure::from(Error::Io {
            path: path.to_path_buf(),
            source,
            remedy: "check the name of the configuration file",
        })
    })?;
    let mut common: Table = text.parse().map_err(|error: toml::de::Error| {
        let message = error.message().lines().next().unwrap_or_default();
        Failure::from(Error::Data {
            place: Place {
                source: path.display().to_string(),
                line: error.span().map(|span| line_of(&text, span.start)),
                column: None,
            },
            what: message.to_string(),
            remedy: "write TOML: name = value, texts in quotes".into(),
        })
    })?;
    let file = Provenance::of_file(path, &text);
    let Some(studies) = common.remove("study") else {
        let settings = settings_of(&file, sweep, flat(&file, common)?)?;
        return Ok(vec![(settings, file)]);
    };
    let not_tables = || {
        file.error(
            Some("study"),
            "study is not a list of tables".into(),
            "write each study under a line [[study]]",
        )
    };
    let Value::Array(studies) = studies else {
        return Err(not_tables());
    };
    if studies.is_empty() {
        return Err(not_tables());
    }
    let common = settings_of(&file, sweep, flat(&file, common)?)?;
    studies
        .into_iter()
        .enumerate()
        .map(|(number, study)| {
            let Value::Table(own) = study else {
                return Err(not_tables());
            };
            let provenance = file.of_study(&text, number);
            let own = settings_of(&provenance, sweep, flat(&provenance, own)?)?;
            let mut all = remaining(sweep, &common, &own);
            all.extend(own);
            Ok((all, provenance))
        })
        .collect()
}

/// The settings of a table and of its groups in one; underscores are as good as dashes. A table of
/// another name, or a setting that is given twice, would be read as something that nobody meant.
fn flat(provenance: &Provenance, table: Table) -> Result<Table, Failure> {
    let mut all = Table::new();
    let mut add = |name: String, value: Value| {
        let name = name.replace('_', "-");
        if all.insert(name.clone(), value).is_none() {
            return Ok(());
        }
        Err(provenance.error(
            Some(&name),
            format!("{name} is given twice"),
            "keep one of them; a table in brackets only groups settings",
        ))
    };
    let no_table = |name: &str| {
        provenance.error(
            Some(name),
            format!("there is no table \"{name}\""),
            &format!(
                "write settings above all tables, under [[study]], or in groups: [{}]",
                GROUPS.join("], [")
            ),
        )
    };
    for (key, value) in table {
        match value {
            Value::Table(inner) if GROUPS.contains(&key.as_str()) => {
                for (key, value) in inner {
                    if value.is_table() {
                        return Err(no_table(&key));
                    }
                    add(key, value)?;
                }
            }
            Value::Table(_) => return Err(no_table(&key)),
            value => add(key, value)?,
        }
    }
    Ok(all)
}

/// The settings of a table as texts; refuses names and kinds of values that no flag has.
fn settings_of(
    provenance: &Provenance,
    sweep: &clap::Command,
    table: Table,
) -> Result<Settings, Failure> {
    let mut settings = Settings::new();
    for (name, value) in table {
        let known = argument(sweep, &name).filter(|_| name != "config" && name != "write-config");
        let Some(argument) = known else {
            return Err(provenance.error(
                Some(&name),
                format!("there is no setting \"{name}\""),
                &format!(
                    "use the long names of the flags of `proxdiff {}`, without dashes",
                    sweep.get_name()
                ),
            ));
        };
        let text = match (&value, is_switch(argument)) {
            (Value::Boolean(on), true) => Some(on.to_string()),
            (Value::Boolean(_), false) | (_, true) => None,
            (value, false) => text_of(value),
        };
        let Some(text) = text else {
            let remedy = if is_switch(argument) {
                "write true or false"
            } else {
                "write a text in quotes, a number, or a list of such"
            };
            return Err(provenance.error(
                Some(&name),
                format!("setting {name} is {value}"),
                remedy,
            ));
        };
        settings.insert(name, text);
    }
    Ok(settings)
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

fn own_of<A: Configured>(matches: &ArgMatches) -> Result<&ArgMatches, Failure> {
    match matches.subcommand() {
        Some((name, own)) if name == A::COMMAND => Ok(own),
        _ => Err(Failure::usage(
            "a configuration file belongs to sweep and tune",
        )),
    }
}

/// The settings that the command line itself gives.
fn given_settings(sweep: &clap::Command, matches: &ArgMatches) -> Settings {
    let mut settings = Settings::new();
    for argument in sweep.get_arguments() {
        let id = argument.get_id().as_str();
        if matches.value_source(id) == Some(ValueSource::CommandLine)
            && let Some(text) = raw_text(matches, id)
        {
            settings.insert(name_of(argument).to_string(), text);
        }
    }
    settings
}

fn raw_text(matches: &ArgMatches, id: &str) -> Option<String> {
    let raw = matches.try_get_raw(id).ok().flatten()?;
    let texts: Vec<String> = raw
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    Some(texts.join(","))
}

/// The command line with the settings of a file in it.
fn words(sweep: &clap::Command, given: &[OsString], settings: &Settings) -> Vec<OsString> {
    let mut flags: Vec<OsString> = Vec::new();
    for (name, value) in settings {
        match argument(sweep, name) {
            // `false` means that the flag is absent.
            Some(argument) if is_switch(argument) => {
                if value == "true" {
                    flags.push(format!("--{name}").into());
                }
            }
            Some(argument) if argument.is_positional() => flags.push(value.into()),
            _ => flags.push(format!("--{name}={value}").into()),
        }
    }
    // After the command's name, so that what follows is read by the same command.
    let first = given
        .iter()
        .skip(1)
        .position(|word| word == sweep.get_name());
    let place = first.map_or(given.len(), |at| at + 2);
    let is_off = |word: &OsString| {
        let name = word.to_str().and_then(|word| {
            word.strip_prefix("--")
                .and_then(|word| word.strip_suffix("=false"))
        });
        name.is_some_and(|name| argument(sweep, name).is_some_and(is_switch))
    };
    let mut all = given[..place.min(given.len())].to_vec();
    all.extend(flags);
    all.extend(
        given[place.min(given.len())..]
            .iter()
            .filter(|word| !is_off(word))
            .cloned(),
    );
    all
}

/// Every flag with its value, defaults included.
fn effective_table<A: Configured>(sweep: &clap::Command, study: &Request<A>) -> Table {
    let mut table = Table::new();
    let matches = &study.matches;
    let defaults = study.arguments.defaults();
    let all = given_settings(sweep, matches);
    for argument in sweep.get_arguments() {
        let (id, name) = (argument.get_id().as_str(), name_of(argument));
        // A default beside what leaves it without a meaning would be refused where it is read.
        let is_void = !is_switch(argument)
            && matches.value_source(id) == Some(ValueSource::DefaultValue)
            && all.keys().any(|given| exclude(sweep, name, given));
        if is_void || NOT_CONFIGURED.contains(&name) {
            continue;
        }
        let default = defaults.iter().find(|(flag, _)| *flag == name);
        let given = matches.value_source(id).and_then(|_| raw_text(matches, id));
        let Some(text) = default.map(|(_, text)| text.clone()).or(given) else {
            continue;
        };
        let value = if is_switch(argument) {
            Value::Boolean(text == "true")
        } else {
            match text.parse::<i64>() {
                // A text such as 007 is not the number that it reads as.
                Ok(whole) if whole.to_string() == text => Value::Integer(whole),
                _ => Value::String(text),
            }
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
