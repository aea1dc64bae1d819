//! References that no foreign key declares: a type column beside an id column (Django's content types, Rails' `*_type` and `*_id`, configured
//! ones), and ids inside JSON documents and arrays. They follow their rows to the keys under which those end up.

use std::{borrow::Cow, collections::HashMap};

use relink_export::{JsonKind, RawJson};
use relink_model::{
    Catalog, Relation, RelationId, TypeKind, Value,
    config::{ConfigError, EmbeddedIdConfig, GenericConfig, TableConfig},
    suggest,
};
use serde_json_path::JsonPath;

use crate::{
    coerce::content::uuid,
    decode::{Row, Shape},
    index::{IndexId, IndexRegistry},
    key::{Found, Key, Ordinal},
    natural::{self, ReferencePart},
    profile,
    state::{External, Resolution, State},
};

/// How deep documents may nest in which ids are followed.
const DEPTH_MAX: usize = 512;

/// A type column beside an id column.
#[derive(Clone, Debug)]
pub(crate) struct Generic {
    pub(crate) type_column: usize,
    pub(crate) id_column: usize,
    /// What the type column holds.
    types: Types,
    /// Rows that are gone may be named.
    pub(crate) loose: bool,
    /// It was found by the names of its columns.
    pub(crate) guessed: bool,
}

#[derive(Clone, Debug)]
enum Types {
    /// The id of a row of `django_content_type`, whose columns name application and model.
    ContentType { relation: RelationId, index: IndexId, app_label: usize, model: usize },
    /// A name of a class or table.
    Name,
}

/// Ids inside the values of a column.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    pub(crate) column: usize,
    path: Option<JsonPath>,
    pub(crate) target: RelationId,
    index: IndexId,
    pub(crate) loose: bool,
}

/// What a relation refers to beside its foreign keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Polymorphic {
    pub(crate) generics: Vec<Generic>,
    pub(crate) embedded: Vec<Embedded>,
    /// Columns that hold arrays.
    arrays: Vec<usize>,
    /// By what the type column says: `blog.post`, `Post`, `posts`.
    targets: HashMap<String, (RelationId, IndexId)>,
}

/// An id that does not lead to a row.
pub(crate) struct Unfollowed {
    pub(crate) column: usize,
    /// The generic reference that it belongs to; `None`: it stands in a document.
    pub(crate) generic: Option<usize>,
    pub(crate) target: RelationId,
    pub(crate) id: Value,
    pub(crate) why: Resolution,
    pub(crate) loose: bool,
}

impl Polymorphic {
    pub(crate) fn is_empty(&self) -> bool {
        self.generics.is_empty() && self.embedded.is_empty()
    }

    /// The relation of content types, where one of the references goes through it, and the columns that name a type.
    pub(crate) fn content_types(&self) -> Option<(RelationId, [usize; 2])> {
        self.generics.iter().find_map(|generic| match generic.types {
            Types::ContentType { relation, app_label, model, .. } => Some((relation, [app_label, model])),
            Types::Name => None,
        })
    }

    /// The relations that may be referred to.
    pub(crate) fn targets(&self) -> impl Iterator<Item = RelationId> {
        self.targets.values().map(|(target, _)| *target).chain(self.embedded.iter().map(|embedded| embedded.target))
    }
}

/// Reads what the configuration, or a profile, says about one table. `model_table` finds the relation of a Django label.
pub(crate) fn read(
    catalog: &Catalog,
    registry: &mut IndexRegistry,
    id: RelationId,
    settings: &TableConfig,
    model_table: &dyn Fn(&str) -> Option<RelationId>,
    labels: &[String],
) -> Result<Polymorphic, ConfigError> {
    let is_array = |column: &relink_model::Column| matches!(column.data_type.kind, TypeKind::Array { .. });
    let columns = &catalog.relation(id).columns;
    let arrays = (0..columns.len()).filter(|at| is_array(&columns[*at])).collect();
    let mut made = Polymorphic { arrays, ..Polymorphic::default() };
    for generic in &settings.generic {
        let read = generic_of(catalog, registry, id, generic)?;
        made.add_targets(catalog, registry, &read, &generic.targets, model_table, labels)?;
        made.generics.push(read);
    }
    for (column, ids) in &settings.embedded_ids {
        for embedded in ids {
            made.embedded.push(embedded_of(catalog, registry, id, column, embedded)?);
        }
    }
    Ok(made)
}

