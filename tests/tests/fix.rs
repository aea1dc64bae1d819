//! `relink fix` through the libraries: every mending on every database, what it refuses, and that nothing is left behind then.

use relink_e2e::{Fix, each, lines, statements, unenforced};
use relink_testkit::TestDatabase;
use relink_validate::fix::{Cure, Keep, Refusal};

const SHOP: &str = "customers(id pk, name text)
    orders(id pk, customer_id -> customers.id null, note varchar(20) null)
    parts(id pk, order_id -> orders.id, amount decimal(8,2))";

const ORPHANS: &str = "INSERT INTO customers (id, name) VALUES (1, 'a');
    INSERT INTO orders (id, customer_id, note) VALUES (1, 1, 'kept'), (2, 90, 'lost'), (3, 91, 'lost'), (4, NULL, 'none');
    INSERT INTO parts (id, order_id, amount) VALUES (1, 1, 5), (2, 70, 6), (3, 71, 7);";

#[test]
fn orphaned_rows_are_deleted_and_no_others() {
    for database in each("fix_delete", SHOP) {
        unenforced(&database, ORPHANS);
        let mended = Fix::new(&["ref:parts.order_id", "ref:orders.customer_id"], Cure::Delete).apply(&database);
        let expected =
            [("DELETE FROM \"parts\" WHERE \"id\" IN (2, 3)", 2), ("DELETE FROM \"orders\" WHERE \"id\" IN (2, 3)", 2)];
        assert_eq!(statements(&mended), expected.map(|(sql, rows)| (sql.to_owned(), rows)), "{database:?}");
        assert!(
            mended.mendings.iter().all(|mending| (mending.found, mending.remaining) == (2, Some(0))),
            "{mended:#?}"
        );
        assert_eq!(lines(&database, "SELECT id FROM orders ORDER BY id"), ["1", "4"], "{database:?}");
        assert_eq!(lines(&database, "SELECT id FROM parts ORDER BY id"), ["1"], "{database:?}");
        let again = Fix::new(&["ref:parts.order_id"], Cure::Delete).apply(&database);
        assert_eq!((again.mendings[0].found, again.mendings[0].statements.len()), (0, 0), "{database:?}");
    }
}

#[test]
fn the_script_does_the_same_in_the_databases_own_client() {
    for database in each("fix_script", SHOP) {
        unenforced(&database, ORPHANS);
        let rehearsed = Fix::new(&["ref:parts.order_id"], Cure::Delete).run(&database, false);
        let script: Vec<String> = rehearsed
            .mendings
            .iter()
            .flat_map(|mending| &mending.statements)
            .map(|one| format!("{};", one.sql))
            .collect();
        database.run(&format!("BEGIN;\n{}\nCOMMIT;", script.join("\n")));
        assert_eq!(lines(&database, "SELECT id FROM parts"), ["1"], "{database:?}");
    }
}

#[test]
fn references_become_null_where_they_may_and_only_those_that_are_chosen() {
    for database in each("fix_null", SHOP) {
        unenforced(&database, ORPHANS);
        let some =
            Fix { condition: Some("id > 2 -- the later ones"), ..Fix::new(&["ref:orders.customer_id"], Cure::Null) };
        let mended = some.apply(&database);
        let mending = &mended.mendings[0];
        assert_eq!((mending.found, mending.chosen, mending.remaining), (2, 1, Some(1)), "{database:?}");
        let orders = || lines(&database, "SELECT id, customer_id FROM orders ORDER BY id");
        assert_eq!(orders(), ["1|1", "2|90", "3|NULL", "4|NULL"], "{database:?}");
        Fix::new(&["ref:orders.customer_id"], Cure::Null).apply(&database);
        assert_eq!(orders(), ["1|1", "2|NULL", "3|NULL", "4|NULL"], "{database:?}");
        let refused = Fix::new(&["ref:parts.order_id"], Cure::Null).refused(&database);
        assert!(matches!(&refused, Refusal::NotNull { column, .. } if column == "order_id"), "{database:?}: {refused}");
        let wrong = Fix { condition: Some("no such thing"), ..Fix::new(&["ref:parts.order_id"], Cure::Delete) };
        let refused = wrong.refused(&database);
        assert!(matches!(refused, Refusal::Condition { .. }) && refused.is_usage(), "{database:?}: {refused}");
    }
}

