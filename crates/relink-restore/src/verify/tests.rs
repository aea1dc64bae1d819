use std::sync::Arc;

use relink_db::{Access, Connection, InsertTarget, TransactionKind};
use relink_export::{FormatFamily, OpenOptions, Source};
use relink_model::{AllowDrift, Catalog, Config, Finding, RelationId, Value};
use relink_records::{Reader, ReferencePart, coerce::Rules, profile::Profiles};
use relink_testkit::TestDatabase;
use tempfile::TempDir;

use super::*;
use crate::{decode::Decoder, selection::Selected};

/// A database with tables, and an export whose records stand for what is written.
struct Fixture {
    connection: Box<dyn Connection>,
    catalog: Catalog,
    registry: IndexRegistry,
    mapping: Mapping,
    source: Source,
    /// Of each label, in file order.
    origins: HashMap<String, Vec<Origin>>,
    _directory: TempDir,
}

impl Fixture {
    async fn new(database: &TestDatabase, ddl: &str, export: &str, config: &str) -> Self {
        database.run(ddl);
        let url = database.url().parse().expect("the test database's URL is one");
        let mut connection = relink_db::connect(&url, Access::ReadWrite).await.expect("the database is there");
        connection.begin(TransactionKind::Write).await.expect("a transaction opens");
        let catalog = connection.introspect().await.expect("the catalog can be read");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("export.json");
        std::fs::write(&path, export).expect("the temporary directory is writable");
        let source = Source::open(&path, &OpenOptions::default()).expect("the export is readable");
        let index = source.index(&mut |_| {}).expect("the export is whole");
        let mut origins: HashMap<String, Vec<Origin>> = HashMap::new();
        for run in &index.runs {
            let mut records = source.records(run);
            while let Some(record) = records.next() {
                let record = record.expect("the record is readable");
                let origin = origin(&record);
                origins.entry(index.labels[record.label.index()].clone()).or_default().push(origin);
            }
        }
        let config: Config = toml::from_str(config).expect("the configuration is valid");
        let mut registry = IndexRegistry::of(&catalog);
        let django = source.format().family() == FormatFamily::Django;
        let profiles = Profiles::new(&[], &config.profiles, &catalog).expect("the profiles are valid");
        let mapping = Mapping::new(&catalog, &config, &profiles, &index.labels, django).expect("it fits");
        registry.add_mapping(&catalog, &mapping);
        Self { connection, catalog, registry, mapping, source, origins, _directory: directory }
    }

    fn relation(&self, table: &str) -> RelationId {
        self.catalog.find(table).expect("the table is there")
    }

    fn column(&self, table: &str, column: &str) -> usize {
        self.catalog.relation(self.relation(table)).column(column).expect("the column is there").0
    }

    /// What these values stand for: the rows of the export's records of this label (as the table) in order.
    fn expected(&self, table: &str, columns: &[&str], rows: &[Vec<Value>]) -> Expected {
        let relation = self.relation(table);
        let columns_at: Vec<usize> = columns.iter().map(|column| self.column(table, column)).collect();
        let rows = rows.iter().zip(&self.origins[table]);
        Expected {
            relation,
            fields: columns.iter().map(|column| Some((*column).to_owned())).collect(),
            key: row_key(self.catalog.relation(relation), &columns_at),
            columns: columns_at,
            rows: rows.map(|(values, origin)| ExpectedRow { origin: *origin, values: values.clone() }).collect(),
        }
    }

    /// Inserts the rows as a restore does, computed columns left out. Whether all were taken is not judged here.
    async fn insert(&mut self, expected: &Expected) {
        let relation = self.catalog.relation(expected.relation);
        let written: Vec<usize> = (0..expected.columns.len())
            .filter(|at| relation.columns[expected.columns[*at]].generated.is_none())
            .collect();
        let target = InsertTarget {
            relation: relation.name.clone(),
            columns: written.iter().map(|at| (&relation.columns[expected.columns[*at]]).into()).collect(),
            overrides_identity: false,
        };
        let rows: Vec<Vec<Value>> = expected.rows.iter().map(|row| pick(&row.values, &written)).collect();
        self.connection.insert(&target, &rows).await.expect("the rows are taken");
    }

