//! Orphans.

use std::collections::BTreeSet;

use relink_model::{Severity, config::Config};
use relink_testkit::{TestDatabase, schema};
use relink_validate::Status;

use crate::validated::{catalog_of, check, counts, keys, options, samples, troubles, validate, validate_both};

/// A script that loads past enforcement: the three ways in which real databases come to hold orphans.
fn unenforced(database: &TestDatabase, sql: &str) {
    let (before, after) = match database.dialect() {
        "sqlite" => ("PRAGMA foreign_keys = OFF;", ""),
        "postgres" => ("SET session_replication_role = replica;", ""),
        _ => ("SET foreign_key_checks = 0;", "SET foreign_key_checks = 1;"),
    };
    database.run(&format!("{before}\n{sql}\n{after}"));
}

fn create(database: &TestDatabase, text: &str) {
    database.run(&schema(text).ddl(database.dialect()));
}

#[tokio::test]
async fn orphans_of_a_declared_and_validated_key_are_found_although_the_database_vouches_for_it() {
    for database in TestDatabase::each("validate_orphans") {
        create(&database, "customers(id pk, name text)\norders(id pk, customer_id -> customers.id null)");
        unenforced(
            &database,
            "INSERT INTO customers (id, name) VALUES (1, 'a');
             INSERT INTO orders (id, customer_id) VALUES (1, 1), (2, 90017), (3, 90017), (4, 90018), (5, NULL);",
        );
        let report = validate(&database, "").await;
        assert_eq!(troubles(&report), ["ref:orders.customer_id"], "{}", database.dialect());
        let found = check(&report, "ref:orders.customer_id");
        assert_eq!(counts(&report, &found.id), (3, 2, 1));
        assert_eq!((found.counts.total, found.severity, found.truncated), (5, Severity::Error, false));
        assert_eq!(
            samples(&report, &found.id),
            ["id=2 | customer_id=90017", "id=3 | customer_id=90017", "id=4 | customer_id=90018"]
        );
        assert!(found.why.as_deref().is_some_and(|why| why.contains("counts as validated")), "{:?}", found.why);
        let frequent: Vec<_> =
            found.frequent.iter().map(|one| (one.values["customer_id"].as_deref(), one.rows)).collect();
        assert_eq!(frequent, [(Some("90017"), 2), (Some("90018"), 1)]);
        assert_eq!(database.rows(found.sql.as_deref().expect("SQL")).len(), 3, "the SQL shows the rows");
    }
}

#[tokio::test]
async fn a_half_null_composite_key_is_no_orphan_under_match_simple() {
    for database in TestDatabase::each("validate_simple") {
        create(&database, "p(a int, b int, pk(a, b))\nc(id pk, x int null, y int null, (x, y) -> p(a, b))");
        unenforced(
            &database,
            "INSERT INTO p VALUES (1, 1);
             INSERT INTO c VALUES (1, 1, 1), (2, 1, NULL), (3, 9, NULL), (4, NULL, NULL), (5, 1, 9);",
        );
        let report = validate(&database, "").await;
        assert_eq!(counts(&report, "ref:c(x,y)"), (1, 1, 3), "{}", database.dialect());
        assert_eq!(samples(&report, "ref:c(x,y)"), ["id=5 | x=1 y=9"]);
    }
}

#[tokio::test]
async fn a_half_null_composite_key_violates_match_full() {
    let Some(database) = TestDatabase::postgres("validate_full") else { return };
    create(&database, "p(a int, b int, pk(a, b))\nc(id pk, x int null, y int null, (x, y) -> p(a, b) match full)");
    unenforced(
        &database,
        "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, NULL), (4, 9, 9);",
    );
    let report = validate(&database, "").await;
    assert_eq!(counts(&report, "ref:c(x,y)"), (2, 2, 1));
    assert_eq!(samples(&report, "ref:c(x,y)"), ["id=2 | x=1 y=NULL", "id=4 | x=9 y=9"]);
}

#[tokio::test]
async fn a_null_in_the_referenced_key_hides_no_orphan() {
    for database in TestDatabase::each("validate_null_parent") {
        create(&database, "p(id pk, code int null unique)\nc(id pk, code -> p.code null)");
        unenforced(
            &database,
            "INSERT INTO p VALUES (1, 1), (2, NULL); INSERT INTO c VALUES (1, 1), (2, 7), (3, NULL);",
        );
        assert_eq!(counts(&validate(&database, "").await, "ref:c.code"), (1, 1, 1), "{}", database.dialect());
    }
}

