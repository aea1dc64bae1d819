//! Whole exchanges with the built program: what it prints where, and how it ends.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use self::common::Said;

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
        Said::by(&mut command)
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
    let (mut rehearsed, mut restored) = (rehearsal.report(), real.report());
    for report in [&mut rehearsed, &mut restored] {
        report["dry_run"] = Value::Null;
        report["validation"]["run"]["duration_ms"] = Value::Null;
        report["validation"]["run"]["started"] = Value::Null;
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
    assert_eq!(said.report()["stood_before"], serde_json::json!(["ref:shop_item.maker_id"]));
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
    let json = exchange.relink(&["inspect", &database, "--format", "json"]).report();
    assert!(json["load_order"].as_array().is_some_and(|steps| !steps.is_empty()));
}

#[test]
fn profiles_are_listed_explained_and_written_as_configuration() {
    let exchange = Exchange::new();
    let listed = exchange.relink(&["profile"]);
    assert_eq!((listed.code(), listed.stderr().as_str()), (0, ""));
    let known = exchange.relink(&["profile", "--format", "json"]).report();
    let known = known.as_array().expect("a list");
    assert!(known.len() > 5);
    for profile in known {
        let name = profile["name"].as_str().expect("a name");
        assert!(listed.stdout().lines().any(|line| line.starts_with(name)), "{name}: {}", listed.stdout());
        let explained = exchange.relink(&["profile", name]).stdout();
        for label in profile["model"].as_object().expect("models").keys() {
            assert!(explained.contains(label.as_str()), "{label} is missing in {explained}");
        }
        for (label, why) in profile["ignore"].as_object().expect("suggestions") {
            assert!(explained.contains(&format!("{label}: {}", why.as_str().expect("a reason"))), "{explained}");
        }
    }
    let permission = exchange.relink(&["profile", "django"]).stdout();
    assert!(permission.contains("codename, content_type_id.app_label, content_type_id.model"), "{permission}");

    let unknown = exchange.relink(&["profile", "wagtal"]);
    assert_eq!(unknown.code(), 2);
    assert!(unknown.stderr().contains("did you mean \"wagtail\"?"), "{}", unknown.stderr());
}

#[test]
fn a_profile_as_configuration_is_configuration_that_a_restore_takes() {
    let exchange = Exchange::new();
    let configuration = exchange.relink(&["profile", "guardian", "--format", "toml"]).stdout();
    exchange.write("relink.toml", &configuration);
    exchange.write(
        "schema.sql",
        "CREATE TABLE guardian_userobjectpermission (id integer PRIMARY KEY, content_type_id integer, object_pk text);
         CREATE TABLE guardian_groupobjectpermission (id integer PRIMARY KEY, content_type_id integer, object_pk text);",
    );
    exchange.write("export.json", "[]");
    let said = exchange.relink(&["restore", "export.json", "--schema", "schema.sql", "--into", "sqlite:new.db"]);
    assert_eq!(said.code(), 0, "{}{}", said.stdout(), said.stderr());
    assert!(configuration.contains("generic = [{"), "{configuration}");
}

