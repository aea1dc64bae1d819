//! Records as rows of their relation: fields are columns, lists are rows of a join table, natural keys are the keys of the rows that they name.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use indexmap::IndexMap;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use relink_db::{DbError, DbErrorKind};
use relink_export::{ExportError, Fields, JsonKind, LabelId, RawJson, Record, Run};
use relink_model::{Catalog, Column, RelationId, TypeKind, Value};
use relink_records::{FieldTarget, JoinField, LabelTarget, Mapping, Prepared, Reader, single_reference};

use super::{Export, Place, is_of, naturals::Naturals};
use crate::judge::{Absorb, Batch, Feed, Look, Named, Odd, RowSource};
use crate::live::text;
use crate::report::content_of;

/// Digits up to which every number without an exponent passes through floating point unharmed.
const FLOAT_DIGITS: usize = 15;

/// Rows that are looked at together: few enough that their memory stays at hand.
const BATCH_ROWS: usize = 1_024;

/// Pieces of a relation that each core reads before what was seen of them is taken down, in their order.
const PIECES_EACH: usize = 6;

/// Why records could not be read.
#[derive(Clone, Debug)]
pub(crate) struct Trouble(String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ExportError> for Trouble {
    fn from(error: ExportError) -> Self {
        Self(error.to_string())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self(format!("a temporary file failed: {error}"))
    }
}

impl From<Trouble> for DbError {
    fn from(trouble: Trouble) -> Self {
        Self::new(DbErrorKind::Other, trouble.0)
    }
}

/// How often something was seen, and where first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) times: u64,
    pub(super) label: LabelId,
    pub(super) ordinal: u64,
    pub(super) offset: u64,
}

/// What was noticed beside the rows.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// Fields that no column takes, by relation.
    pub(super) unknown: BTreeMap<(RelationId, String), Seen>,
    /// Columns that several fields of one record give.
    pub(super) twice: BTreeMap<(RelationId, usize), Seen>,
    /// Fields whose lists are rows of a join table, and that hold no list.
    pub(super) no_lists: BTreeMap<(RelationId, String), Seen>,
    /// Numbers that do not survive floating point, by relation and column.
    pub(super) rounds: BTreeMap<(RelationId, usize), Seen>,
}

impl Noticed {
    fn add<K: Ord>(map: &mut BTreeMap<K, Seen>, key: K, seen: Seen) {
        map.entry(key)
            .and_modify(|known| {
                known.times += seen.times;
                if (seen.offset, seen.ordinal) < (known.offset, known.ordinal) {
                    (known.label, known.ordinal, known.offset) = (seen.label, seen.ordinal, seen.offset);
                }
            })
            .or_insert(seen);
    }

    fn merge(&mut self, other: Self) {
        fn all<K: Ord>(map: &mut BTreeMap<K, Seen>, other: BTreeMap<K, Seen>) {
            for (key, seen) in other {
                Noticed::add(map, key, seen);
            }
        }
        all(&mut self.unknown, other.unknown);
        all(&mut self.twice, other.twice);
        all(&mut self.no_lists, other.no_lists);
        all(&mut self.rounds, other.rounds);
    }
}

/// Where rows of a relation stand.
#[derive(Clone, Debug)]
struct Piece {
    run: Run,
    /// The rows are the elements of lists in these records; `None`: the records themselves.
    list: Option<JoinField>,
    /// The relation that the records themselves belong to.
    of: RelationId,
}

/// The records of an export.
pub(super) struct Records<'a> {
    pub(super) export: Export<'a>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) mapping: Arc<Mapping>,
    reader: Reader,
    naturals: Naturals,
    /// By relation.
    pieces: HashMap<RelationId, Vec<Piece>>,
    noticed: Mutex<Noticed>,
    /// The relations whose records have been read: what is to be noticed of them has been.
    seen: HashSet<RelationId>,
}

/// Field names of a record, and where they go: most often the same as of the record before.
#[derive(Default)]
struct Shape {
    has_pk: bool,
    names: Vec<String>,
    /// With the place of the value in a row, where it is wanted.
    places: Vec<(Place, Option<usize>)>,
    /// Whether a field before gives the same column.
    again: Vec<bool>,
}

/// Where the element of a list stands.
struct Spot {
    offset: u64,
    pointer: String,
}

