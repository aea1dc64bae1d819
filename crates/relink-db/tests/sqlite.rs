//! What is particular to SQLite: the traps of its catalog, its affinities, and the file itself. What every database must do alike
//! is in `conformance.rs`.

use std::path::{Path, PathBuf};

use relink_db::{
    Access, Connection, DatabaseUrl, DbErrorKind, InsertColumn, InsertTarget, Lookup, TransactionKind, connect,
};
use relink_model::{
    Catalog, Deferrability, ForeignKey, GeneratedKind, MatchKind, ReferentialAction, Relation, TypeKind, Value,
};
use tempfile::TempDir;

fn url(path: &Path) -> DatabaseUrl {
    DatabaseUrl::Sqlite { path: path.to_owned() }
}

async fn open(path: &Path, access: Access) -> Box<dyn Connection> {
    connect(&url(path), access).await.expect("the file opens")
}

/// A new file with this schema, in a directory that lives as long as the test.
async fn database(schema: &str) -> (TempDir, PathBuf, Box<dyn Connection>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("data.db");
    let mut connection = open(&path, Access::Create).await;
    connection.execute_script(schema).await.expect("the schema is valid");
    (directory, path, connection)
}

async fn catalog(schema: &str) -> Catalog {
    let (_directory, _, mut connection) = database(schema).await;
    connection.introspect().await.expect("the catalog can be read")
}

fn relation<'a>(catalog: &'a Catalog, name: &str) -> &'a Relation {
    catalog.relation(catalog.find(name).unwrap_or_else(|| panic!("{name} is in the catalog")))
}

