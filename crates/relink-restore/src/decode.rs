//! From a record to a row: which columns a record fills (its shape), and its values coerced to them. References by natural key are
//! read here and resolved later. Needs no database.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use relink_export::{Fields, JsonKind, LabelId, RawJson, Record};
use relink_model::{Catalog, RelationId, Value};

use crate::{
    code,
    coerce::{self, How, Rules, describe},
    index::{IndexId, IndexRegistry},
    key::Ordinal,
    mapping::{FieldTarget, JoinField, LabelTarget, Mapping, NoNaturalKey},
    natural::{self, NaturalReference},
};

/// What stands in one column of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// A value, which may be a reference by key.
    Value(Value),
    /// A reference by natural key.
    Natural(NaturalReference),
    /// The primary key that relink allots, as the export gives none.
    Allotted,
    /// A value that did not fit; its problem has been reported.
    Bad,
}

impl Cell {
    /// The value, where there is one already.
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// Where a slot's value stands in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SlotSource {
    /// Django's `pk`.
    Pk,
    /// One part of a composite `pk`.
    PkPart(usize),
    /// A field, by position.
    Field(usize),
    /// Nowhere: relink allots it.
    Nowhere,
}

/// A foreign key whose columns a shape fills.
#[derive(Clone, Debug)]
pub(crate) struct ReferenceSlot {
    /// Index into the relation's foreign keys.
    pub(crate) key: usize,
    /// The slots of its columns.
    pub(crate) slots: Vec<usize>,
    /// The referenced relation.
    pub(crate) target: RelationId,
    /// The index over the referenced columns.
    pub(crate) index: IndexId,
}

/// What all records with the same field names have in common.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) relation: RelationId,
    /// Relation column of each slot.
    pub(crate) columns: Vec<usize>,
    /// Where each slot's value stands.
    pub(crate) sources: Vec<SlotSource>,
    /// Foreign keys that the slots cover.
    pub(crate) references: Vec<ReferenceSlot>,
    /// Indexes that the slots cover, with the slots.
    pub(crate) indexes: Vec<(IndexId, Vec<usize>)>,
    /// Many-to-many fields: field position and join table.
    pub(crate) joins: Vec<(usize, JoinField)>,
    /// Field names in the record's order.
    pub(crate) names: Vec<String>,
    has_pk: bool,
    targets: Vec<Target>,
    problems: Vec<(Option<usize>, Problem)>,
}

#[derive(Clone, Debug)]
enum Target {
    Slot(usize),
    /// The column has its value from `pk` already: both must agree.
    Repeat(usize),
    Join(usize),
    Ignore,
}

impl Shape {
    /// The slot of a relation's column.
    pub(crate) fn slot_of(&self, column: usize) -> Option<usize> {
        self.columns.iter().position(|candidate| *candidate == column)
    }

    /// The field's name behind a slot, for messages and pointers; `None` for `pk`.
    pub(crate) fn field_of(&self, slot: usize) -> Option<&str> {
        match self.sources[slot] {
            SlotSource::Field(position) => Some(&self.names[position]),
            _ => None,
        }
    }
}

/// A record as a row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) shape: Arc<Shape>,
    pub(crate) label: LabelId,
    /// Among the relation's records, from 0, in file order.
    pub(crate) ordinal: Ordinal,
    /// Among the file's records, from 0.
    pub(crate) file_ordinal: u64,
    /// Where the record starts.
    pub(crate) offset: u64,
    /// The length of the record's text: about what the row takes in memory.
    pub(crate) bytes: usize,
    /// One for each slot.
    pub(crate) cells: Vec<Cell>,
    /// The elements of each many-to-many field of the shape.
    pub(crate) joins: Vec<Vec<Cell>>,
    /// What the export gives for slots whose reference has been followed to another value.
    pub(crate) given: Vec<(usize, Value)>,
}

impl Row {
    /// The values of these slots, where all of them are settled.
    pub(crate) fn values<'a>(&'a self, slots: &'a [usize]) -> Option<Vec<&'a Value>> {
        slots.iter().map(|slot| self.cells[*slot].value()).collect()
    }

    /// As [`Self::values`], with the values that the export gives: references name rows by those.
    pub(crate) fn given_values<'a>(&'a self, slots: &'a [usize]) -> Option<Vec<&'a Value>> {
        let given = |slot: &usize| self.given.iter().find(|(followed, _)| followed == slot).map(|(_, value)| value);
        slots.iter().map(|slot| given(slot).or_else(|| self.cells[*slot].value())).collect()
    }

