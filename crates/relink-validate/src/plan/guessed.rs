//! Checks that nobody asked for: made as those of rules are, so that a guess which becomes a rule stays the same check.

use relink_model::{RelationId, config::TableConfig};

use super::names::{level, part};
use super::references::live_filter;
use super::test::{Matching, ReferenceTest, Test};
use super::{Check, CheckKind, Planning, Table, columns_id};

/// The check of a table's only rule; `None` where the rule does not fit.
pub(crate) fn of_rule(planning: &Planning<'_>, id: RelationId, name: &str, config: &TableConfig) -> Option<Check> {
    let (checks, errors) = super::of_table(planning, Table { id, name, config });
    checks.into_iter().next().filter(|_| errors.is_empty())
}

/// The check that a column refers to a column of another relation, as that of a virtual reference would be.
pub(crate) fn reference(
    planning: &Planning<'_>,
    (id, column): (RelationId, usize),
    (target, target_column): (RelationId, usize),
) -> Check {
    let (relation, referenced) = (planning.catalog.relation(id), planning.catalog.relation(target));
    let (own, theirs) = (&relation.columns[column], &referenced.columns[target_column]);
    let (mut here, mut there) = (part(column, own, false), part(target_column, theirs, false));
    level(&mut here, &mut there);
    let test = ReferenceTest {
        relation: id,
        parts: vec![here],
        filter: live_filter(planning, id),
        target: Some(target),
        target_parts: vec![there],
        target_filter: None,
        matching: Matching::Simple,
        dead: false,
        key: None,
        by_letter: false,
    };
    let columns = std::slice::from_ref(&own.name);
    let named = format!("ref:{}", columns_id(&relation.name, columns));
    let mut check = Check::of(named, CheckKind::Ref, relation, columns, Test::Reference(test));
    check.message = format!("references a row of {}({}) that does not exist", referenced.name, theirs.name);
    check.help = Some(format!("add the missing rows of {}, or change or clear these references", referenced.name));
    check
}
