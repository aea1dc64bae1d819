//! Drift between an export and a schema: what the one has and the other has not is said once, before anything is written, with what may mend it;
//! and what the configuration does to values: constants, defaults and transforms.

use relink_e2e::{
    Contents, Export, Failure, Outcome, Restore, each, lines, refused, restored, same_but_for_the_dry_run,
};
use relink_model::{AllowDrift, Severity};
use relink_restore::{Basis, DRIFT_ITEMS_MAX, DriftItem, DriftKind, Error, Status, code};
use relink_testkit::TestDatabase;

/// The items of this kind.
fn items(outcome: &Outcome, kind: DriftKind) -> Vec<&DriftItem> {
    outcome.report.drift.items.iter().filter(|item| item.kind == kind).collect()
}

/// The only item of this kind.
fn item(outcome: &Outcome, kind: DriftKind) -> &DriftItem {
    let [only] = items(outcome, kind)[..] else { panic!("one {kind:?}: {:#?}", outcome.report.drift) };
    only
}

/// The suggestions, as a configuration.
fn suggested(outcome: &Outcome) -> String {
    let lines = outcome.report.drift.items.iter().filter_map(|item| Some(item.suggestion.as_ref()?.line.as_str()));
    let lines: std::collections::BTreeSet<&str> = lines.collect();
    lines.into_iter().map(|line| line.replacen("] ", "]\n", 1) + "\n").collect()
}

/// Values that the configuration made or changed: `table.column by: values`.
fn transformed(outcome: &Outcome) -> Vec<String> {
    let line = |known: &relink_restore::Transformed| {
        format!("{}.{} {}: {}", known.relation, known.column, known.by, known.values)
    };
    outcome.report.drift.transformed.iter().map(line).collect()
}

fn allowing(database: &TestDatabase, export: &str, level: AllowDrift) -> Outcome {
    Restore::of(&Export::new(export)).options(|options| options.allow_drift = level).into(database)
}

#[test]
fn a_renamed_field_is_suggested_by_name_and_type_and_the_suggestion_mends_it() {
    for database in each("renamed", "users(id pk, full_name text, visits int null, note text null)") {
        let export = r#"{"users": [
            {"id": 1, "fulname": "Ann", "visit": 3},
            {"id": 2, "fulname": "Bob", "visit": 4}
        ]}"#;
        let outcome = refused(&database, export, "");
        let unknown = items(&outcome, DriftKind::UnknownField);
        let found: Vec<_> = unknown
            .iter()
            .map(|item| (item.field.as_deref(), item.column.as_deref(), item.records, item.severity))
            .collect();
        assert_eq!(
            found,
            [
                (Some("fulname"), Some("full_name"), 2, Severity::Error),
                (Some("visit"), Some("visits"), 2, Severity::Error)
            ],
            "{database:?}"
        );
        assert_eq!(unknown[0].place.as_ref().map(|place| (place.line, &*place.pointer)), Some((2, "/users/0/fulname")));
        let suggestion = unknown[0].suggestion.as_ref().expect("there is one");
        assert_eq!(suggestion.line, "[table.users] fields = { fulname = \"full_name\" }");
        assert_eq!(suggestion.basis, Basis::NameAndType);
        let needed = item(&outcome, DriftKind::NotNullWithoutValue);
        assert_eq!(needed.suggestion.as_ref(), Some(suggestion), "{database:?}");
        let help = outcome.findings(code::UNKNOWN_FIELD)[0].help.clone().expect("it helps");
        assert!(help.contains(&suggestion.line) && help.contains("fulname = \"\""), "{help}");

        let config = "[table.users]\nfields = { fulname = \"full_name\", visit = \"visits\" }";
        let outcome = restored(&database, export, config);
        assert_eq!(lines(&database, "SELECT full_name, visits FROM users ORDER BY id"), ["Ann|3", "Bob|4"]);
        let renamed: Vec<_> = items(&outcome, DriftKind::Renamed).iter().map(|item| item.message.as_str()).collect();
        assert_eq!(
            renamed,
            [
                "the field fulname goes into full_name, as the configuration says",
                "the field visit goes into visits, as the configuration says"
            ]
        );
    }
}

