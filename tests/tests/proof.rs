//! The proof after loading: what was written is read back and compared, whatever stood between relink and the table.

use relink_e2e::{Contents, Export, Outcome, Restore, lines};
use relink_model::{Mode, Severity, Verify};
use relink_restore::{RelationVerification, Status, code};
use relink_testkit::{TestDatabase, schema};

const FAMILY: &str = "parents(id pk, name text unique)
     children(id pk, parent_id int -> parents.id, nick text null)
     children_friends(id pk, children_id int -> children.id, parents_id int -> parents.id, unique(children_id, parents_id))";

/// By natural key, by id, and by a list.
const EXPORT: &str = r#"[
{"model": "parents", "pk": 1, "fields": {"name": "Ada"}},
{"model": "parents", "pk": 2, "fields": {"name": "Bob"}},
{"model": "children", "pk": 7, "fields": {"parent": ["Ada"], "nick": "x", "friends": [1, ["Bob"]]}},
{"model": "children", "pk": 8, "fields": {"parent": 2, "nick": null, "friends": []}}
]"#;

fn family(database: &TestDatabase, trigger: &str) {
    database.run(&schema(FAMILY).ddl(database.dialect()));
    database.run(trigger);
}

/// Changes new rows of a table; SQLite has no trigger that changes a row before it is written, but one that does at once.
fn changing(database: &TestDatabase, table: &str, column: &str, value: &str) -> String {
    match database.dialect() {
        "sqlite" => format!(
            "CREATE TRIGGER meddle AFTER INSERT ON {table} BEGIN UPDATE {table} SET {column} = {value} WHERE id = new.id; END;"
        ),
        "postgres" => format!(
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.{column} := {value}; RETURN new; END $$;
             CREATE TRIGGER meddle BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION meddle();"
        ),
        _ => format!("CREATE TRIGGER meddle BEFORE INSERT ON {table} FOR EACH ROW SET new.{column} = {value};"),
    }
}

fn restore(database: &TestDatabase, export: &str, verify: Verify) -> Outcome {
    let export = Export::new(export);
    Restore::of(&export).options(move |options| options.verify = verify).into(database)
}

fn proved(outcome: &Outcome) -> &[RelationVerification] {
    &outcome.report.verification.as_ref().expect("rows were loaded").relations
}

#[test]
fn the_report_says_what_was_compared() {
    for database in TestDatabase::each("proof_counts") {
        family(&database, "");
        let outcome = restore(&database, EXPORT, Verify::Full);
        assert!(outcome.committed && outcome.report.findings.is_empty(), "{database:?}: {:#?}", outcome.report);
        let counts: Vec<_> = proved(&outcome)
            .iter()
            .map(|of| (of.relation.to_string(), of.rows, of.values, of.different + of.missing, of.references))
            .collect();
        let of = |name: &str, rows, values, references| (name.to_owned(), rows, values, 0, references);
        let expected = [of("parents", 2, 4, 0), of("children", 2, 6, 1), of("children_friends", 2, 4, 0)];
        assert_eq!(counts, expected, "{database:?}");
    }
    for database in TestDatabase::each("proof_references") {
        family(&database, "");
        let outcome = restore(&database, EXPORT, Verify::References);
        let counts: Vec<_> = proved(&outcome).iter().map(|of| (of.relation.to_string(), of.values)).collect();
        assert_eq!(counts, [("children".to_owned(), 2), ("children_friends".to_owned(), 4)], "{database:?}");
    }
}

#[test]
fn a_value_that_a_trigger_changes_is_a_warning_and_the_restore_stands() {
    for database in TestDatabase::each("proof_changed") {
        family(&database, &changing(&database, "children", "nick", "'meddled'"));
        let outcome = restore(&database, EXPORT, Verify::References);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        let found = outcome.findings(code::CHANGED_VALUE);
        let told: Vec<_> =
            found.iter().map(|finding| (finding.severity, finding.place.as_ref().map(|place| place.line))).collect();
        assert_eq!(told, [(Severity::Warning, Some(4)), (Severity::Warning, Some(5))], "{database:?}");
        assert!(found[0].message.contains("\"x\" was written") && found[0].message.contains("trigger meddle"));
        assert_eq!(lines(&database, "SELECT nick FROM children"), ["meddled", "meddled"], "the trigger is in force");
    }
}

#[test]
fn a_reference_that_a_trigger_moves_takes_everything_back() {
    for database in TestDatabase::each("proof_moved") {
        family(&database, &changing(&database, "children", "parent_id", "2"));
        let before = Contents::of(&database);
        let outcome = restore(&database, EXPORT, Verify::References);
        assert_eq!(outcome.report.status, Status::Refused, "{database:?}");
        before.assert_unchanged(&database);
        let finding = outcome.only(code::REFERENCE_MOVED);
        assert_eq!(finding.place.as_ref().expect("it has a place").pointer, "/2/fields/parent", "{database:?}");
        assert!(
            finding.message.starts_with("parent_id of the row id = 7 holds 2, and the export means 1"),
            "{}",
            finding.message
        );
    }
}

