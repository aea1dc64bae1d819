//! A schema out of the data, where nobody has one: a relation for each label, a column for each field, and what kind of values it holds.

use std::collections::HashMap;

use indexmap::IndexMap;
use relink_export::{ExportError, JsonKind, RawJson};
use relink_model::{Catalog, Column, ColumnType, PrimaryKey, Relation, RelationName, ServerInfo, TypeKind, Value};
use relink_rules::dates::{self, Reading};

use super::Export;

/// What an inferred catalog calls its server.
pub(super) const PRODUCT: &str = "export";

/// What the values of a field have been.
#[derive(Clone, Debug, Default)]
struct Values {
    records: u64,
    nulls: u64,
    booleans: u64,
    whole: u64,
    numbers: u64,
    days: u64,
    moments: u64,
    texts: u64,
    others: u64,
}

impl Values {
    fn add(&mut self, json: &RawJson<'_>) {
        self.records += 1;
        match json.kind() {
            JsonKind::Null => self.nulls += 1,
            JsonKind::True | JsonKind::False => self.booleans += 1,
            JsonKind::Number if json.text().parse::<i64>().is_ok() => self.whole += 1,
            JsonKind::Number => self.numbers += 1,
            JsonKind::String => match json.as_str() {
                Ok(text) if text.len() >= 8 && text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-') => {
                    match dates::read(&Value::Text(text.into_owned())) {
                        Reading::Day(_) => self.days += 1,
                        Reading::Wall(_) | Reading::Instant(_) => self.moments += 1,
                        _ => self.texts += 1,
                    }
                }
                _ => self.texts += 1,
            },
            JsonKind::NonFinite | JsonKind::Array | JsonKind::Object => self.others += 1,
        }
    }

    fn kind(&self) -> TypeKind {
        let found = self.records - self.nulls;
        let all = |count: u64| count == found && found > 0;
        if all(self.booleans) {
            TypeKind::Boolean
        } else if all(self.whole) {
            TypeKind::Integer { bits: 64, unsigned: false }
        } else if all(self.whole + self.numbers) {
            TypeKind::Decimal { precision: None, scale: None, special: false, unsigned: false }
        } else if all(self.days) {
            TypeKind::Date
        } else if all(self.days + self.moments) && self.days == 0 {
            TypeKind::Timestamp { zoned: false, precision: 6 }
        } else if all(self.texts + self.days + self.moments) {
            TypeKind::Text { max_chars: None, max_bytes: None, fixed: false }
        } else if all(self.others) {
            TypeKind::Json
        } else {
            TypeKind::Dynamic
        }
    }
}

/// The catalog that an export's own records show: names, kinds of values, which fields may be missing, and `id` (of a Django dump `pk`) as the primary key where
/// every record has one. Nothing is said of references and keys: those are guessed by their names, as of any schema.
///
/// # Errors
/// The export cannot be read.
pub fn infer_catalog(export: &Export<'_>) -> Result<Catalog, ExportError> {
    let mut found: IndexMap<String, (u64, IndexMap<String, Values>)> = IndexMap::new();
    for label in &export.index.labels {
        found.entry(label.clone()).or_default();
    }
    for run in &export.index.runs {
        let (records, fields) = found.entry(export.index.label(run.label).to_owned()).or_default();
        let mut reader = export.source.records(run);
        while let Some(record) = reader.next() {
            let record = record?;
            *records += 1;
            let split = record.fields()?;
            if let Some(pk) = &split.pk {
                fields.entry("id".to_owned()).or_default().add(pk);
            }
            for (name, json) in &split.fields {
                // A list of a Django record is the rows of a join table, or a natural key: no value of a column.
                if !(export.is_django() && json.kind() == JsonKind::Array) {
                    fields.entry(name.to_string()).or_default().add(json);
                }
            }
        }
    }
    let mut names: HashMap<String, u64> = HashMap::new();
    let relation = |(label, (records, fields)): (String, (u64, IndexMap<String, Values>))| {
        let mut name = if export.is_django() { label.replace('.', "_").to_lowercase() } else { label };
        let times = names.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            name = format!("{name}_{times}");
        }
        let column = |(name, values): (&String, &Values)| Column {
            name: name.clone(),
            data_type: ColumnType { declared: "inferred".to_owned(), kind: values.kind() },
            nullable: values.nulls > 0 || values.records < records,
            ..Column::default()
        };
        let columns: Vec<Column> = fields.iter().map(column).collect();
        let has_id = columns.iter().any(|column| column.name == "id" && !column.nullable);
        let primary_key = has_id.then(|| PrimaryKey { name: None, columns: vec!["id".to_owned()] });
        Relation { name: RelationName::new(name), columns, primary_key, ..Relation::default() }
    };
    let relations = found.into_iter().map(relation).collect();
    let server = ServerInfo { product: PRODUCT.to_owned(), ..ServerInfo::default() };
    Ok(Catalog::new(server, relations))
}
