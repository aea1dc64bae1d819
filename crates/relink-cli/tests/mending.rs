//! `relink fix` as a user meets it: what it prints, what stays, and how it ends.

use std::process::{Command, Output};

use relink_testkit::TestDatabase;
use serde_json::Value;

fn relink(arguments: &[&str], folder: &std::path::Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relink"));
    command.args(arguments).current_dir(folder).env_remove("RELINK_DATABASE_URL");
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A database with two orphans.
fn damaged() -> TestDatabase {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE customers (id integer PRIMARY KEY);
         CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers (id));
         INSERT INTO customers VALUES (1); INSERT INTO orders VALUES (1, 1), (2, 8), (3, 9);",
    );
    database
}

fn orders(database: &TestDatabase) -> String {
    database.value("SELECT count(*) FROM orders")
}

#[test]
fn a_dry_run_is_a_script_and_only_apply_keeps_it() {
    let (database, folder) = (damaged(), tempfile::tempdir().expect("a folder"));
    let url = database.url();
    let run =
        |more: &[&str]| relink(&[&["fix", &url, "ref:orders.customer_id", "--delete"], more].concat(), folder.path());
    let said = run(&[]);
    assert_eq!((said.status.code(), text(&said.stderr).as_str()), (Some(0), ""));
    let script = text(&said.stdout);
    let expected = "BEGIN;\n-- ref:orders.customer_id: found 2 rows\nDELETE FROM \"orders\" WHERE \"id\" IN (2, 3); -- 2 rows\nCOMMIT;\n-- dry run:";
    assert!(script.starts_with(expected), "{script}");
    assert_eq!(orders(&database), "3");
    let said = run(&["--apply", "--format", "json"]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    let report: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!((&report["applied"], &report["mendings"][0]["statements"][0]["rows"]), (&true.into(), &2.into()));
    assert_eq!(orders(&database), "1");
    let said = run(&["--apply"]);
    assert!(text(&said.stdout).ends_with("-- nothing to mend\n"), "{}", text(&said.stdout));
}

#[test]
fn the_script_runs_in_the_databases_own_client() {
    let (database, folder) = (damaged(), tempfile::tempdir().expect("a folder"));
    let said = relink(&["fix", &database.url(), "ref:orders.customer_id", "--delete"], folder.path());
    database.run(&text(&said.stdout));
    assert_eq!(orders(&database), "1");
}

#[test]
fn refusals_and_mistakes_have_exit_codes_of_their_own() {
    let (database, folder) = (damaged(), tempfile::tempdir().expect("a folder"));
    let url = database.url();
    let run = |more: &[&str]| relink(&[&["fix", url.as_str()], more].concat(), folder.path());
    for (arguments, code, word) in [
        (&["ref:orders.customer_id", "--null", "--apply"][..], 5, "NOT NULL"),
        (&["ref:orders.custommer_id", "--null"], 2, "did you mean \"ref:orders.customer_id\"?"),
        (&["ref:orders.customer_id", "--recompute"], 2, "total"),
        (&["ref:orders.customer_id", "--keep", "sideways"], 2, "asc or desc"),
        (&["ref:orders.customer_id"], 2, "--delete"),
        (&["--delete"], 2, "no check is named"),
        (&["ref:orders.customer_id", "--delete", "--where", "nonsense("], 2, "nonsense("),
    ] {
        let said = run(arguments);
        assert_eq!(said.status.code(), Some(code), "{arguments:?}: {}", text(&said.stderr));
        assert!(text(&said.stderr).contains(word), "{arguments:?}: {}", text(&said.stderr));
        assert_eq!(orders(&database), "3");
    }
    let said = run(&["ref:orders.customer_id", "--delete", "--where", "id = 2", "--apply"]);
    assert_eq!(said.status.code(), Some(1), "one finding is left, as was asked for");
    assert_eq!(orders(&database), "2");
}

#[test]
fn a_script_that_was_refused_keeps_nothing_in_another_client_either() {
    let (database, folder) = (damaged(), tempfile::tempdir().expect("a folder"));
    let config = "[[check]]\nkind = \"count\"\non = \"orders\"\nrule = \">= 3\"\n";
    std::fs::write(folder.path().join("relink.toml"), config).expect("a writable folder");
    let said = relink(
        &["fix", &database.url(), "ref:orders.customer_id", "--delete", "--config", "relink.toml"],
        folder.path(),
    );
    assert_eq!(said.status.code(), Some(5), "{}", text(&said.stderr));
    assert!(text(&said.stdout).contains("DELETE FROM"), "{}", text(&said.stdout));
    database.run(&text(&said.stdout));
    assert_eq!(orders(&database), "3");
}

#[test]
fn what_is_allowed_is_left_out_and_is_no_finding_that_remains() {
    let (database, folder) = (damaged(), tempfile::tempdir().expect("a folder"));
    let config = "[[allow]]\ncheck = \"ref:orders.customer_id\"\nkeys = [2]\nwhy = \"legal hold\"\n";
    std::fs::write(folder.path().join("relink.toml"), config).expect("a writable folder");
    let url = database.url();
    let arguments = ["fix", &url, "ref:orders.customer_id", "--delete", "--config", "relink.toml", "--apply"];
    let said = relink(&arguments, folder.path());
    assert_eq!((said.status.code(), text(&said.stderr).as_str()), (Some(0), ""));
    let expected = "-- ref:orders.customer_id: found 2 rows, 1 left out by [[allow]]\nDELETE FROM \"orders\" WHERE \"id\" = 3; -- 1 row\n";
    assert!(text(&said.stdout).contains(expected), "{}", text(&said.stdout));
    assert_eq!(database.value("SELECT group_concat(id) FROM orders"), "1,2");
}

#[test]
fn a_lock_that_is_not_had_is_a_refusal() {
    let folder = tempfile::tempdir().expect("a folder");
    for database in wounded("cli_fix_locked", folder.path()) {
        let url: relink_db::DatabaseUrl = database.url().parse().expect("a database URL");
        // InnoDB's own limit is the server's, and long; what happens then is the same.
        if database.dialect() == "mysql" {
            continue;
        }
        if database.dialect() == "postgres" {
            let name = database.value("SELECT current_database()");
            database.run(&format!("ALTER DATABASE \"{name}\" SET lock_timeout = '200ms'"));
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        runtime.block_on(async {
            let mut other = relink_db::connect(&url, relink_db::Access::ReadWrite).await.expect("connects");
            other.begin(relink_db::TransactionKind::Write).await.expect("begins");
            other.execute("UPDATE orders SET customer_id = 1 WHERE id = 1", &[]).await.expect("writes");
            let said =
                relink(&["fix", &database.url(), "ref:orders.customer_id", "--delete", "--apply"], folder.path());
            assert_eq!(said.status.code(), Some(5), "{database:?} {}", text(&said.stderr));
            let word = "nothing was changed: others are changing the same tables";
            assert!(text(&said.stderr).contains(word), "{database:?} {}", text(&said.stderr));
            other.rollback().await.expect("rolls back");
        });
        assert_eq!(database.value("SELECT count(*) FROM orders"), "2", "{database:?}");
    }
}

/// A database of each kind whose customer 2 is gone, and a backup of it.
fn wounded(name: &str, folder: &std::path::Path) -> Vec<TestDatabase> {
    let backup = "{\"customers\": [\n {\"id\": 1, \"name\": \"Ann\"},\n {\"id\": 2, \"name\": \"Bob\"},\n {\"id\": 3, \"name\": \"Cy\"}\n]}\n";
    std::fs::write(folder.join("backup.json"), backup).expect("a writable folder");
    let databases = TestDatabase::each(name);
    for database in &databases {
        database.run(
            &relink_testkit::schema("customers(id pk, name varchar(9))\norders(id pk, customer_id -> customers.id)")
                .ddl(database.dialect()),
        );
        let (before, after) = match database.dialect() {
            "sqlite" => ("PRAGMA foreign_keys = OFF;", ""),
            "postgres" => ("SET session_replication_role = replica;", ""),
            _ => ("SET foreign_key_checks = 0;", "SET foreign_key_checks = 1;"),
        };
        database.run(&format!(
            "{before} INSERT INTO customers VALUES (1, 'Anna'); INSERT INTO orders VALUES (1, 1), (2, 2); {after}"
        ));
    }
    databases
}

fn customers(database: &TestDatabase) -> Vec<String> {
    let rows = database.rows("SELECT id, name FROM customers ORDER BY id");
    rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_backup_gives_back_what_is_missed_and_says_where_it_stood() {
    let folder = tempfile::tempdir().expect("a folder");
    // What a restore would do before and after, and to rows that are there, is not what a repair is asked for.
    let config = "[table.customers]\nmode = \"replace\"\n[hooks]\nbefore = [\"DELETE FROM orders\"]\n";
    std::fs::write(folder.path().join("relink.toml"), config).expect("a writable folder");
    for database in wounded("cli_heal", folder.path()) {
        let run = |more: &[&str]| {
            let url = database.url();
            relink(&[&["heal", "backup.json", "--into", &url, "--config", "relink.toml"], more].concat(), folder.path())
        };
        let said = run(&[]);
        assert_eq!(
            (said.status.code(), text(&said.stderr).as_str()),
            (Some(0), ""),
            "{database:?} {}",
            text(&said.stdout)
        );
        let expected = "ref:orders.customer_id: 1 orphans that miss 1 rows of customers; afterwards: 0\n\
                        records of missing rows: 1\n  customers id=2  backup.json:3:2\n\
                        dry run: 1 row would be restored; --apply keeps them\n";
        assert_eq!(text(&said.stdout), expected, "{database:?}");
        assert_eq!(customers(&database), ["1 Anna"], "{database:?}");
        let said = run(&["--apply", "--format", "json"]);
        assert_eq!(said.status.code(), Some(0), "{database:?} {}", text(&said.stdout));
        let report: Value = serde_json::from_slice(&said.stdout).expect("JSON");
        assert_eq!((&report["applied"], &report["restore"]["totals"]["inserted"]), (&true.into(), &1.into()));
        assert_eq!(report["records"][0]["place"]["line"], 3);
        assert_eq!(customers(&database), ["1 Anna", "2 Bob"], "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM orders"), "2", "{database:?}");
        let said = run(&["--apply"]);
        assert_eq!((said.status.code(), text(&said.stdout).as_str()), (Some(0), "restored 0 rows\n"), "{database:?}");
        let said = run(&["--apply", "--all-missing"]);
        assert_eq!(said.status.code(), Some(0), "{database:?} {}", text(&said.stdout));
        assert_eq!(customers(&database), ["1 Anna", "2 Bob", "3 Cy"], "{database:?}");
    }
}

#[test]
fn what_the_backup_does_not_hold_is_said_and_the_rest_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for database in wounded("cli_heal_absent", folder.path()) {
        let lost = match database.dialect() {
            "sqlite" => "PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (3, 9);",
            "postgres" => "SET session_replication_role = replica; INSERT INTO orders VALUES (3, 9);",
            _ => "SET foreign_key_checks = 0; INSERT INTO orders VALUES (3, 9);",
        };
        database.run(lost);
        let said = relink(&["heal", "backup.json", "--into", &database.url(), "--apply"], folder.path());
        assert_eq!(said.status.code(), Some(1), "{database:?} {}", text(&said.stderr));
        let told = text(&said.stdout);
        assert!(told.contains("2 orphans that miss 2 rows of customers; afterwards: 1\n"), "{database:?} {told}");
        assert!(
            told.contains("missing rows that no record of the export is: 1\n  customers id=9\n"),
            "{database:?} {told}"
        );
        assert_eq!(customers(&database), ["1 Anna", "2 Bob"], "{database:?}");
    }
}

#[test]
fn a_repair_that_would_break_a_rule_or_is_refused_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("relink.toml"), "[table.customers]\nmatch = { name = \"^A\" }\n")
        .expect("writable");
    for database in wounded("cli_heal_broken", folder.path()) {
        let url = database.url();
        let said = relink(&["heal", "backup.json", "--into", &url, "--apply"], folder.path());
        assert_eq!(said.status.code(), Some(5), "{database:?} {}", text(&said.stdout));
        assert!(
            text(&said.stdout).contains("fail on more rows than before: 1\n  match:customers.name"),
            "{}",
            text(&said.stdout)
        );
        assert_eq!(customers(&database), ["1 Anna"], "{database:?}");
        let said = relink(&["heal", "backup.json", "--into", &url, "--only", "custmers"], folder.path());
        assert_eq!(said.status.code(), Some(2), "{}", text(&said.stderr));
        assert!(text(&said.stderr).contains("did you mean \"customers\"?"), "{}", text(&said.stderr));
        let said = relink(&["heal", "backup.json", "--into", &url, "--only", "orders", "--apply"], folder.path());
        assert_eq!(said.status.code(), Some(0), "{}", text(&said.stdout));
        assert_eq!(customers(&database), ["1 Anna"], "{database:?}: what is missed is of another table");
    }
}

