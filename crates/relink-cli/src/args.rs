//! The command line's grammar. The doc comments are the help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "Exit codes:
  0  done and clean
  1  findings
  2  usage or configuration
  3  database unreachable or refused, or a check could not be run
  4  export unreadable or corrupt
  5  restore refused or rolled back, nothing changed";

/// Restores logical exports into SQLite, PostgreSQL and MySQL/MariaDB, re-linking every foreign key, and proves that the data is whole.
#[derive(Debug, Parser)]
#[command(name = "relink", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Restore an export into a database, in one transaction, all or nothing
    Restore(RestoreArguments),
    /// Check a database: foreign keys, unique keys, NOT NULL, CHECK, and the rules of relink.toml
    Validate(ValidateArguments),
    /// Show a database's relations, the order in which they load, and every cycle of foreign keys
    Inspect(InspectArguments),
    /// Print a published contract as JSON Schema
    Schema(SchemaArguments),
}

/// Restore an export into a database, in one transaction, all or nothing.
///
/// Every problem is found before anything is written, and reported with its place in the export. Afterwards every foreign key that
/// was touched, and the rules of relink.toml for the tables concerned, are checked before the commit.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RestoreArguments {
    /// The export: a Django dump (JSON, JSON Lines) or a table map; plain, .gz, .zst or .zip
    pub(crate) export: PathBuf,
    /// The target: sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE
    #[arg(long, value_name = "URL", env = "RELINK_DATABASE_URL", hide_env_values = true)]
    pub(crate) into: Option<String>,
    /// SQL to run first when the target holds no table: a file, or a folder with sqlite.sql, postgres.sql and mysql.sql
    #[arg(long, value_name = "PATH")]
    pub(crate) schema: Option<PathBuf>,
    /// What to do with a record whose row exists already
    #[arg(long, value_enum, default_value_t = ModeArgument::Insert)]
    pub(crate) mode: ModeArgument,
    /// Do everything, report it, and roll it back
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The configuration; by default relink.toml here, or in a folder above up to the repository's root
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The export's format, where its content does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) from: Option<FamilyArgument>,
    /// The export's text encoding, where it is neither UTF-8 nor UTF-16 with a byte order mark (e.g. windows-1252)
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<String>,
    /// How to report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}

/// Check a database: foreign keys, unique keys, NOT NULL, CHECK, and the rules of relink.toml.
///
/// Without any configuration, everything that the schema promises is measured on the data, also where the database says that it enforces
/// it. All checks see one snapshot; nothing is written.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ValidateArguments {
    /// The database: sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE
    #[arg(value_name = "URL", env = "RELINK_DATABASE_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// The configuration; by default relink.toml here, or in a folder above up to the repository's root
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// Failing rows to show for each check, at most
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    pub(crate) max_samples: usize,
    /// From which severity on findings make the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::Error)]
    pub(crate) fail_on: FailOn,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct InspectArguments {
    /// The database: sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE
    #[arg(value_name = "URL", env = "RELINK_DATABASE_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// The configuration, for its virtual references
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
    pub(crate) format: GraphFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Which contract
    #[arg(value_enum)]
    pub(crate) contract: Contract,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArgument {
    /// It is a conflict: nothing is restored
    Insert,
    /// The row is left as it is
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FamilyArgument {
    /// `manage.py dumpdata`: an array or lines of {"model", "pk", "fields"}
    Django,
    /// {"table": [rows]}
    TableMap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For programs: see `relink schema`
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Errors only
    Error,
    /// Warnings, too
    Warning,
    /// Never
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For Graphviz
    Dot,
    /// For Markdown viewers that draw Mermaid
    Mermaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contract {
    /// relink.toml
    Config,
    /// The report of `relink restore --format json`
    RestoreReport,
    /// The report of `relink validate --format json`
    ValidationReport,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_grammar_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
