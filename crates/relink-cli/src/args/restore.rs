//! The arguments of `relink restore`. The doc comments are the help texts.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use relink_model::{AllowDrift, ExternalRefs, Ids, Mode, OnDangling, OnError, Strategy, TriggerPolicy, Verify};

use super::{EXIT_CODES, ReportFormat};

/// Restore an export into a database, in one transaction, all or nothing.
///
/// Every problem is found before anything is written, and reported with its place in the export. Afterwards every foreign key that
/// was touched, and the rules of relink.toml for the tables concerned, are checked before the commit. docs/restore.md explains every
/// option with an example.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RestoreArguments {
    /// The export: a Django dump (one file or several), a table map, or row files (a folder, .zip or .tar of TABLE.json, .jsonl or .csv);
    /// plain, .gz, .zst, .xz or .bz2; - is standard input
    #[arg(required = true, value_name = "EXPORT")]
    pub(crate) exports: Vec<PathBuf>,
    /// The target: sqlite:PATH, postgres://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE
    #[arg(long, value_name = "URL", env = "RELINK_DATABASE_URL", hide_env_values = true)]
    pub(crate) into: Option<String>,
    /// SQL to run first when the target holds no table: a file, or a folder with sqlite.sql, postgres.sql and mysql.sql
    #[arg(long, value_name = "PATH")]
    pub(crate) schema: Option<PathBuf>,
    /// Do everything, report it, and roll it back
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The configuration; by default relink.toml here, or in a folder above up to the repository's root. Options come before its [restore]
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
    #[command(flatten)]
    pub(crate) rows: RowArguments,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) faults: FaultArguments,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    #[command(flatten)]
    pub(crate) proof: ProofArguments,
}

// What becomes of rows that exist, and of ids.
#[derive(Debug, Args)]
#[command(next_help_heading = "Existing rows and ids")]
pub(crate) struct RowArguments {
    /// What to do with a record whose row exists already; by default insert
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeArgument>,
    /// The same as --mode replace
    #[arg(long, conflicts_with = "mode")]
    pub(crate) clear_existing: bool,
    /// Under which ids rows are inserted; every reference follows. By default keep
    #[arg(long, value_enum, value_name = "IDS")]
    pub(crate) ids: Option<IdsArgument>,
    /// What to do with references by id to rows that the export does not hold; by default key where ids are kept, else refuse
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) external_refs: Option<ExternalRefsArgument>,
    /// Under which ids rows stand to which the export refers and which it does not hold: the file that an earlier restore wrote beside its
    /// rejected records
    #[arg(long, value_name = "FILE")]
    pub(crate) id_map: Option<PathBuf>,
}

impl RowArguments {
    /// The mode that the command line asks for.
    pub(crate) fn mode(&self) -> Option<Mode> {
        if self.clear_existing { Some(Mode::Replace) } else { self.mode.map(Mode::from) }
    }
}

// Which records are restored.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArguments {
    /// Restore these tables only, by the name of the table or the label in the export; repeatable, or with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Leave these tables out; repeatable, or with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,
    /// Restore only the records of a table that meet a condition on its columns, e.g. "orders: placed_at >= '2026-01-01'"; repeatable
    #[arg(long = "where", value_name = "TABLE: SQL CONDITION", value_parser = condition)]
    pub(crate) conditions: Vec<(String, String)>,
}

// What becomes of what is wrong.
#[derive(Debug, Args)]
#[command(next_help_heading = "Problems in the data")]
pub(crate) struct FaultArguments {
    /// What to do with references that lead nowhere; by default fail
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) on_dangling: Option<OnDanglingArgument>,
    /// What to do with records that cannot be restored; by default fail
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) on_error: Option<OnErrorArgument>,
    /// Where rejected records go, in the export's own format: a new file, for row files a new folder; the reasons go to
    /// PATH.reasons.jsonl. By default EXPORT.rejects.json (.jsonl; none for a folder), in the working directory
    #[arg(long, value_name = "PATH")]
    pub(crate) rejects: Option<PathBuf>,
    /// What the export may have and the schema has not; by default none
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) allow_drift: Option<AllowDriftArgument>,
}