#[test]
fn of_a_composite_reference_the_parts_that_may_become_null() {
    let schema = "accounts(tenant int, number varchar(9), pk(tenant, number))
        bills(id pk, tenant int, account varchar(9) null, (tenant, account) -> accounts(tenant, number))";
    for database in each("fix_composite", schema) {
        unenforced(
            &database,
            "INSERT INTO accounts VALUES (1, 'it''s');
             INSERT INTO bills VALUES (1, 1, 'it''s'), (2, 1, 'gone'), (3, 2, 'it''s');",
        );
        Fix::new(&["ref:bills(tenant,account)"], Cure::Null).apply(&database);
        let bills = lines(&database, "SELECT id, tenant, account FROM bills ORDER BY id");
        assert_eq!(bills, ["1|1|it's", "2|1|NULL", "3|2|NULL"], "{database:?}");
    }
}

#[test]
fn rows_that_others_refer_to_are_not_deleted_whatever_the_key_would_do() {
    for action in ["", " on delete cascade", " on delete set null"] {
        let null = if action.is_empty() { "" } else { " null" };
        let schema = format!(
            "customers(id pk)\norders(id pk, customer_id -> customers.id)\nparts(id pk, order_id -> orders.id{action}{null})"
        );
        for database in each("fix_referenced", &schema) {
            unenforced(
                &database,
                "INSERT INTO orders VALUES (1, 90), (2, 91); INSERT INTO parts VALUES (1, 1), (2, 1), (3, 2);",
            );
            let refused = Fix::new(&["ref:orders.customer_id"], Cure::Delete).refused(&database);
            assert!(
                matches!(&refused, Refusal::Referenced { rows: 3, referencing, .. } if referencing.name == "parts"),
                "{database:?}{action}: {refused}"
            );
        }
    }
}

#[test]
fn a_failure_half_way_rolls_everything_back() {
    for database in each("fix_trigger", SHOP) {
        unenforced(&database, ORPHANS);
        database.run(match database.dialect() {
            "sqlite" => {
                "CREATE TRIGGER guard BEFORE DELETE ON orders WHEN OLD.id = 3 BEGIN SELECT RAISE(ABORT, 'never'); END;"
            }
            "postgres" => {
                "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id = 3 THEN RAISE EXCEPTION 'never'; END IF; RETURN OLD; END $$;
                 CREATE TRIGGER guard BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION guard();"
            }
            _ => {
                "DELIMITER //\nCREATE TRIGGER guard BEFORE DELETE ON orders FOR EACH ROW IF OLD.id = 3 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'never'; END IF //\nDELIMITER ;"
            }
        });
        // The lines go first, and come back.
        let refused = Fix::new(&["ref:parts.order_id", "ref:orders.customer_id"], Cure::Delete).refused(&database);
        assert!(
            matches!(&refused, Refusal::Statement { sql, message } if sql.contains("orders") && message.contains("never")),
            "{database:?}: {refused}"
        );
    }
}

#[test]
fn a_trigger_that_keeps_a_row_is_noticed() {
    let Some(database) = each("fix_kept", SHOP).into_iter().find(|database| database.dialect() == "postgres") else {
        return;
    };
    unenforced(&database, ORPHANS);
    database.run(
        "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER guard BEFORE DELETE ON parts FOR EACH ROW EXECUTE FUNCTION guard();",
    );
    let refused = Fix::new(&["ref:parts.order_id"], Cure::Delete).refused(&database);
    assert!(matches!(refused, Refusal::OtherRows { expected: 2, touched: 0, .. }), "{refused}");
}

