//! `unique`: what no two rows may share, as rules say it: by letters, whatever a column's collation says, and folded where the rule folds.

use relink_model::RelationId;
use relink_model::config::ConfigError;
use relink_rules::expression::parse_key;

use super::names::{Mistake, Names};
use super::references::{both, live_filter};
use super::test::{Test, UniqueTest};
use super::{Check, CheckKind, Planning, Table, columns_id};

pub(super) fn plan(planning: &Planning<'_>, table: Table<'_>, checks: &mut Vec<Check>, errors: &mut Vec<ConfigError>) {
    for (text, at) in table.config.unique.iter().zip(0..) {
        match check(planning, table.id, table.name, "unique", text) {
            Ok(mut check) => {
                check.rule = Some(table.at("unique", &format!("{at}")));
                check.said = Some(text.clone());
                checks.push(check);
            }
            Err(mistake) => errors.push(mistake.into_error(table, "unique", text)),
        }
    }
}

/// The check of a key.
pub(super) fn check(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    key: &str,
    text: &str,
) -> Result<Check, Mistake> {
    let rule = parse_key(text)?;
    let names = Names::new(planning, id, table, key);
    let relation = names.relation();
    let parts: Vec<_> = rule.parts.iter().map(|part| names.part(part, text)).collect::<Result<_, _>>()?;
    let filter = rule.filter.as_ref().map(|filter| names.condition(filter, text)).transpose()?;
    let mut columns: Vec<String> = Vec::new();
    for column in parts.iter().flat_map(relink_rules::Part::columns) {
        let name = &relation.columns[column].name;
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    // The id shows how the key is folded: two rules over one column are two checks.
    let written: Vec<String> =
        rule.parts.iter().map(|part| text.get(part.span.clone()).unwrap_or_default().replace(' ', "")).collect();
    let named = match written.as_slice() {
        [_, _, ..] => columns_id(&relation.name, &written),
        _ if columns.len() == 1 => columns_id(&relation.name, &written),
        _ => format!("{}({})", relation.name, written.join(",")),
    };
    let filter = both(filter, live_filter(planning, id));
    let test =
        UniqueTest { relation: id, parts, nulls_equal: rule.nulls_equal, filter, key: None, database_only: false };
    let mut check = Check::of(format!("unique:{named}"), CheckKind::Unique, relation, &columns, Test::Unique(test));
    check.message = format!("shares {} with another row", text.trim());
    check.help = Some("keep one row of each group, and point the references to the others at it".to_owned());
    Ok(check)
}
