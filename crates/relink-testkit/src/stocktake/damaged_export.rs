//! A Django dump with every kind of damage that a restore finds before it writes anything, and the findings it must
//! give.
//!
//! The damage is appended to a small clean dump, one mistake to a record wherever that is possible, so that no mistake
//! hides another: nothing refers to a damaged record. Among them stand records that look odd and are right. Mistakes
//! that make the file no JSON are not here; a reader meets those before it sees records.

mod mistakes;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::django::{self, Options, finish, separate_record};
use super::json::{JsonWriter, Layout};
use super::schema::Table;
use super::sql::Database;
use super::{SEED, Stocktake};

/// Clean records before the damaged ones.
const CLEAN_RECORDS: u64 = 500;

/// The ids of planted records start here.
const FIRST_ID: i64 = 900_001;

const INDENT: usize = 1;

/// What a restore must say of `dirty.django.json`, and of what it must not speak.
#[derive(Debug, Serialize)]
pub struct Expected {
    /// The export.
    export: &'static str,
    /// Records in it.
    records: u64,
    /// Every finding of a restore into an empty schema with `relink.toml`: these, and no others.
    findings: Vec<ExpectedFinding>,
    /// Planted records that are right although they look odd.
    valid: Vec<ValidRecord>,
}

/// A finding about one record.
#[derive(Debug, Serialize)]
struct ExpectedFinding {
    code: &'static str,
    model: String,
    /// The table; `null` for a model that has none.
    relation: Option<&'static str>,
    /// The field, the first one of a composite key; `null` where the record or its `pk` is concerned.
    field: Option<&'static str>,
    /// The columns of the key, for duplicates and composite references.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    columns: &'static [&'static str],
    pk: Value,
    /// The record's position in the array, from 0.
    ordinal: u64,
    databases: Vec<&'static str>,
    what: &'static str,
}

/// A planted record without mistake.
#[derive(Debug, Serialize)]
struct ValidRecord {
    model: &'static str,
    pk: Value,
    ordinal: u64,
    what: &'static str,
}

/// Where a mistake shows.
#[derive(Clone, Copy)]
enum On {
    All,
    /// The servers, which enforce declared lengths and ranges; SQLite enforces neither.
    Servers,
    /// Where floating point columns hold no infinity.
    AllButPostgres,
    One(Database),
}

impl On {
    fn names(self) -> Vec<&'static str> {
        let is_concerned = |database: &Database| match self {
            Self::All => true,
            Self::Servers => *database != Database::Sqlite,
            Self::AllButPostgres => *database != Database::Postgres,
            Self::One(only) => *database == only,
        };
        Database::ALL.into_iter().filter(is_concerned).map(Database::name).collect()
    }
}

/// Writes the dump to `out`, and returns what must be found in it.
pub fn write(out: &mut impl Write) -> io::Result<Expected> {
    let clean = Stocktake::new(SEED, CLEAN_RECORDS);
    let mut dump = Vec::new();
    django::write(&clean, &mut dump, Options { natural_foreign: true, indent: INDENT })?;
    let end = dump.strip_suffix(b"\n]\n").expect("a dump ends with its array");
    out.write_all(end)?;
    let mut planted = Planted::new(&clean);
    planted.unknown_names();
    planted.missing_values();
    planted.unfit_text_and_numbers();
    planted.unfit_content();
    planted.unfit_references();
    planted.duplicates();
    planted.dangling_references();
    planted.odd_but_valid();
    for record in &planted.records {
        separate_record(out, INDENT, &mut false)?;
        JsonWriter::new(&mut *out, Layout::python(INDENT)).value(record)?;
    }
    finish(out, INDENT)?;
    Ok(Expected {
        export: super::samples::DIRTY_DJANGO,
        records: clean.records() + planted.records.len() as u64,
        findings: planted.findings,
        valid: planted.valid,
    })
}

/// What has been planted so far.
struct Planted<'a> {
    clean: &'a Stocktake,
    records: Vec<Value>,
    findings: Vec<ExpectedFinding>,
    valid: Vec<ValidRecord>,
    next_id: i64,
}

impl<'a> Planted<'a> {
    fn new(clean: &'a Stocktake) -> Self {
        Self { clean, records: Vec::new(), findings: Vec::new(), valid: Vec::new(), next_id: FIRST_ID }
    }

    fn next_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// The position of the next planted record.
    fn ordinal(&self) -> u64 {
        self.clean.records() + self.records.len() as u64
    }

    /// Appends a record; `null` stands for a record without `pk`, as `--natural-primary` writes it.
    fn push(&mut self, model: &str, pk: &Value, fields: &Value) {
        self.records.push(match pk {
            Value::Null => json!({"model": model, "fields": fields}),
            pk => json!({"model": model, "pk": pk, "fields": fields}),
        });
    }