    /// Puts the value in a slot that its reference leads to.
    pub(crate) fn follow(&mut self, slot: usize, value: Value) {
        if let Cell::Value(given) = std::mem::replace(&mut self.cells[slot], Cell::Value(value))
            && self.given.iter().all(|(followed, _)| *followed != slot)
        {
            self.given.push((slot, given));
        }
    }

    pub(crate) fn has_bad_cells(&self) -> bool {
        self.cells.contains(&Cell::Bad) || self.joins.iter().any(|cells| cells.contains(&Cell::Bad))
    }
}

/// Something wrong with a record's values.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: relink_model::FindingCode,
    /// The field concerned; `None` for `pk` or the whole record.
    pub(crate) field: Option<String>,
    /// Where the value stands; `None` for the record's start.
    pub(crate) offset: Option<u64>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Everything that decoding needs to know.
#[derive(Debug)]
pub(crate) struct Decoder {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) registry: Arc<IndexRegistry>,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) rules: Rules,
    /// By relation and column.
    ways: Vec<Vec<How>>,
    shapes: RwLock<Shapes>,
}

#[derive(Debug, Default)]
struct Shapes {
    /// By label, presence of a pk, and the names of the fields.
    known: HashMap<(LabelId, bool, Vec<String>), Arc<Shape>>,
}