#[test]
fn a_column_is_not_suggested_whose_type_does_not_take_the_values() {
    for database in each("type_counts", "t(id pk, prices int null, price_text text null)") {
        let outcome = refused(&database, r#"{"t": [{"id": 1, "price": "9.50"}]}"#, "");
        let unknown = item(&outcome, DriftKind::UnknownField);
        assert_eq!(unknown.column.as_deref(), Some("price_text"), "{database:?}: {unknown:#?}");
        // What another field of the same records fills is no candidate either.
        let outcome = refused(&database, r#"{"t": [{"id": 1, "price": 3, "prices": 4, "price_text": "x"}]}"#, "");
        assert_eq!(item(&outcome, DriftKind::UnknownField).suggestion, None, "{database:?}");
    }
}

#[test]
fn the_only_column_in_need_of_such_values_is_suggested_by_type() {
    let schema = "t(id pk, label text, bought date, amount decimal(8,2), spare int null)";
    for database in each("by_type", schema) {
        let export = r#"{"t": [{"id": 1, "label": "a", "day": "2024-05-01", "cost": 2.50, "rank": 4}]}"#;
        let outcome = refused(&database, export, "");
        let found: Vec<_> = items(&outcome, DriftKind::UnknownField)
            .into_iter()
            .map(|item| (item.field.as_deref(), item.column.as_deref(), item.suggestion.as_ref().map(|s| s.basis)))
            .collect();
        // `rank` is an integer, and `spare` is in no need of one.
        let expected = [
            (Some("day"), Some("bought"), Some(Basis::Type)),
            (Some("cost"), Some("amount"), Some(Basis::Type)),
            (Some("rank"), None, None),
        ];
        assert_eq!(found, expected, "{database:?}");
        // With two columns of the type nothing is suggested: that would be a guess.
        let two = r#"{"t": [{"id": 1, "label": "a", "day": "2024-05-01", "until": "2024-06-01", "amount": 1}]}"#;
        let outcome = refused(&database, two, "");
        assert!(items(&outcome, DriftKind::UnknownField).iter().all(|item| item.suggestion.is_none()), "{outcome:#?}");
    }
}

#[test]
fn a_list_without_a_column_is_suggested_its_join_table() {
    let schema = "tag(id pk, name text)
                  post(id pk, title text)
                  post_labels(id pk, post_id -> post.id, tag_id -> tag.id)";
    for database in each("join_guess", schema) {
        let export = r#"{"tag": [{"id": 1, "name": "x"}], "post": [{"id": 1, "title": "t", "tags": [1]}]}"#;
        let outcome = refused(&database, export, "");
        let suggestion = item(&outcome, DriftKind::UnknownField).suggestion.clone().expect("there is one");
        assert_eq!(suggestion.line, "[table.post] join_tables = { tags = \"post_labels\" }");
        restored(&database, export, &suggested(&outcome));
        assert_eq!(lines(&database, "SELECT post_id, tag_id FROM post_labels"), ["1|1"]);
    }
}

#[test]
fn nothing_is_left_out_unless_it_is_allowed_and_then_it_is_counted() {
    let export = r#"{"t": [{"id": 1, "name": "a", "legacy": 1}, {"id": 2, "name": "b", "legacy": null}, {"id": 3, "name": "c"}],
                     "gone": [{"id": 1}, {"id": 2}]}"#;
    for database in each("allowed", "t(id pk, name text)") {
        let before = Contents::of(&database);
        let outcome = allowing(&database, export, AllowDrift::None);
        assert_eq!(outcome.report.status, Status::Refused);
        assert_eq!(item(&outcome, DriftKind::UnknownModel).severity, Severity::Error);
        assert_eq!(item(&outcome, DriftKind::UnknownField).severity, Severity::Error);
        assert_eq!(outcome.findings(code::UNKNOWN_FIELD).len(), 2);

        let outcome = allowing(&database, export, AllowDrift::Fields);
        assert_eq!(outcome.report.status, Status::Refused);
        assert_eq!(item(&outcome, DriftKind::UnknownField).severity, Severity::Warning);
        outcome.only(code::UNKNOWN_MODEL);
        before.assert_unchanged(&database);

        let outcome = allowing(&database, export, AllowDrift::Models);
        assert!(outcome.committed && outcome.report.findings.is_empty(), "{database:?}: {:#?}", outcome.report);
        let field = item(&outcome, DriftKind::UnknownField);
        assert_eq!((field.severity, field.records, field.of), (Severity::Warning, 2, 3));
        let model = item(&outcome, DriftKind::UnknownModel);
        assert_eq!((model.severity, model.label.as_str(), model.records), (Severity::Warning, "gone", 2));
        let ignored: Vec<_> =
            outcome.report.ignored.iter().map(|known| (known.label.as_str(), known.records)).collect();
        assert_eq!(ignored, [("gone", 2)]);
        assert_eq!(lines(&database, "SELECT id, name FROM t ORDER BY id"), ["1|a", "2|b", "3|c"]);
    }
}

#[test]
fn a_pk_without_a_primary_key_is_a_field_without_a_column() {
    for database in TestDatabase::each("keyless") {
        database.run("CREATE TABLE log (line varchar(20) NOT NULL);");
        let export = r#"[{"model": "x.log", "pk": 7, "fields": {"line": "a"}}]"#;
        let config = "[table.log]\nmodels = [\"x.log\"]";
        let outcome = refused(&database, export, config);
        assert_eq!(item(&outcome, DriftKind::UnknownField).field.as_deref(), Some("pk"), "{database:?}");
        outcome.only(code::UNKNOWN_FIELD);
        let config = format!("[restore]\nallow_drift = \"fields\"\n{config}");
        let outcome = restored(&database, export, &config);
        assert_eq!(item(&outcome, DriftKind::UnknownField).severity, Severity::Warning);
        assert_eq!(lines(&database, "SELECT line FROM log"), ["a"]);
    }
}

#[test]
fn what_is_allowed_never_covers_anything_else() {
    for database in each("not_covered", "t(id pk, n int)") {
        for (export, expected) in [
            (r#"{"t": [{"id": 1, "n": "x"}]}"#, code::UNFIT_VALUE),
            (r#"{"t": [{"id": 1}]}"#, code::MISSING_VALUE),
            (r#"{"t": [{"id": 1, "n": 1, "N": 2}]}"#, code::UNKNOWN_FIELD),
        ] {
            let outcome = allowing(&database, export, AllowDrift::Models);
            assert_eq!(outcome.report.status, Status::Refused, "{database:?} {export}");
            outcome.only(expected);
        }
        // A record left out leaves its references dangling.
        let database = &each("left_dangling", "t(id pk, boss -> t.id null)")[0];
        let export = r#"{"u": [{"id": 7}], "t": [{"id": 1, "boss": 7}]}"#;
        allowing(database, export, AllowDrift::Models).only(code::DANGLING_REFERENCE);
    }
}

#[test]
fn columns_without_a_field_are_told_also_where_all_is_well() {
    for database in each("missing", "t(id pk, name text, note text null, state text default 'new', seen int null)") {
        let export = r#"{"t": [{"id": 1, "name": "a", "seen": 1}, {"id": 2, "name": "b"}]}"#;
        let outcome = restored(&database, export, "");
        let found: Vec<_> = items(&outcome, DriftKind::MissingColumn)
            .into_iter()
            .map(|item| (item.column.as_deref().unwrap_or_default(), item.records, item.of, item.severity))
            .collect();
        let expected =
            [("note", 2, 2, Severity::Info), ("state", 2, 2, Severity::Info), ("seen", 1, 2, Severity::Info)];
        assert_eq!(found, expected, "{database:?}");
        let messages: Vec<_> =
            items(&outcome, DriftKind::MissingColumn).iter().map(|item| item.message.clone()).collect();
        assert!(messages[0].ends_with("it gets NULL") && messages[1].contains("default"), "{messages:?}");
        assert_eq!(lines(&database, "SELECT note, state FROM t ORDER BY id"), ["NULL|new", "NULL|new"]);
    }
}

#[test]
fn an_export_that_fits_has_no_drift() {
    for database in each("no_drift", "a(id pk, name text)\nb(id pk, a_id -> a.id null)") {
        let outcome = restored(&database, r#"{"a": [{"id": 1, "name": "x"}], "b": [{"id": 1, "a_id": null}]}"#, "");
        assert_eq!(outcome.report.drift, relink_restore::Drift::default(), "{database:?}");
        // Numbers that the database or relink gives are no drift.
        let dump = r#"[{"model": "x.b", "fields": {"a": 1}}]"#;
        let outcome = restored(&database, dump, "[table.b]\nmodels = [\"x.b\"]");
        assert_eq!(outcome.report.drift, relink_restore::Drift::default(), "{database:?}");
    }
}

#[test]
fn a_not_null_column_without_a_value_is_one_item_with_its_counts() {
    for database in each("not_null", "t(id pk, name text, code text)") {
        let export =
            r#"{"t": [{"id": 1, "name": "a"}, {"id": 2, "name": null}, {"id": 3, "name": "c", "code": null}]}"#;
        let outcome = refused(&database, export, "");
        let found: Vec<_> = items(&outcome, DriftKind::NotNullWithoutValue)
            .into_iter()
            .map(|item| (item.column.as_deref().unwrap_or_default(), item.records, item.of))
            .collect();
        assert_eq!(found, [("name", 1, 3), ("code", 3, 3)], "{database:?}");
        let lines = suggested(&outcome);
        assert!(lines.contains("default = { code = \"...\" }"), "{lines}");
    }
}

#[test]
fn a_type_that_has_changed_is_one_item_that_says_what_the_values_look_like() {
    for database in TestDatabase::each("changed_type") {
        database.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, age integer, made timestamp NULL, n integer);");
        let export = r#"{"t": [
            {"id": 1, "age": "young", "made": 1700000000, "n": 1},
            {"id": 2, "age": "old", "made": 1700000001, "n": 2},
            {"id": 3, "age": [1], "made": null, "n": "x"}
        ]}"#;
        let outcome = refused(&database, export, "");
        let age = items(&outcome, DriftKind::ChangedType)
            .into_iter()
            .find(|item| item.column.as_deref() == Some("age"))
            .expect("the type has changed");
        assert_eq!((age.records, age.field.as_deref(), age.severity), (3, Some("age"), Severity::Error));
        assert!(age.message.contains("3 of 3 values") && age.message.ends_with("2 texts, 1 lists"), "{}", age.message);
        // One value of three that does not fit is a bad value and no other type.
        assert!(items(&outcome, DriftKind::ChangedType).iter().all(|item| item.column.as_deref() != Some("n")));
        // SQLite keeps numbers in columns of dates.
        if database.dialect() == "sqlite" {
            continue;
        }
        let made = items(&outcome, DriftKind::ChangedType)
            .into_iter()
            .find(|item| item.column.as_deref() == Some("made"))
            .expect("the type has changed");
        let suggestion = made.suggestion.as_ref().expect("there is one");
        assert_eq!((made.records, suggestion.basis), (2, Basis::Values), "{made:#?}");
        assert_eq!(suggestion.line, "[table.t] transform = { made = \"unix-seconds\" }");
    }
}

#[test]
fn labels_that_an_enumeration_has_lost_are_listed_and_mapped() {
    for database in TestDatabase::each("labels") {
        match database.dialect() {
            "postgres" => database
                .run("CREATE TYPE state AS ENUM ('active', 'closed'); CREATE TABLE t (id int PRIMARY KEY, s state);"),
            "mysql" => database.run("CREATE TABLE t (id int PRIMARY KEY, s enum('active', 'closed'));"),
            _ => continue,
        }
        let export = r#"{"t": [{"id": 1, "s": "actve"}, {"id": 2, "s": "active"}, {"id": 3, "s": "close"}, {"id": 4, "s": "actve"}]}"#;
        let outcome = refused(&database, export, "");
        let removed = item(&outcome, DriftKind::RemovedLabel);
        let labels: Vec<_> = removed
            .labels
            .iter()
            .map(|label| (label.label.as_str(), label.records, label.nearest.as_deref()))
            .collect();
        assert_eq!(labels, [("actve", 2, Some("active")), ("close", 1, Some("closed"))], "{database:?}");
        assert_eq!((removed.records, removed.of), (3, 4));
        assert!(items(&outcome, DriftKind::ChangedType).is_empty());
        let outcome = restored(&database, export, &suggested(&outcome));
        assert_eq!(lines(&database, "SELECT s FROM t ORDER BY id"), ["active", "active", "closed", "active"]);
        assert_eq!(transformed(&outcome), ["t.s map: 3"]);
    }
}

#[test]
fn a_dry_run_tells_the_same_drift() {
    let config = "[table.t]\nset = { source = \"import\" }\ntransform = { name = \"trim\" }";
    let export =
        Export::new(r#"{"t": [{"id": 1, "name": " a ", "old": 1}, {"id": 2, "name": "b"}], "gone": [{"id": 1}]}"#);
    for database in each("dry_drift", "t(id pk, name text, source text, note text null)") {
        let restore =
            || Restore::of(&export).config(config).options(|options| options.allow_drift = AllowDrift::Models);
        let before = Contents::of(&database);
        let dry = restore().dry_run(true).into(&database);
        before.assert_unchanged(&database);
        let real = restore().into(&database);
        assert!(real.committed && real.report.drift.items.len() == 3, "{:#?}", real.report.drift);
        same_but_for_the_dry_run(&dry.report, &real.report);
    }
}

#[test]
fn the_report_is_bounded_whatever_the_export_holds() {
    let database = &each("bounded", "t(id pk)")[0];
    let fields: Vec<String> = (0..3 * DRIFT_ITEMS_MAX).map(|at| format!("\"f{at}\": {at}")).collect();
    let records: Vec<String> =
        fields.chunks(3).enumerate().map(|(id, fields)| format!("{{\"id\": {id}, {}}}", fields.join(", "))).collect();
    let outcome = refused(database, &format!("{{\"t\": [{}]}}", records.join(",")), "");
    assert_eq!(outcome.report.drift.items.len(), DRIFT_ITEMS_MAX);
    assert_eq!(outcome.report.drift.unlisted, 2 * DRIFT_ITEMS_MAX as u64);
}

#[test]
fn constants_and_defaults_fill_what_the_export_lacks() {
    let schema = "t(id pk, source text, tenant int, state text, note text null, seen text null)";
    for database in each("constants", schema) {
        let config = r#"[table.t]
            fields = { tenant_name = "tenant" }
            set = { source = "import", tenant = "7" }
            default = { state = "new", note = "none", seen = "no" }"#;
        let export = r#"{"t": [
            {"id": 1, "source": "web", "tenant_name": "acme", "state": "old", "seen": "yes"},
            {"id": 2, "state": null, "seen": null},
            {"id": 3}
        ]}"#;
        let outcome = restored(&database, export, config);
        assert_eq!(
            lines(&database, "SELECT source, tenant, state, note, seen FROM t ORDER BY id"),
            // null is a value of the column that takes it; the default is for fields that are not there.
            ["import|7|old|none|yes", "import|7|new|none|NULL", "import|7|new|none|no"],
            "{database:?}"
        );
        let expected =
            ["t.source set: 3", "t.tenant set: 3", "t.state default: 2", "t.note default: 3", "t.seen default: 1"];
        assert_eq!(transformed(&outcome), expected);
        assert!(items(&outcome, DriftKind::MissingColumn).is_empty(), "{:#?}", outcome.report.drift);
    }
}

#[test]
fn values_are_transformed_step_by_step_and_counted() {
    let schema = "t(id pk, email text, code varchar(4), state text null, day date null, at timestamp null)";
    for database in each("steps", schema) {
        let config = r#"[table.t]
            transform = { email = ["trim", "lower"], code = [{ prefix = "X" }, { truncate = 4 }],
                          state = { null-if = ["", "n/a", 0] }, day = { date-format = "%d/%m/%Y" }, at = "unix-millis" }"#;
        let export = r#"{"t": [
            {"id": 1, "email": " Ann@X.org", "code": 12345, "state": "", "day": "31/01/2024", "at": 1700000000000},
            {"id": 2, "email": "bob@x.org", "code": "a", "state": "on", "day": null, "at": null},
            {"id": 3, "email": "c@x.org ", "code": "b", "state": 0, "day": "01/02/2024", "at": 0}
        ]}"#;
        let outcome = restored(&database, export, config);
        let found = lines(&database, "SELECT email, code, state, day FROM t ORDER BY id");
        let expected = ["ann@x.org|X123|NULL|2024-01-31", "bob@x.org|Xa|on|NULL", "c@x.org|Xb|NULL|2024-02-01"];
        assert_eq!(found, expected, "{database:?}");
        let instants = lines(&database, "SELECT at FROM t ORDER BY id");
        let plain: Vec<String> =
            instants.iter().map(|at| at.replace('T', " ").replace('Z', "").replace(".000000", "")).collect();
        assert_eq!(plain, ["2023-11-14 22:13:20", "NULL", "1970-01-01 00:00:00"], "{database:?}");
        let expected = [
            "t.email trim: 2",
            "t.email lower: 1",
            "t.code prefix: 3",
            "t.code truncate: 1",
            "t.state null-if: 2",
            "t.day date-format: 2",
            "t.at unix-millis: 2",
        ];
        assert_eq!(transformed(&outcome), expected);
    }
}