/// The generic references of a table that no configuration speaks of, by the names of its columns: `content_type_id` and `object_id`, as Django's generic
/// foreign keys have them by default, where the first is a foreign key to a table of content types; and, save in a Django dump, `*_type` and `*_id`, where
/// the first is text. The id is no foreign key.
pub(crate) fn by_convention(
    catalog: &Catalog,
    registry: &mut IndexRegistry,
    id: RelationId,
    model_table: &dyn Fn(&str) -> Option<RelationId>,
    labels: &[String],
    django: bool,
) -> Polymorphic {
    let relation = catalog.relation(id);
    let mut made = Polymorphic::default();
    for column in &relation.columns {
        let free = |name: &String| relation.foreign_keys.iter().all(|key| !key.columns.contains(name));
        let found = id_names(catalog, id, column, django);
        let Some(id_name) = found.into_iter().find(|name| relation.column(name).is_some() && free(name)) else {
            continue;
        };
        let config = GenericConfig {
            type_column: column.name.clone(),
            id: id_name,
            targets: std::collections::BTreeMap::default(),
            loose: true,
        };
        if let Ok(mut generic) = generic_of(catalog, registry, id, &config)
            && made.add_targets(catalog, registry, &generic, &config.targets, model_table, labels).is_ok()
        {
            generic.guessed = true;
            made.generics.push(generic);
        }
    }
    made
}

/// What the column of the id beside a column of the type may be called.
fn id_names(catalog: &Catalog, id: RelationId, column: &relink_model::Column, django: bool) -> Vec<String> {
    let relation = catalog.relation(id);
    let at = relation.column(&column.name).map(|(at, _)| at);
    let target =
        at.and_then(|at| natural::single_reference(catalog, id, at)).map(|(target, _)| catalog.relation(target));
    if target.is_some_and(|types| types.column("app_label").is_some() && types.column("model").is_some()) {
        let stem = ["content_type_id", "ct_id", "type_id"].iter().find_map(|end| column.name.strip_suffix(end));
        return stem
            .map_or_else(Vec::new, |stem| ["object_id", "object_pk"].map(|end| format!("{stem}{end}")).to_vec());
    }
    let text = matches!(column.data_type.kind, TypeKind::Text { .. });
    let stem = column.name.strip_suffix("_type").filter(|_| text && !django);
    stem.map_or_else(Vec::new, |stem| vec![format!("{stem}_id")])
}

fn generic_of(
    catalog: &Catalog,
    registry: &IndexRegistry,
    id: RelationId,
    config: &GenericConfig,
) -> Result<Generic, ConfigError> {
    let relation = catalog.relation(id);
    let table = relation.name.to_string();
    let column = |name: &str| {
        relink_model::config::require_column(catalog, id, &table, "generic", name)?;
        Ok(relation.column(name).expect("require_column found it").0)
    };
    let (type_column, id_column) = (column(&config.type_column)?, column(&config.id)?);
    let types = match natural::single_reference(catalog, id, type_column) {
        Some((target, referenced)) => {
            let types = catalog.relation(target);
            let named = |name: &str| types.column(name).map(|(at, _)| at);
            match (named("app_label"), named("model"), registry.find(target, &[referenced])) {
                (Some(app_label), Some(model), Some(index)) => {
                    Types::ContentType { relation: target, index, app_label, model }
                }
                _ => {
                    return Err(ConfigError::Syntax {
                        table,
                        key: "generic".to_owned(),
                        text: config.type_column.clone(),
                        expected: format!(
                            "a foreign key to a table of content types (app_label, model), not to {}",
                            types.name
                        ),
                    });
                }
            }
        }
        None => Types::Name,
    };
    Ok(Generic { type_column, id_column, types, loose: config.loose, guessed: false })
}

