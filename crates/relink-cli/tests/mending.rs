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
