//! What the pre-scan notes down while it reads: counts by shape and column, never by record.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use indexmap::IndexMap;
use relink_export::{ExportError, LabelId, Source};
use relink_model::{RelationId, Value, config::Step};
use relink_records::By;

use super::{
    DRIFT_ITEMS_MAX, Drift, Look, Note, Transformed,
    items::{Reporter, Side},
    look::Looks,
};
use crate::{
    decode::{Cell, Decoder, Row},
    shape::Shape,
};

/// Labels that are listed of one column.
const LABELS_MAX: usize = 100;
/// Values of a field that are tried on the columns it may have become.
pub(super) const SAMPLES_MAX: usize = 16;

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) label: LabelId,
    pub(super) file_ordinal: u64,
    pub(super) offset: u64,
}

impl Spot {
    fn of(row: &Row) -> Self {
        Self { label: row.label, file_ordinal: row.file_ordinal, offset: row.offset }
    }
}

/// Records of one shape.
#[derive(Debug)]
pub(super) struct ShapeLog {
    pub(super) shape: Arc<Shape>,
    pub(super) records: u64,
    pub(super) first: Spot,
    /// Records whose value is NULL, by slot.
    pub(super) nulls: Vec<u64>,
    /// Elements of the many-to-many lists, by join.
    pub(super) elements: Vec<u64>,
    /// What stands in the fields without a column.
    pub(super) looks: Vec<Looks>,
    /// The first records, where a field has no column.
    pub(super) samples: Vec<Spot>,
}

/// Values of a column that do not fit it.
#[derive(Debug)]
pub(super) struct UnfitLog {
    pub(super) field: Option<String>,
    pub(super) first: Spot,
    pub(super) looks: Looks,
    /// What enumerations lack.
    pub(super) labels: IndexMap<String, u64>,
    /// Values whose label is not listed any more.
    pub(super) unlisted: u64,
    pub(super) samples: Vec<Spot>,
}

#[derive(Debug)]
pub(super) struct UnknownModel {
    pub(super) expected: String,
    pub(super) nearest: Option<String>,
    pub(super) records: u64,
    pub(super) first: Spot,
}

/// What the pre-scan notes down.
#[derive(Debug, Default)]
pub(crate) struct DriftLog {
    models: IndexMap<String, UnknownModel>,
    shapes: Vec<ShapeLog>,
    /// By the address of the shape, which the log keeps alive.
    by_shape: HashMap<usize, usize>,
    last: usize,
    unfit: BTreeMap<(RelationId, usize), UnfitLog>,
    changed: BTreeMap<(RelationId, usize, By), u64>,
}

impl DriftLog {
    /// A run of records whose label has no relation.
    pub(crate) fn unknown_model(
        &mut self,
        label: &str,
        expected: &str,
        nearest: Option<&str>,
        run: &relink_export::Run,
    ) {
        let first = Spot { label: run.label, file_ordinal: run.first_ordinal, offset: run.start };
        let model = self.models.entry(label.to_owned()).or_insert_with(|| UnknownModel {
            expected: expected.to_owned(),
            nearest: nearest.map(str::to_owned),
            records: 0,
            first,
        });
        model.records += run.records;
    }

    /// A record that the pre-scan reads. Takes what decoding noted.
    pub(crate) fn record(&mut self, row: &mut Row) {
        let at = match self.shapes.get(self.last) {
            Some(log) if Arc::ptr_eq(&log.shape, &row.shape) => self.last,
            _ => self.shape(row),
        };
        self.last = at;
        let log = &mut self.shapes[at];
        log.records += 1;
        for (nulls, cell) in log.nulls.iter_mut().zip(&row.cells) {
            *nulls += u64::from(matches!(cell, Cell::Value(Value::Null)));
        }
        for (elements, list) in log.elements.iter_mut().zip(&row.joins) {
            *elements += list.len() as u64;
        }
        if !log.looks.is_empty() && log.samples.len() < SAMPLES_MAX {
            log.samples.push(Spot::of(row));
        }
        for note in std::mem::take(&mut row.notes) {
            match note {
                Note::Unknown { at, look } => log.looks[at].add(look),
                Note::Unfit { column, look, text } => {
                    let entry = self.unfit.entry((row.shape.relation, column));
                    entry.or_insert_with(|| UnfitLog::new(row, column)).add(row, look, text);
                }
                Note::Changed { relation, column, by } => {
                    *self.changed.entry((relation, column, by)).or_default() += 1;
                }
            }
        }
    }

