//! Exports: the same checks with no database, and what only a file can get wrong.

use relink_export::{ExportError, OpenOptions, Source};
use relink_model::{Catalog, Severity};
use relink_validate::{CheckResult, Options, Report, Status};

use crate::validated::{
    catalog_of_script, check, counts, judge_export, keys, options, problems, troubles, validate_export,
};

const SHOP: &str = "CREATE TABLE shop_tag (id integer PRIMARY KEY, slug text NOT NULL UNIQUE);
     CREATE TABLE shop_maker (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
     CREATE TABLE shop_item (id integer PRIMARY KEY, maker_id integer NOT NULL REFERENCES shop_maker (id), price decimal(8,2) NOT NULL);
     CREATE TABLE shop_item_tags (id integer PRIMARY KEY, item_id integer NOT NULL REFERENCES shop_item (id),
        tag_id integer NOT NULL REFERENCES shop_tag (id), UNIQUE (item_id, tag_id));";

/// A result that is about the export itself.
fn about<'a>(report: &'a Report, id: &str) -> (&'a CheckResult, String) {
    let found = check(report, id);
    (found, found.message.clone())
}

#[tokio::test]
async fn natural_keys_and_lists_of_django_dumps_are_references_like_any_other() {
    let dump = r#"[
        {"model": "shop.tag", "pk": 1, "fields": {"slug": "red"}},
        {"model": "shop.tag", "pk": 2, "fields": {"slug": "blue"}},
        {"model": "shop.maker", "pk": 1, "fields": {"name": "A"}},
        {"model": "shop.item", "pk": 1, "fields": {"maker": ["A"], "price": "1.50", "tags": [1, 2]}},
        {"model": "shop.item", "pk": 2, "fields": {"maker": ["B"], "price": "1.50", "tags": [1, 9]}},
        {"model": "shop.item", "pk": 3, "fields": {"maker": 7, "price": "1.50", "tags": [["blue"], ["green"]]}},
        {"model": "shop.item", "pk": 4, "fields": {"maker": 1, "price": "1.505", "tags": [2, ["blue"]]}},
        {"model": "shop.item", "pk": 5, "fields": {"maker": null, "price": 2, "tags": []}}
    ]"#;
    let report = validate_export(dump, catalog_of_script(SHOP).await, "").await;
    assert_eq!(keys(&report, "ref:shop_item.maker_id"), ["id=2", "id=3"]);
    assert_eq!(counts(&report, "ref:shop_item.maker_id"), (2, 2, 1));
    // A list is the rows of its join table: that is where the orphans and the twins are, in the record's own place.
    let orphans = check(&report, "ref:shop_item_tags.tag_id");
    assert_eq!((orphans.counts.failed, orphans.counts.total), (2, 8));
    let lines: Vec<_> =
        orphans.samples.iter().filter_map(|sample| sample.place.as_ref()).map(|place| place.line).collect();
    assert_eq!(lines, [6, 7]);
    assert_eq!(counts(&report, "unique:shop_item_tags(item_id,tag_id)"), (2, 1, 0), "2 and [\"blue\"] are one tag");
    assert_eq!(keys(&report, "type:shop_item.price"), ["id=4"]);
    assert_eq!(keys(&report, "not_null:shop_item.maker_id"), ["id=5"]);
}

#[tokio::test]
async fn every_finding_says_in_which_file_on_which_line_and_where_in_it() {
    let catalog =
        catalog_of_script("CREATE TABLE t (id INTEGER PRIMARY KEY, q INTEGER, other INTEGER REFERENCES t);").await;
    let json = "{\"t\": [\n  {\"id\": 1, \"q\": 5, \"other\": null},\n  {\"id\": 2, \"q\": -5,\n   \"other\": 9}\n]}";
    let report = validate_export(json, catalog, "[table.t]\nmin = { q = 0 }").await;
    for id in ["min:t.q", "ref:t.other"] {
        let place = check(&report, id).samples[0].place.clone().unwrap_or_else(|| panic!("{id} has no place"));
        assert!(place.file.ends_with("export.json"), "{}", place.file);
        assert_eq!((place.line, place.column, place.pointer.as_str()), (3, 3, "/t/1"), "{id}");
    }
}