// How rows get in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loading")]
pub(crate) struct LoadArguments {
    /// How rows are written
    #[arg(long, value_enum, value_name = "HOW", default_value_t = StrategyArgument::Auto)]
    pub(crate) strategy: StrategyArgument,
    /// What to do with the tables' own triggers; by default fire
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) triggers: Option<TriggersArgument>,
    /// Commit after so many records, where a load is too big for one transaction; a journal in the target is committed along, so that
    /// --resume can go on from wherever it stopped
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) commit_every: Option<u64>,
    /// Go on where an earlier run of the same restore with --commit-every stopped; without --commit-every the rest is committed at once
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) resume: bool,
    /// With --commit-every: load tables that do not depend on each other side by side, over so many connections. SQLite, with its one
    /// writer, takes one. By default 1
    #[arg(long, value_name = "CONNECTIONS", requires = "commit_every", value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) jobs: Option<u64>,
    /// What the caches of keys may take before they spill to a temporary file, e.g. 256MiB; by default there is no limit
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
}

// What is proved before the commit.
#[derive(Debug, Args)]
#[command(next_help_heading = "Proof")]
pub(crate) struct ProofArguments {
    /// What is read back from the database and compared after loading; by default references
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) verify: Option<VerifyArgument>,
    /// Leave out the validation before the commit (foreign keys, unique keys, rules); the report says so
    #[arg(long)]
    pub(crate) skip_validation: bool,
}

/// Splits `TABLE: CONDITION`.
fn condition(text: &str) -> Result<(String, String), String> {
    let (table, condition) = text.split_once(':').ok_or("there is no colon behind the table's name")?;
    let (table, condition) = (table.trim(), condition.trim());
    match (table, condition) {
        ("", _) => Err("there is no table before the colon".to_owned()),
        (_, "") => Err("there is no condition behind the colon".to_owned()),
        _ => Ok((table.to_owned(), condition.to_owned())),
    }
}