#[test]
fn profiles_of_ones_own_are_read_beside_the_configuration_and_used() {
    let exchange = Exchange::new();
    let folder = exchange.path("settings");
    fs::create_dir(&folder).expect("the temporary folder is writable");
    let profile = "name = \"shop\"\nabout = \"a shop\"\n[ignore]\n\"shop.log\" = \"a log\"\n[model.\"shop.maker\"]\ntable = \"makers\"\n\
                   fields = { title = \"name\" }\nread = { note = \"empty-is-null\" }\n";
    fs::write(folder.join("shop.toml"), profile).expect("the temporary folder is writable");
    fs::write(folder.join("relink.toml"), "[profiles]\nfiles = [\"shop.toml\"]\nignore = [\"shop\"]\n")
        .expect("writable");
    exchange.write("schema.sql", "CREATE TABLE makers (id integer PRIMARY KEY, name text NOT NULL, note text);");
    exchange.write(
        "export.json",
        r#"[{"model": "shop.maker", "pk": 1, "fields": {"title": "A", "note": ""}}, {"model": "shop.log", "pk": 1, "fields": {}}]"#,
    );
    let config = ["--config", "settings/relink.toml"];
    let restore = ["restore", "export.json", "--schema", "schema.sql", "--into", "sqlite:shop.db", "--format", "json"];
    let said = exchange.relink(&[&restore[..], &config[..]].concat());
    assert_eq!(said.code(), 0, "{}{}", said.stdout(), said.stderr());
    assert_eq!(
        said.report()["ignored"],
        serde_json::json!([{"label": "shop.log", "records": 1, "by": "configuration"}])
    );
    let rows = Command::new("sqlite3")
        .arg(exchange.path("shop.db"))
        .arg("SELECT id, name, note IS NULL FROM makers")
        .output()
        .expect("sqlite3 is installed");
    assert_eq!(String::from_utf8_lossy(&rows.stdout), "1|A|1\n");
    let listed = exchange.relink(&[&["profile"][..], &config[..]].concat());
    assert!(listed.stdout().starts_with("shop "), "{}", listed.stdout());

    fs::write(folder.join("shop.toml"), profile.replace("\"shop\"", "\"django\"")).expect("writable");
    assert_eq!(
        exchange.relink(&[&["profile"][..], &config[..]].concat()).code(),
        2,
        "a built-in profile has that name"
    );
    fs::write(folder.join("shop.toml"), profile.replace("about", "abuot")).expect("writable");
    let misspelt = exchange.relink(&[&["profile"][..], &config[..]].concat());
    assert_eq!(misspelt.code(), 2);
    assert!(misspelt.stderr().contains("did you mean `about`?"), "{}", misspelt.stderr());
}

#[test]
fn the_published_schemas_are_those_of_the_program() {
    let exchange = Exchange::new();
    for contract in ["baseline", "config", "profile", "restore-report", "validation-report"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../schemas/{contract}.schema.json"));
        let published = fs::read_to_string(&path).expect("schemas/ holds it");
        let current = exchange.relink(&["schema", contract]).stdout();
        assert!(current == published, "{} is behind: regenerate it with `relink schema {contract}`", path.display());
    }
}

#[test]
fn allow_drift_leaves_out_what_has_no_place_and_the_command_line_comes_before_the_configuration() {
    let exchange = Exchange::new();
    exchange.write("schema.sql", SCHEMA);
    exchange
        .write("relink.toml", "[restore]\nallow_drift = \"models\"\n[table.shop_item]\nset = { price = \"9.50\" }\n");
    exchange.write(
        "export.json",
        "{\"shop_maker\": [{\"id\": 1, \"name\": \"a\", \"nmae\": 1}],\n\"shop_item\": [{\"id\": 1, \"maker_id\": 1}], \"gone\": [{\"id\": 1}]}",
    );
    let restore = |extra: &[&'static str]| {
        let fixed = ["restore", "export.json", "--schema", "schema.sql", "--into", "sqlite:shop.db", "--dry-run"];
        exchange.relink(&[&fixed, extra].concat())
    };
    let refused = restore(&["--allow-drift", "fields"]);
    assert_eq!(refused.code(), 5, "{}", refused.stdout());
    assert!(refused.stdout().contains("restore::unknown-model"), "{}", refused.stdout());
    assert!(!refused.stdout().contains("restore::unknown-field"), "{}", refused.stdout());

    let restored = restore(&[]);
    assert_eq!(restored.code(), 0, "{}", restored.stdout());
    for expected in [
        "drift: the export and the schema differ",
        "warning shop_maker: the table has no column for the field nmae",
        "left out for want of a table: gone (1 record)",
        "shop_item.price: 1 value by `set` of the configuration",
    ] {
        assert!(restored.stdout().contains(expected), "{expected}: {}", restored.stdout());
    }
    let drift = restore(&["--format", "json"]).report()["drift"].clone();
    assert_eq!(drift["transformed"][0]["by"], "set");
    assert_eq!(drift["items"][0]["kind"], "unknown-model");
}