/// Decodes records of one piece.
struct Decoding<'r, 'a> {
    records: &'r Records<'a>,
    relation: RelationId,
    columns: &'r [usize],
    shape: Shape,
    /// Which values of the row at hand are there. Kept for its allocation.
    filled: Vec<bool>,
    /// Where the rows of lists stand: only for who asks.
    spots: Option<Vec<Spot>>,
    noticed: Noticed,
    /// Whether what is noticed counts: a record is noticed when it is first read.
    notices: bool,
}

impl<'a> Records<'a> {
    pub(super) fn new(export: Export<'a>, catalog: Arc<Catalog>, mapping: Arc<Mapping>, reader: Reader) -> Self {
        let mut pieces: HashMap<RelationId, Vec<Piece>> = HashMap::new();
        for target in mapping.targets() {
            // A table without records is in the export all the same.
            if let LabelTarget::Relation(relation) = target {
                pieces.entry(*relation).or_default();
            }
        }
        let lists = mapping.list_fields(&catalog);
        for run in &export.index.runs {
            let LabelTarget::Relation(relation) = mapping.target(run.label) else { continue };
            let own = pieces.entry(*relation).or_default();
            own.extend(run.pieces().into_iter().map(|run| Piece { run, list: None, of: *relation }));
        }
        for list in lists {
            let source = catalog.relation(list.join).columns.get(list.source_column);
            let source = source.and_then(|_| single_reference(&catalog, list.join, list.source_column));
            let Some((of, _)) = source else { continue };
            for run in export.index.runs.iter().filter(|run| is_of(mapping.target(run.label), of)) {
                let own = pieces.entry(list.join).or_default();
                own.extend(run.pieces().into_iter().map(|run| Piece { run, list: Some(list.clone()), of }));
            }
        }
        let naturals = Naturals::default();
        Self { export, catalog, mapping, reader, naturals, pieces, noticed: Mutex::default(), seen: HashSet::new() }
    }

    /// Whether rows of this relation can be in the export.
    pub(super) fn holds(&self, relation: RelationId) -> bool {
        self.pieces.contains_key(&relation)
    }

    /// How many relations are in the export.
    pub(super) fn relations(&self) -> usize {
        self.pieces.len()
    }

    /// How many records belong to labels of which this holds, and to the relation that each goes into.
    pub(super) fn count(&self, wanted: impl Fn(&str, Option<RelationId>) -> bool) -> u64 {
        let into = |label: LabelId| match self.mapping.target(label) {
            LabelTarget::Relation(relation) => Some(*relation),
            LabelTarget::Ignored | LabelTarget::Unknown { .. } => None,
        };
        let runs = self.export.index.runs.iter();
        runs.filter(|run| wanted(self.export.index.label(run.label), into(run.label))).map(|run| run.records).sum()
    }

    /// Relations of the export whose records have not been read.
    pub(super) fn unread(&self) -> Vec<RelationId> {
        let mut unread: Vec<RelationId> =
            self.pieces.keys().filter(|relation| !self.seen.contains(relation)).copied().collect();
        unread.sort_unstable();
        unread
    }

    pub(super) fn noticed(&self) -> std::sync::MutexGuard<'_, Noticed> {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds out which rows natural keys name.
    pub(super) fn learn_natural_keys(&mut self) -> Result<(), Trouble> {
        self.naturals = Naturals::learn(self)?;
        Ok(())
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The runs of a relation's own records.
    pub(super) fn runs(&self, relation: RelationId) -> impl Iterator<Item = &'a Run> + '_ {
        let mapping = Arc::clone(&self.mapping);
        self.export.index.runs.iter().filter(move |run| is_of(mapping.target(run.label), relation))
    }

    fn decoding<'r>(&'r self, relation: RelationId, columns: &'r [usize], notices: bool) -> Decoding<'r, 'a> {
        let (shape, filled, spots, noticed) = (Shape::default(), Vec::new(), None, Noticed::default());
        Decoding { records: self, relation, columns, shape, filled, spots, noticed, notices }
    }

