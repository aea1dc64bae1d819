//! Which file and line a check is shown at: where its rule stands, else where its first failing row stands in the export.

use std::fmt::Write as _;

use relink_model::Place;
use relink_validate::{CheckResult, Report, Target};

use crate::{Options, visible};

/// What the configuration is called unless said otherwise.
const CONFIG_FILE: &str = "relink.toml";

/// Ends of the names of files that hold others, or one in another form. Behind an exclamation mark stands the member's name.
const ARCHIVES: &[&str] = &[".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2", ".zst"];

/// A place in a file of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The file as a path with slashes, on one line.
    pub(crate) file: String,
    /// Line, from 1.
    pub(crate) line: u64,
    /// Column, from 1; `None` where only the line is known.
    pub(crate) column: Option<u64>,
}

/// Where the check's own rule or failing rows stand; `None` for what a database's schema promises.
pub(crate) fn of(check: &CheckResult) -> Option<Location> {
    if let Some(rule) = &check.rule {
        return Some(Location { file: path(&rule.file), line: rule.line.max(1), column: Some(rule.column.max(1)) });
    }
    check.samples.iter().find_map(|sample| sample.place.as_ref()).map(of_place)
}

/// As [`of`], and never nothing: the export itself, else the configuration, is where to begin then.
pub(crate) fn of_or_else(check: &CheckResult, report: &Report, options: &Options) -> Location {
    of(check).unwrap_or_else(|| {
        let file = match (&report.run.target, &options.config_file) {
            (Target::Export { name, .. }, _) => name,
            (_, Some(file)) => file,
            _ => CONFIG_FILE,
        };
        Location { file: path(file), line: 1, column: None }
    })
}

/// Where a record stands. Of an archive's member the archive is what the repository has, and lines mean nothing in it.
pub(crate) fn of_place(place: &Place) -> Location {
    let file = place.file.to_ascii_lowercase();
    let of_end = |end: &&str| match file.find(&format!("{end}!")) {
        Some(at) => Some(at + end.len()),
        None => file.ends_with(*end).then_some(file.len()),
    };
    match ARCHIVES.iter().filter_map(of_end).min() {
        Some(end) => Location { file: path(&place.file[..end]), line: 1, column: None },
        None => Location { file: path(&place.file), line: place.line.max(1), column: Some(place.column.max(1)) },
    }
}

/// With slashes, and without the `./` that CI systems do not expect.
fn path(file: &str) -> String {
    let file = visible::line(&file.replace('\\', "/"));
    let file = file.strip_prefix("./").unwrap_or(&file);
    if file.is_empty() { CONFIG_FILE.to_owned() } else { file.to_owned() }
}

impl Location {
    /// The path as a URI reference: relative to the top of the repository, or `file:` where it is absolute.
    pub(crate) fn uri(&self) -> String {
        let mut uri = String::new();
        let drive = self.file.as_bytes().get(1) == Some(&b':');
        if drive {
            uri.push_str("file:///");
        } else if self.file.starts_with('/') {
            uri.push_str("file://");
        }
        for (index, byte) in self.file.bytes().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(byte as char),
                b':' if drive && index == 1 => uri.push(':'),
                _ => {
                    let _ = write!(uri, "%{byte:02X}");
                }
            }
        }
        uri
    }

    /// Whether the path starts at the top of the repository.
    pub(crate) fn is_relative(&self) -> bool {
        !self.uri().starts_with("file:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str) -> Location {
        let pointer = String::new();
        of_place(&Place { file: file.into(), offset: 0, line: 3, column: 39, pointer })
    }

    #[test]
    fn what_is_inside_another_file_is_shown_at_that_file() {
        assert_eq!(place("./shop.json"), Location { file: "shop.json".to_owned(), line: 3, column: Some(39) });
        assert_eq!(place("dump.zip!a/b.json"), Location { file: "dump.zip".to_owned(), line: 1, column: None });
        for packed in ["dump.json.gz", "dump.JSON.ZST", "dump.tgz"] {
            assert_eq!(place(packed), Location { file: packed.to_owned(), line: 1, column: None });
        }
        assert_eq!(place("wow!.json").line, 3);
    }

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(place("data/my shop#1é.json").uri(), "data/my%20shop%231%C3%A9.json");
        assert_eq!(place("/srv/a.json").uri(), "file:///srv/a.json");
        assert_eq!(place("C:\\data\\a.json").uri(), "file:///C:/data/a.json");
        // What looks like a scheme is none.
        assert_eq!(place("http:evil").uri(), "http%3Aevil");
        assert!(place("a/b").is_relative());
    }
}