const ORDERS: &str = "CREATE TABLE customers (id integer PRIMARY KEY, email text NOT NULL UNIQUE, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers (id),
    shipped_with integer REFERENCES orders (id), total decimal(8, 2) NOT NULL CHECK (total > 0));";

/// Of the orders, the second has a wrong total, the third references it, and the fourth references nobody.
const SHOP: &str = r#"{"customers": [{"id": 1, "email": "ann@example.org", "name": "Ann"}],
"orders": [{"id": 10, "customer_id": 1, "shipped_with": null, "total": "9.50"},
{"id": 11, "customer_id": 1, "shipped_with": 10, "total": "3.005"},
{"id": 12, "customer_id": 1, "shipped_with": 11, "total": "1.00"},
{"id": 13, "customer_id": 7, "shipped_with": null, "total": "2.00"}]}"#;

fn shop() -> Exchange {
    let exchange = Exchange::new();
    exchange.write("schema.sql", ORDERS);
    exchange.write("shop.json", SHOP);
    exchange
}

impl Exchange {
    fn restore(&self, export: &str, extra: &[&str]) -> Said {
        let fixed = ["restore", export, "--schema", "schema.sql", "--into", "sqlite:shop.db"];
        self.relink(&[&fixed, extra].concat())
    }

    fn query(&self, sql: &str) -> String {
        let output = Command::new("sqlite3").arg(self.path("shop.db")).arg(sql).output().expect("sqlite3 is installed");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the temporary folder is readable");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

#[test]
fn rejected_records_are_told_kept_and_restored_once_they_are_mended() {
    let exchange = shop();
    let rehearsal = exchange.restore("shop.json", &["--on-error", "reject", "--dry-run"]);
    assert_eq!(rehearsal.code(), 1, "{}", rehearsal.stderr());
    assert_eq!(exchange.files(), ["schema.sql", "shop.json"], "a dry run writes nothing");
    assert!(rehearsal.stdout().contains("  the records would be in shop.rejects.json,"), "{}", rehearsal.stdout());

    assert!(rehearsal.stdout().contains("dry run: 2 of 5 rows would be inserted into"), "{}", rehearsal.stdout());

    let said = exchange.restore("shop.json", &["--on-error", "reject"]);
    assert_eq!(said.code(), 1, "{}", said.stderr());
    let expected = "rejected: 3 records
  orders: 1 restore::unfit-value (total), 1 restore::follows-rejected (shipped_with), 1 restore::dangling-reference (customer_id)
  the records are in shop.rejects.json, the reasons in shop.rejects.json.reasons.jsonl
  when they are mended: relink restore shop.rejects.json --into sqlite:shop.db
";
    assert!(said.stdout().contains(expected), "{}", said.stdout());
    assert!(said.stdout().contains("restore::unfit-value (the record is rejected)"), "{}", said.stdout());
    assert!(said.stdout().ends_with(", 3 rejected; every foreign key holds.\n"), "{}", said.stdout());
    assert_eq!(exchange.query("SELECT id FROM orders"), "10\n");
    let rejects = fs::read_to_string(exchange.path("shop.rejects.json")).expect("the reject file");
    let reasons = fs::read_to_string(exchange.path("shop.rejects.json.reasons.jsonl")).expect("the reason file");
    let chains: Vec<Value> = reasons.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let codes = |line: &Value| -> Vec<String> {
        let reasons = line["reasons"].as_array().expect("reasons");
        reasons.iter().map(|reason| reason["code"].as_str().expect("a code").to_owned()).collect()
    };
    assert_eq!(codes(&chains[1]), ["restore::follows-rejected", "restore::unfit-value"]);
    assert_eq!((&chains[1]["number"], &chains[1]["place"]["line"]), (&Value::from(1), &Value::from(4)));

    exchange.write(
        "shop.rejects.json",
        &rejects.replace("3.005", "3.00").replace("\"customer_id\": 7", "\"customer_id\": 1"),
    );
    let again = exchange.relink(&["restore", "shop.rejects.json", "--into", "sqlite:shop.db"]);
    assert_eq!(again.code(), 0, "{}", again.stdout());
    assert_eq!(exchange.query("SELECT id, total, shipped_with FROM orders"), "10|9.5|\n11|3|10\n12|1|11\n13|2|\n");
}

#[test]
fn where_rejected_records_cannot_be_kept_nothing_is_restored() {
    let exchange = shop();
    let name = "r".repeat(250);
    let said = exchange.restore("shop.json", &["--on-error", "reject", "--rejects", &name]);
    assert_eq!(said.code(), 5, "{}", said.stdout());
    assert!(
        said.stderr().contains("the restore was rolled back: the rejected records could not be written"),
        "{}",
        said.stderr()
    );
    assert_eq!(exchange.files(), ["schema.sql", "shop.json"]);

    for (arguments, expected) in [
        (&["--rejects", "x.json"][..], "--on-error reject"),
        (&["--on-error", "reject", "--rejects", "shop.json"], "shop.json exists"),
        (&["--on-dangling", "reject", "--rejects", "nowhere/x.json"], "nowhere, which is no folder"),
    ] {
        let said = exchange.restore("shop.json", arguments);
        assert_eq!((said.code(), said.stdout().as_str()), (2, ""));
        assert!(said.stderr().contains(expected), "{}", said.stderr());
    }
    assert_eq!(exchange.files(), ["schema.sql", "shop.json"]);
}

#[test]
fn where_the_commit_fails_no_reject_file_is_left() {
    let exchange = shop();
    let database = exchange.path("shop.db");
    let made = Command::new("sqlite3").arg(&database).arg(ORDERS).status().expect("sqlite3 is installed");
    assert!(made.success());
    // Whoever reads keeps SQLite from committing.
    let mut reader = Command::new("sqlite3")
        .arg(&database)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sqlite3 is installed");
    let mut input = reader.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, b"BEGIN; SELECT count(*) FROM orders;\n").expect("it listens");
    let mut line = String::new();
    let mut output = std::io::BufReader::new(reader.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut output, &mut line).expect("it answers");
    let said = exchange.restore("shop.json", &["--on-error", "reject"]);
    assert_eq!(said.code(), 3, "{}{}", said.stdout(), said.stderr());
    assert!(said.stderr().contains("locked"), "{}", said.stderr());
    drop(input);
    reader.wait().expect("it ends");
    assert_eq!(exchange.files(), ["schema.sql", "shop.db", "shop.json"]);
    assert_eq!(exchange.query("SELECT count(*) FROM customers"), "0\n");
}

#[test]
fn references_that_are_nulled_are_told_and_the_rest_of_their_records_is_restored() {
    let exchange = shop();
    exchange.write(
        "shop.json",
        &SHOP
            .replace("3.005", "3.00")
            .replace("\"customer_id\": 7", "\"customer_id\": 1")
            .replace("11, \"total", "99, \"total"),
    );
    let said = exchange.restore("shop.json", &["--on-dangling", "null"]);
    assert_eq!(said.code(), 0, "{}", said.stdout());
    assert!(said.stdout().contains("restore::dangling-reference (the reference is left out)"), "{}", said.stdout());
    assert_eq!(exchange.query("SELECT id FROM orders WHERE shipped_with IS NULL"), "10\n12\n13\n");
}

#[test]
fn a_validation_that_is_skipped_is_told_in_both_reports() {
    let exchange = shop();
    exchange.write("relink.toml", "[table.orders]\nmin = { total = 5 }\n[restore]\non_error = \"reject\"\n");
    let validated = exchange.restore("shop.json", &["--format", "json", "--dry-run"]);
    assert_eq!((validated.code(), &validated.report()["validation_skipped"]), (1, &Value::Bool(false)));
    exchange.write("relink.toml", "[table.orders]\nmin = { total = 10 }\n[restore]\non_error = \"reject\"\n");
    let invalid = exchange.restore("shop.json", &["--format", "json"]);
    assert_eq!((invalid.code(), &invalid.report()["rejects"]), (5, &Value::Null), "the rule does not hold");
    assert!(!exchange.path("shop.rejects.json").exists());

    let text = exchange.restore("shop.json", &["--skip-validation", "--dry-run"]);
    assert!(text.stdout().contains("; not validated (--skip-validation)."), "{}", text.stdout());
    let skipped = exchange.restore("shop.json", &["--skip-validation", "--format", "json"]);
    assert_eq!(skipped.code(), 1, "{}", skipped.stderr());
    let report = skipped.report();
    assert_eq!((&report["validation"], &report["validation_skipped"]), (&Value::Null, &Value::Bool(true)));
    assert_eq!(report["rejects"]["tables"][0]["causes"][0]["code"], "restore::unfit-value");
}

#[test]
fn the_report_tells_of_ids_deleted_rows_rungs_and_what_was_read_back() {
    let exchange = shop();
    let sound = SHOP.replace("3.005", "3.00").replace("\"customer_id\": 7", "\"customer_id\": 1");
    exchange.write("shop.json", &sound);
    assert_eq!(exchange.restore("shop.json", &["--strategy", "raw"]).code(), 0);
    let cleared = exchange.restore("shop.json", &["--clear-existing", "--ids", "new", "--verify", "full"]);
    assert_eq!(cleared.code(), 0, "{}", cleared.stdout());
    for expected in [
        "table           read   inserted    deleted\n",
        "total              5          5          5\n",
        "ids: new ones; references follow\n",
        "verified (full): 5 rows with 19 values read back",
        "5 of 5 rows inserted into SQLite",
        ", 5 deleted; every foreign key holds.\n",
    ] {
        assert!(cleared.stdout().contains(expected), "{expected}: {}", cleared.stdout());
    }
    // What a CHECK allows only the database knows.
    let refused = r#"{"customers": [{"id": 1, "email": "bob@example.org", "name": "Bob"}],
        "orders": [{"id": 1, "customer_id": 1, "total": "-3.00"}, {"id": 2, "customer_id": 1, "total": "3.00"}]}"#;
    exchange.write("shop.json", refused);
    let said = exchange.restore("shop.json", &["--on-error", "reject", "--ids", "remap"]);
    assert_eq!(said.code(), 1, "{}", said.stderr());
    for expected in [
        "restore::refused-row (the record is rejected)",
        "ids: the export's, or new ones where other rows have them; references follow\n",
        "  under which ids the rows stand that they refer to are in shop.rejects.json.ids.jsonl\n",
        " --ids remap --id-map shop.rejects.json.ids.jsonl\n",
    ] {
        assert!(said.stdout().contains(expected), "{expected}: {}", said.stdout());
    }
    let rejected = fs::read_to_string(exchange.path("shop.rejects.json")).expect("the reject file");
    exchange.write("mended.json", &rejected.replace("-3.00", "3.00"));
    let again = ["--ids", "remap", "--mode", "upsert"];
    let lost = exchange.restore("mended.json", &again);
    assert!(lost.code() == 5 && lost.stdout().contains("restore::external-reference"), "{}", lost.stdout());
    let found = exchange.restore("mended.json", &[&again[..], &["--id-map", "shop.rejects.json.ids.jsonl"]].concat());
    assert_eq!(found.code(), 0, "{}", found.stdout());
    exchange.write("no-map.jsonl", "{\"table\": \"customers\"}\n");
    let broken = exchange.restore("mended.json", &["--id-map", "no-map.jsonl"]);
    assert!(broken.code() == 2 && broken.stderr().contains("no-map.jsonl:1: "), "{}", broken.stderr());
    exchange
        .write("strange.jsonl", "{\"table\": \"strangers\", \"columns\": [\"id\"], \"given\": [1], \"now\": [2]}\n");
    let strange = exchange.restore("mended.json", &["--id-map", "strange.jsonl"]);
    assert!(strange.code() == 2 && strange.stderr().contains("there is no table strangers"), "{}", strange.stderr());
}