    /// A record with one mistake in one field.
    fn field(
        &mut self,
        table: Table,
        code: &'static str,
        field: &'static str,
        value: Value,
        on: On,
        what: &'static str,
    ) {
        let mut fields = self.fields(table);
        fields[field] = value;
        self.mistake(table, &fields, code, Some(field), &[], on, what);
    }

    /// A record with one mistake.
    #[expect(clippy::too_many_arguments, reason = "a row of a table of mistakes reads best as one call")]
    fn mistake(
        &mut self,
        table: Table,
        fields: &Value,
        code: &'static str,
        field: Option<&'static str>,
        columns: &'static [&'static str],
        on: On,
        what: &'static str,
    ) {
        let pk = json!(self.next_id());
        self.mistake_with_pk(table, &pk, fields, code, field, columns, on, what);
    }

    #[expect(clippy::too_many_arguments, reason = "a row of a table of mistakes reads best as one call")]
    fn mistake_with_pk(
        &mut self,
        table: Table,
        pk: &Value,
        fields: &Value,
        code: &'static str,
        field: Option<&'static str>,
        columns: &'static [&'static str],
        on: On,
        what: &'static str,
    ) {
        let model = table.spec().model.expect("only models have records");
        self.findings.push(ExpectedFinding {
            code,
            model: model.to_owned(),
            relation: Some(table.spec().name),
            field,
            columns,
            pk: pk.clone(),
            ordinal: self.ordinal(),
            databases: on.names(),
            what,
        });
        self.push(model, pk, fields);
    }

    /// A record without mistake.
    fn valid(&mut self, table: Table, fields: &Value, what: &'static str) {
        let pk = json!(self.next_id());
        self.valid_with_pk(table, &pk, fields, what);
    }

    fn valid_with_pk(&mut self, table: Table, pk: &Value, fields: &Value, what: &'static str) {
        let model = table.spec().model.expect("only models have records");
        self.valid.push(ValidRecord { model, pk: pk.clone(), ordinal: self.ordinal(), what });
        self.push(model, pk, fields);
    }

    /// The natural key of the first clean row of a table.
    fn first(&self, table: Table) -> Value {
        json!(self.clean.natural_key(table, 1))
    }

    /// Fields of a record that is right, and unlike every other.
    fn fields(&self, table: Table) -> Value {
        let id = self.next_id;
        match table {
            Table::Group => json!({"name": format!("Role {id}"), "permissions": []}),
            Table::Category => {
                json!({"name": "Sundries", "slug": format!("sundries-{id}"), "parent": null, "position": 0})
            }
            Table::Supplier => json!({
                "name": format!("Supplier {id}"), "email": "sales@supplier.example", "country": "DE", "active": true,
                "rating": 3.5, "notes": "",
            }),
            Table::Tag => json!({"name": format!("tag {id}")}),
            Table::Item => json!({
                "sku": format!("ODD-{id}"), "name": "Odd thing", "description": "", "barcode": null,
                "category": self.first(Table::Category), "supplier": self.first(Table::Supplier), "unit_price": "1.00",
                "cost": "0.50", "reorder_level": 1, "weight": null, "attributes": {}, "photo": null, "is_active": true,
                "created_at": "2025-05-05T05:05:05Z", "discontinued_on": null, "tags": [],
            }),
            Table::Location => json!({
                "code": format!("ODD-{id}"), "name": "Odd corner", "parent": null, "sensor_id": null, "is_bonded": false,
            }),
            Table::Movement => json!({
                "reference": format!("00000000-0000-4000-8000-{id:012}"), "item": self.first(Table::Item), "location": null,
                "user": ["admin"], "kind": "transfer", "quantity": 1, "moved_at": "2025-05-05T05:05:05.000005Z", "note": "",
            }),
            Table::Order => json!({
                "number": format!("PO-ODD-{id}"), "supplier": self.first(Table::Supplier), "created_by": ["admin"],
                "status": "draft", "ordered_at": "2025-05-05T05:05:05Z", "deliver_to": null, "total": "0.00",
            }),
            Table::OrderLine => json!({
                "order": 1, "line_no": id, "item": self.first(Table::Item), "quantity": 1, "unit_price": "1.00", "amount": "1.00",
            }),
            Table::Document => {
                json!({"title": format!("Odd paper {id}"), "item": null, "owner": null, "current_version": null})
            }
            Table::DocumentVersion => json!({
                "document": self.first(Table::Document), "version_no": id, "author": null, "body": "",
                "created_at": "2025-05-05T05:05:05Z",
            }),
            Table::AuditEntry => json!({
                "at": "2025-05-05T05:05:05Z", "user": null, "action": "change", "content_type": ["stocktake", "item"],
                "object_id": "1", "changes": null,
            }),
            other => unreachable!("nothing is planted in {other:?}"),
        }
    }
}
