//! `relink validate` with the built program: exports, formats into files, baselines, chosen checks, and how it ends.

mod common;

use std::{fs, path::PathBuf, process::Command};

use relink_testkit::TestDatabase;
use tempfile::TempDir;

use self::common::Said;

const SCHEMA: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), quantity INTEGER, updated_at TIMESTAMP);";

const EXPORT: &str = r#"{"customers": [{"id": 1, "email": "a@x.org"}, {"id": 2, "email": null}],
"orders": [{"id": 1, "customer_id": 1, "quantity": 5, "updated_at": "2026-01-01 00:00:00"},
{"id": 2, "customer_id": 9, "quantity": -1, "updated_at": "2026-01-02 00:00:00"},
{"id": 3, "customer_id": 9, "quantity": "many", "updated_at": "2026-11-01 00:00:00"}]}"#;

const CONFIG: &str = "[table.orders]\nmin = { quantity = 0 }\n";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        folder.write("schema.sql", SCHEMA);
        folder.write("export.json", EXPORT);
        folder.write("relink.toml", CONFIG);
        // What is found in a folder above is no configuration of this one.
        folder.write(".git", "");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("the temporary folder is writable");
    }

    fn validate(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relink"));
        command.arg("validate").args(arguments).current_dir(self.0.path());
        command.env_remove("RELINK_DATABASE_URL").env_remove("GITHUB_STEP_SUMMARY");
        Said::by(&mut command)
    }

    /// Over the export, with its schema.
    fn export(&self, arguments: &[&str]) -> Said {
        let all: Vec<&str> = ["export.json", "--schema", "schema.sql"].iter().chain(arguments).copied().collect();
        self.validate(&all)
    }
}

