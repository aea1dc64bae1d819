//! What every database must do alike, through the [`Connection`] trait: the same test bodies over SQLite, PostgreSQL and
//! MySQL or MariaDB. What is particular to one of them is in the file of its name beside this folder.
//!
//! Servers are named by `RELINK_TEST_POSTGRES` and `RELINK_TEST_MYSQL`; without them their tests say SKIP (and fail under `CI=true`).

mod changing;
mod enforcement;
mod expressions;
mod introspection;
mod loading;
mod lookups;
mod numbering;
mod sessions;
mod triggers;
mod values;
mod writing;

use relink_db::{Access, Connection, DatabaseUrl, DbErrorKind, InsertColumn, InsertTarget, connect};
use relink_model::{Catalog, ForeignKey, Identity, Relation, Value};
use relink_testkit::TestDatabase;

/// Makes a test of each case on each database.
macro_rules! conformance {
    ($($module:ident::$case:ident,)*) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                crate::$module::$case(&super::TestDatabase::sqlite()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $case() {
                if let Some(database) = super::TestDatabase::postgres(stringify!($case)) {
                    crate::$module::$case(&database).await;
                }
            })*
        }
        mod on_mysql {
            $(#[tokio::test]
            async fn $case() {
                if let Some(database) = super::TestDatabase::mysql(stringify!($case)) {
                    crate::$module::$case(&database).await;
                }
            })*
        }
    };
}

conformance! {
    introspection::the_catalog_is_what_the_ddl_says,
    introspection::odd_names_survive,
    introspection::the_journal_is_no_relation,
    introspection::an_empty_database_is_empty_and_can_be_emptied_again,
    values::every_kind_comes_back_as_it_went_in,
    values::nulls_stand_anywhere_in_a_statement,
    values::every_kind_can_be_looked_up,
    values::what_a_type_refuses_is_an_invalid_value,
    writing::inserts_of_any_size_are_split,
    writing::a_row_without_columns_takes_its_defaults,
    writing::updates_count_the_rows_that_matched,
    changing::every_kind_is_updated_to_what_an_insert_makes_of_it,
    changing::every_kind_names_the_rows_to_change,
    changing::what_a_type_refuses_is_refused_by_an_update_too,
    changing::null_parts_of_a_key_match_null,
    changing::many_rows_are_changed_by_few_statements,
    changing::a_change_that_fails_half_way_is_undone_by_the_savepoint,
    changing::nothing_is_changed_without_a_key,
    changing::all_rows_are_deleted_and_columns_made_null,
    writing::savepoints_undo_what_came_after_them,
    writing::a_failed_statement_behind_a_savepoint_costs_that_statement_only,
    writing::errors_say_which_kind_of_constraint,
    lookups::thousands_of_keys_find_their_rows,
    lookups::composite_keys_match_whole_and_null_matches_null,
    lookups::orphans_are_found_for_every_kind_of_key,
    loading::every_way_stores_the_same,
    loading::what_a_type_refuses_is_refused_every_way,
    loading::many_rows_go_in_bulk_and_a_failure_is_undone_by_the_savepoint,
    loading::a_row_without_columns_takes_its_defaults_every_way,
    expressions::a_given_row_reads_as_a_stored_one,
    expressions::expressions_are_answered_row_by_row_in_order,
    expressions::lookups_keep_to_a_condition_and_compare_expressions,
    enforcement::a_cycle_loads_deferred_and_the_catalog_is_as_before,
    enforcement::a_deferred_violation_fires_when_asked,
    enforcement::constraints_declared_deferred_fire_when_asked,
    enforcement::a_cycle_loads_with_keys_suspended_and_the_catalog_is_as_before,
    enforcement::suspended_keys_hold_again_after_a_rollback,
    triggers::triggers_stand_back_and_come_back_as_they_were,
    triggers::the_way_back_to_a_savepoint_takes_triggers_along,
    numbering::counters_go_past_given_ids_and_never_back,
    numbering::a_rolled_back_load_leaves_the_counter_where_it_was,
    numbering::relations_without_a_counter_have_none,
    sessions::reading_access_refuses_to_write,
    sessions::a_snapshot_sees_one_state_and_refuses_to_write,
    sessions::what_is_read_alone_stays_true_until_the_end,
    sessions::a_script_runs_whole,
    sessions::a_script_stops_at_its_first_error,
    sessions::what_cannot_be_reached_is_said_without_the_password,
    sessions::a_broken_connection_is_lost,
    sessions::an_owner_misses_no_privilege,
}