#[tokio::test]
async fn numbers_are_read_digit_by_digit_and_those_that_others_would_round_are_named() {
    let catalog = catalog_of_script("CREATE TABLE t (id BIGINT PRIMARY KEY, amount DECIMAL(30, 4), ratio REAL);").await;
    let json = r#"{"t": [{"id": 9007199254740993, "amount": 0.1}, {"id": 9007199254740992, "amount": 12345678901234567.89},
        {"id": 9007199254740993.0, "amount": 1.10}, {"id": 4, "amount": 1e400}, {"id": 5, "amount": NaN}]}"#;
    let report = validate_export(json, catalog, "[table.t]\nmax = { amount = \"12345678901234567.88\" }").await;
    // As floats all three ids were one.
    assert_eq!(counts(&report, "unique:t.id"), (2, 1, 0));
    assert_eq!(keys(&report, "unique:t.id"), ["id=9007199254740993", "id=9007199254740993"]);
    let over = keys(&report, "max:t.amount");
    assert!(over.contains(&"id=9007199254740992".to_owned()) && over.contains(&"id=5".to_owned()), "{over:?}");
    assert!(!over.contains(&"id=9007199254740993".to_owned()), "{over:?}");
    let wrong = keys(&report, "type:t.amount");
    assert_eq!(wrong, ["id=4", "id=5"], "too many digits, and no number at all");
    let (rounds, message) = about(&report, "complete:exact:t.id");
    assert_eq!((rounds.severity, rounds.counts.failed), (Severity::Info, 2), "{message}");
    assert_eq!(about(&report, "complete:exact:t.amount").0.counts.failed, 2);
    assert!(report.checks.iter().all(|check| check.id != "complete:exact:t.ratio"));
}

#[tokio::test]
async fn counts_that_the_export_states_are_held_against_what_it_holds() {
    let catalog =
        catalog_of_script("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY);").await;
    let json = r#"{"meta": {"counts": {"a": 3, "b": 1}, "version": 7}, "a": [{"id": 1}, {"id": 2}], "b": [{"id": 1}]}"#;
    let report = validate_export(json, catalog, "").await;
    assert_eq!(troubles(&report), ["complete:count:a"]);
    let (found, message) = about(&report, "complete:count:a");
    assert_eq!((found.severity, message.as_str()), (Severity::Error, "the export states 3 records of a, and holds 2"));
    assert_eq!(check(&report, "complete:count:b").status, Status::Pass);
}

#[tokio::test]
async fn what_no_table_and_no_column_takes_is_said_and_not_dropped() {
    let catalog = catalog_of_script("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);").await;
    let json = "{\"users\": [{\"id\": 1, \"email\": \"a\"},\n {\"id\": 2, \"emial\": \"b\"}, {\"id\": 3, \"emial\": \"c\"}], \"user\": [{\"id\": 1}]}";
    let report = validate_export(json, catalog.clone(), "").await;
    let (field, message) = about(&report, "complete:users.emial");
    assert_eq!(
        (field.counts.failed, field.severity, message.as_str()),
        (2, Severity::Warning, "users has no column for the field emial")
    );
    assert_eq!(field.samples[0].place.as_ref().map(|place| place.line), Some(2));
    let (label, message) = about(&report, "complete:user");
    assert_eq!((label.counts.failed, label.severity), (1, Severity::Warning));
    assert!(message.contains("did you mean"), "{message}");
    let settled = "ignore_models = [\"user\"]\n[table.users]\nfields = { emial = \"email\" }";
    assert_eq!(troubles(&validate_export(json, catalog, settled).await), [""; 0]);
}