    /// Reads the rows of a piece, and hands them over some at a time.
    fn read(
        &self,
        piece: &Piece,
        relation: RelationId,
        columns: &[usize],
        notices: bool,
        each: &mut dyn FnMut(&mut Batch),
    ) -> Result<Noticed, Trouble> {
        let values = Vec::with_capacity(BATCH_ROWS * columns.len());
        let mut batch = Batch { values, ..Batch::default() };
        let mut decoding = self.decoding(relation, columns, notices);
        let mut reader = self.export.source.records(&piece.run);
        let mut kept = Fields::default();
        while let Some(record) = reader.next() {
            let record = record?;
            let mut fields = kept.recycle();
            record.read_fields(&mut fields)?;
            decoding.piece(piece, &record, &fields, &mut batch);
            kept = fields.recycle();
            if batch.rows >= BATCH_ROWS {
                each(&mut batch);
                batch.clear();
            }
        }
        each(&mut batch);
        Ok(decoding.noticed)
    }

    /// One value; what does not fit its column comes as near as it can, with why it does not.
    pub(super) fn value(&self, json: &RawJson<'_>, relation: RelationId, column: usize) -> (Value, Option<Odd>) {
        self.value_by(&self.naturals, json, relation, column)
    }

    /// As [`Self::value`], by the natural keys that are known so far.
    pub(super) fn value_by(
        &self,
        naturals: &Naturals,
        json: &RawJson<'_>,
        relation: RelationId,
        column: usize,
    ) -> (Value, Option<Odd>) {
        let definition = &self.catalog.relation(relation).columns[column];
        if json.kind() == JsonKind::Array
            && !holds_lists(definition)
            && let Some(target) = single_reference(&self.catalog, relation, column)
        {
            return naturals.find(self, json, target);
        }
        let unfit = |why: String, json: &RawJson<'_>| (as_it_is(json), Some(Odd::Unfit(why)));
        let changed;
        let mut json = *json;
        if let Some(recipe) = self.reader.recipe(relation, column) {
            if let Some(value) = &recipe.set {
                return (value.clone(), None);
            }
            match self.reader.prepare(recipe, &json, relation, column, &mut |_, _, _| {}) {
                Ok(Prepared::AsItIs) => {}
                Ok(Prepared::Default(value)) => return (value, None),
                Ok(Prepared::Changed(text)) => {
                    changed = text;
                    match RawJson::parse(&changed, usize::MAX) {
                        Ok(parsed) => json = parsed,
                        Err(error) => return unfit(error.to_string(), &json),
                    }
                }
                Err(wrong) => return unfit(wrong.why, &json),
            }
        }
        match self.reader.value(&json, relation, column) {
            Ok(value) => (value, None),
            Err(wrong) => unfit(wrong.why, &json),
        }
    }

    /// The value that a record itself gives a column, by the natural keys that are known so far.
    pub(super) fn given(
        &self,
        naturals: &Naturals,
        fields: &Fields<'_>,
        relation: RelationId,
        column: usize,
    ) -> Option<(Value, Option<Odd>)> {
        let is_it = |name: &str| matches!(self.mapping.field(&self.catalog, relation, name), FieldTarget::Column(found) if found == column);
        let field = fields.fields.iter().rev().find(|(name, _)| is_it(name));
        if let Some((_, json)) = field {
            return Some(self.value_by(naturals, json, relation, column));
        }
        if let Some(pk) = &fields.pk
            && let Some(found) = self.pk(naturals, pk, relation, column)
        {
            return Some(found);
        }
        let recipe = self.reader.recipe(relation, column)?;
        recipe.set.as_ref().or(recipe.default.as_ref()).map(|value| (value.clone(), None))
    }

    /// The value of a Django record's `pk` for a column of the primary key.
    fn pk(
        &self,
        naturals: &Naturals,
        pk: &RawJson<'_>,
        relation: RelationId,
        column: usize,
    ) -> Option<(Value, Option<Odd>)> {
        let definition = self.catalog.relation(relation);
        let name = &definition.columns[column].name;
        let position = definition.primary_key_columns().iter().position(|key| key == name)?;
        if definition.primary_key_columns().len() == 1 {
            return Some(self.value_by(naturals, pk, relation, column));
        }
        pk.elements().nth(position).map(|element| self.value_by(naturals, &element, relation, column))
    }
}

/// Whether a database fills a column in where a record leaves it out.
pub(super) fn is_filled_in(column: &Column) -> bool {
    column.default.is_some() || column.generated.is_some() || column.is_numbered()
}

/// Whether a list is a value of this column, and no natural key.
pub(super) fn holds_lists(column: &Column) -> bool {
    matches!(
        column.data_type.kind,
        TypeKind::Json | TypeKind::Array { .. } | TypeKind::Other | TypeKind::Dynamic | TypeKind::Set { .. }
    )
}

