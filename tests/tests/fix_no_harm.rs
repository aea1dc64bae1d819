//! What `relink fix` must not do: take rows along that nobody named, go by what others are changing, mend what may stay, name a row by half its key.

use std::{sync::mpsc, time::Duration};

use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_e2e::{Fix, Role, each, lines, statements, unenforced};
use relink_testkit::TestDatabase;
use relink_validate::fix::{Cure, Keep, Refusal};

const UNIQUE: &str = "[table.u]\nunique = [\"email\"]\n";

/// Databases in which one text column compares without case, and the other one, on SQLite, with it.
fn case_blind(test_name: &str) -> Vec<TestDatabase> {
    let blind = |database: &TestDatabase| match database.dialect() {
        "sqlite" => Some(" COLLATE NOCASE"),
        "mysql" => Some(" COLLATE utf8mb4_general_ci"),
        _ => None,
    };
    let all = TestDatabase::each(test_name).into_iter();
    all.filter_map(|database| {
        let parent = blind(&database)?;
        let child = if database.dialect() == "sqlite" { "" } else { parent };
        database.run(&format!(
            "CREATE TABLE region (id integer PRIMARY KEY);
             CREATE TABLE u (code varchar(9){parent} PRIMARY KEY, email varchar(9), tag varchar(9){parent}, region_id integer,
                 FOREIGN KEY (region_id) REFERENCES region (id));
             CREATE TABLE o (id integer PRIMARY KEY, u varchar(9){child}, FOREIGN KEY (u) REFERENCES u (code) ON DELETE CASCADE);"
        ));
        Some(database)
    })
    .collect()
}

#[test]
fn references_are_seen_as_the_constraint_sees_them() {
    for database in case_blind("fix_case") {
        unenforced(
            &database,
            "INSERT INTO u (code, region_id) VALUES ('ABC', 99); INSERT INTO o VALUES (1, 'abc'), (2, 'Abc');",
        );
        let refused = Fix::new(&["ref:u.region_id"], Cure::Delete).refused(&database);
        assert!(
            matches!(&refused, Refusal::Referenced { rows: 2, referencing, .. } if referencing.name == "o"),
            "{database:?}: {refused}"
        );
    }
}

#[test]
fn a_merge_takes_every_reference_along_that_the_constraint_sees() {
    for database in case_blind("fix_case_merge") {
        database.run(
            "INSERT INTO u (code, email) VALUES ('AAA', 'x'), ('bbb', 'x');
             INSERT INTO o VALUES (1, 'bbb'), (2, 'BBB'), (3, 'aaa');",
        );
        let fix = Fix { config: UNIQUE, ..Fix::new(&["unique:u.email"], Cure::Keep(Keep::First)) };
        fix.apply(&database);
        assert_eq!(lines(&database, "SELECT id, u FROM o ORDER BY id"), ["1|AAA", "2|AAA", "3|aaa"], "{database:?}");
    }
}

#[test]
fn a_tie_is_what_the_database_holds_for_equal() {
    for database in case_blind("fix_case_tie") {
        database.run("INSERT INTO u (code, email, tag) VALUES ('a', 'x', 'k'), ('b', 'x', 'K'), ('c', 'x', 'm');");
        let keep = |descending| Cure::Keep(Keep::By { column: "tag".to_owned(), descending });
        let fix = |descending| Fix { config: UNIQUE, ..Fix::new(&["unique:u.email"], keep(descending)) };
        let refused = fix(false).refused(&database);
        assert!(matches!(&refused, Refusal::Tie { rows, .. } if rows == "code=a, code=b"), "{database:?}: {refused}");
        fix(true).apply(&database);
        assert_eq!(lines(&database, "SELECT code FROM u"), ["c"], "{database:?}");
    }
}

const CHAIN: &str = "p(id pk)\nc(id pk, p_id -> p.id null, n int null)\ng(id pk, c_id -> c.id null)";

/// A trigger on `c`, after each DELETE.
fn after_delete(database: &TestDatabase, statement: &str) {
    database.run(&match database.dialect() {
        "postgres" => format!(
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NULL; END $$;
             CREATE TRIGGER meddle AFTER DELETE ON c FOR EACH STATEMENT EXECUTE FUNCTION meddle();"
        ),
        "sqlite" => format!("CREATE TRIGGER meddle AFTER DELETE ON c BEGIN {statement}; END;"),
        _ => format!("CREATE TRIGGER meddle AFTER DELETE ON c FOR EACH ROW {statement};"),
    });
}