#[test]
fn a_value_that_a_transform_cannot_read_is_refused_with_its_place() {
    for database in each("unreadable", "t(id pk, day date, n int)") {
        let config = r#"[table.t]
            transform = { day = { date-format = "%d/%m/%Y" }, n = { map = { one = "1", two = "zwei" } } }"#;
        let export = "{\"t\": [{\"id\": 1, \"day\": \"01/02/2024\", \"n\": \"one\"},\n{\"id\": 2, \"day\": \"2024-02-01\", \"n\": \"two\"}]}";
        let outcome = refused(&database, export, config);
        let found = outcome.findings(code::UNFIT_VALUE);
        let places: Vec<_> =
            found.iter().filter_map(|found| Some((found.place.as_ref()?.line, &found.field))).collect();
        assert_eq!(places, [(2, &Some("day".to_owned())), (2, &Some("n".to_owned()))], "{database:?}");
        assert!(found[0].message.contains("%d/%m/%Y"), "{}", found[0].message);
        assert!(found[1].message.contains("\"zwei\"") && found[1].message.contains("\"two\""), "{}", found[1].message);
    }
}

#[test]
fn nul_characters_go_only_where_the_configuration_says_so() {
    for database in each("nul", "t(id pk, a text, b text, doc json)") {
        let export = r#"{"t": [{"id": 1, "a": "x\u0000y", "b": "x\u0000y", "doc": {"k": "p\u0000q"}}]}"#;
        let config = "[table.t]\ntransform = { a = \"strip-nul\", b = \"replace-nul\", doc = \"strip-nul\" }";
        let outcome = restored(&database, export, config);
        let document = if database.dialect() == "postgres" { "doc->>'k'" } else { "json_extract(doc, '$.k')" };
        let found = lines(&database, &format!("SELECT a, b, {document} FROM t"));
        assert_eq!(found.iter().map(|line| line.replace('"', "")).collect::<Vec<_>>(), ["xy|x\u{fffd}y|pq"]);
        assert_eq!(transformed(&outcome), ["t.a strip-nul: 1", "t.b replace-nul: 1", "t.doc strip-nul: 1"]);
    }
}