#[tokio::test]
async fn orphans_that_all_hold_zero_or_the_empty_text_are_called_a_sentinel() {
    for database in TestDatabase::each("validate_sentinel") {
        create(&database, "p(id pk)\nt(code varchar(9) pk)\nc(id pk, p -> p.id, t -> t.code)");
        unenforced(&database, "INSERT INTO c VALUES (1, 0, ''), (2, 0, '');");
        let report = validate(&database, "").await;
        for id in ["ref:c.p", "ref:c.t"] {
            assert_eq!(counts(&report, id), (2, 1, 0));
            let notes = &check(&report, id).notes;
            assert!(notes.iter().any(|note| note.contains("stands for \"none\"")), "{notes:?}");
        }
    }
}

#[tokio::test]
async fn a_row_that_references_itself_is_fine_and_so_is_a_cycle_of_rows() {
    for database in TestDatabase::each("validate_self") {
        create(&database, "t(id pk, parent -> t.id null)");
        unenforced(&database, "INSERT INTO t VALUES (1, 1), (2, 3), (3, 2), (4, NULL), (5, 99);");
        assert_eq!(samples(&validate(&database, "").await, "ref:t.parent"), ["id=5 | parent=99"]);
    }
}

#[tokio::test]
async fn two_relations_that_reference_each_other_are_both_judged() {
    for database in TestDatabase::each("validate_mutual") {
        create(&database, "a(id pk, b -> b.id null)\nb(id pk, a -> a.id null)");
        unenforced(&database, "INSERT INTO a VALUES (1, 1), (2, 8); INSERT INTO b VALUES (1, 1), (2, 9);");
        let report = validate(&database, "").await;
        assert_eq!(troubles(&report), ["ref:a.b", "ref:b.a"]);
    }
}

#[tokio::test]
async fn a_key_to_unique_columns_in_another_order_pairs_them_by_position() {
    // InnoDB does not allow it.
    for database in [Some(TestDatabase::sqlite()), TestDatabase::postgres("validate_order")].into_iter().flatten() {
        create(&database, "p(id pk, x int, y int, unique(y, x))\nc(id pk, x int, y int, (x, y) -> p(x, y))");
        unenforced(&database, "INSERT INTO p VALUES (1, 1, 2); INSERT INTO c VALUES (1, 1, 2), (2, 2, 1);");
        let report = validate(&database, "").await;
        assert_eq!(samples(&report, "ref:c(x,y)"), ["id=2 | x=2 y=1"], "{}", database.dialect());
    }
}

#[tokio::test]
async fn a_virtual_reference_is_judged_like_a_declared_one() {
    for database in TestDatabase::each("validate_virtual") {
        create(&database, "p(id pk, code varchar(9) unique)\nc(id pk, code varchar(9) null)");
        database.run("INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (1, 'a'), (2, 'z'), (3, NULL);");
        let report = validate(&database, "[table.c]\nrefs = [\"code -> p.code\"]").await;
        assert_eq!(troubles(&report), ["ref:c.code"]);
        assert_eq!(samples(&report, "ref:c.code"), ["id=2 | code=z"]);
    }
}

#[tokio::test]
async fn identifiers_are_quoted_whatever_they_hold() {
    for database in TestDatabase::each("validate_quoting") {
        create(
            &database,
            "\"order\"(\"select\" pk)\n\"Bad Lines ☃\"(id pk, \"a \"\"b` c\" -> \"order\".\"select\" null, \"from\" int)",
        );
        let quote = |name: &str| match database.dialect() {
            "mysql" => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        };
        unenforced(&database, &format!("INSERT INTO {} VALUES (1, 5, -1);", quote("Bad Lines ☃")));
        let config = "[table.\"Bad Lines ☃\"]\nmin = { from = 0 }";
        let report = validate(&database, config).await;
        assert_eq!(troubles(&report), ["ref:Bad Lines ☃.a \"b` c", "min:Bad Lines ☃.from"]);
    }
}

#[tokio::test]
async fn counts_are_exact_where_samples_are_capped() {
    for database in TestDatabase::each("validate_capped") {
        create(&database, "p(id pk)\nc(id pk, p -> p.id)");
        let rows: Vec<String> = (1..=57).map(|id| format!("({id}, {})", 1000 + id % 3)).collect();
        unenforced(&database, &format!("INSERT INTO c VALUES {};", rows.join(", ")));
        let report = crate::validated::validate_with(&database, "", 5).await.expect("a report");
        assert_eq!(counts(&report, "ref:c.p"), (57, 3, 0));
        let found = check(&report, "ref:c.p");
        assert_eq!((found.samples.len(), found.truncated), (5, true));
    }
}

