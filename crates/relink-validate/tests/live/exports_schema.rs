//! Exports by the schema of the database that they are meant for: its keys, its CHECKs, and what its types can hold.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{catalog_of, check, counts, keys, validate, validate_export};

#[tokio::test]
async fn a_key_to_a_relation_without_a_primary_key_is_a_schema_finding_and_the_rest_is_judged() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE p (x INTEGER, name TEXT); CREATE TABLE q (id INTEGER PRIMARY KEY);
         CREATE TABLE k (id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p, q_id INTEGER REFERENCES q, UNIQUE (p_id, q_id));
         INSERT INTO k VALUES (1, 1, 9);",
    );
    let catalog = catalog_of(&database).await;
    let keyless = catalog.relations.iter().find(|relation| relation.name.name == "k").expect("it is there");
    assert!(keyless.foreign_keys.iter().any(|key| key.referenced_columns.is_empty()), "{:?}", keyless.foreign_keys);
    let json = r#"{"p": [{"x": 1, "name": "a"}], "q": [], "k": [{"id": 1, "p_id": ["a"], "q_id": 9}]}"#;
    for report in [validate(&database, "").await, validate_export(json, catalog, "").await] {
        let found = check(&report, "schema:ref:k.p_id");
        assert_eq!(found.status, Status::Fail);
        assert!(found.message.contains("names no column of p, which has no primary key"), "{}", found.message);
        assert!(report.checks.iter().all(|check| check.id != "ref:k.p_id"), "it cannot be judged");
        assert_eq!(counts(&report, "ref:k.q_id"), (1, 1, 0));
        assert_eq!(keys(&report, "ref:k.q_id"), ["id=1"]);
    }
}

/// Why checks of the export were not made.
fn left_out(report: &relink_validate::Report) -> Vec<&str> {
    let ids = report.not_checked.iter().filter_map(|line| line.split_once(": ").map(|(id, _)| id));
    ids.filter(|id| id.starts_with("check:")).collect()
}

#[tokio::test]
async fn a_check_that_only_its_database_can_evaluate_is_left_to_it() {
    let Some(database) = TestDatabase::postgres("exports_left_out") else { return };
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, num numeric, s text, n int, c char(5), f real, ci text COLLATE \"C\");
         INSERT INTO t VALUES (1, 2.5, 'abcdef', 3, 'ab', 0.1, 'a'), (2, 'NaN', 'paid', 9, 'x', 1, 'b'), (3, -1, 'new', -4, 'x', 1, 'c');
         ALTER TABLE t ADD CONSTRAINT cast_whole CHECK (num::integer = num) NOT VALID,
            ADD CONSTRAINT cast_cut CHECK (s::varchar(3) = s) NOT VALID, ADD CONSTRAINT divided CHECK (n / 2 > 1) NOT VALID,
            ADD CONSTRAINT cast_rounded CHECK (num::numeric(10,0) = num) NOT VALID, ADD CONSTRAINT padded CHECK (c <> 'ab') NOT VALID,
            ADD CONSTRAINT upper_case CHECK (upper(s) = s) NOT VALID, ADD CONSTRAINT ordered CHECK (s < 'b') NOT VALID,
            ADD CONSTRAINT single CHECK (f = 0.1) NOT VALID,
            ADD CONSTRAINT sure_range CHECK (n >= 0 AND num >= 0) NOT VALID,
            ADD CONSTRAINT sure_list CHECK (s IN ('new', 'paid', '::integer')) NOT VALID,
            ADD CONSTRAINT sure_round CHECK (round(num, 1) = num) NOT VALID;",
    );
    let [(_, live), (_, offline)] = crate::validated::validate_both(&database, "").await;
    let mut asked = left_out(&offline);
    asked.sort_unstable();
    let unsure = ["cast_cut", "cast_rounded", "cast_whole", "divided", "ordered", "padded", "single", "upper_case"];
    assert_eq!(asked, unsure.map(|name| format!("check:t.{name}")));
    for id in ["check:t.sure_range", "check:t.sure_list"] {
        assert_eq!(keys(&offline, id), keys(&live, id), "{id}");
        assert!(!keys(&live, id).is_empty(), "{id} has something to find");
    }
    // NaN is a number to this database, and to nobody else: such a row is not judged, and none that fails.
    assert_eq!(counts(&live, "check:t.sure_round"), (0, 0, 0));
    assert_eq!(counts(&offline, "check:t.sure_round"), (0, 0, 1));
}

