//! CSV as RFC 4180 has it: cells parted by commas, records by line breaks, quotes doubled inside quotes. Strict: where
//! readers disagree on what is meant, it is an error with its place.
//!
//! The general CSV crates were no fit: they accept stray quotes, do not tell an empty cell from a quoted empty one, and
//! know where a record begins, not where its cells do. The tests compare with one of them.

use std::{fmt, fmt::Write as _, ops::Range};

use crate::{
    record::Split,
    scan::{Member, first_char},
};

/// How CSV text breaks the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsvProblem {
    /// A quote inside a cell that does not begin with one.
    StrayQuote,
    /// Something else than a comma or a line break after a closing quote.
    AfterQuote(char),
    /// A quote that is never closed.
    UnclosedQuote,
    /// A carriage return without a line feed, outside of quotes.
    CarriageReturn,
    /// More or fewer cells than the header has names.
    Cells {
        /// How many the header has.
        expected: usize,
        /// How many the record has.
        found: usize,
    },
    /// A column without a name in the header; its number, from 1.
    NamelessColumn(usize),
    /// A name that stands twice in the header.
    DuplicateColumn(String),
}

impl fmt::Display for CsvProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StrayQuote => f.write_str("a quote inside a cell that does not begin with one"),
            Self::AfterQuote(found) => {
                write!(f, "expected a comma or a line break after the closing quote, found {found:?}")
            }
            Self::UnclosedQuote => f.write_str("a quote that is never closed"),
            Self::CarriageReturn => f.write_str("a carriage return without a line feed"),
            Self::Cells { expected, found } => {
                let cells = if *found == 1 { "cell" } else { "cells" };
                write!(f, "the record has {found} {cells}, and the header has {expected}")
            }
            Self::NamelessColumn(number) => write!(f, "column {number} has no name in the header"),
            Self::DuplicateColumn(name) => write!(f, "the column {name:?} stands twice in the header"),
        }
    }
}

/// Why a scan stopped before the end of its record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The bytes end before the record does.
    More,
    /// The rules are broken at this offset.
    Broken(usize, CsvProblem),
}

/// A cell; ranges count from the start of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Without quotes.
    content: Range<usize>,
    quoted: bool,
    /// Whether quotes are doubled in it.
    escaped: bool,
}

impl Cell {
    /// Where it begins, its quote included.
    pub(crate) fn start(&self) -> usize {
        self.content.start - usize::from(self.quoted)
    }

    /// An empty cell without quotes is NULL, with quotes it is the empty string.
    fn is_null(&self) -> bool {
        !self.quoted && self.content.is_empty()
    }

    fn push_text(&self, record: &str, into: &mut String) {
        let content = &record[self.content.clone()];
        if self.escaped {
            into.push_str(&content.replace("\"\"", "\""));
        } else {
            into.push_str(content);
        }
    }
}

/// How long a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Without its line break.
    pub(crate) record: usize,
    /// With it.
    pub(crate) line: usize,
}

/// Finds the cells of the record at the start of `bytes`. `complete`: the end of `bytes` is the end of the text.
pub(crate) fn scan(bytes: &[u8], complete: bool, cells: &mut Vec<Cell>) -> Result<Extent, Stop> {
    cells.clear();
    let mut at = 0;
    loop {
        let start = at;
        if bytes.get(at) == Some(&b'"') {
            let mut escaped = false;
            at += 1;
            loop {
                match memchr::memchr(b'"', &bytes[at..]) {
                    None if complete => return Err(Stop::Broken(start, CsvProblem::UnclosedQuote)),
                    None => return Err(Stop::More),
                    Some(found) => at += found + 1,
                }
                match bytes.get(at) {
                    Some(b'"') => {
                        escaped = true;
                        at += 1;
                    }
                    None if !complete => return Err(Stop::More),
                    _ => break,
                }
            }
            cells.push(Cell { content: start + 1..at - 1, quoted: true, escaped });
        } else {
            let end = bytes[at..].iter().position(|byte| matches!(byte, b',' | b'\n' | b'\r' | b'"'));
            at = end.map_or(bytes.len(), |end| start + end);
            cells.push(Cell { content: start..at, quoted: false, escaped: false });
            if bytes.get(at) == Some(&b'"') {
                return Err(Stop::Broken(at, CsvProblem::StrayQuote));
            }
        }
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b','), _) => at += 1,
            (Some(b'\n'), _) => return Ok(Extent { record: at, line: at + 1 }),
            (Some(b'\r'), Some(b'\n')) => return Ok(Extent { record: at, line: at + 2 }),
            (None | Some(b'\r'), None) if !complete => return Err(Stop::More),
            (Some(b'\r'), _) => return Err(Stop::Broken(at, CsvProblem::CarriageReturn)),
            (None, _) => return Ok(Extent { record: at, line: at }),
            (Some(_), _) => return Err(Stop::Broken(at, CsvProblem::AfterQuote(first_char(&bytes[at..])))),
        }
    }
}

/// The header of a CSV file.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// As it is written, with its line break.
    pub(crate) line: String,
    /// The columns' names as JSON strings, quotes included.
    names: Vec<String>,
}

impl Header {
    /// Of a text that has none.
    pub(crate) const fn none() -> Self {
        Self { line: String::new(), names: Vec::new() }
    }