#[tokio::test]
async fn a_key_to_a_missing_relation_is_a_schema_finding_and_complete_references_are_orphans() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES gone (id)); INSERT INTO c VALUES (1, NULL), (2, 5);");
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["ref:c.p", "schema:ref:c.p"]);
    assert_eq!(counts(&report, "ref:c.p"), (1, 1, 1));
    assert_eq!(check(&report, "schema:ref:c.p").severity, Severity::Warning);
}

#[tokio::test]
async fn a_key_to_columns_that_are_not_unique_is_a_schema_finding_and_the_other_relations_are_still_judged() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, x INTEGER);
         CREATE TABLE bad (id INTEGER PRIMARY KEY, x INTEGER REFERENCES p (x));
         CREATE TABLE worse (id INTEGER PRIMARY KEY, x INTEGER REFERENCES p (nowhere));
         CREATE TABLE good (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
         INSERT INTO p VALUES (1, 7), (2, 7);
         INSERT INTO bad VALUES (1, 7), (2, 8);
         INSERT INTO worse VALUES (1, 7);
         INSERT INTO good VALUES (1, 1), (2, 3);",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["ref:bad.x", "schema:ref:bad.x", "ref:good.p", "schema:ref:worse.x"]);
    assert_eq!(samples(&report, "ref:bad.x"), ["id=2 | x=8"], "counted once, although 7 stands there twice");
    assert_eq!(samples(&report, "ref:good.p"), ["id=2 | p=3"]);
}

#[tokio::test]
async fn an_innodb_key_to_a_column_that_is_not_unique_counts_each_row_once() {
    let Some(database) = TestDatabase::mysql("validate_nonunique") else { return };
    database.run(
        "CREATE TABLE p (id INT PRIMARY KEY, x INT, KEY (x)) ENGINE=InnoDB;
         CREATE TABLE c (id INT PRIMARY KEY, x INT, FOREIGN KEY (x) REFERENCES p (x)) ENGINE=InnoDB;
         INSERT INTO p VALUES (1, 7), (2, 7);
         SET foreign_key_checks = 0; INSERT INTO c VALUES (1, 7), (2, 8);",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["ref:c.x", "schema:ref:c.x"]);
    assert_eq!(counts(&report, "ref:c.x"), (1, 1, 0));
}

#[tokio::test]
async fn text_in_a_key_of_sqlite_is_compared_by_affinity_and_the_type_mismatch_is_a_warning() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p (id));
         INSERT INTO p VALUES (1);
         INSERT INTO c VALUES (1, '01'), (2, ' 1'), (3, '1.0'), (4, '');",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["ref:c.p", "schema:ref:c.p"]);
    assert_eq!(samples(&report, "ref:c.p"), ["id=4 | p="]);
    assert_eq!(check(&report, "schema:ref:c.p").severity, Severity::Warning);
    assert_eq!(database.rows("PRAGMA foreign_key_check").len(), 1, "SQLite itself agrees");
}

#[tokio::test]
async fn bytes_do_not_match_the_text_they_spell_and_reals_match_equal_integers_only() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (code TEXT PRIMARY KEY NOT NULL);
         CREATE TABLE n (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, code REFERENCES t (code), n REAL REFERENCES n (id));
         INSERT INTO t VALUES ('a'); INSERT INTO n VALUES (1), (9007199254740993);
         INSERT INTO c VALUES (1, x'61', 1.0), (2, 'a', 1.5), (3, NULL, 9007199254740993);",
    );
    let report = validate(&database, "").await;
    assert_eq!(samples(&report, "ref:c.code"), ["id=1 | code=x'61'"]);
    assert_eq!(samples(&report, "ref:c.n"), ["id=2 | n=1.5", "id=3 | n=9007199254740992.0"]);
}

#[tokio::test]
async fn an_orphan_without_a_rowid_is_named_by_its_primary_key() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (a TEXT, b INTEGER, p INTEGER REFERENCES p, PRIMARY KEY (b, a)) WITHOUT ROWID;
         CREATE TABLE keyless (p INTEGER REFERENCES p);
         INSERT INTO c VALUES ('x', 1, 5); INSERT INTO keyless VALUES (NULL), (6);",
    );
    let report = validate(&database, "").await;
    assert_eq!(samples(&report, "ref:c.p"), ["b=1 a=x | p=5"]);
    assert_eq!(samples(&report, "ref:keyless.p"), ["rowid=2 | p=6"]);
}

