//! What the documents say of the tests: a test that a document names exists.

use std::{collections::BTreeSet, fs, path::Path};

/// The tests of one file of hard cases, or of a file of just this name.
fn tests_of(subject: &str) -> Option<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let names = [format!("hard_cases_{subject}.rs"), format!("{subject}.rs")];
    let text = names.iter().find_map(|name| fs::read_to_string(folder.join(name)).ok())?;
    let names =
        text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split_once('(')).map(|(name, _)| name.to_owned());
    Some(names.collect())
}

/// Whether a name is this one, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => {
            name.strip_prefix(start).is_some_and(|name| (0..=name.len()).any(|at| fits(rest, &name[at..])))
        }
    }
}

#[test]
fn the_hard_cases_name_tests_that_exist_and_leave_none_out() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/hard-cases.md"))
        .expect("docs/hard-cases.md can be read");
    // What stands between backticks, in the tables alone.
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let named: Vec<(&str, &str)> =
        rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter_map(|text| text.split_once("::")).collect();
    assert!(!named.is_empty());
    let subjects = [
        "references",
        "natural_keys",
        "identity",
        "values",
        "runtime",
        "faults",
        "fault_matrix",
        "properties",
        "other_rows",
    ];
    let mut wrong = Vec::new();
    for (subject, pattern) in &named {
        let tests = tests_of(subject).unwrap_or_default();
        if !tests.iter().any(|name| fits(pattern, name)) {
            wrong.push(format!("named, but not there: {subject}::{pattern}"));
        }
    }
    for subject in subjects {
        for name in tests_of(subject).unwrap_or_else(|| panic!("no hard cases of {subject}")) {
            if !named.iter().any(|(other, pattern)| *other == subject && fits(pattern, &name)) {
                wrong.push(format!("there, but not named: {subject}::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The tests of a module of live validation.
fn live_tests_of(module: &str) -> Option<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/relink-validate/tests/live");
    let text = fs::read_to_string(folder.join(format!("{module}.rs"))).ok()?;
    let after = text.split("#[tokio::test]\nasync fn ").skip(1).chain(text.split("#[test]\nfn ").skip(1));
    Some(after.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name.to_owned()).collect())
}

#[test]
fn the_hard_cases_of_validation_name_tests_that_exist_and_leave_none_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(root.join("docs/hard-cases-validate.md")).expect("the document can be read");
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let named: Vec<(&str, &str)> =
        rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter_map(|text| text.split_once("::")).collect();
    let mut wrong = Vec::new();
    for (module, pattern) in &named {
        let tests = live_tests_of(module).unwrap_or_default();
        if !tests.iter().any(|name| fits(pattern, name)) {
            wrong.push(format!("named, but not there: {module}::{pattern}"));
        }
    }
    let main = fs::read_to_string(root.join("crates/relink-validate/tests/live/main.rs")).expect("it can be read");
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    // What these show is no hard case: all plans at a glance, whole samples, damage at random.
    let others = ["differential", "plans", "stocktake", "validated"];
    for module in modules.filter(|module| !others.contains(module)) {
        for name in live_tests_of(module).unwrap_or_else(|| panic!("no module {module}")) {
            if !named.iter().any(|(other, pattern)| *other == module && fits(pattern, &name)) {
                wrong.push(format!("there, but not named: {module}::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
