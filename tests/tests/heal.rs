//! `relink heal` through the libraries: the keys that orphans miss, then a restore of exactly their records and of what these need.

use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_e2e::{Contents, Export, Outcome, Restore, each, lines};
use relink_model::{Config, Mode, OnDangling, OnError, RelationName};
use relink_restore::{Status, Wanted, WantedKeys};
use relink_testkit::TestDatabase;
use relink_validate::{Missing, Options};

/// Runs SQL past the enforcement of foreign keys.
fn unenforced(database: &TestDatabase, sql: &str) {
    let (before, after) = match database.dialect() {
        "sqlite" => ("PRAGMA foreign_keys = OFF;", ""),
        "postgres" => ("SET session_replication_role = replica;", ""),
        _ => ("SET foreign_key_checks = 0;", "SET foreign_key_checks = 1;"),
    };
    database.run(&format!("{before}\n{sql}\n{after}"));
}

/// The keys that orphans miss.
fn missing(database: &TestDatabase, config: &str) -> Vec<Missing> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let url: DatabaseUrl = database.url().parse().expect("a database URL");
        let config: Config = toml::from_str(config).expect("a configuration");
        let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
        connection.begin(TransactionKind::Snapshot).await.expect("begins");
        let mut catalog = connection.introspect().await.expect("introspects");
        config.add_virtual_references(&mut catalog).expect("references that fit");
        let checks = relink_validate::plan(&catalog, &config, connection.dialect()).expect("rules that fit");
        let options = Options::new("2026-11-20T12:00:00Z".parse().expect("an instant"), std::env::temp_dir());
        relink_validate::missing(connection.as_mut(), &catalog, &checks, &options).await.expect("reads")
    })
}

/// Restores what orphans miss, and the missing rows of these tables.
fn heal(database: &TestDatabase, export: &str, config: &str, rows: &[&str], dry_run: bool) -> Outcome {
    let keys = missing(database, config).into_iter().map(|missing| WantedKeys {
        relation: missing.relation,
        columns: missing.columns,
        keys: missing.keys,
    });
    let rows = rows.iter().map(|name| RelationName::new(*name)).collect();
    let wanted = Wanted { keys: keys.collect(), rows };
    let export = Export::new(export);
    let restore = Restore::of(&export).config(config).mode(Mode::Skip).dry_run(dry_run);
    let outcome = restore
        .options(move |options| {
            (options.on_dangling, options.on_error) = (OnDangling::Reject, OnError::Reject);
            options.selection.wanted = Some(wanted);
        })
        .into(database);
    assert_eq!(outcome.report.status, Status::Restored, "{database:?}: {:#?}", outcome.told());
    outcome
}

/// First a dry run, which must leave no trace and choose the same.
fn healed(database: &TestDatabase, export: &str, config: &str, rows: &[&str]) -> Outcome {
    let before = Contents::of(database);
    let rehearsed = heal(database, export, config, rows, true);
    before.assert_unchanged_after(database, "a dry run");
    let outcome = heal(database, export, config, rows, false);
    assert_eq!(rehearsed.chosen, outcome.chosen, "{database:?}");
    assert_eq!(rehearsed.report.totals, outcome.report.totals, "{database:?}");
    outcome
}

/// `customers id=2`, in the order of the export.
fn chosen(outcome: &Outcome) -> Vec<String> {
    let key = |record: &relink_restore::ChosenRecord| {
        record.key.iter().fold(String::new(), |text, (name, value)| format!("{text} {name}={value}"))
    };
    outcome.chosen.iter().map(|record| format!("{}{}", record.relation, key(record))).collect()
}

/// Keys that no record has.
fn unfound(outcome: &Outcome) -> Vec<String> {
    let one = |keys: &WantedKeys| {
        let values = |key: &Vec<relink_model::Value>| key.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let mut all: Vec<String> = keys
            .keys
            .iter()
            .map(|key| format!("{}({})={}", keys.relation, keys.columns.join(","), values(key)))
            .collect();
        all.sort();
        all
    };
    let mut all: Vec<String> = outcome.unfound.iter().flat_map(one).collect();
    all.sort();
    all
}

const SHOP: &str = "regions(id pk, name varchar(20))
    customers(id pk, region_id -> regions.id null, name varchar(20))
    orders(id pk, customer_id -> customers.id, note varchar(20) null)
    parts(id pk, order_id -> orders.id)";

const TABLES: [&str; 4] = ["regions", "customers", "orders", "parts"];

