//! Every mode with every policy of ids, into a target that holds rows which match under other ids, rows which have ids of the export and are
//! others, and rows of which the export knows nothing. The expected states are written out by hand.

use relink_e2e::{Contents, Export, Outcome, Restore, each, lines, same_but_for_the_dry_run};
use relink_model::Ids;
use relink_restore::{Mode, Status, code};
use relink_testkit::TestDatabase;

const SCHEMA: &str = "
    app_role(id pk, name varchar(40) unique)
    app_country(code varchar(8) pk, name varchar(40))
    app_account(id pk, email varchar(80) unique, role_id -> app_role.id, manager_id int null -> app_account.id, note text null,
        country_id varchar(8) -> app_country.code)
    app_account_roles(id pk, account_id -> app_account.id, role_id -> app_role.id, unique(account_id, role_id))
    app_employee(account_ptr_id pk -> app_account.id, desk text null)
    app_token(id uuid pk, name varchar(40) unique, account_id -> app_account.id)
    app_tag(id pk, name text)
    app_node(id pk, slug varchar(40) unique, parent_id int null -> app_node.id, title text null)
";

/// UUIDs of tokens: two of the target, and those that the export gives. `A2` is the target's token `beta` and the export's `delta`.
const A1: &str = "0a000000-0000-4000-8000-000000000001";
const A2: &str = "0a000000-0000-4000-8000-000000000002";
const B1: &str = "0b000000-0000-4000-8000-000000000001";
const B2: &str = "0b000000-0000-4000-8000-000000000002";

const TABLES: [&str; 8] =
    ["app_role", "app_country", "app_account", "app_account_roles", "app_employee", "app_token", "app_tag", "app_node"];

/// Ann, the editors and the tree's two upper nodes match records under other ids; Bob, CZ and the first tag under their own. Zoe, the viewers,
/// SK, the token beta, the second tag and the stray node stand in no record.
fn target(database: &TestDatabase) {
    database.run(&format!(
        "INSERT INTO app_role (id, name) VALUES (1, 'admin'), (2, 'viewer'), (5, 'editor');
         INSERT INTO app_country (code, name) VALUES ('CZ', 'Czechia'), ('SK', 'Slovakia');
         INSERT INTO app_account (id, email, role_id, manager_id, note, country_id) VALUES
             (1, 'zoe', 2, NULL, NULL, 'SK'), (2, 'ann', 1, 1, NULL, 'CZ'), (3, 'bob', 5, 2, 'kept', 'CZ');
         INSERT INTO app_account_roles (id, account_id, role_id) VALUES (1, 2, 1), (2, 3, 5), (3, 1, 2);
         INSERT INTO app_employee (account_ptr_id, desk) VALUES (1, 'front'), (2, NULL);
         INSERT INTO app_token (id, name, account_id) VALUES ('{A1}', 'alpha', 2), ('{A2}', 'beta', 1);
         INSERT INTO app_tag (id, name) VALUES (1, 'red'), (2, 'blue');
         INSERT INTO app_node (id, slug, parent_id, title) VALUES (1, 'root', NULL, 'Root'), (2, 'left', 1, NULL), (3, 'stray', 2, NULL);"
    ));
    if database.dialect() == "postgres" {
        // As if the rows had come in by themselves.
        for table in ["app_role", "app_account", "app_account_roles", "app_tag", "app_node"] {
            database.run(&format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table};"));
        }
    }
}

/// What an export holds.
#[derive(Clone, Copy, Default)]
struct Holds {
    /// Records whose rows the target holds.
    matching: bool,
    /// New records whose ids other rows of the target have.
    colliding: bool,
    /// Records of the table that has nothing but its id.
    tags: bool,
}