fn embedded_of(
    catalog: &Catalog,
    registry: &mut IndexRegistry,
    id: RelationId,
    column: &str,
    config: &EmbeddedIdConfig,
) -> Result<Embedded, ConfigError> {
    let relation = catalog.relation(id);
    let table = relation.name.to_string();
    let syntax = |text: &str, expected: String| ConfigError::Syntax {
        table: table.clone(),
        key: "embedded_ids".to_owned(),
        text: text.to_owned(),
        expected,
    };
    relink_model::config::require_column(catalog, id, &table, "embedded_ids", column)?;
    let (at, _) = relation.column(column).expect("require_column found it");
    let target = catalog.find(&config.table).ok_or_else(|| ConfigError::UnknownTable {
        table: config.table.clone(),
        nearest: suggest::nearest(
            &config.table,
            catalog
                .relations
                .iter()
                .map(|relation| relation.name.to_string())
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str),
        )
        .map(str::to_owned),
    })?;
    let index = single_key(catalog, registry, target)
        .ok_or_else(|| syntax(&config.table, "a table with a primary key of one column".to_owned()))?;
    let path = config.path.as_deref().map(|text| {
        JsonPath::parse(text).map_err(|error| syntax(text, format!("a JSONPath (RFC 9535): {}", error.message())))
    });
    Ok(Embedded { column: at, path: path.transpose()?, target, index, loose: config.loose })
}

/// The index over a relation's primary key of one column.
fn single_key(catalog: &Catalog, registry: &mut IndexRegistry, id: RelationId) -> Option<IndexId> {
    let relation = catalog.relation(id);
    let [only] = relation.primary_key_columns() else { return None };
    let (column, _) = relation.column(only)?;
    Some(registry.add(catalog, id, vec![column]))
}

impl Polymorphic {
    /// Finds the relations that the type column can name.
    fn add_targets(
        &mut self,
        catalog: &Catalog,
        registry: &mut IndexRegistry,
        generic: &Generic,
        configured: &std::collections::BTreeMap<String, String>,
        model_table: &dyn Fn(&str) -> Option<RelationId>,
        labels: &[String],
    ) -> Result<(), ConfigError> {
        for (name, table) in configured {
            let target =
                catalog.find(table).ok_or_else(|| ConfigError::UnknownTable { table: table.clone(), nearest: None })?;
            if let Some(index) = single_key(catalog, registry, target) {
                self.targets.insert(name.clone(), (target, index));
            }
        }
        match generic.types {
            Types::ContentType { .. } => {
                for label in labels {
                    let label = label.to_ascii_lowercase();
                    let target = model_table(&label).and_then(|id| Some((id, single_key(catalog, registry, id)?)));
                    if let Some(target) = target {
                        self.targets.entry(label).or_insert(target);
                    }
                }
                // Models of which the export holds no record can be named, too: by Django's rule their table says their name.
                for (id, relation) in catalog.iter() {
                    if let Some(index) = single_key(catalog, registry, id) {
                        self.targets.entry(relation.name.name.clone()).or_insert((id, index));
                    }
                }
            }
            Types::Name => {
                for (id, relation) in catalog.iter() {
                    let Some(index) = single_key(catalog, registry, id) else { continue };
                    for name in class_names(&relation.name.name) {
                        self.targets.entry(name).or_insert((id, index));
                    }
                }
            }
        }
        Ok(())
    }

    /// What a type column's text names.
    fn target(&self, name: &str) -> Option<(RelationId, IndexId)> {
        let table = || profile::rule(name);
        let folded = || suggest::fold(&name.replace("::", "_"));
        let found = self.targets.get(name).or_else(|| self.targets.get(&table()));
        found.or_else(|| self.targets.get(&folded())).copied()
    }
}