    async fn run(&mut self, sql: &str) {
        self.connection.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Reads back; every relation's triggers were in force.
    async fn verify(&mut self, mode: Verify, batches: &[&Expected]) -> (Verification, Vec<Finding>) {
        let all: Vec<RelationId> = self.catalog.iter().map(|(id, _)| id).collect();
        let mut findings = Findings::new(self.source.clone());
        let mut verifier = Verifier::new(&self.catalog, &self.registry, &self.mapping, mode, &all);
        for batch in batches {
            verifier.read_back(self.connection.as_mut(), batch, &mut findings).await.expect("rows can be read");
        }
        (verifier.finish(&all), flat(findings))
    }

    /// Inserts and reads back all.
    async fn prove(&mut self, expected: &Expected) -> (RelationVerification, Vec<Finding>) {
        self.insert(expected).await;
        let (verification, findings) = self.verify(Verify::Full, &[expected]).await;
        let [relation] = <[_; 1]>::try_from(verification.relations).expect("one relation was compared");
        (relation, findings)
    }
}

fn origin(record: &relink_export::Record<'_>) -> Origin {
    let (label, file_ordinal, offset) = (record.label, record.ordinal, record.offset);
    Origin { label, file_ordinal, offset, bytes: 0, record: None, listed_by: None }
}

fn flat(findings: Findings) -> Vec<Finding> {
    findings.into_groups().into_iter().flat_map(|group| group.findings).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn sole(findings: Vec<Finding>) -> Finding {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.into_iter().next().expect("there is one")
}

/// A trigger that changes the new row before it is written; SQLite, which has none of the kind, changes it right after.
fn changing(database: &TestDatabase, name: &str, table: &str, assignment: (&str, &str)) -> String {
    let (column, value) = assignment;
    match database.dialect() {
        "sqlite" => format!(
            "CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN
             UPDATE {table} SET {column} = {} WHERE id = NEW.id; END;",
            value.replace("NEW.", "")
        ),
        "postgres" => format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.{column} := {value}; RETURN NEW; END $$;
             CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}();"
        ),
        _ => format!("CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW SET NEW.{column} = {value};"),
    }
}

const PEOPLE: &str = "CREATE TABLE people (id integer NOT NULL PRIMARY KEY, name varchar(40) NOT NULL);
     CREATE TABLE pets (id integer NOT NULL PRIMARY KEY, owner_id integer NOT NULL, name varchar(40), visits integer,
     CONSTRAINT pets_owner FOREIGN KEY (owner_id) REFERENCES people (id));";