#[tokio::test]
async fn what_is_compared_with_a_table_that_was_not_exported_is_not_judged() {
    let catalog = catalog_of_script(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY); CREATE TABLE currencies (code TEXT PRIMARY KEY);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, currency TEXT, total DECIMAL(9, 2));
         CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, amount DECIMAL(9, 2));
         CREATE TABLE kept (id INTEGER PRIMARY KEY, total DECIMAL(9, 2));",
    )
    .await;
    let config = "[table.orders]\nin = { currency = { table = \"currencies.code\" } }\ntotals = [\"total = sum(order_lines.amount) by order_id\"]
        [[check]]\nid = \"equal\"\nkind = \"equal\"\nleft = \"orders.total by orders.id\"\nright = \"sum(order_lines.amount) by order_lines.order_id\"
        [[check]]\nid = \"same\"\nkind = \"same\"\nleft = \"orders\"\nright = \"kept\"";
    let json = r#"{"orders": [{"id": 1, "customer_id": 5, "currency": "EUR", "total": 10}]}"#;
    let report = validate_export(json, catalog, config).await;
    for id in ["ref:orders.customer_id", "in:orders.currency", "total:orders.total", "equal", "same"] {
        assert_eq!(counts(&report, id), (0, 0, 1), "{id}: nobody can tell");
        assert!(check(&report, id).notes[0].ends_with("is not in the export: nothing could be compared"), "{id}");
    }
    let (missing, message) = about(&report, "complete:customers");
    assert_eq!((missing.status, missing.severity), (Status::Fail, Severity::Warning));
    assert!(message.contains("orders.customer_id"), "{message}");
}