/// What a class may be called whose rows are in this table: folded, as it is and in the singular.
fn class_names(table: &str) -> Vec<String> {
    let folded = suggest::fold(table);
    let mut names = vec![folded.clone()];
    if let Some(stem) = folded.strip_suffix("ies") {
        names.push(format!("{stem}y"));
    }
    if let Some(stem) = folded.strip_suffix("es") {
        names.push(stem.to_owned());
    }
    if let Some(stem) = folded.strip_suffix('s') {
        names.push(stem.to_owned());
    }
    names
}

/// A generic reference whose columns a shape fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GenericSlot {
    /// Index into [`Polymorphic::generics`].
    pub(crate) generic: usize,
    pub(crate) type_slot: usize,
    pub(crate) id_slot: usize,
}

impl Polymorphic {
    /// The generic references that a shape fills.
    pub(crate) fn slots(&self, shape: &Shape) -> Vec<GenericSlot> {
        let slot = |(generic, of): (usize, &Generic)| {
            Some(GenericSlot {
                generic,
                type_slot: shape.slot_of(of.type_column)?,
                id_slot: shape.slot_of(of.id_column)?,
            })
        };
        self.generics.iter().enumerate().filter_map(slot).collect()
    }

    /// Where a row's generic reference leads; `None` where it is no reference, or its type is not known.
    pub(crate) fn resolve(
        &self,
        state: &State,
        registry: &IndexRegistry,
        catalog: &Catalog,
        row: &Row,
        slot: GenericSlot,
    ) -> Option<(RelationId, Resolution)> {
        let given = row.given_value(slot.id_slot).filter(|value| !value.is_null())?;
        let label = self.label(state, registry, row, slot)?;
        let (target, index) = self.target(&label)?;
        let key = key_value(catalog, registry, target, index, given)?;
        Some((target, state.by_key(registry, target, index, &[&key])))
    }

    /// See [`State::is_doubtful`].
    pub(crate) fn is_doubtful(&self, state: &State, registry: &IndexRegistry, target: RelationId) -> bool {
        let index = self.targets.values().find(|(relation, _)| *relation == target).map(|(_, index)| *index);
        index.is_some_and(|index| state.is_doubtful(registry, target, index))
    }

    /// The type that a row's generic reference names, where no table is known for it.
    pub(crate) fn unknown_type(
        &self,
        state: &State,
        registry: &IndexRegistry,
        row: &Row,
        slot: GenericSlot,
    ) -> Option<String> {
        row.given_value(slot.id_slot).filter(|value| !value.is_null())?;
        let label = self.label(state, registry, row, slot)?;
        self.target(&label).is_none().then_some(label)
    }

    /// What the type column of a generic reference says.
    fn label(&self, state: &State, registry: &IndexRegistry, row: &Row, slot: GenericSlot) -> Option<String> {
        match self.generics[slot.generic].types {
            Types::Name => match row.cells[slot.type_slot].value() {
                Some(Value::Text(name)) => Some(name.clone()),
                _ => None,
            },
            Types::ContentType { relation, index, app_label, model } => {
                content_type(state, registry, row, slot.type_slot, (relation, index), [app_label, model])
            }
        }
    }

