//! Which relations a check looks at: what a change of these can bear upon.

use relink_model::RelationId;

use crate::plan::test::Test;

/// The relations whose rows decide what a check finds; `None` where any may.
pub(super) fn reads(test: &Test) -> Option<Vec<RelationId>> {
    let one = |relation: RelationId| Some(vec![relation]);
    match test {
        Test::Stated => Some(Vec::new()),
        Test::Row(test) => one(test.relation),
        Test::NotNull(test) => one(test.relation),
        Test::Expression(test) => one(test.relation),
        Test::Stored(test) => one(test.relation),
        Test::Unique(test) => one(test.relation),
        Test::Reference(test) => Some([test.relation].into_iter().chain(test.target).collect()),
        Test::Sums(test) => {
            Some([test.left.relation].into_iter().chain(test.right.as_ref().map(|side| side.relation)).collect())
        }
        Test::Running(test) => one(test.relation),
        Test::NoOverlap(test) => one(test.relation),
        Test::Acyclic(test) => one(test.relation),
        Test::Count(test) => one(test.relation),
        Test::Fresh(test) => one(test.relation),
        Test::Same(test) => Some(test.sides.iter().map(|side| side.relation).collect()),
        // Any table may be meant.
        Test::Polymorphic(_) | Test::Sql(_) => None,
    }
}

/// Whether a change of these relations' rows can change what a check finds.
pub(super) fn concerns(test: &Test, relations: &[RelationId]) -> bool {
    reads(test).is_none_or(|read| read.iter().any(|relation| relations.contains(relation)))
}