const ROWS: &str = "INSERT INTO regions (id, name) VALUES (10, 'north'), (20, 'south'), (30, 'west');
    INSERT INTO customers (id, region_id, name) VALUES (1, 10, 'Ann'), (2, 20, 'Bob'), (3, NULL, 'Cy'), (5, 30, 'Eve');
    INSERT INTO orders (id, customer_id) VALUES (1, 1), (2, 2), (3, 2), (4, 3);
    INSERT INTO parts (id, order_id) VALUES (1, 1), (2, 2);";

const BACKUP: &str = r#"{
"parts": [{"id": 1, "order_id": 1}, {"id": 2, "order_id": 2}],
"orders": [{"id": 1, "customer_id": 1, "note": null}, {"id": 2, "customer_id": 2, "note": null},
           {"id": 3, "customer_id": 2, "note": null}, {"id": 4, "customer_id": 3, "note": null}],
"customers": [{"id": 1, "region_id": 10, "name": "Ann"}, {"id": 2, "region_id": 20, "name": "Bob"},
              {"id": 3, "region_id": null, "name": "Cy"}, {"id": 5, "region_id": 30, "name": "Eve"}],
"regions": [{"id": 10, "name": "north"}, {"id": 20, "name": "south"}, {"id": 30, "name": "west"}]
}"#;

#[test]
fn the_rows_that_orphans_miss_come_back_with_what_they_need_and_nothing_else() {
    for database in each("heal", SHOP) {
        database.run(ROWS);
        let whole = Contents::rows(&database, &TABLES);
        unenforced(&database, "DELETE FROM customers WHERE id IN (2, 3); DELETE FROM regions WHERE id = 20;");
        let outcome = healed(&database, BACKUP, "", &[]);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.validation);
        assert_eq!(chosen(&outcome), ["customers id=2", "customers id=3", "regions id=20"], "{database:?}");
        assert_eq!((outcome.report.totals.read, outcome.report.totals.inserted), (3, 3), "{database:?}");
        assert_eq!(Contents::rows(&database, &TABLES), whole, "{database:?}");
        assert!(missing(&database, "").iter().all(|missing| missing.keys.is_empty()), "{database:?}");
    }
}

#[test]
fn rows_that_nobody_misses_stay_away_and_rows_that_are_there_stay_as_they_are() {
    for database in each("heal_only", SHOP) {
        database.run(ROWS);
        // Eve and the region of hers are gone, but nobody refers to them; Ann has another name by now, and so has the south.
        unenforced(
            &database,
            "DELETE FROM customers WHERE id IN (2, 5); DELETE FROM regions WHERE id = 30;
             UPDATE customers SET name = 'Anna' WHERE id = 1; UPDATE regions SET name = 'South' WHERE id = 20;",
        );
        let outcome = healed(&database, BACKUP, "[table.customers]\nmode = \"replace\"\n", &[]);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.validation);
        assert_eq!(chosen(&outcome), ["customers id=2"], "{database:?}");
        let customers = lines(&database, "SELECT id, name FROM customers ORDER BY id");
        assert_eq!(customers, ["1|Anna", "2|Bob", "3|Cy"], "{database:?}");
        assert_eq!(
            lines(&database, "SELECT id, name FROM regions ORDER BY id"),
            ["10|north", "20|South"],
            "{database:?}"
        );
        let again = healed(&database, BACKUP, "", &[]);
        assert_eq!((again.chosen.len(), again.report.totals.read), (0, 0), "{database:?}");
    }
}

#[test]
fn vanished_rows_of_a_table_come_back_where_they_are_asked_for() {
    for database in each("heal_rows", SHOP) {
        database.run(ROWS);
        let whole = Contents::rows(&database, &TABLES);
        unenforced(
            &database,
            "DELETE FROM customers WHERE id IN (2, 5); DELETE FROM regions WHERE id = 30; DELETE FROM parts;",
        );
        let outcome = healed(&database, BACKUP, "", &["customers"]);
        assert_eq!(chosen(&outcome), ["customers id=2", "customers id=5", "regions id=30"], "{database:?}");
        assert_eq!(lines(&database, "SELECT count(*) FROM parts"), ["0"], "{database:?}");
        let outcome = healed(&database, BACKUP, "", &TABLES);
        assert_eq!(chosen(&outcome), ["parts id=1", "parts id=2"], "{database:?}");
        assert_eq!(Contents::rows(&database, &TABLES), whole, "{database:?}");
    }
}

