//! A reference never leads to another row than the one that the export means; where that cannot be told, the restore is refused. Each of these
//! ended once in a wrong row, silently.

use relink_e2e::{Export, Outcome, Restore, each, lines};
use relink_restore::{Mode, code};
use relink_testkit::TestDatabase;

/// Restores with `--mode skip`.
fn skip(database: &TestDatabase, export: &str, config: &str) -> Outcome {
    Restore::of(&Export::new(export)).config(config).mode(Mode::Skip).into(database)
}

#[test]
fn a_row_that_exists_keeps_its_key_although_its_record_refers_ahead_in_a_cycle() {
    let schema = "a(id pk, name text unique, b_id int null -> b.id)
                  b(id pk, name text unique, a_id int null -> a.id)
                  z(id pk, a_id int -> a.id)";
    for database in each("ahead", schema) {
        database.run("INSERT INTO a (id, name) VALUES (1, 'u'), (2, 'l');");
        let export =
            r#"{"a": [{"id": 2, "name": "u", "b_id": 5}], "b": [{"id": 5, "name": "x"}], "z": [{"id": 1, "a_id": 2}]}"#;
        assert!(skip(&database, export, "").committed, "{database:?}");
        assert_eq!(lines(&database, "SELECT a.name FROM z JOIN a ON a.id = z.a_id"), ["u"], "{database:?}");
    }
}

#[test]
fn a_composite_reference_follows_its_row_to_another_key() {
    let schema = "store(tenant int, no int, code text unique, pk(tenant, no))
                  sale(id pk, tenant int, no int, (tenant, no) -> store(tenant, no))";
    for database in each("composite", schema) {
        database.run("INSERT INTO store (tenant, no, code) VALUES (1, 5, 'X'), (1, 7, 'Y');");
        let export = r#"{"store": [{"tenant": 1, "no": 7, "code": "X"}], "sale": [{"id": 1, "tenant": 1, "no": 7}]}"#;
        assert!(skip(&database, export, "").committed, "{database:?}");
        assert_eq!(lines(&database, "SELECT tenant, no FROM sale"), ["1|5"], "{database:?}");
    }
}

#[test]
fn a_column_under_two_foreign_keys_is_followed_once() {
    let schema = "tenant(id pk, code text unique)
                  store(tenant_id int -> tenant.id, no int, pk(tenant_id, no))
                  sale(id pk, tenant_id int -> tenant.id, no int, (tenant_id, no) -> store(tenant_id, no))";
    for database in each("followed_once", schema) {
        database.run("INSERT INTO tenant (id, code) VALUES (7, 'a'), (1, 'other');");
        let export = r#"{"tenant": [{"id": 1, "code": "a"}, {"id": 7, "code": "other"}],
                         "store": [{"tenant_id": 1, "no": 1}], "sale": [{"id": 1, "tenant_id": 1, "no": 1}]}"#;
        assert!(skip(&database, export, "").committed, "{database:?}");
        assert_eq!(lines(&database, "SELECT tenant_id, no FROM sale"), ["7|1"], "{database:?}");
    }
}

#[test]
fn a_row_without_natural_key_of_its_own_is_not_the_one_that_has_its_id() {
    for database in
        each("null_key", "category(id pk, parent_id int null -> category.id, name text, unique(parent_id, name))")
    {
        database.run("INSERT INTO category (id, parent_id, name) VALUES (1, NULL, 'X');");
        let export =
            r#"{"category": [{"id": 1, "parent_id": null, "name": "Root"}, {"id": 2, "parent_id": 1, "name": "a"}]}"#;
        let outcome = skip(&database, export, "");
        assert!(!outcome.findings(code::ID_TAKEN).is_empty(), "{database:?}: {:#?}", outcome.report.findings);
        assert_eq!(lines(&database, "SELECT id, name FROM category"), ["1|X"], "{database:?}");
    }
}

#[test]
fn a_record_is_not_the_row_with_its_id_where_every_unique_key_differs() {
    for database in
        each("unique_keys", "usr(id pk, email text unique, login text unique)\npost(id pk, usr_id int -> usr.id)")
    {
        database.run("INSERT INTO usr (id, email, login) VALUES (1, 'bob@x', 'bob');");
        let export = r#"{"usr": [{"id": 1, "email": "alice@x", "login": "alice"}], "post": [{"id": 1, "usr_id": 1}]}"#;
        let outcome = skip(&database, export, "");
        assert!(!outcome.findings(code::ID_TAKEN).is_empty(), "{database:?}: {:#?}", outcome.report.findings);
        assert!(lines(&database, "SELECT id FROM post").is_empty(), "{database:?}");
    }
}

#[test]
fn a_referenced_column_that_the_export_leaves_out_is_no_zero() {
    let schema = "person(id pk, code int null unique, name text)\nchild(id pk, person_code int null -> person.code)";
    for database in each("no_zero", schema) {
        let export = r#"{"person": [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "code": 0}], "child": [{"id": 1, "person_code": ["a"]}]}"#;
        let outcome = skip(&database, export, "[table.person]\nnatural_key = [\"name\"]");
        assert_eq!(outcome.findings(code::UNNAMED_REFERENCE).len(), 1, "{database:?}: {:#?}", outcome.report.findings);
    }
}