fn target(relation: &Relation) -> InsertTarget {
    InsertTarget {
        relation: relation.name.clone(),
        columns: relation.columns.iter().map(InsertColumn::from).collect(),
        overrides_identity: false,
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

async fn count(connection: &mut dyn Connection, sql: &str) -> i64 {
    match connection.query(sql, &[]).await.expect("the query is valid").as_slice() {
        [row] => match row.as_slice() {
            [Value::Int(count)] => *count,
            other => panic!("one number expected, got {other:?}"),
        },
        other => panic!("one row expected, got {other:?}"),
    }
}

fn columns_of(key: &ForeignKey) -> (Vec<&str>, &str, Vec<&str>) {
    (
        key.columns.iter().map(String::as_str).collect(),
        key.referenced.name.as_str(),
        key.referenced_columns.iter().map(String::as_str).collect(),
    )
}

#[tokio::test]
async fn references_are_resolved_to_the_catalogs_own_names() {
    let catalog = catalog(
        r#"CREATE TABLE "Parent" ("B" int, "A" int, other int UNIQUE, PRIMARY KEY ("A", "B"));
           CREATE TABLE child (
               x int, y int, z int REFERENCES PARENT (OTHER), lost int REFERENCES nowhere, gone int REFERENCES nowhere(id),
               FOREIGN KEY (x, y) REFERENCES parent ON DELETE CASCADE ON UPDATE SET DEFAULT
           );"#,
    )
    .await;
    let keys = &relation(&catalog, "child").foreign_keys;
    let shown: Vec<_> = keys.iter().map(columns_of).collect();
    assert_eq!(
        shown,
        [
            (vec!["gone"], "nowhere", vec!["id"]),
            (vec!["lost"], "nowhere", vec![]),
            (vec!["x", "y"], "Parent", vec!["A", "B"]),
            (vec!["z"], "Parent", vec!["other"]),
        ]
    );
    assert_eq!(relation(&catalog, "Parent").primary_key_columns(), ["A", "B"]);
    assert_eq!(keys[2].on_delete, ReferentialAction::Cascade);
    assert_eq!(keys[2].on_update, ReferentialAction::SetDefault);
}

#[tokio::test]
async fn deferrability_names_and_match_come_from_the_stored_sql() {
    let catalog = catalog(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (
             a int CONSTRAINT \"first key\" REFERENCES p DEFERRABLE INITIALLY DEFERRED,
             b int REFERENCES p MATCH FULL,
             c int REFERENCES p DEFERRABLE,
             d int REFERENCES p NOT DEFERRABLE,
             CONSTRAINT z UNIQUE (a, b), UNIQUE (c), CONSTRAINT positive CHECK (a > 0), CHECK (b <> ')')
         );
         ALTER TABLE c ADD COLUMN e int REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED;",
    )
    .await;
    let child = relation(&catalog, "c");
    let shown: Vec<_> = child
        .foreign_keys
        .iter()
        .map(|key| (key.columns[0].as_str(), key.name.as_ref().map(|name| name.0.as_str()), key.deferrability))
        .collect();
    assert_eq!(
        shown,
        [
            ("b", None, Deferrability::NotDeferrable),
            ("c", None, Deferrability::InitiallyImmediate),
            ("d", None, Deferrability::NotDeferrable),
            ("e", None, Deferrability::InitiallyDeferred),
            ("a", Some("first key"), Deferrability::InitiallyDeferred),
        ]
    );
    assert!(child.foreign_keys.iter().all(|key| key.match_kind == MatchKind::Simple));
    let unique: Vec<_> = child.unique_keys.iter().map(|key| (key.name.0.as_str(), key.columns.join(","))).collect();
    assert_eq!(unique, [("sqlite_autoindex_c_2", "c".to_owned()), ("z", "a,b".to_owned())]);
    let checks: Vec<_> = child.checks.iter().map(|check| (check.name.is_some(), check.expression.as_str())).collect();
    assert_eq!(checks, [(false, "b <> ')'"), (true, "a > 0")]);
}

#[tokio::test]
async fn only_an_integer_primary_key_is_the_row_id() {
    let catalog = catalog(
        "CREATE TABLE alias (id INTEGER PRIMARY KEY, v text NOT NULL DEFAULT 'x');
         CREATE TABLE listed (id INTEGER, PRIMARY KEY (id DESC));
         CREATE TABLE descending (id INTEGER PRIMARY KEY DESC);
         CREATE TABLE int_key (id INT PRIMARY KEY);
         CREATE TABLE keyed (k text PRIMARY KEY) WITHOUT ROWID;
         CREATE TABLE strict_table (k text PRIMARY KEY, v ANY) STRICT;",
    )
    .await;
    let key = |name: &str| {
        let column = &relation(&catalog, name).columns[0];
        (column.auto_increment, column.nullable)
    };
    assert_eq!(key("alias"), (true, false));
    assert_eq!(key("listed"), (true, false));
    assert_eq!(key("descending"), (false, true));
    assert_eq!(key("int_key"), (false, true));
    assert_eq!(key("keyed"), (false, false));
    assert_eq!(key("strict_table"), (false, false));
    assert!(relation(&catalog, "keyed").without_rowid);
    assert!(relation(&catalog, "strict_table").strict);
    let default = &relation(&catalog, "alias").columns[1];
    assert_eq!((default.default.as_deref(), default.nullable), (Some("'x'"), false));
}

#[tokio::test]
async fn unique_indexes_keep_predicate_expression_and_collation() {
    let catalog = catalog(
        "CREATE TABLE t (a text COLLATE NOCASE, b text, c int, g int GENERATED ALWAYS AS (c + 1) STORED, v int AS (c));
         CREATE UNIQUE INDEX plain ON t (b, a);
         CREATE UNIQUE INDEX partial ON t (b) WHERE c IS NULL;
         CREATE UNIQUE INDEX expression ON t (lower(b), c);
         CREATE UNIQUE INDEX folded ON t (b COLLATE NOCASE);
         CREATE INDEX not_unique ON t (c);",
    )
    .await;
    let table = relation(&catalog, "t");
    let key = |name: &str| table.unique_keys.iter().find(|key| key.name.0 == name).expect("the index is listed");
    assert_eq!(table.unique_keys.len(), 4);
    assert_eq!(key("plain").columns, ["b", "a"]);
    assert!(key("plain").is_plain());
    assert_eq!(key("partial").predicate.as_deref(), Some("c IS NULL"));
    assert_eq!(key("expression").expressions.as_deref(), Some(&["lower(b)".to_owned(), "c".to_owned()][..]));
    assert_eq!(key("folded").expressions.as_deref(), Some(&["b COLLATE NOCASE".to_owned()][..]));
    assert_eq!((table.columns[0].collation.as_deref(), table.columns[0].case_insensitive), (Some("NOCASE"), true));
    assert_eq!(table.columns[3].generated, Some(GeneratedKind::Stored));
    assert_eq!(table.columns[4].generated, Some(GeneratedKind::Virtual));
}

#[tokio::test]
async fn a_django_schema_is_read_as_django_means_it() {
    let catalog = catalog(
        r#"CREATE TABLE "app_item" (
            "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(50) NOT NULL UNIQUE, "active" bool NOT NULL,
            "price" decimal NOT NULL, "made" datetime NOT NULL, "day" date NULL, "at" time NULL, "ref" char(32) NOT NULL,
            "data" text NOT NULL CHECK ((JSON_VALID("data") OR "data" IS NULL)),
            "stock" integer unsigned NOT NULL CHECK ("stock" >= 0), "took" bigint NULL, "file" BLOB NULL, "ratio" real NULL,
            "parent_id" integer NULL REFERENCES "app_item" ("id") DEFERRABLE INITIALLY DEFERRED);"#,
    )
    .await;
    let table = relation(&catalog, "app_item");
    let kind = |name: &str| &table.column(name).expect("the column is listed").1.data_type.kind;
    assert!(matches!(kind("id"), TypeKind::Integer { bits: 64, unsigned: false }));
    assert!(matches!(kind("name"), TypeKind::Text { max_chars: Some(50), .. }));
    assert_eq!(kind("active"), &TypeKind::Boolean);
    assert!(matches!(kind("price"), TypeKind::Decimal { precision: None, .. }));
    assert!(matches!(kind("made"), TypeKind::Timestamp { zoned: false, .. }));
    assert_eq!(kind("day"), &TypeKind::Date);
    assert!(matches!(kind("at"), TypeKind::Time { .. }));
    assert_eq!(kind("data"), &TypeKind::Json);
    assert!(matches!(kind("stock"), TypeKind::Integer { .. }));
    assert!(matches!(kind("file"), TypeKind::Bytes { .. }));
    assert!(matches!(kind("ratio"), TypeKind::Float { .. }));
    assert!(table.numbered_column().is_some());
    assert_eq!(table.foreign_keys[0].deferrability, Deferrability::InitiallyDeferred);
}

#[tokio::test]
async fn views_virtual_tables_and_sqlites_own_tables_are_left_out() {
    let catalog = catalog(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, body text);
         CREATE VIEW w AS SELECT * FROM t;
         CREATE VIRTUAL TABLE search USING fts5(body);
         CREATE TRIGGER \"touch t\" AFTER UPDATE OF body ON t BEGIN INSERT INTO search VALUES (new.body); SELECT 1; END;
         CREATE TRIGGER on_view INSTEAD OF INSERT ON w BEGIN SELECT 1; END;
         ANALYZE;",
    )
    .await;
    let names: Vec<_> = catalog.relations.iter().map(|relation| relation.name.name.as_str()).collect();
    assert_eq!(names, ["t"]);
    let triggers: Vec<_> = catalog.relations[0].triggers.iter().map(|t| (t.name.as_str(), t.timing.as_str())).collect();
    assert_eq!(triggers, [("touch t", "AFTER UPDATE")]);
}

