//! One module for each verb.

pub(crate) mod fix;
pub(crate) mod heal;
pub(crate) mod inspect;
pub(crate) mod profile;
pub(crate) mod restore;
pub(crate) mod rules;
pub(crate) mod schema;
pub(crate) mod validate;

use std::{io::Write as _, path::Path};

use relink_db::{Access, Connection, DatabaseUrl};
use relink_export::{Index, OpenOptions, Source};
use serde::Serialize;

use crate::{exit::Failure, progress::Progress};

/// The database that a command works on.
async fn connect(url: &DatabaseUrl, access: Access) -> Result<Box<dyn Connection>, Failure> {
    relink_db::connect(url, access)
        .await
        .map_err(|error| Failure::Connect { url: url.to_string(), error: Box::new(error) })
}

/// The URL given on the command line or in the environment (clap reads both).
fn database_url(given: Option<&str>, how: &'static str) -> Result<DatabaseUrl, Failure> {
    Ok(given.filter(|url| !url.is_empty()).ok_or(Failure::NoDatabase(how))?.parse()?)
}

/// Opens and indexes an export.
fn open_export(
    paths: &[impl AsRef<Path>],
    options: &OpenOptions,
    progress: &mut Progress,
) -> Result<(Source, Index), Failure> {
    progress.start("opening", 0, true);
    let source = Source::open_files(paths, options, &mut |done| progress.set(done))
        .map_err(|error| Failure::Export { errors: vec![error], source_text: None })?;
    progress.start("reading", source.text_bytes(), true);
    let index = source.index(&mut |done| progress.set(done));
    progress.finish();
    match index {
        Ok(index) => {
            crate::diagnostics::passed_over(&index.ignored);
            Ok((source, index))
        }
        Err(errors) => Err(Failure::Export { errors, source_text: Some(source) }),
    }
}

fn read_file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.to_owned(), error })
}

/// Writes to standard output; a reader that has gone away (`| head`) is no failure.
fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

fn print_json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("reports serialize: their maps have text keys");
    print(&format!("{text}\n"));
}