    /// Reads the header that `cells` are of; what is wrong with it, by offset.
    pub(crate) fn read(record: &str, line: &str, cells: &[Cell]) -> Result<Self, Vec<(usize, CsvProblem)>> {
        let mut names: Vec<String> = Vec::with_capacity(cells.len());
        let mut problems = Vec::new();
        let mut known = std::collections::HashSet::new();
        for (position, cell) in cells.iter().enumerate() {
            let mut name = String::new();
            cell.push_text(record, &mut name);
            let mut json = String::new();
            push_json_string(&name, &mut json);
            names.push(json);
            if name.is_empty() {
                problems.push((cell.start(), CsvProblem::NamelessColumn(position + 1)));
            } else if !known.insert(name.clone()) {
                problems.push((cell.start(), CsvProblem::DuplicateColumn(name)));
            }
        }
        if problems.is_empty() { Ok(Self { line: line.to_owned(), names }) } else { Err(problems) }
    }

    /// How many columns there are.
    pub(crate) fn columns(&self) -> usize {
        self.names.len()
    }

    /// Whether a record of this length is a blank line and no record. With one column it is a record: its NULL.
    pub(crate) fn is_blank(&self, extent: Extent) -> bool {
        extent.record == 0 && self.names.len() != 1
    }

    /// Writes the record as the JSON object that stands for it: strings, and null for empty cells without quotes.
    pub(crate) fn split(&self, record: &str, cells: &[Cell], into: &mut Split) {
        let Split { outer, fields, row, cells: starts } = into;
        outer.clear();
        fields.clear();
        starts.clear();
        row.clear();
        row.push('{');
        let mut plain = String::new();
        for (name, cell) in self.names.iter().zip(cells) {
            if !starts.is_empty() {
                row.push(',');
            }
            let key = row.len() + 1..row.len() + name.len() - 1;
            row.push_str(name);
            row.push(':');
            let value = row.len();
            if cell.is_null() {
                row.push_str("null");
            } else {
                plain.clear();
                cell.push_text(record, &mut plain);
                push_json_string(&plain, row);
            }
            fields.push(Member { key, value: value..row.len() });
            starts.push(cell.start());
        }
        row.push('}');
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn push_json_string(text: &str, into: &mut String) {
    into.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)) {
        into.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => into.push_str("\\\""),
            b'\\' => into.push_str("\\\\"),
            b'\n' => into.push_str("\\n"),
            control => {
                let _ = write!(into, "\\u{control:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    into.push_str(rest);
    into.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of a text, each cell `None` where it is NULL.
    fn records(text: &str) -> Result<Vec<Vec<Option<String>>>, (usize, CsvProblem)> {
        let (mut records, mut cells, mut at) = (Vec::new(), Vec::new(), 0);
        while at < text.len() {
            let rest = &text[at..];
            let extent = match scan(rest.as_bytes(), true, &mut cells) {
                Ok(extent) => extent,
                Err(Stop::Broken(offset, problem)) => return Err((at + offset, problem)),
                Err(Stop::More) => panic!("the text is complete"),
            };
            let text_of = |cell: &Cell| {
                let mut text = String::new();
                cell.push_text(rest, &mut text);
                (!cell.is_null()).then_some(text)
            };
            records.push(cells.iter().map(text_of).collect());
            at += extent.line;
        }
        Ok(records)
    }

    #[test]
    fn cells_are_read_as_they_are_meant() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            records("a,\"b,\"\"c\"\"\r\nd\",,\"\"\r\n é ,x\n").unwrap(),
            [vec![some("a"), some("b,\"c\"\r\nd"), None, some("")], vec![some(" é "), some("x")]]
        );
        assert_eq!(records("a\n\nb").unwrap(), [vec![some("a")], vec![None], vec![some("b")]]);
        assert_eq!(records("a,").unwrap(), [[some("a"), None]]);
    }

    #[test]
    fn what_readers_disagree_on_is_refused_with_its_place() {
        for (text, at, problem) in [
            ("a,b\"c\n", 3, CsvProblem::StrayQuote),
            ("a, \"b\"\n", 3, CsvProblem::StrayQuote),
            ("\"a\" ,b", 3, CsvProblem::AfterQuote(' ')),
            ("\"a\"é", 3, CsvProblem::AfterQuote('é')),
            ("x\na,\"b\nc", 4, CsvProblem::UnclosedQuote),
            ("a\rb", 1, CsvProblem::CarriageReturn),
            ("a\r", 1, CsvProblem::CarriageReturn),
        ] {
            assert_eq!(records(text), Err((at, problem)), "{text:?}");
        }
    }

    #[test]
    fn an_unfinished_record_asks_for_more() {
        let whole = b"a,\"b\"\"c\",d\r\n";
        for end in 0..whole.len() {
            assert_eq!(scan(&whole[..end], false, &mut Vec::new()), Err(Stop::More), "{end}");
        }
        assert_eq!(scan(whole, false, &mut Vec::new()), Ok(Extent { record: 10, line: 12 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What the csv crate writes reads back.
        #[test]
        fn reads_what_another_writer_writes(
            rows in proptest::collection::vec(proptest::collection::vec("[a-c,\"\r\n é]{0,5}", 2..5), 0..6),
            always: bool,
        ) {
            let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().flexible(true).quote_style(style).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let read = records(&text).unwrap();
            let plain: Vec<Vec<String>> =
                read.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
            prop_assert_eq!(plain, rows);
        }

        /// Whatever is accepted, the csv crate reads as well, to the same cells.
        #[test]
        fn agrees_with_another_reader(text in "[a,\"\r\n]{0,24}") {
            let Ok(read) = records(&text) else { return Ok(()) };
            let read: Vec<Vec<String>> = read
                .into_iter()
                // That reader passes over blank lines.
                .filter(|row| *row != [None])
                .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
                .collect();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let other: Vec<Vec<String>> =
                reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(read, other);
        }
    }
}