#[tokio::test]
async fn analyze_gives_estimated_rows() {
    let catalog = catalog(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a int); CREATE INDEX i ON t (a);
         INSERT INTO t (a) VALUES (1), (2), (3); ANALYZE;",
    )
    .await;
    assert_eq!(catalog.relations[0].estimated_rows, Some(3));
}

#[tokio::test]
async fn a_missing_file_is_created_only_when_asked_for_and_can_be_taken_back() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("new.db");
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let refused = connect(&url(&path), access).await.err().expect("there is no such file");
        assert_eq!(refused.kind, DbErrorKind::Connect, "{refused}");
        assert!(!path.exists());
    }
    let mut connection = open(&path, Access::Create).await;
    connection
        .execute_script("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        .await
        .expect("runs");
    connection.discard_created().await.expect("the file goes");
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0, "nothing is left behind");

    std::fs::write(&path, b"").expect("an empty file");
    open(&path, Access::Create).await.discard_created().await.expect("closes");
    assert!(path.exists(), "a file that was there before stays");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("notes.db");
    std::fs::write(&path, "these are notes, long enough to be taken for a header. ".repeat(40)).expect("written");
    for access in [Access::ReadOnly, Access::Create] {
        let refused = connect(&url(&path), access).await.err().expect("not a database");
        assert_eq!(refused.kind, DbErrorKind::Connect, "{refused}");
    }
    assert!(path.exists());
    let nowhere = directory.path().join("no/such/directory.db");
    let refused = connect(&url(&nowhere), Access::Create).await.err().expect("no directory");
    assert_eq!(refused.kind, DbErrorKind::Connect);
}

