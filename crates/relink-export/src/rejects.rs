//! Writes chosen records as an export of the same format, each byte for byte as it stands in its own: what was rejected
//! can be mended and restored again. The text is UTF-8, whatever the export's encoding is.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    ExportError, Format, LabelId, Source,
    csv::push_json_string,
    index::Table,
    part::{Ending, Form},
    record::scan_one,
};

/// A record: its label, its number in the export, and the export's offset of its first byte.
type Position = (LabelId, u64, u64);

impl Source {
    /// Writes these records to a new file at `path`, for row files to a new folder with one file for each table, and
    /// makes sure that they are on the disk. What was written: nothing where there is no record.
    ///
    /// An array of Django records becomes an array, lines become lines, a table map becomes a flat table map, and a row
    /// file becomes one of its kind, CSV with the same header. Records of one label must come together, and the export
    /// must have been indexed. Where anything fails, nothing is left behind.
    ///
    /// # Panics
    ///
    /// Panics if the records of a label of a table map or of row files do not come together.
    pub fn write_rejects(
        &self,
        records: &mut dyn Iterator<Item = (LabelId, u64, u64)>,
        path: &Path,
    ) -> Result<Vec<PathBuf>, ExportError> {
        let Some(first) = records.next() else { return Ok(Vec::new()) };
        let mut records = std::iter::once(first).chain(records);
        let folder = self.format() == Format::RowFiles;
        if folder {
            fs::create_dir(path).map_err(|error| failed(path, error))?;
        }
        let written =
            if folder { self.write_row_files(&mut records, path) } else { self.write_file(&mut records, path) };
        match written.and_then(|files| sync_folder(path.parent()).map(|()| files)) {
            // It exists, and is not ours.
            Err(error @ ExportError::Exists { .. }) => Err(error),
            Err(error) => {
                // The first failure is what is told; a rest that cannot be removed either is seen by whoever looks.
                let _ = if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
                Err(error)
            }
            written => written,
        }
    }

    fn write_file(
        &self,
        records: &mut dyn Iterator<Item = Position>,
        path: &Path,
    ) -> Result<Vec<PathBuf>, ExportError> {
        let mut file = RejectFile::create(path)?;
        match self.format() {
            Format::DjangoLines => {
                for (_, _, offset) in records {
                    file.line(scan_one(self, offset)?.bytes(), "\n")?;
                }
            }
            Format::TableMap => self.write_table_map(records, &mut file)?,
            _ => {
                file.write("[\n")?;
                let mut separator = "";
                for (_, _, offset) in records {
                    file.element(scan_one(self, offset)?.bytes(), &mut separator)?;
                }
                file.write("\n]\n")?;
            }
        }
        file.finish()?;
        Ok(vec![path.to_owned()])
    }

    fn write_table_map(
        &self,
        records: &mut dyn Iterator<Item = Position>,
        file: &mut RejectFile<'_>,
    ) -> Result<(), ExportError> {
        let mut labels = Together::default();
        let mut separator = "";
        for (label, _, offset) in records {
            if labels.is_next(label) {
                let mut name = String::new();
                push_json_string(&self.table(label).name, &mut name);
                file.write(if labels.seen.len() == 1 { "{\n" } else { "\n],\n" })?;
                file.write(&name)?;
                file.write(": [\n")?;
                separator = "";
            }
            file.element(scan_one(self, offset)?.bytes(), &mut separator)?;
        }
        file.write("\n]\n}\n")
    }

    fn write_row_files(
        &self,
        records: &mut dyn Iterator<Item = Position>,
        folder: &Path,
    ) -> Result<Vec<PathBuf>, ExportError> {
        let mut labels = Together::default();
        let mut written = Vec::new();
        let mut next = records.next();
        while let Some((label, _, _)) = next {
            assert!(labels.is_next(label), "each label's records are written by one turn of the loop");
            let table = self.table(label);
            let part = self.part(table.part);
            let path = folder.join(format!("{}.{}", table.name, ending(part.form, part.naming.ending).text()));
            let mut file = RejectFile::create(&path)?;
            let header = &self.header(table.part).line;
            let line_break = if header.ends_with("\r\n") { "\r\n" } else { "\n" };
            file.write(if part.form == Form::RowArray { "[\n" } else { header })?;
            let mut separator = "";
            while let Some((_, _, offset)) = next.filter(|(of, _, _)| *of == label) {
                let record = scan_one(self, offset)?;
                match part.form {
                    Form::RowArray => file.element(record.bytes(), &mut separator)?,
                    _ => file.line(record.bytes(), line_break)?,
                }
                next = records.next();
            }
            if part.form == Form::RowArray {
                file.write("\n]\n")?;
            }
            file.finish()?;
            written.push(path);
        }
        sync_folder(Some(folder))?;
        Ok(written)
    }

    fn table(&self, label: LabelId) -> &Table {
        let layout = self.layout().expect("records are known by indexing, which keeps the layout");
        &layout.tables[label.index()]
    }
}

/// The ending of a file of this form: the source's own, where it says what the content is.
fn ending(form: Form, ending: Option<Ending>) -> Ending {
    match (form, ending) {
        (Form::Csv, _) => Ending::Csv,
        (Form::RowLines, Some(ending)) if ending.is_lines() => ending,
        (Form::RowLines, _) => Ending::Jsonl,
        _ => Ending::Json,
    }
}

/// Watches that the records of each label come together.
#[derive(Default)]
struct Together {
    seen: Vec<LabelId>,
}

impl Together {
    /// Whether records of another label begin here.
    fn is_next(&mut self, label: LabelId) -> bool {
        if self.seen.last() == Some(&label) {
            return false;
        }
        assert!(!self.seen.contains(&label), "the records of a label come together");
        self.seen.push(label);
        true
    }
}

/// A file that is being written.
struct RejectFile<'p> {
    path: &'p Path,
    file: BufWriter<File>,
}

impl<'p> RejectFile<'p> {
    fn create(path: &'p Path) -> Result<Self, ExportError> {
        let file = File::create_new(path).map_err(|error| failed(path, error))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    fn write(&mut self, text: &str) -> Result<(), ExportError> {
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.file.write_all(bytes).map_err(|error| failed(self.path, error))
    }

    fn element(&mut self, record: &[u8], separator: &mut &str) -> Result<(), ExportError> {
        self.write(std::mem::replace(separator, ",\n"))?;
        self.bytes(record)
    }

    fn line(&mut self, record: &[u8], line_break: &str) -> Result<(), ExportError> {
        self.bytes(record)?;
        self.write(line_break)
    }

    fn finish(mut self) -> Result<(), ExportError> {
        let path = self.path;
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(|error| failed(path, error))
    }
}

fn failed(path: &Path, source: io::Error) -> ExportError {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::AlreadyExists {
        ExportError::Exists { path }
    } else {
        ExportError::Write { path, source }
    }
}

/// Makes sure that what was made in a folder is found there after a crash.
fn sync_folder(folder: Option<&Path>) -> Result<(), ExportError> {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, error))
}
