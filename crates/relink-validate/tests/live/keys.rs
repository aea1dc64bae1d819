//! Duplicates.

use relink_model::Severity;
use relink_testkit::TestDatabase;

use crate::validated::{check, counts, samples, troubles, validate, validate_both};

/// Makes an index of SQLite unique after the rows went in: the schema says unique, the rows never were.
fn declare_unique(database: &TestDatabase, index: &str) {
    database.run(&format!(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'CREATE INDEX', 'CREATE UNIQUE INDEX') WHERE name = '{index}';"
    ));
}

#[tokio::test]
async fn duplicates_of_a_unique_key_are_counted_by_row_and_group_and_named_by_their_keys() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);
         CREATE INDEX users_email ON users (email);
         INSERT INTO users VALUES (7, 'a@x.org'), (91, 'a@x.org'), (92, 'b@x.org'), (93, 'b@x.org'), (94, 'b@x.org'),
                                  (95, NULL), (96, NULL), (97, 'c@x.org'), (98, '0@x.org');",
    );
    declare_unique(&database, "users_email");
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["unique:users.email"]);
    assert_eq!(counts(&report, "unique:users.email"), (5, 2, 2), "NULLs are distinct");
    assert_eq!(
        samples(&report, "unique:users.email"),
        [
            "id=7 | email=a@x.org",
            "id=91 | email=a@x.org",
            "id=92 | email=b@x.org",
            "id=93 | email=b@x.org",
            "id=94 | email=b@x.org"
        ]
    );
    let groups: Vec<_> = check(&report, "unique:users.email").samples.iter().map(|sample| sample.group).collect();
    assert_eq!(groups, [1, 1, 2, 2, 2].map(Some));
}

#[tokio::test]
async fn a_partial_index_over_an_expression_is_judged_by_both() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, deleted_at TEXT);
         CREATE INDEX live_email ON users (lower(email)) WHERE deleted_at IS NULL;
         INSERT INTO users VALUES (1, 'A@x', '2020-01-01'), (2, 'a@x', NULL), (3, 'B@x', NULL), (4, 'b@x', NULL), (5, NULL, NULL);",
    );
    declare_unique(&database, "live_email");
    let report = validate(&database, "").await;
    assert_eq!(counts(&report, "unique:users[live_email]"), (2, 1, 2));
    assert_eq!(
        samples(&report, "unique:users[live_email]"),
        ["id=3 | email=B@x deleted_at=NULL", "id=4 | email=b@x deleted_at=NULL"]
    );
}

#[tokio::test]
async fn negative_zero_equals_zero_and_close_floats_do_not_equal() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL);
         CREATE INDEX t_x ON t (x);
         INSERT INTO t VALUES (1, 0.0), (2, -0.0), (3, 0.3), (4, 0.1 + 0.2);",
    );
    declare_unique(&database, "t_x");
    let report = validate(&database, "").await;
    assert_eq!(counts(&report, "unique:t.x"), (2, 1, 0));
    assert_eq!(samples(&report, "unique:t.x"), ["id=1 | x=0.0", "id=2 | x=0.0"], "SQLite stores them as one");
}

#[tokio::test]
async fn rows_that_share_a_primary_key_are_told_apart_by_the_row_itself() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (code TEXT, x INTEGER);
         CREATE INDEX t_code ON t (code);
         INSERT INTO t VALUES ('a', 1), ('a', 2), (NULL, 3);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (code TEXT PRIMARY KEY NOT NULL, x INTEGER)' WHERE name = 't';
         UPDATE sqlite_schema SET name = 'sqlite_autoindex_t_1', sql = NULL WHERE name = 't_code';",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["unique:t.code", "not_null:t.code"]);
    assert_eq!(samples(&report, "unique:t.code"), ["rowid=1 | code=a", "rowid=2 | code=a"]);
    assert_eq!(samples(&report, "not_null:t.code"), ["rowid=3 | code=NULL"]);
}