const PEOPLE_EXPORT: &str = "{\"people\": [{\"id\": 1, \"name\": \"Ada\"},\n{\"id\": 2, \"name\": \"BOB\"}],
\"pets\": [{\"id\": 10, \"owner_id\": 1, \"name\": \"Rex\", \"visits\": 0},
{\"id\": 11, \"owner_id\": 2, \"name\": null, \"visits\": 0}]}";

async fn people(database: &TestDatabase, more: &str) -> (Fixture, Expected, Expected) {
    let fixture = Fixture::new(database, &format!("{PEOPLE}{more}"), PEOPLE_EXPORT, "").await;
    let people = fixture.expected(
        "people",
        &["id", "name"],
        &[vec![Value::Int(1), text("Ada")], vec![Value::Int(2), text("BOB")]],
    );
    let pets = fixture.expected(
        "pets",
        &["id", "owner_id", "name", "visits"],
        &[
            vec![Value::Int(10), Value::Int(1), text("Rex"), Value::Int(0)],
            vec![Value::Int(11), Value::Int(2), Value::Null, Value::Int(0)],
        ],
    );
    (fixture, people, pets)
}

#[tokio::test]
async fn what_was_loaded_whole_has_no_findings_and_all_of_it_is_counted() {
    for database in TestDatabase::each("verify_whole") {
        let (mut fixture, people, pets) = people(&database, "").await;
        fixture.insert(&people).await;
        fixture.insert(&pets).await;
        let (verification, findings) = fixture.verify(Verify::Full, &[&people, &pets]).await;
        assert_eq!(findings, [], "{database:?}");
        let counts: Vec<_> = verification.relations.iter().map(|of| (of.rows, of.values, of.different)).collect();
        assert_eq!(counts, [(2, 4, 0), (2, 8, 0)], "{database:?}");
        // References alone: one column of one relation.
        let verifier = Verifier::new(&fixture.catalog, &fixture.registry, &fixture.mapping, Verify::References, &[]);
        assert!(!verifier.wants(people.relation, &people.columns));
        assert!(verifier.wants(pets.relation, &pets.columns));
        let (verification, _) = fixture.verify(Verify::References, &[&people, &pets]).await;
        let counts: Vec<_> = verification.relations.iter().map(|of| (of.relation.name.as_str(), of.values)).collect();
        assert_eq!(counts, [("pets", 2)], "{database:?}");
    }
}

#[tokio::test]
async fn a_trigger_that_changes_a_value_is_named_with_the_field_and_its_place() {
    for database in TestDatabase::each("verify_upper") {
        let trigger = changing(&database, "shout", "people", ("name", "upper(NEW.name)"));
        let (mut fixture, people, _) = people(&database, &trigger).await;
        let (relation, findings) = fixture.prove(&people).await;
        // The second name is in capitals already.
        assert_eq!((relation.rows, relation.values, relation.different), (2, 4, 1), "{database:?}");
        let finding = sole(findings);
        assert_eq!((finding.code, finding.severity), (code::CHANGED_VALUE, Severity::Warning), "{database:?}");
        assert_eq!(finding.field.as_deref(), Some("name"));
        let place = finding.place.expect("it has a place");
        assert_eq!((place.line, place.pointer.as_str()), (1, "/people/0/name"), "{database:?}");
        let timing = if database.dialect() == "sqlite" { "AFTER" } else { "BEFORE" };
        assert_eq!(
            finding.message,
            format!(
                "name of the row id = 1 holds \"ADA\", and \"Ada\" was written; it may be the work of trigger shout ({timing} INSERT)"
            )
        );
    }
}

#[tokio::test]
async fn a_value_that_changed_without_any_trigger_is_silent_damage() {
    for database in TestDatabase::each("verify_silent") {
        let (mut fixture, people, _) = people(&database, "").await;
        fixture.insert(&people).await;
        fixture.run("UPDATE people SET name = 'Bo' WHERE id = 2").await;
        let (_, findings) = fixture.verify(Verify::Full, &[&people]).await;
        let finding = sole(findings);
        assert_eq!((finding.code, finding.severity), (code::CHANGED_VALUE, Severity::Error), "{database:?}");
        assert_eq!(finding.place.expect("it has a place").line, 2);
        assert_eq!(finding.message, "name of the row id = 2 holds \"Bo\", and \"BOB\" was written");
        let (_, findings) = fixture.verify(Verify::References, &[&people]).await;
        assert_eq!(findings, [], "no reference is concerned: {database:?}");
    }
}

#[tokio::test]
async fn a_reference_that_leads_to_another_row_is_an_error_whoever_moved_it() {
    for database in TestDatabase::each("verify_moved") {
        for trigger in [changing(&database, "adopt", "pets", ("owner_id", "2")), String::new()] {
            database.run("DROP TABLE IF EXISTS pets; DROP TABLE IF EXISTS people;");
            let (mut fixture, people, pets) = people(&database, &trigger).await;
            fixture.insert(&people).await;
            fixture.insert(&pets).await;
            if trigger.is_empty() {
                fixture.run("UPDATE pets SET owner_id = 2 WHERE id = 10").await;
            }
            let (verification, findings) = fixture.verify(Verify::References, &[&pets]).await;
            assert_eq!(verification.relations[0].different, 1, "{database:?}");
            let finding = sole(findings);
            assert_eq!((finding.code, finding.severity), (code::REFERENCE_MOVED, Severity::Error), "{database:?}");
            assert!(
                finding.message.starts_with("owner_id of the row id = 10 holds 2, and the export means 1"),
                "{}",
                finding.message
            );
            assert_eq!(finding.message.contains("trigger adopt"), !trigger.is_empty());
            assert_eq!(finding.constraint.as_deref(), Some("pets_owner"), "{database:?}");
            assert_eq!(finding.place.expect("it has a place").pointer, "/pets/0/owner_id");
        }
    }
}

#[tokio::test]
async fn a_trigger_of_another_relation_that_changes_a_row_is_found_by_default() {
    for database in TestDatabase::each("verify_counter") {
        let trigger = match database.dialect() {
            "sqlite" => "CREATE TRIGGER visit AFTER INSERT ON people BEGIN UPDATE pets SET visits = visits + 1; END;",
            "postgres" => {
                "CREATE FUNCTION visit() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN UPDATE pets SET visits = visits + 1; RETURN NULL; END $$;
                 CREATE TRIGGER visit AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION visit();"
            }
            _ => "CREATE TRIGGER visit AFTER INSERT ON people FOR EACH ROW UPDATE pets SET visits = visits + 1;",
        };
        let (mut fixture, people, pets) = people(&database, trigger).await;
        let (mut ada, mut bob) = (people.clone(), people.clone());
        ada.rows.truncate(1);
        bob.rows.remove(0);
        fixture.insert(&ada).await;
        let mut rex = pets.clone();
        rex.rows.truncate(1);
        fixture.insert(&rex).await;
        fixture.insert(&bob).await;
        let (_, findings) = fixture.verify(Verify::References, &[&rex]).await;
        let finding = sole(findings);
        assert_eq!((finding.code, finding.severity), (code::CHANGED_VALUE, Severity::Warning), "{database:?}");
        assert_eq!(
            finding.message,
            "visits of the row id = 10 holds 1, and 0 was written; it may be the work of trigger visit (AFTER INSERT) of people"
        );
    }
}

#[tokio::test]
async fn a_row_that_was_swallowed_is_missed() {
    for database in TestDatabase::each("verify_swallowed") {
        let trigger = match database.dialect() {
            "sqlite" => {
                "CREATE TRIGGER swallow BEFORE INSERT ON people WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END;"
            }
            "postgres" => {
                "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$;
                 CREATE TRIGGER swallow BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION swallow();"
            }
            // No trigger of MySQL's can leave a row out, but one can give it another key.
            _ => "CREATE TRIGGER swallow BEFORE INSERT ON people FOR EACH ROW SET NEW.id = IF(NEW.id = 2, 7, NEW.id);",
        };
        let (mut fixture, people, _) = people(&database, trigger).await;
        let (relation, findings) = fixture.prove(&people).await;
        assert_eq!((relation.rows, relation.missing), (1, 1), "{database:?}");
        let finding = sole(findings);
        assert_eq!((finding.code, finding.severity), (code::ROW_MISSING, Severity::Error), "{database:?}");
        assert_eq!(finding.message, "the row id = 2 was written, and is not there");
        assert!(finding.help.expect("it has help").contains("trigger swallow (BEFORE INSERT)"), "{database:?}");
        assert_eq!(finding.place.expect("it has a place").line, 2);
    }
}

#[tokio::test]
async fn a_computed_column_that_comes_out_otherwise_is_a_warning() {
    for database in TestDatabase::each("verify_computed") {
        let ddl = "CREATE TABLE items (id integer NOT NULL PRIMARY KEY, price integer NOT NULL,
                   gross integer GENERATED ALWAYS AS (price * 2) STORED);";
        let export =
            "{\"items\": [{\"id\": 1, \"price\": 5, \"gross\": 10}, {\"id\": 2, \"price\": 5, \"gross\": 11}]}";
        let mut fixture = Fixture::new(&database, ddl, export, "").await;
        let rows = [[1, 5, 10], [2, 5, 11]].map(|row| row.map(Value::Int).to_vec());
        let items = fixture.expected("items", &["id", "price", "gross"], &rows);
        fixture.insert(&items).await;
        // Nobody wrote it, so it is compared whatever else is.
        let (_, findings) = fixture.verify(Verify::References, &[&items]).await;
        let finding = sole(findings);
        assert_eq!((finding.code, finding.severity), (code::COMPUTED_DIFFERS, Severity::Warning), "{database:?}");
        assert_eq!(finding.message, "gross of the row id = 2 is computed as 10, and the export holds 11");
    }
}

