//! One text of an export, and how records stand in it. Most exports have one part; several files, a folder and an archive
//! have one for each file.

use crate::{FormatFamily, place::Text};

/// How the records stand in one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    DjangoArray,
    DjangoLines,
    TableMap,
    /// One array of rows of one table.
    RowArray,
    /// One row of one table a line.
    RowLines,
    /// A header line, and one row of one table a line.
    Csv,
}

impl Form {
    pub(crate) fn family(self) -> FormatFamily {
        match self {
            Self::DjangoArray | Self::DjangoLines => FormatFamily::Django,
            Self::TableMap => FormatFamily::TableMap,
            Self::RowArray | Self::RowLines | Self::Csv => FormatFamily::RowFiles,
        }
    }
}

/// A text of an export.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) text: Text,
    /// Where the document begins: after a byte order mark.
    pub(crate) start: u64,
    /// The export's offset of the text's first byte. Between two parts one offset is left out, so that the end of a text
    /// and the start of the next are two places.
    pub(crate) base: u64,
    pub(crate) form: Form,
    /// What its name says.
    pub(crate) naming: Naming,
}

/// What a file's name says about its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Naming {
    /// The name without folders and endings: the table, for row files.
    pub(crate) table: Option<String>,
    pub(crate) ending: Option<Ending>,
}

/// The ending of a file that holds records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Json,
    Jsonl,
    Ndjson,
    Csv,
}

impl Ending {
    const ALL: [Self; 4] = [Self::Json, Self::Jsonl, Self::Ndjson, Self::Csv];

    /// As it is written, without the dot.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// One record a line, by name.
    pub(crate) fn is_lines(self) -> bool {
        matches!(self, Self::Jsonl | Self::Ndjson)
    }
}

/// Endings of compressed single files, which stand behind the ending that matters.
const PACKED_ENDINGS: [&str; 4] = ["gz", "zst", "xz", "bz2"];

/// Endings of files that hold rows, or archives of such files, in a form that is not read. To pass over one of them in
/// silence would lose rows.
const UNREAD_ENDINGS: [&str; 17] = [
    "tsv", "tab", "psv", "xml", "yaml", "yml", "xls", "xlsx", "ods", "parquet", "avro", "orc", "feather", "arrow",
    "zip", "tar", "tgz",
];

impl Naming {
    /// What the name at the end of `path` says; folders end in `/` or `\`.
    pub(crate) fn of(path: &str) -> Self {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let (stem, ending) = split_endings(name);
        let ending =
            ending.and_then(|ending| Ending::ALL.into_iter().find(|known| ending.eq_ignore_ascii_case(known.text())));
        let table = if ending.is_some() { stem } else { name };
        Self { table: (!table.is_empty()).then(|| table.to_owned()), ending }
    }

    /// Whether the name at the end of `path` is that of data in a form that is not read.
    pub(crate) fn is_unread_data(path: &str) -> bool {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        split_endings(name)
            .1
            .is_some_and(|ending| UNREAD_ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
    }
}

/// A name without its ending, and the ending; the ending of a compressed file is the one before.
fn split_endings(name: &str) -> (&str, Option<&str>) {
    let plain = match name.rsplit_once('.') {
        Some((plain, packed)) if PACKED_ENDINGS.iter().any(|ending| packed.eq_ignore_ascii_case(ending)) => plain,
        _ => name,
    };
    plain.rsplit_once('.').map_or((plain, None), |(stem, ending)| (stem, Some(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_table_and_the_ending() {
        for (path, table, ending) in [
            ("orders.csv", Some("orders"), Some(Ending::Csv)),
            ("a/b\\shop.orders.JSONL.gz", Some("shop.orders"), Some(Ending::Jsonl)),
            ("orders.ndjson.XZ", Some("orders"), Some(Ending::Ndjson)),
            ("dump.json", Some("dump"), Some(Ending::Json)),
            ("dump", Some("dump"), None),
            ("README.md", Some("README.md"), None),
            (".csv", None, Some(Ending::Csv)),
            ("csv", Some("csv"), None),
        ] {
            assert_eq!(Naming::of(path), Naming { table: table.map(str::to_owned), ending }, "{path}");
        }
        assert!(Naming::is_unread_data("x/orders.tsv.gz") && Naming::is_unread_data("dump.tar.gz"));
        assert!(!Naming::is_unread_data("schema.sql") && !Naming::is_unread_data("orders.csv.gz"));
    }
}
