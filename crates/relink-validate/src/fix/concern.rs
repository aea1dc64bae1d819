//! Which relations a check looks at: what a change of these can bear upon.

use relink_model::RelationId;

use crate::plan::test::Test;

/// Whether a change of these relations' rows can change what a check finds. The user's own SQL may look at anything.
pub(crate) fn concerns(test: &Test, relations: &[RelationId]) -> bool {
    let among = |relation: &RelationId| relations.contains(relation);
    match test {
        Test::Stated => false,
        Test::Row(test) => among(&test.relation),
        Test::NotNull(test) => among(&test.relation),
        Test::Expression(test) => among(&test.relation),
        Test::Stored(test) => among(&test.relation),
        Test::Unique(test) => among(&test.relation),
        Test::Reference(test) => among(&test.relation) || test.target.as_ref().is_some_and(among),
        Test::Sums(test) => among(&test.left.relation) || test.right.as_ref().is_some_and(|side| among(&side.relation)),
        Test::Running(test) => among(&test.relation),
        Test::NoOverlap(test) => among(&test.relation),
        Test::Acyclic(test) => among(&test.relation),
        Test::Count(test) => among(&test.relation),
        Test::Fresh(test) => among(&test.relation),
        Test::Same(test) => test.sides.iter().any(|side| among(&side.relation)),
        // Any table may be meant.
        Test::Polymorphic(_) | Test::Sql(_) => true,
    }
}