#[tokio::test]
async fn rows_without_any_key_must_be_there_as_often_as_they_were_written() {
    for database in TestDatabase::each("verify_keyless") {
        let ddl = "CREATE TABLE events (kind varchar(20) NOT NULL, at timestamp, amount decimal(8,2), note text);";
        let export = format!("{{\"events\": [{}]}}", ["{}"; 6].join(", "));
        let mut fixture = Fixture::new(&database, ddl, &export, "").await;
        let row =
            |kind: &str, amount: &str, note: Value| vec![text(kind), text("2024-01-02 03:04:05"), text(amount), note];
        let rows = [
            row("in", "1.50", Value::Null),
            row("in", "1.50", Value::Null),
            row("in", "1.50", text("twice")),
            row("out", "2", Value::Null),
            row("out", "3.25", Value::Null),
            row("out", "3.25", Value::Null),
        ];
        let events = fixture.expected("events", &["kind", "at", "amount", "note"], &rows);
        assert!(events.key.is_empty());
        let (relation, findings) = fixture.prove(&events).await;
        assert_eq!(findings, [], "{database:?}");
        assert_eq!((relation.rows, relation.values), (6, 24), "{database:?}");
        fixture.run("DELETE FROM events WHERE kind = 'out' AND amount = 2").await;
        fixture.run("UPDATE events SET note = 'changed' WHERE note = 'twice'").await;
        let (verification, findings) = fixture.verify(Verify::Full, &[&events]).await;
        assert_eq!((verification.relations[0].rows, verification.relations[0].missing), (4, 2), "{database:?}");
        let places: Vec<_> =
            findings.iter().filter_map(|finding| finding.place.as_ref()).map(|at| &at.pointer).collect();
        assert_eq!(places, ["/events/2", "/events/3"], "{database:?}");
        assert!(
            findings.iter().all(|finding| finding.code == code::ROW_MISSING && finding.severity == Severity::Error)
        );
    }
}

