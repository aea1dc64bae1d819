//! Tests of the whole reader on small texts. Every text is read twice: in one piece, and a byte at a time.

mod bad_input;
mod chunks;
mod containers;
mod formats;
mod packages;
mod rejects;
mod row_files;

use std::{fmt::Write as _, fs, path::PathBuf};

use tempfile::TempDir;

use crate::{ExportError, Format, Index, OpenOptions, Source};

/// A directory with one file in it, gone with the value.
struct File {
    directory: TempDir,
    name: &'static str,
}

impl File {
    fn new(name: &'static str, bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), bytes).unwrap();
        Self { directory, name }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(self.name)
    }
}

/// A folder of files, gone with the value.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What is in these files, or in the whole folder where none is named.
    fn read(&self, names: &[&str], chunk_bytes: usize) -> Result<Content, Vec<ExportError>> {
        self.open(names, &options(chunk_bytes)).map_err(|error| vec![error]).and_then(|source| content(&source))
    }

    fn open(&self, names: &[&str], options: &OpenOptions) -> Result<Source, ExportError> {
        let names = if names.is_empty() { &[""] } else { names };
        let paths: Vec<PathBuf> = names.iter().map(|name| self.path(name)).collect();
        Source::open_files(&paths, options, &mut |_| {})
    }

    /// The errors of what cannot be read: `code file:line:column pointer: message`, the same in every chunk size.
    fn errors(&self, names: &[&str]) -> Vec<String> {
        let [whole, single] = [1 << 18, 1].map(|chunk_bytes| {
            let errors = self.read(names, chunk_bytes).expect_err("the export is bad");
            let shown = errors.iter().map(|error| {
                assert!(error.help().is_none_or(|help| !help.is_empty()));
                let place = error.place().map_or_else(String::new, |place| format!(" {place} {}", place.pointer));
                format!("{}{place}: {error}", error.code()).replace(&format!("{}/", self.0.path().display()), "")
            });
            shown.collect::<Vec<_>>()
        });
        assert_eq!(whole, single);
        whole
    }

    /// The only error.
    fn error(&self, names: &[&str]) -> String {
        let mut errors = self.errors(names);
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors.remove(0)
    }
}

fn options(chunk_bytes: usize) -> OpenOptions {
    OpenOptions { chunk_bytes, ..OpenOptions::default() }
}

fn open(bytes: &[u8]) -> Source {
    let file = File::new("export.json", bytes);
    Source::open(&file.path(), &OpenOptions::default()).unwrap()
}

/// What an export holds: `label pk {field: value, ...}` for each record.
#[derive(Debug, PartialEq)]
struct Content {
    format: Format,
    index: Index,
    records: Vec<String>,
}

fn content(source: &Source) -> Result<Content, Vec<ExportError>> {
    let index = source.index(&mut |_| {})?;
    let mut records = Vec::new();
    for run in &index.runs {
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let record = record.unwrap();
            let fields = record.fields().unwrap();
            let again = source.record_at(record.label, record.ordinal, record.offset).unwrap();
            assert_eq!(again.record().text(), record.text());
            assert_eq!(record.ordinal, records.len() as u64);
            let mut line = index.label(record.label).to_owned();
            if let Some(pk) = fields.pk {
                write!(line, " {}", pk.compact()).unwrap();
            }
            for (name, value) in &fields.fields {
                write!(line, " {name}={}", value.compact()).unwrap();
            }
            records.push(line);
        }
    }
    assert_eq!(records.len() as u64, index.records);
    Ok(Content { format: source.format(), index, records })
}

/// Reads a good export in several chunk sizes: always the same content.
fn read(bytes: &[u8]) -> Content {
    let file = File::new("export.json", bytes);
    let [whole, single, odd] = [1 << 18, 1, 7].map(|chunk_bytes| {
        let source = Source::open(&file.path(), &options(chunk_bytes)).unwrap();
        content(&source).unwrap_or_else(|errors| panic!("{errors:#?}"))
    });
    assert_eq!(whole, single);
    assert_eq!(whole, odd);
    whole
}

/// Reads a bad export in several chunk sizes: always the same errors, as `code line:column pointer: message`.
fn errors_with(bytes: &[u8], options: &OpenOptions) -> Vec<String> {
    let file = File::new("export.json", bytes);
    let [whole, single, odd] = [1 << 18, 1, 7].map(|chunk_bytes| {
        let options = OpenOptions { chunk_bytes, ..options.clone() };
        let errors = match Source::open(&file.path(), &options) {
            Err(error) => vec![error],
            Ok(source) => {
                let errors = content(&source).expect_err("the export is bad");
                for place in errors.iter().filter_map(ExportError::place) {
                    let snippet = source.snippet(place).unwrap();
                    assert!(snippet.text.get(snippet.span.clone()).is_some(), "{snippet:?}");
                }
                errors
            }
        };
        errors.iter().map(|error| described(error, &file)).collect::<Vec<_>>()
    });
    assert_eq!(whole, single);
    assert_eq!(whole, odd);
    whole
}

fn described(error: &ExportError, file: &File) -> String {
    let place = error.place().map_or_else(String::new, |place| {
        assert!(place.file.ends_with(file.name) || place.file.contains('!'), "{place:?}");
        format!(" {}:{} {}", place.line, place.column, place.pointer)
    });
    assert!(error.help().is_none_or(|help| !help.is_empty()));
    let directory = format!("{}/", file.directory.path().display());
    format!("{}{place}: {error}", error.code()).replace(&directory, "")
}

fn errors(text: &str) -> Vec<String> {
    errors_with(text.as_bytes(), &OpenOptions::default())
}

/// The only error of a bad export.
fn error(text: &str) -> String {
    let mut errors = errors(text);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}