#[test]
fn help_groups_the_options_and_names_every_exit_code() {
    let exchange = Exchange::new();
    let help = exchange.relink(&["restore", "--help"]).stdout();
    let headings = [
        "\nOptions:",
        "\nExisting rows and ids:",
        "\nSelection:",
        "\nProblems in the data:",
        "\nLoading:",
        "\nProof:",
        "\nExit codes:",
    ];
    let places: Vec<Option<usize>> = headings.iter().map(|heading| help.find(heading)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    assert!(
        help.starts_with("Restore an export into a database, in one transaction, all or nothing.\n\nEvery problem"),
        "{help}"
    );
    let documented =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/restore.md")).expect("docs");
    for option in help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
        let option = option.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if !["--help", "--config", "--from", "--encoding", "--format"].contains(&option) {
            assert!(documented.contains(option), "docs/restore.md says nothing of {option}");
        }
    }
}

#[test]
fn a_restore_that_commits_on_its_way_stops_and_goes_on_and_excuses_nothing_that_it_committed_itself() {
    let exchange = shop();
    let sound = SHOP.replace("3.005", "3.00").replace("\"customer_id\": 7", "\"customer_id\": 1");
    exchange.write("shop.json", &sound);
    exchange.write("relink.toml", "[table.orders]\nmin = { total = 2 }\n");
    let batches = ["--commit-every", "1"];
    let stopped = exchange.restore("shop.json", &batches);
    assert_eq!(stopped.code(), 6, "{}{}", stopped.stdout(), stopped.stderr());
    assert!(
        stopped.stdout().contains("shop.json was restored in part: the validation found errors"),
        "{}",
        stopped.stdout()
    );
    assert!(!stopped.stdout().contains("it stood there before"), "{}", stopped.stdout());
    let other = exchange.restore("shop.json", &batches);
    assert_eq!(other.code(), 5, "the journal is in the way: {}", other.stdout());
    assert_eq!(exchange.restore("shop.json", &["--resume", "--dry-run"]).code(), 2);
    let again = exchange.restore("shop.json", &["--resume"]);
    assert_eq!(again.code(), 6, "the rule is broken still: {}{}", again.stdout(), again.stderr());
    let skipped = exchange.restore("shop.json", &["--resume", "--skip-validation"]);
    assert_eq!(skipped.code(), 0, "{}{}", skipped.stdout(), skipped.stderr());
    assert_eq!(exchange.query("SELECT count(*) FROM orders"), "4\n");
    assert_eq!(exchange.restore("shop.json", &["--resume"]).code(), 5, "there is nothing to resume");
}