#[tokio::test]
async fn rows_whose_key_is_null_are_found_by_their_content() {
    for database in TestDatabase::each("verify_null_key") {
        let ddl = "CREATE TABLE tags (code varchar(9) UNIQUE, name varchar(9));";
        let mut fixture = Fixture::new(&database, ddl, "{\"tags\": [{}, {}, {}]}", "").await;
        let rows = [vec![text("a"), text("x")], vec![Value::Null, text("y")], vec![Value::Null, text("z")]];
        let tags = fixture.expected("tags", &["code", "name"], &rows);
        assert_eq!(tags.key, [0]);
        let (relation, findings) = fixture.prove(&tags).await;
        assert_eq!((relation.rows, findings), (3, Vec::new()), "{database:?}");
        fixture.run("UPDATE tags SET name = 'w' WHERE name = 'z'").await;
        let (_, findings) = fixture.verify(Verify::Full, &[&tags]).await;
        let finding = sole(findings);
        assert_eq!(finding.code, code::ROW_MISSING, "{database:?}");
        assert_eq!(finding.place.expect("it has a place").pointer, "/tags/2");
    }
}

/// Columns whose values the database gives back in forms of its own, or that only it compares: declared, and written.
fn odd_columns(database: &TestDatabase) -> Vec<(&'static str, Value)> {
    match database.dialect() {
        "sqlite" => vec![
            ("decimal(10,2)", text("12.30")),
            ("boolean", Value::Bool(true)),
            ("datetime", text("2024-01-02T03:04:05.123Z")),
            ("json", text("5")),
            ("double", Value::Float(-0.0)),
            ("real", Value::Float(2.0)),
            ("uuid", text("6ba7b8109dad11d180b400c04fd430c8")),
            ("blob", Value::Bytes(vec![0, 255])),
            ("stringy", text("7")),
        ],
        "postgres" => vec![
            ("numeric(10,2)", text("12.3")),
            ("char(5)", text("ab")),
            ("real", Value::Float(0.1)),
            ("double precision", Value::Float(-0.0)),
            ("timestamptz(3)", text("2024-01-02 03:04:05.100000+00:00")),
            ("timetz", text("10:20:30.500000+02:00")),
            ("interval", text("1 year -3 days 04:05:06.7")),
            ("interval", text("1.5 days")),
            ("jsonb", text("{\"b\":1.10,\"a\":12345678901234567890}")),
            ("json", text("{\"b\":1.10,\"b\":2}")),
            ("inet", text("FE80::1/128")),
            ("macaddr", text("08-00-2B-01-02-03")),
            ("int4range", text("[1,4]")),
            ("tsvector", text("b a")),
            ("point", text("1 , 2")),
            ("xml", text("<a/>")),
            ("bit(3)", text("101")),
            ("money", text("12.30")),
            ("text[]", text("{\"a,b\",\"c\",NULL,\"NULL\"}")),
            ("numeric(6,2)[]", text("{\"1.5\",\"2\"}")),
            ("inet[]", text("{\"FE80::1\"}")),
            ("timestamptz[]", text("{\"2024-01-02 03:04:05.100000+00:00\"}")),
        ],
        _ => vec![
            ("decimal(10,3)", text("12.3")),
            ("tinyint(1)", Value::Int(2)),
            ("bit(12)", Value::Bytes(vec![5])),
            ("bigint unsigned", text("18446744073709551615")),
            ("float", Value::Float(0.1)),
            ("double", Value::Float(-0.0)),
            ("char(5)", text("ab")),
            ("binary(4)", Value::Bytes(vec![1])),
            ("datetime(3)", text("2024-01-02 03:04:05.100000")),
            ("time(6)", text("10:20:30.500000")),
            ("json", text("{\"b\":1.10,\"a\":[1]}")),
            ("set('a','b')", text("b,a")),
            ("point", text("POINT( 1   2 )")),
            ("inet6", text("FE80::1")),
            ("year", Value::Int(2024)),
        ],
    }
}

#[tokio::test]
async fn values_in_the_databases_own_forms_are_no_differences() {
    for database in TestDatabase::each("verify_forms") {
        let columns = odd_columns(&database);
        let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
        let declared = names.iter().zip(&columns).map(|(name, (declared, _))| format!("{name} {declared}"));
        let declared = declared.collect::<Vec<_>>().join(", ");
        let export = "{\"odd\": [{\"id\": 1}], \"keyless\": [{}]}";
        let ddl = format!(
            "CREATE TABLE odd (id integer NOT NULL PRIMARY KEY, {declared}); CREATE TABLE keyless ({declared});"
        );
        let mut fixture = Fixture::new(&database, &ddl, export, "").await;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let values: Vec<Value> = columns.iter().map(|(_, value)| value.clone()).collect();
        let keyless = fixture.expected("keyless", &names, std::slice::from_ref(&values));
        let with_id = std::iter::once(Value::Int(1)).chain(values).collect();
        let odd = fixture.expected("odd", &[&["id"], names.as_slice()].concat(), &[with_id]);
        let (relation, findings) = fixture.prove(&odd).await;
        assert_eq!(findings, [], "{database:?}");
        assert_eq!(relation.values, columns.len() as u64 + 1);
        let (relation, findings) = fixture.prove(&keyless).await;
        assert_eq!(findings, [], "{database:?}");
        assert_eq!(relation.rows, 1);
    }
}

