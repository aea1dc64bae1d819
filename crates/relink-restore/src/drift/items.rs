//! From what was noted to the items of the report.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use relink_export::{ExportError, JsonKind, OwnedRecord, Source};
use relink_model::{AllowDrift, Catalog, Column, Place, RelationId, Severity, TypeKind, suggest};
use relink_records::single_reference;

use super::{
    Basis, DriftItem, DriftKind, Look, RemovedLabel, Suggestion,
    guess::{Guess, UnknownField},
    log::{SAMPLES_MAX, ShapeLog, Spot, UnfitLog, UnknownModel},
    toml_key, toml_text,
};
use crate::{decode::Decoder, shape::SlotSource};

/// Seconds have so many digits up to the year 5138, and milliseconds have more since 1973.
const SECONDS_DIGITS_MAX: usize = 11;

/// Makes items.
pub(super) struct Reporter<'a> {
    pub(super) decoder: &'a Decoder,
    pub(super) catalog: &'a Catalog,
    pub(super) labels: &'a [String],
    pub(super) source: &'a Source,
    pub(super) items: Vec<DriftItem>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(decoder: &'a Decoder, labels: &'a [String], source: &'a Source) -> Self {
        Self { decoder, catalog: &decoder.catalog, labels, source, items: Vec::new() }
    }

    pub(super) fn unknown_model(&mut self, label: &str, model: &UnknownModel) -> Result<(), ExportError> {
        let allowed = self.decoder.allow_drift >= AllowDrift::Models;
        let left_out = if allowed { "; they are left out" } else { "" };
        let suggestion = model.nearest.as_ref().map(|nearest| Suggestion {
            line: format!("[table.{}] models = [{}]", toml_key(nearest), toml_text(label)),
            basis: Basis::Name,
        });
        let item = DriftItem {
            kind: DriftKind::UnknownModel,
            severity: if allowed { Severity::Warning } else { Severity::Error },
            label: label.to_owned(),
            relation: None,
            field: None,
            column: None,
            records: model.records,
            of: model.records,
            place: Some(self.place(model.first, None)?),
            message: format!("the database has no table {} for these records{left_out}", model.expected),
            labels: Vec::new(),
            suggestion,
        };
        self.items.push(item);
        Ok(())
    }

    /// The place of a field's value, or of the record.
    fn place(&self, spot: Spot, field: Option<&str>) -> Result<Place, ExportError> {
        let mut offset = spot.offset;
        let mut known = None;
        if let Some(field) = field {
            let record = self.source.record_at(spot.label, spot.file_ordinal, spot.offset)?;
            if let Some(value) = record.fields()?.get(field) {
                offset = value.offset();
                known = Some(field);
            }
        }
        let pointer = self.source.pointer(spot.label, spot.file_ordinal, known);
        self.source.place(spot.file_ordinal, spot.label, offset, pointer)
    }

    /// Says where the first of a column's values stands that do not fit.
    fn place_unfit(&self, item: &mut DriftItem, definition: &Column, log: &UnfitLog) -> Result<(), ExportError> {
        item.field.clone_from(&log.field);
        item.column = Some(definition.name.clone());
        item.place = Some(self.place(log.first, log.field.as_deref())?);
        Ok(())
    }

    pub(super) fn read(&self, samples: &[Spot]) -> Result<Vec<OwnedRecord>, ExportError> {
        samples.iter().map(|spot| self.source.record_at(spot.label, spot.file_ordinal, spot.offset)).collect()
    }

    /// Whether a column takes every sample's value of this field.
    pub(super) fn takes(
        &self,
        id: RelationId,
        column: usize,
        records: &[OwnedRecord],
        field: &str,
    ) -> Result<bool, ExportError> {
        let definition = &self.catalog.relation(id).columns[column];
        let mut values = 0;
        for record in records {
            let fields = record.fields()?;
            let Some(value) = fields.get(field).filter(|value| !value.is_null()) else { continue };
            values += 1;
            let natural = value.kind() == JsonKind::Array && single_reference(self.catalog, id, column).is_some();
            if !natural && self.decoder.reader.value(&value, id, column).is_err() {
                return Ok(false);
            }
        }
        Ok(values > 0 || definition.nullable)
    }
}
/// The records of one relation against its columns.
pub(super) struct Side<'a> {
    pub(super) id: RelationId,
    pub(super) shapes: &'a [&'a ShapeLog],
    pub(super) unfit: Vec<(usize, &'a UnfitLog)>,
    /// Records in all.
    pub(super) total: u64,
    pub(super) unknown: IndexMap<String, UnknownField>,
}