#[test]
fn a_missing_row_without_a_record_is_said_and_the_others_come_back() {
    for database in each("heal_absent", SHOP) {
        database.run(ROWS);
        unenforced(
            &database,
            "DELETE FROM customers WHERE id = 2; INSERT INTO orders (id, customer_id) VALUES (8, 77), (9, 78), (10, 77);",
        );
        // What is left is an error, which the tests' restore does not commit: the command knows that it stood there before.
        let outcome = heal(&database, BACKUP, "", &[], true);
        assert_eq!(chosen(&outcome), ["customers id=2"], "{database:?}");
        assert_eq!(unfound(&outcome), ["customers(id)=77", "customers(id)=78"], "{database:?}");
        assert_eq!(outcome.report.totals.inserted, 1, "{database:?}");
    }
}

#[test]
fn a_record_that_needs_what_is_nowhere_is_rejected_and_others_are_not() {
    let backup = r#"{"customers": [{"id": 2, "region_id": 99, "name": "Bob"}, {"id": 3, "region_id": null, "name": "Cy"}],
                     "regions": [{"id": 10, "name": "north"}]}"#;
    for database in each("heal_nowhere", SHOP) {
        database.run(ROWS);
        unenforced(&database, "DELETE FROM customers WHERE id IN (2, 3);");
        let outcome = heal(&database, backup, "", &[], true);
        assert_eq!(chosen(&outcome), ["customers id=2", "customers id=3"], "{database:?}");
        assert_eq!(unfound(&outcome), ["regions(id)=99"], "{database:?}");
        assert_eq!(outcome.rejections(), ["customers 0 dangling-reference(region_id)"], "{database:?}");
        assert_eq!(outcome.report.totals.inserted, 1, "{database:?}");
    }
}

#[test]
fn a_tree_comes_back_from_its_leaf_up_in_whichever_order_it_stands() {
    let record = |id: u32| match id {
        1 => "{\"id\": 1, \"parent_id\": null}".to_owned(),
        id => format!("{{\"id\": {id}, \"parent_id\": {}}}", id - 1),
    };
    for ids in [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [3, 5, 1, 4, 2]] {
        let backup = format!("{{\"nodes\": [{}]}}", ids.map(record).join(", "));
        for database in each("heal_tree", "nodes(id pk, parent_id -> nodes.id null)") {
            database.run("INSERT INTO nodes VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 4);");
            let whole = Contents::rows(&database, &["nodes"]);
            unenforced(&database, "DELETE FROM nodes WHERE id < 4;");
            let outcome = healed(&database, &backup, "", &[]);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.validation);
            assert_eq!(outcome.chosen.len(), 3, "{database:?} {ids:?}");
            assert_eq!(Contents::rows(&database, &["nodes"]), whole, "{database:?} {ids:?}");
        }
    }
}

#[test]
fn keys_of_several_columns_of_text_and_of_references_that_only_the_configuration_knows() {
    let schema = "accounts(tenant int, number varchar(9), owner varchar(9) unique, pk(tenant, number))
        bills(id pk, tenant int, number varchar(9), (tenant, number) -> accounts(tenant, number))
        notes(id pk, owner varchar(9) null)";
    let config = "[table.notes]\nrefs = [\"owner -> accounts.owner\"]\n";
    let backup = r#"{"accounts": [{"tenant": 1, "number": "it's", "owner": "ann"}, {"tenant": 1, "number": "b", "owner": "bob"},
                                  {"tenant": 2, "number": "b", "owner": "cy"}, {"tenant": 2, "number": "c", "owner": "dee"}]}"#;
    for database in each("heal_keys", schema) {
        database.run(
            "INSERT INTO accounts VALUES (1, 'it''s', 'ann'), (1, 'b', 'bob'), (2, 'b', 'cy'), (2, 'c', 'dee');
             INSERT INTO bills VALUES (1, 1, 'it''s'), (2, 2, 'b'); INSERT INTO notes VALUES (1, 'bob'), (2, NULL), (3, 'cy');",
        );
        unenforced(&database, "DELETE FROM accounts;");
        let outcome = healed(&database, backup, config, &[]);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.validation);
        let accounts = lines(&database, "SELECT tenant, number, owner FROM accounts ORDER BY owner");
        assert_eq!(accounts, ["1|it's|ann", "1|b|bob", "2|b|cy"], "{database:?}");
    }
}

