//! From a record to a row: which columns a record fills (its shape), and its values coerced to them. References by natural key are
//! read here and resolved later. Needs no database.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use relink_export::{Fields, JsonKind, LabelId, RawJson, Record};
use relink_model::{AllowDrift, Catalog, Column, RelationId, TypeKind, Value};
use relink_records::{
    By, JoinField, LabelTarget, Mapping, NaturalReference, NoNaturalKey, Prepared, Reader,
    coerce::{self, How, describe},
};

pub(crate) use crate::shape::Shape;
use crate::{
    code,
    drift::{Look, Note},
    index::{IndexId, IndexRegistry},
    memory::{Ordinal, Position},
    selection::{LeftOut, Selected},
    shape::{SlotSource, Target},
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
    /// The natural keys of such slots, where a polymorphic reference goes by them.
    given_natural: Vec<(usize, NaturalReference)>,
    /// Partial unique indexes that are not about this row.
    pub(crate) outside: Vec<IndexId>,
    /// What the export holds for the computed columns of the shape.
    pub(crate) computed: Vec<Value>,
    /// What the pre-scan counts.
    pub(crate) notes: Vec<Note>,
}

impl Row {
    /// Where the record stands.
    pub(crate) fn position(&self) -> Position {
        Position { offset: self.offset, file_ordinal: self.file_ordinal, label: self.label }
    }

    /// The values of these slots, where all of them are settled.
    pub(crate) fn values<'a>(&'a self, slots: &'a [usize]) -> Option<Vec<&'a Value>> {
        slots.iter().map(|slot| self.cells[*slot].value()).collect()
    }

    /// As [`Self::values`], with the values that the export gives: references name rows by those.
    pub(crate) fn given_values<'a>(&'a self, slots: &'a [usize]) -> Option<Vec<&'a Value>> {
        slots.iter().map(|slot| self.given_value(*slot)).collect()
    }

    /// The value that the export gives for a slot.
    pub(crate) fn given_value(&self, slot: usize) -> Option<&Value> {
        let given = self.given.iter().find(|(followed, _)| *followed == slot).map(|(_, value)| value);
        given.or_else(|| self.cells[slot].value())
    }

    /// Puts the value in a slot that its reference leads to.
    pub(crate) fn follow(&mut self, slot: usize, value: Value) {
        match std::mem::replace(&mut self.cells[slot], Cell::Value(value)) {
            Cell::Value(given) if self.given.iter().all(|(followed, _)| *followed != slot) => {
                self.given.push((slot, given));
            }
            Cell::Natural(natural) if !self.shape.generics.is_empty() => self.given_natural.push((slot, natural)),
            _ => {}
        }
    }