#[test]
fn rows_and_references_that_go_along_are_noticed() {
    for (statement, what) in [("DELETE FROM g WHERE id = 7", "rows"), ("UPDATE g SET c_id = NULL", "references")] {
        for database in each("fix_along", CHAIN) {
            unenforced(&database, "INSERT INTO c VALUES (1, 9, 0), (2, NULL, 0); INSERT INTO g VALUES (7, 2);");
            after_delete(&database, statement);
            let refused = Fix::new(&["ref:c.p_id"], Cure::Delete).refused(&database);
            assert!(
                matches!(&refused, Refusal::TakenAlong { before: 1, after: 0, what: found, .. } if *found == what),
                "{database:?}: {refused}"
            );
        }
    }
}

#[test]
fn a_failing_row_in_place_of_another_is_no_improvement() {
    let config = "[[check]]\nid = \"positive\"\nkind = \"row\"\non = \"c\"\ncondition = \"n >= 0\"\n";
    for database in each("fix_in_place", CHAIN) {
        // MySQL lets no trigger change its own table.
        if database.dialect() == "mysql" {
            continue;
        }
        unenforced(&database, "INSERT INTO c VALUES (1, 9, 0), (2, NULL, -1), (3, NULL, 1);");
        after_delete(&database, "UPDATE c SET n = CASE id WHEN 2 THEN 1 ELSE -1 END");
        let fix = Fix { config, ..Fix::new(&["ref:c.p_id"], Cure::Delete) };
        let refused = fix.refused(&database);
        assert!(
            matches!(&refused, Refusal::Worse { before: 1, after: 1, new, .. } if new == "id=3"),
            "{database:?}: {refused}"
        );
    }
}

#[test]
fn rows_whose_key_would_change_under_a_reference_stay_as_they_are() {
    for action in ["SET NULL", "CASCADE"] {
        for database in TestDatabase::each("fix_under") {
            database.run(&format!(
                "CREATE TABLE u (id integer PRIMARY KEY, email varchar(9));
                 CREATE TABLE profiles (user_id integer PRIMARY KEY, FOREIGN KEY (user_id) REFERENCES u (id));
                 CREATE TABLE photos (id integer PRIMARY KEY, profile_id integer,
                     FOREIGN KEY (profile_id) REFERENCES profiles (user_id) ON UPDATE {action});
                 CREATE TABLE names (name varchar(9) PRIMARY KEY);
                 CREATE TABLE c (id integer PRIMARY KEY, name varchar(9) UNIQUE, FOREIGN KEY (name) REFERENCES names (name));
                 CREATE TABLE logins (id integer PRIMARY KEY, name varchar(9),
                     FOREIGN KEY (name) REFERENCES c (name) ON UPDATE {action});"
            ));
            unenforced(
                &database,
                "INSERT INTO u VALUES (1, 'x'), (2, 'x'); INSERT INTO profiles VALUES (2); INSERT INTO photos VALUES (1, 2);
                 INSERT INTO c VALUES (1, 'gone'); INSERT INTO logins VALUES (1, 'gone');",
            );
            let refused = Fix::new(&["ref:c.name"], Cure::Null).refused(&database);
            assert!(
                matches!(&refused, Refusal::Referenced { rows: 1, referencing, how: "changed", .. } if referencing.name == "logins"),
                "{database:?}: {refused}"
            );
            let merge = Fix { config: UNIQUE, ..Fix::new(&["unique:u.email"], Cure::Keep(Keep::First)) };
            if action == "CASCADE" {
                // What follows by itself still refers to the same row.
                merge.apply(&database);
                assert_eq!(lines(&database, "SELECT profile_id FROM photos"), ["1"], "{database:?}");
            } else {
                let refused = merge.refused(&database);
                assert!(
                    matches!(&refused, Refusal::Referenced { rows: 1, referencing, .. } if referencing.name == "photos"),
                    "{database:?}: {refused}"
                );
            }
        }
    }
}

#[test]
fn tables_of_another_database_are_not_forgotten() {
    let (Some(database), Some(other)) = (TestDatabase::mysql("fix_inside"), TestDatabase::mysql("fix_outside")) else {
        return;
    };
    let name = database.value("SELECT DATABASE()");
    database.run(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int, FOREIGN KEY (p_id) REFERENCES p (id));",
    );
    other.run(&format!(
        "CREATE TABLE g (id int PRIMARY KEY, c_id int, FOREIGN KEY (c_id) REFERENCES {name}.c (id) ON DELETE CASCADE);"
    ));
    unenforced(&database, "INSERT INTO c VALUES (1, 9), (2, 9);");
    other.run("INSERT INTO g VALUES (1, 2);");
    let refused = Fix::new(&["ref:c.p_id"], Cure::Delete).refused(&database);
    assert!(
        matches!(&refused, Refusal::Referenced { rows: 1, referencing, .. } if referencing.name == "g"),
        "{refused}"
    );
    Fix { condition: Some("id = 1"), ..Fix::new(&["ref:c.p_id"], Cure::Delete) }.apply(&database);
    other.run("DROP TABLE g;");
}