#[tokio::test]
async fn a_rolled_back_transaction_leaves_the_files_bytes_as_they_were() {
    for journal in ["DELETE", "WAL", "TRUNCATE"] {
        let (_directory, path, mut connection) = database(&format!(
            "PRAGMA journal_mode = {journal}; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v text UNIQUE);
             INSERT INTO t (v) VALUES ('kept')"
        ))
        .await;
        connection.execute_script("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("runs");
        connection.close().await.expect("closes");
        let before = std::fs::read(&path).expect("readable");

        let mut connection = open(&path, Access::ReadWrite).await;
        // A small cache makes SQLite write pages of the open transaction to the file.
        connection.execute_script("PRAGMA cache_size = 10").await.expect("runs");
        let table = connection.introspect().await.expect("readable").relations.remove(0);
        connection.begin(TransactionKind::Write).await.expect("begins");
        let rows: Vec<_> = (2..20_000).map(|id| vec![Value::Int(id), text(&format!("row {id}"))]).collect();
        assert_eq!(connection.insert(&target(&table), &rows).await.expect("inserts"), rows.len() as u64);
        connection.execute_script("CREATE TABLE later (a); DROP TABLE t").await.expect("runs");
        connection.rollback().await.expect("rolls back");
        connection.close().await.expect("closes");
        assert!(before == std::fs::read(&path).expect("readable"), "{journal}");
    }
}

#[tokio::test]
async fn a_writer_in_the_way_is_contention() {
    let (_directory, path, mut first) = database("CREATE TABLE t (a)").await;
    first.begin(TransactionKind::Write).await.expect("begins");
    let mut second = open(&path, Access::ReadWrite).await;
    second.execute_script("PRAGMA busy_timeout = 10").await.expect("runs");
    let refused = second.begin(TransactionKind::Write).await.expect_err("the file is locked");
    assert_eq!(refused.kind, DbErrorKind::Contention);
    first.rollback().await.expect("rolls back");
    second.begin(TransactionKind::Write).await.expect("now it begins");
}

#[tokio::test]
async fn foreign_keys_are_on_even_after_a_script_switched_them_off() {
    let schema =
        "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p int REFERENCES p)";
    let (_directory, _, mut connection) = database(schema).await;
    connection.begin(TransactionKind::Write).await.expect("begins");
    let refused = connection.execute("INSERT INTO c VALUES (1)", &[]).await.expect_err("no such parent");
    assert_eq!(refused.kind, DbErrorKind::ForeignKeyViolation);
}

#[tokio::test]
async fn values_keep_their_storage_class_and_bad_text_its_bytes() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE t (d datetime, i integer, n, b bool);
         INSERT INTO t VALUES (12, 'word', x'00ff', 1), (NULL, 1.5, CAST(x'61ff' AS text), 'a' || char(0) || 'b');",
    )
    .await;
    let rows = connection.query("SELECT d, i, n, b FROM t ORDER BY rowid", &[]).await.expect("readable");
    assert_eq!(rows[0], [Value::Int(12), text("word"), Value::Bytes(vec![0, 0xff]), Value::Int(1)]);
    assert_eq!(rows[1], [Value::Null, Value::Float(1.5), Value::Bytes(vec![b'a', 0xff]), text("a\0b")]);
}

#[tokio::test]
async fn what_affinity_would_change_is_refused() {
    let (_directory, _, mut connection) =
        database("CREATE TABLE t (id INTEGER PRIMARY KEY, u uuid, d decimal(30,10), r real)").await;
    let table = connection.introspect().await.expect("readable").relations.remove(0);
    for (row, column) in [
        (vec![Value::Int(1), text("00000000000000000000000000000123"), Value::Null, Value::Null], Some("u")),
        (vec![Value::Int(1), Value::Null, text("12345678901234567890.123"), Value::Null], Some("d")),
        (vec![Value::Int(1), Value::Null, Value::Null, Value::Float(f64::NAN)], None),
    ] {
        let error = connection.insert(&target(&table), &[row]).await.expect_err("the value would change");
        assert_eq!((error.kind, error.column.as_deref()), (DbErrorKind::InvalidValue, column));
    }
    let kept =
        vec![Value::Int(1), text("6f1ed002ab595c3a8f0e3a1b2c3d4e5f"), text("12.50"), Value::Float(f64::INFINITY)];
    connection.insert(&target(&table), &[kept]).await.expect("nothing is lost");
    let rows = connection.query("SELECT u, d, r FROM t", &[]).await.expect("readable");
    assert_eq!(rows[0], [text("6f1ed002ab595c3a8f0e3a1b2c3d4e5f"), Value::Float(12.5), Value::Float(f64::INFINITY)]);
}