#[test]
fn what_stood_wrong_before_or_is_allowed_keeps_no_row_from_coming_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for database in wounded("cli_heal_like_with_like", folder.path()) {
        let url = database.url();
        let heal = |config: &str| {
            std::fs::write(folder.path().join("relink.toml"), config).expect("writable");
            let said = relink(&["heal", "backup.json", "--into", &url, "--config", "relink.toml"], folder.path());
            (said.status.code(), text(&said.stdout) + &text(&said.stderr))
        };
        let rule = "[table.customers]\nmatch = { name = \"^A\" }\n";
        let id = "match:customers.name";
        assert_eq!(heal(rule).0, Some(5), "{database:?}: Bob breaks it");
        for allowed in [
            format!("[[allow]]\ncheck = \"{id}\"\nkeys = [2]\nwhy = \"known\"\n"),
            format!("[[check]]\nid = \"{id}\"\nmax = 2\n"),
            // Nobody could make this check before either.
            "[[check]]\nid = \"mine\"\nkind = \"sql\"\non = \"customers\"\nsql = \"SELECT nothing FROM nowhere\"\n"
                .to_owned(),
        ] {
            let config = if allowed.contains("mine") { allowed } else { format!("{rule}{allowed}") };
            let (code, told) = heal(&config);
            assert_eq!(code, Some(0), "{database:?}: {config}: {told}");
            assert!(told.contains("dry run: 1 row would be restored"), "{database:?}: {told}");
        }
    }
}