#[test]
fn a_mending_that_breaks_another_promise_is_rolled_back() {
    let config = "[[check]]\nkind = \"count\"\non = \"parts\"\nrule = \">= 3\"\n";
    for database in each("fix_worse", SHOP) {
        unenforced(&database, ORPHANS);
        let fix = Fix { config, ..Fix::new(&["ref:parts.order_id"], Cure::Delete) };
        let refused = fix.refused(&database);
        assert!(
            matches!(&refused, Refusal::Worse { id, before: 0, .. } if id.starts_with("count:")),
            "{database:?}: {refused}"
        );
    }
}

#[test]
fn rows_without_a_key_are_named_by_the_database_or_not_at_all() {
    let schema = "customers(id pk)\nvisits(customer_id -> customers.id null, note varchar(9) null)";
    for database in each("fix_nameless", schema) {
        unenforced(
            &database,
            "INSERT INTO customers VALUES (1); INSERT INTO visits VALUES (1, 'a'), (9, 'b'), (9, 'b'), (8, 'c');",
        );
        let fix = Fix::new(&["ref:visits.customer_id"], Cure::Null);
        if database.dialect() == "mysql" {
            assert!(matches!(fix.refused(&database), Refusal::NoRowName { .. }));
            continue;
        }
        fix.apply(&database);
        let visits = lines(&database, "SELECT customer_id, note FROM visits ORDER BY note");
        assert_eq!(visits, ["1|a", "NULL|b", "NULL|b", "NULL|c"], "{database:?}");
    }
}

const TOTALS: &str = "[table.orders]\ntotals = [\"total = sum(parts.quantity * parts.price) by order_id\"]";

fn totals(test_name: &str, decimals: u32) -> Vec<TestDatabase> {
    each(
        test_name,
        &format!(
            "orders(id pk, total decimal({},{decimals}) null)\nparts(id pk, order_id -> orders.id, quantity decimal(6,1), price decimal(6,2))",
            3 + decimals
        ),
    )
}

#[test]
fn totals_take_the_sum_of_their_lines() {
    for database in totals("fix_totals", 2) {
        database.run(
            "INSERT INTO orders VALUES (1, 30.3), (2, 10), (3, NULL), (4, 7), (5, NULL);
             INSERT INTO parts VALUES (1, 1, 3, 10.1), (2, 2, 2, 5.05), (3, 3, 1, 0.2), (4, 3, 1, 0.1);",
        );
        let fix = Fix { config: TOTALS, ..Fix::new(&["total:orders.total"], Cure::Recompute) };
        let mended = fix.apply(&database);
        let expected = ["10.10", "0.30", "0.00"].iter().zip([2, 3, 4]);
        let expected =
            expected.map(|(total, id)| (format!("UPDATE \"orders\" SET \"total\" = {total} WHERE \"id\" = {id}"), 1));
        assert_eq!(statements(&mended), expected.collect::<Vec<_>>(), "{database:?}");
        let orders = lines(
            &database,
            "SELECT id, total = 10.1, total = 0.3, total = 0 FROM orders WHERE id IN (2, 3, 4) ORDER BY id",
        );
        let truth = |line: &str| line.replace('t', "1").replace('f', "0");
        assert_eq!(
            orders.iter().map(|line| truth(line)).collect::<Vec<_>>(),
            ["2|1|0|0", "3|0|1|0", "4|0|0|1"],
            "{database:?}"
        );
    }
}

#[test]
fn a_sum_that_its_column_would_change_is_refused_and_its_row_named() {
    for (decimals, lines, why) in [(2, "(1, 2, 0.1, 0.05)", "round"), (0, "(1, 2, 100, 10)", "so large")] {
        for database in totals("fix_misfit", decimals) {
            database.run(&format!("INSERT INTO orders VALUES (2, 1); INSERT INTO parts VALUES {lines};"));
            let fix = Fix { config: TOTALS, ..Fix::new(&["total:orders.total"], Cure::Recompute) };
            let refused = fix.refused(&database);
            assert!(matches!(&refused, Refusal::DoesNotFit { row, .. } if row == "id=2"), "{database:?}: {refused}");
            assert!(refused.to_string().contains(why), "{database:?}: {refused}");
        }
    }
}