#[tokio::test]
async fn what_only_the_server_reads_is_still_told_apart() {
    for (database, declared, written, other) in [
        (TestDatabase::postgres("verify_apart"), "inet", "FE80::1", "fe80::2"),
        // Boxes of the same area are equal to the operator of that name.
        (TestDatabase::postgres("verify_apart"), "box", "(1,1),(0,0)", "(3,3),(2,2)"),
        (TestDatabase::mysql("verify_apart"), "inet6", "FE80::1", "fe80::2"),
        (TestDatabase::mysql("verify_apart"), "point", "POINT(1 2)", "POINT(1 3)"),
    ] {
        let Some(database) = database else { continue };
        let ddl = format!("CREATE TABLE hosts (id integer NOT NULL PRIMARY KEY, address {declared});");
        let export = "{\"hosts\": [{\"id\": 1, \"address\": \"x\"}]}";
        let mut fixture = Fixture::new(&database, &ddl, export, "").await;
        let hosts = fixture.expected("hosts", &["id", "address"], &[vec![Value::Int(1), text(written)]]);
        fixture.insert(&hosts).await;
        let new = if declared == "point" { format!("ST_GeomFromText('{other}')") } else { format!("'{other}'") };
        fixture.run(&format!("UPDATE hosts SET address = {new}")).await;
        let (_, findings) = fixture.verify(Verify::Full, &[&hosts]).await;
        assert_eq!(sole(findings).code, code::CHANGED_VALUE, "{database:?} {declared}");
    }
}

#[tokio::test]
async fn keys_that_only_the_database_sees_as_equal_still_find_their_rows() {
    for (database, declared, written) in [
        (TestDatabase::postgres("verify_keys"), "inet", ["FE80::1", "FE80::2"]),
        (TestDatabase::mysql("verify_keys"), "inet6", ["FE80::1", "FE80::2"]),
    ] {
        let Some(database) = database else { continue };
        let ddl = format!("CREATE TABLE hosts (address {declared} NOT NULL PRIMARY KEY, name varchar(9));");
        let export = "{\"hosts\": [{}, {}]}";
        let mut fixture = Fixture::new(&database, &ddl, export, "").await;
        let rows = written.map(|address| vec![text(address), text("n")]);
        let hosts = fixture.expected("hosts", &["address", "name"], &rows);
        let (relation, findings) = fixture.prove(&hosts).await;
        assert_eq!(findings, [], "{database:?}");
        assert_eq!((relation.rows, relation.missing, relation.different), (2, 0, 0), "{database:?}");
    }
}

const PERMISSIONS: &str = "CREATE TABLE types (id integer NOT NULL PRIMARY KEY, app varchar(20) NOT NULL, model varchar(20) NOT NULL, UNIQUE (app, model));
     CREATE TABLE permissions (id integer NOT NULL PRIMARY KEY, type_id integer NOT NULL REFERENCES types (id), code varchar(20) NOT NULL,
     UNIQUE (type_id, code), FOREIGN KEY (type_id) REFERENCES types (id));
     CREATE TABLE grants (id integer NOT NULL PRIMARY KEY, permission_id integer NOT NULL, FOREIGN KEY (permission_id) REFERENCES permissions (id));
     INSERT INTO types VALUES (1, 'shop', 'order'), (2, 'shop', 'item');
     INSERT INTO permissions VALUES (10, 1, 'add'), (11, 2, 'add');";

fn natural(parts: Vec<ReferencePart>, arity: usize) -> NaturalReference {
    NaturalReference { arity, parts }
}

fn permission(app: &str, model: &str, code: &str) -> NaturalReference {
    let content_type = natural([app, model].map(|part| ReferencePart::Value(text(part))).to_vec(), 2);
    natural(vec![ReferencePart::Nested(content_type), ReferencePart::Value(text(code))], 2)
}