#[tokio::test]
async fn decimals_that_are_let_through_come_back_as_the_same_number() {
    let (_directory, _, mut connection) =
        database("CREATE TABLE t (id INTEGER PRIMARY KEY, d decimal(30,10), j json)").await;
    let table = connection.introspect().await.expect("readable").relations.remove(0);
    // A linear congruential generator: the same numbers every time.
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) % below
    };
    let mut kept = Vec::new();
    connection.begin(TransactionKind::Write).await.expect("begins");
    for _ in 0..5_000 {
        let length = 14 + random(4) as u32;
        let digits = random(10_u64.pow(length));
        let point = random(12);
        let text = format!(
            "{}.{:0width$}",
            digits / 10_u64.pow(point as u32),
            digits % 10_u64.pow(point as u32),
            width = point as usize
        );
        let text = text.trim_end_matches('.').to_owned();
        let row = vec![Value::Int(kept.len() as i64), Value::Text(text.clone()), Value::Text(text.clone())];
        if connection.insert(&target(&table), &[row]).await.is_ok() {
            kept.push(text);
        }
    }
    assert!(kept.len() > 3_500, "{}", kept.len());
    let rows = connection.query("SELECT d, j FROM t ORDER BY id", &[]).await.expect("readable");
    for (text, row) in kept.iter().zip(&rows) {
        let read = match &row[0] {
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            other => panic!("a number expected, got {other:?}"),
        };
        let plain = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        assert_eq!(read, plain);
        assert_eq!(row[0], row[1]);
    }
}

/// The orphans that the dialect's query finds, by row id.
async fn orphans(connection: &mut dyn Connection, child: &str) -> Vec<i64> {
    let catalog = connection.introspect().await.expect("readable");
    let child = relation(&catalog, child);
    let key = &child.foreign_keys[0];
    let parent = relation(&catalog, &key.referenced.name);
    let from = connection.dialect().orphans(child, key, parent);
    let rows = connection.query(&format!("SELECT c.rowid {from} ORDER BY 1"), &[]).await.expect("the query is valid");
    rows.iter().map(|row| if let Value::Int(id) = row[0] { id } else { panic!("a row id") }).collect()
}

#[tokio::test]
async fn orphans_are_what_foreign_key_check_finds_whatever_the_affinities() {
    for (parent, parents, child, children, expected) in [
        // The referenced column's affinity decides.
        ("id INTEGER PRIMARY KEY", "(1), (2)", "p TEXT", "('1'), ('01'), (' 1'), ('1.0'), (''), (NULL)", vec![5]),
        ("id TEXT PRIMARY KEY", "('1'), ('01'), ('1.0')", "p INTEGER", "(1), ('01'), (2), (1.5)", vec![3, 4]),
        ("id TEXT PRIMARY KEY COLLATE NOCASE", "('Ab')", "p TEXT", "('aB'), ('ac')", vec![2]),
        ("id TEXT PRIMARY KEY", "('Ab')", "p TEXT COLLATE NOCASE", "('aB'), ('Ab')", vec![1]),
        ("id PRIMARY KEY", "('a'), (1)", "p", "(x'61'), ('a'), (1), ('1'), (1.0)", vec![1, 4]),
        ("id INTEGER PRIMARY KEY", "(9007199254740993)", "p REAL", "(9007199254740993)", vec![1]),
    ] {
        let (_directory, _, mut connection) = database(&format!(
            "PRAGMA foreign_keys = OFF; CREATE TABLE p ({parent}); CREATE TABLE c ({child} REFERENCES p);
             INSERT INTO p VALUES {parents}; INSERT INTO c VALUES {children};"
        ))
        .await;
        let judged =
            connection.query("SELECT rowid FROM pragma_foreign_key_check ORDER BY 1", &[]).await.expect("runs");
        let judged: Vec<_> = judged.iter().map(|row| row[0].clone()).collect();
        let found = orphans(connection.as_mut(), "c").await;
        assert_eq!(found, expected, "{parent} <- {child}");
        assert_eq!(judged, found.into_iter().map(Value::Int).collect::<Vec<_>>(), "{parent} <- {child}");
    }
}