#[test]
fn constants_and_maps_apply_before_references_are_resolved() {
    let schema = "tenant(id pk, name text unique)
                  owner(id pk, code text unique)
                  t(id pk, tenant_id -> tenant.id, owner_code text -> owner.code)";
    for database in each("before_references", schema) {
        let config = r#"[table.owner]
            transform = { code = "upper" }
            [table.t]
            set = { tenant_id = 2 }
            transform = { owner_code = ["upper", { map = { GONE = "ANN" } }] }"#;
        // The tenant comes under another id: the constant follows its row as any reference does.
        database.run("INSERT INTO tenant (id, name) VALUES (1, 'second');");
        let export = r#"{"tenant": [{"id": 2, "name": "second"}], "owner": [{"id": 1, "code": "ann"}],
                         "t": [{"id": 1, "tenant_id": 99, "owner_code": "gone"}, {"id": 2, "owner_code": "Ann"}]}"#;
        let outcome = Restore::of(&Export::new(export)).config(config).mode(relink_model::Mode::Skip).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(lines(&database, "SELECT tenant_id, owner_code FROM t ORDER BY id"), ["1|ANN", "1|ANN"]);
        // A constant that leads nowhere is found before anything is written.
        let config = "[table.t]\nset = { tenant_id = 5 }";
        let outcome = refused(&database, r#"{"t": [{"id": 3, "owner_code": "ANN"}]}"#, config);
        outcome.only(code::DANGLING_REFERENCE);
    }
}