fn url(database: &TestDatabase) -> DatabaseUrl {
    database.url().parse().expect("the test database has a valid URL")
}

/// A connection that may write; the SQLite file is made if need be.
async fn open(database: &TestDatabase) -> Box<dyn Connection> {
    connect(&url(database), Access::Create).await.expect("the test database can be opened")
}

/// A connection to a database with this schema (in the language of `relink_testkit::schema`), and its catalog.
async fn with_schema(database: &TestDatabase, schema: &str) -> (Box<dyn Connection>, Catalog) {
    let mut connection = open(database).await;
    let ddl = relink_testkit::schema(schema).ddl(database.dialect());
    connection.execute_script(&ddl).await.expect("the schema is valid");
    let catalog = connection.introspect().await.expect("the catalog can be read");
    (connection, catalog)
}

fn relation<'a>(catalog: &'a Catalog, name: &str) -> &'a Relation {
    catalog.relation(catalog.find(name).unwrap_or_else(|| panic!("{name} is in the catalog")))
}

/// The foreign key over this first column.
fn foreign_key<'a>(relation: &'a Relation, column: &str) -> &'a ForeignKey {
    let key = relation.foreign_keys.iter().find(|key| key.columns[0] == column);
    key.unwrap_or_else(|| panic!("{}.{column} is a foreign key", relation.name))
}

/// An insert into these columns.
fn target(relation: &Relation, columns: &[&str]) -> InsertTarget {
    let columns =
        columns.iter().map(|name| relation.column(name).unwrap_or_else(|| panic!("there is a column {name}")).1);
    InsertTarget {
        relation: relation.name.clone(),
        overrides_identity: columns.clone().any(|column| column.identity == Some(Identity::Always)),
        columns: columns.map(InsertColumn::from).collect(),
    }
}

async fn insert(
    connection: &mut dyn Connection,
    relation: &Relation,
    columns: &[&str],
    rows: &[Vec<Value>],
) -> Result<u64, DbErrorKind> {
    connection.insert(&target(relation, columns), rows).await.map_err(|error| {
        assert!(!error.message.contains('\n'), "one line: {error}");
        error.kind
    })
}

/// The values of these columns of every row, read as relink reads them, in the order of the first column.
async fn rows(connection: &mut dyn Connection, relation: &Relation, columns: &[&str]) -> Vec<Vec<Value>> {
    let dialect = connection.dialect();
    let read: Vec<String> = columns
        .iter()
        .map(|name| dialect.read_expression("t", relation.column(name).expect("a column of the relation").1))
        .collect();
    let (from, order) = (dialect.quote_relation(&relation.name), dialect.quote(columns[0]));
    let sql = format!("SELECT {} FROM {from} t ORDER BY t.{order}", read.join(", "));
    connection.query(&sql, &[]).await.expect("the rows can be read")
}

async fn count(connection: &mut dyn Connection, relation: &Relation) -> i64 {
    let sql = format!("SELECT count(*) FROM {}", connection.dialect().quote_relation(&relation.name));
    match connection.query(&sql, &[]).await.expect("rows can be counted").as_slice() {
        [row] => whole(&row[0]),
        other => panic!("one row expected, got {other:?}"),
    }
}

fn whole(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        other => panic!("a whole number expected, got {other:?}"),
    }
}

fn int(number: i64) -> Value {
    Value::Int(number)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
