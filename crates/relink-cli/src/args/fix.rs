//! `relink fix`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use relink_validate::fix::{Cure, Keep};

use super::{EXIT_CODES, ReportFormat};

/// Mend what `relink validate` finds: show the SQL, or with --apply run it, in one transaction.
///
/// The statements are made for exactly the rows that the check finds now, without those that [[allow]] lets stay, and are run in either case; without --apply
/// everything is rolled back. Others who write to the tables concerned wait meanwhile. Before a commit the check is made again, and every other check of the
/// tables concerned: where findings remain, or new ones come, nothing is changed (exit code 5). The output is a script for the database's own client.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, group(ArgGroup::new("cure").required(true).multiple(false)))]
pub(crate) struct FixArguments {
    /// The database (by default RELINK_DATABASE_URL), then the ids of the checks as `relink validate` shows them, or numbering:TABLE.COLUMN
    #[arg(value_names = ["URL", "CHECK-ID"], required = true)]
    words: Vec<String>,
    #[arg(long, env = "RELINK_DATABASE_URL", hide = true, hide_env_values = true)]
    default_url: Option<String>,
    /// ref: delete the orphaned rows; refused where others refer to them
    #[arg(long, group = "cure")]
    delete: bool,
    /// ref: make the reference NULL; refused where its column is NOT NULL
    #[arg(long, group = "cure")]
    null: bool,
    /// numbering: put the sequence, identity or AUTO_INCREMENT past the highest number of its column
    #[arg(long, group = "cure")]
    renumber: bool,
    /// total: store the sum of the lines; refused where the column would round it
    #[arg(long, group = "cure")]
    recompute: bool,
    /// unique: keep one row of each group: the first or the last by primary key, or the first by a column (COLUMN asc, COLUMN desc); what refers to the
    /// others is pointed at it, and they are deleted
    #[arg(long, group = "cure", value_names = ["WHICH", "DIRECTION"], num_args = 1..=2)]
    keep: Vec<String>,
    /// Only findings whose row meets this SQL condition on the table's columns (--delete, --null, --recompute)
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
    /// Run it; by default everything is rolled back
    #[arg(long)]
    pub(crate) apply: bool,
    /// The configuration; by default relink.toml here, or in a folder above up to the repository's root
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}

impl FixArguments {
    /// The database's URL.
    pub(crate) fn url(&self) -> Option<&str> {
        self.first_is_url().then(|| self.words[0].as_str()).or(self.default_url.as_deref())
    }

    /// The ids of the checks.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.words.iter().skip(usize::from(self.first_is_url())).cloned().collect();
        // `--keep first ID`: the second word is no direction.
        ids.extend(self.keep.get(1).filter(|word| direction(word).is_none()).cloned());
        ids
    }

    /// What is to be done.
    pub(crate) fn cure(&self) -> Result<Cure, String> {
        match () {
            () if self.delete => Ok(Cure::Delete),
            () if self.null => Ok(Cure::Null),
            () if self.renumber => Ok(Cure::Renumber),
            () if self.recompute => Ok(Cure::Recompute),
            () => self.kept().map(Cure::Keep),
        }
    }

    fn kept(&self) -> Result<Keep, String> {
        let which = self.keep.first().map(String::as_str).unwrap_or_default();
        // `--keep "created_at desc"` is one word of the shell.
        let (column, written) = match which.rsplit_once(' ') {
            Some((column, written)) if direction(written).is_some() => (column.trim(), Some(written)),
            _ => (which, self.keep.get(1).map(String::as_str)),
        };
        match (column, written.and_then(direction)) {
            ("first", None) => Ok(Keep::First),
            ("last", None) => Ok(Keep::Last),
            (column, Some(descending)) => Ok(Keep::By { column: column.to_owned(), descending }),
            (column, None) => {
                Err(format!("--keep {column}: expected first, last, or a column with asc or desc behind it"))
            }
        }
    }

    fn first_is_url(&self) -> bool {
        self.words.first().is_some_and(|word| word.parse::<relink_db::DatabaseUrl>().is_ok())
    }
}

/// Whether a word means the highest first.
fn direction(word: &str) -> Option<bool> {
    match word {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use relink_validate::fix::{Cure, Keep};

    use super::FixArguments;
    use crate::args::{Arguments, Command};

    fn parse(arguments: &[&str]) -> Result<FixArguments, clap::Error> {
        match Arguments::try_parse_from(["relink", "fix"].iter().chain(arguments))?.command {
            Command::Fix(fix) => Ok(*fix),
            other => panic!("{other:?} mends nothing"),
        }
    }

    #[test]
    fn exactly_one_cure_is_asked_for() {
        assert!(parse(&["sqlite:a.db", "ref:a.b"]).is_err());
        assert!(parse(&["sqlite:a.db", "ref:a.b", "--delete", "--null"]).is_err());
        let fix = parse(&["sqlite:a.db", "ref:a.b", "ref:c.d", "--delete"]).expect("well-formed");
        assert_eq!((fix.url(), fix.ids()), (Some("sqlite:a.db"), vec!["ref:a.b".to_owned(), "ref:c.d".to_owned()]));
        assert_eq!(fix.cure(), Ok(Cure::Delete));
    }

    #[test]
    fn what_is_kept_is_said_in_one_word_or_two() {
        let keep = |words: &[&str]| {
            let fix = parse(&[&["sqlite:a.db", "unique:a.b", "--keep"], words].concat()).expect("well-formed");
            (fix.cure(), fix.ids().len())
        };
        let by = |descending| Ok(Cure::Keep(Keep::By { column: "made".to_owned(), descending }));
        assert_eq!(keep(&["first"]), (Ok(Cure::Keep(Keep::First)), 1));
        assert_eq!(keep(&["last", "unique:c.d"]), (Ok(Cure::Keep(Keep::Last)), 2));
        assert_eq!(keep(&["made", "desc"]), (by(true), 1));
        assert_eq!(keep(&["made asc"]), (by(false), 1));
        assert!(keep(&["made"]).0.is_err());
    }
}
