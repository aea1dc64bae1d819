//! Records that cannot be restored, and those that reference them: what is rejected, through which chain, and what stays.

use relink_e2e::{Contents, Export, Outcome, Restore, each, lines, same_but_for_the_dry_run};
use relink_model::{Ids, OnDangling, OnError};
use relink_restore::{Handling, Mode, Options, Status, code};
use relink_testkit::TestDatabase;

fn with(on_error: OnError, on_dangling: OnDangling) -> impl Fn(&mut Options) + Copy {
    move |options| (options.on_error, options.on_dangling) = (on_error, on_dangling)
}

/// Restores what can be restored; a dry run first, which must say the same and leave nothing.
#[track_caller]
fn kept(database: &TestDatabase, export: &Export, config: &str, set: impl Fn(&mut Options) + Copy) -> Outcome {
    let before = Contents::of(database);
    let dry = Restore::of(export).config(config).options(set).dry_run(true).into(database);
    before.assert_unchanged_after(database, "a dry run");
    let real = Restore::of(export).config(config).options(set).into(database);
    assert!(real.committed, "{database:?}: {:#?}\n{:#?}", real.told(), real.validation);
    same_but_for_the_dry_run(&dry.report, &real.report);
    assert_eq!(dry.rejections(), real.rejections(), "{database:?}");
    let rejected: u64 = real
        .report
        .relations
        .iter()
        .filter(|relation| !relation.relation.name.ends_with("_groups"))
        .map(|relation| relation.counts.rejected)
        .sum();
    assert_eq!(rejected, real.rejected.len() as u64, "{database:?}: {:#?}", real.rejections());
    // Nothing that stays references what is gone, whatever the database enforces.
    if database.dialect() == "sqlite" {
        assert_eq!(lines(database, "PRAGMA foreign_key_check"), Vec::<String>::new());
    }
    real
}

const REJECT: (OnError, OnDangling) = (OnError::Reject, OnDangling::Fail);

#[track_caller]
fn rejects(database: &TestDatabase, export: &str, expected: &[&str]) -> Outcome {
    let outcome = kept(database, &Export::new(export), "", with(REJECT.0, REJECT.1));
    assert_eq!(outcome.rejections(), expected, "{database:?}: {:#?}", outcome.told());
    outcome
}

const CHAIN: &str = "
    regions(id pk, name varchar(40) unique, opened date null)
    shops(id pk, region_id -> regions.id, name varchar(40))
    tills(id pk, shop_id -> shops.id, name varchar(40))
    notes(id pk, till_id int null -> tills.id, body text)
";