#[tokio::test]
async fn references_by_natural_key_are_looked_up_again_through_the_keys_they_nest() {
    for database in TestDatabase::each("verify_natural") {
        let export = "{\"grants\": [{}, {}, {}]}";
        let mut fixture = Fixture::new(&database, PERMISSIONS, export, "").await;
        let origins = fixture.origins["grants"].clone();
        let references = NaturalReferences {
            relation: fixture.relation("grants"),
            column: fixture.column("grants", "permission_id"),
            field: Some("permission".to_owned()),
            target: fixture.relation("permissions"),
            referenced_column: fixture.column("permissions", "id"),
            rows: vec![
                (origins[0], permission("shop", "order", "add"), Value::Int(10)),
                (origins[1], permission("shop", "item", "add"), Value::Int(10)),
                (origins[2], permission("shop", "none", "add"), Value::Int(10)),
            ],
        };
        let mut findings = Findings::new(fixture.source.clone());
        let mut verifier =
            Verifier::new(&fixture.catalog, &fixture.registry, &fixture.mapping, Verify::References, &[]);
        let connection = fixture.connection.as_mut();
        verifier.recheck_natural(connection, &references, &mut findings).await.expect("rows can be read");
        assert_eq!(verifier.finish(&[references.relation]).relations[0].references, 3);
        let findings = flat(findings);
        let told: Vec<_> = findings.iter().map(|finding| (finding.code, finding.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (
                    code::REFERENCE_MOVED,
                    "permission_id holds 10, and [[\"shop\", \"item\"], \"add\"] is the row of permissions whose id is 11"
                ),
                (
                    code::REFERENCE_UNCONFIRMED,
                    "permission_id holds 10, and no row of permissions is [[\"shop\", \"none\"], \"add\"] after loading"
                ),
            ],
            "{database:?}"
        );
        assert!(findings.iter().all(|finding| finding.severity == Severity::Error));
        assert_eq!(findings[0].place.as_ref().expect("it has a place").pointer, "/grants/1/permission");
    }
}

#[tokio::test]
async fn references_along_a_tree_are_told_apart_by_the_rows_above() {
    for database in TestDatabase::each("verify_tree") {
        let ddl = "CREATE TABLE nodes (id integer NOT NULL PRIMARY KEY, path varchar(20) NOT NULL UNIQUE, slug varchar(20) NOT NULL);
             CREATE TABLE links (id integer NOT NULL PRIMARY KEY, node_id integer NOT NULL, FOREIGN KEY (node_id) REFERENCES nodes (id));
             INSERT INTO nodes VALUES (1, '01', 'a'), (2, '02', 'b'), (3, '0101', 'x'), (4, '0201', 'x'), (5, '0202', 'x');";
        let config = "[table.nodes]\nnatural_key = { column = \"slug\", path = \"path\", step = 2 }";
        let mut fixture = Fixture::new(&database, ddl, "{\"links\": [{}, {}, {}, {}]}", config).await;
        let origins = fixture.origins["links"].clone();
        let chain =
            |slugs: &[&str]| natural(slugs.iter().map(|slug| ReferencePart::Value(text(slug))).collect(), slugs.len());
        let references = NaturalReferences {
            relation: fixture.relation("links"),
            column: fixture.column("links", "node_id"),
            field: None,
            target: fixture.relation("nodes"),
            referenced_column: fixture.column("nodes", "id"),
            rows: vec![
                (origins[0], chain(&["a", "x"]), Value::Int(3)),
                (origins[1], chain(&["a", "x"]), Value::Int(4)),
                (origins[2], chain(&["b"]), Value::Int(2)),
                (origins[3], chain(&["b", "x"]), Value::Int(4)),
            ],
        };
        let mut findings = Findings::new(fixture.source.clone());
        let mut verifier =
            Verifier::new(&fixture.catalog, &fixture.registry, &fixture.mapping, Verify::References, &[]);
        let connection = fixture.connection.as_mut();
        verifier.recheck_natural(connection, &references, &mut findings).await.expect("rows can be read");
        let told: Vec<_> = flat(findings).into_iter().map(|finding| finding.message).collect();
        assert_eq!(
            told,
            [
                "node_id holds 4, and [\"a\", \"x\"] is the row of nodes whose id is 3",
                "node_id holds 4, and several rows of nodes are [\"b\", \"x\"] after loading",
            ],
            "{database:?}"
        );
    }
}