    /// Follows the ids inside a value: what it becomes, if anything changes. Ids that lead nowhere are added to `unfollowed`, keys that have to be looked up
    /// first to `needs`.
    pub(crate) fn follow_embedded(
        &self,
        (state, registry, catalog): (&State, &IndexRegistry, &Catalog),
        column: usize,
        value: &Value,
        unfollowed: &mut Vec<Unfollowed>,
        needs: &mut Vec<(IndexId, Vec<Value>)>,
    ) -> Option<Value> {
        let Value::Text(text) = value else { return None };
        // All ids are read from the text as it is given: what one path has followed is none of another's.
        let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        for embedded in self.embedded.iter().filter(|embedded| embedded.column == column) {
            for (span, id) in self.ids_of(embedded, text) {
                let Some(key) = key_value(catalog, registry, embedded.target, embedded.index, &id) else { continue };
                match state.by_key(registry, embedded.target, embedded.index, &[&key]) {
                    Resolution::Record(_, Some(new)) | Resolution::Target(Some(new)) if new[0] != key => {
                        let quoted = text.as_bytes()[span.start] == b'"';
                        let new = in_form_of(&id, new[0].clone());
                        edits.push((span, if quoted { format!("\"{new}\"") } else { new.to_string() }));
                    }
                    Resolution::Need(index, values) => needs.push((index, values)),
                    why
                    @ (Resolution::Missing | Resolution::External | Resolution::Unnamed | Resolution::Ambiguous) => {
                        let (target, loose) = (embedded.target, embedded.loose);
                        unfollowed.push(Unfollowed { column, generic: None, target, id, why, loose });
                    }
                    why @ Resolution::Target(None) if state.is_doubtful(registry, embedded.target, embedded.index) => {
                        unfollowed.push(Unfollowed {
                            column,
                            generic: None,
                            target: embedded.target,
                            id,
                            why,
                            loose: true,
                        });
                    }
                    _ => {}
                }
            }
        }
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        edits.dedup_by_key(|(span, _)| span.start);
        let changed = !edits.is_empty();
        let mut text = text.clone();
        for (span, new) in edits {
            text.replace_range(span, &new);
        }
        changed.then_some(Value::Text(text))
    }
}

/// A record that a polymorphic reference leads to.
pub(crate) struct Led {
    /// The column of the id.
    pub(crate) column: usize,
    /// The generic reference; `None`: the id stands in a document.
    pub(crate) generic: Option<usize>,
    pub(crate) record: (RelationId, Ordinal),
}

impl Polymorphic {
    /// The records to which a row's polymorphic references lead, save for those that may name what is gone.
    pub(crate) fn records(
        &self,
        (state, registry, catalog): (&State, &IndexRegistry, &Catalog),
        row: &Row,
    ) -> Vec<Led> {
        let mut led = Vec::new();
        for slot in &row.shape.generics {
            let generic = &self.generics[slot.generic];
            let resolved = self.resolve(state, registry, catalog, row, *slot);
            if let Some((target, Resolution::Record(ordinal, _))) = resolved {
                // Where ids stay, what is found by its names alone may name a row that comes later, as a log may; where they move, the id would be another's.
                if generic.loose && !(generic.guessed && state.relation(target).moved) {
                    continue;
                }
                led.push(Led { column: generic.id_column, generic: Some(slot.generic), record: (target, ordinal) });
            }
        }
        for embedded in self.embedded.iter().filter(|embedded| !embedded.loose) {
            let value = row.shape.slot_of(embedded.column).and_then(|slot| row.given_value(slot));
            let Some(Value::Text(text)) = value else { continue };
            for (_, id) in self.ids_of(embedded, text) {
                let key = key_value(catalog, registry, embedded.target, embedded.index, &id);
                let resolution = key.map(|key| state.by_key(registry, embedded.target, embedded.index, &[&key]));
                if let Some(Resolution::Record(ordinal, _)) = resolution {
                    led.push(Led { column: embedded.column, generic: None, record: (embedded.target, ordinal) });
                }
            }
        }
        led
    }

    /// The rows that a row's polymorphic references name by id, whether they are there or not.
    pub(crate) fn ids(
        &self,
        (state, registry, catalog): (&State, &IndexRegistry, &Catalog),
        row: &Row,
    ) -> Vec<(RelationId, IndexId, Value)> {
        let mut ids = Vec::new();
        for slot in &row.shape.generics {
            let target = self.label(state, registry, row, *slot).and_then(|label| self.target(&label));
            let (Some(given), Some((target, index))) = (row.given_value(slot.id_slot), target) else { continue };
            ids.extend(key_value(catalog, registry, target, index, given).map(|key| (target, index, key)));
        }
        for embedded in &self.embedded {
            let value = row.shape.slot_of(embedded.column).and_then(|slot| row.given_value(slot));
            let Some(Value::Text(text)) = value else { continue };
            let (target, index) = (embedded.target, embedded.index);
            let keys = self.ids_of(embedded, text).into_iter();
            let keys = keys.filter_map(|(_, id)| key_value(catalog, registry, target, index, &id));
            ids.extend(keys.map(|key| (target, index, key)));
        }
        ids
    }

