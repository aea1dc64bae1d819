//! Profiles as text for people, and as text for relink.toml.

use std::fmt::Write as _;

use relink_model::config::{NaturalKeyConfig, ProfilesConfig, TableConfig};
use relink_records::profile::{ModelProfile, Profile};

/// One line for each profile.
pub(crate) fn list(profiles: &[&Profile], config: &ProfilesConfig) -> String {
    let width = profiles.iter().map(|profile| profile.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for profile in profiles {
        let models = match profile.model.len() {
            0 => "notes only".to_owned(),
            1 => "1 model".to_owned(),
            models => format!("{models} models"),
        };
        let off = if config.off.contains(&profile.name) { ", off" } else { "" };
        let packages = packages(profile);
        let from = if packages.is_empty() { String::new() } else { format!("; {packages}") };
        let _ = writeln!(text, "{:width$}  {} ({models}{from}{off})", profile.name, profile.about);
    }
    text.push_str("\n`relink profile NAME` explains one; `--format toml` writes it as relink.toml.\n");
    text
}

/// All that a profile says.
pub(crate) fn explain(profile: &Profile) -> String {
    let mut text = format!("{}: {}\n", profile.name, profile.about);
    let packages = packages(profile);
    if !packages.is_empty() {
        let _ = writeln!(text, "Taken from {packages}.");
    }
    match profile.detect.as_slice() {
        [] => text.push_str("It applies to each of its tables that the database has.\n"),
        tables => {
            let _ = writeln!(text, "It applies where the database has all of these tables: {}.", tables.join(", "));
        }
    }
    for (label, model) in &profile.model {
        let _ = writeln!(text, "\n{label}");
        for (what, value) in facts(model) {
            let _ = writeln!(text, "  {what:<18} {value}");
        }
    }
    if !profile.ignore.is_empty() {
        text.push_str(
            "\nUsually left out, but only where relink.toml says so ([profiles] ignore, or ignore_models):\n",
        );
        for (label, why) in &profile.ignore {
            let _ = writeln!(text, "  {label}: {why}");
        }
    }
    if !profile.notes.is_empty() {
        text.push_str("\nNotes:\n");
        for note in &profile.notes {
            let _ = writeln!(text, "  - {note}");
        }
    }
    text
}

fn packages(profile: &Profile) -> String {
    let packages = profile.packages.iter().map(|(package, versions)| format!("{package} {}", versions.join(", ")));
    packages.collect::<Vec<_>>().join("; ")
}

/// What is known of a model, as pairs for a table.
fn facts(model: &ModelProfile) -> Vec<(&'static str, String)> {
    let mut facts = vec![("table", model.table.clone())];
    if !model.models.is_empty() {
        facts.push(("also", model.models.join(", ")));
    }
    match &model.natural_key {
        Some(NaturalKeyConfig::Columns(columns)) => facts.push(("natural key", columns.join(", "))),
        Some(NaturalKeyConfig::Tree(tree)) => facts.push((
            "natural key",
            format!(
                "{} of every row from the root on, by {} in steps of {} characters",
                tree.column, tree.path, tree.step
            ),
        )),
        None => {}
    }
    facts.extend(model.generic.iter().map(|generic| {
        let loose = if generic.loose { " (the row may be gone)" } else { "" };
        ("generic reference", format!("{}, {}{loose}", generic.type_column, generic.id))
    }));
    facts.extend(model.fields.iter().map(|(field, column)| match column.as_str() {
        "" => ("left out", field.clone()),
        column => ("field", format!("{field} is column {column}")),
    }));
    facts.extend(model.join_tables.iter().map(|(field, table)| ("join table", format!("{field} is {table}"))));
    facts.extend(model.read.iter().map(|(column, reading)| {
        let reading = serde_json::to_value(reading).ok().and_then(|value| value.as_str().map(str::to_owned));
        ("read", format!("{column} as {}", reading.unwrap_or_default()))
    }));
    for (column, ids) in &model.embedded_ids {
        facts.extend(ids.iter().map(|ids| {
            let path = ids.path.as_deref().unwrap_or("every element");
            let loose = if ids.loose { " (the row may be gone)" } else { "" };
            ("ids inside", format!("{column}: {path} of {}{loose}", ids.table))
        }));
    }
    facts.extend(model.refs.iter().map(|reference| ("not kept by anyone", reference.clone())));
    facts.extend(model.about.iter().map(|about| ("note", about.clone())));
    facts
}

/// Profiles as text for relink.toml. What is only a suggestion stands in comments.
pub(crate) fn configuration(profiles: &[&Profile]) -> String {
    let mut text = String::from("# Take out the tables that your database does not have.\nversion = 1\n");
    let ignored: Vec<_> = profiles.iter().flat_map(|profile| &profile.ignore).collect();
    if !ignored.is_empty() {
        text.push_str(
            "# Suggestions: take away the # before those whose records are to be left out.\nignore_models = [\n",
        );
        for (label, why) in ignored {
            let _ = writeln!(text, "    # {},  # {why}", quoted(label));
        }
        text.push_str("]\n");
    }
    for profile in profiles {
        for (name, table) in profile.tables() {
            let entries = entries(&table);
            if entries.is_empty() {
                continue;
            }
            let _ = write!(text, "\n[table.{}]\n{entries}", key(name));
        }
    }
    text
}

/// The entries of a table that say something.
fn entries(table: &TableConfig) -> String {
    let toml::Value::Table(entries) = toml::Value::try_from(table).expect("a configuration is TOML") else {
        return String::new();
    };
    let mut text = String::new();
    for (name, value) in &entries {
        let says = match value {
            toml::Value::Array(values) => !values.is_empty(),
            toml::Value::Table(values) => !values.is_empty(),
            _ => true,
        };
        if says && name == "refs" {
            let _ = writeln!(
                text,
                "# Nobody keeps these: uncomment them only if they are to be followed and checked.\n# {name} = {value}"
            );
        } else if says {
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    text
}

/// A key as TOML writes it: bare where that is allowed.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
