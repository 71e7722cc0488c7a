//! Outputs that would take the place of what the same command reads.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::failure::Failure;

/// The flags that name a file to be written.
const OUTPUTS: [&str; 2] = ["out", "write_config"];

/// Refuses an output that is also an input, whatever the flags' names: the data, a store, the folds.
/// A configuration file may be replaced by the effective configuration.
pub fn check(matches: &ArgMatches) -> Result<(), Failure> {
    let mut command = matches;
    while let Some((name, inner)) = command.subcommand() {
        // It adds to a store that exists, and has its own word about its inputs.
        if name == "merge" {
            return Ok(());
        }
        command = inner;
    }
    // Only what exists can be lost.
    let files = |id: &str| -> Vec<PathBuf> {
        let given = command.value_source(id) == Some(ValueSource::CommandLine);
        let raw = given.then(|| command.try_get_raw(id).ok().flatten());
        let values = raw.flatten().into_iter().flatten();
        let paths = values.filter_map(|value| std::fs::canonicalize(value).ok());
        paths.filter(|path| path.is_file()).collect()
    };
    for output in OUTPUTS
        .iter()
        .filter(|id| command.try_contains_id(id).is_ok())
    {
        let written = files(output);
        for id in command.ids() {
            let is_replaced = *output == "write_config" && id == "config";
            if id == *output || is_replaced {
                continue;
            }
            if let Some(path) = files(id.as_str())
                .iter()
                .find(|path| written.contains(path))
            {
                let name = path.file_name().unwrap_or_default();
                return Err(Failure::usage(format!(
                    "--{}: {} is used by the same command, which would overwrite it; name another file",
                    output.replace('_', "-"),
                    name.to_string_lossy()
                )));
            }
        }
    }
    Ok(())
}
