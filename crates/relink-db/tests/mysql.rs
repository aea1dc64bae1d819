//! What is special to MySQL and MariaDB, on a real server. What all databases share is in the conformance suite.
//!
//! `RELINK_TEST_MYSQL` is the URL of a user with all rights; each test makes a database of its own and drops it.

use relink_db::{
    Access, Connection, DatabaseUrl, DbErrorKind, InsertColumn, InsertTarget, Intent, Lookup, TransactionKind, connect,
};
use relink_model::{
    Catalog, Column, Enforcement, ForeignKey, GeneratedKind, ReferentialAction, Relation, RelationName, TypeKind, Value,
};

type Db = Box<dyn Connection>;

/// A database for one test.
struct Scratch {
    base: url::Url,
    name: String,
}

impl Scratch {
    async fn new(test: &str) -> Option<Self> {
        let Ok(base) = std::env::var("RELINK_TEST_MYSQL") else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "RELINK_TEST_MYSQL is not set");
            println!("SKIP {test}: RELINK_TEST_MYSQL is not set");
            return None;
        };
        let base = url::Url::parse(&base).expect("RELINK_TEST_MYSQL is a URL");
        let name = format!("relink_{}_{test}", std::process::id());
        let scratch = Self { base, name };
        let mut server = scratch.server().await;
        let name = &scratch.name;
        // Not utf8mb4_general_ci: a test must not pass because of the server's own default.
        let create = format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci");
        server.execute(&format!("DROP DATABASE IF EXISTS `{name}`"), &[]).await.expect("drops what a crash left");
        server.execute(&create, &[]).await.expect("creates a database");
        Some(scratch)
    }

    async fn server(&self) -> Db {
        let url: DatabaseUrl = self.base.as_str().parse().expect("a database URL");
        connect(&url, Access::ReadWrite).await.expect("the test server answers")
    }

    fn url(&self) -> url::Url {
        let mut url = self.base.clone();
        url.set_path(&self.name);
        url
    }

    async fn open(&self) -> Db {
        self.open_for(Access::ReadWrite).await
    }

    async fn open_for(&self, access: Access) -> Db {
        connect(&self.url().as_str().parse().expect("a database URL"), access).await.expect("connects")
    }

    async fn drop(self, db: Db) {
        db.close().await.expect("closes");
        self.server().await.execute(&format!("DROP DATABASE `{}`", self.name), &[]).await.expect("drops the database");
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn relation<'a>(catalog: &'a Catalog, name: &str) -> &'a Relation {
    catalog.relation(catalog.id(&RelationName::new(name)).expect("the relation is in the catalog"))
}

fn column<'a>(relation: &'a Relation, name: &str) -> &'a Column {
    relation.column(name).expect("the column is in the relation").1
}

fn target(relation: &Relation, columns: &[&str]) -> InsertTarget {
    InsertTarget {
        relation: relation.name.clone(),
        columns: columns.iter().map(|name| InsertColumn::from(column(relation, name))).collect(),
        overrides_identity: false,
    }
}

async fn read(db: &mut Db, relation: &Relation, columns: &[&str], rest: &str) -> Vec<Vec<Value>> {
    let list: Vec<_> = columns.iter().map(|name| db.dialect().read_expression("t", column(relation, name))).collect();
    let sql = format!("SELECT {} FROM {} t {rest}", list.join(", "), db.dialect().quote_relation(&relation.name));
    db.query(&sql, &[]).await.expect("reads")
}

async fn count(db: &mut Db, from: &str) -> Value {
    db.query(&format!("SELECT COUNT(*) {from}"), &[]).await.expect("counts").remove(0).remove(0)
}