    /// What looks like a document with ids in a row and cannot be read.
    pub(crate) fn unreadable(&self, row: &Row) -> impl Iterator<Item = &Embedded> {
        let unreadable = move |embedded: &&Embedded| {
            let value = row.shape.slot_of(embedded.column).and_then(|slot| row.given_value(slot));
            !self.arrays.contains(&embedded.column) && matches!(value, Some(Value::Text(text)) if is_unreadable(text))
        };
        self.embedded.iter().filter(unreadable)
    }

    /// The ids inside a value, with their places.
    fn ids_of(&self, embedded: &Embedded, text: &str) -> Vec<(std::ops::Range<usize>, Value)> {
        if self.arrays.contains(&embedded.column) {
            array_elements(text)
        } else {
            json_ids(text, embedded.path.as_ref())
        }
    }
}

/// Stands for a generic reference where references that become NULL are noted, after the relation's foreign keys.
pub(crate) fn nulled_key(relation: &Relation, generic: usize) -> usize {
    relation.foreign_keys.len() + generic
}

/// The application and model that a content type names, as `application.model`.
fn content_type(
    state: &State,
    registry: &IndexRegistry,
    row: &Row,
    slot: usize,
    (relation, index): (RelationId, IndexId),
    columns: [usize; 2],
) -> Option<String> {
    let joined = |parts: [Value; 2]| match parts {
        [Value::Text(app), Value::Text(model)] => Some(format!("{app}.{model}").to_ascii_lowercase()),
        _ => None,
    };
    if let Some(natural) = row.given_natural(slot) {
        let parts = natural.parts.iter().map(|part| match part {
            ReferencePart::Value(value) => Some(value.clone()),
            ReferencePart::Nested(_) => None,
        });
        let parts: [Value; 2] = parts.collect::<Option<Vec<_>>>()?.try_into().ok()?;
        return joined(parts);
    }
    let known = state.relation(relation);
    let given = row.given_value(slot)?;
    let key = Key::of(std::iter::once((given, &registry.spec(index).comparisons[0])))?;
    match state.indexes[index.0].records.get(&key) {
        Found::Record(ordinal) => {
            joined([known.final_value(columns[0], ordinal)?, known.final_value(columns[1], ordinal)?])
        }
        Found::Several => None,
        Found::Nowhere => {
            // Where an earlier restore has moved the type, what is known of it is known by its key there.
            let comparisons = &registry.spec(index).comparisons;
            let there = state.id_map.get(index, &key).map(|now| Key::with_nulls(now.iter().zip(comparisons)));
            let key = there.unwrap_or(key);
            let Some(External::Row(payload)) = state.indexes[index.0].external.get(&key) else { return None };
            let of = |column: usize| {
                let at = known.payload.iter().position(|candidate| *candidate == column)?;
                payload.get(at).cloned()
            };
            joined([of(columns[0])?, of(columns[1])?])
        }
    }
}

/// An id as a value of the key that it names: a number may stand in text, and a UUID has two forms.
fn key_value(
    catalog: &Catalog,
    registry: &IndexRegistry,
    target: RelationId,
    index: IndexId,
    id: &Value,
) -> Option<Value> {
    let column = &catalog.relation(target).columns[registry.spec(index).columns[0]];
    let integer = matches!(column.data_type.kind, TypeKind::Integer { .. }) || column.is_numbered();
    match id {
        Value::Text(text) if integer => text.trim().parse().ok().map(Value::Int),
        Value::Int(id) if !integer => Some(Value::Text(id.to_string())),
        Value::Text(text) => Some(Value::Text(match (&column.data_type.kind, uuid(text)) {
            (TypeKind::Uuid, Ok(uuid)) => uuid,
            // Django keeps UUIDs as 32 hexadecimal digits where the database has no type for them, and names them with hyphens.
            (TypeKind::Text { max_chars: Some(32), .. }, Ok(uuid)) if text.len() == 36 => uuid.replace('-', ""),
            _ => text.clone(),
        })),
        other => Some(other.clone()),
    }
}

