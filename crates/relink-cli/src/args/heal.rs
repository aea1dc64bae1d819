//! `relink heal`.

use std::path::PathBuf;

use clap::Args;

use super::{EXIT_CODES, FamilyArgument, ReportFormat};

/// Repair a database from a backup: restore the rows that orphans refer to, what these need in turn, and nothing else.
///
/// Every reference without a target is looked up in the export; the records found are restored under their own ids, in one transaction. Rows that exist are never
/// changed. By default everything is rolled back at the end and shown; the references are measured before and after.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct HealArguments {
    /// The export: files, or one folder or archive
    #[arg(value_name = "EXPORT", required = true)]
    pub(crate) exports: Vec<PathBuf>,
    /// The database: sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE
    #[arg(long, value_name = "URL", env = "RELINK_DATABASE_URL", hide_env_values = true)]
    pub(crate) into: Option<String>,
    /// Only missing rows of these tables, and what they need in turn
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Also every record of these tables whose primary key no row has
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub(crate) rows: Vec<String>,
    /// Also every record of every table whose primary key no row has
    #[arg(long, conflicts_with = "rows")]
    pub(crate) all_missing: bool,
    /// Keep what was restored; by default everything is rolled back
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) apply: bool,
    /// Roll everything back, which is the default
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The configuration; by default relink.toml here, or in a folder above up to the repository's root
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The export's format, where its content does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) from: Option<FamilyArgument>,
    /// The export's encoding, where it is neither UTF-8 nor UTF-16 with a byte order mark
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<String>,
    /// How to report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}