    /// The natural key that the export gives for a slot.
    pub(crate) fn given_natural(&self, slot: usize) -> Option<&NaturalReference> {
        let given = self.given_natural.iter().find(|(followed, _)| *followed == slot).map(|(_, natural)| natural);
        given.or(match &self.cells[slot] {
            Cell::Natural(natural) => Some(natural),
            _ => None,
        })
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

/// What decoding has to say beside the row.
#[derive(Debug, Default)]
struct Heard {
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

/// Everything that decoding needs to know.
#[derive(Debug)]
pub(crate) struct Decoder {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) registry: Arc<IndexRegistry>,
    pub(crate) mapping: Arc<Mapping>,
    /// How values are read.
    pub(crate) reader: Reader,
    /// What the selection asks for.
    pub(crate) selected: Selected,
    /// Records that it leaves out.
    pub(crate) left_out: LeftOut,
    /// What may be left out.
    pub(crate) allow_drift: AllowDrift,
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
        reader: Reader,
        selected: Selected,
        allow_drift: AllowDrift,
    ) -> Self {
        Self {
            catalog,
            registry,
            mapping,
            reader,
            selected,
            left_out: LeftOut::default(),
            allow_drift,
            shapes: RwLock::default(),
        }
    }

    /// The relation that records of a label go to.
    pub(crate) fn relation_of(&self, label: LabelId) -> Option<RelationId> {
        match self.mapping.target(label) {
            LabelTarget::Relation(relation) => Some(*relation),
            _ => None,
        }
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
            Some(shape) if shape.fits(&fields) => Arc::clone(shape),
            _ => {
                let shape = self.shape(record.label, &fields);
                *last = Some(Arc::clone(&shape));
                shape
            }
        };
        let mut heard = Heard::default();
        for (position, problem) in &shape.problems {
            let mut problem = problem.clone();
            problem.offset = position.map(|position| fields.fields[position].1.offset());
            heard.problems.push(problem);
        }
        let mut cells = vec![Cell::Allotted; shape.columns.len()];
        let mut joins = vec![Vec::new(); shape.joins.len()];
        let mut computed = Vec::new();
        if let Some(pk) = &fields.pk {
            self.decode_pk(pk, &shape, &mut cells, &mut heard);
        }
        for ((name, json), target) in fields.fields.iter().zip(&shape.targets) {
            match target {
                Target::Ignore => {}
                Target::Computed(column) => computed.push(self.computed(json, shape.relation, *column)),
                Target::Unknown(at) => heard.notes.push(Note::Unknown { at: *at, look: Look::of(json) }),
                Target::Slot(slot) => cells[*slot] = self.cell(json, &shape, *slot, Some(name), &mut heard),
                Target::Repeat(slot) => {
                    let cell = self.cell(json, &shape, *slot, Some(name), &mut heard);
                    if matches!(cell, Cell::Natural(_)) {
                        // The natural key says which row is meant; the id in the pk may be one that the export has left behind.
                        cells[*slot] = cell;
                        continue;
                    }
                    if cell != cells[*slot] && cell != Cell::Bad {
                        let message = format!("{} contradicts the record's pk", json.text());
                        heard.problems.push(problem(code::UNFIT_VALUE, Some(name), json, message, None));
                    }
                }
                Target::Join(join) => joins[*join] = self.elements(json, &shape, *join, name, &mut heard),
            }
        }
        for constant in &shape.constants {
            cells[constant.slot] = Cell::Value(constant.value.clone());
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
            given_natural: Vec::new(),
            outside: Vec::new(),
            computed,
            notes: heard.notes,
            shape,
        };
        Ok((row, heard.problems))
    }

    /// What the export holds for a column that the database computes; what does not fit is kept as its text, and will differ.
    fn computed(&self, json: &RawJson<'_>, relation: RelationId, column: usize) -> Value {
        self.reader.value(json, relation, column).unwrap_or_else(|_| Value::Text(json.compact()))
    }

    fn decode_pk(&self, pk: &RawJson<'_>, shape: &Shape, cells: &mut [Cell], heard: &mut Heard) {
        let parts: Vec<usize> =
            (0..shape.sources.len()).filter(|slot| matches!(shape.sources[*slot], SlotSource::PkPart(_))).collect();
        if parts.is_empty() {
            if let Some(slot) = shape.sources.iter().position(|source| *source == SlotSource::Pk) {
                cells[slot] = self.cell(pk, shape, slot, None, heard);
            }
            return;
        }
        let elements: Vec<RawJson<'_>> = pk.elements().collect();
        if elements.len() != parts.len() {
            let names: Vec<&str> =
                self.catalog.relation(shape.relation).primary_key_columns().iter().map(String::as_str).collect();
            let message = format!("{} is not a list of the primary key's columns ({})", pk.text(), names.join(", "));
            heard.problems.push(problem(code::UNFIT_VALUE, None, pk, message, None));
            for slot in parts {
                cells[slot] = Cell::Bad;
            }
            return;
        }
        for (slot, element) in parts.into_iter().zip(&elements).filter(|(slot, _)| !shape.is_constant(*slot)) {
            cells[slot] = self.cell(element, shape, slot, None, heard);
        }
    }