/// A JSON value of which only the JSON kind is known.
fn as_it_is(json: &RawJson<'_>) -> Value {
    match json.kind() {
        JsonKind::Null => Value::Null,
        JsonKind::True => Value::Bool(true),
        JsonKind::False => Value::Bool(false),
        JsonKind::Number => match json.text().parse::<i64>() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Text(json.text().to_owned()),
        },
        JsonKind::String => {
            Value::Text(json.as_str().map_or_else(|_| json.text().to_owned(), std::borrow::Cow::into_owned))
        }
        JsonKind::NonFinite | JsonKind::Array | JsonKind::Object => Value::Text(json.compact()),
    }
}

/// Whether a number is another one after it has passed through floating point, as common readers of JSON let it.
fn rounds(json: &RawJson<'_>) -> bool {
    if json.kind() != JsonKind::Number {
        return false;
    }
    let text = json.text();
    let has_exponent = text.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    if !has_exponent && text.bytes().filter(u8::is_ascii_digit).count() <= FLOAT_DIGITS {
        return false;
    }
    let exact = relink_rules::decimal::parse(text);
    let floating = text.parse::<f64>().ok().and_then(|number| relink_rules::decimal::parse(&format!("{number:e}")));
    exact != floating
}

impl Decoding<'_, '_> {
    fn slot(&self, column: usize) -> Option<usize> {
        self.columns.iter().position(|wanted| *wanted == column)
    }

    /// A record of a piece as the rows that it makes there.
    fn piece(&mut self, piece: &Piece, record: &Record<'_>, fields: &Fields<'_>, batch: &mut Batch) {
        match &piece.list {
            None => self.record(record, fields, batch),
            Some(list) => self.elements(record, fields, piece.of, list, batch),
        }
    }

    /// A record as a row.
    fn record(&mut self, record: &Record<'_>, fields: &Fields<'_>, batch: &mut Batch) {
        let same = self.shape.has_pk == fields.pk.is_some()
            && self.shape.names.len() == fields.fields.len()
            && self.shape.names.iter().zip(&fields.fields).all(|(known, (name, _))| known == name);
        if !same {
            self.shape.has_pk = fields.pk.is_some();
            self.shape.names = fields.fields.iter().map(|(name, _)| name.to_string()).collect();
            let place = |name: &String| {
                let place = Place::from(&self.records.mapping.field(&self.records.catalog, self.relation, name));
                let slot = if let Place::Column(column) = place { self.slot(column) } else { None };
                (place, slot)
            };
            self.shape.places = self.shape.names.iter().map(place).collect();
            let mut given: HashSet<usize> = HashSet::new();
            let definition = self.records.catalog.relation(self.relation);
            if let ([only], Some(_)) = (definition.primary_key_columns(), &fields.pk) {
                given.extend(definition.column(only).map(|(column, _)| column));
            }
            let again =
                |(place, _): &(Place, Option<usize>)| matches!(place, Place::Column(column) if !given.insert(*column));
            self.shape.again = self.shape.places.iter().map(again).collect();
        }
        let (number, begin) = (batch.rows, batch.values.len());
        batch.rows += 1;
        batch.values.resize(begin + self.columns.len(), Value::Null);
        let Batch { values, odd, .. } = batch;
        let row = &mut values[begin..];
        self.filled.clear();
        self.filled.resize(self.columns.len(), false);
        let filled = &mut self.filled;
        let mut keep = |slot: usize, (value, said): (Value, Option<Odd>)| {
            row[slot] = value;
            filled[slot] = true;
            match said {
                Some(said) => odd.insert((number, slot), said),
                // What an earlier field of the record had there is no more.
                None => odd.remove(&(number, slot)),
            };
        };
        let definition = self.records.catalog.relation(self.relation);
        if let Some(pk) = &fields.pk {
            for (slot, column) in self.columns.iter().enumerate() {
                if let Some(found) = self.records.pk(&self.records.naturals, pk, self.relation, *column) {
                    keep(slot, found);
                }
            }
        }
        for (((name, json), (place, slot)), again) in
            fields.fields.iter().zip(&self.shape.places).zip(&self.shape.again)
        {
            match place {
                Place::Column(column) => {
                    if let Some(slot) = slot {
                        keep(*slot, self.records.value(json, self.relation, *column));
                    }
                    let seen =
                        || Seen { times: 1, label: record.label, ordinal: record.ordinal, offset: json.offset() };
                    if self.notices && *again {
                        Noticed::add(&mut self.noticed.twice, (self.relation, *column), seen());
                    }
                    if self.notices && rounds(json) {
                        Noticed::add(&mut self.noticed.rounds, (self.relation, *column), seen());
                    }
                }
                Place::Unknown if self.notices => {
                    let seen = Seen { times: 1, label: record.label, ordinal: record.ordinal, offset: json.offset() };
                    Noticed::add(&mut self.noticed.unknown, (self.relation, name.to_string()), seen);
                }
                Place::Elsewhere | Place::Unknown => {}
            }
        }
        for (slot, column) in self.columns.iter().enumerate().filter(|(slot, _)| !self.filled[*slot]) {
            let known = &definition.columns[*column];
            if let Some(recipe) = self.records.reader.recipe(self.relation, *column)
                && let Some(value) = recipe.set.as_ref().or(recipe.default.as_ref())
            {
                row[slot] = value.clone();
                continue;
            }
            let is_key = definition.primary_key_columns() == [known.name.clone()];
            if is_key && let Some(name) = self.records.naturals.own_name(self.records, fields, self.relation) {
                // Without an id, a row is what its natural key calls it.
                row[slot] = name;
            } else if is_filled_in(known) {
                odd.insert((number, slot), Odd::Absent);
            }
        }
    }