impl<'a> Side<'a> {
    pub(super) fn new(id: RelationId, shapes: &'a [&'a ShapeLog], unfit: Vec<(usize, &'a UnfitLog)>) -> Self {
        let mut unknown: IndexMap<String, UnknownField> = IndexMap::new();
        for log in shapes {
            for (position, looks) in log.shape.unknown.iter().zip(&log.looks) {
                let name = position.map_or("pk", |position| log.shape.names[position].as_str());
                let field = unknown.entry(name.to_owned()).or_default();
                field.records += log.records;
                field.first.get_or_insert(log.first);
                field.looks.merge(looks);
                let room = SAMPLES_MAX.saturating_sub(field.samples.len());
                field.samples.extend(log.samples.iter().take(room));
                field.filled.extend(&log.shape.columns);
            }
        }
        let total = shapes.iter().map(|log| log.records).sum();
        Self { id, shapes, unfit, total, unknown }
    }

    pub(super) fn report(&self, to: &mut Reporter<'_>) -> Result<(), ExportError> {
        let guesses = self.guesses(to)?;
        for (name, field) in &self.unknown {
            self.unknown_field(to, name, field, guesses.get(name.as_str()))?;
        }
        self.columns(to, &guesses)?;
        for (column, log) in &self.unfit {
            self.unfit(to, *column, log)?;
        }
        self.renamed(to)
    }

    fn item(&self, to: &Reporter<'_>, kind: DriftKind, severity: Severity, records: u64, first: Spot) -> DriftItem {
        DriftItem {
            kind,
            severity,
            label: to.labels[first.label.index()].clone(),
            relation: Some(to.catalog.relation(self.id).name.clone()),
            field: None,
            column: None,
            records,
            of: self.total,
            place: None,
            message: String::new(),
            labels: Vec::new(),
            suggestion: None,
        }
    }

    pub(super) fn line(&self, to: &Reporter<'_>, entry: &str) -> String {
        format!("[table.{}] {entry}", toml_key(&to.catalog.relation(self.id).name.to_string()))
    }

    fn unknown_field(
        &self,
        to: &mut Reporter<'_>,
        name: &str,
        field: &UnknownField,
        guess: Option<&Guess>,
    ) -> Result<(), ExportError> {
        let Some(first) = field.first else { return Ok(()) };
        let allowed = to.decoder.allow_drift >= AllowDrift::Fields;
        let severity = if allowed { Severity::Warning } else { Severity::Error };
        let mut item = self.item(to, DriftKind::UnknownField, severity, field.records, first);
        item.field = Some(name.to_owned());
        item.place = Some(to.place(first, Some(name))?);
        let look = match field.looks.values() {
            0 => String::new(),
            _ => format!(" ({})", field.looks.describe()),
        };
        let left_out = if allowed { "; it is left out" } else { "" };
        item.message = if name == "pk" {
            format!("the records have a pk, and the table no primary key{left_out}")
        } else {
            format!("the table has no column for the field {name}{look}{left_out}")
        };
        if let Some(guess) = guess {
            if let Guess::Column(column, _) = guess {
                item.column = Some(to.catalog.relation(self.id).columns[*column].name.clone());
            }
            item.suggestion = Some(self.suggestion(to, name, guess));
        } else if let Some(why_not) = self.nearest(to, name, field) {
            item.message.push_str(&why_not);
        }
        to.items.push(item);
        Ok(())
    }

    /// The nearest column of a field, and why it is none of its own.
    fn nearest(&self, to: &Reporter<'_>, name: &str, field: &UnknownField) -> Option<String> {
        let relation = to.catalog.relation(self.id);
        let nearest = suggest::nearest(name, relation.columns.iter().map(|column| column.name.as_str()))?;
        let (column, definition) = relation.column(nearest)?;
        let why = if definition.generated.is_some() {
            "is computed".to_owned()
        } else if field.filled.contains(&column) {
            "is filled already".to_owned()
        } else {
            format!("is {} and does not take these values", definition.data_type.declared)
        };
        Some(format!("; the nearest column, {nearest}, {why}"))
    }