#[tokio::test]
async fn a_key_that_is_not_valid_over_clean_rows_is_untrusted_and_no_orphan() {
    let Some(database) = TestDatabase::postgres("validate_not_valid") else { return };
    database.run(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, q int);
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 1), (2, NULL, 2);
         ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p NOT VALID;
         ALTER TABLE c ADD FOREIGN KEY (q) REFERENCES p NOT VALID;
         ALTER TABLE c ADD CONSTRAINT small CHECK (id < 2) NOT VALID;",
    );
    let report = validate(&database, "").await;
    assert_eq!(
        troubles(&report),
        ["ref:c.q", "check:c.small", "trust:ref:c.p", "trust:ref:c.q", "trust:check:c.small"]
    );
    assert_eq!(check(&report, "trust:ref:c.p").severity, Severity::Warning);
    assert_eq!(check(&report, "ref:c.p").status, Status::Pass);
}

#[tokio::test]
async fn a_key_across_namespaces_joins_the_relation_that_it_declares() {
    let Some(database) = TestDatabase::postgres("validate_namespaces") else { return };
    database.run(
        "CREATE SCHEMA s1; CREATE SCHEMA s2;
         CREATE TABLE s1.users (id int PRIMARY KEY); CREATE TABLE s2.users (id int PRIMARY KEY);
         CREATE TABLE s2.orders (id int PRIMARY KEY, user_id int REFERENCES s1.users);
         INSERT INTO s1.users VALUES (1); INSERT INTO s2.users VALUES (2);
         SET session_replication_role = replica; INSERT INTO s2.orders VALUES (1, 1), (2, 2);",
    );
    let report = validate(&database, "").await;
    assert_eq!(samples(&report, "ref:s2.orders.user_id"), ["id=2 | user_id=2"]);
}

#[tokio::test]
async fn a_partitioned_relation_is_one_relation_with_one_finding() {
    let Some(database) = TestDatabase::postgres("validate_partitions") else { return };
    database.run(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p) PARTITION BY RANGE (id);
         CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (10);
         CREATE TABLE c2 PARTITION OF c FOR VALUES FROM (10) TO (20);
         INSERT INTO p VALUES (1), (11);
         SET session_replication_role = replica; INSERT INTO c VALUES (1, 1), (2, 11), (12, 5);",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["ref:c.p"]);
    assert_eq!(check(&report, "ref:c.p").counts.total, 3, "each row counts once");
    assert_eq!(samples(&report, "ref:c.p"), ["id=12 | p=5"]);
}

#[tokio::test]
async fn padding_is_compared_as_the_key_compares_it() {
    let Some(database) = TestDatabase::postgres("validate_padding") else { return };
    database.run(
        "CREATE TABLE p (code char(5) PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, code varchar(9) REFERENCES p);
         INSERT INTO p VALUES ('ab'); INSERT INTO c VALUES (1, 'ab ');",
    );
    assert_eq!(counts(&validate(&database, "").await, "ref:c.code"), (0, 0, 0));
}

#[tokio::test]
async fn text_and_big_integers_are_never_compared_as_floats() {
    let Some(database) = TestDatabase::mysql("validate_bigint") else { return };
    database.run(
        "CREATE TABLE p (id BIGINT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, p VARCHAR(30));
         INSERT INTO p VALUES (9007199254740992); INSERT INTO c VALUES (1, '9007199254740992'), (2, '9007199254740993');",
    );
    let report = validate(&database, "[table.c]\nrefs = [\"p -> p.id\"]").await;
    assert_eq!(samples(&report, "ref:c.p"), ["id=2 | p=9007199254740993"]);
}

#[tokio::test]
async fn a_role_from_which_row_security_hides_rows_gets_no_false_orphans_but_a_check_that_could_not_run() {
    let Some(database) = TestDatabase::postgres("validate_rls") else { return };
    let role = format!("reader_{}", std::process::id());
    database.run(&format!(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);
         INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2);
         ALTER TABLE p ENABLE ROW LEVEL SECURITY; CREATE POLICY one ON p USING (id = 1);
         CREATE ROLE {role} LOGIN; GRANT SELECT ON p, c TO {role};"
    ));
    let report = crate::runs::validate_as(&database, &role).await;
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role};"));
    let found = check(&report, "ref:c.p");
    assert_eq!(found.status, Status::Error, "{found:?}");
    assert!(!report.is_complete());
}