/// A new id in the form in which the old one stood.
pub(crate) fn in_form_of(old: &Value, new: Value) -> Value {
    let Value::Text(old) = old else { return new };
    let new = new.to_string();
    Value::Text(match (uuid(old), uuid(&new)) {
        (Ok(_), Ok(hyphened)) if old.contains('-') && !new.contains('-') => hyphened,
        (Ok(_), Ok(_)) if !old.contains('-') => new.replace('-', ""),
        _ => new,
    })
}

/// A document as paths look at it. What has no place in it (a number past every float, half a surrogate) stands there as what comes closest: nothing is
/// read from it but where ids are.
fn document(raw: RawJson<'_>) -> serde_json::Value {
    match raw.kind() {
        JsonKind::Null | JsonKind::NonFinite => serde_json::Value::Null,
        JsonKind::True => true.into(),
        JsonKind::False => false.into(),
        JsonKind::Number => raw.text().parse::<serde_json::Number>().map_or(serde_json::Value::Null, Into::into),
        JsonKind::String => raw.as_str().map_or_else(|_| raw.text().into(), Into::into),
        JsonKind::Array => raw.elements().map(document).collect(),
        // Of a name that stands twice the last counts, as it does to every parser.
        JsonKind::Object => raw.entries().map(|(key, value)| (member(key).into_owned(), document(value))).collect(),
    }
}

/// The name of a member: what it says, or how it is written where that is no text.
fn member(name: RawJson<'_>) -> Cow<'_, str> {
    name.as_str().unwrap_or_else(|_| Cow::Borrowed(name.text()))
}

/// Whether a text looks like a document and cannot be read as one, so that nobody knows which ids it holds.
fn is_unreadable(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && RawJson::parse(text, DEPTH_MAX).is_err()
}

/// The scalars of a document that a path selects, with their places in the text; without a path every element of an array.
fn json_ids(text: &str, path: Option<&JsonPath>) -> Vec<(std::ops::Range<usize>, Value)> {
    let Ok(raw) = RawJson::parse(text, DEPTH_MAX) else { return Vec::new() };
    let scalar = |raw: RawJson<'_>| {
        let value = match raw.kind() {
            JsonKind::Number => raw.text().parse().ok().map(Value::Int)?,
            JsonKind::String => Value::Text(raw.as_str().ok()?.into_owned()),
            _ => return None,
        };
        let start = raw.offset() as usize;
        Some((start..start + raw.text().len(), value))
    };
    let Some(path) = path else { return raw.elements().filter_map(scalar).collect() };
    let document = document(raw);
    let located = path.query_located(&document);
    let spans = located.iter().filter_map(|node| {
        let at = node.location().iter().try_fold(raw, |raw, element| match element {
            serde_json_path::PathElement::Index(index) => raw.elements().nth(*index),
            // Of a name that stands twice the last counts, as it does to every parser.
            serde_json_path::PathElement::Name(name) => {
                raw.entries().filter(|(key, _)| member(*key) == *name).last().map(|(_, value)| value)
            }
        })?;
        scalar(at)
    });
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|(span, _)| span.start);
    spans.dedup_by_key(|(span, _)| span.start);
    spans
}

/// The elements of an array in PostgreSQL's syntax that are numbers or plain words, with their places.
fn array_elements(text: &str) -> Vec<(std::ops::Range<usize>, Value)> {
    let mut elements = Vec::new();
    let mut start = None;
    for (at, character) in text.char_indices() {
        if matches!(character, '{' | '}' | ',' | '"') {
            if let Some(from) = start.take() {
                let word: &str = &text[from..at];
                if !word.eq_ignore_ascii_case("null") {
                    let value = word.parse().map_or_else(|_| Value::Text(word.to_owned()), Value::Int);
                    elements.push((from..at, value));
                }
            }
        } else if start.is_none() && !character.is_whitespace() {
            start = Some(at);
        }
    }
    elements
}

