//! `relink validate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use relink_report::Format;

use super::{EXIT_CODES, FamilyArgument};

/// Check a database or an export: foreign keys, unique keys, NOT NULL, CHECK, and the rules of relink.toml.
///
/// Without any configuration, everything that the schema promises is measured on the data, also where the database says that it enforces
/// it. What names suggest and the data bears out is checked as well, as information: see `relink rules suggest`, and --no-infer.
/// All checks see one snapshot; nothing is written. An export is judged by the same checks with no database: its schema comes from --schema, else from
/// the data itself.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ValidateArguments {
    /// The database (sqlite:PATH, postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE), or the file or folder of an export
    #[arg(value_name = "URL|EXPORT", env = "RELINK_DATABASE_URL", hide_env_values = true)]
    pub(crate) target: Option<String>,
    /// The schema of an export: a database's URL, a script that SQLite understands, or the JSON of `relink inspect --format json`
    #[arg(long, value_name = "URL|FILE")]
    pub(crate) schema: Option<String>,
    /// The format of an export, where its content does not show it
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) from: Option<FamilyArgument>,
    /// The text encoding of an export
    #[arg(long, value_name = "LABEL")]
    pub(crate) encoding: Option<String>,
    /// The configuration; by default relink.toml here, or in a folder above up to the repository's root
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to report: text, json, junit, sarif, github, gitlab, html, markdown, tap; as FORMAT=FILE into a file. May be given several times
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = output, default_value = "text")]
    pub(crate) format: Vec<Output>,
    /// One line where the report is text
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Failing rows to show for each check, at most
    #[arg(long, value_name = "ROWS", default_value_t = 20, value_parser = samples)]
    pub(crate) max_samples: usize,
    /// From which severity on findings make the exit code 1 [default: error, or what relink.toml says]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<FailOn>,
    /// Only the checks of these ids, which may hold * (`ref:*`, `*:orders.*`). May be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) only: Vec<String>,
    /// What is known to fail and allowed to: findings that this file does not know count
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write what fails now into the file of --baseline; what it knows of checks that are not made this time stays
    #[arg(long, requires = "baseline", conflicts_with = "since")]
    pub(crate) update_baseline: bool,
    /// Only rows made or changed since then (2026-11-01, 2026-11-01T12:00:00Z), by a column such as updated_at, or [table.x] since
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// The instant that counts as now (RFC 3339), so that a run can be repeated [default: the clock]
    #[arg(long, value_name = "WHEN")]
    pub(crate) now: Option<String>,
    /// How long a check may take, from 1ms to 480h, e.g. 30s; one that takes longer could not be made (exit code 3)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout_per_check: Option<std::time::Duration>,
    /// Guess nothing about what nobody has declared: only what the schema and the rules say is checked
    #[arg(long)]
    pub(crate) no_infer: bool,
    /// Memory for each check that keeps keys; the rest goes into temporary files
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub(crate) memory: bytesize::ByteSize,
    /// Earlier JSON reports of the same target, oldest first: the HTML report shows the trend
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Vec<PathBuf>,
}

/// A report, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) format: Format,
    /// `None`: to standard output.
    pub(crate) file: Option<PathBuf>,
}

fn output(text: &str) -> Result<Output, String> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let format = Format::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
        format!("there is no format {name:?}; there are {}", names.join(", "))
    })?;
    Ok(Output { format, file })
}

/// Failing rows that a report names for each check, at most: memory holds them all.
const SAMPLES_MAX: usize = 1_000_000;

fn samples(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= SAMPLES_MAX);
    number.ok_or_else(|| format!("expected a number of rows up to {SAMPLES_MAX}"))
}

/// What every database takes as a limit: PostgreSQL counts milliseconds in 32 bits.
const DURATION_MAX: std::time::Duration = std::time::Duration::from_hours(480);

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let unit = units.iter().find(|(unit, _)| text.strip_suffix(unit).is_some_and(|rest| rest.parse::<f64>().is_ok()));
    let seconds = unit.and_then(|(unit, seconds)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * seconds));
    let found = seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
    let within = found.filter(|found| found.as_millis() >= 1 && *found <= DURATION_MAX);
    within.ok_or_else(|| "expected a duration such as 30s, 500ms or 2m, from 1ms to 480h".to_owned())
}

/// From which severity on findings make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Errors only
    Error,
    /// Warnings, too
    Warning,
    /// Everything that is found
    Info,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_goes_to_standard_output_or_into_a_file() {
        assert_eq!(output("junit"), Ok(Output { format: Format::Junit, file: None }));
        let file = Some(PathBuf::from("out/a=b.xml"));
        assert_eq!(output("junit=out/a=b.xml"), Ok(Output { format: Format::Junit, file }));
        assert!(output("xml").is_err_and(|error| error.contains("junit")));
    }

    #[test]
    fn samples_have_a_limit() {
        assert_eq!((samples("0"), samples("1000000")), (Ok(0), Ok(1_000_000)));
        assert!(samples("1000001").is_err() && samples("18446744073709551615").is_err() && samples("-1").is_err());
    }

    #[test]
    fn durations_have_a_unit_and_limits() {
        assert_eq!(duration("30s"), Ok(std::time::Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Ok(std::time::Duration::from_millis(500)));
        assert_eq!(duration("1ms"), Ok(std::time::Duration::from_millis(1)));
        for bad in ["30", "0s", "-1s", "s", "soon", "1d", "0.0001ms", "1e30h", "infs", "NaNs", "481h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