#[test]
fn natural_keys_pass_the_transforms_of_the_columns_that_they_name() {
    let schema = "person(id pk, tenant text, email text, unique(tenant, email))\nnote(id pk, person_id -> person.id)";
    for database in each("natural_transforms", schema) {
        let config = "[table.person]\nset = { tenant = \"main\" }\ntransform = { email = [\"trim\", \"lower\"] }
                      [table.note]\nmodels = [\"x.note\"]\n[table.person.fields]\n";
        let config = config.replace("[table.person.fields]\n", "");
        let config = config.replace("[table.person]\n", "[table.person]\nmodels = [\"x.person\"]\n");
        let export = r#"[{"model": "x.person", "fields": {"tenant": "old", "email": " Ann@X "}},
                         {"model": "x.note", "pk": 1, "fields": {"person": ["old", "ANN@x"]}}]"#;
        restored(&database, export, &config);
        let joined = "SELECT person.tenant, person.email FROM note JOIN person ON person.id = note.person_id";
        assert_eq!(lines(&database, joined), ["main|ann@x"], "{database:?}");
    }
}

#[test]
fn a_part_of_a_composite_key_can_be_set() {
    for database in each("composite_set", "t(tenant int, no int, name text, pk(tenant, no))") {
        let rows = r#"{"t": [{"tenant": "x", "no": 1, "name": "a"}, {"no": 2, "name": "b"}]}"#;
        restored(&database, rows, "[table.t]\nset = { tenant = 7 }");
        let dump = r#"[{"model": "x.t", "pk": ["x", 3], "fields": {"name": "c"}}]"#;
        restored(&database, dump, "[table.t]\nmodels = [\"x.t\"]\nset = { tenant = 7 }");
        assert_eq!(lines(&database, "SELECT tenant, no, name FROM t ORDER BY no"), ["7|1|a", "7|2|b", "7|3|c"]);
    }
}