    /// The elements of a record's list as rows of the join table.
    fn elements(
        &mut self,
        record: &Record<'_>,
        fields: &Fields<'_>,
        of: RelationId,
        list: &JoinField,
        batch: &mut Batch,
    ) {
        let records = self.records;
        let is_it = |name: &str| matches!(records.mapping.field(&records.catalog, of, name), FieldTarget::Join(found) if found == *list);
        let Some((name, json)) = fields.fields.iter().find(|(name, _)| is_it(name)) else { return };
        if json.kind() != JsonKind::Array {
            if self.notices {
                let seen = Seen { times: 1, label: record.label, ordinal: record.ordinal, offset: json.offset() };
                Noticed::add(&mut self.noticed.no_lists, (of, name.to_string()), seen);
            }
            return;
        }
        let own = records.given(&records.naturals, fields, of, list.source_referenced).map(|(value, _)| value);
        let own = own.or_else(|| records.naturals.own_name(records, fields, of));
        for (at, element) in json.elements().enumerate() {
            if let Some(spots) = &mut self.spots {
                let field = records.export.source.pointer(record.label, record.ordinal, Some(name));
                spots.push(Spot { offset: element.offset(), pointer: format!("{field}/{at}") });
            }
            let (number, begin) = (batch.rows, batch.values.len());
            batch.rows += 1;
            batch.values.resize(begin + self.columns.len(), Value::Null);
            let row = &mut batch.values[begin..];
            for (slot, column) in self.columns.iter().enumerate() {
                if *column == list.source_column {
                    row[slot] = own.clone().unwrap_or(Value::Null);
                } else if *column == list.target_column {
                    let (value, said) = records.value(&element, list.join, *column);
                    row[slot] = value;
                    if let Some(said) = said {
                        batch.odd.insert((number, slot), said);
                    }
                } else {
                    batch.odd.insert((number, slot), Odd::Absent);
                }
            }
        }
    }
}

