//! Words that cannot be understood, in one line: what is wrong, and what to give instead.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The line for a usage error of `words`, the whole command line.
pub fn line(error: &clap::Error, words: &[OsString]) -> String {
    let help = format!("`{} --help`", command_of(words));
    match error.kind() {
        ErrorKind::InvalidValue => invalid_value(error),
        // The parsers of values say what to give instead.
        ErrorKind::ValueValidation => first_line(error),
        ErrorKind::UnknownArgument => {
            let what = format!(
                "there is no flag or argument {}",
                quoted(error, ContextKind::InvalidArg)
            );
            with_remedy(&what, suggestion(error, ContextKind::SuggestedArg), &help)
        }
        ErrorKind::InvalidSubcommand => {
            let what = format!(
                "there is no command {}",
                quoted(error, ContextKind::InvalidSubcommand)
            );
            with_remedy(
                &what,
                suggestion(error, ContextKind::SuggestedSubcommand),
                &help,
            )
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("no command is given; {help} lists the commands")
        }
        ErrorKind::ArgumentConflict => conflict(error),
        ErrorKind::MissingRequiredArgument => {
            let missing = texts(error, ContextKind::InvalidArg).join(", ");
            format!("{missing} is missing; give it, as {help} explains")
        }
        ErrorKind::NoEquals => format!(
            "{} takes its value after an equal sign; write it as one word",
            quoted(error, ContextKind::InvalidArg)
        ),
        ErrorKind::TooManyValues => format!(
            "{} takes no value, but {} is given; leave it out",
            quoted(error, ContextKind::InvalidArg),
            quoted(error, ContextKind::InvalidValue)
        ),
        ErrorKind::InvalidUtf8 => "a word is not valid UTF-8; write it in UTF-8".into(),
        // For every other error, clap's first line says all there is.
        _ => format!("{}; {help} explains the flags", first_line(error)),
    }
}

/// The long name of the flag that an error is about: `cv` of `--cv <K>`.
pub fn flag(error: &clap::Error) -> Option<String> {
    let argument = texts(error, ContextKind::InvalidArg).into_iter().next()?;
    let name = argument.split([' ', '=']).next()?;
    name.strip_prefix("--").map(str::to_string)
}

/// `proxdiff sweep` of `proxdiff sweep --bogus`: where the help on these words is.
fn command_of(words: &[OsString]) -> String {
    let mut command = crate::cli::arguments::command();
    let mut name = command.get_name().to_string();
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        let Some(inner) = command.find_subcommand(word) else {
            continue;
        };
        name = format!("{name} {word}");
        command = inner.clone();
    }
    name
}

fn invalid_value(error: &clap::Error) -> String {
    let (flag, value) = (
        quoted(error, ContextKind::InvalidArg),
        text(error, ContextKind::InvalidValue),
    );
    let values = texts(error, ContextKind::ValidValue);
    let remedy = match values.as_slice() {
        [] => "write it after the flag".to_string(),
        values => format!("give one of {}", values.join(", ")),
    };
    if value.is_empty() {
        return format!("{flag} needs a value; {remedy}");
    }
    format!("{flag}: '{value}' is not known; {remedy}")
}

fn conflict(error: &clap::Error) -> String {
    let flag = quoted(error, ContextKind::InvalidArg);
    let others = texts(error, ContextKind::PriorArg);
    if others.iter().any(|other| format!("'{other}'") == flag) {
        return format!("{flag} is given more than once; give it once");
    }
    let others: Vec<String> = others.iter().map(|other| format!("'{other}'")).collect();
    let others = if others.is_empty() {
        "other flags that are given".to_string()
    } else {
        others.join(", ")
    };
    format!("{flag} does not go together with {others}; leave one of them out")
}

fn with_remedy(what: &str, suggestion: Option<String>, help: &str) -> String {
    match suggestion {
        Some(other) => format!("{what}; did you mean {other}? {help} lists all"),
        None => format!("{what}; {help} lists all"),
    }
}

fn suggestion(error: &clap::Error, kind: ContextKind) -> Option<String> {
    texts(error, kind).into_iter().next()
}

fn quoted(error: &clap::Error, kind: ContextKind) -> String {
    format!("'{}'", text(error, kind))
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    texts(error, kind).join(", ")
}

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_string()
}