#[test]
fn references_that_are_not_looked_for_are_listed_and_masked_keys_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "[run]\nmask = [\"users.email\"]\n[table.visits]\nrefs = [\"who -> users.email as ci\"]\n[table.mails]\nrefs = [\"email -> users.email\"]\n";
    std::fs::write(folder.path().join("relink.toml"), config).expect("writable");
    std::fs::write(folder.path().join("backup.json"), "{\"users\": [{\"email\": \"SECRET-1\"}]}").expect("writable");
    for database in TestDatabase::each("cli_heal_untreated") {
        database.run(
            "CREATE TABLE users (email varchar(20) PRIMARY KEY); CREATE TABLE mails (id int PRIMARY KEY, email varchar(20));
             CREATE TABLE visits (id int PRIMARY KEY, who varchar(20)); INSERT INTO visits VALUES (1, 'nobody');",
        );
        let run = |more: &[&str]| {
            let url = database.url();
            let all = [&["heal", "backup.json", "--into", &url, "--config", "relink.toml"], more].concat();
            relink(&all, folder.path())
        };
        let said = run(&[]);
        assert_eq!(said.status.code(), Some(1), "{database:?} {}", text(&said.stderr));
        let listed = "references whose missing rows are not looked for: 1\n  ref:visits.who: 1 orphans\nnothing that can be healed\n";
        assert_eq!(text(&said.stdout), listed, "{database:?}");
        assert_eq!(run(&["--only", "mails"]).status.code(), Some(0), "{database:?}: they are of another table");
        database.run("INSERT INTO mails VALUES (1, 'SECRET-1'), (2, 'SECRET-2'); DELETE FROM visits;");
        for format in ["text", "json"] {
            let said = run(&["--format", format]);
            let told = text(&said.stdout);
            assert_eq!(said.status.code(), Some(1), "{database:?} {told}");
            assert!(told.contains("email=•••"), "{database:?} {told}");
            assert!(!told.contains("SECRET"), "{database:?} {told}");
        }
    }
}

