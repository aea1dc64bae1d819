//! A schema out of the data, where nobody has one: a relation for each label, a column for each field, and what kind of values it holds.

use indexmap::IndexMap;
use relink_export::{ExportError, JsonKind, RawJson};
use relink_model::{
    Catalog, Column, ColumnType, Config, PrimaryKey, Relation, RelationName, ServerInfo, TypeKind, Value,
};
use relink_records::{
    profile::{Profile, Profiles},
    table_of,
};
use relink_rules::dates::{self, Reading};

use super::Export;

/// What an inferred catalog calls its server.
pub(super) const PRODUCT: &str = "export";

/// How often profiles are asked anew with the tables that they have named.
const ROUNDS_MAX: usize = 4;

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

/// Fields of a relation, and how many records it has.
#[derive(Default)]
struct Shown {
    records: u64,
    fields: IndexMap<String, Values>,
}

/// The catalog that an export's own records show: names, kinds of values, which fields may be missing, and `id` (of a Django dump `pk`) as the primary key where
/// every record has one. Relations are called as the records' labels are taken later, by `config` and the profiles, of which `profiles` are the user's own.
/// Nothing is said of references and keys: those are guessed by their names, as of any schema.
///
/// # Errors
/// The export cannot be read.
pub fn infer_catalog(export: &Export<'_>, config: &Config, profiles: &[Profile]) -> Result<Catalog, ExportError> {
    let mut found: IndexMap<String, Shown> = IndexMap::new();
    for (label, table) in export.index.labels.iter().zip(tables(export, config, profiles)) {
        let Some(table) = table else { continue };
        let shown = found.entry(table).or_default();
        for run in export.index.runs.iter().filter(|run| export.index.label(run.label) == label) {
            let mut reader = export.source.records(run);
            while let Some(record) = reader.next() {
                let record = record?;
                shown.records += 1;
                let split = record.fields()?;
                if let Some(pk) = &split.pk {
                    shown.fields.entry("id".to_owned()).or_default().add(pk);
                }
                for (name, json) in &split.fields {
                    shown.fields.entry(name.to_string()).or_default().add(json);
                }
            }
        }
    }
    let relation = |(name, shown): (String, Shown)| {
        let column = |(name, values): (&String, &Values)| Column {
            name: name.clone(),
            data_type: ColumnType { declared: "inferred".to_owned(), kind: values.kind() },
            nullable: values.nulls > 0 || values.records < shown.records,
            ..Column::default()
        };
        let columns: Vec<Column> = shown.fields.iter().map(column).collect();
        let has_id = columns.iter().any(|column| column.name == "id" && !column.nullable);
        let primary_key = has_id.then(|| PrimaryKey { name: None, columns: vec!["id".to_owned()] });
        Relation { name: RelationName::new(name), columns, primary_key, ..Relation::default() }
    };
    Ok(of_relations(found.into_iter().map(relation).collect()))
}

fn of_relations(relations: Vec<Relation>) -> Catalog {
    Catalog::new(ServerInfo { product: PRODUCT.to_owned(), ..ServerInfo::default() }, relations)
}

/// By label: the table that its records belong into. Profiles tell that, and which of them apply hangs on which tables there are.
fn tables(export: &Export<'_>, config: &Config, profiles: &[Profile]) -> Vec<Option<String>> {
    let mut tables: Vec<Option<String>> = export.index.labels.iter().cloned().map(Some).collect();
    for _ in 0..ROUNDS_MAX {
        let relation = |table: &String| Relation { name: RelationName::new(table.as_str()), ..Relation::default() };
        let catalog = of_relations(tables.iter().flatten().map(relation).collect());
        // A name that is no profile's is a mistake that is told once the checks are made.
        let Ok(profiles) = Profiles::new(profiles, &config.profiles, &catalog) else { break };
        let labels = export.index.labels.iter();
        let next: Vec<_> = labels.map(|label| table_of(label, config, &profiles, export.is_django())).collect();
        if next == tables {
            break;
        }
        tables = next;
    }
    tables
}