#[test]
fn an_export_that_ends_too_soon_or_says_a_thing_twice_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export.json");
    let whole = "{\"t\": [{\"id\": 1, \"q\": 5},\n {\"id\": 2, \"q\": 6}]}";
    let index = |text: &str| {
        std::fs::write(&path, text).expect("it is written");
        Source::open(&path, &OpenOptions::default())
            .map_err(|error| vec![error])
            .and_then(|source| source.index(&mut |_| {}))
    };
    assert!(index(whole).is_ok());
    for end in 1..whole.len() {
        assert!(index(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
    let errors = index("{\"t\": [{\"id\": 1,\n \"q\": 5, \"q\": 6}]}").expect_err("which of the two?");
    match errors.as_slice() {
        [ExportError::DuplicateKey { place, first, .. }] => {
            assert_eq!((place.line, place.pointer.as_str(), first.line), (2, "/t/0/q", 2));
        }
        other => panic!("{other:?}"),
    }
}

/// An export with something for every kind of check that keeps what it has seen.
async fn everything() -> (String, Catalog, &'static str) {
    let catalog = catalog_of_script(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT, total DECIMAL(9, 2), parent INTEGER REFERENCES p, copy_of TEXT);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, amount DECIMAL(9, 2), after_it DECIMAL(9, 2), starts INTEGER, ends INTEGER);
         CREATE TABLE k (id INTEGER PRIMARY KEY, name TEXT, total DECIMAL(9, 2));",
    )
    .await;
    let config = "[table.p]\nunique = [\"ci(name)\"]\nacyclic = [\"parent\"]\ntotals = [\"total = sum(c.amount) by p\"]\nrequired = [\"name\"]
        [table.c]\nno_overlap = [\"p: starts..ends\"]
        [[check]]\nid = \"running\"\nkind = \"running\"\non = \"c\"\nbalance = \"after_it\"\ndelta = \"amount\"\nper = [\"p\"]\norder = [\"starts\", \"id\"]
        [[check]]\nid = \"balance\"\nkind = \"balance\"\non = \"c\"\nsum = \"amount\"\nper = [\"p\"]
        [[check]]\nid = \"same\"\nkind = \"same\"\nleft = \"p\"\nright = \"k\"";
    let row = |n: u64| {
        let parent = if n.is_multiple_of(50) { n + 1 } else { n - 1 };
        format!("{{\"id\": {n}, \"name\": \"Name {}\", \"total\": {}.10, \"parent\": {parent}}}", n - n / 97, n % 7)
    };
    let p: Vec<String> = (1..=400).map(row).collect();
    let child = |n: u64| {
        format!(
            "{{\"id\": {n}, \"p\": {}, \"amount\": {}.05, \"after_it\": {}, \"starts\": {n}, \"ends\": {}}}",
            n / 2 + n / 333,
            n % 7,
            n % 13,
            n + 1 + 800 * u64::from(n.is_multiple_of(100))
        )
    };
    let c: Vec<String> = (1..=800).map(child).collect();
    let kept: Vec<String> = (5..=405).map(row).collect();
    (format!("{{\"p\": [{}], \"c\": [{}], \"k\": [{}]}}", p.join(","), c.join(","), kept.join(",")), catalog, config)
}

#[tokio::test]
async fn no_memory_at_all_comes_to_the_same_answers() {
    let (json, catalog, config) = everything().await;
    let mut reports = Vec::new();
    for memory in [64 << 20, 5_000, 1] {
        let options = Options { memory, samples_max: 10_000, ..options() };
        let mut report = judge_export(&json, catalog.clone(), config, &options).await.report;
        report.run.duration_ms = 0;
        for check in &mut report.checks {
            check.duration_ms = 0;
            for sample in &mut check.samples {
                sample.place = None;
            }
        }
        let relink_validate::Target::Export { name, .. } = &mut report.run.target else { panic!("an export") };
        name.clear();
        reports.push(report);
    }
    for id in [
        "ref:c.p",
        "unique:p.ci(name)",
        "acyclic:p.parent",
        "total:p.total",
        "no_overlap:c(p,starts,ends)",
        "running",
        "balance",
        "same",
    ] {
        assert_eq!(check(&reports[0], id).status, Status::Fail, "{id} has something to find");
    }
    for spilled in &reports[1..] {
        for (one, other) in reports[0].checks.iter().zip(&spilled.checks) {
            assert_eq!(one, other);
        }
    }
}

#[tokio::test]
async fn a_temporary_folder_that_cannot_be_written_is_no_pass_and_spares_the_checks_that_need_none() {
    let (json, catalog, config) = everything().await;
    let gone = tempfile::tempdir().expect("a folder").path().join("gone");
    let options = Options { memory: 1, temporary: gone, ..options() };
    let report = judge_export(&json, catalog, config, &options).await.report;
    for id in
        ["ref:c.p", "unique:p.ci(name)", "total:p.total", "no_overlap:c(p,starts,ends)", "running", "balance", "same"]
    {
        let found = check(&report, id);
        assert_eq!(found.status, Status::Error, "{id}");
        assert!(found.why.as_deref().is_some_and(|why| why.contains("temporary")), "{id}: {:?}", found.why);
    }
    assert!(!report.is_complete());
    for id in ["required:p.name", "not_null:p.id", "acyclic:p.parent"] {
        assert_ne!(
            check(&report, id).status,
            Status::Error,
            "{id} keeps nothing in files: {:?}",
            check(&report, id).why
        );
    }
}

#[tokio::test]
async fn texts_are_read_by_the_type_of_their_column_and_what_does_not_fit_is_named() {
    let catalog = catalog_of_script(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parents, ok BOOLEAN, d DATE,
            code VARCHAR(3));",
    )
    .await;
    let json = r#"{"parents": [{"id": 1}], "t": [{"id": 1, "p": "1"}, {"id": 2, "p": "01"}, {"id": 3, "p": "x"}, {"id": 4, "p": 1.5},
        {"id": 5, "p": "", "ok": 7, "d": "2026-02-30", "code": "long"}, {"id": 6, "p": 1.0, "ok": false, "d": "2026-02-28", "code": "abc"}]}"#;
    let report = validate_export(json, catalog, "").await;
    assert!(
        keys(&report, "type:t.p").ends_with(&["id=3".to_owned(), "id=4".to_owned(), "id=5".to_owned()]),
        "{:?}",
        problems(&report, "type:t.p")
    );
    assert_eq!(keys(&report, "type:t.ok"), ["id=5"]);
    assert_eq!(keys(&report, "type:t.d"), ["id=5"]);
    let orphans = keys(&report, "ref:t.p");
    assert!(!orphans.contains(&"id=1".to_owned()) && !orphans.contains(&"id=6".to_owned()), "{orphans:?}");
    assert!(["id=3", "id=4"].iter().all(|key| orphans.contains(&(*key).to_owned())), "{orphans:?}");
}