const ITEMS: &str = "items(id pk, sku varchar(9), made date null, parent_id -> items.id null)
    orders(id pk, item_id -> items.id, note varchar(9) null)
    tags(item_id -> items.id, tag varchar(9), pk(item_id, tag))
    hints(id pk, item int null)";

const UNIQUE: &str = "[table.items]\nunique = [\"sku\"]\n[table.hints]\nrefs = [\"item -> items.id\"]";

const TWINS: &str = "INSERT INTO items (id, sku, made, parent_id) VALUES (1, 'a', '2026-01-01', NULL), (3, 'a', '2026-03-01', NULL), (2, 'b', NULL, 3),
        (4, 'a', '2026-02-01', 1), (5, 'c', NULL, 4);
    INSERT INTO orders (id, item_id) VALUES (1, 1), (2, 3), (3, 4), (4, 2);
    INSERT INTO tags VALUES (3, 'x'), (2, 'x');
    INSERT INTO hints VALUES (1, 4), (2, 5), (3, NULL);";

#[test]
fn duplicates_are_merged_into_the_row_that_is_kept_and_references_follow() {
    let by = |descending| Keep::By { column: "made".to_owned(), descending };
    for (keep, kept) in [(Keep::First, 1), (Keep::Last, 4), (by(false), 1), (by(true), 3)] {
        for database in each("fix_merge", ITEMS) {
            database.run(TWINS);
            let fix = Fix { config: UNIQUE, ..Fix::new(&["unique:items.sku"], Cure::Keep(keep.clone())) };
            let mended = fix.apply(&database);
            assert_eq!(mended.mendings[0].found, 3, "{database:?}");
            let k = kept.to_string();
            let expected = |lines: &[&str]| lines.iter().map(|line| line.replace('k', &k)).collect::<Vec<_>>();
            let mut ids = vec!["2".to_owned(), k.clone(), "5".to_owned()];
            ids.sort();
            assert_eq!(lines(&database, "SELECT id FROM items ORDER BY id"), ids, "{database:?} {keep:?}");
            let orders = lines(&database, "SELECT id, item_id FROM orders ORDER BY id");
            assert_eq!(orders, expected(&["1|k", "2|k", "3|k", "4|2"]), "{database:?} {keep:?}");
            let parents = lines(&database, "SELECT id, parent_id FROM items WHERE id IN (2, 5) ORDER BY id");
            assert_eq!(parents, expected(&["2|k", "5|k"]), "{database:?} {keep:?}");
            let tags = lines(&database, "SELECT tag, item_id FROM tags WHERE item_id <> 2");
            assert_eq!(tags, expected(&["x|k"]), "{database:?} {keep:?}");
            let hints = lines(&database, "SELECT id, item FROM hints ORDER BY id");
            assert_eq!(hints, expected(&["1|k", "2|5", "3|NULL"]), "{database:?} {keep:?}");
        }
    }
}

#[test]
fn a_merge_that_collides_with_a_unique_key_is_refused_and_the_key_named() {
    for database in each("fix_collision", ITEMS) {
        database.run(TWINS);
        database.run("INSERT INTO tags VALUES (1, 'x');");
        let fix = Fix { config: UNIQUE, ..Fix::new(&["unique:items.sku"], Cure::Keep(Keep::First)) };
        let refused = fix.refused(&database);
        assert!(
            matches!(&refused, Refusal::Collision { referencing, key, .. } if referencing.name == "tags" && key == "item_id"),
            "{database:?}: {refused}"
        );
        let named = if database.dialect() == "postgres" { "tags_pkey" } else { "tags" };
        assert!(refused.to_string().contains(named), "{database:?}: {refused}");
    }
}

