//! Introspection takes as many statements for few relations as for many.

use relink_benches::{count_statements, wide_schema};
use relink_db::{Access, DatabaseUrl};
use relink_testkit::TestDatabase;

/// The statements that introspection sent, seen on the wire.
async fn statements(database: &TestDatabase, relations: usize) -> u64 {
    database.run(&wide_schema(relations).ddl(database.dialect()));
    let (url, counter) = count_statements(&database.url()).expect("a relay");
    let url: DatabaseUrl = url.parse().expect("a database URL");
    let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("the server answers");
    let before = counter.count();
    let catalog = connection.introspect().await.expect("introspection");
    let statements = counter.count() - before;
    connection.close().await.expect("closed");
    assert_eq!(catalog.relations.len(), relations);
    assert_eq!(catalog.relations.iter().map(|relation| relation.foreign_keys.len()).sum::<usize>(), relations * 2);
    statements
}

async fn assert_constant(few: Option<TestDatabase>, many: Option<TestDatabase>) {
    let (Some(few), Some(many)) = (few, many) else { return };
    let (few, many) = (statements(&few, 20).await, statements(&many, 200).await);
    assert!(few > 0, "the wire was listened to");
    assert_eq!(few, many, "as many statements for 200 relations as for 20");
}

#[tokio::test]
async fn the_number_of_statements_does_not_grow_with_the_relations_on_postgresql() {
    assert_constant(TestDatabase::postgres("few_relations"), TestDatabase::postgres("many_relations")).await;
}

#[tokio::test]
async fn the_number_of_statements_does_not_grow_with_the_relations_on_mysql() {
    assert_constant(TestDatabase::mysql("few_relations"), TestDatabase::mysql("many_relations")).await;
}
