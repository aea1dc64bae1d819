//! The stocktake sample as files: the committed ones are what the generator makes, and they agree with one another,
//! with the schema and with what is said of them. What the databases themselves make of them stands in
//! `stocktake_databases.rs`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relink_testkit::stocktake::sql::Database;
use relink_testkit::stocktake::{RECORDS_MIN, SEED, Stocktake, Table, django, samples, tables};
use serde_json::{Value, json};

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stocktake").join(name)
}

fn read(name: &str) -> Vec<u8> {
    let path = committed(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_json(name: &str) -> Value {
    serde_json::from_slice(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn sample() -> Stocktake {
    Stocktake::new(SEED, samples::RECORDS)
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    for (name, bytes) in samples::text_files(&sample()).unwrap() {
        assert!(bytes.len() < 1_000_000, "{name} is too large to commit");
        assert!(
            read(name) == bytes,
            "{name} differs: cargo run -p relink-testkit --bin stocktake -- --out testdata/stocktake"
        );
    }
}

#[test]
fn the_table_map_and_the_django_dump_hold_the_same_rows() {
    let dump = read_json(samples::DJANGO);
    let map = read_json(samples::TABLES);
    let specs: BTreeMap<&str, Table> =
        Table::ALL.into_iter().filter_map(|table| Some((table.spec().model?, table))).collect();

    // What records call each other: natural keys of the dump's own records.
    let mut ids: BTreeMap<(&str, String), Value> = BTreeMap::new();
    for record in dump.as_array().unwrap() {
        let (model, fields) = (record["model"].as_str().unwrap(), &record["fields"]);
        let key = match specs[model] {
            Table::ContentType => json!([fields["app_label"], fields["model"]]),
            Table::Permission => json!([fields["codename"], fields["content_type"][0], fields["content_type"][1]]),
            Table::Group | Table::Supplier | Table::Tag => json!([fields["name"]]),
            Table::User => json!([fields["username"]]),
            Table::Category => json!([fields["slug"]]),
            Table::Item => json!([fields["sku"]]),
            Table::Location => json!([fields["code"]]),
            Table::Document => json!([fields["title"]]),
            _ => continue,
        };
        let twice = ids.insert((model, key.to_string()), record["pk"].clone());
        assert_eq!(twice, None, "two records of {model} have the natural key {key}");
    }
    let resolve = |target: Table, value: &Value| match value {
        Value::Array(_) => ids[&(target.spec().model.unwrap(), value.to_string())].clone(),
        other => other.clone(),
    };

    let mut rows: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for record in dump.as_array().unwrap() {
        let spec = specs[record["model"].as_str().unwrap()].spec();
        let fields = record["fields"].as_object().unwrap();
        assert_eq!(fields.len(), spec.columns.len() - 1 + spec.many_to_many.len(), "{record}");
        let mut row = vec![record["pk"].clone()];
        for column in &spec.columns[1..] {
            let value = &fields[column.field()];
            row.push(column.references.map_or_else(|| value.clone(), |target| resolve(target, value)));
        }
        assert!(rows.entry(spec.name).or_default().insert(json!(row).to_string()), "{row:?} twice");
        for field in spec.many_to_many {
            let joined = rows.entry(field.join.spec().name).or_default();
            for member in fields[field.field].as_array().unwrap() {
                let pair = json!([record["pk"], resolve(field.target, member)]);
                assert!(joined.insert(pair.to_string()), "{pair} twice");
            }
        }
    }

    let data = map["data"].as_object().unwrap();
    assert_eq!(data.keys().map(String::as_str).collect::<Vec<_>>(), rows.keys().copied().collect::<Vec<_>>());
    for table in Table::ALL {
        let spec = table.spec();
        let of_map: BTreeSet<String> =
            data[spec.name].as_array().unwrap().iter().map(|row| plain(table, row)).collect();
        assert_eq!(of_map.len() as u64, map["meta"]["counts"][spec.name].as_u64().unwrap(), "{}", spec.name);
        assert!(of_map == rows[spec.name], "{} differs", spec.name);
    }
}

/// A row of the table map as the dump would have it: the join tables' own ids left out, buffers as base64, big integers
/// as numbers.
fn plain(table: Table, row: &Value) -> String {
    let columns = table.spec().columns;
    assert!(row.as_object().unwrap().keys().eq(columns.iter().map(|column| column.name)), "{row}");
    let values = row.as_object().unwrap().values().skip(usize::from(table.is_join()));
    let plain = values.zip(columns.iter().skip(usize::from(table.is_join()))).map(|(value, column)| {
        if value["type"] == "Buffer" {
            let bytes: Vec<u8> = serde_json::from_value(value["data"].clone()).unwrap();
            return json!(STANDARD.encode(bytes));
        }
        match value.as_str().filter(|_| column.name == "sensor_id") {
            Some(digits) => json!(digits.parse::<i64>().unwrap()),
            None => value.clone(),
        }
    });
    json!(plain.collect::<Vec<_>>()).to_string()
}

#[test]
fn ids_can_take_the_place_of_natural_keys() {
    let stocktake = Stocktake::new(SEED, RECORDS_MIN as u64);
    let dump = |natural_foreign, indent| -> Vec<Value> {
        let mut bytes = Vec::new();
        django::write(&stocktake, &mut bytes, django::Options { natural_foreign, indent }).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let (natural, ids) = (dump(true, 0), dump(false, 1));
    assert_eq!(natural.len(), RECORDS_MIN as usize);
    assert_eq!(ids.len(), RECORDS_MIN as usize);
    let of_item =
        |dump: &[Value]| dump.iter().find(|record| record["model"] == "stocktake.item").unwrap()["fields"].clone();
    assert!(of_item(&natural)["category"].is_array());
    assert!(of_item(&ids)["category"].is_u64());
    assert!(of_item(&ids)["tags"].as_array().unwrap().iter().all(Value::is_u64));
}

#[test]
fn forward_references_occur_in_both_forms() {
    let map = read_json(samples::TABLES);
    let categories = map["data"]["stocktake_category"].as_array().unwrap();
    let forward = categories.iter().filter(|row| row["parent_id"].as_i64() > row["id"].as_i64()).count();
    assert!(forward > 0, "some category comes before its parent");
    let documents = map["data"]["stocktake_document"].as_array().unwrap();
    assert!(documents.iter().any(|row| !row["current_version_id"].is_null()), "documents come before versions");
    let tables: Vec<&String> = map["data"].as_object().unwrap().keys().collect();
    let position = |name: &str| tables.iter().position(|table| *table == name).unwrap();
    assert!(position("stocktake_auditentry") < position("stocktake_item"), "tables come by name");
}

#[test]
fn every_order_total_is_the_sum_of_its_lines() {
    let map = read_json(samples::TABLES);
    let cents = |value: &Value| value.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    for line in map["data"]["stocktake_orderline"].as_array().unwrap() {
        let amount = cents(&line["amount"]);
        assert_eq!(amount, line["quantity"].as_i64().unwrap() * cents(&line["unit_price"]), "{line}");
        *sums.entry(line["order_id"].as_i64().unwrap()).or_default() += amount;
    }
    let orders = map["data"]["stocktake_order"].as_array().unwrap();
    for order in orders {
        assert_eq!(cents(&order["total"]), sums.get(&order["id"].as_i64().unwrap()).copied().unwrap_or(0), "{order}");
    }
    assert!(orders.len() > sums.len(), "some order has no lines");
}

#[test]
fn the_schema_files_declare_the_tables_and_columns_that_are_written() {
    for database in Database::ALL {
        let declared = declared_columns(database.schema());
        let written: BTreeMap<String, Vec<(String, bool)>> = Table::ALL
            .into_iter()
            .map(|table| {
                let spec = table.spec();
                (
                    spec.name.to_owned(),
                    spec.columns.iter().map(|column| (column.name.to_owned(), column.nullable)).collect(),
                )
            })
            .collect();
        assert_eq!(declared, written, "{}", database.name());
        for table in Table::ALL {
            for column in table.spec().columns {
                let Some(target) = column.references else { continue };
                let statement = format!("FOREIGN KEY ({}) REFERENCES {} (id)", column.name, target.spec().name);
                let plain = database.schema().replace(['"', '`'], "");
                assert!(plain.contains(&statement), "{}: {} {statement}", database.name(), table.spec().name);
            }
        }
    }
}

/// Columns of each table with their nullability. Reads the layout of the schema files, nothing else.
fn declared_columns(schema: &str) -> BTreeMap<String, Vec<(String, bool)>> {
    let mut tables: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    let mut table = String::new();
    for line in schema.replace('`', "\"").lines() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE \"") {
            rest.split('"').next().unwrap().clone_into(&mut table);
        } else if let Some(rest) = line.strip_prefix("    \"") {
            let (column, definition) = rest.split_once('"').unwrap();
            let nullable = !definition.contains("NOT NULL") && !definition.contains("PRIMARY KEY");
            tables.entry(table.clone()).or_default().push((column.to_owned(), nullable));
        }
    }
    tables
}

#[test]
fn the_table_map_of_another_seed_is_another_one() {
    let written = |seed| {
        let mut bytes = Vec::new();
        tables::write(&Stocktake::new(seed, RECORDS_MIN as u64), &mut bytes, 0).unwrap();
        bytes
    };
    assert!(written(SEED) == written(SEED));
    assert!(written(SEED) != written(SEED + 1));
}

#[test]
fn each_expected_finding_of_the_dirty_dump_points_at_its_record() {
    let dump = read_json(samples::DIRTY_DJANGO);
    let expected = read_json(samples::DIRTY_DJANGO_EXPECTED);
    assert_eq!(dump.as_array().unwrap().len() as u64, expected["records"].as_u64().unwrap());
    let mut damaged = BTreeSet::new();
    for finding in expected["findings"].as_array().unwrap() {
        let ordinal = finding["ordinal"].as_u64().unwrap();
        assert!(damaged.insert(ordinal), "one mistake to a record: {finding}");
        let record = &dump[ordinal as usize];
        assert_eq!((&record["model"], &record["pk"]), (&finding["model"], &finding["pk"]));
        if let Some(field) = finding["field"].as_str().filter(|_| finding["code"] != "restore::missing-value") {
            assert!(record["fields"].get(field).is_some(), "{finding}");
        }
    }
    for record in expected["valid"].as_array().unwrap() {
        let ordinal = record["ordinal"].as_u64().unwrap();
        assert!(damaged.insert(ordinal), "damaged and valid: {record}");
        assert_eq!(dump[ordinal as usize]["model"], record["model"]);
    }
    let codes: BTreeSet<&str> =
        expected["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), 7, "every kind of damage: {codes:?}");
}