#[test]
fn a_tie_is_no_order() {
    for database in each("fix_tie", ITEMS) {
        database.run(
            "INSERT INTO items (id, sku, made) VALUES (1, 'a', '2026-01-01'), (2, 'a', '2026-01-01'), (3, 'a', NULL);",
        );
        let keep = |column: &str| Cure::Keep(Keep::By { column: column.to_owned(), descending: true });
        let fix = |column| Fix { config: UNIQUE, ..Fix::new(&["unique:items.sku"], keep(column)) };
        let refused = fix("made").refused(&database);
        assert!(matches!(&refused, Refusal::Tie { rows, .. } if rows == "id=1, id=2"), "{database:?}: {refused}");
        assert!(matches!(fix("maed").refused(&database), Refusal::UnknownColumn { .. }), "{database:?}");
    }
}

#[test]
fn a_counter_behind_its_column_is_put_past_it() {
    for database in each("fix_numbering", "items(id pk, name varchar(9))") {
        let fix = Fix::new(&["numbering:items.id"], Cure::Renumber);
        match database.dialect() {
            // SQLite takes the higher of counter and column; without AUTOINCREMENT there is no counter at all.
            "sqlite" => {
                assert!(matches!(fix.refused(&database), Refusal::NoCounter { .. }));
                continue;
            }
            "postgres" => database.run("INSERT INTO items (id, name) VALUES (41, 'a');"),
            // InnoDB's counter follows by itself.
            _ => {
                database.run("INSERT INTO items (name) VALUES ('a'); UPDATE items SET id = 41;");
                assert_eq!(fix.apply(&database).mendings[0].found, 0);
                continue;
            }
        }
        let mended = fix.apply(&database);
        assert_eq!(
            (mended.mendings[0].found, mended.mendings[0].statements.len()),
            (1, 1),
            "{database:?}: {mended:#?}"
        );
        database.run("INSERT INTO items (name) VALUES ('next');");
        assert_eq!(database.value("SELECT id FROM items WHERE name = 'next'"), "42", "{database:?}");
        assert_eq!(fix.apply(&database).mendings[0].found, 0, "{database:?}");
    }
}

#[test]
fn a_cure_for_something_else_is_a_mistake_of_the_command_line() {
    for database in each("fix_usage", SHOP) {
        for (id, cure) in [
            ("ref:orders.customer_id", Cure::Recompute),
            ("ref:orders.customer_id", Cure::Renumber),
            ("ref:orders.customer_id", Cure::Keep(Keep::First)),
            ("not_null:orders.id", Cure::Delete),
            ("numbering:orders.id", Cure::Null),
            ("ref:orders.custmer_id", Cure::Delete),
        ] {
            let refused = Fix::new(&[id], cure).refused(&database);
            assert!(refused.is_usage(), "{database:?} {id}: {refused}");
        }
    }
}

#[test]
fn a_part_that_another_reference_needs_stays() {
    let schema = "tenant(id pk)
        cust(tenant_id int, id int, pk(tenant_id, id))
        ord(id pk, tenant_id -> tenant.id null, cust_id int null, (tenant_id, cust_id) -> cust(tenant_id, id))";
    for database in each("fix_null_shared", schema) {
        database.run("INSERT INTO tenant VALUES (1); INSERT INTO cust VALUES (1, 1);");
        unenforced(&database, "INSERT INTO ord VALUES (1, 1, 1), (2, 1, 99);");
        Fix::new(&["ref:ord(tenant_id,cust_id)"], Cure::Null).apply(&database);
        let left = lines(&database, "SELECT id, tenant_id, coalesce(cust_id, -1) FROM ord ORDER BY id");
        assert_eq!(left, ["1|1|1", "2|1|-1"], "{database:?}: the order keeps its tenant");
    }
}