    /// Columns that records have no field for, or null where the column takes none.
    fn columns(&self, to: &mut Reporter<'_>, guesses: &BTreeMap<&str, Guess>) -> Result<(), ExportError> {
        let relation = to.catalog.relation(self.id);
        for (column, definition) in relation.columns.iter().enumerate() {
            if definition.generated.is_some() {
                continue;
            }
            let mut absent = 0;
            let mut first = None;
            for log in self.shapes.iter().filter(|log| log.shape.slot_of(column).is_none()) {
                absent += log.records;
                first.get_or_insert(log.first);
            }
            let unfit = self.unfit.iter().find(|(unfit, _)| *unfit == column).map(|(_, log)| *log);
            let null = unfit.map_or(0, |log| log.looks.count(Look::Null));
            let from = guesses.iter().find(|(_, guess)| matches!(guess, Guess::Column(to, _) if *to == column));
            let suggestion = from.map(|(field, guess)| self.suggestion(to, field, guess));
            let needed = !definition.is_optional();
            if null > 0 || needed && absent > 0 {
                let records = null + if needed { absent } else { 0 };
                let Some(first) = first.filter(|_| needed && absent > 0).or(unfit.map(|log| log.first)) else {
                    continue;
                };
                let field = unfit.and_then(|log| log.field.clone());
                let mut item = self.item(to, DriftKind::NotNullWithoutValue, Severity::Error, records, first);
                item.message = match (null, records - null) {
                    (_, 0) => format!("{}, which is NOT NULL, gets null", definition.name),
                    (0, _) => format!("{} is NOT NULL, has no default, and gets no value", definition.name),
                    (null, absent) => format!(
                        "{} is NOT NULL, has no default, and gets null ({null} records) or no value ({absent} records)",
                        definition.name
                    ),
                };
                item.place = Some(to.place(first, field.as_deref())?);
                item.field = field;
                item.column = Some(definition.name.clone());
                item.suggestion = suggestion.or_else(|| {
                    let entry = format!("default = {{ {} = \"...\" }}", toml_key(&definition.name));
                    Some(Suggestion { line: self.line(to, &entry), basis: Basis::Need })
                });
                to.items.push(item);
            } else if let Some(first) = first {
                let mut item = self.item(to, DriftKind::MissingColumn, Severity::Info, absent, first);
                item.message = format!("no field for {}: {}", definition.name, without_value(definition));
                item.place = Some(to.place(first, None)?);
                item.column = Some(definition.name.clone());
                item.suggestion = suggestion;
                to.items.push(item);
            }
        }
        Ok(())
    }

    /// Values that do not fit: labels that an enumeration lacks, or a type that has changed.
    fn unfit(&self, to: &mut Reporter<'_>, column: usize, log: &UnfitLog) -> Result<(), ExportError> {
        let definition = &to.catalog.relation(self.id).columns[column];
        let lacking = log.lacking();
        if let (TypeKind::Enum { labels } | TypeKind::Set { labels }, true) = (&definition.data_type.kind, lacking > 0)
        {
            let mut item = self.item(to, DriftKind::RemovedLabel, Severity::Error, lacking, log.first);
            let missing: Vec<RemovedLabel> = log
                .labels
                .iter()
                .map(|(label, records)| RemovedLabel {
                    label: label.clone(),
                    records: *records,
                    nearest: suggest::nearest(label, labels.iter().map(String::as_str)).map(str::to_owned),
                })
                .collect();
            let known = if log.unlisted > 0 { "some of the " } else { "" };
            item.message =
                format!("{} has no label for {known}values (its labels: {})", definition.name, labels.join(", "));
            let maps = |missing: &RemovedLabel| {
                let to = missing.nearest.as_deref().unwrap_or("...");
                format!("{} = {}", toml_key(&missing.label), toml_text(to))
            };
            if matches!(definition.data_type.kind, TypeKind::Enum { .. }) {
                let map = missing.iter().map(maps).collect::<Vec<_>>().join(", ");
                let entry = format!("transform = {{ {} = {{ map = {{ {map} }} }} }}", toml_key(&definition.name));
                let all_near = missing.iter().all(|missing| missing.nearest.is_some());
                let basis = if all_near { Basis::Name } else { Basis::Need };
                item.suggestion = Some(Suggestion { line: self.line(to, &entry), basis });
            }
            item.labels = missing;
            to.place_unfit(&mut item, definition, log)?;
            to.items.push(item);
        }
        let others = log.looks.values() - lacking;
        if others * 2 <= self.values(column) || others == 0 {
            return Ok(());
        }
        let mut item = self.item(to, DriftKind::ChangedType, Severity::Error, others, log.first);
        item.message = format!(
            "{others} of {} values do not fit {}, which is {}: they are {}",
            self.values(column),
            definition.name,
            definition.data_type.declared,
            log.looks.describe(),
        );
        item.suggestion = self.conversion(to, definition, log)?;
        to.place_unfit(&mut item, definition, log)?;
        to.items.push(item);
        Ok(())
    }