#[tokio::test]
async fn composite_keys_with_a_null_part_reference_nothing() {
    let (_directory, _, mut connection) = database(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE p (b int, a int, PRIMARY KEY (a, b));
         CREATE TABLE c (x int, y int, FOREIGN KEY (x, y) REFERENCES p MATCH FULL);
         INSERT INTO p (a, b) VALUES (1, 2);
         INSERT INTO c VALUES (1, 2), (2, 1), (1, NULL), (NULL, NULL);",
    )
    .await;
    assert_eq!(orphans(connection.as_mut(), "c").await, [2]);
}

#[tokio::test]
async fn orphans_of_a_key_without_an_index_do_not_scan_once_per_row() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE p (code text);
         CREATE TABLE c (code integer REFERENCES p(code));",
    )
    .await;
    let catalog = connection.introspect().await.expect("readable");
    let (child, parent) = (relation(&catalog, "c"), relation(&catalog, "p"));
    let from = connection.dialect().orphans(child, &child.foreign_keys[0], parent);
    let plan = connection.query(&format!("EXPLAIN QUERY PLAN SELECT c.rowid {from}"), &[]).await.expect("valid");
    let plan: Vec<String> = plan.iter().map(|row| row[3].to_string()).collect();
    assert!(plan.iter().any(|step| step.contains("AUTOMATIC") && step.contains("INDEX")), "{plan:?}");
}

#[tokio::test]
async fn deferral_blames_new_violations_only_and_a_failed_check_cannot_be_committed() {
    let (_directory, _, mut connection) = database(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p int REFERENCES p);
         INSERT INTO c VALUES (1, 77);",
    )
    .await;
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.defer(&[]).await.expect("defers");
    connection.execute_script("INSERT INTO c VALUES (2, 5); INSERT INTO p VALUES (5)").await.expect("runs");
    connection.check_deferred().await.expect("only the old row is broken");
    let at_once = connection.execute("INSERT INTO c VALUES (3, 6)", &[]).await.expect_err("deferral has ended");
    assert_eq!(at_once.kind, DbErrorKind::ForeignKeyViolation);

    connection.defer(&[]).await.expect("defers again");
    connection.execute_script("INSERT INTO c VALUES (3, 6)").await.expect("runs");
    let error = connection.check_deferred().await.expect_err("row 3 has no target");
    assert_eq!(error.kind, DbErrorKind::ForeignKeyViolation);
    assert_eq!((error.relation.as_deref(), error.column.as_deref()), (Some("c"), Some("p")));
    assert!(error.detail.as_deref().is_some_and(|detail| detail.contains('3')), "{error:?}");
    let refused = connection.commit().await.expect_err("SQLite still counts the violation");
    assert_eq!(refused.kind, DbErrorKind::ForeignKeyViolation);
    connection.rollback().await.expect("rolls back");
    assert_eq!(count(connection.as_mut(), "SELECT count(*) FROM c").await, 1);
}

#[tokio::test]
async fn keys_declared_deferred_fire_when_asked_to() {
    let (_directory, _, mut connection) = database(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO c VALUES (1, 77);",
    )
    .await;
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.execute_script("INSERT INTO c VALUES (2, 5)").await.expect("deferred");
    connection.check_deferred().await.expect_err("row 2 has no target");
    connection
        .execute_script("INSERT INTO p VALUES (5); CREATE TABLE d (c int REFERENCES c DEFERRABLE INITIALLY DEFERRED)")
        .await
        .expect("runs");
    connection.check_deferred().await.expect("now it has");
    connection.execute_script("INSERT INTO d VALUES (9)").await.expect("deferred");
    let error = connection.check_deferred().await.expect_err("a table made in this transaction counts too");
    assert_eq!(error.relation.as_deref(), Some("d"));
    connection.execute_script("INSERT INTO c VALUES (9, NULL)").await.expect("runs");
    connection.check_deferred().await.expect("now it has");
    connection.commit().await.expect("SQLite agrees");
}

#[tokio::test]
async fn deferral_works_beside_a_malformed_key_elsewhere() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, twice int);
         CREATE TABLE c (p int REFERENCES p);
         CREATE TABLE malformed (m int REFERENCES p(twice));",
    )
    .await;
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.defer(&[]).await.expect("defers");
    connection.execute("INSERT INTO c VALUES (5)", &[]).await.expect("deferred");
    let error = connection.check_deferred().await.expect_err("no target");
    assert_eq!(error.relation.as_deref(), Some("c"));
}