#[tokio::test]
async fn a_check_over_text_is_judged_where_the_collation_goes_by_letters() {
    let checks = "CREATE TABLE t (id INTEGER PRIMARY KEY, plain TEXT CONSTRAINT plain CHECK (plain <> 'bad'),
        s TEXT COLLATE NOCASE CONSTRAINT folded CHECK (s <> 'bad'), u TEXT CONSTRAINT raised CHECK (upper(u) = u),
        total NUMERIC CONSTRAINT doubled CHECK (total * 3 <> 0.3), n INTEGER CONSTRAINT chained CHECK (1 < n < 5),
        b BOOLEAN CONSTRAINT truth CHECK (b IN (0, 1)), d INTEGER DEFAULT 7 CONSTRAINT filled CHECK (d IS NOT NULL AND d > 5),
        e INTEGER CONSTRAINT empty CHECK (e IS NOT NULL))";
    let database = TestDatabase::sqlite();
    database.run(checks);
    let json = r#"{"t": [{"id": 1, "plain": "BAD", "s": "BAD", "u": "é", "total": 0.1, "n": 9, "b": 7, "d": null, "e": 1},
        {"id": 2, "plain": "bad", "b": true, "d": "x", "e": 1}, {"id": 3}]}"#;
    let report = validate_export(json, catalog_of(&database).await, "").await;
    assert_eq!(left_out(&report), ["check:t.chained", "check:t.doubled", "check:t.folded", "check:t.raised"]);
    assert_eq!(keys(&report, "check:t.plain"), ["id=2"]);
    // What is of another type is reported as that, and what the database fills in cannot be told.
    assert_eq!(counts(&report, "check:t.truth"), (0, 0, 2));
    assert_eq!(keys(&report, "type:t.b"), ["id=1"]);
    assert_eq!(keys(&report, "check:t.filled"), ["id=1"]);
    assert_eq!(counts(&report, "check:t.filled").2, 2);
    assert_eq!(keys(&report, "check:t.empty"), ["id=3"], "nothing would be filled in");
}

#[tokio::test]
async fn types_are_judged_by_what_the_schemas_server_can_hold() {
    if let Some(database) = TestDatabase::postgres("exports_held") {
        database.run("CREATE TABLE t (id int PRIMARY KEY, s text, doc jsonb, d date, f float8)");
        let json = r#"{"t": [{"id": 1, "s": "a\u0000b"}, {"id": 2, "doc": {"a": "\u0000"}}, {"id": 3, "d": "infinity", "f": NaN}]}"#;
        let report = validate_export(json, catalog_of(&database).await, "").await;
        assert_eq!(keys(&report, "type:t.s"), ["id=1"]);
        assert_eq!(keys(&report, "type:t.doc"), ["id=2"]);
        assert_eq!(counts(&report, "type:t.d").0 + counts(&report, "type:t.f").0, 0, "PostgreSQL holds both");
    }
    if let Some(database) = TestDatabase::mysql("exports_held") {
        database.run("CREATE TABLE t (id int PRIMARY KEY, at timestamp NULL, day datetime, y year, f float)");
        let json = r#"{"t": [{"id": 1, "at": "1960-01-01T00:00:00Z", "day": "infinity", "y": 1800, "f": NaN},
            {"id": 2, "at": "2400-01-01T00:00:00Z", "day": "0500-01-01 00:00:00", "y": 99, "f": 1.5},
            {"id": 3, "at": "2038-01-19T03:14:07Z", "day": "9999-12-31 23:59:59", "y": 2155},
            {"id": 4, "at": "1970-01-01T00:00:01Z", "y": 0}]}"#;
        let report = validate_export(json, catalog_of(&database).await, "").await;
        assert_eq!(keys(&report, "type:t.at"), ["id=1", "id=2"]);
        assert_eq!(keys(&report, "type:t.day"), ["id=1"]);
        assert_eq!(keys(&report, "type:t.y"), ["id=1", "id=2"], "99 would become 1999");
        assert_eq!(keys(&report, "type:t.f"), ["id=1"]);
    }
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, f REAL, code VARCHAR(2), n INTEGER)");
    let json = r#"{"t": [{"id": 1, "f": NaN, "code": "abc", "n": "x"}, {"id": 2, "f": 1, "code": "ab", "n": 1}]}"#;
    let report = validate_export(json, catalog_of(&database).await, "").await;
    for id in ["type:t.f", "type:t.code", "type:t.n"] {
        assert_eq!(keys(&report, id), ["id=1"], "{id}: a script's types are meant, whatever SQLite would keep");
    }
}