#[async_trait]
impl RowSource for Records<'_> {
    type Trouble = Trouble;

    async fn scan(&mut self, feed: &Feed, look: &Look<'_>, absorb: &mut Absorb<'_>) -> Result<(), Trouble> {
        let notices = self.seen.insert(feed.relation);
        let none = Vec::new();
        let pieces = self.pieces.get(&feed.relation).unwrap_or(&none);
        let side_by_side = rayon::current_num_threads() * PIECES_EACH;
        let mut first = 0;
        for window in pieces.chunks(side_by_side.max(1)) {
            let mut starts = Vec::with_capacity(window.len());
            for piece in window.iter().filter(|piece| piece.list.is_none()) {
                starts.push(first);
                first += piece.run.records;
            }
            let own: Vec<(&Piece, u64)> = window.iter().filter(|piece| piece.list.is_none()).zip(starts).collect();
            let seen: Vec<Result<_, Trouble>> = own
                .par_iter()
                .map(|(piece, first)| {
                    let (mut all, mut first) = (Vec::new(), *first);
                    let noticed = self.read(piece, feed.relation, &feed.columns, notices, &mut |batch| {
                        batch.first = first;
                        first += batch.rows as u64;
                        all.push(look(batch));
                    })?;
                    Ok((all, noticed))
                })
                .collect();
            for seen in seen {
                let (all, noticed) = seen?;
                self.noticed().merge(noticed);
                all.into_iter().try_for_each(&mut *absorb)?;
            }
            // How many rows lists make only shows when they are read.
            let lists: Vec<&Piece> = window.iter().filter(|piece| piece.list.is_some()).collect();
            let read: Vec<Result<_, Trouble>> = lists
                .par_iter()
                .map(|piece| {
                    let mut batches = Vec::new();
                    let mut keep = |batch: &mut Batch| batches.push(std::mem::take(batch));
                    let noticed = self.read(piece, feed.relation, &feed.columns, notices, &mut keep)?;
                    Ok((batches, noticed))
                })
                .collect();
            for read in read {
                let (batches, noticed) = read?;
                self.noticed().merge(noticed);
                for mut batch in batches {
                    batch.first = first;
                    first += batch.rows as u64;
                    absorb(look(&batch))?;
                }
            }
        }
        Ok(())
    }

    async fn fetch(
        &mut self,
        relation: RelationId,
        columns: &[usize],
        ordinals: &[u64],
    ) -> Result<Vec<Named>, Trouble> {
        let definition = self.catalog.relation(relation);
        let key: Vec<usize> = definition
            .primary_key_columns()
            .iter()
            .filter_map(|name| definition.column(name))
            .map(|(at, _)| at)
            .collect();
        // Each column once: one of the key may be among those asked for.
        let mut all = columns.to_vec();
        all.extend(key.iter().filter(|column| !columns.contains(column)));
        // A row without a key is known by all that it holds.
        let every: Vec<usize> = (0..definition.columns.len()).collect();
        let names = definition.columns.iter().map(|column| column.name.as_str());
        let none = Vec::new();
        let (mut found, mut first) = (Vec::new(), 0_u64);
        let mut wanted = ordinals.iter().copied().peekable();
        for piece in self.pieces.get(&relation).unwrap_or(&none) {
            let Some(next) = wanted.peek() else { break };
            if piece.list.is_none() && *next >= first + piece.run.records {
                first += piece.run.records;
                continue;
            }
            // Each row's record, too: that is where it stands.
            let mut decoding = self.decoding(relation, &all, false);
            decoding.spots = piece.list.is_some().then(Vec::new);
            let mut whole = self.decoding(relation, &every, false);
            let mut reader = self.export.source.records(&piece.run);
            while let Some(record) = reader.next() {
                let record = record?;
                let fields = record.fields()?;
                let mut batch = Batch::default();
                decoding.piece(piece, &record, &fields, &mut batch);
                let spots = decoding.spots.as_mut().map(std::mem::take).unwrap_or_default();
                for (at, row) in batch.rows().enumerate() {
                    while wanted.next_if(|wanted| *wanted == first).is_some() {
                        let value = |column: &usize| all.iter().position(|at| at == column).map(|slot| &row[slot]);
                        let named: IndexMap<String, Option<String>> = key
                            .iter()
                            .filter_map(|column| Some((column, value(column).filter(|value| !value.is_null())?)))
                            .map(|(column, value)| (definition.columns[*column].name.clone(), text(value)))
                            .collect();
                        let (offset, pointer) = match spots.get(at) {
                            Some(spot) => (spot.offset, spot.pointer.clone()),
                            None => (record.offset, String::new()),
                        };
                        let place = self.export.source.place(record.ordinal, record.label, offset, pointer).ok();
                        let mut content = None;
                        if key.is_empty() || named.len() < key.len() {
                            let mut batch = Batch::default();
                            whole.piece(piece, &record, &fields, &mut batch);
                            content = batch.rows().nth(at).and_then(|row| content_of(names.clone(), row));
                        }
                        found.push(Named { key: named, values: row[..columns.len()].to_vec(), place, content });
                    }
                    first += 1;
                }
            }
        }
        Ok(found)
    }
}