fn record(model: &str, pk: &str, fields: &str) -> String {
    format!(r#"{{"model": "app.{model}", "pk": {pk}, "fields": {{{fields}}}}}"#)
}

/// A Django dump, children before parents. Where it holds no matching records, it names their rows by natural key.
fn export(holds: Holds) -> Export {
    let Holds { matching, colliding, tags } = holds;
    let (admin, ann, left) = if matching { ("2", "1", "1") } else { (r#"["admin"]"#, r#"["ann"]"#, r#"["left"]"#) };
    let mut records = vec![record("employee", "4", r#""desk": "door""#)];
    if colliding {
        records.push(record("employee", "2", r#""desk": "attic""#));
        records.push(record("token", &format!("{A2:?}"), r#""name": "delta", "account": 2"#));
        let fields = format!(
            r#""email": "dan", "role": 5, "manager": {ann}, "note": null, "country": "CZ", "roles": [5, {admin}]"#
        );
        records.push(record("role", "5", r#""name": "auditor""#));
        records.push(record("node", "3", r#""slug": "twig", "parent": 7, "title": null"#));
        records.push(record("account", "2", &fields));
    }
    records.push(record("token", &format!("{B2:?}"), r#""name": "gamma", "account": 4"#));
    records.push(record(
        "account",
        "4",
        &format!(
            r#""email": "cyd", "role": 3, "manager": {ann}, "note": null, "country": "PL", "roles": [3, {admin}]"#
        ),
    ));
    records.push(record("node", "7", &format!(r#""slug": "leaf", "parent": {left}, "title": "Leaf""#)));
    if matching {
        records.push(record("token", &format!("{B1:?}"), r#""name": "alpha", "account": 1"#));
        records.push(record("employee", "1", r#""desk": "window""#));
        records.push(record(
            "account",
            "1",
            r#""email": "ann", "role": 2, "manager": 3, "note": "hello", "country": "CZ", "roles": [1, 2]"#,
        ));
        records.push(record(
            "account",
            "3",
            r#""email": "bob", "role": 1, "manager": null, "note": "changed", "country": "PL", "roles": []"#,
        ));
        records.push(record("node", "1", r#""slug": "left", "parent": 2, "title": "Left""#));
        records.push(record("node", "2", r#""slug": "root", "parent": null, "title": "Top""#));
        records.push(record("role", "1", r#""name": "editor""#));
        records.push(record("role", "2", r#""name": "admin""#));
        records.push(record("country", r#""CZ""#, r#""name": "Czech Republic""#));
    }
    records.push(record("role", "3", r#""name": "guest""#));
    records.push(record("country", r#""PL""#, r#""name": "Poland""#));
    if tags && (matching || colliding) {
        records.push(record("tag", "1", r#""name": "crimson""#));
    }
    if tags {
        records.push(record("tag", "3", r#""name": "green""#));
    }
    Export::new(format!("[{}]", records.join(",\n")))
}

/// Every row. The ids of join rows that were not there before are shown as 0, and UUIDs that nobody gave as `new`.
fn rows(database: &TestDatabase) -> Vec<String> {
    let queries = [
        ("role", "SELECT id, name FROM app_role ORDER BY id"),
        ("country", "SELECT code, name FROM app_country ORDER BY code"),
        ("account", "SELECT id, email, role_id, manager_id, note, country_id FROM app_account ORDER BY id"),
        (
            "list",
            "SELECT CASE WHEN id <= 3 THEN id ELSE 0 END, account_id, role_id FROM app_account_roles ORDER BY account_id, role_id",
        ),
        ("employee", "SELECT account_ptr_id, desk FROM app_employee ORDER BY account_ptr_id"),
        ("token", "SELECT id, name, account_id FROM app_token ORDER BY name"),
        ("tag", "SELECT id, name FROM app_tag ORDER BY id"),
        ("node", "SELECT id, slug, parent_id, title FROM app_node ORDER BY id"),
    ];
    let mut all = Vec::new();
    for (name, query) in queries {
        all.extend(lines(database, query).into_iter().map(|line| format!("{name} {line}")));
    }
    let known = [(A1, "A1"), (A2, "A2"), (B1, "B1"), (B2, "B2")];
    for line in all.iter_mut().filter(|line| line.starts_with("token ")) {
        let given = known.iter().find(|(uuid, _)| line.contains(uuid));
        let shown = given.map_or("new", |(_, name)| name);
        line.replace_range(6..6 + A1.len(), shown);
    }
    all
}

/// The expected rows, one a line.
#[track_caller]
fn assert_rows(database: &TestDatabase, mode: Mode, ids: Ids, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let found = rows(database);
    let missing: Vec<&&str> = expected.iter().filter(|line| !found.contains(&(**line).to_owned())).collect();
    let surplus: Vec<&String> = found.iter().filter(|line| !expected.contains(&line.as_str())).collect();
    assert!(
        missing.is_empty() && surplus.is_empty() && found.len() == expected.len(),
        "{database:?}, {mode:?}, {ids:?}\nmissing: {missing:#?}\nsurplus: {surplus:#?}"
    );
}

fn run(database: &TestDatabase, export: &Export, mode: Mode, ids: Ids) -> Outcome {
    let before = Contents::of(database);
    let dry = Restore::of(export).mode(mode).ids(ids).dry_run(true).into(database);
    before.assert_unchanged_after(database, format!("a dry run, {mode:?}, {ids:?}"));
    let real = Restore::of(export).mode(mode).ids(ids).into(database);
    same_but_for_the_dry_run(&dry.report, &real.report);
    real
}

#[track_caller]
fn restored(database: &TestDatabase, export: &Export, mode: Mode, ids: Ids) -> Outcome {
    let outcome = run(database, export, mode, ids);
    // Tags have nothing but their ids, which is worth a warning where these may be remapped.
    let known = |group: &relink_restore::FindingGroup| group.code == code::MATCHED_BY_ID && ids == Ids::Remap;
    assert!(
        outcome.committed && outcome.report.findings.iter().all(known),
        "{database:?}, {mode:?}, {ids:?}: {:#?}\n{:#?}",
        outcome.told(),
        outcome.validation
    );
    outcome
}

/// Refused with exactly so many findings of each code, and nothing changed.
#[track_caller]
fn refused(
    database: &TestDatabase,
    holds: Holds,
    mode: Mode,
    ids: Ids,
    expected: &[(relink_model::FindingCode, usize)],
) {
    let before = Contents::of(database);
    let outcome = run(database, &export(holds), mode, ids);
    assert_eq!(outcome.report.status, Status::Refused, "{database:?}, {mode:?}, {ids:?}");
    for (code, count) in expected {
        let found = outcome.findings(*code);
        assert_eq!(found.len(), *count, "{database:?}, {mode:?}, {ids:?}: {found:#?}");
    }
    let all: usize = outcome.report.findings.iter().map(|group| group.findings.len()).sum();
    assert_eq!(all, expected.iter().map(|(_, count)| count).sum::<usize>(), "{:#?}", outcome.told());
    before.assert_unchanged(database);
}

/// The same once more: no row is inserted, updated or deleted.
#[track_caller]
fn nothing_the_second_time(database: &TestDatabase, export: &Export, mode: Mode, ids: Ids) {
    let before = Contents::of(database);
    let outcome = restored(database, export, mode, ids);
    let totals = outcome.report.totals;
    assert_eq!((totals.inserted, totals.updated), (0, 0), "{database:?}, {mode:?}, {ids:?}: {:#?}", outcome.told());
    let deleted: u64 = outcome.report.relations.iter().map(|relation| relation.deleted).sum();
    assert_eq!(deleted, 0, "{database:?}, {mode:?}, {ids:?}");
    before.assert_unchanged_after(database, format!("the second time, {mode:?}, {ids:?}"));
}

/// A database of each kind with the target's rows.
fn targets(name: &str) -> Vec<TestDatabase> {
    let databases = each(name, SCHEMA);
    for database in &databases {
        target(database);
    }
    databases
}

const NEW: Holds = Holds { matching: false, colliding: false, tags: true };
const NEW_AND_COLLIDING: Holds = Holds { matching: false, colliding: true, tags: true };
const MATCHING: Holds = Holds { matching: true, colliding: false, tags: true };
const ALL: Holds = Holds { matching: true, colliding: true, tags: true };
const ALL_BUT_TAGS: Holds = Holds { matching: true, colliding: true, tags: false };

// The rows that the export does not concern, whatever is done: of all modes but replace.
const UNTOUCHED: &str = "
    role 1|admin
    role 2|viewer
    role 5|editor
    country SK|Slovakia
    account 1|zoe|2|NULL|NULL|SK
    list 3|1|2
    employee 1|front
    token A2|beta|1
    tag 2|blue
    node 3|stray|2|NULL
";

// The rows that match, as they were.
const AS_THEY_WERE: &str = "
    country CZ|Czechia
    account 2|ann|1|1|NULL|CZ
    account 3|bob|5|2|kept|CZ
    list 1|2|1
    list 2|3|5
    employee 2|NULL
    token A1|alpha|2
    node 1|root|NULL|Root
    node 2|left|1|NULL
";

// The new rows whose ids nobody has, under the export's ids.
const ADDED_AS_GIVEN: &str = "
    role 3|guest
    country PL|Poland
    account 4|cyd|3|2|NULL|PL
    list 0|4|1
    list 0|4|3
    employee 4|door
    token B2|gamma|4
    tag 3|green
    node 7|leaf|2|Leaf
";

// Those whose ids were taken, under ids past the highest.
const ADDED_ANEW: &str = "
    role 6|auditor
    account 5|dan|6|2|NULL|CZ
    list 0|5|1
    list 0|5|6
    employee 5|attic
    token new|delta|5
    node 8|twig|7|NULL
";

// All new rows under ids past the highest: dan and the auditors stand before cyd and the guests.
const ALL_ADDED_ANEW: &str = "
    role 6|auditor
    role 7|guest
    country PL|Poland
    account 5|dan|6|2|NULL|CZ
    account 6|cyd|7|2|NULL|PL
    list 0|5|1
    list 0|5|6
    list 0|6|1
    list 0|6|7
    employee 5|attic
    employee 6|door
    token new|delta|5
    token new|gamma|6
    node 8|twig|9|NULL
    node 9|leaf|2|Leaf
";

// The rows that match, after an upsert.
const UPSERTED: &str = "
    country CZ|Czech Republic
    account 2|ann|1|3|hello|CZ
    account 3|bob|5|NULL|changed|PL
    list 1|2|1
    list 0|2|5
    employee 2|window
    token A1|alpha|2
    node 1|root|NULL|Top
    node 2|left|1|Left
";

// The same after a merge.
const MERGED: &str = "
    country CZ|Czechia
    account 2|ann|1|1|hello|CZ
    account 3|bob|5|2|kept|CZ
    list 1|2|1
    list 0|2|5
    list 2|3|5
    employee 2|window
    token A1|alpha|2
    node 1|root|NULL|Root
    node 2|left|1|Left
";

// What the export says, under its own ids.
const REPLACED: &str = "
    role 1|editor
    role 2|admin
    role 3|guest
    role 5|auditor
    country CZ|Czech Republic
    country PL|Poland
    account 1|ann|2|3|hello|CZ
    account 2|dan|5|1|NULL|CZ
    account 3|bob|1|NULL|changed|PL
    account 4|cyd|3|1|NULL|PL
    list 0|1|1
    list 0|1|2
    list 0|2|2
    list 0|2|5
    list 0|4|2
    list 0|4|3
    employee 1|window
    employee 2|attic
    employee 4|door
    token B1|alpha|1
    token A2|delta|2
    token B2|gamma|4
    tag 1|crimson
    tag 3|green
    node 1|left|2|Left
    node 2|root|NULL|Top
    node 3|twig|7|NULL
    node 7|leaf|1|Leaf
";

// The same under new ids, past those of the rows that go.
const REPLACED_ANEW: &str = "
    role 6|auditor
    role 7|editor
    role 8|admin
    role 9|guest
    country CZ|Czech Republic
    country PL|Poland
    account 5|dan|6|7|NULL|CZ
    account 6|cyd|9|7|NULL|PL
    account 7|ann|8|8|hello|CZ
    account 8|bob|7|NULL|changed|PL
    list 0|5|6
    list 0|5|8
    list 0|6|8
    list 0|6|9
    list 0|7|7
    list 0|7|8
    employee 5|attic
    employee 6|door
    employee 7|window
    token new|alpha|7
    token new|delta|5
    token new|gamma|6
    tag 4|crimson
    tag 5|green
    node 8|twig|9|NULL
    node 9|leaf|10|Leaf
    node 10|left|11|Left
    node 11|root|NULL|Top
";

#[test]
fn insert_refuses_rows_that_exist_and_adds_the_others_under_the_ids_that_the_policy_says() {
    let added_tag = "tag 1|red";
    for (ids, holds, states) in [
        (Ids::Keep, NEW, vec![UNTOUCHED, AS_THEY_WERE, ADDED_AS_GIVEN, added_tag]),
        // A table with nothing but ids is appended to.
        (
            Ids::Remap,
            NEW_AND_COLLIDING,
            vec![UNTOUCHED, AS_THEY_WERE, ADDED_AS_GIVEN, ADDED_ANEW, added_tag, "tag 4|crimson"],
        ),
        (
            Ids::New,
            NEW_AND_COLLIDING,
            vec![UNTOUCHED, AS_THEY_WERE, ALL_ADDED_ANEW, added_tag, "tag 4|crimson", "tag 5|green"],
        ),
    ] {
        for database in targets("modes_insert") {
            let (added, mode) = (export(holds), Mode::Insert);
            restored(&database, &added, mode, ids);
            assert_rows(&database, mode, ids, &states.join("\n"));
            // Twice would double: all that a key tells apart is refused.
            let before = Contents::of(&database);
            let again = run(&database, &added, mode, ids);
            assert_eq!(again.report.status, Status::Refused, "{database:?}, {ids:?}");
            assert!(!again.findings(code::EXISTING_ROW).is_empty(), "{database:?}, {ids:?}");
            before.assert_unchanged(&database);
        }
    }
}

#[test]
fn insert_names_every_row_that_exists() {
    for database in targets("modes_insert_refused") {
        // Two roles, CZ, two accounts, a pair of a list, an employee, a token, a tag, two nodes.
        refused(&database, MATCHING, Mode::Insert, Ids::Keep, &[(code::EXISTING_ROW, 11)]);
        // The tag has nothing but its id, and is taken for another.
        refused(&database, ALL, Mode::Insert, Ids::Remap, &[(code::EXISTING_ROW, 10)]);
        refused(&database, ALL, Mode::Insert, Ids::New, &[(code::EXISTING_ROW, 10)]);
    }
}

#[test]
fn kept_ids_that_other_rows_have_are_refused_in_every_mode_but_replace() {
    for database in targets("modes_keep_refused") {
        // A role, an account, a token and a node have their ids from rows that are others; employee 2 is Ann's row there.
        let taken = (code::ID_TAKEN, 4);
        refused(&database, ALL, Mode::Skip, Ids::Keep, &[taken]);
        for mode in [Mode::Insert, Mode::Upsert, Mode::Merge] {
            let outcome = run(&database, &export(ALL), mode, Ids::Keep);
            assert_eq!(outcome.report.status, Status::Refused, "{database:?}, {mode:?}");
            assert_eq!(outcome.findings(code::ID_TAKEN).len(), 4, "{database:?}, {mode:?}: {:#?}", outcome.told());
        }
        assert_rows(&database, Mode::Skip, Ids::Keep, &[UNTOUCHED, AS_THEY_WERE, "tag 1|red"].join("\n"));
    }
}

#[test]
fn rows_without_any_key_but_their_ids_cannot_be_told_apart_under_new_ids() {
    for database in targets("modes_no_identity") {
        for mode in [Mode::Skip, Mode::Upsert, Mode::Merge] {
            refused(&database, ALL, mode, Ids::New, &[(code::NO_IDENTITY, 2)]);
        }
    }
}

/// One mode over the three policies of ids, each on a target of its own, twice.
fn changes(name: &str, mode: Mode, matched: &str, tag: &str) {
    for (ids, holds, added) in [
        (Ids::Keep, MATCHING, vec![ADDED_AS_GIVEN, tag]),
        (Ids::Remap, ALL, vec![ADDED_AS_GIVEN, ADDED_ANEW, tag]),
        (Ids::New, ALL_BUT_TAGS, vec![ALL_ADDED_ANEW, "tag 1|red"]),
    ] {
        for database in targets(name) {
            let export = export(holds);
            restored(&database, &export, mode, ids);
            assert_rows(&database, mode, ids, &[vec![UNTOUCHED, matched], added.clone()].concat().join("\n"));
            nothing_the_second_time(&database, &export, mode, ids);
        }
    }
}

#[test]
fn skip_leaves_rows_that_exist_and_adds_the_others_under_the_ids_that_the_policy_says() {
    changes("modes_skip", Mode::Skip, AS_THEY_WERE, "tag 1|red");
}

#[test]
fn upsert_makes_rows_that_exist_what_their_records_say() {
    changes("modes_upsert", Mode::Upsert, UPSERTED, "tag 1|crimson");
}

#[test]
fn merge_fills_what_is_null_and_adds_to_lists() {
    changes("modes_merge", Mode::Merge, MERGED, "tag 1|red");
}

#[test]
fn replace_leaves_what_the_export_holds_and_nothing_else() {
    for (ids, expected) in [(Ids::Keep, REPLACED), (Ids::Remap, REPLACED), (Ids::New, REPLACED_ANEW)] {
        for database in targets("modes_replace") {
            let export = export(ALL);
            let outcome = restored(&database, &export, Mode::Replace, ids);
            assert_rows(&database, Mode::Replace, ids, expected);
            assert_eq!(outcome.relation("app_account").deleted, 3, "{database:?}, {ids:?}");
            let again = restored(&database, &export, Mode::Replace, ids);
            assert_eq!(again.relation("app_account").deleted, 4, "{database:?}, {ids:?}");
            if ids == Ids::New {
                // Under new ids again, with the same rows at the other end of each reference.
                assert_eq!(graph(&database), REPLACED_GRAPH, "{database:?}");
            } else {
                assert_rows(&database, Mode::Replace, ids, expected);
            }
        }
    }
}

/// Accounts with all that they refer to by name.
fn graph(database: &TestDatabase) -> Vec<String> {
    lines(
        database,
        "SELECT a.email, r.name, m.email, e.desk, t.name, l.name FROM app_account a JOIN app_role r ON r.id = a.role_id
         LEFT JOIN app_account m ON m.id = a.manager_id LEFT JOIN app_employee e ON e.account_ptr_id = a.id
         LEFT JOIN app_token t ON t.account_id = a.id
         LEFT JOIN app_account_roles j ON j.account_id = a.id LEFT JOIN app_role l ON l.id = j.role_id ORDER BY a.email, l.name",
    )
}

const REPLACED_GRAPH: [&str; 7] = [
    "ann|admin|bob|window|alpha|admin",
    "ann|admin|bob|window|alpha|editor",
    "bob|editor|NULL|NULL|NULL|NULL",
    "cyd|guest|ann|door|gamma|admin",
    "cyd|guest|ann|door|gamma|guest",
    "dan|auditor|ann|attic|delta|admin",
    "dan|auditor|ann|attic|delta|auditor",
];

#[test]
fn the_tables_of_the_schema_are_all_looked_at() {
    for database in targets("modes_tables") {
        let shown = rows(&database);
        let counted: usize = TABLES
            .iter()
            .map(|table| database.value(&format!("SELECT count(*) FROM {table}")).parse::<usize>().expect("a number"))
            .sum();
        assert_eq!(shown.len(), counted, "{database:?}");
    }
}
