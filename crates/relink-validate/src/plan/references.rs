//! `refs`: references that no foreign key declares and that hold under a condition, or between texts that are made alike first. Plain ones are foreign
//! keys of the catalog by now.

use relink_model::config::{ConfigError, Dead, RuleMatch};
use relink_model::{ForeignKey, Relation, RelationId, Severity};
use relink_rules::Part;
use relink_rules::expression::{Alike, Bound, Expression, Kind, parse_reference};

use super::names::{Mistake, Names, level};
use super::test::{Matching, ReferenceTest, Test};
use super::{Check, CheckKind, Planning, Table, columns_id};

/// Whether the key says which columns it refers to, and these exist.
pub(crate) fn refers_to_columns(key: &ForeignKey, referenced: &Relation) -> bool {
    key.referenced_columns.len() == key.columns.len()
        && key.referenced_columns.iter().all(|name| referenced.column(name).is_some())
}

pub(super) fn plan(planning: &Planning<'_>, table: Table<'_>, checks: &mut Vec<Check>, errors: &mut Vec<ConfigError>) {
    if let Some(text) = &table.config.live {
        let names = Names::new(planning, table.id, table.name, "live");
        if let Err(mistake) = names.parsed(text) {
            errors.push(mistake.into_error(table, "live", text));
        }
    }
    for (text, at) in table.config.refs.iter().zip(0..) {
        match check(planning, table.id, table.name, "refs", text) {
            Ok(Some(mut check)) => {
                check.rule = Some(table.at("refs", &format!("{at}")));
                check.said = Some(text.clone());
                if let Test::Reference(test) = &check.test {
                    let dead =
                        dead_check(planning, &check.id, planning.catalog.relation(table.id), &check.columns, test);
                    checks.extend(dead.map(|dead| Check { said: Some(text.clone()), ..dead }));
                }
                checks.push(check);
            }
            Ok(None) => {}
            Err(mistake) => errors.push(mistake.into_error(table, "refs", text)),
        }
    }
}

impl Mistake {
    /// As a mistake of a table's key.
    pub(super) fn into_error(self, table: Table<'_>, key: &str, text: &str) -> ConfigError {
        match self {
            Self::Expected(expected) => table.syntax(key, text, expected),
            Self::Unknown(error) => error,
        }
    }
}

/// The check of a reference; `None` where it is a foreign key of the catalog.
pub(super) fn check(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    key: &str,
    text: &str,
) -> Result<Option<Check>, Mistake> {
    let rule = parse_reference(text)?;
    let names = Names::new(planning, id, table, key);
    let relation = names.relation();
    let target = names.table(&rule.table)?;
    let theirs = names.of(target);
    let mut columns = Vec::new();
    let (mut parts, mut target_parts) = (Vec::new(), Vec::new());
    for (own, other) in rule.columns.iter().zip(&rule.referenced) {
        let (own_index, own_column) = names.column(own)?;
        let (other_index, other_column) = theirs.named(other)?;
        columns.push(own_column.name.clone());
        let mut here = super::names::part(own_index, own_column, false);
        let mut there = super::names::part(other_index, other_column, false);
        if rule.alike.is_empty() {
            level(&mut here, &mut there);
        } else {
            here = alike(&rule.alike, &names, &own_column.name)?;
            there = alike(&rule.alike, &theirs, &other_column.name)?;
        }
        parts.push(here);
        target_parts.push(there);
    }
    let matching = match rule.matching {
        Some("full" | "strict") => Matching::Full,
        Some(_) => Matching::Simple,
        None => match planning.config.run.match_kind {
            Some(RuleMatch::Full | RuleMatch::Strict) => Matching::Full,
            _ => Matching::Simple,
        },
    };
    if rule.filter.is_none() && rule.alike.is_empty() && key == "refs" {
        return Ok(None);
    }
    let filter = rule.filter.as_ref().map(|filter| names.condition(filter, text)).transpose()?;
    let test = ReferenceTest {
        relation: id,
        parts,
        filter: both(filter, live_filter(planning, id)),
        target: Some(target),
        target_parts,
        target_filter: None,
        matching,
        dead: false,
        key: None,
        by_letter: !rule.alike.is_empty(),
    };
    let referenced = &planning.catalog.relation(target).name;
    let named = format!("ref:{}", columns_id(&relation.name, &columns));
    let mut check = Check::of(named, CheckKind::Ref, relation, &columns, Test::Reference(test));
    check.message = format!("references a row of {referenced}({}) that does not exist", rule.referenced.join(", "));
    check.why = Some("the reference is declared in the configuration only; no database enforces it".to_owned());
    check.help = Some(format!("add the missing rows of {referenced}, or change or clear these references"));
    Ok(Some(check))
}

/// A column made alike.
fn alike(ways: &[Alike], names: &Names<'_>, column: &str) -> Result<Part, Mistake> {
    let (index, definition) = names.named(column)?;
    let mut expression = Expression::column(vec![column.to_owned()]);
    let mut folded = false;
    for way in ways {
        match way {
            Alike::Fold(fold) => {
                expression = expression.folded(*fold);
                folded = true;
            }
            Alike::Text if !folded => return Ok(plain(index, Some(Kind::Text), false)),
            Alike::Number if !folded => return Ok(plain(index, Kind::of(&definition.data_type.kind), true)),
            Alike::Text | Alike::Number => {}
        }
    }
    names.any(&expression, "").map(Part::Expression)
}

fn plain(index: usize, kind: Option<Kind>, loose: bool) -> Part {
    Part::Column { index, kind, loose, padded: false, ci: false }
}

/// Both conditions.
pub(super) fn both(one: Option<Bound>, other: Option<Bound>) -> Option<Bound> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}

/// Which rows of a relation count as there. A condition that does not fit has been reported by then.
pub(super) fn live_filter(planning: &Planning<'_>, id: RelationId) -> Option<Bound> {
    let (name, config) = planning.config.table.iter().find(|(name, _)| planning.catalog.find(name) == Some(id))?;
    let text = config.live.as_ref()?;
    Names::new(planning, id, name, "live").parsed(text).ok()
}

/// References to rows that count as deleted, where the configuration says what these are.
pub(super) fn dead_check(
    planning: &Planning<'_>,
    named: &str,
    relation: &Relation,
    columns: &[String],
    test: &ReferenceTest,
) -> Option<Check> {
    let target = test.target?;
    let (_, config) = planning.config.table.iter().find(|(name, _)| planning.catalog.find(name) == Some(target))?;
    let severity = match config.dead? {
        Dead::Orphan => Severity::Error,
        Dead::Warn => Severity::Warning,
        Dead::Ok => return None,
    };
    let dead = live_filter(planning, target)?.negated();
    let filter = both(test.filter.clone(), live_filter(planning, test.relation));
    let test = ReferenceTest { target_filter: Some(dead), filter, dead: true, key: None, ..test.clone() };
    let referenced = &planning.catalog.relation(target).name;
    let name = format!("dead:{}", named.trim_start_matches("ref:"));
    let mut check = Check::of(name, CheckKind::Ref, relation, columns, Test::Reference(test));
    check.severity = severity;
    check.message = format!("references a row of {referenced} that counts as deleted");
    check.help = Some(format!("delete these rows too, or bring the rows of {referenced} back"));
    check.rule = Some(vec!["table".to_owned(), referenced.to_string(), "dead".to_owned()]);
    Some(check)
}