/// An engine's choice as it is spelled on the command line: the same names, each with its help text.
macro_rules! choice {
    ($argument:ident of $policy:ident { $($(#[$attribute:meta])* $name:ident,)+ }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub(crate) enum $argument {
            $($(#[$attribute])* $name,)+
        }

        impl From<$argument> for $policy {
            fn from(argument: $argument) -> Self {
                match argument {
                    $($argument::$name => Self::$name,)+
                }
            }
        }
    };
}

choice!(ModeArgument of Mode {
    /// It is a conflict: nothing is restored
    Insert,
    /// The row is left as it is
    Skip,
    /// The row takes the record's values
    Upsert,
    /// The row takes the record's values where it holds NULL
    Merge,
    /// The tables concerned are cleared first, referencing ones before referenced ones
    #[value(alias = "clear-existing")]
    Replace,
});

choice!(IdsArgument of Ids {
    /// The export's; one that another row has is a conflict
    Keep,
    /// The export's, or a new one where another row has it
    Remap,
    /// Always new ones
    New,
});

choice!(ExternalRefsArgument of ExternalRefs {
    /// They are problems: an id of the source need not be the same row's in the target
    Refuse,
    /// They lead to the target's row of that id, which must exist
    Key,
});

choice!(OnDanglingArgument of OnDangling {
    /// Nothing is restored
    Fail,
    /// Their records are rejected, with all that reference them
    Reject,
    /// They become NULL where the column takes it
    Null,
});

choice!(OnErrorArgument of OnError {
    /// Nothing is restored
    Fail,
    /// They are rejected, with all that reference them
    Reject,
});

choice!(AllowDriftArgument of AllowDrift {
    /// Nothing: a field without a column, and records without a table, are errors
    None,
    /// Fields without a column are left out, and counted in the report
    Fields,
    /// So are records of models without a table
    Models,
});

choice!(StrategyArgument of Strategy {
    /// The fastest way that takes them; what it refuses, by the next one
    Auto,
    /// The database's bulk path only
    Bulk,
    /// Statements of many rows only
    Insert,
    /// Statements of one row
    Row,
    /// Literal SQL, a statement for each row
    Raw,
});

choice!(TriggersArgument of TriggerPolicy {
    /// They fire
    Fire,
    /// They are switched off for the transaction; an error where the role or the database cannot
    Disable,
});

choice!(VerifyArgument of Verify {
    /// References, and whatever triggers may have changed
    References,
    /// Every column of every row
    Full,
});

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FamilyArgument {
    /// `manage.py dumpdata`: an array or lines of {"model", "pk", "fields"}
    Django,
    /// {"table": [rows]}
    TableMap,
    /// A file for each table, named after it: an array of rows, a row a line, or CSV with a header
    RowFiles,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use relink_model::Mode;

    use super::RestoreArguments;
    use crate::args::{Arguments, Command};

    fn parse(arguments: &[&str]) -> Result<RestoreArguments, clap::Error> {
        let all = ["relink", "restore", "dump.json"].iter().chain(arguments);
        match Arguments::try_parse_from(all)?.command {
            Command::Restore(restore) => Ok(*restore),
            other => panic!("{other:?} is no restore"),
        }
    }

    #[test]
    fn sizes_have_units_of_a_thousand_and_of_1024() {
        let memory =
            |size: &str| parse(&["--memory", size]).map(|restore| restore.load.memory.map(|size| size.as_u64()));
        for (size, bytes) in [
            ("65536", 65_536),
            ("256MiB", 256 << 20),
            ("500MB", 500_000_000),
            ("1.5GiB", 3 << 29),
            ("64 kib", 64 << 10),
        ] {
            assert_eq!(memory(size).expect(size), Some(bytes), "{size}");
        }
        for size in ["", "MiB", "-1MiB", "12 apples", "1e3", "0x10", "unlimited"] {
            assert!(memory(size).is_err(), "{size}");
        }
    }

    #[test]
    fn clear_existing_is_replace_and_contradicts_any_mode() {
        let mode = |arguments: &[&str]| parse(arguments).map(|restore| restore.rows.mode());
        assert_eq!(mode(&[]).expect("no mode"), None);
        assert_eq!(mode(&["--clear-existing"]).expect("an alias"), Some(Mode::Replace));
        assert_eq!(mode(&["--mode", "clear-existing"]).expect("an alias"), Some(Mode::Replace));
        assert!(mode(&["--clear-existing", "--mode", "skip"]).is_err());
        assert!(mode(&["--clear-existing", "--mode", "replace"]).is_err());
    }

    #[test]
    fn names_are_listed_and_repeated_and_conditions_follow_a_table() {
        let restore =
            parse(&["--only", "a,b", "--only", "shop.item", "--where", "orders: no ~ '^a:b' ", "--where", "x:y"]);
        let selection = restore.expect("well-formed").selection;
        assert_eq!(selection.only, ["a", "b", "shop.item"]);
        let expected = [("orders", "no ~ '^a:b'"), ("x", "y")].map(|(table, sql)| (table.to_owned(), sql.to_owned()));
        assert_eq!(selection.conditions, expected);
        for wrong in ["orders", ": a = 1", "orders: ", ""] {
            assert!(parse(&["--where", wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_batch_has_at_least_one_record() {
        assert_eq!(parse(&["--commit-every", "1"]).expect("one").load.commit_every, Some(1));
        for wrong in ["0", "-1", "many"] {
            assert!(parse(&["--commit-every", wrong]).is_err(), "{wrong}");
        }
    }
}
