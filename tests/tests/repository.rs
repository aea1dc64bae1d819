//! Rules about the sources that neither the compiler nor clippy checks: who may print, who may ask which database it is, and
//! that the tree means the same on every machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The top of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands below the root")
}

/// A line of product code: no comment, not below a `#[cfg(test)]` module.
struct Line {
    place: String,
    text: String,
}

/// The product code of these crates.
fn code(crates: impl Fn(&str) -> bool) -> Vec<Line> {
    let mut lines = Vec::new();
    for path in sources() {
        let relative = path.strip_prefix(root()).expect("below the root").display().to_string();
        let name = relative.split('/').nth(1).unwrap_or_default().to_owned();
        if !crates(&name) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable source");
        let mut previous_is_cfg_test = false;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            // Test modules stand last in their file, by convention.
            if previous_is_cfg_test && trimmed.starts_with("mod ") && trimmed.ends_with('{') {
                break;
            }
            previous_is_cfg_test = trimmed.starts_with("#[cfg(test)]");
            if !trimmed.starts_with("//") {
                lines.push(Line { place: format!("{relative}:{}", index + 1), text: line.to_owned() });
            }
        }
    }
    assert!(!lines.is_empty(), "no sources found below {}", root().display());
    lines
}

/// Every Rust source of the crates, tests in files of their own left out.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join("crates"))
        .expect("crates/ is there")
        .map(|entry| entry.expect("a readable entry").path().join("src"))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines that hold one of these texts.
fn holding(lines: Vec<Line>, texts: &[&str]) -> Vec<String> {
    lines
        .into_iter()
        .filter(|line| texts.iter().any(|text| line.text.contains(text)))
        .map(|line| format!("{}: {}", line.place, line.text.trim()))
        .collect()
}

/// The files of the repository that hold text: those tracked, and those about to be.
fn text_files() -> Option<Vec<(String, String)>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let names = String::from_utf8(output.stdout).expect("names are UTF-8");
    let texts = names.split_terminator('\0').filter_map(|name| {
        let text = fs::read(root().join(name)).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
        Some((name.to_owned(), text))
    });
    Some(texts.collect())
}

#[test]
fn only_the_edge_prints_reads_the_environment_or_the_clock_or_exits() {
    let wrong = holding(
        code(|name| !matches!(name, "relink-cli" | "relink-testkit")),
        &[
            "println!",
            "print!(",
            "eprint!(",
            "dbg!(",
            "env::args",
            "env::current_dir",
            "env::var",
            "process::exit",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
        ],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nobody_above_the_database_crate_asks_which_database_it_is() {
    let wrong = holding(
        code(|name| !matches!(name, "relink-db" | "relink-testkit")),
        &[
            "match dialect {",
            "match self.dialect {",
            "Dialect::Sqlite",
            "Dialect::Postgres",
            "Dialect::MySql",
            "DatabaseUrl::Sqlite",
            "DatabaseUrl::Postgres",
            "DatabaseUrl::MySql",
            ".name() == \"sqlite\"",
            ".name() == \"postgres\"",
            ".name() == \"mysql\"",
        ],
    );
    assert!(wrong.is_empty(), "ask a capability instead: {wrong:#?}");
}

#[test]
fn only_the_database_crate_names_a_driver_a_sql_builder_or_a_system_catalog() {
    let wrong = holding(
        code(|name| !matches!(name, "relink-db" | "relink-testkit")),
        &["sqlx::", "sea_query::", "information_schema", "pg_catalog", "pg_class", "sqlite_master", "sqlite_schema"],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_crates_do_no_io() {
    let wrong = holding(
        code(|name| {
            matches!(name, "relink-model" | "relink-graph" | "relink-rules" | "relink-records" | "relink-report")
        }),
        &["async fn", "std::fs", "std::net", "std::process", "std::thread", "File::open"],
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    let manifests = fs::read_dir(root().join("crates"))
        .expect("crates/ is there")
        .map(|entry| entry.expect("a readable entry").path())
        .chain(["tests", "benches"].map(|name| root().join(name)))
        .map(|folder| folder.join("Cargo.toml"));
    for manifest in manifests {
        let text = fs::read_to_string(&manifest).expect("a manifest");
        assert!(text.contains("[lints]\nworkspace = true"), "{}", manifest.display());
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = root();
    let mut documents = vec![root.join("README.md"), root.join("ARCHITECTURE.md"), root.join("CHANGELOG.md")];
    let in_docs = fs::read_dir(root.join("docs")).expect("a folder").map(|entry| entry.expect("an entry").path());
    documents.extend(in_docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    let mut links = 0;
    for document in documents {
        let text = fs::read_to_string(&document).expect("readable");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            links += 1;
            let target = document.parent().expect("a folder").join(path);
            assert!(target.exists(), "{}: {link} leads nowhere", document.display());
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn modules_are_named_by_content_and_stay_short_enough_to_read() {
    for path in sources() {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(
            !["util", "utils", "helper", "helpers", "common", "misc"].contains(&stem.as_str()),
            "{} is named by nothing",
            path.display()
        );
        let lines = fs::read_to_string(&path).expect("a readable source").lines().count();
        assert!(lines <= 800, "{} has {lines} lines: where is the seam?", path.display());
    }
}

#[test]
fn no_file_of_the_repository_names_a_path_of_one_machine() {
    let Some(files) = text_files() else {
        println!("SKIP: not a git checkout, so the files of the repository are not known");
        return;
    };
    // Put together here, so that this file does not hold them.
    let folders = ["work", "root", "farm", "home", "Users"].map(|name| format!("/{name}/"));
    let mut wrong = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| name != "Cargo.lock") {
        for (index, line) in text.lines().enumerate() {
            let names_one = folders.iter().any(|folder| {
                line.match_indices(folder.as_str()).any(|(at, _)| {
                    // Behind a name, a variable or a dot it is part of a path that is relative to something.
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '}' | '-' | ')'))
                })
            });
            if names_one {
                wrong.push(format!("{name}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