    /// One value, after what the configuration does to it.
    fn cell(&self, json: &RawJson<'_>, shape: &Shape, slot: usize, field: Option<&str>, heard: &mut Heard) -> Cell {
        let Some(recipe) = &shape.recipes[slot] else { return self.plain_cell(json, shape, slot, field, heard) };
        let (relation, column) = (shape.relation, shape.columns[slot]);
        let definition = &self.catalog.relation(relation).columns[column];
        let changed = &mut |relation, column, by| heard.changed(relation, column, by);
        let text = match self.reader.prepare(recipe, json, relation, column, changed) {
            Ok(Prepared::AsItIs) => return self.plain_cell(json, shape, slot, field, heard),
            Ok(Prepared::Default(value)) => return Cell::Value(value),
            Ok(Prepared::Changed(text)) => text,
            Err(unfit) => {
                heard.problems.push(unfit_value(json, definition, field, unfit));
                heard.unfit(json, column, definition);
                return Cell::Bad;
            }
        };
        let value = match RawJson::parse(&text, usize::MAX) {
            Ok(value) => value,
            Err(error) => {
                heard.problems.push(problem(code::UNFIT_VALUE, field, json, error.to_string(), None));
                return Cell::Bad;
            }
        };
        let known = heard.problems.len();
        let cell = self.plain_cell(&value, shape, slot, field, heard);
        for problem in &mut heard.problems[known..] {
            problem.offset = Some(json.offset());
            problem.message = format!("{}, which the configuration makes of {}", problem.message, shown(json));
        }
        cell
    }

