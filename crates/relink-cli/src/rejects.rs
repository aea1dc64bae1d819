//! The files of rejected records: the records in the export's own format, so that they can be mended and restored, and beside them, one
//! line of JSON for each, where the record stood in the export and why it was rejected.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use relink_export::{Format, LabelId, Source};
use relink_model::{Place, RelationName};
use relink_restore::{MovedId, Reason, Rejected};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{diagnostics::with_causes, exit::Failure};

/// Endings that say what a file is and not what it is called.
const ENDINGS: [&str; 12] = ["gz", "zst", "xz", "bz2", "zip", "tar", "tgz", "json", "jsonl", "ndjson", "csv", "txt"];

/// Where rejected records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RejectFiles {
    /// The records: a file, for row files a folder.
    pub(crate) records: PathBuf,
    /// Why.
    pub(crate) reasons: PathBuf,
    /// Under which ids restored rows stand to which the records refer; only written where there are such.
    pub(crate) ids: PathBuf,
}

impl RejectFiles {
    /// The files for an export: as named, or in the working directory and called after the export.
    pub(crate) fn of(named: Option<&Path>, export: &Path, format: Format) -> Self {
        let records = named.map_or_else(|| default_path(export, format), Path::to_owned);
        let beside = |ending: &str| {
            let mut path = records.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        };
        let (reasons, ids) = (beside(".reasons.jsonl"), beside(".ids.jsonl"));
        Self { records, reasons, ids }
    }

    /// None may exist, and there must be a folder for them: known before anything is restored, not after hours.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        for path in [&self.records, &self.reasons, &self.ids] {
            // A link that leads nowhere is in the way, too.
            if path.symlink_metadata().is_ok() {
                return Err(Failure::RejectsExist { path: path.clone() });
            }
        }
        let folder = folder_of(&self.records);
        if folder.is_dir() { Ok(()) } else { Err(Failure::RejectsNowhere { folder: folder.to_owned() }) }
    }

    /// Writes them and makes sure that they are on the disk; on an error none is left behind.
    pub(crate) fn write(
        &self,
        source: &Source,
        labels: &[String],
        rejected: &[Rejected],
        moved: &[MovedId],
    ) -> Result<(), Failure> {
        let ordered = in_order(source.format(), rejected);
        let mut positions = ordered.iter().map(|one| (one.label, one.file_ordinal, one.offset));
        let unwritten = |path: &Path, reason: String| Failure::RejectsUnwritten { path: path.to_owned(), reason };
        let reasons = File::create_new(&self.reasons).map_err(|error| unwritten(&self.reasons, error.to_string()))?;
        let files = source.write_rejects(&mut positions, &self.records).map_err(|error| {
            // The first failure is what is told, here and below.
            let _ = fs::remove_file(&self.reasons);
            unwritten(&self.records, with_causes(&error))
        })?;
        let undo = |path: &Path, error: &io::Error| {
            let _ = self.remove();
            unwritten(path, error.to_string())
        };
        self.write_ids(moved).map_err(|error| undo(&self.ids, &error))?;
        write_reasons(source, labels, &ordered, &files, reasons)
            .and_then(|()| File::open(folder_of(&self.reasons))?.sync_all())
            .map_err(|error| undo(&self.reasons, &error))
    }

    fn write_ids(&self, moved: &[MovedId]) -> io::Result<()> {
        if moved.is_empty() {
            return Ok(());
        }
        let mut file = BufWriter::new(File::create_new(&self.ids)?);
        for entry in moved {
            serde_json::to_writer(&mut file, entry)?;
            file.write_all(b"\n")?;
        }
        file.flush()?;
        file.get_ref().sync_all()
    }

    /// Removes them, since what they would complete was not kept.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let records =
            if self.records.is_dir() { fs::remove_dir_all(&self.records) } else { fs::remove_file(&self.records) };
        let reasons = fs::remove_file(&self.reasons);
        let ids = match fs::remove_file(&self.ids) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        records.and(reasons).and(ids)
    }
}

fn write_reasons(
    source: &Source,
    labels: &[String],
    ordered: &[&Rejected],
    files: &[PathBuf],
    reasons: File,
) -> io::Result<()> {
    let mut file = BufWriter::new(reasons);
    let mut numbering = Numbering::new(source.format(), files);
    for rejected in ordered {
        let Rejected { label, file_ordinal, offset, relation, chain } = rejected;
        let (path, number) = numbering.next(*label);
        let place = source.place(*file_ordinal, *label, *offset, String::new()).map_err(io::Error::other)?;
        let line = ReasonLine {
            file: path.display().to_string(),
            number,
            place,
            record: *file_ordinal,
            label: &labels[label.index()],
            relation,
            reasons: chain,
        };
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    file.get_ref().sync_all()
}

/// A line of the reason file.
#[derive(Debug, Serialize)]
struct ReasonLine<'a> {
    /// The reject file.
    file: String,
    /// The record's number in it, from 0; in a table map, its number in its table.
    number: u64,
    /// Where it stands in the export.
    place: Place,
    /// Its number in the export, from 0.
    record: u64,
    /// Its label in the export.
    label: &'a str,
    /// Its table.
    relation: &'a RelationName,
    /// Its own reason first, that of the record at the root last.
    reasons: &'a [Reason],
}

/// Numbers the records of reject files.
struct Numbering<'a> {
    by_label: bool,
    files: &'a [PathBuf],
    file_of_each: bool,
    /// By label: which of them it is, and the next number.
    next: HashMap<Option<LabelId>, (usize, u64)>,
}

impl<'a> Numbering<'a> {
    fn new(format: Format, files: &'a [PathBuf]) -> Self {
        let file_of_each = format == Format::RowFiles;
        Self { by_label: file_of_each || format == Format::TableMap, files, file_of_each, next: HashMap::new() }
    }