    /// The log of a row's shape.
    fn shape(&mut self, row: &Row) -> usize {
        let address = Arc::as_ptr(&row.shape) as usize;
        *self.by_shape.entry(address).or_insert_with(|| {
            self.shapes.push(ShapeLog {
                records: 0,
                first: Spot::of(row),
                nulls: vec![0; row.shape.columns.len()],
                elements: vec![0; row.shape.joins.len()],
                looks: vec![Looks::default(); row.shape.unknown.len()],
                samples: Vec::new(),
                shape: Arc::clone(&row.shape),
            });
            self.shapes.len() - 1
        })
    }

    /// The report of what was noted.
    pub(crate) fn conclude(self, decoder: &Decoder, labels: &[String], source: &Source) -> Result<Drift, ExportError> {
        let mut report = Reporter::new(decoder, labels, source);
        for (label, model) in &self.models {
            report.unknown_model(label, model)?;
        }
        let mut relations: IndexMap<RelationId, Vec<&ShapeLog>> = IndexMap::new();
        for log in &self.shapes {
            relations.entry(log.shape.relation).or_default().push(log);
        }
        for (id, shapes) in &relations {
            let unfit = self.unfit.range((*id, 0)..=(*id, usize::MAX)).map(|((_, column), log)| (*column, log));
            Side::new(*id, shapes, unfit.collect()).report(&mut report)?;
        }
        let mut items = report.items;
        items.sort_by_key(|item| std::cmp::Reverse(item.severity));
        let unlisted = items.len().saturating_sub(DRIFT_ITEMS_MAX) as u64;
        items.truncate(DRIFT_ITEMS_MAX);
        Ok(Drift { items, unlisted, transformed: self.transformed(decoder) })
    }

    fn transformed(&self, decoder: &Decoder) -> Vec<Transformed> {
        let mut changed = self.changed.clone();
        for log in &self.shapes {
            for constant in &log.shape.constants {
                let column = log.shape.columns[constant.slot];
                *changed.entry((log.shape.relation, column, constant.by)).or_default() += log.records;
            }
            for ((_, join), elements) in log.shape.joins.iter().zip(&log.elements).filter(|(_, count)| **count > 0) {
                for (column, _) in decoder.join_constants(join) {
                    let recipe = decoder.reader.recipe(join.join, column);
                    let by = if recipe.is_some_and(|recipe| recipe.set.is_some()) { By::Set } else { By::Default };
                    *changed.entry((join.join, column, by)).or_default() += elements;
                }
            }
        }
        let named = |((relation, column, by), values): ((RelationId, usize, By), u64)| {
            let definition = decoder.catalog.relation(relation);
            let recipe = decoder.reader.recipe(relation, column);
            let by = match by {
                By::Set => "set",
                By::Default => "default",
                By::Step(at) => recipe.and_then(|recipe| recipe.steps.get(at)).map_or("transform", Step::name),
            };
            let (relation, column) = (definition.name.clone(), definition.columns[column].name.clone());
            Transformed { relation, column, by: by.to_owned(), values }
        };
        changed.into_iter().map(named).collect()
    }
}

impl UnfitLog {
    fn new(row: &Row, column: usize) -> Self {
        let field = row.shape.slot_of(column).and_then(|slot| row.shape.field_of(slot)).map(str::to_owned);
        Self {
            field,
            first: Spot::of(row),
            looks: Looks::default(),
            labels: IndexMap::new(),
            unlisted: 0,
            samples: Vec::new(),
        }
    }

    fn add(&mut self, row: &Row, look: Look, text: Option<String>) {
        self.looks.add(look);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Spot::of(row));
        }
        let Some(text) = text else { return };
        if let Some(count) = self.labels.get_mut(&text) {
            *count += 1;
        } else if self.labels.len() < LABELS_MAX {
            self.labels.insert(text, 1);
        } else {
            self.unlisted += 1;
        }
    }

    /// Values that are no label, of a column that is an enumeration.
    pub(super) fn lacking(&self) -> u64 {
        self.labels.values().sum::<u64>() + self.unlisted
    }
}