impl Decoder {
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        registry: Arc<IndexRegistry>,
        mapping: Arc<Mapping>,
        rules: Rules,
        ways: Vec<Vec<How>>,
    ) -> Self {
        Self { catalog, registry, mapping, rules, ways, shapes: RwLock::default() }
    }

    /// Decodes a record. `ordinal` is its place among the relation's records; `last` is the shape of the record before, most
    /// often this one's too.
    pub(crate) fn decode(
        &self,
        record: &Record<'_>,
        ordinal: Ordinal,
        last: &mut Option<Arc<Shape>>,
    ) -> Result<(Row, Vec<Problem>), relink_export::ExportError> {
        let fields = record.fields()?;
        let shape = match last {
            Some(shape) if fits(shape, &fields) => Arc::clone(shape),
            _ => {
                let shape = self.shape(record.label, &fields);
                *last = Some(Arc::clone(&shape));
                shape
            }
        };
        let mut problems: Vec<Problem> = Vec::new();
        for (position, problem) in &shape.problems {
            let mut problem = problem.clone();
            problem.offset = position.map(|position| fields.fields[position].1.offset());
            problems.push(problem);
        }
        let mut cells = vec![Cell::Allotted; shape.columns.len()];
        let mut joins = vec![Vec::new(); shape.joins.len()];
        if let Some(pk) = &fields.pk {
            self.decode_pk(pk, &shape, &mut cells, &mut problems);
        }
        for ((name, json), target) in fields.fields.iter().zip(&shape.targets) {
            match target {
                Target::Ignore => {}
                Target::Slot(slot) => cells[*slot] = self.cell(json, &shape, *slot, Some(name), &mut problems),
                Target::Repeat(slot) => {
                    let cell = self.cell(json, &shape, *slot, Some(name), &mut problems);
                    if matches!(cell, Cell::Natural(_)) {
                        // The natural key says which row is meant; the id in the pk may be one that the export has left behind.
                        cells[*slot] = cell;
                        continue;
                    }
                    if cell != cells[*slot] && cell != Cell::Bad {
                        let message = format!("{} contradicts the record's pk", json.text());
                        problems.push(problem(code::UNFIT_VALUE, Some(name), json, message, None));
                    }
                }
                Target::Join(join) => joins[*join] = self.elements(json, &shape.joins[*join].1, name, &mut problems),
            }
        }
        let row = Row {
            label: record.label,
            ordinal,
            file_ordinal: record.ordinal,
            offset: record.offset,
            bytes: record.text().len(),
            cells,
            joins,
            given: Vec::new(),
            shape,
        };
        Ok((row, problems))
    }

    fn decode_pk(&self, pk: &RawJson<'_>, shape: &Shape, cells: &mut [Cell], problems: &mut Vec<Problem>) {
        let parts: Vec<usize> =
            (0..shape.sources.len()).filter(|slot| matches!(shape.sources[*slot], SlotSource::PkPart(_))).collect();
        if parts.is_empty() {
            if let Some(slot) = shape.sources.iter().position(|source| *source == SlotSource::Pk) {
                cells[slot] = self.cell(pk, shape, slot, None, problems);
            }
            return;
        }
        let elements: Vec<RawJson<'_>> = pk.elements().collect();
        if elements.len() != parts.len() {
            let names: Vec<&str> =
                self.catalog.relation(shape.relation).primary_key_columns().iter().map(String::as_str).collect();
            let message = format!("{} is not a list of the primary key's columns ({})", pk.text(), names.join(", "));
            problems.push(problem(code::UNFIT_VALUE, None, pk, message, None));
            for slot in parts {
                cells[slot] = Cell::Bad;
            }
            return;
        }
        for (slot, element) in parts.into_iter().zip(&elements) {
            cells[slot] = self.cell(element, shape, slot, None, problems);
        }
    }

    /// One value, or a reference by natural key where the column is a foreign key and the value a list.
    fn cell(
        &self,
        json: &RawJson<'_>,
        shape: &Shape,
        slot: usize,
        field: Option<&str>,
        problems: &mut Vec<Problem>,
    ) -> Cell {
        let column = &self.catalog.relation(shape.relation).columns[shape.columns[slot]];
        if json.kind() == JsonKind::Array {
            let reference = shape.references.iter().find(|reference| reference.slots == [slot]);
            if let Some(reference) = reference {
                return self.natural(json, reference.target, field, problems);
            }
        }
        let how = self.ways[shape.relation.index()][shape.columns[slot]];
        if how.reading.is_none() && coerce::is_json_in_text(json, column, &self.rules) {
            let message =
                format!("{} goes into JSON column {} as a string that holds JSON text", shown(json), column.name);
            let help = format!("if the document itself is meant: read = {{ {} = \"json-text\" }}", column.name);
            problems.push(problem(code::JSON_IN_TEXT, field, json, message, Some(help)));
        }
        match coerce::coerce(json, column, how, &self.rules) {
            // The database's own number, or rather the one that relink allots in its stead.
            Ok(Value::Null) if self.is_numbered_key(shape.relation, shape.columns[slot]) => Cell::Allotted,
            Ok(Value::Null) if !column.nullable && !column.is_numbered() => {
                let message = format!("null in {}, which is NOT NULL", column.name);
                problems.push(problem(code::MISSING_VALUE, field, json, message, None));
                Cell::Bad
            }
            Ok(value) => Cell::Value(value),
            Err(unfit) => {
                let message = format!("{} {}", shown(json), unfit.why);
                let message = format!("{message} (column {}: {})", column.name, column.data_type.declared);
                problems.push(problem(code::UNFIT_VALUE, field, json, message, unfit.help));
                Cell::Bad
            }
        }
    }

    /// Whether a column is the whole primary key, and numbered.
    fn is_numbered_key(&self, relation: RelationId, column: usize) -> bool {
        let relation = self.catalog.relation(relation);
        let column = &relation.columns[column];
        column.is_numbered() && relation.primary_key_columns() == std::slice::from_ref(&column.name)
    }

    fn natural(
        &self,
        json: &RawJson<'_>,
        target: RelationId,
        field: Option<&str>,
        problems: &mut Vec<Problem>,
    ) -> Cell {
        let name = &self.catalog.relation(target).name;
        let elements: Vec<RawJson<'_>> = json.elements().collect();
        let read = match self.mapping.natural_key(target, elements.len()) {
            Ok(key) => natural::read(key, &elements, &self.mapping, &self.catalog, &self.rules)
                .map_err(|why| (code::UNFIT_VALUE, format!("{} {why}", shown(json)), None)),
            Err(why) => {
                let reason = match why {
                    NoNaturalKey::Unknown => "relink knows no natural key of it",
                    NoNaturalKey::NoneFits => "no unique key of it has as many columns",
                    NoNaturalKey::SeveralFit => "several of its unique keys have as many columns",
                };
                let help = format!("name its columns in the configuration: [table.{name}] natural_key = [...]");
                let message = format!("{} refers to {name} by natural key, and {reason}", shown(json));
                Err((code::UNKNOWN_NATURAL_KEY, message, Some(help)))
            }
        };
        match read {
            Ok(reference) => Cell::Natural(reference),
            Err((code, message, help)) => {
                problems.push(problem(code, field, json, message, help));
                Cell::Bad
            }
        }
    }

    /// The elements of a many-to-many list.
    fn elements(&self, json: &RawJson<'_>, join: &JoinField, field: &str, problems: &mut Vec<Problem>) -> Vec<Cell> {
        if json.kind() != JsonKind::Array {
            let message = format!("{} is {}, not a list", shown(json), describe(json.kind()));
            problems.push(problem(code::UNFIT_VALUE, Some(field), json, message, None));
            return Vec::new();
        }
        let elements: Vec<RawJson<'_>> = json.elements().collect();
        let column = &self.catalog.relation(join.target).columns[join.target_referenced];
        let mut cells: Vec<Cell> = Vec::with_capacity(elements.len());
        for element in &elements {
            let cell = if element.kind() == JsonKind::Array {
                self.natural(element, join.target, Some(field), problems)
            } else {
                match coerce::coerce(element, column, How::default(), &self.rules) {
                    Ok(value) if !value.is_null() => Cell::Value(value),
                    Ok(_) => {
                        let message = "null is no reference".to_owned();
                        problems.push(problem(code::UNFIT_VALUE, Some(field), element, message, None));
                        Cell::Bad
                    }
                    Err(unfit) => {
                        let message = format!("{} {}", shown(element), unfit.why);
                        problems.push(problem(code::UNFIT_VALUE, Some(field), element, message, unfit.help));
                        Cell::Bad
                    }
                }
            };
            cells.push(cell);
        }
        cells
    }

    /// The shape of records of this label with these fields, made at its first appearance.
    fn shape(&self, label: LabelId, fields: &Fields<'_>) -> Arc<Shape> {
        let names: Vec<String> = fields.fields.iter().map(|(name, _)| name.to_string()).collect();
        let key = (label, fields.pk.is_some(), names);
        if let Some(shape) = self.shapes.read().expect("no thread panics while it holds the lock").known.get(&key) {
            return Arc::clone(shape);
        }
        let mut shapes = self.shapes.write().expect("no thread panics while it holds the lock");
        if let Some(shape) = shapes.known.get(&key) {
            return Arc::clone(shape);
        }
        let LabelTarget::Relation(relation) = self.mapping.labels[label.index()] else {
            unreachable!("records of labels without a relation are not decoded")
        };
        let shape = Arc::new(self.make_shape(relation, key.2.clone(), key.1));
        shapes.known.insert(key, Arc::clone(&shape));
        shape
    }

    fn make_shape(&self, relation: RelationId, names: Vec<String>, has_pk: bool) -> Shape {
        let definition = self.catalog.relation(relation);
        let primary = definition.primary_key_columns();
        let mut shape = Shape {
            relation,
            columns: Vec::new(),
            sources: Vec::new(),
            references: Vec::new(),
            indexes: Vec::new(),
            joins: Vec::new(),
            targets: Vec::new(),
            problems: Vec::new(),
            has_pk,
            names,
        };
        if has_pk {
            for (part, name) in primary.iter().enumerate() {
                if let Some((column, _)) = definition.column(name) {
                    shape.columns.push(column);
                    shape.sources.push(if primary.len() == 1 { SlotSource::Pk } else { SlotSource::PkPart(part) });
                }
            }
            if primary.is_empty() {
                let message = format!("the record has a pk, and {} has no primary key", definition.name);
                shape.problems.push((None, shape_problem(code::UNKNOWN_FIELD, None, message, None)));
            }
        }
        let from_pk = shape.columns.len();
        for position in 0..shape.names.len() {
            let name = shape.names[position].clone();
            let target = self.mapping.field(&self.catalog, relation, &name);
            let target = match target {
                FieldTarget::Column(column) => match shape.slot_of(column) {
                    Some(slot) if slot < from_pk => Target::Repeat(slot),
                    Some(slot) => {
                        let other = shape.field_of(slot).unwrap_or("pk").to_owned();
                        let message = format!(
                            "the fields {other} and {name} both go into column {}",
                            definition.columns[column].name
                        );
                        shape
                            .problems
                            .push((Some(position), shape_problem(code::UNKNOWN_FIELD, Some(&name), message, None)));
                        Target::Ignore
                    }
                    None => {
                        shape.columns.push(column);
                        shape.sources.push(SlotSource::Field(position));
                        Target::Slot(shape.columns.len() - 1)
                    }
                },
                FieldTarget::Join(join) => {
                    shape.joins.push((position, join));
                    Target::Join(shape.joins.len() - 1)
                }
                FieldTarget::Generated(_) | FieldTarget::Ignored => Target::Ignore,
                FieldTarget::Unknown { nearest } => {
                    let message = format!("{} has no column for the field {name}", definition.name);
                    let help = match nearest {
                        Some(nearest) => format!(
                            "if it is column {nearest}: [table.{}] fields = {{ {name} = \"{nearest}\" }}; \"\" leaves it out",
                            definition.name
                        ),
                        None => format!("to leave it out: [table.{}] fields = {{ {name} = \"\" }}", definition.name),
                    };
                    shape
                        .problems
                        .push((Some(position), shape_problem(code::UNKNOWN_FIELD, Some(&name), message, Some(help))));
                    Target::Ignore
                }
            };
            shape.targets.push(target);
        }
        // A single numbered primary key that the export leaves out is allotted, so that references can follow it.
        if let [only] = primary {
            let (column, definition) = definition.column(only).expect("the primary key's column exists");
            if shape.slot_of(column).is_none() && definition.is_numbered() {
                shape.columns.push(column);
                shape.sources.push(SlotSource::Nowhere);
            }
        }
        for (column, missing) in definition.columns.iter().enumerate() {
            if shape.slot_of(column).is_none() && !missing.is_optional() {
                let message =
                    format!("the record has no value for {}, which is NOT NULL and has no default", missing.name);
                shape.problems.push((None, shape_problem(code::MISSING_VALUE, Some(&missing.name), message, None)));
            }
        }
        self.link(&mut shape);
        shape
    }

    /// Finds the foreign keys and indexes whose columns a shape fills.
    fn link(&self, shape: &mut Shape) {
        let definition = self.catalog.relation(shape.relation);
        let slots_of = |names: &[String]| -> Option<Vec<usize>> {
            names.iter().map(|name| shape.slot_of(definition.column(name)?.0)).collect()
        };
        let mut references = Vec::new();
        for (key, foreign_key) in definition.foreign_keys.iter().enumerate() {
            let Some(target) = self.catalog.id(&foreign_key.referenced) else { continue };
            let Some(slots) = slots_of(&foreign_key.columns) else { continue };
            let referenced: Option<Vec<usize>> = foreign_key
                .referenced_columns
                .iter()
                .map(|name| self.catalog.relation(target).column(name).map(|(index, _)| index))
                .collect();
            if let Some(index) = referenced.and_then(|columns| self.registry.find(target, &columns)) {
                references.push(ReferenceSlot { key, slots, target, index });
            }
        }
        let indexes = self.registry.of_relation(shape.relation).iter().filter_map(|index| {
            let columns = &self.registry.spec(*index).columns;
            columns
                .iter()
                .map(|column| shape.slot_of(*column))
                .collect::<Option<Vec<usize>>>()
                .map(|slots| (*index, slots))
        });
        shape.indexes = indexes.collect();
        // Composite keys come last: their parts may be resolved on their own before.
        references.sort_by_key(|reference| reference.slots.len() > 1);
        shape.references = references;
    }
}

fn fits(shape: &Shape, fields: &Fields<'_>) -> bool {
    shape.has_pk == fields.pk.is_some()
        && shape.names.len() == fields.fields.len()
        && shape.names.iter().zip(&fields.fields).all(|(name, (field, _))| name == field)
}

fn problem(
    code: relink_model::FindingCode,
    field: Option<&str>,
    json: &RawJson<'_>,
    message: String,
    help: Option<String>,
) -> Problem {
    let mut problem = shape_problem(code, field, message, help);
    problem.offset = Some(json.offset());
    problem
}

fn shape_problem(
    code: relink_model::FindingCode,
    field: Option<&str>,
    message: String,
    help: Option<String>,
) -> Problem {
    Problem { code, field: field.map(str::to_owned), offset: None, message, help }
}

/// A JSON value for a message: on one line, and cut.
fn shown(json: &RawJson<'_>) -> String {
    excerpt(&json.compact())
}

/// A value's text, cut for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}