/// Three regions, of which the second is bad for the reason given; each has a shop, each shop a till, each till a note.
fn chain(region: &str) -> String {
    let [mut shops, mut tills, mut notes] = [const { Vec::<String>::new() }; 3];
    for id in 1..=3 {
        shops.push(format!(r#"{{"id": {id}, "region_id": {id}, "name": "s{id}"}}"#));
        tills.push(format!(r#"{{"id": {id}, "shop_id": {id}, "name": "t{id}"}}"#));
        notes.push(format!(r#"{{"id": {id}, "till_id": {id}, "body": "n{id}"}}"#));
    }
    format!(
        r#"{{"notes": [{}], "tills": [{}], "shops": [{}], "regions": [{{"id": 1, "name": "a"}}, {region}, {{"id": 3, "name": "c"}}]}}"#,
        notes.join(", "),
        tills.join(", "),
        shops.join(", ")
    )
}

#[test]
fn a_rejected_record_takes_along_what_references_it_through_any_number_of_tables() {
    let bad = [
        (r#"{"id": 2, "name": null}"#, "missing-value(name)"),
        (r#"{"id": 2}"#, "missing-value(name)"),
        (r#"{"id": 2, "name": "a"}"#, "duplicate-key(name)"),
        (r#"{"id": 2, "name": "b", "opened": "yesterday"}"#, "unfit-value(opened)"),
    ];
    for (region, cause) in bad {
        for database in each("reject_chain", CHAIN) {
            // Records of the export in their order: notes 0-2, tills 3-5, shops 6-8, regions 9-11.
            let outcome = rejects(
                &database,
                &chain(region),
                &[
                    &format!(
                        "notes 1 follows-rejected(till_id) follows-rejected(shop_id) follows-rejected(region_id) {cause}"
                    ),
                    &format!("tills 4 follows-rejected(shop_id) follows-rejected(region_id) {cause}"),
                    &format!("shops 7 follows-rejected(region_id) {cause}"),
                    &format!("regions 10 {cause}"),
                ],
            );
            for table in ["regions", "shops", "tills", "notes"] {
                let ids = lines(&database, &format!("SELECT id FROM {table} ORDER BY id"));
                assert_eq!(ids, ["1", "3"], "{database:?}, {table}");
                let counts = outcome.counts(table);
                assert_eq!((counts.read, counts.inserted, counts.rejected), (3, 2, 1), "{database:?}, {table}");
            }
        }
    }
}

#[test]
fn what_the_database_refuses_is_rejected_with_its_chain() {
    for database in each("reject_refused", &CHAIN.replace("unique, opened", "unique check name <> 'bad', opened")) {
        let outcome = rejects(
            &database,
            &chain(r#"{"id": 2, "name": "bad"}"#),
            &[
                "notes 1 follows-rejected(till_id) follows-rejected(shop_id) follows-rejected(region_id) refused-row",
                "tills 4 follows-rejected(shop_id) follows-rejected(region_id) refused-row",
                "shops 7 follows-rejected(region_id) refused-row",
                "regions 10 refused-row",
            ],
        );
        assert_eq!(database.value("SELECT count(*) FROM notes"), "2", "{database:?}");
        let refused = outcome.only_group(code::REFUSED_ROW);
        assert_eq!((refused.handling, refused.count), (Handling::Rejects, 1), "{database:?}");
        assert!(refused.findings[0].place.is_some(), "{database:?}");
    }
}

#[test]
fn a_row_that_a_trigger_refuses_is_rejected() {
    for database in each("reject_trigger", "items(id pk, amount int)\nparts(id pk, item_id -> items.id)") {
        database.run(match database.dialect() {
            "sqlite" => "CREATE TRIGGER no_sevens BEFORE INSERT ON items WHEN NEW.amount = 7 BEGIN SELECT RAISE(ABORT, 'no sevens'); END;",
            "postgres" => "CREATE FUNCTION no_sevens() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.amount = 7 THEN RAISE 'no sevens'; END IF; RETURN NEW; END $$;
                CREATE TRIGGER no_sevens BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION no_sevens();",
            _ => "DELIMITER //\nCREATE TRIGGER no_sevens BEFORE INSERT ON items FOR EACH ROW
                BEGIN IF NEW.amount = 7 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no sevens'; END IF; END//\nDELIMITER ;",
        });
        let outcome = rejects(
            &database,
            r#"{"parts": [{"id": 1, "item_id": 2}, {"id": 2, "item_id": 1}], "items": [{"id": 1, "amount": 1}, {"id": 2, "amount": 7}, {"id": 3, "amount": 3}]}"#,
            &["parts 0 follows-rejected(item_id) refused-row", "items 3 refused-row"],
        );
        let said = &outcome.only_group(code::REFUSED_ROW).findings[0].message;
        assert!(said.contains("no sevens"), "{database:?}: {said}");
        assert_eq!(lines(&database, "SELECT id FROM items ORDER BY id"), ["1", "3"], "{database:?}");
    }
}

#[test]
fn each_record_of_a_thousand_that_is_refused_is_rejected_and_no_other() {
    for database in each("reject_many", "items(id pk, amount int check amount < 100)") {
        let records: Vec<String> = (0..3_000)
            .map(|id| format!(r#"{{"id": {id}, "amount": {}}}"#, if id % 2 == 0 { 1 } else { 100 }))
            .collect();
        let outcome = kept(
            &database,
            &Export::new(format!("{{\"items\": [{}]}}", records.join(",\n"))),
            "",
            with(REJECT.0, REJECT.1),
        );
        let counts = outcome.counts("items");
        assert_eq!((counts.read, counts.inserted, counts.rejected), (3_000, 1_500, 1_500), "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM items WHERE amount = 1"), "1500", "{database:?}");
    }
}

#[test]
fn a_record_that_exists_or_has_a_taken_id_is_rejected() {
    for database in each("reject_existing", "kinds(id pk, name varchar(40) unique)\nthings(id pk, kind_id -> kinds.id)")
    {
        database.run("INSERT INTO kinds (id, name) VALUES (1, 'a'), (2, 'b');");
        rejects(
            &database,
            r#"{"things": [{"id": 1, "kind_id": 1}, {"id": 2, "kind_id": 2}, {"id": 3, "kind_id": 3}],
                "kinds": [{"id": 1, "name": "a"}, {"id": 2, "name": "other"}, {"id": 3, "name": "c"}]}"#,
            &[
                "things 0 follows-rejected(kind_id) existing-row",
                "things 1 follows-rejected(kind_id) id-taken",
                "kinds 3 existing-row",
                "kinds 4 id-taken",
            ],
        );
        assert_eq!(lines(&database, "SELECT id, name FROM kinds ORDER BY id"), ["1|a", "2|b", "3|c"], "{database:?}");
        assert_eq!(lines(&database, "SELECT id, kind_id FROM things"), ["3|3"], "{database:?}");
    }
}

#[test]
fn an_update_that_is_refused_leaves_its_row_as_it_was() {
    for database in each("reject_update", "items(id pk, name varchar(40) unique, amount int check amount < 100)") {
        database.run("INSERT INTO items (id, name, amount) VALUES (1, 'a', 1), (2, 'b', 2);");
        let export = Export::new(
            r#"{"items": [{"id": 1, "name": "a", "amount": 10}, {"id": 2, "name": "b", "amount": 100}, {"id": 3, "name": "c", "amount": 3}]}"#,
        );
        let outcome = kept(&database, &export, "", |options| {
            (options.on_error, options.mode) = (OnError::Reject, Mode::Upsert);
        });
        assert_eq!(outcome.rejections(), ["items 1 refused-row"], "{database:?}");
        assert_eq!(
            lines(&database, "SELECT id, amount FROM items ORDER BY id"),
            ["1|10", "2|2", "3|3"],
            "{database:?}"
        );
        let counts = outcome.counts("items");
        assert_eq!((counts.updated, counts.inserted, counts.rejected), (1, 1, 1), "{database:?}");
    }
}

#[test]
fn a_cycle_goes_whole_and_a_tree_from_the_rejected_row_down() {
    let schema = "nodes(id pk, parent_id int null -> nodes.id, name varchar(10))
        teams(id pk, head_id int -> people.id deferrable, name varchar(10))\npeople(id pk, team_id -> teams.id deferrable, name varchar(10))";
    for database in each("reject_cycle", schema) {
        rejects(
            &database,
            r#"{"nodes": [{"id": 1, "parent_id": 2, "name": "leaf"}, {"id": 2, "parent_id": 3, "name": "mid"}, {"id": 3, "parent_id": 4, "name": null},
                    {"id": 4, "parent_id": null, "name": "root"}, {"id": 5, "parent_id": 4, "name": "other"}, {"id": 6, "parent_id": 6, "name": null}],
                  "teams": [{"id": 1, "head_id": 1, "name": "a"}, {"id": 2, "head_id": 3, "name": "b"}],
                  "people": [{"id": 1, "team_id": 1, "name": "p"}, {"id": 2, "team_id": 1, "name": "q"}, {"id": 3, "team_id": 2, "name": "r"},
                    {"id": 4, "team_id": 2, "name": null}, {"id": 5, "team_id": 1, "name": "s"}]}"#,
            &[
                "nodes 0 follows-rejected(parent_id) follows-rejected(parent_id) missing-value(name)",
                "nodes 1 follows-rejected(parent_id) missing-value(name)",
                "nodes 2 missing-value(name)",
                "nodes 5 missing-value(name)",
                "people 11 missing-value(name)",
            ],
        );
        assert_eq!(lines(&database, "SELECT id FROM nodes ORDER BY id"), ["4", "5"], "{database:?}");
        assert_eq!(lines(&database, "SELECT id FROM people ORDER BY id"), ["1", "2", "3", "5"], "{database:?}");
    }
    // The bad record is the head of a team: the team goes, and its members with it.
    for database in each("reject_cycle_whole", schema) {
        rejects(
            &database,
            r#"{"teams": [{"id": 1, "head_id": 1, "name": "a"}, {"id": 2, "head_id": 3, "name": "b"}],
                "people": [{"id": 1, "team_id": 1, "name": null}, {"id": 2, "team_id": 1, "name": "q"}, {"id": 3, "team_id": 2, "name": "r"}]}"#,
            &[
                "teams 0 follows-rejected(head_id) missing-value(name)",
                "people 2 missing-value(name)",
                "people 3 follows-rejected(team_id) follows-rejected(head_id) missing-value(name)",
            ],
        );
        assert_eq!(lines(&database, "SELECT id, head_id FROM teams"), ["2|3"], "{database:?}");
    }
}

#[test]
fn a_row_of_a_cycle_that_the_database_refuses_takes_its_cycle_along() {
    let schema = "teams(id pk, head_id int null -> people.id, name text)\npeople(id pk, team_id -> teams.id, age int check age > 0)";
    for database in each("reject_cycle_refused", schema) {
        rejects(
            &database,
            r#"{"teams": [{"id": 1, "head_id": 1, "name": "a"}, {"id": 2, "head_id": 3, "name": "b"}],
                "people": [{"id": 1, "team_id": 1, "age": 0}, {"id": 2, "team_id": 1, "age": 5}, {"id": 3, "team_id": 2, "age": 6}]}"#,
            &[
                "teams 0 follows-rejected(head_id) refused-row",
                "people 2 refused-row",
                "people 3 follows-rejected(team_id) follows-rejected(head_id) refused-row",
            ],
        );
        assert_eq!(
            lines(&database, "SELECT t.id, p.id FROM teams t JOIN people p ON p.id = t.head_id"),
            ["2|3"],
            "{database:?}"
        );
    }
}

const LISTS: &str = "
    app_user(id pk, name varchar(40))
    app_group(id pk, name varchar(10))
    app_user_groups(id pk, user_id -> app_user.id, group_id -> app_group.id, unique(user_id, group_id))
";

fn users(group: &str) -> String {
    format!(
        r#"[{{"model": "app.user", "pk": 1, "fields": {{"name": "a", "groups": [1, 2]}}}}, {{"model": "app.user", "pk": 2, "fields": {{"name": "b", "groups": [1]}}}},
            {{"model": "app.user", "pk": 3, "fields": {{"name": "c", "groups": []}}}}, {{"model": "app.group", "pk": 1, "fields": {{"name": "x"}}}}{group}]"#
    )
}

const PAIRS: &str = "SELECT user_id, group_id FROM app_user_groups ORDER BY user_id, group_id";

#[test]
fn a_record_whose_list_names_a_rejected_one_or_none_goes_with_its_list() {
    let bad = r#", {"model": "app.group", "pk": 2, "fields": {"name": null}}"#;
    for (group, expected) in [
        (bad, vec!["app_user 0 follows-rejected(groups) missing-value(name)", "app_group 4 missing-value(name)"]),
        ("", vec!["app_user 0 dangling-reference(groups)"]),
    ] {
        for database in each("reject_lists", LISTS) {
            let outcome = rejects(&database, &users(group), &expected);
            assert_eq!(lines(&database, PAIRS), ["2|1"], "{database:?}");
            assert_eq!(lines(&database, "SELECT id FROM app_user ORDER BY id"), ["2", "3"], "{database:?}");
            let counts = outcome.counts("app_user_groups");
            assert_eq!(counts.inserted, 1, "{database:?}");
            assert_eq!(counts.read, counts.inserted + counts.rejected, "{database:?}");
        }
    }
}

#[test]
fn a_pair_that_the_database_refuses_takes_the_record_with_the_list_along() {
    for database in each("reject_pair", LISTS) {
        let condition = "NEW.user_id = 1 AND NEW.group_id = 2";
        database.run(&match database.dialect() {
            "sqlite" => format!("CREATE TRIGGER no_pair BEFORE INSERT ON app_user_groups WHEN {condition} BEGIN SELECT RAISE(ABORT, 'no pair'); END;"),
            "postgres" => format!(
                "CREATE FUNCTION no_pair() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN RAISE 'no pair'; END IF; RETURN NEW; END $$;
                 CREATE TRIGGER no_pair BEFORE INSERT ON app_user_groups FOR EACH ROW EXECUTE FUNCTION no_pair();"
            ),
            _ => format!(
                "DELIMITER //\nCREATE TRIGGER no_pair BEFORE INSERT ON app_user_groups FOR EACH ROW
                 BEGIN IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no pair'; END IF; END//\nDELIMITER ;"
            ),
        });
        let group = r#", {"model": "app.group", "pk": 2, "fields": {"name": "y"}}"#;
        rejects(&database, &users(group), &["app_user 0 refused-row"]);
        assert_eq!(lines(&database, PAIRS), ["2|1"], "{database:?}");
    }
}

const DANGLING: &str = "
    owners(id pk, name varchar(40))
    stores(tenant int, no int, name varchar(40), pk(tenant, no))
    pets(id pk, owner_id int null -> owners.id, name varchar(40))
    collars(id pk, pet_id -> pets.id, owner_id -> owners.id)
    orders(id pk, tenant int, store int null, (tenant, store) -> stores(tenant, no))
";

/// What is wrong: pet 1's owner, collar 2's owner, the store of order 1.
const DANGLING_EXPORT: &str = r#"{"collars": [{"id": 1, "pet_id": 1, "owner_id": 1}, {"id": 2, "pet_id": 2, "owner_id": 9}],
    "pets": [{"id": 1, "owner_id": 9, "name": "p"}, {"id": 2, "owner_id": 1, "name": "q"}, {"id": 3, "owner_id": null, "name": "r"}],
    "orders": [{"id": 1, "tenant": 1, "store": 9}, {"id": 2, "tenant": 1, "store": 1}],
    "owners": [{"id": 1, "name": "a"}], "stores": [{"tenant": 1, "no": 1, "name": "s"}]}"#;

#[test]
fn dangling_references_are_rejected_with_what_references_their_records() {
    for (on_error, on_dangling) in [
        (OnError::Fail, OnDangling::Reject),
        (OnError::Reject, OnDangling::Fail),
        (OnError::Reject, OnDangling::Reject),
    ] {
        for database in each("dangling_reject", DANGLING) {
            let outcome = kept(&database, &Export::new(DANGLING_EXPORT), "", with(on_error, on_dangling));
            let expected = [
                "collars 0 follows-rejected(pet_id) dangling-reference(owner_id)",
                "collars 1 dangling-reference(owner_id)",
                "pets 2 dangling-reference(owner_id)",
                "orders 5 dangling-reference(tenant)",
            ];
            assert_eq!(outcome.rejections(), expected, "{database:?}");
            assert_eq!(lines(&database, "SELECT id FROM pets ORDER BY id"), ["2", "3"], "{database:?}");
            assert_eq!(database.value("SELECT count(*) FROM collars"), "0", "{database:?}");
            assert_eq!(lines(&database, "SELECT id FROM orders"), ["2"], "{database:?}");
        }
    }
}

#[test]
fn dangling_references_become_null_where_they_may() {
    for database in each("dangling_null", DANGLING) {
        // The collar's owner takes no NULL: it stops the restore, unless bad records are rejected.
        let before = Contents::of(&database);
        let refused =
            Restore::of(&Export::new(DANGLING_EXPORT)).options(with(OnError::Fail, OnDangling::Null)).into(&database);
        assert_eq!(refused.report.status, Status::Refused, "{database:?}");
        let stops: Vec<&str> = refused
            .report
            .findings
            .iter()
            .filter(|group| group.handling == Handling::Stops)
            .filter_map(|group| group.relation.as_ref().map(|name| name.name.as_str()))
            .collect();
        assert_eq!(stops, ["collars"], "{database:?}: {:#?}", refused.told());
        before.assert_unchanged(&database);
        let outcome = kept(&database, &Export::new(DANGLING_EXPORT), "", with(OnError::Reject, OnDangling::Null));
        assert_eq!(outcome.rejections(), ["collars 1 dangling-reference(owner_id)"], "{database:?}");
        assert_eq!(
            lines(&database, "SELECT id, owner_id FROM pets ORDER BY id"),
            ["1|NULL", "2|1", "3|NULL"],
            "{database:?}"
        );
        assert_eq!(lines(&database, "SELECT id, pet_id, owner_id FROM collars"), ["1|1|1"], "{database:?}");
        // Of the pair only the part that takes NULL.
        assert_eq!(
            lines(&database, "SELECT id, tenant, store FROM orders ORDER BY id"),
            ["1|1|NULL", "2|1|1"],
            "{database:?}"
        );
        let nulled: u64 = outcome
            .report
            .findings
            .iter()
            .filter(|group| group.handling == Handling::Nulls)
            .map(|group| group.count)
            .sum();
        assert_eq!(nulled, 2, "{database:?}: {:#?}", outcome.told());
    }
}

#[test]
fn a_reference_to_a_rejected_record_becomes_null_where_dangling_ones_do() {
    for database in each("null_rejected", &CHAIN.replace("shop_id -> shops.id", "shop_id int null -> shops.id")) {
        let outcome = kept(
            &database,
            &Export::new(chain(r#"{"id": 2, "name": null}"#)),
            "",
            with(OnError::Reject, OnDangling::Null),
        );
        assert_eq!(
            outcome.rejections(),
            ["shops 7 follows-rejected(region_id) missing-value(name)", "regions 10 missing-value(name)"],
            "{database:?}"
        );
        assert_eq!(
            lines(&database, "SELECT id, shop_id FROM tills ORDER BY id"),
            ["1|1", "2|NULL", "3|3"],
            "{database:?}"
        );
        assert_eq!(database.value("SELECT count(*) FROM notes"), "3", "{database:?}");
    }
    for database in each("null_lists", LISTS) {
        // An element that leads nowhere is left out of its list.
        let outcome = kept(&database, &Export::new(users("")), "", with(OnError::Fail, OnDangling::Null));
        assert_eq!(outcome.rejections(), Vec::<String>::new(), "{database:?}");
        assert_eq!(lines(&database, PAIRS), ["1|1", "2|1"], "{database:?}");
        assert_eq!(
            outcome.report.findings.iter().map(|group| (group.handling, group.count)).collect::<Vec<_>>(),
            [(Handling::Nulls, 1)]
        );
    }
}

#[test]
fn what_was_rejected_finds_the_restored_rows_under_the_ids_that_they_got() {
    let schema = "places(id pk, name varchar(10) unique)
        notes(id pk, body varchar(10) unique, place_id -> places.id, about_type varchar(10) null, about_id bigint null, doc text null)
        notes_places(id pk, note_id -> notes.id, place_id -> places.id)";
    let config = r#"
        [table.notes]
        models = ["x.note"]
        generic = [{ type = "about_type", id = "about_id" }]
        embedded_ids.doc = [{ path = "$.place", table = "places" }]
        join_tables = { places = "notes_places" }
        [table.places]
        models = ["x.place"]
        natural_key = ["name"]
    "#;
    let note = |body: &str| {
        format!(
            r#"{{"model": "x.note", "pk": 1, "fields": {{"body": {body}, "place": 1, "about_type": "places", "about_id": 2, "doc": "{{\"place\": 3}}", "places": [3, 1]}}}}"#
        )
    };
    let places: Vec<String> = ["a", "b", "shared"]
        .iter()
        .zip(1..)
        .map(|(name, id)| format!(r#"{{"model": "x.place", "pk": {id}, "fields": {{"name": "{name}"}}}}"#))
        .collect();
    for ids in [Ids::Keep, Ids::Remap, Ids::New] {
        for database in each("rejects_moved", schema) {
            // Under each id of the export stands another row, unless ids are kept; one row is there under another id in any case.
            let others = if ids == Ids::Keep { "(8, 'other')" } else { "(1, 'x'), (2, 'y'), (3, 'z')" };
            database.run(&format!("INSERT INTO places (id, name) VALUES {others}, (40, 'shared');"));
            let first = Export::new(format!("[{}, {}]", note("null"), places.join(", ")));
            let restore = |export| {
                let options =
                    |options: &mut Options| (options.mode, options.on_error) = (Mode::Upsert, OnError::Reject);
                Restore::of(export).config(config).ids(ids).options(options)
            };
            let outcome = restore(&first).into(&database);
            assert!(outcome.committed, "{database:?} {ids:?}: {:#?}", outcome.told());
            assert_eq!(outcome.rejections(), ["notes 0 missing-value(body)"], "{database:?} {ids:?}");
            // Without the map what is meant is not known, or, where ids are kept, another row.
            let mended = Export::new(format!("[{}]", note("\"mended\"")));
            if ids != Ids::Keep {
                let refused = Restore::of(&mended).config(config).ids(ids).mode(Mode::Upsert).into(&database);
                assert_eq!(refused.report.status, Status::Refused, "{database:?} {ids:?}");
            }
            let mended = restore(&mended).id_map(&outcome.moved).into(&database);
            assert!(mended.committed && mended.rejected.is_empty(), "{database:?} {ids:?}: {:#?}", mended.told());
            let name = |id: &str| format!("(SELECT name FROM places WHERE id = {id})");
            let found = lines(
                &database,
                &format!("SELECT n.body, {}, {} FROM notes n", name("n.place_id"), name("n.about_id")),
            );
            assert_eq!(found, ["mended|a|b"], "{database:?} {ids:?}");
            let listed = lines(&database, &format!("SELECT {} FROM notes_places ORDER BY 1", name("place_id")));
            assert_eq!(listed, ["a", "shared"], "{database:?} {ids:?}");
            let doc: serde_json::Value = serde_json::from_str(&database.value("SELECT doc FROM notes")).expect("JSON");
            assert_eq!(doc["place"], 40, "{database:?} {ids:?}");
        }
    }
}

#[test]
fn what_was_rejected_finds_content_types_under_the_ids_that_they_got() {
    let schema = "django_content_type(id pk, app_label varchar(40), model varchar(40), unique(app_label, model))
        app_post(id pk, title varchar(10) unique)
        app_note(id pk, body varchar(10) unique, content_type_id int -> django_content_type.id, object_id int null)";
    let note = |body: &str| {
        format!(r#"{{"model": "app.note", "pk": 1, "fields": {{"body": {body}, "content_type": 7, "object_id": 2}}}}"#)
    };
    let rest = r#"{"model": "contenttypes.contenttype", "pk": 7, "fields": {"app_label": "app", "model": "post"}},
        {"model": "app.post", "pk": 1, "fields": {"title": "a"}}, {"model": "app.post", "pk": 2, "fields": {"title": "b"}}"#;
    for database in each("rejects_types", schema) {
        // The type is there under another id, 7 is another type's, and 2 another post's.
        database.run(
            "INSERT INTO django_content_type (id, app_label, model) VALUES (7, 'auth', 'user'), (12, 'app', 'post');
             INSERT INTO app_post (id, title) VALUES (2, 'theirs');",
        );
        let restore = |text: String, map: &[relink_restore::MovedId]| {
            let options = |options: &mut Options| (options.mode, options.on_error) = (Mode::Upsert, OnError::Reject);
            Restore::of(&Export::new(text)).ids(Ids::Remap).options(options).id_map(map).into(&database)
        };
        let rejected = restore(format!("[{}, {rest}]", note("null")), &[]);
        assert!(rejected.committed && rejected.rejected.len() == 1, "{database:?}: {:#?}", rejected.told());
        // Rejected once more, it still is not forgotten what is meant.
        let again = restore(format!("[{}]", note("null")), &rejected.moved);
        assert_eq!(again.moved, rejected.moved, "{database:?}");
        let mended = restore(format!("[{}]", note("\"mended\"")), &again.moved);
        assert!(mended.committed && mended.rejected.is_empty(), "{database:?}: {:#?}", mended.told());
        let about =
            "SELECT n.body, t.model, p.title FROM app_note n JOIN django_content_type t ON t.id = n.content_type_id
            JOIN app_post p ON p.id = n.object_id";
        assert_eq!(lines(&database, about), ["mended|post|b"], "{database:?}");
    }
}

#[test]
fn an_element_of_a_list_that_is_left_out_is_reported_whyever_it_is() {
    let schema = "tags(id pk, name varchar(10))\nposts(id pk, title varchar(10))
        posts_tags(id pk, post_id -> posts.id, tag_id -> tags.id)";
    let export = Export::new(
        r#"[{"model": "x.tag", "pk": 1, "fields": {"name": "a"}}, {"model": "x.tag", "pk": 2, "fields": {"name": null}},
            {"model": "x.post", "pk": 1, "fields": {"title": "p", "tags": [1, 2, 77]}}]"#,
    );
    let config = "[table.tags]\nmodels = [\"x.tag\"]\n[table.posts]\nmodels = [\"x.post\"]\njoin_tables = { tags = \"posts_tags\" }";
    for database in each("left_out", schema) {
        let outcome =
            Restore::of(&export).config(config).options(with(OnError::Reject, OnDangling::Null)).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(outcome.rejections(), ["tags 1 missing-value(name)"], "{database:?}");
        // The row that the list would have made is accounted for.
        assert_eq!(outcome.counts("posts_tags").rejected, 1, "{database:?}");
        assert_eq!(lines(&database, "SELECT post_id, tag_id FROM posts_tags"), ["1|1"], "{database:?}");
        let left_out = |code| outcome.only_group(code).clone();
        let (rejected, dangling) = (left_out(code::FOLLOWS_REJECTED), left_out(code::DANGLING_REFERENCE));
        assert_eq!((rejected.handling, rejected.count), (Handling::Nulls, 1), "{database:?}: {rejected:#?}");
        assert_eq!((dangling.handling, dangling.count), (Handling::Nulls, 1), "{database:?}: {dangling:#?}");
        assert_eq!(rejected.field.as_deref(), Some("tags"));
    }
}

#[test]
fn polymorphic_references_to_rejected_records_go_with_them() {
    let schema = "posts(id pk, title varchar(10))\nimages(id pk, name varchar(10))
        comments(id pk, about_type varchar(20) null, about_id int null, body varchar(40))\npages(id pk, body json)\nvotes(id pk, comment_id -> comments.id)";
    let config = r#"
        [table.comments]
        generic = [{ type = "about_type", id = "about_id" }]
        [table.pages]
        embedded_ids.body = [{ path = "$.images[*]", table = "images" }]
    "#;
    let export = Export::new(
        r#"{"votes": [{"id": 1, "comment_id": 1}, {"id": 2, "comment_id": 2}],
            "comments": [{"id": 1, "about_type": "Post", "about_id": 1, "body": "a"}, {"id": 2, "about_type": "Post", "about_id": 2, "body": "b"}],
            "pages": [{"id": 1, "body": {"images": [2]}}, {"id": 2, "body": {"images": [1, 2]}}],
            "posts": [{"id": 1, "title": null}, {"id": 2, "title": "fine"}], "images": [{"id": 1, "name": null}, {"id": 2, "name": "fine"}]}"#,
    );
    for ids in [Ids::Keep, Ids::New] {
        for database in each("reject_polymorphic", schema) {
            let outcome = kept(&database, &export, config, |options| {
                (options.on_error, options.ids) = (OnError::Reject, ids);
            });
            assert_eq!(
                outcome.rejections(),
                [
                    "votes 0 follows-rejected(comment_id) follows-rejected(about_id) missing-value(title)",
                    "comments 2 follows-rejected(about_id) missing-value(title)",
                    "pages 5 follows-rejected(body) missing-value(name)",
                    "posts 6 missing-value(title)",
                    "images 8 missing-value(name)",
                ],
                "{database:?}, {ids:?}"
            );
            let sql = "SELECT v.id, c.body, p.title FROM votes v JOIN comments c ON c.id = v.comment_id JOIN posts p ON p.id = c.about_id";
            let found = lines(&database, sql);
            assert!(found.len() == 1 && found[0].ends_with("|b|fine"), "{database:?}, {ids:?}: {found:?}");
        }
        for database in each("null_polymorphic", schema) {
            let outcome = kept(&database, &export, config, |options| {
                (options.on_error, options.on_dangling, options.ids) = (OnError::Reject, OnDangling::Null, ids);
            });
            assert_eq!(outcome.rejections().len(), 3, "{database:?}, {ids:?}: {:#?}", outcome.rejections());
            let sql = "SELECT c.body, p.title FROM comments c LEFT JOIN posts p ON p.id = c.about_id ORDER BY c.body";
            assert_eq!(lines(&database, sql), ["a|NULL", "b|fine"], "{database:?}, {ids:?}");
        }
    }
}

#[test]
fn rejects_keep_their_counts_under_every_policy_of_ids() {
    for ids in [Ids::Keep, Ids::Remap, Ids::New] {
        for database in each("reject_ids", CHAIN) {
            database.run("INSERT INTO regions (id, name) VALUES (7, 'theirs');");
            let export = Export::new(chain(r#"{"id": 2, "name": null}"#));
            let outcome = kept(&database, &export, "", |options| {
                (options.on_error, options.ids) = (OnError::Reject, ids);
            });
            assert_eq!(outcome.rejections().len(), 4, "{database:?}, {ids:?}");
            let sql = "SELECT n.body, r.name FROM notes n JOIN tills t ON t.id = n.till_id JOIN shops s ON s.id = t.shop_id JOIN regions r ON r.id = s.region_id ORDER BY n.body";
            assert_eq!(lines(&database, sql), ["n1|a", "n3|c"], "{database:?}, {ids:?}");
        }
    }
}

#[test]
fn a_label_that_the_enumeration_lacks_is_rejected_alone() {
    for database in TestDatabase::each("reject_label") {
        database.run(match database.dialect() {
            "sqlite" => continue,
            "postgres" => "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE items (id integer PRIMARY KEY, mood mood NOT NULL);",
            _ => "CREATE TABLE items (id integer PRIMARY KEY, mood enum('sad', 'happy') NOT NULL);",
        });
        let export = r#"{"items": [{"id": 1, "mood": "sad"}, {"id": 2, "mood": "glad"}, {"id": 3, "mood": ""}, {"id": 4, "mood": "happy"}]}"#;
        rejects(&database, export, &["items 1 unfit-value(mood)", "items 2 unfit-value(mood)"]);
        assert_eq!(lines(&database, "SELECT id, mood FROM items ORDER BY id"), ["1|sad", "4|happy"], "{database:?}");
    }
}