#[test]
fn rejected_records_of_a_restore_that_commits_on_its_way_are_kept_before_its_last_commit() {
    let exchange = shop();
    let name = "r".repeat(250);
    let options = ["--commit-every", "1", "--on-error", "reject"];
    let stopped = exchange.restore("shop.json", &[&options[..], &["--rejects", &name]].concat());
    assert_eq!(stopped.code(), 6, "{}{}", stopped.stdout(), stopped.stderr());
    assert!(stopped.stderr().contains("what was committed stays"), "{}", stopped.stderr());
    let resumed = exchange.restore("shop.json", &["--resume", "--on-error", "reject"]);
    assert_eq!(resumed.code(), 1, "{}{}", resumed.stdout(), resumed.stderr());
    assert!(resumed.stdout().contains("rejected: 3 records\n"), "{}", resumed.stdout());
    let reasons = fs::read_to_string(exchange.path("shop.rejects.json.reasons.jsonl")).expect("the reason file");
    assert_eq!(reasons.lines().count(), 3);
    assert_eq!(exchange.query("SELECT id FROM orders"), "10\n");
}

#[test]
fn a_part_of_the_export_is_restored_and_the_rest_is_told() {
    let exchange = shop();
    exchange.write("shop.json", &SHOP.replace("3.005", "3.00").replace("\"customer_id\": 7", "\"customer_id\": 1"));
    let part = exchange.restore("shop.json", &["--only", "customers"]);
    assert_eq!(part.code(), 0, "{}", part.stderr());
    assert!(
        part.stdout().contains("left out by --only, --exclude or --where: orders (4 records)\n"),
        "{}",
        part.stdout()
    );
    let rest = exchange.restore(
        "shop.json",
        &["--exclude", "customers", "--where", "orders: total >= 3", "--where", "orders: id < 12"],
    );
    assert_eq!(rest.code(), 0, "{}{}", rest.stdout(), rest.stderr());
    assert_eq!(exchange.query("SELECT id FROM orders"), "10\n11\n");
    let misspelt = exchange.restore("shop.json", &["--only", "custmers"]);
    assert_eq!(misspelt.code(), 2);
    assert!(misspelt.stderr().contains("did you mean \"customers\"?"), "{}", misspelt.stderr());
}

