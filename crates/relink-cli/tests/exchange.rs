//! Whole exchanges with the built program: what it prints where, and how it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

struct Exchange {
    folder: TempDir,
}

impl Exchange {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("the temporary folder is writable");
        path
    }

    fn relink(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relink"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("RELINK_DATABASE_URL");
        Said(command.output().expect("the program starts"))
    }
}

struct Said(Output);

impl Said {
    fn code(&self) -> i32 {
        self.0.status.code().expect("it ends by itself")
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error}: {}", self.stdout()))
    }
}

fn testdata(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stocktake").join(name).display().to_string()
}

const SCHEMA: &str = "CREATE TABLE shop_maker (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE shop_item (id integer PRIMARY KEY, maker_id integer NOT NULL REFERENCES shop_maker (id), price decimal(8,2) NOT NULL);";

#[test]
fn the_sample_restores_validates_and_is_accounted_for() {
    let exchange = Exchange::new();
    let arguments = |format: &'static str, extra: &'static [&'static str]| -> Vec<String> {
        let fixed = [
            "restore",
            "EXPORT",
            "--schema",
            "SCHEMA",
            "--config",
            "CONFIG",
            "--into",
            "sqlite:stock.db",
            "--format",
            format,
        ];
        let named = fixed.iter().chain(extra).map(|argument| match *argument {
            "EXPORT" => testdata("clean.django.json"),
            "SCHEMA" => testdata("schema"),
            "CONFIG" => testdata("relink.toml"),
            other => other.to_owned(),
        });
        named.collect()
    };
    let run = |format, extra| {
        let arguments = arguments(format, extra);
        exchange.relink(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };

    let rehearsal = run("json", &["--dry-run"]);
    assert_eq!(rehearsal.code(), 0, "{}", rehearsal.stderr());
    assert!(!exchange.path("stock.db").exists(), "a dry run leaves no file");

    let real = run("json", &[]);
    assert_eq!((real.code(), real.stderr().as_str()), (0, ""), "nothing but the report when piped");
    let (mut rehearsed, mut restored) = (rehearsal.json(), real.json());
    for report in [&mut rehearsed, &mut restored] {
        report["dry_run"] = Value::Null;
        report["validation"]["run"]["duration_ms"] = Value::Null;
        for check in report["validation"]["checks"].as_array_mut().expect("checks") {
            check["duration_ms"] = Value::Null;
        }
    }
    assert_eq!(rehearsed, restored, "the dry run told the truth");
    let totals = &restored["totals"];
    assert_eq!(totals["read"], totals["inserted"]);

    let again = run("text", &["--mode", "skip"]);
    assert_eq!(again.code(), 0);
    assert!(again.stdout().contains("0 of"), "{}", again.stdout());
}

#[test]
fn the_damaged_sample_is_found_damaged() {
    let exchange = Exchange::new();
    let database = format!("sqlite:{}", testdata("dirty.db"));
    let said = exchange.relink(&["validate", &database, "--config", &testdata("relink.toml")]);
    assert_eq!(said.code(), 1, "{}", said.stderr());
    assert!(said.stdout().contains("ref:stocktake_orderline.order_id"), "{}", said.stdout());
    let accepted =
        exchange.relink(&["validate", &database, "--config", &testdata("relink.toml"), "--fail-on", "never"]);
    assert_eq!(accepted.code(), 0);
}

#[test]
fn a_problem_is_shown_with_its_place_and_what_to_do_and_leaves_no_file() {
    let exchange = Exchange::new();
    exchange.write("schema.sql", SCHEMA);
    exchange.write(
        "export.json",
        "[\n {\"model\": \"shop.maker\", \"pk\": 1, \"fields\": {\"name\": \"A\"}},\n {\"model\": \"shop.item\", \"pk\": 1, \"fields\": {\"maker\": 7, \"price\": \"1.505\"}}\n]\n",
    );
    let said = exchange.relink(&["restore", "export.json", "--schema", "schema.sql", "--into", "sqlite:new.db"]);
    assert_eq!(said.code(), 5);
    let text = said.stdout();
    for expected in ["export.json:3:66", "restore::dangling-reference", "restore::unfit-value", "rounded away", "help:"]
    {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    assert!(text.ends_with("export.json was not restored: 2 problems of 2 kinds. Nothing was changed.\n"), "{text}");
    assert!(!exchange.path("new.db").exists());
}

#[test]
fn damage_that_stood_there_before_is_told_and_keeps_nobody_from_restoring() {
    let exchange = Exchange::new();
    exchange.write("schema.sql", SCHEMA);
    exchange.write("first.json", r#"[{"model": "shop.maker", "pk": 1, "fields": {"name": "A"}}, {"model": "shop.item", "pk": 1, "fields": {"maker": 1, "price": "1"}}]"#);
    exchange.write("second.json", r#"[{"model": "shop.item", "pk": 2, "fields": {"maker": 1, "price": "2"}}]"#);
    assert_eq!(
        exchange.relink(&["restore", "first.json", "--schema", "schema.sql", "--into", "sqlite:shop.db"]).code(),
        0
    );
    let damage = Command::new("sqlite3")
        .arg(exchange.path("shop.db"))
        .arg("PRAGMA foreign_keys=off; INSERT INTO shop_item VALUES (9, 99, 1)")
        .status();
    assert!(damage.expect("sqlite3 is installed").success());
    let said = exchange.relink(&["restore", "second.json", "--into", "sqlite:shop.db", "--format", "json"]);
    assert_eq!(said.code(), 0, "{}", said.stdout());
    assert_eq!(said.json()["stood_before"], serde_json::json!(["ref:shop_item.maker_id"]));
}

#[test]
fn an_interrupted_restore_leaves_nothing() {
    let exchange = Exchange::new();
    exchange.write("schema.sql", SCHEMA);
    let makers = (1..120_000).map(|id| format!("{{\"id\": {id}, \"name\": \"maker {id}\"}}"));
    exchange.write("many.json", &format!("{{\"shop_maker\": [{}]}}", makers.collect::<Vec<_>>().join(",\n")));
    let child = Command::new(env!("CARGO_BIN_EXE_relink"))
        .args(["restore", "many.json", "--schema", "schema.sql", "--into", "sqlite:many.db"])
        .current_dir(exchange.folder.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The file appears when the transaction has begun; that much of the work lies ahead.
    while !exchange.path("many.db").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(killed.success());
    let said = Said(child.wait_with_output().expect("it ends"));
    assert_eq!(said.code(), 5, "{}", said.stderr());
    assert!(said.stderr().contains("interrupted"), "{}", said.stderr());
    assert!(!exchange.path("many.db").exists() && !exchange.path("many.db-journal").exists());
}

#[test]
fn what_cannot_be_read_ends_with_its_own_code() {
    let exchange = Exchange::new();
    exchange.write("schema.sql", SCHEMA);
    exchange.write("cut.json", "[{\"model\": \"shop.maker\", \"pk\": 1, \"fields\": {\"na");
    exchange.write("relink.toml", "[table.shop_item]\nnatural_keys = [\"id\"]\n");
    exchange.write("other.toml", "[table.shop_items]\nmin = { price = 0 }\n");
    let restore = |export: &str, extra: &[&str]| {
        let mut arguments = vec!["restore", export, "--schema", "schema.sql", "--into", "sqlite:new.db"];
        arguments.extend(extra);
        exchange.relink(&arguments)
    };

    let misspelt = restore("cut.json", &[]);
    assert_eq!(misspelt.code(), 2);
    assert!(misspelt.stderr().contains("did you mean `natural_key`?"), "{}", misspelt.stderr());

    let cut = restore("cut.json", &["--config", "other.toml"]);
    assert_eq!(cut.code(), 4);
    assert!(cut.stderr().contains("cut.json:1:49"), "{}", cut.stderr());

    exchange.write("whole.json", "[{\"model\": \"shop.maker\", \"pk\": 1, \"fields\": {\"name\": \"A\"}}]");
    let unknown = restore("whole.json", &["--config", "other.toml"]);
    assert_eq!(unknown.code(), 2);
    assert!(unknown.stderr().contains("did you mean \"shop_item\"?"), "{}", unknown.stderr());

    assert_eq!(restore("whole.json", &["--schema", "nowhere.sql", "--config", "other.toml"]).code(), 2);
    assert!(!exchange.path("new.db").exists(), "no failure leaves a file behind");
}

#[test]
fn a_database_that_is_not_there_ends_with_3_and_the_password_is_never_shown() {
    let exchange = Exchange::new();
    for url in ["postgres://app:s3cret@127.0.0.1:9/shop", "mysql://app:s3cret@127.0.0.1:9/shop", "sqlite:missing.db"] {
        let said = exchange.relink(&["validate", url]);
        assert_eq!(said.code(), 3, "{url}: {}", said.stderr());
        assert!(!said.stderr().contains("s3cret"), "{}", said.stderr());
    }
    assert!(!exchange.path("missing.db").exists());
    let said = exchange.relink(&["validate", "oracle://app:s3cret@host/shop"]);
    assert_eq!((said.code(), said.stderr().contains("s3cret")), (2, false), "{}", said.stderr());
    assert_eq!(exchange.relink(&["inspect"]).code(), 2);
}

#[test]
fn inspect_shows_order_and_cycles_in_every_format() {
    let exchange = Exchange::new();
    let database = format!("sqlite:{}", testdata("dirty.db"));
    for (format, expected) in [("text", "stocktake_category"), ("dot", "digraph"), ("mermaid", "stocktake_category")] {
        let said = exchange.relink(&["inspect", &database, "--format", format]);
        assert_eq!(said.code(), 0, "{}", said.stderr());
        assert!(said.stdout().contains(expected), "{}", said.stdout());
    }
    let json = exchange.relink(&["inspect", &database, "--format", "json"]).json();
    assert!(json["load_order"].as_array().is_some_and(|steps| !steps.is_empty()));
}

#[test]
fn the_published_schemas_are_those_of_the_program() {
    let exchange = Exchange::new();
    for contract in ["config", "restore-report", "validation-report"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../schemas/{contract}.schema.json"));
        let published = fs::read_to_string(&path).expect("schemas/ holds it");
        let current = exchange.relink(&["schema", contract]).stdout();
        assert!(current == published, "{} is behind: regenerate it with `relink schema {contract}`", path.display());
    }
}