#[test]
fn rows_of_one_table_that_refer_to_each_other_go_however_many_they_are() {
    for database in each("fix_chain", "p(id pk)\ne(id pk, boss -> e.id null, p_id -> p.id null)") {
        let chain = (1..=600)
            .map(|id| format!("({id}, {}, 99)", if id == 1 { "NULL".to_owned() } else { (id - 1).to_string() }));
        let chain = chain.collect::<Vec<_>>().join(", ");
        unenforced(&database, &format!("INSERT INTO e VALUES {chain};"));
        Fix::new(&["ref:e.p_id"], Cure::Delete).apply(&database);
        assert_eq!(database.value("SELECT count(*) FROM e"), "0", "{database:?}");
        unenforced(&database, "INSERT INTO e VALUES (1, 2, 99), (2, 3, 99), (3, 1, 99), (4, 3, 99);");
        let circle = Fix::new(&["ref:e.p_id"], Cure::Delete);
        if database.dialect() == "mysql" {
            // InnoDB looks at each row by itself, so that nothing ends a circle.
            assert!(matches!(circle.refused(&database), Refusal::Statement { .. }));
        } else {
            let rows: Vec<u64> = statements(&circle.apply(&database)).into_iter().map(|(_, rows)| rows).collect();
            assert_eq!(rows, [1, 3], "{database:?}");
        }
    }
}

#[test]
fn long_keys_are_named_whole() {
    let long = "x".repeat(600);
    for database in each("fix_long", "p(id pk)\nc(k varchar(700), p_id -> p.id null, pk(k))") {
        unenforced(&database, &format!("INSERT INTO c VALUES ('{long}', 9), ('y{long}', 9);"));
        let cut = format!("{}... (600 characters)", &long[..500]);
        let config = format!("[[allow]]\ncheck = \"ref:c.p_id\"\nkeys = [\"{cut}\"]\nwhy = \"as a report names it\"\n");
        Fix { config: &config, ..Fix::new(&["ref:c.p_id"], Cure::Delete) }.apply(&database);
        assert_eq!(lines(&database, "SELECT k FROM c"), [long.as_str()], "{database:?}");
    }
}

#[test]
fn what_is_allowed_to_stay_stays() {
    for database in each("fix_allowed", CHAIN) {
        unenforced(&database, "INSERT INTO c VALUES (17, 99, 0), (18, 99, 0), (19, 99, 0);");
        let config = "[[allow]]\ncheck = \"ref:c.*\"\nkeys = [17]\nwhy = \"legal hold\"\n";
        let fix = Fix { config, condition: Some("id <> 18"), ..Fix::new(&["ref:c.p_id"], Cure::Delete) };
        let mending = &fix.apply(&database).mendings[0];
        assert_eq!(
            (mending.found, mending.allowed, mending.chosen, mending.remaining),
            (3, 1, 1, Some(2)),
            "{database:?}"
        );
        assert_eq!(lines(&database, "SELECT id FROM c ORDER BY id"), ["17", "18"], "{database:?}");
        let config = format!("{config}until = 2020-01-01\n");
        let lapsed = Fix { config: &config, ..Fix::new(&["ref:c.p_id"], Cure::Delete) }.apply(&database);
        assert!(lapsed.warnings[0].contains("has lapsed on 2020-01-01"), "{:?}", lapsed.warnings);
        assert_eq!(lines(&database, "SELECT id FROM c"), [""; 0], "{database:?}");
    }
    for database in each("fix_allowed_group", "u(id pk, email varchar(9))") {
        database.run("INSERT INTO u VALUES (1, 'x'), (2, 'x'), (3, 'y'), (4, 'y');");
        let config = format!("{UNIQUE}[[allow]]\ncheck = \"unique:u.email\"\nkeys = [2]\nwhy = \"a twin\"\n");
        Fix { config: &config, ..Fix::new(&["unique:u.email"], Cure::Keep(Keep::First)) }.apply(&database);
        assert_eq!(lines(&database, "SELECT id FROM u ORDER BY id"), ["1", "2", "3"], "{database:?}");
    }
}

#[test]
fn messages_hide_what_is_masked_and_statements_name_what_they_need() {
    for database in each(
        "fix_masked",
        "u(id pk, email varchar(9), tag varchar(9) null)\no(id pk, u_id -> u.id, tag varchar(9) null)",
    ) {
        database.run("INSERT INTO u VALUES (7001, 'x', 'k'), (7002, 'x', 'k');");
        let config = format!("[run]\nmask = [\"u.id\"]\n{UNIQUE}");
        let keep = Cure::Keep(Keep::By { column: "tag".to_owned(), descending: false });
        let refused = Fix { config: &config, ..Fix::new(&["unique:u.email"], keep) }.refused(&database).to_string();
        assert!(refused.contains("•••") && !refused.contains("700"), "{database:?}: {refused}");
        let mended = Fix { config: &config, ..Fix::new(&["unique:u.email"], Cure::Keep(Keep::First)) }.apply(&database);
        assert_eq!(statements(&mended), [("DELETE FROM \"u\" WHERE \"id\" = 7002".to_owned(), 1)], "{database:?}");
    }
}