#[test]
fn an_old_id_is_not_looked_up_in_the_target_where_the_export_leaves_ids_out() {
    for database in each("old_ids", "x_item(id pk, name text unique)\nx_log(id pk, item_id int)") {
        database.run("INSERT INTO x_item (id, name) VALUES (5, 'other'), (6, 'another');");
        let export = r#"[{"model": "x.item", "fields": {"name": "mine"}}, {"model": "x.item", "fields": {"name": "yours"}},
                         {"model": "x.log", "pk": 1, "fields": {"item_id": 5}}]"#;
        let outcome = skip(&database, export, "[table.x_log]\nrefs = [\"item_id -> x_item.id\"]");
        assert_eq!(outcome.findings(code::UNNAMED_REFERENCE).len(), 1, "{database:?}: {:#?}", outcome.report.findings);
    }
}

#[test]
fn natural_keys_along_a_tree_of_rows_resolve_at_every_level_and_a_second_run_changes_nothing() {
    let schema = "x_category(id pk, parent_id int null -> x_category.id, name text, unique(parent_id, name))";
    let config = "[table.x_category]\nnatural_key = [\"name\", \"parent_id\"]";
    let export = r#"[{"model": "x.category", "fields": {"name": "c", "parent": ["b", ["a", ["r", null]]]}},
                     {"model": "x.category", "fields": {"name": "b", "parent": ["a", ["r", null]]}},
                     {"model": "x.category", "fields": {"name": "a", "parent": ["r", null]}},
                     {"model": "x.category", "fields": {"name": "r", "parent": null}}]"#;
    for database in each("tree", schema) {
        for _ in 0..2 {
            let outcome = skip(&database, export, config);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.report.findings);
            let path = "SELECT c.name, b.name, a.name, r.name FROM x_category c JOIN x_category b ON b.id = c.parent_id
                        JOIN x_category a ON a.id = b.parent_id JOIN x_category r ON r.id = a.parent_id";
            assert_eq!(lines(&database, path), ["c|b|a|r"], "{database:?}");
            assert_eq!(lines(&database, "SELECT count(*) FROM x_category"), ["4"], "{database:?}");
        }
    }
}

#[test]
fn keys_compare_as_their_column_does() {
    let schemas = [
        (TestDatabase::sqlite(), "CREATE TABLE cur (code text PRIMARY KEY COLLATE NOCASE);"),
        (
            match TestDatabase::mysql("collation") {
                Some(database) => database,
                None => return,
            },
            "CREATE TABLE cur (code varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY);",
        ),
    ];
    for (database, referenced) in schemas {
        database.run(referenced);
        database.run("CREATE TABLE pr (id integer PRIMARY KEY, cur varchar(9) NOT NULL, FOREIGN KEY (cur) REFERENCES cur (code));");
        let outcome = skip(&database, r#"{"cur": [{"code": "USD"}], "pr": [{"id": 1, "cur": "usd"}]}"#, "");
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report.findings);
        assert_eq!(lines(&database, "SELECT cur FROM pr"), ["usd"], "{database:?}");
    }
}

#[test]
fn a_table_declared_to_replace_rows_replaces_none() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE t (id integer PRIMARY KEY, a text UNIQUE ON CONFLICT REPLACE, b text UNIQUE);");
    database.run("INSERT INTO t VALUES (1, 'x', 'y');");
    let outcome = Restore::of(&Export::new(r#"{"t": [{"id": 2, "a": "x", "b": "z"}]}"#)).into(&database);
    assert_eq!(outcome.findings(code::EXISTING_ROW).len(), 1, "{:#?}", outcome.report.findings);
    assert_eq!(lines(&database, "SELECT id, a, b FROM t"), ["1|x|y"]);
}

#[test]
fn what_references_a_refused_row_is_told_from_what_is_refused_itself() {
    for database in
        each("consequences", "book(id pk, price int check price >= 0)\nreview(id pk, book_id int -> book.id)")
    {
        let export = r#"{"book": [{"id": 1, "price": -1}, {"id": 2, "price": 1}],
                         "review": [{"id": 1, "book_id": 1}, {"id": 2, "book_id": 2}, {"id": 3, "book_id": 1}]}"#;
        let outcome = Restore::of(&Export::new(export)).into(&database);
        let count = |code| outcome.findings(code).len();
        assert_eq!((count(code::REFUSED_ROW), count(code::FOLLOWS_REFUSED)), (1, 2), "{database:?}");
        assert!(lines(&database, "SELECT id FROM book").is_empty(), "{database:?}");
    }
}

#[test]
fn two_keys_of_a_broken_cycle_that_share_a_column_leave_it_as_it_is() {
    let Some(database) = TestDatabase::mysql("shared_column") else { return };
    database.run(
        "CREATE TABLE doc (id int PRIMARY KEY, tenant int NULL, first_v int NULL, cur_v int NULL);
         CREATE TABLE ver (tenant int NOT NULL, id int NOT NULL, doc_id int NOT NULL, PRIMARY KEY (tenant, id),
             FOREIGN KEY (doc_id) REFERENCES doc (id));
         ALTER TABLE doc ADD FOREIGN KEY (tenant, first_v) REFERENCES ver (tenant, id), ADD FOREIGN KEY (tenant, cur_v) REFERENCES ver (tenant, id);",
    );
    let export = r#"{"doc": [{"id": 1, "tenant": 7, "first_v": 1, "cur_v": 2}],
                     "ver": [{"tenant": 7, "id": 1, "doc_id": 1}, {"tenant": 7, "id": 2, "doc_id": 1}]}"#;
    let outcome = Restore::of(&Export::new(export)).into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report.findings);
    assert_eq!(lines(&database, "SELECT id, tenant, first_v, cur_v FROM doc"), ["1|7|1|2"]);
}