#[tokio::test]
async fn keys_whose_type_calls_equal_what_is_written_otherwise_are_left_to_their_database() {
    if let Some(database) = TestDatabase::postgres("exports_equal") {
        let types =
            ["jsonb", "inet", "interval", "macaddr", "int4range", "int[]", "money", "cidr", "uuid", "numeric", "time"];
        let columns: Vec<String> = types.iter().enumerate().map(|(at, kind)| format!("c{at} {kind} UNIQUE")).collect();
        database.run(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, {}); CREATE TABLE n (net inet PRIMARY KEY); CREATE TABLE o (id int PRIMARY KEY, net inet REFERENCES n);",
            columns.join(", ")
        ));
        let json = r#"{"t": [
            {"id": 1, "c0": {"a": 1.0, "b": 2}, "c1": "10.0.0.1/32", "c2": "1 day", "c3": "08:00:2b:01:02:03", "c4": "[1,3)", "c5": [1, 2],
             "c6": "$1.00", "c7": "10.0.0.0/8", "c8": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "c9": 1.0, "c10": "10:00"},
            {"id": 2, "c0": {"b": 2, "a": 1}, "c1": "10.0.0.1", "c2": "24 hours", "c3": "08-00-2b-01-02-03", "c4": "[1,2]", "c5": "{1,2}",
             "c6": "1", "c7": "10/8", "c8": "a0eebc999c0b4ef8bb6d6bb9bd380a11", "c9": "1.00", "c10": "10:00:00"}],
            "n": [{"net": "10.0.0.1/32"}], "o": [{"id": 1, "net": "10.0.0.1"}]}"#;
        let report = validate_export(json, catalog_of(&database).await, "").await;
        for at in 0..8 {
            let line = format!("unique:t.c{at}: only a database can tell which values of c{at} ");
            assert!(report.not_checked.iter().any(|found| found.starts_with(&line)), "{line} {:?}", report.not_checked);
        }
        for (at, kind) in types.iter().enumerate().skip(8) {
            assert_eq!(counts(&report, &format!("unique:t.c{at}")), (2, 1, 0), "{kind}");
        }
        assert!(report.not_checked.iter().any(|line| line.starts_with("ref:o.net: ")), "{:?}", report.not_checked);
        assert_eq!(crate::validated::troubles(&report), ["unique:t.c10", "unique:t.c8", "unique:t.c9"]);
    }
    if let Some(database) = TestDatabase::mysql("exports_equal") {
        database.run("CREATE TABLE t (id int PRIMARY KEY, s set('a', 'b') UNIQUE, f float UNIQUE)");
        let json = r#"{"t": [{"id": 1, "s": "a,b"}, {"id": 2, "s": "b,a"}]}"#;
        let report = validate_export(json, catalog_of(&database).await, "").await;
        assert_eq!(report.not_checked.len(), 2, "{:?}", report.not_checked);
    }
}