#[tokio::test]
async fn the_catalog_is_read_with_its_quirks() {
    let Some(scratch) = Scratch::new("catalog").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE parent (a int, b varchar(20), PRIMARY KEY (b, a)) ENGINE=InnoDB;
         CREATE TABLE t (
           id bigint unsigned AUTO_INCREMENT PRIMARY KEY,
           flag tinyint(1) NOT NULL DEFAULT 1,
           label enum('a','it''s','b\\\\s') DEFAULT 'a',
           note varchar(10) COLLATE utf8mb4_bin DEFAULT 'NULL',
           word varchar(10) DEFAULT 'it''s' CHECK (word <> ''),
           doc longtext CHECK (json_valid(doc)),
           born datetime(3) DEFAULT current_timestamp(3),
           twice int AS (flag * 2) VIRTUAL,
           thrice int AS (flag * 3) STORED,
           x int, y varchar(20),
           UNIQUE KEY prefix (word(3), note),
           UNIQUE KEY plain (note, flag),
           CONSTRAINT positive CHECK (flag >= 0),
           CONSTRAINT to_parent FOREIGN KEY (Y, X) REFERENCES parent (B, A) ON DELETE CASCADE ON UPDATE SET NULL
         ) ENGINE=InnoDB;
         CREATE TABLE old (id int PRIMARY KEY) ENGINE=MyISAM;
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;
         CREATE VIEW seen AS SELECT * FROM t;
         CREATE TRIGGER stamp BEFORE UPDATE ON t FOR EACH ROW SET NEW.flag = 0;",
    )
    .await
    .expect("creates the schema");

    let catalog = db.introspect().await.expect("introspects");
    assert_eq!(
        catalog.relations.iter().map(|r| r.name.to_string()).collect::<Vec<_>>(),
        ["old", "parent", "parts", "t"]
    );
    assert_eq!(relation(&catalog, "parent").primary_key_columns(), ["b", "a"]);
    assert_eq!(relation(&catalog, "old").storage_engine.as_deref(), Some("MyISAM"));
    assert_eq!(relation(&catalog, "parts").kind, relink_model::RelationKind::PartitionedTable);

    let t = relation(&catalog, "t");
    assert_eq!(t.numbered_column().map(|c| c.name.as_str()), Some("id"));
    assert_eq!(column(t, "id").data_type.kind, TypeKind::Integer { bits: 64, unsigned: true });
    assert_eq!(column(t, "flag").data_type.kind, TypeKind::Boolean);
    assert_eq!(column(t, "flag").default.as_deref(), Some("1"));
    assert_eq!(column(t, "label").data_type.kind, TypeKind::Enum { labels: names(&["a", "it's", "b\\s"]) });
    assert_eq!(column(t, "doc").data_type.kind, TypeKind::Json);
    assert_eq!(column(t, "x").default, None);
    assert_eq!(column(t, "note").default.as_deref(), Some("'NULL'"));
    assert_eq!(column(t, "born").data_type.kind, TypeKind::Timestamp { zoned: false, precision: 3 });
    assert_eq!(column(t, "twice").generated, Some(GeneratedKind::Virtual));
    assert_eq!(column(t, "thrice").generated, Some(GeneratedKind::Stored));
    assert_eq!(column(t, "note").collation.as_deref(), Some("utf8mb4_bin"));
    assert!(!column(t, "note").case_insensitive);
    assert_eq!(column(t, "word").collation, None, "the database's own default is not repeated");
    assert!(column(t, "word").case_insensitive);
    assert!(!column(t, "x").case_insensitive);

    let [plain, prefix] = t.unique_keys.as_slice() else { panic!("two keys: {:?}", t.unique_keys) };
    assert_eq!(plain.columns, ["note", "flag"]);
    assert_eq!(prefix.expressions.as_deref(), Some(names(&["left(`word`,3)", "`note`"]).as_slice()));
    assert!(!prefix.is_plain());

    let [key] = t.foreign_keys.as_slice() else { panic!("one key: {:?}", t.foreign_keys) };
    assert_eq!(
        (key.columns.as_slice(), key.referenced_columns.as_slice()),
        (&*names(&["y", "x"]), &*names(&["b", "a"]))
    );
    assert_eq!(key.referenced, RelationName::new("parent"));
    assert_eq!((key.on_delete, key.on_update), (ReferentialAction::Cascade, ReferentialAction::SetNull));

    let checks: Vec<_> =
        t.checks.iter().map(|c| (c.name.as_ref().map(|n| n.0.as_str()), c.expression.as_str())).collect();
    assert!(checks.contains(&(Some("positive"), "`flag` >= 0")), "{checks:?}");
    assert_eq!(
        t.triggers.iter().map(|t| (t.name.as_str(), t.timing.as_str())).collect::<Vec<_>>(),
        [("stamp", "BEFORE UPDATE")]
    );
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_key_into_another_database_names_it() {
    let Some(scratch) = Scratch::new("across").await else { return };
    let mut db = scratch.open().await;
    let other = format!("{}_other", scratch.name);
    db.execute(&format!("CREATE DATABASE `{other}`"), &[]).await.expect("creates a second database");
    db.execute(&format!("CREATE TABLE `{other}`.p (id int PRIMARY KEY)"), &[]).await.expect("creates");
    db.execute(&format!("CREATE TABLE c (p int, FOREIGN KEY (p) REFERENCES `{other}`.p (id))"), &[])
        .await
        .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    assert_eq!(relation(&catalog, "c").foreign_keys[0].referenced, RelationName::qualified(&other, "p"));
    db.execute("DROP TABLE c", &[]).await.expect("drops");
    db.execute(&format!("DROP DATABASE `{other}`"), &[]).await.expect("drops");
    scratch.drop(db).await;
}

#[tokio::test]
async fn the_number_of_catalog_queries_does_not_grow() {
    let Some(scratch) = Scratch::new("queries").await else { return };
    let mut db = scratch.open().await;
    let mut taken = Vec::new();
    for relations in [1, 40] {
        for index in taken.len() * 10..relations {
            let sql =
                format!("CREATE TABLE t{index} (id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES t{index} (id))");
            db.execute(&sql, &[]).await.expect("creates");
        }
        let selects = "SHOW SESSION STATUS LIKE 'Com_select'";
        let number = |rows: Vec<Vec<Value>>| rows[0][1].to_string().parse::<i64>().expect("a number");
        let before = number(db.query(selects, &[]).await.expect("reads the counter"));
        db.introspect().await.expect("introspects");
        taken.push(number(db.query(selects, &[]).await.expect("reads the counter")) - before);
        if relations == 1 {
            db.execute("DROP TABLE t0", &[]).await.expect("drops");
            taken.resize(1, 0);
        }
    }
    assert_eq!(taken[0], taken[1]);
    assert!(taken[0] <= 10, "{taken:?}");
    scratch.drop(db).await;
}