#[test]
fn what_is_guessed_is_told_and_becomes_rules_when_it_is_taken_over() {
    let exchange = Exchange::new();
    let mut sql = "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT); CREATE TABLE shops (id INTEGER PRIMARY KEY, x TEXT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, shop_id INTEGER, \"customer-id\" INTEGER, qty INTEGER, total NUMERIC);
        CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER, amount NUMERIC);"
        .to_owned();
    let rows = (1..=100).map(|id| {
        let (customer, shop) = (if id == 100 { 900 } else { id }, if id % 10 == 0 { 900 + id } else { id });
        format!(
            "INSERT INTO customers VALUES ({id}, 'a{id}@x.org'); INSERT INTO shops VALUES ({id}, '');
             INSERT INTO orders VALUES ({id}, {customer}, {shop}, {id}, 1, {id}); INSERT INTO lines VALUES ({id}, {id}, {id});"
        )
    });
    sql.extend(rows);
    exchange.write("data.sql", &sql);
    let loaded =
        Command::new("sqlite3").args(["shop.db", ".read data.sql"]).current_dir(exchange.folder.path()).status();
    assert!(loaded.expect("sqlite3 is installed").success());

    let guessed = exchange.relink(&["validate", "sqlite:shop.db"]);
    assert_eq!(guessed.code(), 0, "a guess is no error: {}", guessed.stdout());
    let text = guessed.stdout();
    for expected in [
        "info ref:orders.customer_id",
        "it is a guess",
        "inferred: 7 used, 0 rejected, 0 ambiguous (relink rules suggest)",
    ] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    let plain = exchange.relink(&["validate", "sqlite:shop.db", "--no-infer"]).stdout();
    assert!(!plain.contains("inferred") && !plain.contains("ref:orders"), "{plain}");

    let suggested = exchange.relink(&["rules", "suggest", "sqlite:shop.db"]);
    assert_eq!((suggested.code(), suggested.stderr().as_str()), (0, ""));
    assert!(suggested.stdout().contains("# \"shop_id -> shops.id\","), "{}", suggested.stdout());
    exchange.write("relink.toml", &suggested.stdout());
    let ruled = exchange.relink(&["validate", "sqlite:shop.db", "--format", "json"]);
    assert_eq!(ruled.code(), 1, "now it is promised: {}", ruled.stdout());
    let report = ruled.report();
    let checks = report["checks"].as_array().expect("checks");
    let find = |id: &str| {
        let found = checks.iter().find(|check| check["id"] == id);
        found.unwrap_or_else(|| panic!("{id} is missing in {}", suggested.stdout()))
    };
    for id in [
        "ref:orders.customer_id",
        "ref:orders.customer-id",
        "min:orders.qty",
        "total:orders.total",
        "ref:lines.order_id",
        "unique:customers.ci(trim(email))",
    ] {
        assert_eq!(
            (find(id)["inferred"].as_bool(), find(id)["severity"].as_str()),
            (Some(false), Some("error")),
            "{id}"
        );
    }
    assert_eq!(find("ref:orders.shop_id")["inferred"], true, "what was in doubt is still a guess");
    let again = exchange.relink(&["rules", "suggest", "sqlite:shop.db"]).stdout();
    assert!(again.contains("0 that the data bears out, 1 that want"), "{again}");
}
