//! What can be wrong with an export, each with its place, a stable code and what to do next.

use std::{io, path::PathBuf, sync::Arc};

use relink_model::Place;
use thiserror::Error;

use crate::{CsvProblem, FormatFamily, JsonKind, SyntaxProblem, cursor::Fault, part::Part, window::Dry};

/// An export could not be read, or is not what it claims to be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The operating system refused to open or read the file.
    #[error("failed to read {file}")]
    Io {
        /// The file as the user named it.
        file: Arc<str>,
        /// What the system said.
        source: io::Error,
    },
    /// A directory without a file that could hold records.
    #[error("{file} is a directory without an export in it")]
    Directory {
        /// The path as the user named it.
        file: Arc<str>,
    },
    /// No file was named.
    #[error("no export is named")]
    NoFile,
    /// The decompressed or converted text could not be written to a temporary file.
    #[error("failed to write the text of {file} to a temporary file in {directory}")]
    TemporaryFile {
        /// The file as the user named it.
        file: Arc<str>,
        /// Where temporary files go.
        directory: String,
        /// What the system said.
        source: io::Error,
    },
    /// `--encoding` names none.
    #[error("{label:?} names no text encoding")]
    UnknownEncoding {
        /// What was given.
        label: String,
    },
    /// `--encoding` says one thing, the byte order mark another.
    #[error("{file} is marked as {marked} by its first bytes, but {named} was asked for")]
    EncodingContradicted {
        /// The file as the user named it.
        file: Arc<str>,
        /// What was asked for.
        named: String,
        /// What the byte order mark says.
        marked: &'static str,
    },
    /// An encoding that has to be named, or that is not read at all.
    #[error("{file} looks like {found}")]
    EncodingUnread {
        /// The file as the user named it.
        file: Arc<str>,
        /// What it looks like.
        found: &'static str,
        /// The name to give as `--encoding`, where that would do.
        label: Option<&'static str>,
    },
    /// Bytes that the encoding does not know.
    #[error("the bytes at {input_offset} of the input are not {encoding}")]
    MalformedText {
        /// Where it is, in the decoded text.
        place: Place,
        /// The encoding in use.
        encoding: &'static str,
        /// Bytes from the start of the undecoded (but decompressed) input.
        input_offset: u64,
    },
    /// Bytes that are no UTF-8.
    #[error("the byte 0x{byte:02x} at offset {} is not UTF-8", place.offset)]
    NotUtf8 {
        /// Where it is.
        place: Place,
        /// The first offending byte.
        byte: u8,
        /// Whether it looks like text in a Windows code page.
        code_page: bool,
    },
    /// A file format that relink does not read.
    #[error("{file} is {found}")]
    Unsupported {
        /// The file as the user named it.
        file: Arc<str>,
        /// What it is: `a 7-Zip archive`.
        found: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
    /// Compressed data that is damaged.
    #[error("the {container} data of {file} is damaged after {unpacked_bytes} bytes")]
    Damaged {
        /// The file as the user named it.
        file: Arc<str>,
        /// `gzip`, `zstd`, `xz`, `bzip2`, `zip` or `tar`.
        container: &'static str,
        /// How many bytes were unpacked before the damage.
        unpacked_bytes: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// Compressed data that ends early.
    #[error("the {container} data of {file} ends early, after {unpacked_bytes} bytes")]
    TruncatedContainer {
        /// The file as the user named it.
        file: Arc<str>,
        /// `gzip`, `zstd`, `xz`, `bzip2`, `zip` or `tar`.
        container: &'static str,
        /// How many bytes were unpacked before the end.
        unpacked_bytes: u64,
    },
    /// An archive without an export in it.
    #[error("{file} holds {}", members_found(members))]
    ArchiveMembers {
        /// The archive as the user named it.
        file: Arc<str>,
        /// What it holds.
        members: Vec<String>,
    },
    /// An archive with two members of one name.
    #[error("{file} holds {} twice", member.as_ref().map_or_else(|| "a member".to_owned(), |member| format!("{member:?}")))]
    DuplicateMember {
        /// The archive as the user named it.
        file: Arc<str>,
        /// The name, where it is known.
        member: Option<String>,
    },
    /// A folder or an archive of more files than any export has.
    #[error("{file} holds more than {limit} files")]
    TooManyFiles {
        /// The folder or archive as the user named it.
        file: Arc<str>,
        /// The limit.
        limit: usize,
    },
    /// A file among row files whose rows would be lost, because its form is not read.
    #[error("{file} is data in a form that is not read")]
    UnreadData {
        /// The file, with `!member` for a member of an archive.
        file: Arc<str>,
    },
    /// Files of one export in different formats.
    #[error("{file} holds {}, and {first} holds {}", family.described(), first_family.described())]
    MixedFormats {
        /// The file that is unlike the first.
        file: Arc<str>,
        /// What it holds.
        family: FormatFamily,
        /// The first file.
        first: Arc<str>,
        /// What that one holds.
        first_family: FormatFamily,
    },
    /// Rows of one table, and no file name that says which.
    #[error("{file} has no name that tells the table of its rows")]
    NoTableName {
        /// The file as the user named it.
        file: Arc<str>,
    },
    /// Broken CSV.
    #[error("{problem}")]
    Csv {
        /// Where it is.
        place: Place,
        /// What is wrong.
        problem: CsvProblem,
    },
    /// An archive member that no honest export has.
    #[error("the member {member:?} of {file} is {reason}")]
    RefusedMember {
        /// The archive as the user named it.
        file: Arc<str>,
        /// Its name in the archive.
        member: String,
        /// What is wrong with it: `encrypted`.
        reason: &'static str,
    },
    /// Compressed data that expands beyond all proportion.
    #[error("{file} expands to more than {ratio_max} times its size")]
    Expansion {
        /// The file as the user named it.
        file: Arc<str>,
        /// The limit.
        ratio_max: u64,
    },
    /// No text at all.
    #[error("the export is empty")]
    Empty {
        /// Its end.
        place: Place,
    },
    /// The text begins with something that no format begins with.
    #[error("expected {expected}, found {found:?}")]
    TopLevel {
        /// Where it is.
        place: Place,
        /// What may stand there.
        expected: &'static str,
        /// What does stand there.
        found: char,
    },
    /// Broken JSON.
    #[error("{problem}")]
    Syntax {
        /// Where it is.
        place: Place,
        /// What is wrong.
        problem: SyntaxProblem,
    },
    /// The text ends inside the document.
    #[error("the export ends early")]
    Truncated {
        /// Where it ends, with the pointer of what it ends in.
        place: Place,
    },
    /// Text after the end of the document, or after a record on its line.
    #[error("text after the end of {after}, beginning with {found:?}")]
    TrailingText {
        /// Where it begins.
        place: Place,
        /// `the document` or `the record on this line`.
        after: &'static str,
        /// Its first character.
        found: char,
    },
    /// Brackets nested too deeply.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The bracket that is one too many.
        place: Place,
        /// The limit.
        limit: usize,
    },
    /// A record too large to be held in memory.
    #[error("a record of more than {limit} bytes")]
    RecordTooLarge {
        /// Where it begins.
        place: Place,
        /// The limit.
        limit: usize,
    },
    /// A name twice in one record, or in its fields.
    #[error("the member {key:?} stands twice in one object, first on line {}", first.line)]
    DuplicateKey {
        /// The second one.
        place: Place,
        /// The first one.
        first: Box<Place>,
        /// The name.
        key: String,
    },
    /// A table twice in a table map, or in two files.
    #[error("the table {table:?} stands twice, first {}", first_of_two(first, place))]
    DuplicateTable {
        /// The second one.
        place: Place,
        /// The first one.
        first: Box<Place>,
        /// Its name.
        table: String,
    },
    /// An array of objects that are no Django records.
    #[error("an array of objects without \"model\" and \"fields\"")]
    NotDjango {
        /// The first of them.
        place: Place,
    },
    /// Something else than an object where a record or row must be.
    #[error("expected {expected}, found {}", found.described())]
    NotAnObject {
        /// Where it is.
        place: Place,
        /// `a record` or `a row`, with the context.
        expected: &'static str,
        /// What it is.
        found: JsonKind,
    },
    /// A Django record without a member that it needs.
    #[error("the record has no {member:?}")]
    MissingMember {
        /// Where the record begins.
        place: Place,
        /// What is missing.
        member: &'static str,
    },
    /// A Django record's member of the wrong kind.
    #[error("the record's {member:?} must be {expected}, found {found}")]
    WrongMember {
        /// Where the member's value begins.
        place: Place,
        /// Its name.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A Django record's member that Django does not know.
    #[error("a Django record has no member {member:?}")]
    UnknownMember {
        /// Where its value begins.
        place: Place,
        /// Its name.
        member: String,
    },
    /// A name that holds half of a character.
    #[error("the name holds the escape \\u{unit:04x}, half of a character whose other half is missing")]
    LoneSurrogate {
        /// Where the escape is.
        place: Place,
        /// The half.
        unit: u16,
    },
    /// A table map without tables.
    #[error("an object without tables: no member is an array of objects")]
    NoTables {
        /// The start of the object.
        place: Place,
    },
    /// The file is not what it was when it was indexed.
    #[error("{file} changed while it was being read")]
    Changed {
        /// The file as the user named it.
        file: Arc<str>,
    },
    /// A file or folder for rejected records exists already.
    #[error("{} exists already", path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// A file of rejected records could not be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The last error of a list that was cut.
    #[error("stopped after {shown} errors; {file} may hold more")]
    TooMany {
        /// The file as the user named it.
        file: Arc<str>,
        /// How many errors stand before this one.
        shown: usize,
    },
}

impl ExportError {
    /// A text is not what it was when it was indexed.
    pub(crate) fn changed(part: &Part) -> Self {
        Self::Changed { file: Arc::clone(&part.text.name) }
    }

    /// A fault in text that indexing has passed: reading failed, or the file is another one now.
    pub(crate) fn changed_or_io(part: &Part, fault: Fault) -> Self {
        match fault {
            Fault::Dry(Dry::Io(source)) => Self::Io { file: Arc::clone(&part.text.name), source },
            _ => Self::changed(part),
        }
    }

    /// Where in the export's text it is, for errors that have a place there.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::MalformedText { place, .. }
            | Self::NotUtf8 { place, .. }
            | Self::Empty { place }
            | Self::TopLevel { place, .. }
            | Self::Syntax { place, .. }
            | Self::Csv { place, .. }
            | Self::Truncated { place }
            | Self::TrailingText { place, .. }
            | Self::TooDeep { place, .. }
            | Self::RecordTooLarge { place, .. }
            | Self::DuplicateKey { place, .. }
            | Self::DuplicateTable { place, .. }
            | Self::NotDjango { place }
            | Self::NotAnObject { place, .. }
            | Self::MissingMember { place, .. }
            | Self::WrongMember { place, .. }
            | Self::UnknownMember { place, .. }
            | Self::LoneSurrogate { place, .. }
            | Self::NoTables { place } => Some(place),
            Self::Io { .. }
            | Self::Directory { .. }
            | Self::NoFile
            | Self::TemporaryFile { .. }
            | Self::UnknownEncoding { .. }
            | Self::EncodingContradicted { .. }
            | Self::EncodingUnread { .. }
            | Self::Unsupported { .. }
            | Self::Damaged { .. }
            | Self::TruncatedContainer { .. }
            | Self::ArchiveMembers { .. }
            | Self::RefusedMember { .. }
            | Self::DuplicateMember { .. }
            | Self::TooManyFiles { .. }
            | Self::UnreadData { .. }
            | Self::MixedFormats { .. }
            | Self::NoTableName { .. }
            | Self::Expansion { .. }
            | Self::Changed { .. }
            | Self::Exists { .. }
            | Self::Write { .. }
            | Self::TooMany { .. } => None,
        }
    }

    /// A second place that belongs to it: where the first of two stands.
    pub fn other_place(&self) -> Option<&Place> {
        match self {
            Self::DuplicateKey { first, .. } | Self::DuplicateTable { first, .. } => Some(first),
            _ => None,
        }
    }

    /// The stable code, never renamed once published.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "export::io",
            Self::Directory { .. } => "export::directory",
            Self::NoFile => "export::no-file",
            Self::TemporaryFile { .. } => "export::temporary-file",
            Self::UnknownEncoding { .. } => "export::unknown-encoding",
            Self::EncodingContradicted { .. } => "export::encoding-contradicted",
            Self::EncodingUnread { .. } => "export::encoding-unread",
            Self::MalformedText { .. } => "export::malformed-text",
            Self::NotUtf8 { .. } => "export::not-utf8",
            Self::Unsupported { .. } => "export::unsupported",
            Self::Damaged { .. } => "export::damaged",
            Self::TruncatedContainer { .. } | Self::Truncated { .. } => "export::truncated",
            Self::ArchiveMembers { .. } => "export::archive-members",
            Self::RefusedMember { .. } => "export::refused-member",
            Self::DuplicateMember { .. } => "export::duplicate-member",
            Self::TooManyFiles { .. } => "export::too-many-files",
            Self::UnreadData { .. } => "export::unread-data",
            Self::MixedFormats { .. } => "export::mixed-formats",
            Self::NoTableName { .. } => "export::no-table-name",
            Self::Expansion { .. } => "export::expansion",
            Self::Empty { .. } => "export::empty",
            Self::TopLevel { .. } => "export::top-level",
            Self::Syntax { .. } => "export::syntax",
            Self::Csv { .. } => "export::csv",
            Self::TrailingText { .. } => "export::trailing-text",
            Self::TooDeep { .. } => "export::too-deep",
            Self::RecordTooLarge { .. } => "export::record-too-large",
            Self::DuplicateKey { .. } => "export::duplicate-key",
            Self::DuplicateTable { .. } => "export::duplicate-table",
            Self::NotDjango { .. } => "export::not-django",
            Self::NotAnObject { .. } => "export::not-an-object",
            Self::MissingMember { .. } => "export::missing-member",
            Self::WrongMember { .. } => "export::wrong-member",
            Self::UnknownMember { .. } => "export::unknown-member",
            Self::LoneSurrogate { .. } => "export::lone-surrogate",
            Self::NoTables { .. } => "export::no-tables",
            Self::Changed { .. } => "export::changed",
            Self::Exists { .. } => "export::exists",
            Self::Write { .. } => "export::write",
            Self::TooMany { .. } => "export::too-many",
        }
    }

    /// What to do next, where there is more to say than the message says.
    pub fn help(&self) -> Option<String> {
        let fixed = match self {
            Self::Io { .. } => "check the path and its permissions",
            Self::Directory { .. } => {
                "records stand in files that end in .json, .jsonl, .ndjson or .csv, compressed or not"
            }
            Self::NoFile => "name a file, a folder, or - for standard input",
            Self::TemporaryFile { .. } => {
                "the text must fit there once, uncompressed: make room, or set TMPDIR to a directory with more"
            }
            Self::UnknownEncoding { .. } => {
                "give a name of the WHATWG Encoding Standard: utf-8, utf-16le, windows-1252, iso-8859-2, shift_jis, ..."
            }
            Self::EncodingContradicted { .. } => "leave --encoding out: the mark at the start of the file decides",
            Self::EncodingUnread { label, .. } => {
                return Some(match label {
                    Some(label) => format!("if that is right, add --encoding {label}"),
                    None => "convert it to UTF-8 first, e.g. with iconv".to_owned(),
                });
            }
            Self::MalformedText { .. } => "the file is damaged or in another encoding: try another --encoding",
            Self::NotUtf8 { code_page: true, .. } => {
                "it looks like text in a Windows code page: try --encoding windows-1252, and look at the first names \
                 that are not plain ASCII in what is restored"
            }
            Self::NotUtf8 { .. } => "the file is damaged or in another encoding: name it with --encoding",
            Self::Unsupported { remedy, .. } => remedy,
            Self::Damaged { .. } => "copy or make the file again: nothing of a damaged export is restored",
            Self::TruncatedContainer { .. } | Self::Truncated { .. } => {
                "the file was not written or copied to its end: make or copy it again"
            }
            Self::ArchiveMembers { members, .. } if members.is_empty() => "put one .json file into it",
            Self::ArchiveMembers { members, .. } => {
                return Some(format!("it holds {}; records stand in .json, .jsonl, .ndjson or .csv", listed(members)));
            }
            Self::DuplicateMember { .. } => "readers disagree on which of the two counts: make the archive again",
            Self::TooManyFiles { .. } => "name the folder of the export itself",
            Self::UnreadData { .. } => {
                "write its rows as .json, .jsonl or .csv, or take the file out if they are not wanted"
            }
            Self::MixedFormats { .. } => "restore them one after the other, or say with --from what all of them are",
            Self::NoTableName { .. } => "name the file after the table: orders.csv, orders.jsonl",
            Self::Csv { problem, .. } => match problem {
                CsvProblem::StrayQuote | CsvProblem::AfterQuote(_) => {
                    "a cell with a quote in it stands in quotes, each of its own quotes doubled: \"5\"\" pipe\""
                }
                CsvProblem::UnclosedQuote => {
                    "the closing quote is missing, or the file was not written or copied to its end"
                }
                CsvProblem::CarriageReturn => "end lines with a line feed, alone or after a carriage return",
                CsvProblem::Cells { .. } => {
                    "a comma in a cell must stand in quotes; a file whose last record is short was not copied to its end"
                }
                CsvProblem::NamelessColumn(_) | CsvProblem::DuplicateColumn(_) => {
                    "the first line names every column, each once"
                }
            },
            Self::Exists { .. } => "name another, or take it away",
            Self::Write { .. } => "look at its permissions and at the space that is left",
            Self::RefusedMember { .. } => "unpack it by hand, look at what it is, and restore the export alone",
            Self::Expansion { .. } => "if it is what it should be, decompress it first and restore the result",
            Self::Empty { .. } => "an export without records is [] or {}",
            Self::TopLevel { .. } => {
                "relink reads Django dumpdata ([{\"model\": ..., \"fields\": ...}], or one such object a line), \
                 table maps ({\"table\": [rows]}) and row files (TABLE.json, .jsonl, .csv)"
            }
            Self::Syntax { problem, .. } => return syntax_help(*problem).map(str::to_owned),
            Self::TrailingText { found: '[' | '{', after: "the document", .. } => {
                "two exports in one file? split them and restore one after the other"
            }
            Self::TrailingText { after: "the document", .. } => "remove what follows the document",
            Self::TrailingText { .. } => "JSON Lines has one record a line",
            Self::TooDeep { .. } => "no export nests so deeply: look at what wrote it",
            Self::RecordTooLarge { .. } => {
                "a string whose closing quote is missing looks like this too; else restore this record by itself"
            }
            Self::DuplicateKey { .. } => "readers disagree on which of the two counts: remove one",
            Self::DuplicateTable { .. } => "put all rows of the table into one array",
            Self::NotDjango { .. } => {
                "for a Django dump every element needs \"model\" and \"fields\"; rows of a single table go into a \
                 table map: {\"table\": [...]}, or into a file named after the table, with --from row-files"
            }
            Self::NotAnObject { .. } => "remove it, or write it as an object",
            Self::MissingMember { .. } | Self::WrongMember { .. } => {
                "a Django record is {\"model\": \"app.model\", \"pk\": key, \"fields\": {...}}"
            }
            Self::UnknownMember { .. } => {
                "only model, pk and fields are read: move it into fields, remove it, or begin its name with _"
            }
            Self::LoneSurrogate { .. } => "correct the name",
            Self::NoTables { .. } => {
                "a table map is {\"table\": [rows]}, the tables nested in other objects if need be"
            }
            Self::Changed { .. } => "start again when nothing writes to it",
            Self::TooMany { .. } => "correct these and run it again",
        };
        Some(fixed.to_owned())
    }
}

fn syntax_help(problem: SyntaxProblem) -> Option<&'static str> {
    match problem {
        SyntaxProblem::TrailingComma => Some("remove the comma"),
        SyntaxProblem::Comment => Some("remove the comment"),
        SyntaxProblem::SingleQuotes | SyntaxProblem::Word => {
            Some("text printed by a program (Python's str, JavaScript's console.log) is no JSON: export it as JSON")
        }
        SyntaxProblem::ControlCharacter(_) => Some("a closing quote is missing, or the character must be escaped"),
        SyntaxProblem::Escape(_) => Some("a backslash itself is written \\\\"),
        _ => None,
    }
}

/// Where the first of two stands, seen from the second.
fn first_of_two(first: &Place, second: &Place) -> String {
    if first.file == second.file { format!("on line {}", first.line) } else { format!("in {first}") }
}

fn members_found(members: &[String]) -> String {
    match members.len() {
        0 => "no file".to_owned(),
        1 => "no export, only another file".to_owned(),
        count => format!("no export among {count} files"),
    }
}

/// The first few of a list that may be long.
fn listed(members: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut list = members.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if members.len() > SHOWN {
        list.push_str(", ...");
    }
    list
}