/// The steps of a load order with those last that hold polymorphic references, so that what they may refer to is known when
/// they are read; what depends on them comes after them.
pub(crate) fn postpone(
    catalog: &Catalog,
    order: relink_graph::LoadOrder,
    holds: &dyn Fn(RelationId) -> bool,
) -> relink_graph::LoadOrder {
    let mut late: std::collections::HashSet<RelationId> = std::collections::HashSet::new();
    let mut order = order;
    let refers = |relation: &Relation, late: &std::collections::HashSet<RelationId>| {
        relation.foreign_keys.iter().filter_map(|key| catalog.id(&key.referenced)).any(|target| late.contains(&target))
    };
    let mut now = Vec::new();
    let mut later = Vec::new();
    for step in order.steps {
        let waits = step.relations.iter().any(|id| holds(*id) || refers(catalog.relation(*id), &late));
        if waits {
            late.extend(step.relations.iter().copied());
            later.push(step);
        } else {
            now.push(step);
        }
    }
    now.extend(later);
    order.steps = now;
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str, path: &str) -> Vec<String> {
        let path = JsonPath::parse(path).expect("a path");
        json_ids(text, Some(&path)).into_iter().map(|(span, id)| format!("{} {id}", &text[span])).collect()
    }

    #[test]
    fn a_document_that_common_parsers_refuse_is_followed_all_the_same() {
        let text = r#"{"big": 1e400, "half": "\ud800", "\ud800": 1, "id": 7, "\udc00": {"id": "8"}}"#;
        assert_eq!(ids(text, "$..id"), ["7 7", "\"8\" 8"]);
        let deep = format!("{}{{\"id\": 9}}{}", "[".repeat(300), "]".repeat(300));
        assert_eq!(ids(&deep, "$..id"), ["9 9"]);
        assert!(!is_unreadable(text) && !is_unreadable(&deep) && !is_unreadable("plain") && !is_unreadable(""));
        assert!(is_unreadable(&"[".repeat(600)) && is_unreadable("{\"id\": }"));
    }

    #[test]
    fn a_path_selects_ids_by_what_stands_beside_them() {
        let text =
            r#"[{"type": "image", "value": 5}, {"type": "page", "value": "6"}, {"type": "image", "value": {"id": 7}}]"#;
        assert_eq!(ids(text, "$[?@.type == 'image'].value"), ["5 5"]);
        assert_eq!(ids(text, "$..id"), ["7 7"]);
        assert_eq!(ids(text, "$[?@.type == 'page'].value"), ["\"6\" 6"]);
    }

    #[test]
    fn elements_of_arrays_are_ids_and_null_is_none() {
        let found: Vec<String> = array_elements("{1,NULL, 23,{4}}").into_iter().map(|(_, id)| id.to_string()).collect();
        assert_eq!(found, ["1", "23", "4"]);
        let text = "[1, 2, null]";
        assert_eq!(json_ids(text, None).len(), 2);
    }

    #[test]
    fn a_new_uuid_takes_the_form_of_the_old() {
        let (plain, hyphens) = ("0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef");
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(in_form_of(&text("FEED0000-0000-4000-8000-000000000001"), text(plain)), text(hyphens));
        assert_eq!(in_form_of(&text("feed0000000040008000000000000001"), text(hyphens)), text(plain));
        assert_eq!(in_form_of(&text("7"), Value::Int(12)), text("12"));
        assert_eq!(in_form_of(&Value::Int(7), Value::Int(12)), Value::Int(12));
    }

    #[test]
    fn a_class_is_its_table_in_the_singular() {
        assert!(class_names("blog_posts").contains(&"blogpost".to_owned()));
        assert!(class_names("categories").contains(&"category".to_owned()));
        assert!(class_names("boxes").contains(&"box".to_owned()));
    }
}
