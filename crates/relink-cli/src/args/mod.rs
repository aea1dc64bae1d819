//! The command line's grammar. The doc comments are the help texts.

mod fix;
mod heal;
mod restore;
mod validate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use fix::FixArguments;
pub(crate) use heal::HealArguments;
pub(crate) use restore::{FamilyArgument, RestoreArguments};
pub(crate) use validate::{FailOn, ValidateArguments};

const EXIT_CODES: &str = "Exit codes:
  0  done and clean
  1  findings, or rejected records: what else was to be restored is
  2  usage or configuration
  3  database unreachable or refused, or a check could not be run
  4  export unreadable or corrupt
  5  restore or mending refused or rolled back, nothing changed
  6  restore stopped part-way (--commit-every): go on with --resume";

/// Restores logical exports into SQLite, PostgreSQL and MySQL/MariaDB, re-linking every foreign key, and proves that the data is whole.
#[derive(Debug, Parser)]
#[command(name = "relink", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Restore(Box<RestoreArguments>),
    Validate(Box<ValidateArguments>),
    Fix(Box<FixArguments>),
    Heal(Box<HealArguments>),
    /// Show what the rules of relink.toml come to, whether they fit a database, and which ones its data suggests
    Rules(RulesArguments),
    /// Show a database's relations, the order in which they load, and every cycle of foreign keys
    Inspect(InspectArguments),
    /// List and explain what relink knows of widespread applications
    Profile(ProfileArguments),
    /// Print a published contract as JSON Schema
    Schema(SchemaArguments),
}

/// Show what the rules of relink.toml come to, whether they fit a database, and which ones its data suggests.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RulesArguments {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Whether every rule parses and names tables and columns that there are
    Check(RulesTarget),
    /// Every check that `relink validate` makes: the schema's own and the rules', with their ids
    Expand {
        #[command(flatten)]
        target: RulesTarget,
        /// How to show them
        #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
    /// Guess rules from names and data, and print those that the data bears out for relink.toml, with the reasons
    ///
    /// What is doubtful is commented out: most of the data bears it out but not all, or there is too little data, or a reference may lead to one of several
    /// tables. What the schema or relink.toml says already is left out.
    Suggest {
        #[command(flatten)]
        target: RulesTarget,
        /// Also what the data refutes, commented out
        #[arg(long)]
        all: bool,
    },
}

// What rules are looked at for.
#[derive(Debug, Args)]
pub(crate) struct RulesTarget {
    /// The database: sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE
    #[arg(value_name = "URL", env = "RELINK_DATABASE_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// The configuration; by default relink.toml here, or in a folder above up to the repository's root
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
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

/// List and explain what relink knows of widespread applications: natural keys, generic references, and what is usually left out.
///
/// `relink restore` uses the profiles by itself; what relink.toml says comes first. What a profile suggests to leave out is left out only where
/// relink.toml asks for it: `[profiles] ignore`, or `ignore_models`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ProfileArguments {
    /// The profile to explain; without it, all are listed
    pub(crate) name: Option<String>,
    /// The configuration, for profiles of your own; by default relink.toml here, or in a folder above up to the repository's root
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = ProfileFormat::Text)]
    pub(crate) format: ProfileFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Which contract
    #[arg(value_enum)]
    pub(crate) contract: Contract,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For programs: see `relink schema`
    Json,
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
pub(crate) enum ProfileFormat {
    /// For people
    Text,
    /// For programs: see `relink schema profile`
    Json,
    /// As text to copy into relink.toml
    Toml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contract {
    /// relink.toml
    Config,
    /// A profile of an application
    Profile,
    /// The report of `relink restore --format json`
    RestoreReport,
    /// The report of `relink validate --format json`
    ValidationReport,
    /// The file of `relink validate --baseline`
    Baseline,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }
}