#[tokio::test]
async fn values_come_back_as_they_were_written() {
    let Some(scratch) = Scratch::new("values").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, flag tinyint(1), one bit(1), bits bit(12), tiny tinyint,
           u8 bigint unsigned, i8 bigint, yr year, f4 float, f8 double, d decimal(38,18), c char(3), v varchar(20),
           vb varchar(20) COLLATE utf8mb4_bin, l1 varchar(20) CHARACTER SET latin1, tx longtext, bi binary(2), vbi varbinary(9),
           bl longblob, da date, ti time(6), dt datetime(6), dt0 datetime, ts timestamp(6) NULL, js json, en enum('a','b'), se set('x','y z'))",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    let all: Vec<&str> = t.columns.iter().map(|c| c.name.as_str()).collect();
    let full = vec![
        Value::Int(0),
        Value::Bool(true),
        Value::Bool(false),
        Value::Bytes(vec![0x0f, 0xff]),
        Value::Int(-128),
        text("18446744073709551615"),
        Value::Int(i64::MIN),
        Value::Int(2024),
        Value::Float(f64::from(16_777_217.1_f32)),
        Value::Float(0.1 + 0.2),
        text("-12345678901234567890.123456789012345678"),
        text("ab"),
        text("é日本😀\0"),
        text("Bin"),
        text("naïve"),
        text("long"),
        Value::Bytes(vec![0, 255]),
        Value::Bytes(vec![]),
        Value::Bytes((0..=255).collect()),
        text("0009-12-04"),
        text("-838:59:58.000001"),
        text("2024-02-29 23:59:59.999999"),
        text("1000-01-01 00:00:00"),
        text("2024-03-31 02:30:00.001234+00:00"),
        text("{\"a\": 1.0, \"b\": \"\\u00e9\"}"),
        text("b"),
        text("x,y z"),
    ];
    let mut whole = full.clone();
    // The counter does not take part: a zero stays zero, a negative number negative.
    whole[0] = Value::Int(-1);
    whole[20] = text("24:00:00");
    whole[21] = text("2024-02-29 00:00:00");
    whole[23] = text("1970-01-01 00:00:01+00:00");
    let mut nulls = vec![Value::Null; full.len()];
    nulls[0] = Value::Int(7);
    let rows = [full, whole, nulls];
    assert_eq!(db.insert(&target(t, &all), &rows).await.expect("inserts"), 3);
    let inserted = read(&mut db, t, &all, "ORDER BY ABS(id)").await;
    for (row, expected) in inserted.iter().zip(&rows) {
        for ((name, value), expected) in all.iter().zip(row).zip(expected) {
            assert_eq!(value, expected, "{name}");
        }
    }
    // As literals, the same is stored, under any SQL mode.
    for mode in ["NO_BACKSLASH_ESCAPES,ANSI_QUOTES", ""] {
        db.execute(&format!("SET sql_mode = CONCAT(@@sql_mode, ',{mode}')"), &[]).await.expect("sets");
        for (row, id) in rows.iter().zip([100, 101, 102]) {
            let literal: Vec<Value> = [Value::Int(id)].into_iter().chain(row[1..].iter().cloned()).collect();
            assert_eq!(db.insert_raw(&target(t, &all), &literal).await.expect("inserts"), 1);
            let stored = read(&mut db, t, &all, &format!("WHERE id = {id}")).await;
            for ((name, value), expected) in all.iter().zip(&stored[0]).zip(&literal) {
                assert_eq!(value, expected, "{name}");
            }
        }
        db.execute("DELETE FROM t WHERE id >= 100", &[]).await.expect("deletes");
    }
    // An update makes of a value what an insert does: alone, and beside others, whatever is shorter or NULL there.
    for order in [vec![2], vec![0], vec![1], vec![2, 0, 1], vec![1, 2, 0], vec![0, 1, 2]] {
        let ids = [7, -1, 0];
        let change = |(id, row): (&i64, &usize)| rows[*row][1..].iter().cloned().chain([Value::Int(*id)]).collect();
        let changes: Vec<Vec<Value>> = ids.iter().zip(&order).map(change).collect();
        let matched = db.update_by_key(t, &names(&all[1..]), &names(&["id"]), &changes).await.expect("updates");
        assert_eq!(matched, order.len() as u64);
        for (id, row) in ids.iter().zip(&order) {
            let updated = read(&mut db, t, &all[1..], &format!("WHERE id = {id}")).await;
            for ((name, value), expected) in all[1..].iter().zip(&updated[0]).zip(&rows[*row][1..]) {
                assert_eq!(format!("{value:?}"), format!("{expected:?}"), "{name}");
            }
        }
    }
    let zeros = [vec![Value::Float(-0.0), Value::Int(7)]];
    db.update_by_key(t, &names(&["f8"]), &names(&["id"]), &zeros).await.expect("updates");
    db.insert(&target(t, &["f8", "id"]), &[vec![Value::Float(-0.0), Value::Int(8)]]).await.expect("inserts");
    let kept = read(&mut db, t, &["f8"], "WHERE id > 6").await;
    assert_eq!(format!("{:?}", kept[0]), format!("{:?}", kept[1]), "the sign of zero");
    scratch.drop(db).await;
}

#[tokio::test]
async fn keys_beyond_a_columns_character_set_name_no_row() {
    let Some(scratch) = Scratch::new("latin").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, l varchar(9) CHARACTER SET latin1 UNIQUE, b varchar(9) COLLATE utf8mb4_bin UNIQUE,
           u bigint unsigned UNIQUE, n int);
         INSERT INTO t VALUES (1, 'naïve', 'One', 18446744073709551615, 0), (2, 'x?', 'one', 1, 0);",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    for (column, key, expected) in [
        ("l", text("NAÏVE"), 1),
        ("l", text("x😀"), 0),
        ("b", text("ONE"), 0),
        ("b", text("one"), 1),
        ("u", text("18446744073709551615"), 1),
        ("u", Value::Int(-1), 0),
    ] {
        let change = [vec![Value::Int(9), key.clone()]];
        let matched = db.update_by_key(t, &names(&["n"]), &names(&[column]), &change).await.expect("updates");
        assert_eq!(matched, expected, "{column} = {key}");
        db.begin(TransactionKind::Write).await.expect("begins");
        let deleted = db.delete_by_key(t, &names(&[column]), &[vec![key.clone()]]).await.expect("deletes");
        assert_eq!(deleted, expected, "{column} = {key}");
        db.rollback().await.expect("rolls back");
    }
    scratch.drop(db).await;
}