#[tokio::test]
async fn two_keys_over_the_same_columns_are_told_apart_by_their_targets_and_a_repeated_key_is_judged_once() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, x INTEGER REFERENCES a REFERENCES b,
                         y INTEGER REFERENCES a, FOREIGN KEY (y) REFERENCES a (id));
         INSERT INTO a VALUES (1); INSERT INTO c VALUES (1, 1, 1);",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["ref:c.x->b"]);
    let ids: BTreeSet<&str> =
        report.checks.iter().map(|check| check.id.as_str()).filter(|id| id.starts_with("ref:")).collect();
    assert_eq!(ids, BTreeSet::from(["ref:c.x->a", "ref:c.x->b", "ref:c.y"]));
}

#[tokio::test]
async fn many_missing_keys_are_all_counted_and_the_most_frequent_listed() {
    for database in TestDatabase::each("validate_frequent") {
        create(&database, "p(id pk)\nc(id pk, p -> p.id)");
        let rows: Vec<String> = (1..=40).map(|id| format!("({id}, {})", 1000 + id / 3)).collect();
        unenforced(&database, &format!("INSERT INTO c VALUES {};", rows.join(", ")));
        let report = validate(&database, "").await;
        assert_eq!(counts(&report, "ref:c.p"), (40, 14, 0));
        assert_eq!(check(&report, "ref:c.p").frequent.len(), 10);
    }
}

#[tokio::test]
async fn a_key_into_another_database_is_judged_there() {
    let Some(own) = TestDatabase::mysql("validate_own_database") else { return };
    let Some(other) = TestDatabase::mysql("validate_other_database") else { return };
    other.run("CREATE TABLE country (code CHAR(2) PRIMARY KEY); INSERT INTO country VALUES ('DE'), ('FR');");
    let there = other.value("SELECT DATABASE()");
    own.run(&format!(
        "CREATE TABLE addr (id INT PRIMARY KEY, country CHAR(2), FOREIGN KEY (country) REFERENCES {there}.country (code));
         SET foreign_key_checks = 0; INSERT INTO addr VALUES (1, 'DE'), (2, 'FR'), (3, 'XX'), (4, NULL);"
    ));
    let report = validate(&own, "").await;
    assert_eq!(troubles(&report), ["ref:addr.country"]);
    assert_eq!(samples(&report, "ref:addr.country"), ["id=3 | country=XX"]);
}

#[tokio::test]
async fn a_parent_that_may_not_be_read_makes_no_orphans() {
    let Some(database) = TestDatabase::mysql("validate_hidden_parent") else { return };
    let role = format!("relink_ro_{}", std::process::id());
    let here = database.value("SELECT DATABASE()");
    database.run(&format!(
        "CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR(9)); INSERT INTO customers VALUES (1, 'a');
         CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT, FOREIGN KEY (customer_id) REFERENCES customers (id));
         INSERT INTO orders VALUES (1, 1);
         CREATE USER {role}@'%' IDENTIFIED BY 'x'; GRANT SELECT ON {here}.orders TO {role}@'%';"
    ));
    let url = database.url();
    let (_, rest) = url.split_once('@').expect("a URL");
    for grant in ["", "GRANT SELECT (email) ON"] {
        if !grant.is_empty() {
            database.run(&format!("{grant} {here}.customers TO {role}@'%';"));
        }
        let url: relink_db::DatabaseUrl = format!("mysql://{role}:x@{rest}").parse().expect("a URL");
        let mut connection = relink_db::connect(&url, relink_db::Access::ReadOnly).await.expect("connects");
        let catalog = connection.introspect().await.expect("introspects");
        let checks = relink_validate::plan(&catalog, &Config::default(), connection.dialect()).expect("plans");
        connection.begin(relink_db::TransactionKind::Snapshot).await.expect("begins");
        let report =
            relink_validate::run(&mut *connection, &catalog, &checks, &options(), &mut |_| {}).await.expect("runs");
        let found = check(&report, "ref:orders.customer_id");
        assert_eq!(found.status, Status::Error, "{grant}: {:?}", found.why);
        assert!(troubles(&report).iter().all(|id| !id.starts_with("schema:")), "{:?}", troubles(&report));
    }
    database.run(&format!("DROP USER {role}@'%';"));
}

