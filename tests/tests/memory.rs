//! The caches of a restore have a budget. Whatever it is, the restore does the same; and where the temporary file fails that holds
//! what is beyond it, nothing is written.

use std::{fmt::Write as _, path::Path, process::Command};

use relink_e2e::{Contents, Export, Failure, Outcome, Restore, each, lines, same_but_for_the_dry_run};
use relink_restore::{Error, Event, MemoryFacts, Mode, Phase, code};
use relink_testkit::{TestDatabase, schema};

/// Less than any chunk of records needs.
const TINY: u64 = 64 << 10;

/// All that the caches are asked for: keys of integers and of text, rows of the target, ids allotted, rows that exist, places in the file for
/// rows that are read out of their order, and many-to-many lists.
const SHOP: &str = "shop_tag(id pk, name text unique)
    shop_brand(id pk, name text unique)
    shop_item(id pk, sku text unique, brand_id int -> shop_brand.id, parent_id int null -> shop_item.id)
    shop_sale(id pk, item_id int -> shop_item.id, tag_id int null -> shop_tag.id)
    shop_item_tags(id pk, item_id int -> shop_item.id, tag_id int -> shop_tag.id, unique(item_id, tag_id))";

const ITEMS: usize = 6_000;

/// The shop's records: tags without ids, items whose parents stand behind them, sales. Brands are in the target alone.
fn records() -> String {
    let mut text = String::from("[");
    let mut record = |model: &str, fields: &str| {
        let comma = if text.len() > 1 { "," } else { "" };
        write!(text, "{comma}\n{{\"model\": \"shop.{model}\", {fields}}}").expect("a string takes everything");
    };
    for tag in 0..5_000 {
        record("tag", &format!(r#""fields": {{"name": "tag {tag}"}}"#));
    }
    for item in 0..ITEMS {
        let parent = if item % 3 == 0 && item + 1 < ITEMS { (item + 2).to_string() } else { "null".to_owned() };
        let (brand, first, second) = (item % 4_300, item % 5_000, (item + 1) * 7 % 5_000);
        record(
            "item",
            &format!(
                r#""pk": {}, "fields": {{"sku": "SKU-{item:06}", "brand": ["brand {brand}"], "parent": {parent}, "tags": [["tag {first}"], ["tag {second}"]]}}"#,
                item + 1
            ),
        );
    }
    for sale in 0..5_000 {
        let item = sale * 31 % ITEMS;
        record(
            "sale",
            &format!(
                r#""pk": {}, "fields": {{"item": ["SKU-{item:06}"], "tag": ["tag {}"]}}"#,
                sale + 10,
                sale % 5_000
            ),
        );
    }
    text + "\n]"
}

/// Brands, every tenth tag, and some items, under ids of the target's own.
fn furnish(database: &TestDatabase) {
    let mut sql = String::new();
    let mut insert = |table: &str, columns: &str, rows: Vec<String>| {
        for rows in rows.chunks(500) {
            writeln!(sql, "INSERT INTO {table} ({columns}) VALUES {};", rows.join(", "))
                .expect("a string takes everything");
        }
    };
    insert("shop_brand", "id, name", (0..4_300).map(|brand| format!("({}, 'brand {brand}')", 9_000 - brand)).collect());
    insert("shop_tag", "id, name", (0..500).map(|tag| format!("({}, 'tag {}')", tag + 1, tag * 10)).collect());
    let item = |item: usize| format!("({}, 'SKU-{item:06}', {})", item + 50_000, 9_000 - item % 4_300);
    insert("shop_item", "id, sku, brand_id", (0..ITEMS).step_by(90).map(item).collect());
    database.run(&sql);
}

fn restore(export: &Export, database: &TestDatabase, memory: Option<u64>, dry_run: bool) -> Outcome {
    let restore = Restore::of(export).mode(Mode::Skip).dry_run(dry_run);
    restore.options(move |options| options.memory_bytes = memory).into(database)
}

#[test]
fn a_restore_within_any_budget_does_the_same() {
    let export = Export::new(records());
    let [without, with] = ["memory_without", "memory_with"].map(|name| each(name, SHOP));
    for (without, with) in without.iter().zip(&with) {
        furnish(without);
        furnish(with);
        let expected = restore(&export, without, None, false);
        assert!(expected.committed, "{without:?}: {:#?}", expected.report.findings);
        assert_eq!(expected.report.memory, MemoryFacts { budget: None, spilled_bytes: 0 });
        let dry = restore(&export, with, Some(TINY), true);
        let mut outcome = restore(&export, with, Some(TINY), false);
        assert!(outcome.committed, "{with:?}: {:#?}", outcome.report.findings);
        same_but_for_the_dry_run(&dry.report, &outcome.report);
        assert_eq!(outcome.report.memory.budget, Some(TINY));
        assert!(outcome.report.memory.spilled_bytes > 4 * TINY, "{:?}", outcome.report.memory);
        outcome.report.memory = expected.report.memory;
        outcome.report.server = expected.report.server.clone();
        assert_eq!(outcome.report, expected.report, "{with:?}");
        for table in ["shop_tag", "shop_brand", "shop_item", "shop_sale", "shop_item_tags"] {
            let rows = |database| lines(database, &format!("SELECT * FROM {table} ORDER BY id"));
            assert_eq!(rows(with), rows(without), "{with:?}: {table}");
        }
        // The rows are those that the export means, not only the same twice.
        let sales = "SELECT count(*) FROM shop_sale JOIN shop_item ON shop_item.id = item_id JOIN shop_tag ON shop_tag.id = tag_id";
        assert_eq!(with.value(sales), "5000", "{with:?}");
        let parent = "SELECT parent.sku FROM shop_item JOIN shop_item parent ON parent.id = shop_item.parent_id WHERE shop_item.sku = 'SKU-000090'";
        assert_eq!(lines(with, parent), Vec::<String>::new(), "SKU-000090 exists, and is left as it is: {with:?}");
        let parent = parent.replace("000090", "000093");
        assert_eq!(lines(with, &parent), ["SKU-000094"], "{with:?}");
    }
}

#[test]
fn what_is_wrong_is_found_within_any_budget() {
    let sound = records();
    let doubled =
        r#"{"model": "shop.item", "pk": 7, "fields": {"sku": "SKU-000008", "brand": ["brand 1"], "parent": null}}"#;
    let dangling = r#"{"model": "shop.sale", "pk": 5, "fields": {"item": ["SKU-none"], "tag": null}}"#;
    let export = Export::new(format!("{},\n{doubled},\n{dangling}\n]", sound.trim_end_matches("\n]")));
    let database = TestDatabase::sqlite();
    database.run(&schema(SHOP).ddl("sqlite"));
    furnish(&database);
    let before = Contents::of(&database);
    let [without, with] = [None, Some(TINY)].map(|memory| restore(&export, &database, memory, false));
    before.assert_unchanged(&database);
    assert_eq!(with.findings(code::DUPLICATE_KEY).len(), 2, "{:#?}", with.report.findings);
    assert_eq!(with.findings(code::DANGLING_REFERENCE).len(), 1, "{:#?}", with.report.findings);
    // Places included: those of the first records were read back.
    assert_eq!(with.report.findings, without.report.findings);
}

/// Tells a child process which export to restore and into which database.
const CHILD: &str = "RELINK_TEST_SPILLING_CHILD";

/// In a child process: the restore must end with the error of the temporary file. The database is the parent's to look at.
fn restore_in_child(mut hear: impl FnMut(&Event)) {
    let Ok(told) = std::env::var(CHILD) else { unreachable!("the parent tells") };
    let (export, url) = told.split_once('\n').expect("an export and a URL");
    let export = Export::at(export);
    let restore = Restore::of(&export).url(url).mode(Mode::Skip).hear(move |event| hear(&event));
    let restore = restore.options(|options| options.memory_bytes = Some(TINY));
    // The URL is what counts; this database is never made.
    match restore.try_into(&TestDatabase::sqlite()) {
        Err(Failure::Restore(Error::Spill { directory, source })) => {
            println!("failed as it should in {}: {source}", directory.display());
        }
        other => panic!("{other:#?}"),
    }
}

/// Runs a test of this file again in a child process, which must end as it should and leave the database as it was.
fn fails_in_child(test: &str, command: impl Fn() -> Command, directory: &Path) {
    let export = Export::new(records());
    for database in each("memory_fails", SHOP) {
        furnish(&database);
        let before = Contents::of(&database);
        let child = command()
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, format!("{}\n{}", export.path().display(), database.url()))
            .env("TMPDIR", directory)
            .output()
            .expect("the test can be run again");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("failed as it should"), "{database:?}: {child:#?}");
        before.assert_unchanged(&database);
        std::fs::create_dir_all(directory).expect("a directory can be made");
    }
}