#[tokio::test]
async fn foreign_keys_cannot_be_suspended() {
    let (_directory, _, mut connection) = database("").await;
    assert!(!connection.dialect().capabilities().can_suspend_foreign_keys);
    assert_eq!(connection.suspend(&[]).await.expect_err("unsupported").kind, DbErrorKind::Unsupported);
}

#[tokio::test]
async fn lookups_compare_with_the_columns_affinity_and_collation() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, email text COLLATE NOCASE, n, b blob);
         INSERT INTO t VALUES (1, 'A@x.org', 1.0, x'00'), (2, 'b@x.org', '1', x'61');",
    )
    .await;
    let table = connection.introspect().await.expect("readable").relations.remove(0);
    let mut ids = async |column: &str, key: Value| {
        let (columns, select) = ([column.to_owned()], ["id".to_owned()]);
        let lookup = Lookup::new(&table, &columns, &select);
        let rows = connection.lookup(&lookup, &[vec![key]]).await.expect("readable");
        rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids("email", text("a@X.ORG")).await, [Value::Int(1)]);
    assert_eq!(ids("id", text("2")).await, [Value::Int(2)]);
    assert_eq!(ids("n", Value::Int(1)).await, [Value::Int(1)]);
    assert_eq!(ids("n", text("1")).await, [Value::Int(2)]);
    assert_eq!(ids("b", Value::Bytes(vec![0x61])).await, [Value::Int(2)]);
}

#[tokio::test]
async fn numbering_exists_only_with_autoincrement() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE plain (id INTEGER PRIMARY KEY);
         INSERT INTO counted VALUES (10, 0), (20, 0); DELETE FROM counted WHERE id = 20; INSERT INTO plain VALUES (7);",
    )
    .await;
    let catalog = connection.introspect().await.expect("readable");
    let (counted, plain) = (relation(&catalog, "counted"), relation(&catalog, "plain"));
    assert_eq!(connection.numbering(plain).await.expect("readable").next, None);
    assert_eq!(connection.numbering(counted).await.expect("readable").next, Some(21));
    // Somebody cleared the counter: it is put past what is there, and no further.
    connection.execute("DELETE FROM sqlite_sequence", &[]).await.expect("allowed");
    assert_eq!(connection.advance_numbering(counted, false).await.expect("advances").next, Some(11));
    assert_eq!(count(connection.as_mut(), "SELECT seq FROM sqlite_sequence WHERE name = 'counted'").await, 10);
}

#[tokio::test]
async fn everything_can_be_dropped_cycles_views_and_virtual_tables_too() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b int REFERENCES b DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE b (id INTEGER PRIMARY KEY, a int NOT NULL REFERENCES a);
         BEGIN; INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1); COMMIT;
         CREATE VIEW \"a view\" AS SELECT * FROM a;
         CREATE VIRTUAL TABLE search USING fts5(body);",
    )
    .await;
    assert!(!connection.is_empty().await.expect("readable"));
    connection.drop_everything().await.expect("drops");
    assert!(connection.is_empty().await.expect("readable"));
}

#[tokio::test]
async fn a_date_that_is_plainly_past_is_one_beyond_doubt() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE t (d datetime);
         INSERT INTO t VALUES ('2020-02-29'), ('2020-02-29 23:59:59.123'), ('2020-02-29T10:00:00Z'), ('2021-01-01'),
             ('2019-02-29'), ('31/12/2019'), ('2019-1-5'), (1577836800), ('2019-13-01'), (NULL), ('now'), ('');",
    )
    .await;
    let condition = connection.dialect().plainly_before("d", "2020-12-31").expect("SQLite keeps dates as text");
    let sql = format!("SELECT d FROM t WHERE {condition} ORDER BY rowid");
    let rows = connection.query(&sql, &[]).await.expect("readable");
    let found: Vec<_> = rows.iter().map(|row| row[0].to_string()).collect();
    assert_eq!(found, ["2020-02-29", "2020-02-29 23:59:59.123", "2020-02-29T10:00:00Z"]);
}