#[tokio::test]
async fn a_rule_that_is_stricter_than_the_declared_key_sharpens_it_and_one_that_names_other_columns_stands_beside_it() {
    for database in TestDatabase::each("validate_sharper") {
        create(
            &database,
            "p(x int, y int, pk(x, y))\nc(id pk, a int null, b int null, (a, b) -> p(x, y))\nq(id pk, alt int unique)\nd(id pk, q -> q.id)",
        );
        database.run("INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, NULL, NULL), (2, 1, NULL), (3, 1, 1); INSERT INTO q VALUES (1, 2); INSERT INTO d VALUES (1, 1);");
        let cases = [
            ("(a, b) -> p(x, y)", "", 0),
            ("(a, b) -> p(x, y) match simple", "[run]\nmatch = \"full\"\n", 0),
            ("(a, b) -> p(x, y) match full", "", 1),
            ("(b, a) -> p(y, x) match strict", "", 1),
            ("(a, b) -> p(x, y) match strict", "[run]\ntrust = \"validated\"\n", 1),
        ];
        for (rule, run, failed) in cases {
            let config = format!("{run}[table.c]\nrefs = [\"{rule}\"]\n[table.d]\nrefs = ['q -> q.\"alt\"']");
            for (engine, report) in validate_both(&database, &config).await {
                let declared: Vec<&str> =
                    report.checks.iter().map(|check| check.id.as_str()).filter(|id| id.starts_with("ref:c")).collect();
                assert_eq!(declared, ["ref:c(a,b)"], "{engine}: {rule} says of the declared key how it matches");
                assert_eq!(counts(&report, "ref:c(a,b)").0, failed, "{engine}: {rule}");
                assert_eq!(samples(&report, "ref:d.q->q.alt"), ["id=1 | q=1"], "{engine}");
                // The declared key keeps its id. Taken on trust, it is not measured.
                let trusted = run.contains("trust") && !engine.starts_with("export");
                assert_eq!(report.checks.iter().any(|check| check.id == "ref:d.q"), !trusted, "{engine}");
            }
        }
    }
}

#[tokio::test]
async fn names_in_quotes_and_the_default_namespace_are_taken_wherever_a_rule_names_something() {
    for database in TestDatabase::each("validate_quoted_rules") {
        let quote = if database.dialect() == "mysql" { '`' } else { '"' };
        let sql = "CREATE TABLE \"Orders\" (\"Order ID\" int PRIMARY KEY, \"Ship.To\" int, \"a +1d\" varchar(20), \"from\" int, \"until\" int);
            CREATE TABLE \"Lines\" (\"Line ID\" int PRIMARY KEY, \"Order ID\" int, \"Amount\" int);
            INSERT INTO \"Orders\" VALUES (1, 5, '2027-01-01', 1, 4), (2, 1, '2020-01-01', 3, 5); INSERT INTO \"Lines\" VALUES (1, 9, 5), (2, 1, 5);";
        database.run(&sql.replace('"', &quote.to_string()));
        let space = catalog_of(&database).await.default_namespace.expect("every database has one");
        let config = format!(
            "[table.Lines]\nrefs = ['\"Order ID\" -> \"{space}\".Orders.\"Order ID\"']
             [table.\"{space}.Orders\"]\nrefs = ['\"Ship.To\" -> Orders.\"Order ID\"']\npast = ['\"a +1d\" +1h']\nacyclic = ['\"Ship.To\"']
             fresh = '\"a +1d\" within 90000d'\ntotals = ['\"Ship.To\" = sum(Lines.\"Amount\") by \"Order ID\"']
             no_overlap = ['\"from\"..\"until\"']\nin = {{ \"Ship.To\" = {{ table = '\"{space}\".Lines.\"Line ID\"' }} }}"
        );
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(keys(&report, "ref:Lines.Order ID"), ["Line ID=1"], "{engine}");
            assert_eq!(keys(&report, "ref:Orders.Ship.To"), ["Order ID=1"], "{engine}");
            assert_eq!(keys(&report, "past:Orders.a +1d"), ["Order ID=1"], "{engine}");
            assert_eq!(keys(&report, "total:Orders.Ship.To"), ["Order ID=2"], "{engine}");
            assert_eq!(keys(&report, "in:Orders.Ship.To"), ["Order ID=1"], "{engine}");
            assert_eq!(counts(&report, "no_overlap:Orders(from,until)").0, 2, "{engine}");
            assert_eq!(counts(&report, "acyclic:Orders.Ship.To").0, 0, "{engine}");
            assert_eq!(counts(&report, "fresh:Orders.a +1d").0, 0, "{engine}");
        }
    }
}