#[test]
fn of_a_django_dump_the_record_comes_back_without_its_lists() {
    let schema = "shop_author(id pk, name varchar(40) unique)
        shop_tag(id pk, name varchar(40))
        shop_post(id pk, author_id -> shop_author.id, title varchar(40))
        shop_post_tags(id pk, post_id int -> shop_post.id, tag_id int -> shop_tag.id, unique(post_id, tag_id))
        shop_comment(id pk, post_id -> shop_post.id)";
    let dump = r#"[
{"model": "shop.author", "pk": 1, "fields": {"name": "Ann"}},
{"model": "shop.tag", "pk": 1, "fields": {"name": "new"}},
{"model": "shop.tag", "pk": 2, "fields": {"name": "old"}},
{"model": "shop.post", "pk": 1, "fields": {"author": ["Ann"], "title": "first", "tags": [1, 2]}},
{"model": "shop.comment", "pk": 1, "fields": {"post": 1}},
{"model": "shop.unknown", "pk": 1, "fields": {"x": 1}}
]"#;
    for database in each("heal_django", schema) {
        database.run(
            "INSERT INTO shop_author VALUES (1, 'Ann'); INSERT INTO shop_tag VALUES (1, 'new'), (2, 'old');
             INSERT INTO shop_post VALUES (1, 1, 'first'); INSERT INTO shop_post_tags VALUES (1, 1, 1);
             INSERT INTO shop_comment VALUES (1, 1);",
        );
        unenforced(&database, "DELETE FROM shop_post; DELETE FROM shop_post_tags;");
        let outcome = healed(&database, dump, "", &[]);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.validation);
        assert_eq!(chosen(&outcome), ["shop_post id=1"], "{database:?}");
        assert_eq!(lines(&database, "SELECT id, author_id, title FROM shop_post"), ["1|1|first"], "{database:?}");
        assert_eq!(lines(&database, "SELECT count(*) FROM shop_post_tags"), ["0"], "{database:?}: nobody missed them");
        // With its record gone again, a list whose table is asked for comes along.
        unenforced(&database, "DELETE FROM shop_post;");
        healed(&database, dump, "", &["shop_post_tags"]);
        let tags = lines(&database, "SELECT post_id, tag_id FROM shop_post_tags ORDER BY tag_id");
        assert_eq!(tags, ["1|1", "1|2"], "{database:?}");
    }
}

#[test]
fn every_missing_key_is_listed_once_however_many_there_are() {
    for database in each("heal_many", "customers(id pk)\norders(id pk, customer_id -> customers.id null)") {
        let numbers = (1..=200).map(|id| format!("({id}, {})", 1_000 + id % 150)).collect::<Vec<_>>().join(", ");
        unenforced(&database, &format!("INSERT INTO orders VALUES {numbers}, (999, NULL);"));
        let missing = missing(&database, "");
        assert_eq!((missing.len(), missing[0].keys.len()), (1, 150), "{database:?}");
        let records = (1_000..1_150).map(|id| format!("{{\"id\": {id}}}")).collect::<Vec<_>>().join(", ");
        let outcome = healed(&database, &format!("{{\"customers\": [{records}, {{\"id\": 7}}]}}"), "", &[]);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.validation);
        assert_eq!(lines(&database, "SELECT count(*) FROM customers"), ["150"], "{database:?}");
    }
}

#[test]
fn a_record_is_the_row_of_its_id_and_never_one_that_has_its_name_since() {
    let schema = "cust(id pk, email varchar(30) unique)
        ord(id pk, cust_id -> cust.id)
        ln(id pk, ord_id -> ord.id)";
    let backup = r#"{"cust": [{"id": 7, "email": "ann@x"}, {"id": 5, "email": "eve@x"}],
        "ord": [{"id": 1, "cust_id": 7}, {"id": 2, "cust_id": 7}, {"id": 3, "cust_id": 5}], "ln": []}"#;
    for database in each("heal_names", schema) {
        database.run("INSERT INTO cust VALUES (8, 'ann@x');");
        let outcome = healed(&database, backup, "", &["cust", "ord"]);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.validation);
        assert_eq!(lines(&database, "SELECT id, email FROM cust ORDER BY id"), ["5|eve@x", "8|ann@x"], "{database:?}");
        assert_eq!(
            lines(&database, "SELECT id, cust_id FROM ord ORDER BY id"),
            ["3|5"],
            "{database:?}: no order goes to another customer"
        );
        let mut rejected: Vec<String> = outcome.rejected.iter().map(|rejected| rejected.relation.to_string()).collect();
        rejected.sort();
        assert_eq!(
            rejected,
            ["cust", "ord", "ord"],
            "{database:?}: the one whose address is taken, and this one's orders"
        );
    }
}