#[tokio::test]
async fn partial_and_expression_indexes_are_answered_as_the_index_would() {
    let (_directory, _, mut connection) = database(
        "CREATE TABLE \"or der\" (id INTEGER PRIMARY KEY, email varchar(40) COLLATE NOCASE, name text, n, amount decimal(6,2), gone datetime);
         CREATE UNIQUE INDEX live ON \"or der\" (lower(name)) WHERE gone IS NULL AND email = 'ANN@x' /* alive */;
         CREATE UNIQUE INDEX collated ON \"or der\" (name COLLATE NOCASE, typeof(n)) WHERE typeof(amount) = 'real';
         CREATE UNIQUE INDEX sums ON \"or der\" (amount * 2, n);",
    )
    .await;
    let table = connection.introspect().await.expect("readable").relations.remove(0);
    let rows = [
        vec![Value::Int(1), text("ann@X"), text("Ann"), Value::Int(1), text("1.50"), Value::Null],
        vec![Value::Int(2), text("ann@x"), text("Bob"), text("1"), text("2.00"), text("2024-01-01 00:00:00")],
        vec![Value::Int(3), text("bob@x"), text("ANN"), Value::Float(1.0), text("2.50"), Value::Null],
    ];
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.insert(&target(&table), &rows).await.expect("inserts");
    let id = ["id".to_owned()];
    for (index, inside) in [("live", vec![1]), ("collated", vec![1, 3]), ("sums", vec![1, 2, 3])] {
        let key = table.unique_keys.iter().find(|key| key.name.0 == index).expect("listed");
        let parts = key.expressions.clone().expect("it has expressions");
        let predicate = key.predicate.clone().unwrap_or_else(|| "1".to_owned());
        let answers =
            connection.evaluate(&table, &columns, &rows, std::slice::from_ref(&predicate)).await.expect(index);
        let held: Vec<i64> =
            (1..).zip(&answers).filter(|(_, answer)| answer[0] == Value::Int(1)).map(|(id, _)| id).collect();
        assert_eq!(held, inside, "{index}: {predicate}");
        let keys = connection.evaluate(&table, &columns, &rows, &parts).await.expect(index);
        let lookup =
            Lookup { match_expressions: Some(&parts), predicate: Some(&predicate), ..Lookup::new(&table, &[], &id) };
        for (row, key) in rows.iter().zip(&keys) {
            let found = connection.lookup(&lookup, std::slice::from_ref(key)).await.expect(index);
            let ids: Vec<_> = found.iter().map(|found| found[parts.len()].clone()).collect();
            // Two names are one without regard to case, for the first index by its expression.
            let expected = match (index, &row[0]) {
                ("live", Value::Int(3)) => vec![Value::Int(1)],
                (_, id) => vec![id.clone()],
            };
            let expected: Vec<Value> =
                expected.into_iter().filter(|id| inside.iter().any(|n| *id == Value::Int(*n))).collect();
            assert_eq!(ids, expected, "{index}");
        }
    }
    connection.commit().await.expect("commits");
    assert_eq!(count(connection.as_mut(), "SELECT count(*) FROM temp.sqlite_schema").await, 0, "nothing stays behind");
}

#[tokio::test]
async fn literals_are_stored_to_the_bit_as_parameters_are() {
    let (_directory, _, mut connection) =
        database("CREATE TABLE t (id INTEGER PRIMARY KEY, r real, v, c varchar(9), n numeric(9,2), b blob)").await;
    let table = connection.introspect().await.expect("readable").relations.remove(0);
    let mut state = 1_u64;
    let mut doubles = vec![
        -0.0,
        5e-324,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e15,
        1e22,
        0.1 + 0.2,
    ];
    while doubles.len() < 20_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        doubles.extend(Some(f64::from_bits(state ^ (state >> 29))).filter(|double| !double.is_nan()));
    }
    connection.begin(TransactionKind::Write).await.expect("begins");
    let mut rows = Vec::new();
    for (id, double) in (1..).zip(&doubles) {
        let word = text(&format!("it's \u{0}{id}\\"));
        rows.push(vec![
            Value::Int(id),
            Value::Float(*double),
            Value::Float(*double),
            word,
            text("1.50"),
            Value::Bytes(vec![0, 39]),
        ]);
    }
    connection.insert(&target(&table), &rows).await.expect("inserts");
    let sql = "SELECT r, v, typeof(v), c, n, b FROM t ORDER BY id";
    let parameters = connection.query(sql, &[]).await.expect("readable");
    connection.delete_all(&table).await.expect("deletes");
    for row in &rows {
        connection.insert_raw(&target(&table), row).await.expect("inserts");
    }
    let literals = connection.query(sql, &[]).await.expect("readable");
    for (parameter, literal) in parameters.iter().zip(&literals) {
        assert_eq!(format!("{parameter:?}"), format!("{literal:?}"));
    }
    connection.rollback().await.expect("rolls back");
}