#[tokio::test]
async fn records_and_rows_of_lists_are_compared_in_batches_as_they_come() {
    const PEOPLE: i64 = 9_000;
    for database in TestDatabase::each("verify_gather") {
        let ddl = "CREATE TABLE app_city (id integer NOT NULL PRIMARY KEY, name varchar(20) NOT NULL UNIQUE);
             CREATE TABLE app_person (id integer NOT NULL PRIMARY KEY, city_id integer NOT NULL, FOREIGN KEY (city_id) REFERENCES app_city (id));
             CREATE TABLE app_person_seen (id integer NOT NULL PRIMARY KEY, person_id integer NOT NULL, city_id integer NOT NULL,
             FOREIGN KEY (person_id) REFERENCES app_person (id), FOREIGN KEY (city_id) REFERENCES app_city (id));
             INSERT INTO app_city VALUES (1, 'Bonn'), (2, 'Kiel');";
        let record = |id| {
            format!(
                "{{\"model\": \"app.person\", \"pk\": {id}, \"fields\": {{\"city\": [\"Bonn\"], \"seen\": [[\"Kiel\"]]}}}}"
            )
        };
        let export = format!("[{}]", (1..=PEOPLE).map(record).collect::<Vec<_>>().join(",\n"));
        let mut fixture = Fixture::new(&database, ddl, &export, "").await;
        let people = fixture.relation("app_person");
        let target = |table: &str, columns: &[&str]| {
            let relation = fixture.catalog.relation(fixture.relation(table));
            let columns = columns.iter().map(|name| relation.column(name).expect("it is there").1.into()).collect();
            InsertTarget { relation: relation.name.clone(), columns, overrides_identity: false }
        };
        let (people_target, seen_target) =
            (target("app_person", &["id", "city_id"]), target("app_person_seen", &["id", "person_id", "city_id"]));
        let people_rows: Vec<Vec<Value>> = (1..=PEOPLE).map(|id| vec![Value::Int(id), Value::Int(1)]).collect();
        let seen_rows: Vec<Vec<Value>> =
            (1..=PEOPLE).map(|id| vec![Value::Int(id), Value::Int(id), Value::Int(2)]).collect();
        fixture.connection.insert(&people_target, &people_rows).await.expect("the rows are taken");
        fixture.connection.insert(&seen_target, &seen_rows).await.expect("the rows are taken");
        fixture.run("UPDATE app_person SET city_id = 2 WHERE id = 8999").await;
        fixture.run("UPDATE app_person_seen SET city_id = 1 WHERE id = 4500").await;

        let (seen, seen_columns) = (fixture.relation("app_person_seen"), [0, 1, 2]);
        let Fixture { mut connection, catalog, registry, mapping, source, .. } = fixture;
        let capabilities = connection.dialect().capabilities().clone();
        let config = Config::default();
        let rules = Rules::new(capabilities, true, &config).expect("it names no zone");
        let (catalog, registry, mapping) = (Arc::new(catalog), Arc::new(registry), Arc::new(mapping));
        let reader = Reader::new(Arc::clone(&catalog), Arc::clone(&mapping), &config, rules, |_| None);
        let decoder = Decoder::new(
            Arc::clone(&catalog),
            Arc::clone(&registry),
            Arc::clone(&mapping),
            reader.expect("it says nothing of values"),
            Selected::default(),
            AllowDrift::default(),
        );
        let mut findings = Findings::new(source.clone());
        let mut verifier = Verifier::new(&catalog, &registry, &mapping, Verify::References, &[]);
        let connection = connection.as_mut();
        let index = source.index(&mut |_| {}).expect("the export is whole");
        let mut last = None;
        for run in &index.runs {
            let mut records = source.records(run);
            while let Some(record) = records.next() {
                let record = record.expect("the record is readable");
                let origin = origin(&record);
                let (row, _) = decoder.decode(&record, 0, &mut last).expect("the record is readable");
                let id = row.cells[0].value().expect("the pk is a value").clone();
                let named = Verifier::natural_references(&row);
                let values = vec![id.clone(), Value::Int(1)];
                verifier
                    .record(connection, &row.shape, origin, values, named, &mut findings)
                    .await
                    .expect("rows can be read");
                let values = vec![id.clone(), id, Value::Int(2)];
                verifier
                    .list_row(connection, seen, &seen_columns, "seen", origin, values, &mut findings)
                    .await
                    .expect("rows can be read");
            }
        }
        verifier.flush(connection, &mut findings).await.expect("rows can be read");
        let [of_people, of_seen] =
            <[_; 2]>::try_from(verifier.finish(&[people, seen]).relations).expect("two relations were compared");
        assert_eq!((of_people.rows, of_people.references, of_people.different), (9_000, 9_000, 1), "{database:?}");
        assert_eq!((of_seen.rows, of_seen.values, of_seen.different), (9_000, 18_000, 1), "{database:?}");
        let findings = flat(findings);
        let told: Vec<_> = findings
            .iter()
            .map(|finding| {
                let place = finding.place.as_ref().expect("it has a place");
                (finding.code, place.line, place.pointer.as_str(), finding.message.as_str())
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    code::REFERENCE_MOVED,
                    4500,
                    "/4499/fields/seen",
                    "city_id of the row id = 4500 holds 1, and the export means 2"
                ),
                (
                    code::REFERENCE_MOVED,
                    8999,
                    "/8998/fields/city",
                    "city_id of the row id = 8999 holds 2, and the export means 1"
                ),
            ],
            "{database:?}"
        );
    }
}

#[test]
fn long_texts_are_shown_from_where_they_differ() {
    let long = "x".repeat(500);
    let (written, read) = shown(&text(&format!("{long}a")), &text(&format!("{long}b")));
    assert_eq!(written, format!("\"...{}a\"", "x".repeat(20)));
    assert_eq!(read, format!("\"...{}b\"", "x".repeat(20)));
    assert_eq!(shown(&Value::Int(1), &text("1")), ("1".to_owned(), "\"1\"".to_owned()));
}