    /// Values of a column that are not NULL.
    fn values(&self, column: usize) -> u64 {
        let of = |log: &&ShapeLog| {
            let slot = log.shape.slot_of(column)?;
            // What did not fit because it was null has no value either; it is counted with what does not fit.
            (log.shape.sources[slot] != SlotSource::Nowhere).then(|| log.records - log.nulls[slot])
        };
        let null =
            self.unfit.iter().find(|(unfit, _)| *unfit == column).map_or(0, |(_, log)| log.looks.count(Look::Null));
        self.shapes.iter().filter_map(of).sum::<u64>() - null
    }

    /// The entry by which such values would fit, where there is one beyond doubt.
    fn conversion(
        &self,
        to: &Reporter<'_>,
        definition: &Column,
        log: &UnfitLog,
    ) -> Result<Option<Suggestion>, ExportError> {
        let name = toml_key(&definition.name);
        let temporal = matches!(definition.data_type.kind, TypeKind::Timestamp { .. } | TypeKind::Date);
        let entry = if log.looks.are_only(Look::Empty) && definition.nullable {
            format!("read = {{ {name} = \"empty-is-null\" }}")
        } else if temporal && log.looks.are_only(Look::Integer) {
            let Some(field) = &log.field else { return Ok(None) };
            let mut digits = Vec::new();
            for record in to.read(&log.samples)? {
                digits.extend(record.fields()?.get(field).map(|value| value.text().trim_start_matches('-').len()));
            }
            let step = if digits.iter().all(|digits| *digits <= SECONDS_DIGITS_MAX) {
                "unix-seconds"
            } else if digits.iter().all(|digits| (SECONDS_DIGITS_MAX + 1..=14).contains(digits)) {
                "unix-millis"
            } else {
                return Ok(None);
            };
            format!("transform = {{ {name} = \"{step}\" }}")
        } else {
            return Ok(None);
        };
        Ok(Some(Suggestion { line: self.line(to, &entry), basis: Basis::Values }))
    }

    /// Fields that the configuration sends into a column of another name.
    fn renamed(&self, to: &mut Reporter<'_>) -> Result<(), ExportError> {
        let mut renamed: IndexMap<(&str, usize), (u64, Spot)> = IndexMap::new();
        for log in self.shapes {
            for (position, column) in &log.shape.renamed {
                let entry = renamed.entry((log.shape.names[*position].as_str(), *column)).or_insert((0, log.first));
                entry.0 += log.records;
            }
        }
        for ((field, column), (records, first)) in renamed {
            let column = to.catalog.relation(self.id).columns[column].name.clone();
            let mut item = self.item(to, DriftKind::Renamed, Severity::Info, records, first);
            item.message = format!("the field {field} goes into {column}, as the configuration says");
            item.place = Some(to.place(first, Some(field))?);
            item.field = Some(field.to_owned());
            item.column = Some(column);
            to.items.push(item);
        }
        Ok(())
    }
}
/// What a row gets in a column that it has no value for.
fn without_value(column: &Column) -> String {
    match &column.default {
        _ if column.is_numbered() => "it gets its number from the database".to_owned(),
        Some(default) => format!("it gets its default {default}"),
        None => "it gets NULL".to_owned(),
    }
}
