//! Whether an export is whole: what was lost, what nothing takes, what is said twice, and how these checks are chosen and graded.

use relink_model::Severity;
use relink_validate::{Check, Options, Report, Status};

use crate::validated::{catalog_of_script, check, counts, judge_export, keys, options, troubles, validate_export};

const SHOP: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id));
    CREATE TABLE accounts (id INTEGER PRIMARY KEY); CREATE TABLE notes (body TEXT);";

async fn shop(json: &str, config: &str) -> Report {
    validate_export(json, catalog_of_script(SHOP).await, config).await
}

#[tokio::test]
async fn a_table_that_was_lost_whole_is_missed_and_its_stated_count_is_not_kept() {
    let report = shop(r#"{"meta": {"counts": {"orders": 500, "nobody": 3}}, "customers": [{"id": 1}]}"#, "").await;
    let found = check(&report, "complete:count:orders");
    assert_eq!((found.status, found.counts.failed), (Status::Fail, 500), "{}", found.message);
    assert_eq!(found.message, "the export states 500 records of orders, and holds 0");
    let absent = check(&report, "complete:relations");
    assert_eq!((absent.status, absent.severity, absent.counts.failed), (Status::Fail, Severity::Warning, 3));
    assert_eq!(absent.message, "not in the export: accounts, notes, orders");
    assert!(report.is_complete() && report.checks.iter().all(|check| check.id != "complete:count:nobody"));
}

#[tokio::test]
async fn a_count_belongs_to_the_label_or_else_to_the_relation_that_it_names() {
    let json = r#"{"row_counts": {"orders": 2, "Customers": 1}, "accounts": {"orders": 90}, "total_amounts": {"orders": 90},
        "Orders": [{"id": 1, "customer_id": 1}, {"id": 2}], "Customers": [{"id": 1}]}"#;
    let report = shop(json, "").await;
    assert_eq!(check(&report, "complete:count:orders").status, Status::Pass, "{:?}", troubles(&report));
    assert_eq!(check(&report, "complete:count:Customers").status, Status::Pass);
    assert_eq!(report.checks.iter().filter(|check| check.id.starts_with("complete:count:")).count(), 2);
}

#[tokio::test]
async fn an_export_of_nothing_is_no_pass() {
    for json in ["{}", "[]", r#"{"strangers": [{"id": 1}]}"#] {
        let report = shop(json, "[severity]\n\"complete:*\" = \"off\"").await;
        let found = check(&report, "complete:export");
        assert_eq!(found.status, Status::Error, "{json}");
        assert_eq!(found.why.as_deref(), Some("the export holds no table of the schema: nothing was checked"));
        assert!(!report.is_complete(), "{json}");
    }
    // An empty table is one.
    assert!(shop(r#"{"customers": []}"#, "").await.is_complete());
}

#[tokio::test]
async fn two_fields_of_one_record_for_one_column_are_reported_and_the_last_one_is_judged_as_it_is() {
    let json = r#"{"customers": [{"id": 1}], "orders": [{"id": 1, "customer_id": "x", "Customer_Id": 1},
        {"id": 2, "customer_id": 1}, {"id": 3, "customer_id": 1, "Customer_Id": 9}]}"#;
    let report = shop(json, "").await;
    let twice = check(&report, "complete:twice:orders.customer_id");
    assert_eq!(
        (twice.severity, twice.counts.failed, twice.columns.as_slice()),
        (Severity::Error, 2, &["customer_id".to_owned()][..])
    );
    assert_eq!(twice.samples[0].place.as_ref().map(|place| place.line), Some(1));
    assert_eq!(check(&report, "type:orders.customer_id").status, Status::Pass, "1 is a number");
    assert_eq!(keys(&report, "ref:orders.customer_id"), ["id=3"]);
}

const LIKES: &str = "CREATE TABLE app_user (id INTEGER PRIMARY KEY);
    CREATE TABLE app_post (id INTEGER PRIMARY KEY);
    CREATE TABLE app_post_likers (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL REFERENCES app_post (id), user_id INTEGER NOT NULL REFERENCES app_user (id));";