/// Ids of the checks with this status.
fn ids(said: &Said, status: &str) -> Vec<String> {
    let report = said.report();
    let checks = report["checks"].as_array().expect("a list");
    let of_status = checks.iter().filter(|check| check["status"] == status);
    of_status.map(|check| check["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn an_export_is_judged_without_a_database_and_findings_have_their_place() {
    let folder = Folder::new();
    let said = folder.export(&["--format", "json"]);
    assert_eq!(said.code(), 1, "{}", said.stderr());
    assert_eq!(
        ids(&said, "fail"),
        ["not_null:customers.email", "ref:orders.customer_id", "type:orders.quantity", "min:orders.quantity"]
    );
    let report = said.report();
    assert_eq!(report["run"]["target"]["kind"], "export");
    assert_eq!(report["run"]["target"]["schema"], "the script schema.sql");
    let checks = report["checks"].as_array().expect("a list");
    let of = |id: &str| checks.iter().find(|check| check["id"] == id).expect("the check");
    let sample = &of("ref:orders.customer_id")["samples"][0];
    assert_eq!((&sample["key"]["id"], &sample["place"]["line"]), (&"2".into(), &3.into()));
    assert_eq!(sample["place"]["pointer"], "/orders/1");
    let bounds = of("min:orders.quantity");
    assert_eq!((&bounds["rule"]["file"], &bounds["rule"]["line"]), (&"relink.toml".into(), &2.into()));
    assert_eq!(bounds["problems"]["not a number"], 1);
}

#[test]
fn without_a_schema_it_is_inferred_and_the_report_says_so() {
    let folder = Folder::new();
    let said = folder.validate(&["export.json", "--format", "json"]);
    let schema = said.report()["run"]["target"]["schema"].as_str().expect("a text").to_owned();
    assert!(schema.starts_with("inferred from the data"), "{schema}");
    assert!(ids(&said, "fail").contains(&"min:orders.quantity".to_owned()));
}

#[test]
fn several_formats_go_into_files_in_one_run() {
    let folder = Folder::new();
    let formats =
        ["junit=a.xml", "sarif=a.sarif", "gitlab=a.json", "html=a.html", "markdown=a.md", "tap=a.tap", "github"];
    let arguments: Vec<&str> = formats.iter().flat_map(|format| ["--format", format]).collect();
    let said = folder.export(&arguments);
    assert_eq!(said.code(), 1);
    assert!(said.stdout().contains("::error file=relink.toml,line=2"), "{}", said.stdout());
    for (name, holds) in [
        ("a.xml", "<testsuite"),
        ("a.sarif", "\"2.1.0\""),
        ("a.json", "\"fingerprint\""),
        ("a.html", "<html"),
        ("a.md", "ref:orders.customer"),
        ("a.tap", "not ok"),
    ] {
        let text = fs::read_to_string(folder.path(name)).expect("written");
        assert!(text.contains(holds), "{name}: {text}");
    }
    let said = folder.export(&["--format", "xml"]);
    assert_eq!(said.code(), 2);
    assert!(said.stderr().contains("junit"), "{}", said.stderr());
    let said = folder.export(&["--format", "json=nowhere/a.json"]);
    assert_eq!(said.code(), 2, "{}", said.stderr());
}

#[test]
fn a_baseline_accepts_what_is_there_and_fails_on_what_is_new() {
    let folder = Folder::new();
    let missing = folder.export(&["--baseline", "base.json"]);
    assert_eq!(missing.code(), 2, "a baseline that is not there is no empty one");
    let made = folder.export(&["--baseline", "base.json", "--update-baseline"]);
    assert_eq!(made.code(), 1, "{}", made.stderr());
    let known = folder.export(&["--baseline", "base.json", "--format", "json"]);
    assert_eq!(known.code(), 0, "{}", known.stdout());
    assert_eq!(ids(&known, "fail"), [""; 0]);
    assert_eq!(ids(&known, "allowed").len(), 4);
    folder.write("export.json", &EXPORT.replace("\"quantity\": 5", "\"quantity\": -5"));
    let worse = folder.export(&["--baseline", "base.json", "--format", "json"]);
    assert_eq!(worse.code(), 1);
    assert_eq!(ids(&worse, "fail"), ["min:orders.quantity"]);
    let report = worse.report();
    let checks = report["checks"].as_array().expect("a list");
    let found = checks.iter().find(|check| check["id"] == "min:orders.quantity").expect("the check");
    assert_eq!(
        (&found["baseline"], &found["counts"]["failed"], &found["counts"]["allowed"]),
        (&"new".into(), &3.into(), &2.into())
    );
    assert_eq!((&found["samples"][0]["key"]["id"], &found["samples"][0]["allowed"]), (&"1".into(), &false.into()));
    folder.write("base.json", "{\"version\": 7, \"made\": \"\", \"checks\": {}}");
    assert_eq!(folder.export(&["--baseline", "base.json"]).code(), 2);
}

#[test]
fn what_is_known_of_checks_that_were_not_made_stays_in_the_baseline() {
    let folder = Folder::new();
    folder.write("export.json", &EXPORT.replace("\"quantity\": 5", "\"quantity\": 5, \"more\": 1"));
    let known = || {
        let text = fs::read_to_string(folder.path("base.json")).expect("a baseline");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["checks"].clone()
    };
    let update = |more: &[&str]| folder.export(&[&["--baseline", "base.json", "--update-baseline"], more].concat());
    assert_eq!(update(&[]).code(), 1);
    let all = known();
    assert!(all["complete:orders.more"]["rows"] == 1 && all["ref:orders.customer_id"]["rows"] == 2, "{all}");
    for partial in [&["--only", "ref:*"][..], &["--no-infer"]] {
        update(partial);
        assert_eq!(known(), all, "{partial:?}");
    }
    // What is old would be forgotten.
    let since = update(&["--since", "2026-10-01"]);
    assert_eq!((since.code(), known()), (2, all), "{}", since.stderr());
    let only = folder.export(&["--baseline", "base.json", "--only", "ref:*", "--format", "json"]);
    assert_eq!((only.code(), ids(&only, "allowed")), (0, vec!["ref:orders.customer_id".to_owned()]));
    assert_eq!(only.report()["warnings"], serde_json::json!([]), "no check is called gone that was not asked for");
}

#[test]
fn where_nothing_can_be_checked_nothing_passes() {
    let folder = Folder::new();
    folder.write("relink.toml", "");
    folder.write("empty.json", "{}");
    let [empty, bare] = [TestDatabase::sqlite(), TestDatabase::sqlite()];
    empty.run("CREATE TABLE t (a); DROP TABLE t;");
    bare.run("CREATE TABLE t (a); INSERT INTO t VALUES (1);");
    for (target, why) in [
        ("empty.json", "the export holds no table of the schema"),
        (&empty.url(), "there is no table"),
        (&bare.url(), "the schema promises nothing"),
    ] {
        let said = folder.validate(&[target]);
        assert_eq!(said.code(), 3, "{target}: {}", said.stdout());
        assert!(said.stdout().contains(why), "{target}: {}", said.stdout());
    }
    folder.write("relink.toml", "[severity]\n\"*\" = \"off\"\n");
    assert_eq!(folder.export(&[]).code(), 0, "nothing was to be checked");
    assert_eq!(folder.validate(&["empty.json"]).code(), 3, "there is nothing, whatever is off");
}

#[test]
fn what_is_meant_as_a_url_or_a_file_is_taken_for_it_and_no_password_is_shown() {
    let folder = Folder::new();
    for (target, said) in [
        ("postgres:/u:topsecret@h/db", "postgres:/u:***@h/db\" is not a database URL"),
        ("mysql:topsecret@h", "is not a database URL"),
        ("postgres://relink:topsecret@ret/x@127.0.0.1:1/db", "relink:***@127.0.0.1"),
    ] {
        let ended = folder.validate(&[target]);
        let told = ended.stderr();
        assert!(ended.code() >= 2 && told.contains(said), "{target}: {told}");
        assert!(target.starts_with("mysql") || !told.contains("topsecret"), "{target}: {told}");
    }
    let missing = folder.validate(&["export.json", "--schema", "nosuch.sql"]);
    assert_eq!(missing.code(), 2);
    assert!(missing.stderr().contains("cannot read nosuch.sql: no such file"), "{}", missing.stderr());
}

#[test]
fn limits_that_no_database_takes_are_mistakes_of_the_command_line() {
    let folder = Folder::new();
    for (option, value, said) in [
        ("--timeout-per-check", "1e30h", "from 1ms to 480h"),
        ("--timeout-per-check", "0.0001ms", "from 1ms to 480h"),
        ("--max-samples", "18446744073709551615", "up to 1000000"),
    ] {
        let ended = folder.export(&[option, value]);
        assert_eq!(ended.code(), 2, "{value}");
        assert!(ended.stderr().contains(said), "{value}: {}", ended.stderr());
    }
}

#[test]
fn suppressions_need_a_reason_and_lapse() {
    let folder = Folder::new();
    let allow = |rest: &str| {
        folder.write("relink.toml", &format!("{CONFIG}[[allow]]\ncheck = \"ref:orders.customer_id\"\n{rest}"));
    };
    let now = ["--now", "2026-11-20T00:00:00Z", "--format", "json"];
    allow("why = \"purged\"\nuntil = 2026-12-31\n");
    assert_eq!(ids(&folder.export(&now), "allowed"), ["ref:orders.customer_id"]);
    allow("why = \"purged\"\nkeys = [2]\n");
    let said = folder.export(&now);
    assert!(ids(&said, "fail").contains(&"ref:orders.customer_id".to_owned()), "the other row is still there");
    allow("why = \"purged\"\nuntil = 2026-11-19\n");
    let said = folder.export(&now);
    assert!(ids(&said, "fail").contains(&"ref:orders.customer_id".to_owned()));
    assert!(said.report()["warnings"][0].as_str().is_some_and(|warning| warning.contains("lapsed")));
    allow("");
    let said = folder.export(&now);
    assert_eq!(said.code(), 2);
    assert!(said.stderr().contains("why"), "{}", said.stderr());
    // Who only looks whether the rules fit is told, too.
    let mut rules = Command::new(env!("CARGO_BIN_EXE_relink"));
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/stocktake/dirty.db"), folder.path("any.db"))
        .expect("copied");
    folder.write("relink.toml", "[[allow]]\ncheck = \"ref:*\"\n");
    let said = Said::by(
        rules.args(["rules", "check", "sqlite:any.db", "--config", "relink.toml"]).current_dir(folder.0.path()),
    );
    assert_eq!(said.code(), 2, "{}", said.stdout());
    assert!(said.stderr().contains("why: it is missing"), "{}", said.stderr());
}

#[test]
fn checks_are_chosen_by_id_and_rows_by_when_they_changed() {
    let folder = Folder::new();
    let only = folder.export(&["--only", "ref:*", "--only", "min:*", "--format", "json"]);
    assert_eq!(ids(&only, "fail"), ["ref:orders.customer_id", "min:orders.quantity"]);
    assert_eq!(folder.export(&["--only", "nothing"]).code(), 2);
    let since = folder.export(&["--since", "2026-10-01", "--only", "*:orders.*", "--format", "json"]);
    let report = since.report();
    let checks = report["checks"].as_array().expect("a list");
    let failed =
        |id: &str| checks.iter().find(|check| check["id"] == id).map(|check| check["counts"]["failed"].clone());
    assert_eq!(failed("ref:orders.customer_id"), Some(1.into()), "one of the two is old");
    let left = report["not_checked"].to_string();
    assert!(left.contains("rows from before 2026-10-01"), "{left}");
    assert_eq!(folder.export(&["--since", "soon"]).code(), 2);
}

#[test]
fn the_exit_code_goes_by_the_severity_that_counts() {
    let folder = Folder::new();
    assert_eq!(folder.export(&["--fail-on", "never"]).code(), 0);
    folder.write("relink.toml", "[severity]\n\"*\" = \"warning\"\n");
    assert_eq!(folder.export(&[]).code(), 0);
    assert_eq!(folder.export(&["--fail-on", "warning"]).code(), 1);
    folder.write("relink.toml", "[run]\nfail_on = \"warning\"\n[severity]\n\"*\" = \"warning\"\n");
    assert_eq!(folder.export(&[]).code(), 1);
    folder.write("relink.toml", "[severity]\n\"*\" = \"off\"\n");
    assert_eq!(folder.export(&["-q"]).code(), 0);
}

#[test]
fn a_file_that_is_cut_off_is_unreadable_and_a_database_file_needs_no_url() {
    let folder = Folder::new();
    folder.write("export.json", &EXPORT[..EXPORT.len() - 20]);
    let said = folder.export(&[]);
    assert_eq!(said.code(), 4, "{}", said.stdout());
    let sqlite = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/stocktake/dirty.db");
    let said = folder.validate(&[sqlite, "--config", "relink.toml", "--only", "ref:*", "--format", "json"]);
    // The rules are about a table that this database does not have.
    assert_eq!(said.code(), 2, "{}", said.stdout());
    folder.write("relink.toml", "");
    let said = folder.validate(&[sqlite, "--only", "ref:*", "--format", "json"]);
    assert_eq!(said.code(), 1, "{}", said.stderr());
    assert_eq!(said.report()["run"]["target"]["kind"], "database");
    assert_eq!(folder.validate(&[sqlite, "--schema", "schema.sql"]).code(), 2);
}

#[test]
fn masked_columns_are_in_no_report() {
    let folder = Folder::new();
    folder.write("relink.toml", "[run]\nmask = [\"orders.customer_id\"]\n");
    for format in ["json", "text", "html", "junit", "sarif", "markdown", "github", "gitlab", "tap"] {
        let said = folder.export(&["--only", "ref:*", "--format", format]);
        assert_eq!(said.code(), 1);
        let line = said.stdout();
        let shows =
            |text: &str| text.contains("customer_id=9") || text.contains("customer_id: 9") || text.contains("\"9\"");
        assert!(!shows(&line), "{format}: {line}");
    }
}

#[test]
fn an_export_that_lost_its_tables_does_not_pass_and_what_says_so_can_be_asked_for() {
    let folder = Folder::new();
    folder.write(
        "export.json",
        r#"{"meta": {"counts": {"orders": 3}}, "customers": [{"id": 1, "email": "a@x.org", "zz": 1}]}"#,
    );
    let lost = folder.export(&["--format", "json"]);
    assert_eq!(
        (lost.code(), ids(&lost, "fail")),
        (1, ["complete:relations", "complete:count:orders", "complete:customers.zz"].map(str::to_owned).to_vec())
    );
    let asked = folder.export(&["--only", "complete:*.zz", "--format", "json"]);
    assert_eq!((asked.code(), ids(&asked, "fail")), (0, vec!["complete:customers.zz".to_owned()]));
    let others = folder.export(&["--only", "not_null:*", "--format", "json"]);
    assert_eq!((others.code(), ids(&others, "fail")), (0, vec![]));
    assert_eq!(folder.export(&["--only", "compleat:*"]).code(), 2, "there is no such check");
    for nothing in ["{}", "[]"] {
        folder.write("export.json", nothing);
        let said = folder.export(&[]);
        assert_eq!(said.code(), 3, "{}", said.stdout());
        assert!(
            said.stdout().contains("the export holds no table of the schema: nothing was checked"),
            "{}",
            said.stdout()
        );
    }
}

#[test]
fn without_a_schema_records_go_into_the_tables_that_were_inferred_for_them() {
    let folder = Folder::new();
    folder.write(
        "relink.toml",
        "ignore_models = [\"shop.gone\"]\n[table.goods]\nmodels = [\"shop.item\"]\nmin = { price = 0 }\n",
    );
    folder.write(
        "export.json",
        r#"[{"model": "contenttypes.contenttype", "pk": 5, "fields": {"app_label": "shop", "model": "order"}},
        {"model": "auth.group", "pk": 1, "fields": {"name": "g", "permissions": [["add", "shop", "order"], 3]}},
        {"model": "shop.item", "pk": 1, "fields": {"price": -1, "tags": [1, 2]}},
        {"model": "shop.gone", "pk": 1, "fields": {"price": -1}}]"#,
    );
    let said = folder.validate(&["export.json", "--format", "json"]);
    assert_eq!(ids(&said, "fail"), ["min:goods.price"], "{}", said.stdout());
    let passed = ids(&said, "pass");
    for id in ["not_null:django_content_type.id", "type:auth_group.permissions", "type:goods.tags"] {
        assert!(passed.iter().any(|other| other == id), "{id}: {passed:?}");
    }
}

#[test]
fn an_error_that_nobody_reads_is_the_same_error() {
    let folder = Folder::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_relink"));
    // The reader is gone before a word is said.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = command
        .args(["fix", "sqlite:nosuch.db", "ref:a.b", "--null"])
        .current_dir(folder.path("."))
        .stderr(writer)
        .status();
    assert_eq!(status.expect("it starts").code(), Some(3));
}