#[tokio::test]
async fn an_invalid_unique_index_is_untrusted_and_its_duplicates_are_listed() {
    let Some(database) = TestDatabase::postgres("validate_invalid_index") else { return };
    database.run("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, 'y');");
    database.try_run("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);").expect_err("the rows are not unique");
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["unique:t.a", "trust:unique:t[t_a]"]);
    assert_eq!(samples(&report, "unique:t.a"), ["id=1 | a=x", "id=2 | a=x"]);
    assert_eq!(check(&report, "trust:unique:t[t_a]").severity, Severity::Warning);
}

#[tokio::test]
async fn nulls_equal_each_other_where_the_key_says_so() {
    let Some(database) = TestDatabase::postgres("validate_nulls") else { return };
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 1, NULL), (2, 1, NULL), (3, NULL, NULL);",
    );
    database
        .try_run("CREATE UNIQUE INDEX CONCURRENTLY t_ab ON t (a, b) NULLS NOT DISTINCT;")
        .expect_err("the rows are not unique");
    database.run("CREATE UNIQUE INDEX t_ba ON t (b, a);");
    let report = validate(&database, "").await;
    assert_eq!(counts(&report, "unique:t(a,b)"), (2, 1, 0));
    assert_eq!(samples(&report, "unique:t(a,b)"), ["id=1 | a=1 b=NULL", "id=2 | a=1 b=NULL"]);
    assert_eq!(counts(&report, "unique:t(b,a)"), (0, 0, 3));
}

#[tokio::test]
async fn a_key_repeated_by_an_inheriting_relation_is_worth_knowing_and_no_violation() {
    let Some(database) = TestDatabase::postgres("validate_inheritance") else { return };
    database.run(
        "CREATE TABLE parent (id int PRIMARY KEY, q int NOT NULL CHECK (q >= 0)); CREATE TABLE child () INHERITS (parent);
         INSERT INTO parent VALUES (1, 1), (2, 1); INSERT INTO child VALUES (1, 1), (3, 1);",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["unique:parent.id+inherited"]);
    let found = check(&report, "unique:parent.id+inherited");
    assert_eq!((found.severity, found.counts.failed, found.counts.failed_distinct), (Severity::Info, 2, 1));
    assert_eq!(check(&report, "not_null:parent.q").counts.total, 2, "a relation's own rows only");
}

#[tokio::test]
async fn rows_without_any_key_are_named_by_the_row_itself_or_all_their_columns() {
    for database in TestDatabase::each("validate_keyless") {
        database.run("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 5), (2, -5);");
        let report = validate(&database, "[table.t]\nmin = { b = 0 }").await;
        let expected = match database.dialect() {
            "sqlite" => "rowid=2 | b=-5",
            "postgres" => "ctid=(0,2) | b=-5",
            _ => "a=2 b=-5 | ",
        };
        assert_eq!(samples(&report, "min:t.b"), [expected]);
    }
}

#[tokio::test]
async fn equality_is_that_of_the_columns_collation() {
    let Some(database) = TestDatabase::mysql("validate_collation") else { return };
    database.run(
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_general_ci, KEY (name));
         CREATE TABLE c (id INT PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_general_ci, FOREIGN KEY (name) REFERENCES t (name));
         INSERT INTO t VALUES (1, 'élan'); INSERT INTO c VALUES (1, 'ELAN');",
    );
    assert_eq!(counts(&validate(&database, "").await, "ref:c.name"), (0, 0, 0));
}

#[tokio::test]
async fn a_null_in_a_primary_key_is_found_where_the_database_lets_it_pass() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE pk (k TEXT PRIMARY KEY, v INTEGER); INSERT INTO pk VALUES (NULL, 1), (NULL, 2), ('a', 3);
         CREATE TABLE two (a INTEGER, b INTEGER, PRIMARY KEY (a, b)); INSERT INTO two VALUES (1, NULL), (NULL, 1), (1, 1);
         CREATE TABLE numbered (id INTEGER PRIMARY KEY); INSERT INTO numbered VALUES (NULL);
         CREATE TABLE strictly (a TEXT PRIMARY KEY, b INTEGER) WITHOUT ROWID;",
    );
    for (engine, report) in validate_both(&database, "").await {
        assert_eq!(troubles(&report), ["not_null:pk.k", "not_null:two.a", "not_null:two.b"], "{engine}");
        assert_eq!(counts(&report, "not_null:pk.k"), (2, 2, 0), "{engine}");
    }
}