#[test]
fn rows_that_lists_make_get_the_constants_of_their_join_table() {
    let schema = "tag(id pk, name text)
                  post(id pk, title text)
                  post_tags(id pk, post_id -> post.id, tag_id -> tag.id, origin text, rank int default 3)";
    for database in each("join_constants", schema) {
        let export = r#"[{"model": "x.tag", "pk": 1, "fields": {"name": "t"}},
                         {"model": "x.post", "pk": 1, "fields": {"title": "a", "tags": ["1 "]}},
                         {"model": "x.post", "pk": 2, "fields": {"title": "b", "tags": []}}]"#;
        let models = "[table.tag]\nmodels = [\"x.tag\"]\n[table.post]\nmodels = [\"x.post\"]\n[table.post_tags]\n";
        let transform = "transform = { tag_id = \"trim\" }\n";
        // Without the constant the list cannot be kept, which is found before anything is written.
        let outcome = refused(&database, export, &format!("{models}{transform}"));
        assert!(outcome.only(code::MISSING_VALUE).message.contains("origin"), "{:#?}", outcome.report.findings);
        // Whose rows are meant by a constant reference of such a row cannot be followed.
        let outcome =
            refused(&database, export, &format!("{models}{transform}set = {{ origin = \"x\", post_id = 1 }}"));
        outcome.only(code::MISSING_VALUE);
        let outcome = restored(&database, export, &format!("{models}{transform}set = {{ origin = \"import\" }}"));
        assert_eq!(lines(&database, "SELECT post_id, tag_id, origin, rank FROM post_tags"), ["1|1|import|3"]);
        assert_eq!(transformed(&outcome), ["post_tags.tag_id trim: 1", "post_tags.origin set: 1"]);
    }
}