#[test]
fn a_check_that_cannot_be_made_is_no_check_that_passes() {
    let config = "[[check]]\nid = \"broken\"\nkind = \"sql\"\nsql = \"SELECT 1 FROM nowhere\"\n";
    for database in each("fix_unmeasured", CHAIN) {
        unenforced(&database, "INSERT INTO c VALUES (1, 9, 0);");
        let refused = Fix { config, ..Fix::new(&["ref:c.p_id"], Cure::Delete) }.refused(&database);
        assert!(matches!(&refused, Refusal::NotMeasured { id, .. } if id == "broken"), "{database:?}: {refused}");
    }
}

#[test]
fn rows_that_a_policy_hides_make_no_orphans() {
    let Some(database) = each("fix_policy", CHAIN).into_iter().find(|database| database.dialect() == "postgres") else {
        return;
    };
    database.run(
        "INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1, 0), (2, 2, 0);
         ALTER TABLE p ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON p USING (id = 1);",
    );
    let role = Role::new(&database);
    role.grant("ALL", &["p", "c", "g"]);
    let fix = Fix { url: Some(role.url()), ..Fix::new(&["ref:c.p_id"], Cure::Delete) };
    let refused = fix.refused(&database);
    assert!(matches!(&refused, Refusal::NotMeasured { .. }), "{refused}");
}

#[test]
fn a_schema_that_changed_since_it_was_read_is_not_worked_on() {
    for database in each("fix_schema", CHAIN) {
        unenforced(&database, "INSERT INTO c VALUES (1, 9, 0);");
        let meanwhile = "CREATE TABLE h (id integer PRIMARY KEY, c_id integer, FOREIGN KEY (c_id) REFERENCES c (id) ON DELETE CASCADE);";
        let fix = Fix { meanwhile, ..Fix::new(&["ref:c.p_id"], Cure::Delete) };
        let mended = fix.run(&database, true);
        assert!(matches!(mended.refusal, Some(Refusal::OtherSchema)), "{database:?}: {mended:?}");
        assert_eq!(lines(&database, "SELECT id FROM c"), ["1"], "{database:?}");
    }
}

/// Runs statements in a transaction of its own, and commits some time after `work` has begun.
fn beside(database: &TestDatabase, statements: &[&str], work: impl FnOnce()) {
    let url: DatabaseUrl = database.url().parse().expect("a database URL");
    let statements: Vec<String> = statements.iter().map(|sql| (*sql).to_owned()).collect();
    let (written, begin) = mpsc::channel();
    let other = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        runtime.block_on(async {
            let mut connection = relink_db::connect(&url, Access::ReadWrite).await.expect("connects");
            connection.begin(TransactionKind::Write).await.expect("begins");
            for sql in &statements {
                connection.execute(sql, &[]).await.expect("is written");
            }
            written.send(()).expect("somebody waits");
            // Time for the mending to read what is not committed yet; whatever it has read by then, the outcome must be right.
            tokio::time::sleep(Duration::from_secs(1)).await;
            connection.commit().await.expect("commits");
        });
    });
    begin.recv().expect("the other one has written");
    work();
    other.join().expect("the other one ends well");
}

#[test]
fn what_others_are_writing_is_waited_for() {
    let schema = "h(id pk, total decimal(8,2))\nl(id pk, h_id -> h.id, amount decimal(8,2))";
    let config = "[table.h]\ntotals = [\"total = sum(l.amount) by h_id\"]\n";
    for database in each("fix_race_total", schema) {
        database.run("INSERT INTO h VALUES (1, 9); INSERT INTO l VALUES (1, 1, 10);");
        let statements = ["UPDATE h SET total = 15 WHERE id = 1", "INSERT INTO l VALUES (2, 1, 5)"];
        beside(&database, &statements, || {
            Fix { config, ..Fix::new(&["total:h.total"], Cure::Recompute) }.run(&database, true);
        });
        assert_eq!(database.value("SELECT count(*) FROM h WHERE total = 15"), "1", "{database:?}");
    }
    for database in each("fix_race_parent", CHAIN) {
        unenforced(&database, "INSERT INTO c VALUES (1, 9, 0);");
        beside(&database, &["INSERT INTO p VALUES (9)"], || {
            Fix::new(&["ref:c.p_id"], Cure::Delete).run(&database, true);
        });
        assert_eq!(lines(&database, "SELECT id FROM c"), ["1"], "{database:?}");
    }
}