#[test]
fn a_name_that_a_trigger_changes_does_not_move_what_references_it() {
    for database in TestDatabase::each("proof_renamed") {
        family(&database, &changing(&database, "parents", "name", "upper(new.name)"));
        let outcome = restore(&database, EXPORT, Verify::References);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(outcome.findings(code::REFERENCE_MOVED).len(), 0);
        assert_eq!(outcome.findings(code::CHANGED_VALUE).len(), 2);
        // Whether the changed name is still the one that the export names is the collation's to say.
        let unconfirmed = outcome.findings(code::REFERENCE_UNCONFIRMED);
        assert_eq!(unconfirmed.len(), usize::from(database.dialect() != "mysql"), "{database:?}");
        assert!(unconfirmed.iter().all(|finding| finding.severity == Severity::Warning));
    }
}

#[test]
fn a_row_of_a_list_that_a_trigger_moves_is_found() {
    for database in TestDatabase::each("proof_list") {
        // 7's friend 1 becomes 3, whom no list names.
        family(&database, "INSERT INTO parents VALUES (3, 'Eve');");
        database.run(&changing(&database, "children_friends", "parents_id", "3"));
        let export = EXPORT.replace("[1, [\"Bob\"]]", "[1]");
        let outcome = restore(&database, &export, Verify::References);
        assert_eq!(outcome.report.status, Status::Refused, "{database:?}");
        let finding = outcome.only(code::ROW_MISSING);
        assert_eq!(finding.place.as_ref().expect("it has a place").line, 4, "{database:?}");
    }
}

#[test]
fn rows_that_are_updated_are_proved_and_rows_that_are_left_alone_are_not() {
    for database in TestDatabase::each("proof_modes") {
        family(&database, "");
        database.run("INSERT INTO parents VALUES (1, 'Ada'), (2, 'Bob'); INSERT INTO children VALUES (7, 2, 'old');");
        let export = Export::new(EXPORT);
        let skipped = Restore::of(&export).mode(Mode::Skip).dry_run(true).into(&database);
        let children = proved(&skipped).iter().find(|of| of.relation.name.as_str() == "children").expect("one was new");
        assert_eq!((children.rows, children.different), (1, 0), "{database:?}");
        let updated = Restore::of(&export).mode(Mode::Upsert).into(&database);
        assert!(updated.committed && updated.report.findings.is_empty(), "{database:?}: {:#?}", updated.report);
        let rows: Vec<u64> = proved(&updated).iter().map(|of| of.rows).collect();
        assert_eq!(rows, [2, 2, 2], "{database:?}");
    }
}

#[test]
fn a_computed_column_is_compared_with_what_the_export_holds() {
    for database in TestDatabase::each("proof_computed") {
        database.run(
            "CREATE TABLE items (id integer NOT NULL PRIMARY KEY, price integer NOT NULL, gross integer GENERATED ALWAYS AS (price * 2) STORED)",
        );
        let export = r#"{"items": [{"id": 1, "gross": 10, "price": 5}, {"id": 2, "price": 5, "gross": 11}, {"id": 3, "price": 5}]}"#;
        let outcome = restore(&database, export, Verify::References);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        let finding = outcome.only(code::COMPUTED_DIFFERS);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.message, "gross of the row id = 2 is computed as 10, and the export holds 11",
            "{database:?}"
        );
        assert_eq!(finding.place.as_ref().expect("it has a place").pointer, "/items/1/gross");
    }
}

#[test]
fn a_reference_that_no_foreign_key_declares_is_proved_too() {
    for database in TestDatabase::each("proof_generic") {
        let tables = schema("posts(id pk, title text)\nnotes(id pk, owner_type text, owner_id bigint)");
        database.run(&tables.ddl(database.dialect()));
        database.run(&changing(&database, "notes", "owner_id", "2"));
        let export = Export::new(
            r#"{"posts": [{"id": 1, "title": "a"}, {"id": 2, "title": "b"}], "notes": [{"id": 5, "owner_type": "posts", "owner_id": 1}]}"#,
        );
        let outcome = Restore::of(&export)
            .config("[table.notes]\ngeneric = [{ type = \"owner_type\", id = \"owner_id\" }]")
            .options(|options| options.verify = Verify::References)
            .into(&database);
        assert_eq!(outcome.report.status, Status::Refused, "{database:?}");
        let finding = outcome.only(code::REFERENCE_MOVED);
        assert_eq!(finding.field.as_deref(), Some("owner_id"), "{database:?}");
    }
}
