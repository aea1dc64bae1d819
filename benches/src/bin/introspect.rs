//! Introspection of 2,000 relations with 4,000 foreign keys on each database: seconds, and statements sent.
//!
//! `cargo run --release -p relink-benches --bin introspect [RELATIONS]`; the servers of `RELINK_TEST_POSTGRES` and
//! `RELINK_TEST_MYSQL` take part where these are set, each with a database of its own that is dropped afterwards.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use relink_benches::{count_statements, wide_schema};
use relink_db::{Access, DatabaseUrl};
use relink_graph::{Abilities, load_order};
use relink_testkit::{MYSQL_VARIABLE, POSTGRES_VARIABLE, TestDatabase};

/// Rounds per database; the fastest counts, as whatever else the machine does only ever adds.
const ROUNDS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let relations = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => 2_000,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("introspection of {relations} relations with {} foreign keys, best of {ROUNDS}", relations * 2);
    println!("{:<12} {:>10} {:>14} {:>12} {:>12}", "", "made in", "introspected", "statements", "load order");
    let is_set = |variable: &str| std::env::var_os(variable).is_some();
    let postgres = if is_set(POSTGRES_VARIABLE) { TestDatabase::postgres("introspect") } else { None };
    let mysql = if is_set(MYSQL_VARIABLE) { TestDatabase::mysql("introspect") } else { None };
    for database in [Some(TestDatabase::sqlite()), postgres, mysql].into_iter().flatten() {
        runtime.block_on(measure(&database, relations))?;
    }
    Ok(())
}

async fn measure(database: &TestDatabase, relations: usize) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let schema = wide_schema(relations).ddl(database.dialect());
    database.run(&if database.dialect() == "sqlite" { format!("BEGIN;\n{schema}COMMIT;\n") } else { schema });
    let made = start.elapsed();

    let url: DatabaseUrl = database.url().parse()?;
    let mut best = Duration::MAX;
    let mut ordered = Duration::MAX;
    for _ in 0..ROUNDS {
        let mut connection = relink_db::connect(&url, Access::ReadOnly).await?;
        let start = Instant::now();
        let catalog = connection.introspect().await?;
        best = best.min(start.elapsed());
        connection.close().await?;
        let keys: usize = catalog.relations.iter().map(|relation| relation.foreign_keys.len()).sum();
        assert_eq!((catalog.relations.len(), keys), (relations, relations * 2), "introspection found all there is");
        let start = Instant::now();
        assert_eq!(load_order(&catalog, Abilities::default(), None).steps.len(), relations);
        ordered = ordered.min(start.elapsed());
    }
    let statements = statements(database).await?.map_or("-".to_owned(), |count| count.to_string());
    println!(
        "{:<12} {:>8.2} s {:>12.3} s {statements:>12} {:>10.3} s",
        database.dialect(),
        made.as_secs_f64(),
        best.as_secs_f64(),
        ordered.as_secs_f64()
    );
    Ok(())
}

/// The statements of one introspection, in a round of its own: counting takes time. SQLite has no wire to count on.
async fn statements(database: &TestDatabase) -> Result<Option<u64>, Box<dyn Error>> {
    if database.dialect() == "sqlite" {
        return Ok(None);
    }
    let (url, counter) = count_statements(&database.url())?;
    let mut connection = relink_db::connect(&url.parse()?, Access::ReadOnly).await?;
    let before = counter.count();
    connection.introspect().await?;
    let count = counter.count() - before;
    connection.close().await?;
    Ok(Some(count))
}
