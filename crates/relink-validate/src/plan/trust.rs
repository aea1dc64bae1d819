//! What the catalog alone shows: constraints that the database does not vouch for, and keys that the schema itself gets wrong.
//! These concern no row; the rows behind them are measured by the other checks.

use relink_model::{Column, Enforcement, ForeignKey, Relation, Severity, TypeKind};

use super::references::refers_to_columns;
use super::test::Test;
use super::{Check, CheckKind, Planning, columns_id};

pub(crate) fn plan(planning: &Planning<'_>, relation: &Relation, checks: &mut Vec<Check>) {
    let mut untrusted = |subject: String, columns: &[String], message: String, help: &str| {
        checks.push(stated(relation, CheckKind::Trust, format!("trust:{subject}"), columns, message, help));
    };
    for key in &relation.foreign_keys {
        let subject = format!("ref:{}", columns_id(&relation.name, &key.columns));
        if let Some(words) = distrust(key.enforcement) {
            untrusted(subject, &key.columns, format!("the foreign key to {} is {words}", key.referenced), VALIDATE);
        }
    }
    for key in relation.unique_keys.iter().filter(|key| !key.valid) {
        let message = format!("the unique index {} is marked invalid: it does not guarantee anything", key.name);
        untrusted(format!("unique:{}[{}]", relation.name, key.name), &key.columns, message, "build the index again");
    }
    for check in &relation.checks {
        if let (Some(words), name) = (distrust(check.enforcement), check.name.as_ref()) {
            let name = name.map_or_else(|| check.expression.clone(), ToString::to_string);
            untrusted(format!("check:{}.{name}", relation.name), &[], format!("the CHECK {name} is {words}"), VALIDATE);
        }
    }
    if let Some(engine) = relation.storage_engine.as_ref().filter(|_| !relation.is_transactional()) {
        let message =
            format!("{engine} keeps no foreign keys and no transactions: rows may change while they are measured");
        untrusted(format!("engine:{}", relation.name), &[], message, "ALTER TABLE ... ENGINE = InnoDB");
    }
    for trigger in relation.triggers.iter().filter(|trigger| !trigger.enabled) {
        let message = format!("the trigger {} is disabled", trigger.name);
        untrusted(format!("trigger:{}.{}", relation.name, trigger.name), &[], message, "enable it, or drop it");
    }
    for key in &relation.foreign_keys {
        if let Some(message) = mistake(planning, relation, key) {
            let id = format!("schema:ref:{}", columns_id(&relation.name, &key.columns));
            let help = "correct the schema: the key cannot be relied on as it stands";
            checks.push(stated(relation, CheckKind::Schema, id, &key.columns, message, help));
        }
    }
}

const VALIDATE: &str = "once the data is clean, have the database validate and enforce it";

fn distrust(enforcement: Enforcement) -> Option<&'static str> {
    match enforcement {
        Enforcement::NotValidated => Some("not validated: rows that were there before it was added were never checked"),
        Enforcement::NotEnforced => Some("not enforced"),
        // A virtual reference promises nothing, so there is nothing to distrust.
        Enforcement::Enforced | Enforcement::Virtual => None,
    }
}

fn stated(relation: &Relation, kind: CheckKind, id: String, columns: &[String], message: String, help: &str) -> Check {
    let mut check = Check::of(id, kind, relation, columns, Test::Stated);
    check.severity = Severity::Warning;
    check.message = message;
    check.help = Some(help.to_owned());
    check
}

/// What is wrong with a key whatever the rows hold.
fn mistake(planning: &Planning<'_>, relation: &Relation, key: &ForeignKey) -> Option<String> {
    if planning.catalog.unseen.contains(&key.referenced) {
        return None;
    }
    let Some(id) = planning.catalog.id(&key.referenced) else {
        return Some(format!("the foreign key references {}, a relation that does not exist", key.referenced));
    };
    let referenced = planning.catalog.relation(id);
    if key.referenced_columns.is_empty() {
        return Some(format!(
            "the foreign key names no column of {}, which has no primary key: its rows cannot be judged",
            key.referenced
        ));
    }
    let target = format!("{}({})", key.referenced, key.referenced_columns.join(", "));
    if !refers_to_columns(key, referenced) {
        return Some(format!(
            "the foreign key references {target}, columns that do not exist there or do not match in number: its rows cannot be judged"
        ));
    }
    let unique = referenced.keys().any(|columns| {
        columns.len() == key.referenced_columns.len()
            && columns.iter().all(|column| key.referenced_columns.contains(column))
    });
    if !unique {
        return Some(format!("the foreign key references {target}, which is no unique key"));
    }
    let pairs = key.columns.iter().zip(&key.referenced_columns);
    pairs
        .filter_map(|(from, to)| Some((relation.column(from)?.1, referenced.column(to)?.1)))
        .find(|(from, to)| differ(from, to))
        .map(|(from, to)| {
            format!(
                "{} ({}) references {}.{} ({}): the types differ, so that other databases would find no match",
                from.name, from.data_type.declared, key.referenced, to.name, to.data_type.declared
            )
        })
}

/// Whether the columns hold values of different families.
fn differ(from: &Column, to: &Column) -> bool {
    matches!((family(from), family(to)), (Some(from), Some(to)) if from != to)
}

fn family(column: &Column) -> Option<&'static str> {
    match column.data_type.kind {
        TypeKind::Boolean | TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. } => {
            Some("number")
        }
        TypeKind::Text { .. } | TypeKind::Enum { .. } => Some("text"),
        TypeKind::Bytes { .. } => Some("bytes"),
        TypeKind::Date | TypeKind::Timestamp { .. } => Some("date"),
        TypeKind::Uuid => Some("uuid"),
        _ => None,
    }
}
