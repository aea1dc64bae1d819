//! The failing rows of a check as a table of short texts, which each format lays out in its own way.

use std::collections::HashSet;

use relink_validate::{CheckResult, Sample};

use crate::{visible, words};

/// Columns shown at most: a row without any key is named by all of its columns, and there may be hundreds.
const COLUMNS_MAX: usize = 24;

/// Characters of a place in an export at most: a file's name and a pointer.
const PLACE_CHARS_MAX: usize = 120;

/// Failing rows with their names.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The columns' names: the group of a duplicate, the key, the offending columns, what is wrong, the place in the export.
    pub(crate) header: Vec<String>,
    /// The last column is the place.
    pub(crate) placed: bool,
    /// As many cells as the header has.
    pub(crate) lines: Vec<Vec<String>>,
    /// Failing rows that are not shown.
    pub(crate) more: u64,
}

/// The failing rows of a check: so many at most, each cell in so many characters at most.
pub(crate) fn of(check: &CheckResult, rows_max: usize, cell_chars_max: usize) -> Rows {
    let samples = &check.samples[..check.samples.len().min(rows_max)];
    let grouped = samples.iter().any(|sample| sample.group.is_some());
    let wronged = words::says_more(check) && samples.iter().any(|sample| sample.problem.is_some());
    let placed = samples.iter().any(|sample| sample.place.is_some());
    let some_allowed = samples.iter().any(|sample| sample.allowed) && !samples.iter().all(|sample| sample.allowed);

    // A sample may lack the last columns of another (a total without a difference).
    let mut names: Vec<&String> = Vec::new();
    let keys = samples.iter().flat_map(|sample| sample.key.keys());
    for name in keys.chain(samples.iter().flat_map(|sample| sample.values.keys())) {
        if names.len() < COLUMNS_MAX && !names.contains(&name) {
            names.push(name);
        }
    }

    let mut header = Vec::new();
    header.extend(grouped.then(|| "group".to_owned()));
    header.extend(names.iter().map(|name| visible::value(Some(name), cell_chars_max)));
    header.extend(wronged.then(|| "problem".to_owned()));
    header.extend(some_allowed.then(|| "allowed".to_owned()));
    header.extend(placed.then(|| "place".to_owned()));
    tell_apart(&mut header);

    let line = |sample: &Sample| {
        let mut cells = Vec::new();
        cells.extend(grouped.then(|| sample.group.map_or_else(String::new, |group| format!("#{group}"))));
        cells.extend(names.iter().map(|name| match sample.key.get(*name).or_else(|| sample.values.get(*name)) {
            None => String::new(),
            Some(value) => visible::value(value.as_deref(), cell_chars_max),
        }));
        let problem = sample.problem.as_deref();
        cells.extend(
            wronged.then(|| problem.map_or_else(String::new, |what| visible::value(Some(what), cell_chars_max))),
        );
        cells.extend(some_allowed.then(|| if sample.allowed { "yes".to_owned() } else { String::new() }));
        cells.extend(placed.then(|| place(sample)));
        cells
    };
    let lines: Vec<Vec<String>> = samples.iter().map(line).collect();
    let more = if check.is_answer() { 0 } else { check.counts.failed.saturating_sub(lines.len() as u64) };
    Rows { header, placed, lines, more }
}

/// A table may have a column of its own that is called `place`, and long names may be cut to the same.
fn tell_apart(header: &mut [String]) {
    let mut seen = HashSet::new();
    for name in header {
        let mut number = 2;
        let plain = name.clone();
        while !seen.insert(name.clone()) {
            *name = format!("{plain} ({number})");
            number += 1;
        }
    }
}

/// `shop.json:3:39 /orders/1/customer_id`.
fn place(sample: &Sample) -> String {
    sample.place.as_ref().map_or_else(String::new, |place| {
        let text = format!("{place} {}", place.pointer);
        visible::value(Some(text.trim_end()), PLACE_CHARS_MAX)
    })
}

/// `id 1881, 1882, 1883`: the keys alone, for where there is no room for a table.
pub(crate) fn keys(check: &CheckResult, rows_max: usize, cell_chars_max: usize) -> Option<String> {
    let samples = &check.samples[..check.samples.len().min(rows_max)];
    let names = &samples.first()?.key;
    if names.is_empty() {
        return None;
    }
    let tuple = |parts: Vec<String>| if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(", ")) };
    let shown = |text: Option<&str>| visible::value(text, cell_chars_max);
    let names = names.keys().take(COLUMNS_MAX).map(|name| shown(Some(name))).collect();
    let keys: Vec<String> = samples
        .iter()
        .map(|sample| tuple(sample.key.values().take(COLUMNS_MAX).map(|value| shown(value.as_deref())).collect()))
        .collect();
    let more = if check.counts.failed > keys.len() as u64 { ", ..." } else { "" };
    Some(format!("{} {}{more}", tuple(names), keys.join(", ")))
}