#[tokio::test]
async fn a_field_of_many_that_is_no_list_is_reported_and_an_element_has_its_own_place() {
    let dump = "[{\"model\": \"app.user\", \"pk\": 1, \"fields\": {}},
        {\"model\": \"app.post\", \"pk\": 1, \"fields\": {\"likers\": [1,\n 8, 1,\n 9]}},
        {\"model\": \"app.post\", \"pk\": 2, \"fields\": {\"likers\": null}},
        {\"model\": \"app.post\", \"pk\": 3, \"fields\": {\"likers\": \"x\"}},
        {\"model\": \"app.post\", \"pk\": 4, \"fields\": {\"likers\": {\"a\": 1}}},
        {\"model\": \"app.post\", \"pk\": 5, \"fields\": {}}]";
    let report = validate_export(dump, catalog_of_script(LIKES).await, "").await;
    let found = check(&report, "complete:list:app_post.likers");
    assert_eq!((found.severity, found.counts.failed), (Severity::Error, 3), "null, a text and an object");
    let place = found.samples[0].place.as_ref().expect("it has a place");
    assert_eq!((place.line, place.pointer.as_str()), (5, "/2/fields/likers"));
    assert_eq!(counts(&report, "ref:app_post_likers.user_id"), (2, 2, 0));
    let places: Vec<_> = check(&report, "ref:app_post_likers.user_id")
        .samples
        .iter()
        .filter_map(|sample| sample.place.as_ref().map(|place| (place.line, place.pointer.clone())))
        .collect();
    assert_eq!(places, [(3, "/1/fields/likers/1".to_owned()), (4, "/1/fields/likers/3".to_owned())]);
}

#[tokio::test]
async fn a_field_that_nothing_takes_is_one_finding_whatever_its_labels() {
    let report = shop(r#"{"customers": [{"id": 1, "zz": 1}], "Customers": [{"id": 2, "zz": 1}]}"#, "").await;
    assert_eq!(counts(&report, "complete:customers.zz"), (2, 2, 0));
    let mut ids: Vec<&str> = report.checks.iter().map(|check| check.id.as_str()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "no id stands twice");
}

#[tokio::test]
async fn they_are_chosen_graded_and_turned_off_like_any_other() {
    let json = r#"{"counts": {"customers": 9}, "customers": [{"id": 1, "zz": 12345678901234567890, "email": 1}],
        "orders": [{"id": 9007199254740993, "customer_id": 1}]}"#;
    let complete = |report: &Report| -> Vec<String> {
        let ids = report.checks.iter().map(|check| check.id.clone());
        ids.filter(|id| id.starts_with("complete:")).collect()
    };
    let all = ["complete:relations", "complete:count:customers", "complete:customers.zz", "complete:exact:orders.id"];
    assert_eq!(complete(&shop(json, "").await), all);
    let graded = "[severity]\n\"complete:*\" = \"off\"\n\"complete:customers.*\" = \"error\"\n\"complete:count:*\" = \"info\"
        [[check]]\nid = \"complete:customers.zz\"\nowner = \"exports\"\nmax = 1\n[[check]]\nid = \"complete:nowhere\"\nseverity = \"error\"";
    let report = shop(json, graded).await;
    assert_eq!(complete(&report), all[1..3]);
    assert_eq!(check(&report, "complete:count:customers").severity, Severity::Info);
    let field = check(&report, "complete:customers.zz");
    assert_eq!((field.severity, field.owner.as_deref()), (Severity::Error, Some("exports")));
    assert_eq!(field.threshold.as_ref().and_then(|threshold| threshold.max), Some(1));
    for (pattern, expected) in
        [("ref:*", vec![]), ("complete:*", all.to_vec()), ("complete:exact:*", vec![all[3]]), ("*.zz", vec![all[2]])]
    {
        let options = Options { chosen: vec![pattern.to_owned()], ..options() };
        // As the command line does it: of the planned checks those that fit.
        let of_pattern = |check: &Check| relink_validate::fits(pattern, &check.id);
        let catalog = catalog_of_script(SHOP).await;
        let report = crate::validated::judge_some(json, catalog, &of_pattern, &options).await;
        assert_eq!(complete(&report), expected, "{pattern}");
        let told = report.not_checked.iter().any(|line| line == "not in the export: accounts, notes");
        assert_eq!(told, pattern != "complete:*", "{pattern}: {:?}", report.not_checked);
        assert!(report.is_complete());
    }
    let judged = judge_export("{}", catalog_of_script(SHOP).await, "", &options()).await;
    assert!(!judged.report.is_complete());
}