#[test]
fn keys_that_a_collation_takes_for_one_are_looked_for_each() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("relink.toml"), "[table.c]\nrefs = [\"code -> p.code\"]\n").expect("writable");
    std::fs::write(folder.path().join("backup.json"), r#"{"p": [{"code": "a"}, {"code": "A"}]}"#).expect("writable");
    for database in TestDatabase::each("cli_heal_collation") {
        let (ci, bin) = match database.dialect() {
            "mysql" => ("COLLATE utf8mb4_general_ci", "COLLATE utf8mb4_bin"),
            "sqlite" => ("COLLATE NOCASE", ""),
            _ => ("", ""),
        };
        database.run(&format!(
            "CREATE TABLE p (code varchar(9) {bin} PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, code varchar(9) {ci});
             INSERT INTO c VALUES (1, 'a'), (2, 'A');"
        ));
        let said = relink(
            &["heal", "backup.json", "--into", &database.url(), "--config", "relink.toml", "--apply"],
            folder.path(),
        );
        assert_eq!(said.status.code(), Some(0), "{database:?} {}{}", text(&said.stdout), text(&said.stderr));
        assert_eq!(database.value("SELECT count(*) FROM p"), "2", "{database:?} {}", text(&said.stdout));
    }
}

#[test]
fn what_the_restore_has_locked_is_not_waited_for() {
    let Some(database) = TestDatabase::postgres("cli_heal_locks") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // Records that refer to each other have the key put off, which locks the table against every other connection.
    database.run(
        "CREATE TABLE cust (id int PRIMARY KEY, boss_id int REFERENCES cust (id), ref_id int REFERENCES cust (id));
         SET session_replication_role = replica; INSERT INTO cust VALUES (1, 2, NULL), (9, NULL, 99);",
    );
    let backup = r#"{"cust": [{"id": 2, "boss_id": 3, "ref_id": null}, {"id": 3, "boss_id": 2, "ref_id": null}]}"#;
    std::fs::write(folder.path().join("backup.json"), backup).expect("written");
    let program = env!("CARGO_BIN_EXE_relink");
    let mut command = Command::new("timeout");
    command.args(["60", program, "heal", "backup.json", "--into", &database.url(), "--apply"]);
    let said = command.current_dir(folder.path()).output().expect("the program starts");
    assert_eq!(said.status.code(), Some(1), "{}{}", text(&said.stdout), text(&said.stderr));
    assert!(text(&said.stdout).contains("restored 2 rows"), "{}", text(&said.stdout));
    assert_eq!(
        database.value("SELECT string_agg(id || '-' || boss_id, ' ' ORDER BY id) FROM cust WHERE id < 9"),
        "1-2 2-3 3-2"
    );
}