#[tokio::test]
async fn the_session_is_strict_and_in_utc() {
    let Some(scratch) = Scratch::new("strict").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, n tinyint, s varchar(3), d date NOT NULL DEFAULT '2000-01-01',
           e enum('a'), l varchar(9) CHARACTER SET latin1, r int NOT NULL DEFAULT 5, CHECK (r > 0)) ENGINE=InnoDB;
         CREATE TABLE c (t int, CONSTRAINT c_t FOREIGN KEY (t) REFERENCES t (id));
         CREATE UNIQUE INDEX t_s ON t (s);
         INSERT INTO t (id, s) VALUES (1, 'one');
         CREATE TRIGGER no_nine BEFORE INSERT ON t FOR EACH ROW BEGIN
           IF NEW.n = 9 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no nines';
           END IF;
         END;
         INSERT INTO t (id, s) VALUES (2, 'two');",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    for (name, value, kind, blamed) in [
        ("n", Value::Int(128), DbErrorKind::InvalidValue, "n"),
        ("n", text("x"), DbErrorKind::InvalidValue, "n"),
        ("s", text("long"), DbErrorKind::InvalidValue, "s"),
        ("d", text("0000-00-00"), DbErrorKind::InvalidValue, "d"),
        ("d", text("2024-02-30"), DbErrorKind::InvalidValue, "d"),
        ("e", text("z"), DbErrorKind::InvalidValue, "e"),
        ("l", text("日本"), DbErrorKind::InvalidValue, "l"),
        ("r", Value::Null, DbErrorKind::NotNullViolation, "r"),
        ("r", Value::Int(0), DbErrorKind::CheckViolation, ""),
        ("s", text("ONE"), DbErrorKind::UniqueViolation, ""),
        ("n", Value::Int(9), DbErrorKind::Raised, ""),
    ] {
        let error = db.insert(&target(t, &[name]), &[vec![value.clone()]]).await.expect_err(name);
        assert_eq!(error.kind, kind, "{name} = {value}: {error}");
        assert_eq!(error.column.as_deref().unwrap_or_default(), blamed, "{name} = {value}: {error}");
        assert!(error.blames_rows());
        if kind == DbErrorKind::UniqueViolation {
            assert_eq!(error.constraint.as_deref(), Some("t_s"));
        }
    }
    let error = db.insert(&target(relation(&catalog, "c"), &["t"]), &[vec![Value::Int(99)]]).await.expect_err("no 99");
    assert_eq!((error.kind, error.constraint.as_deref()), (DbErrorKind::ForeignKeyViolation, Some("c_t")));
    assert_eq!((error.relation.as_deref(), error.column.as_deref()), (Some("c"), Some("t")));
    assert_eq!(count(&mut db, "FROM t").await, Value::Int(2));
    let zone = db.query("SELECT @@session.time_zone", &[]).await.expect("reads");
    assert_eq!(zone, [[text("+00:00")]]);
    scratch.drop(db).await;
}

#[tokio::test]
async fn scripts_run_as_in_the_client_and_leave_the_session_as_it_was() {
    let Some(scratch) = Scratch::new("script").await else { return };
    let mut db = scratch.open().await;
    assert!(db.is_empty().await.expect("counts"));
    db.execute_script(
        "/*!40014 SET FOREIGN_KEY_CHECKS=0 */;
         SET sql_mode = '', autocommit = 0, time_zone = '+05:00';
         CREATE TABLE c (p int, FOREIGN KEY (p) REFERENCES later (id));
         CREATE TABLE later (id int PRIMARY KEY, d date DEFAULT '0000-00-00');
         /*!99999999 THIS IS FOR NO SERVER */;
         -- the client's own command
         DELIMITER //
         CREATE PROCEDURE twice(INOUT x int) BEGIN SET x = x * 2; SET x = x + 0; END//
         DELIMITER ;
         INSERT INTO later VALUES (1, '0000-00-00');
         LOCK TABLES later WRITE;",
    )
    .await
    .expect("runs");
    let settings =
        db.query("SELECT @@foreign_key_checks, @@autocommit, @@time_zone, @@sql_mode LIKE '%STRICT_ALL%'", &[]);
    assert_eq!(settings.await.expect("reads"), [[Value::Int(1), Value::Int(1), text("+00:00"), Value::Int(1)]]);
    assert_eq!(
        count(&mut scratch.open().await, "FROM later").await,
        Value::Int(1),
        "what the script left open is committed"
    );

    // The zero date that the script could write is read, and known for what it is.
    let catalog = db.introspect().await.expect("introspects");
    let later = relation(&catalog, "later");
    assert_eq!(read(&mut db, later, &["d"], "").await, [[text("0000-00-00")]]);
    assert_eq!(db.query("SELECT d FROM later", &[]).await.expect("decodes"), [[text("0000-00-00")]]);
    let blank = db.dialect().blank("t", column(later, "d")).expect("dates can be blank");
    assert_eq!(count(&mut db, &format!("FROM later t WHERE {blank}")).await, Value::Int(1));

    let error = db.execute_script("CREATE TABLE fine (a int);\n\nCREATE TABLE broken (;\n").await.expect_err("no SQL");
    assert_eq!(error.detail.as_deref(), Some("in the statement that starts at line 3 of the script"));
    assert!(!db.is_empty().await.expect("counts"));
    db.drop_everything().await.expect("drops");
    assert!(db.is_empty().await.expect("counts"));
    let routines = count(&mut db, "FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()").await;
    assert_eq!(routines, Value::Int(0), "what the failed script made is gone");
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_script_for_another_database_is_refused_before_it_runs() {
    let Some(scratch) = Scratch::new("use_other").await else { return };
    let mut db = scratch.open().await;
    let error =
        db.execute_script("CREATE TABLE t (a int);\nUSE `mysql`;\nCREATE TABLE u (a int);").await.expect_err("refused");
    assert_eq!((error.kind, error.detail.as_deref()), (DbErrorKind::Unsupported, Some("line 2 of the script")));
    assert!(db.is_empty().await.expect("counts"));
    db.execute_script(&format!("USE `{}`; CREATE TABLE t (a int)", scratch.name))
        .await
        .expect("its own database is fine");
    scratch.drop(db).await;
}

#[tokio::test]
async fn emptying_a_database_keeps_routines_that_were_there_before() {
    let Some(scratch) = Scratch::new("routines").await else { return };
    let mut db = scratch.open().await;
    db.execute("CREATE FUNCTION mine() RETURNS int DETERMINISTIC RETURN 1", &[]).await.expect("creates");
    assert!(db.is_empty().await.expect("counts"));
    let script = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int, FOREIGN KEY (a) REFERENCES a (id)); \
                  CREATE VIEW v AS SELECT * FROM a; CREATE FUNCTION theirs() RETURNS int DETERMINISTIC RETURN 2;";
    db.execute_script(script).await.expect("runs");
    db.drop_everything().await.expect("drops");
    let rows = db.query("SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()", &[]);
    assert_eq!(rows.await.expect("reads"), [[text("mine")]]);
    scratch.drop(db).await;
}