#[test]
fn without_a_place_for_the_temporary_file_nothing_is_written() {
    if std::env::var_os(CHILD).is_some() {
        let directory = std::env::temp_dir();
        return restore_in_child(|event| {
            if matches!(event, Event::Started { phase: Phase::PreScan, .. }) {
                std::fs::remove_dir_all(&directory).expect("the directory was there");
            }
        });
    }
    let parent = tempfile::tempdir().expect("a temporary directory can be made");
    let directory = parent.path().join("spill");
    std::fs::create_dir(&directory).expect("a directory can be made");
    let again = || Command::new(std::env::current_exe().expect("the test runs"));
    fails_in_child("without_a_place_for_the_temporary_file_nothing_is_written", again, &directory);
}

#[test]
fn where_the_temporary_file_cannot_grow_nothing_is_written() {
    if std::env::var_os(CHILD).is_some() {
        return restore_in_child(|_| {});
    }
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let again = || {
        // As on a full disk: a write past the limit fails, since the signal that would end the process is ignored.
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap '' XFSZ; ulimit -f 256; exec "$@""#, "sh"]);
        shell.arg(std::env::current_exe().expect("the test runs"));
        shell
    };
    fails_in_child("where_the_temporary_file_cannot_grow_nothing_is_written", again, directory.path());
}