#[test]
fn mistakes_in_the_configuration_show_before_anything_is_read() {
    let schema = "t(id pk, n int, day date, name text, ref -> t.id null)";
    for database in each("config_mistakes", schema) {
        for (config, expected) in [
            ("set = { n = \"many\" }", "[table.t] set: n = \"many\": is not a whole number"),
            ("set = { m = 1 }", "[table.t] set: the table has no column \"m\""),
            ("set = { id = 1 }", "[table.t] set: id = 1: it is the whole primary key"),
            (
                "default = { day = \"2024-02-30\" }",
                "[table.t] default: day = \"2024-02-30\": is not a day of the calendar",
            ),
            ("set = { n = 1 }\ndefault = { n = 2 }", "[table.t] default: n = 2: `set` gives"),
            ("set = { n = 1 }\ntransform = { n = \"trim\" }", "[table.t] transform: n = ...: `set` gives"),
            ("transform = { day = { date-format = \"%d/%m\" } }", "[table.t] transform: day = date-format"),
            (
                "transform = { nme = \"trim\" }",
                "[table.t] transform: the table has no column \"nme\"; did you mean \"name\"?",
            ),
            ("transform = { name = { replace = [\"\", \"x\"] } }", "[table.t] transform: name = replace"),
        ] {
            let before = Contents::of(&database);
            // The records themselves would be refused: the configuration comes first.
            let export = Export::new(r#"{"t": [{"id": "x"}]}"#);
            let failure = Restore::of(&export).config(&format!("[table.t]\n{config}")).try_into(&database);
            let Err(Failure::Restore(Error::Config(errors))) = failure else { panic!("{config}: {failure:#?}") };
            let [error] = &errors[..] else { panic!("{config}: {errors:#?}") };
            assert!(error.to_string().starts_with(expected), "{error}");
            before.assert_unchanged(&database);
        }
    }
}