#[tokio::test]
async fn counters_go_back_after_a_rolled_back_insert() {
    let Some(scratch) = Scratch::new("counters").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE fresh (id bigint AUTO_INCREMENT PRIMARY KEY); CREATE TABLE used (id int AUTO_INCREMENT PRIMARY KEY);
         INSERT INTO used VALUES (5); CREATE TABLE gap (id int AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 100;
         CREATE TABLE plain (id int PRIMARY KEY);",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let mut states = Vec::new();
    for name in ["fresh", "used", "gap"] {
        states.push((name, db.numbering(relation(&catalog, name)).await.expect("reads the counter")));
    }
    assert_eq!(states.iter().map(|(_, state)| state.next).collect::<Vec<_>>(), [Some(1), Some(6), Some(100)]);
    assert_eq!(db.numbering(relation(&catalog, "plain")).await.expect("reads").next, None);

    db.begin(TransactionKind::Write).await.expect("begins");
    for (name, _) in &states {
        let relation = relation(&catalog, name);
        db.insert(&target(relation, &["id"]), &[vec![Value::Int(1000)]]).await.expect("inserts");
        assert_eq!(db.advance_numbering(relation, true).await.expect("is past").next, Some(1001), "{name}");
    }
    db.rollback().await.expect("rolls back");
    for (name, state) in &states {
        let relation = relation(&catalog, name);
        assert_eq!(
            db.numbering(relation).await.expect("reads").next,
            Some(1001),
            "a rollback leaves the counter of {name}"
        );
        db.restore_numbering(relation, state).await.expect("puts it back");
        assert_eq!(db.numbering(relation).await.expect("reads"), *state, "{name}");
    }
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_counter_behind_its_column_is_an_error_unless_the_type_ends_there() {
    let Some(scratch) = Scratch::new("behind").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE last (id tinyint AUTO_INCREMENT PRIMARY KEY); INSERT INTO last VALUES (127);
         CREATE TABLE largest (id bigint unsigned AUTO_INCREMENT PRIMARY KEY); INSERT INTO largest VALUES (18446744073709551615);
         CREATE TABLE below (id int AUTO_INCREMENT PRIMARY KEY); INSERT INTO below VALUES (-7);
         CREATE TABLE behind (id int AUTO_INCREMENT PRIMARY KEY); INSERT INTO behind VALUES (1); UPDATE behind SET id = 50;",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    for name in ["last", "largest", "below"] {
        db.advance_numbering(relation(&catalog, name), false).await.expect(name);
    }
    // MySQL 8 moves the counter on UPDATE, MariaDB does not.
    if db.numbering(relation(&catalog, "behind")).await.expect("reads").next == Some(2) {
        let error =
            db.advance_numbering(relation(&catalog, "behind"), false).await.expect_err("the next insert would fail");
        assert_eq!(error.column.as_deref(), Some("id"));
    }
    scratch.drop(db).await;
}

/// The ids of the rows that a lookup finds.
async fn ids(db: &mut Db, relation: &Relation, columns: &[&str], keys: &[Vec<Value>]) -> Vec<i64> {
    let (columns, select) = (names(columns), names(&["id"]));
    let lookup = Lookup::new(relation, &columns, &select);
    let rows = db.lookup(&lookup, keys).await.expect("looks up");
    let id = |row: &Vec<Value>| match row.last() {
        Some(Value::Int(id)) => *id,
        other => panic!("an id, not {other:?}"),
    };
    let mut ids: Vec<i64> = rows.iter().map(id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn lookups_compare_as_the_column_does() {
    let Some(scratch) = Scratch::new("lookup").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, ci varchar(40), bin varchar(40) COLLATE utf8mb4_bin, l1 varchar(40) CHARACTER SET latin1,
           u bigint unsigned, d decimal(30,10), at timestamp(6) NULL, KEY (ci), KEY (l1), KEY (u), KEY (bin, u));
         INSERT INTO t VALUES (1, 'Pavel', 'Pavel', 'é', 18446744073709551614, 10000000000000000000.0000000001, '2024-01-01 00:00:00.5'),
                              (2, 'x', 'x', NULL, 18446744073709551615, 10000000000000000000.0000000002, NULL),
                              (3, NULL, NULL, 'q', NULL, NULL, NULL);",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    assert_eq!(ids(&mut db, t, &["ci"], &[vec![text("PAVEL")]]).await, [1]);
    assert_eq!(ids(&mut db, t, &["bin"], &[vec![text("PAVEL")]]).await, Vec::<i64>::new());
    assert_eq!(ids(&mut db, t, &["ci"], &[vec![Value::Null], vec![text("x")]]).await, [2, 3]);
    assert_eq!(ids(&mut db, t, &["u"], &[vec![text("18446744073709551615")]]).await, [2], "not as doubles");
    assert_eq!(ids(&mut db, t, &["d"], &[vec![text("10000000000000000000.0000000002")]]).await, [2], "not as doubles");
    assert_eq!(ids(&mut db, t, &["at"], &[vec![text("2024-01-01 00:00:00.500000+00:00")]]).await, [1]);
    let odd = [vec![text("日本")], vec![text("é")], vec![text("😀")], vec![text("q")]];
    assert_eq!(ids(&mut db, t, &["l1"], &odd).await, [1, 3], "what latin1 cannot hold matches nothing");
    let composite = [
        vec![text("Pavel"), text("18446744073709551614")],
        vec![text("x"), Value::Null],
        vec![Value::Null, Value::Null],
    ];
    assert_eq!(ids(&mut db, t, &["bin", "u"], &composite).await, [1, 3]);
    // So many keys take several lists, and two spellings of one row stand in different ones.
    let mut many: Vec<Vec<Value>> = (0..9000).map(|n| vec![text(&format!("none {n}"))]).collect();
    many.insert(0, vec![text("pavel")]);
    many.push(vec![text("PAVEL")]);
    assert_eq!(ids(&mut db, t, &["ci"], &many).await, [1]);
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_column_that_is_stamped_on_every_update_keeps_what_it_holds() {
    let Some(scratch) = Scratch::new("stamped").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, name varchar(9), changed timestamp(6) NOT NULL
           DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6));
         INSERT INTO t VALUES (1, 'a', '2020-01-02 03:04:05.000006');",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    let updated = db.update_by_key(t, &names(&["name"]), &names(&["id"]), &[vec![text("b"), Value::Int(1)]]).await;
    assert_eq!(updated.expect("updates"), 1);
    let rows = read(&mut db, t, &["name", "changed"], "").await;
    assert_eq!(rows, [[text("b"), text("2020-01-02 03:04:05.000006+00:00")]]);
    scratch.drop(db).await;
}

#[tokio::test]
async fn updates_count_the_rows_found_and_leave_the_others_alone() {
    let Some(scratch) = Scratch::new("update").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE t (k decimal(30,10) PRIMARY KEY, parent int);
         INSERT INTO t VALUES (10000000000000000000.0000000001, 1), (10000000000000000000.0000000002, 1);",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    let rows = [
        vec![Value::Int(1), text("10000000000000000000.0000000001")],
        vec![Value::Int(7), text("10000000000000000000.0000000002")],
        vec![Value::Int(7), text("3")],
    ];
    let matched = db.update_by_key(t, &names(&["parent"]), &names(&["k"]), &rows).await.expect("updates");
    assert_eq!(matched, 2, "an unchanged row counts, a missing one does not");
    assert_eq!(read(&mut db, t, &["parent"], "ORDER BY k").await, [[Value::Int(1)], [Value::Int(7)]]);
    scratch.drop(db).await;
}

