//! References that say in one column which table they mean, and in another which of its rows: Django's generic foreign keys, Rails' `*_type` and `*_id`,
//! and those that `generic` of the configuration names.

use std::sync::Arc;

use relink_model::RelationId;
use relink_records::{Generic, IdColumn, Mapping, Polymorphic, Types, profile::Profiles};
use relink_rules::Part;

use super::names::part;
use super::references::live_filter;
use super::test::{PolymorphicTest, Test, TypeTable};
use super::{Check, CheckKind, Planning, columns_id};

/// What is known of polymorphic references; nothing where the configuration of profiles does not fit, which is said elsewhere.
pub(crate) fn mapping(planning: &Planning<'_>) -> Option<Mapping> {
    let profiles = Profiles::new(&[], &planning.config.profiles, planning.catalog).ok()?;
    Mapping::new(planning.catalog, planning.config, &profiles, &[], false).ok()
}

/// The checks of one relation: of references that the configuration, or a profile, speaks of.
pub(super) fn plan(planning: &Planning<'_>, mapping: &Mapping, id: RelationId, checks: &mut Vec<Check>) {
    checks.extend(of_relation(planning, mapping, id, false));
}

/// Those that the names of columns alone suggest. They lead somewhere, or are none.
pub(crate) fn guessed(planning: &Planning<'_>, mapping: &Mapping, id: RelationId) -> Vec<Check> {
    let mut checks = of_relation(planning, mapping, id, true);
    for check in &mut checks {
        if let Test::Polymorphic(test) = &mut check.test {
            test.loose = false;
        }
    }
    checks
}

fn of_relation(planning: &Planning<'_>, mapping: &Mapping, id: RelationId, guessed: bool) -> Vec<Check> {
    let Some(found) = mapping.polymorphic(id) else { return Vec::new() };
    let found = Arc::new(found.clone());
    let wanted = found.generics.iter().filter(|generic| generic.guessed == guessed);
    wanted.map(|generic| check(planning, &found, id, generic)).collect()
}

fn check(planning: &Planning<'_>, found: &Arc<Polymorphic>, id: RelationId, generic: &Generic) -> Check {
    let relation = planning.catalog.relation(id);
    let name = |column: usize| relation.columns[column].name.clone();
    let columns = [name(generic.type_column), name(generic.id_column)];
    let identity = |relation: RelationId, column: usize| {
        loose(part(column, &planning.catalog.relation(relation).columns[column], false))
    };
    let mut targets: Vec<(RelationId, Vec<Part>)> = Vec::new();
    let mut add = |target: IdColumn| {
        if targets.iter().all(|(known, _)| *known != target.relation) {
            targets.push((target.relation, vec![identity(target.relation, target.column)]));
        }
    };
    // Whatever table a type may name, as far as its rows have one column for a key.
    for (target, _) in planning.catalog.iter() {
        IdColumn::of(planning.catalog, target).into_iter().for_each(&mut add);
    }
    let types = match generic.types {
        Types::ContentType { relation, referenced, app_label, model } => {
            Some(TypeTable { relation, referenced, app_label, model })
        }
        Types::Name => None,
    };
    let test = PolymorphicTest {
        relation: id,
        type_column: generic.type_column,
        id_part: identity(id, generic.id_column),
        types,
        known: Arc::clone(found),
        targets,
        loose: generic.loose,
        filter: live_filter(planning, id),
    };
    let configured = planning.config.table.iter().find(|(table, _)| planning.catalog.find(table) == Some(id)).and_then(
        |(table, config)| {
            let at =
                config.generic.iter().position(|entry| entry.type_column == columns[0] && entry.id == columns[1])?;
            Some(vec!["table".to_owned(), table.clone(), "generic".to_owned(), at.to_string()])
        },
    );
    let name = format!("poly:{}", columns_id(&relation.name, &columns));
    let mut check = Check::of(name, CheckKind::Poly, relation, &columns, Test::Polymorphic(Box::new(test)));
    check.message = format!("{} and {} name a row that does not exist", columns[0], columns[1]);
    check.why = Some("no database enforces a reference whose table stands in another column".to_owned());
    check.help = Some("delete these rows, or say in [table.x] generic which tables the types name".to_owned());
    check.rule = configured;
    check
}

/// An id in a column of text is a number all the same.
fn loose(part: Part) -> Part {
    match part {
        Part::Column { index, kind, padded, ci, .. } => Part::Column { index, kind, loose: true, padded, ci },
        other @ Part::Expression(_) => other,
    }
}