    fn next(&mut self, label: LabelId) -> (&'a Path, u64) {
        let known = self.next.len();
        let (file, next) = self.next.entry(self.by_label.then_some(label)).or_insert((known, 0));
        let number = *next;
        *next += 1;
        (&self.files[if self.file_of_each { *file } else { 0 }], number)
    }
}

/// In the order of the export; where the format keeps the rows of a table together, label by label.
fn in_order(format: Format, rejected: &[Rejected]) -> Vec<&Rejected> {
    let mut ordered: Vec<&Rejected> = rejected.iter().collect();
    if matches!(format, Format::TableMap | Format::RowFiles) {
        ordered.sort_by_key(|one| (one.label, one.file_ordinal));
    }
    ordered
}

/// `backup.json.gz` -> `backup.rejects.json`.
fn default_path(export: &Path, format: Format) -> PathBuf {
    let mut name = PathBuf::from(match export.file_name() {
        _ if export == Path::new("-") => OsStr::new("stdin"),
        Some(name) => name,
        // `.`, `..` and `/` have no name of their own.
        None => OsStr::new("export"),
    });
    let is_ending = |path: &Path| {
        path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
    };
    while is_ending(&name) {
        name.set_extension("");
    }
    let mut path = name.into_os_string();
    path.push(match format {
        Format::DjangoArray | Format::TableMap => ".rejects.json",
        Format::DjangoLines => ".rejects.jsonl",
        Format::RowFiles => ".rejects",
    });
    path.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Rejected records in a report.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rejects {
    /// How many. A record's many-to-many lists go with it.
    pub(crate) records: u64,
    /// Where they are, or in a dry run would be: in the export's own format.
    pub(crate) path: String,
    /// Why, a line of JSON for each.
    pub(crate) reasons: String,
    /// Where it says, a line of JSON for each, under which ids restored rows stand to which they refer (`--id-map`); null where there are none.
    pub(crate) ids: Option<String>,
    /// By table, in the order of the export.
    pub(crate) tables: Vec<RejectedTable>,
}

/// Rejected records of a table.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RejectedTable {
    /// The table.
    pub(crate) relation: RelationName,
    /// How many.
    pub(crate) records: u64,
    /// Why.
    pub(crate) causes: Vec<RejectCause>,
}

/// Why records were rejected.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RejectCause {
    /// The code of the record's own finding.
    pub(crate) code: String,
    /// The field concerned, where one is.
    pub(crate) field: Option<String>,
    /// How many records.
    pub(crate) records: u64,
}

impl Rejects {
    /// What was rejected; `None` where nothing was.
    pub(crate) fn of(rejected: &[Rejected], moved: &[MovedId], files: &RejectFiles) -> Option<Self> {
        if rejected.is_empty() {
            return None;
        }
        let mut tables: Vec<RejectedTable> = Vec::new();
        for one in rejected {
            let at = tables.iter().position(|table| table.relation == one.relation).unwrap_or_else(|| {
                tables.push(RejectedTable { relation: one.relation.clone(), records: 0, causes: Vec::new() });
                tables.len() - 1
            });
            let table = &mut tables[at];
            table.records += 1;
            let Some(Reason { code, field, .. }) = one.chain.first() else { continue };
            match table.causes.iter_mut().find(|cause| cause.code == *code && cause.field == *field) {
                Some(cause) => cause.records += 1,
                None => table.causes.push(RejectCause { code: code.clone(), field: field.clone(), records: 1 }),
            }
        }
        Some(Self {
            records: rejected.len() as u64,
            path: files.records.display().to_string(),
            reasons: files.reasons.display().to_string(),
            ids: (!moved.is_empty()).then(|| files.ids.display().to_string()),
            tables,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reject_files_are_called_after_the_export_and_stand_in_the_working_directory() {
        for (export, format, expected) in [
            ("/srv/dumps/prod.json", Format::DjangoArray, "prod.rejects.json"),
            ("backup-2026-01-01T10-30.v2.json.GZ", Format::TableMap, "backup-2026-01-01T10-30.v2.rejects.json"),
            ("lines.jsonl.zst", Format::DjangoLines, "lines.rejects.jsonl"),
            ("tables/", Format::RowFiles, "tables.rejects"),
            ("tables.tar.gz", Format::RowFiles, "tables.rejects"),
            ("..", Format::RowFiles, "export.rejects"),
            ("-", Format::DjangoArray, "stdin.rejects.json"),
            (".json", Format::DjangoArray, ".json.rejects.json"),
        ] {
            let files = RejectFiles::of(None, Path::new(export), format);
            assert_eq!(files.records, Path::new(expected), "{export}");
            assert_eq!(files.reasons, Path::new(&format!("{expected}.reasons.jsonl")), "{export}");
        }
        let named = RejectFiles::of(Some(Path::new("there/bad")), Path::new("x.json"), Format::RowFiles);
        assert_eq!(named.reasons, Path::new("there/bad.reasons.jsonl"));
    }

    #[test]
    fn what_exists_is_never_written_over_and_a_folder_must_be_there() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let files =
            |name: &str| RejectFiles::of(Some(&folder.path().join(name)), Path::new("x.json"), Format::DjangoArray);
        assert!(files("new.json").check().is_ok());
        assert!(matches!(files("no/new.json").check(), Err(Failure::RejectsNowhere { .. })));
        fs::write(folder.path().join("old.json"), "").expect("writable");
        assert!(matches!(files("old.json").check(), Err(Failure::RejectsExist { .. })));
        fs::write(folder.path().join("new.json.reasons.jsonl"), "").expect("writable");
        assert!(matches!(files("new.json").check(), Err(Failure::RejectsExist { .. })));
    }
}