#[tokio::test]
async fn orphans_are_found_in_every_shape_of_reference() {
    let Some(scratch) = Scratch::new("orphans").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "SET foreign_key_checks = 0;
         CREATE TABLE p (a int, b varchar(9), c varchar(9) COLLATE utf8mb4_bin, PRIMARY KEY (a, b));
         CREATE TABLE c (id int PRIMARY KEY, a int, b varchar(9), up int, n bigint, w varchar(40) COLLATE utf8mb4_general_ci,
           CONSTRAINT c_p FOREIGN KEY (a, b) REFERENCES p (a, b), CONSTRAINT c_up FOREIGN KEY (up) REFERENCES c (id));
         CREATE TABLE numbers (n varchar(40), w varchar(40));
         INSERT INTO p VALUES (1, 'x', 'x');
         INSERT INTO numbers VALUES ('9007199254740993', 'Word');
         INSERT INTO c VALUES (1, 1, 'X', 1, 9007199254740993, 'WORD'), (2, 1, NULL, NULL, NULL, NULL),
                              (3, 1, 'y', 9, 9007199254740992, 'other'), (4, NULL, 'z', 3, 7, 'word ');",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let (c, p, numbers) = (relation(&catalog, "c"), relation(&catalog, "p"), relation(&catalog, "numbers"));
    let declared =
        |name: &str| c.foreign_keys.iter().find(|k| k.name.as_ref().is_some_and(|n| n.0 == name)).expect("is there");
    let virtual_key = |column: &str, target: &Relation, referenced: &str| ForeignKey {
        name: None,
        columns: names(&[column]),
        referenced: target.name.clone(),
        referenced_columns: names(&[referenced]),
        enforcement: Enforcement::Virtual,
        ..declared("c_up").clone()
    };
    let cases = [
        (declared("c_p").clone(), p, vec![3]),
        (declared("c_up").clone(), c, vec![3]),
        (virtual_key("n", numbers, "n"), numbers, vec![3, 4]),
        (virtual_key("w", numbers, "w"), numbers, vec![3]),
        (virtual_key("b", p, "c"), p, vec![1, 3, 4]),
        (virtual_key("a", p, "a"), p, vec![]),
    ];
    for (key, target, expected) in cases {
        let sql = format!("SELECT c.id {} ORDER BY c.id", db.dialect().orphans(c, &key, target));
        let found = db.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(found, expected.into_iter().map(|id| vec![Value::Int(id)]).collect::<Vec<_>>(), "{sql}");
    }
    scratch.drop(db).await;
}