    /// One value, or a reference by natural key where the column is a foreign key and the value a list.
    fn plain_cell(
        &self,
        json: &RawJson<'_>,
        shape: &Shape,
        slot: usize,
        field: Option<&str>,
        heard: &mut Heard,
    ) -> Cell {
        let column = &self.catalog.relation(shape.relation).columns[shape.columns[slot]];
        if json.kind() == JsonKind::Array {
            let reference = shape.references.iter().find(|reference| reference.slots == [slot]);
            if let Some(reference) = reference {
                return self.natural(json, reference.target, field, heard);
            }
        }
        let how = self.reader.how(shape.relation, shape.columns[slot]);
        if how.reading.is_none() && coerce::is_json_in_text(json, column, self.reader.rules()) {
            let message =
                format!("{} goes into JSON column {} as a string that holds JSON text", shown(json), column.name);
            let help = format!("if the document itself is meant: read = {{ {} = \"json-text\" }}", column.name);
            heard.problems.push(problem(code::JSON_IN_TEXT, field, json, message, Some(help)));
        }
        match self.reader.value(json, shape.relation, shape.columns[slot]) {
            // The database's own number, or rather the one that relink allots in its stead.
            Ok(Value::Null) if self.is_numbered_key(shape.relation, shape.columns[slot]) => Cell::Allotted,
            Ok(Value::Null) if !column.nullable && !column.is_numbered() => {
                let message = format!("null in {}, which is NOT NULL", column.name);
                heard.problems.push(problem(code::MISSING_VALUE, field, json, message, None));
                heard.notes.push(Note::Unfit { column: shape.columns[slot], look: Look::Null, text: None });
                Cell::Bad
            }
            Ok(value) => Cell::Value(value),
            Err(unfit) => {
                heard.problems.push(unfit_value(json, column, field, unfit));
                heard.unfit(json, shape.columns[slot], column);
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

    fn natural(&self, json: &RawJson<'_>, target: RelationId, field: Option<&str>, heard: &mut Heard) -> Cell {
        let name = &self.catalog.relation(target).name;
        let elements: Vec<RawJson<'_>> = json.elements().collect();
        let read = match self.mapping.natural_key(target, elements.len()) {
            Ok(key) => self
                .reader
                .natural(key, &elements, &mut |relation, column, by| heard.changed(relation, column, by))
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
                heard.problems.push(problem(code, field, json, message, help));
                Cell::Bad
            }
        }
    }

    /// The elements of a many-to-many list.
    fn elements(&self, json: &RawJson<'_>, shape: &Shape, join: usize, field: &str, heard: &mut Heard) -> Vec<Cell> {
        let join_field = &shape.joins[join].1;
        if json.kind() != JsonKind::Array {
            let message = format!("{} is {}, not a list", shown(json), describe(json.kind()));
            heard.problems.push(problem(code::UNFIT_VALUE, Some(field), json, message, None));
            return Vec::new();
        }
        let elements: Vec<RawJson<'_>> = json.elements().collect();
        if let (Some(gap), false) = (&shape.join_gaps[join], elements.is_empty()) {
            heard.problems.push(problem(code::MISSING_VALUE, Some(field), json, gap.clone(), None));
        }
        elements.iter().map(|element| self.element(element, join_field, field, heard)).collect()
    }

    /// One element of a many-to-many list, after what the configuration does to its column of the join table.
    fn element(&self, json: &RawJson<'_>, join: &JoinField, field: &str, heard: &mut Heard) -> Cell {
        if json.kind() == JsonKind::Array {
            return self.natural(json, join.target, Some(field), heard);
        }
        let column = &self.catalog.relation(join.target).columns[join.target_referenced];
        let recipe = self.reader.recipe(join.join, join.target_column);
        let changed = recipe
            .map_or(Ok(None), |recipe| recipe.pass(json, &mut |by| heard.changed(join.join, join.target_column, by)));
        let read = changed.and_then(|text| match text.as_deref().map(|text| RawJson::parse(text, usize::MAX)) {
            Some(Ok(value)) => coerce::coerce(&value, column, How::default(), self.reader.rules()),
            Some(Err(error)) => Err(coerce::Unfit { why: error.to_string(), help: None }),
            None => coerce::coerce(json, column, How::default(), self.reader.rules()),
        });
        match read {
            Ok(Value::Null) => {
                let message = "null is no reference".to_owned();
                heard.problems.push(problem(code::UNFIT_VALUE, Some(field), json, message, None));
                Cell::Bad
            }
            Ok(value) => Cell::Value(value),
            Err(unfit) => {
                let message = format!("{} {}", shown(json), unfit.why);
                heard.problems.push(problem(code::UNFIT_VALUE, Some(field), json, message, unfit.help));
                Cell::Bad
            }
        }
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
        let LabelTarget::Relation(relation) = *self.mapping.target(label) else {
            unreachable!("records of labels without a relation are not decoded")
        };
        let shape = Arc::new(self.make_shape(relation, key.2.clone(), key.1));
        shapes.known.insert(key, Arc::clone(&shape));
        shape
    }
}

/// MySQL's limit, PostgreSQL's being shorter, in characters of four bytes.
const LABEL_BYTES_MAX: usize = 4 * 255;

impl Heard {
    fn changed(&mut self, relation: RelationId, column: usize, by: By) {
        self.notes.push(Note::Changed { relation, column, by });
    }

    /// Notes a value that its column does not take; where that is an enumeration, what it lacks.
    fn unfit(&mut self, json: &RawJson<'_>, column: usize, definition: &Column) {
        let lacking = |text: &str| match &definition.data_type.kind {
            TypeKind::Enum { .. } => Some(text.to_owned()),
            TypeKind::Set { labels } => {
                text.split(',').find(|member| labels.iter().all(|label| label != member)).map(str::to_owned)
            }
            _ => None,
        };
        // What is longer was no label: databases keep them to a few hundred bytes at most.
        let text = json.as_str().ok().filter(|text| text.len() <= LABEL_BYTES_MAX).and_then(|text| lacking(&text));
        self.notes.push(Note::Unfit { column, look: Look::of(json), text });
    }
}

/// The problem of a value that its column cannot hold.
fn unfit_value(json: &RawJson<'_>, column: &Column, field: Option<&str>, unfit: coerce::Unfit) -> Problem {
    let message = format!("{} {} (column {}: {})", shown(json), unfit.why, column.name, column.data_type.declared);
    problem(code::UNFIT_VALUE, field, json, message, unfit.help)
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

pub(crate) fn shape_problem(
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