#[tokio::test]
async fn suspended_foreign_keys_come_back_with_the_end_of_the_transaction() {
    let Some(scratch) = Scratch::new("suspend").await else { return };
    let mut db = scratch.open().await;
    db.execute_script("CREATE TABLE t (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES t (id))")
        .await
        .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    let both = target(t, &["id", "up"]);
    db.begin(TransactionKind::Write).await.expect("begins");
    assert_eq!(db.defer(&[(t, &t.foreign_keys[0])]).await.expect_err("not here").kind, DbErrorKind::Unsupported);
    db.suspend(&[(t, &t.foreign_keys[0])]).await.expect("suspends");
    db.insert(&both, &[vec![Value::Int(1), Value::Int(2)]]).await.expect("order does not matter now");
    db.rollback().await.expect("rolls back");
    let error = db.insert(&both, &[vec![Value::Int(1), Value::Int(2)]]).await.expect_err("checked again");
    assert_eq!(error.kind, DbErrorKind::ForeignKeyViolation);
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_failed_statement_and_a_savepoint_leave_the_transaction_usable() {
    let Some(scratch) = Scratch::new("savepoint").await else { return };
    let mut db = scratch.open().await;
    db.execute_script("CREATE TABLE t (id int PRIMARY KEY)").await.expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let into = target(relation(&catalog, "t"), &["id"]);
    let row = |id| vec![Value::Int(id)];
    db.begin(TransactionKind::Write).await.expect("begins");
    db.insert(&into, &[row(1)]).await.expect("inserts");
    db.savepoint("s`1").await.expect("sets a savepoint");
    db.insert(&into, &[row(2)]).await.expect("inserts");
    db.rollback_to("s`1").await.expect("goes back");
    db.insert(&into, &[row(3), row(1)]).await.expect_err("1 is there");
    db.insert(&into, &[row(4)]).await.expect("inserts");
    db.release("s`1").await.expect("forgets it");
    db.commit().await.expect("commits");
    let ids = db.query("SELECT id FROM t ORDER BY id", &[]).await.expect("reads");
    assert_eq!(ids, [[Value::Int(1)], [Value::Int(4)]], "a statement that fails undoes itself alone");
    scratch.drop(db).await;
}

#[tokio::test]
async fn nothing_is_written_after_the_server_gave_the_transaction_up() {
    let Some(scratch) = Scratch::new("gone").await else { return };
    let (mut db, mut other) = (scratch.open().await, scratch.open().await);
    db.execute_script("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);").await.expect("creates");
    for (session, id) in [(&mut db, 1), (&mut other, 2)] {
        session.begin(TransactionKind::Write).await.expect("begins");
        session.execute(&format!("UPDATE t SET id = id + 10 WHERE id = {id}"), &[]).await.expect("locks");
    }
    // Each waits for the other; the server ends one of the two transactions.
    let (ours, theirs) = tokio::join!(
        db.execute("UPDATE t SET id = id + 10 WHERE id = 2", &[]),
        other.execute("UPDATE t SET id = id + 10 WHERE id = 1", &[]),
    );
    let (loser, winner) = if ours.is_err() { (&mut db, &mut other) } else { (&mut other, &mut db) };
    let error = ours.or(theirs).map(|_| ()).err();
    assert!(error.is_none(), "only one of the two is ended: {error:?}");
    let insert = loser.execute("INSERT INTO t VALUES (3)", &[]).await.expect_err("its transaction is gone");
    assert_eq!(insert.kind, DbErrorKind::Contention);
    assert_eq!(loser.commit().await.expect_err("so there is nothing to commit").kind, DbErrorKind::Contention);
    loser.rollback().await.expect("goes back");
    winner.rollback().await.expect("goes back");
    loser.execute("INSERT INTO t VALUES (4)", &[]).await.expect("and the connection is usable");
    let ids = winner.query("SELECT id FROM t ORDER BY id", &[]).await.expect("reads");
    assert_eq!(ids, [[Value::Int(1)], [Value::Int(2)], [Value::Int(4)]]);
    other.close().await.expect("closes");
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_snapshot_sees_one_state_and_writes_nothing() {
    let Some(scratch) = Scratch::new("snapshot").await else { return };
    let mut db = scratch.open_for(Access::ReadOnly).await;
    let mut other = scratch.open().await;
    other.execute_script("CREATE TABLE t (id int PRIMARY KEY)").await.expect("creates");
    db.begin(TransactionKind::Snapshot).await.expect("begins");
    other.execute("INSERT INTO t VALUES (1)", &[]).await.expect("inserts");
    assert_eq!(count(&mut db, "FROM t").await, Value::Int(0));
    let error = db.execute("INSERT INTO t VALUES (2)", &[]).await.expect_err("read-only");
    assert_eq!(error.kind, DbErrorKind::ReadOnly);
    db.rollback().await.expect("ends");
    assert_eq!(count(&mut db, "FROM t").await, Value::Int(1));
    let error = db.execute("INSERT INTO t VALUES (2)", &[]).await.expect_err("so is the connection");
    assert_eq!(error.kind, DbErrorKind::ReadOnly);
    other.close().await.expect("closes");
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_row_larger_than_a_packet_is_that_rows_error() {
    let Some(scratch) = Scratch::new("packet").await else { return };
    let mut db = scratch.open().await;
    db.execute_script("CREATE TABLE t (id int PRIMARY KEY, small blob, large longblob)").await.expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let into = target(relation(&catalog, "t"), &["id", "small", "large"]);
    let limit = db.query("SELECT @@max_allowed_packet", &[]).await.expect("reads");
    let Value::Int(limit) = limit[0][0] else { panic!("a number: {limit:?}") };
    if limit > 64 * 1024 * 1024 {
        println!("SKIP a_row_larger_than_a_packet_is_that_rows_error: the server takes packets of {limit} bytes");
        return scratch.drop(db).await;
    }
    let row = |id, bytes: i64| vec![Value::Int(id), Value::Bytes(vec![1]), Value::Bytes(vec![7; bytes as usize])];
    // Together too much for one packet, each of them fits.
    let rows = [row(1, limit / 2), row(2, 10), row(3, limit / 2), row(4, limit - 1000)];
    assert_eq!(db.insert(&into, &rows).await.expect("inserts"), 4);
    let error = db.insert(&into, &[row(5, limit)]).await.expect_err("no packet holds it");
    assert_eq!((error.kind, error.column.as_deref()), (DbErrorKind::InvalidValue, Some("large")));
    assert_eq!(count(&mut db, "FROM t").await, Value::Int(4), "the connection lives");
    scratch.drop(db).await;
}

#[tokio::test]
async fn a_user_who_may_only_read_is_told_what_is_missing() {
    let Some(scratch) = Scratch::new("rights").await else { return };
    let mut db = scratch.open().await;
    // Of the host we come from: an anonymous user of that host would otherwise be nearer than one of any host.
    let host = db.query("SELECT SUBSTRING_INDEX(USER(), '@', -1)", &[]).await.expect("reads").remove(0).remove(0);
    let (user, name) = (format!("reader{}", std::process::id()), &scratch.name);
    db.execute_script(&format!(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
         CREATE USER `{user}`@`{host}` IDENTIFIED BY 'pw'; GRANT SELECT ON `{}`.* TO `{user}`@`{host}`;
         GRANT INSERT, UPDATE ON `{name}`.b TO `{user}`@`{host}`;",
        name.replace('_', "\\_")
    ))
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let relations: Vec<&Relation> = catalog.relations.iter().collect();
    assert_eq!(
        db.missing_privileges(&Intent { read: &[], inserted: &relations, updated: &relations, deleted: &[] })
            .await
            .expect("reads"),
        Vec::<String>::new()
    );
    let mut url = scratch.url();
    url.set_username(&user).expect("a URL with a host");
    url.set_password(Some("pw")).expect("a URL with a host");
    let mut reader = connect(&url.as_str().parse().expect("a URL"), Access::ReadWrite).await.expect("connects");
    let intent = Intent { read: &[], inserted: &relations, updated: &relations, deleted: &relations[1..] };
    let missing = reader.missing_privileges(&intent).await.expect("reads");
    let expected =
        ["no INSERT on a", "no UPDATE on a", "no DELETE on b"].map(|line| format!("{line} for {user}@{host}"));
    assert_eq!(missing, expected);
    let error = reader.execute("INSERT INTO a VALUES (1)", &[]).await.expect_err("may not");
    assert_eq!(error.kind, DbErrorKind::PermissionDenied);
    reader.close().await.expect("closes");
    url.set_password(Some("s3cret")).expect("a URL with a host");
    let Err(error) = connect(&url.as_str().parse().expect("a URL"), Access::ReadWrite).await else {
        panic!("the password is wrong");
    };
    assert_eq!(error.kind, DbErrorKind::Refused);
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    db.execute(&format!("DROP USER `{user}`@`{host}`"), &[]).await.expect("drops");
    scratch.drop(db).await;
}

#[tokio::test]
async fn what_cannot_be_reached_or_breaks_says_so() {
    let Some(scratch) = Scratch::new("lost").await else { return };
    let mut db = scratch.open().await;
    let mut missing = scratch.base.clone();
    missing.set_path("relink_no_such_database");
    let Err(error) = connect(&missing.as_str().parse().expect("a URL"), Access::Create).await else {
        panic!("there is no such database");
    };
    assert_eq!(error.kind, DbErrorKind::Refused);
    let nowhere = "mysql://root@127.0.0.1:1/x".parse().expect("a URL");
    let Err(error) = connect(&nowhere, Access::ReadWrite).await else { panic!("nobody listens") };
    assert_eq!(error.kind, DbErrorKind::Connect);

    let id = db.query("SELECT CONNECTION_ID()", &[]).await.expect("reads").remove(0).remove(0);
    scratch.server().await.execute(&format!("KILL {id}"), &[]).await.expect("kills");
    let error = db.query("SELECT 1", &[]).await.expect_err("the connection is gone");
    assert_eq!(error.kind, DbErrorKind::ConnectionLost);
    let open = scratch.open().await;
    scratch.drop(open).await;
}

#[tokio::test]
async fn a_key_over_a_prefix_and_conditions_are_answered_under_the_columns_collation() {
    let Some(scratch) = Scratch::new("prefix").await else { return };
    let mut db = scratch.open().await;
    db.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, w varchar(40), b varchar(40) COLLATE utf8mb4_bin, l varchar(9) CHARACTER SET latin1, u uuid,
           d date, yr year, big bigint unsigned, UNIQUE KEY w3 (w(3)));",
    )
    .await
    .expect("creates");
    let catalog = db.introspect().await.expect("introspects");
    let t = relation(&catalog, "t");
    let columns: Vec<&str> = t.columns.iter().map(|column| column.name.as_str()).collect();
    let row = |id, w: &str| {
        vec![
            Value::Int(id),
            text(w),
            text(w),
            text("naïve"),
            text("6f1ed002-ab59-5c3a-8f0e-3a1b2c3d4e5f"),
            text("2024-02-29"),
            Value::Int(2024),
            text("18446744073709551615"),
        ]
    };
    let rows = [row(1, "Anna"), row(2, "bobby")];
    db.insert(&target(t, &columns), &rows).await.expect("inserts");
    let expressions = names(&[
        "w = 'ANNA'",
        "b = 'ANNA'",
        "l = 'NAÏVE'",
        "u = '6F1ED002AB595C3A8F0E3A1B2C3D4E5F'",
        "d > '2024-02-28'",
        "yr = 2024",
        "big = 18446744073709551615",
    ]);
    let answers = db.evaluate(t, &names(&columns), &rows, &expressions).await.expect("answers");
    assert_eq!(answers[0], [1, 0, 1, 1, 1, 1, 1].map(Value::Int));
    let parts = t.unique_keys[0].expressions.clone().expect("a prefix is an expression");
    let keys = db.evaluate(t, &names(&columns), &[row(9, "ANNOTATION"), row(9, "x")], &parts).await.expect("answers");
    assert_eq!(keys, [[text("ANN")], [text("x")]]);
    let id = names(&["id"]);
    let lookup = Lookup { match_expressions: Some(&parts), ..Lookup::new(t, &[], &id) };
    assert_eq!(db.lookup(&lookup, &keys).await.expect("looks up"), [[text("Ann"), Value::Int(1)]]);
    scratch.drop(db).await;
}
