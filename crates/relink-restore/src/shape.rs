//! What records with the same field names have in common: which columns they fill and from where, which foreign keys and indexes that
//! covers, and what is wrong with every one of them. Made once for each set of names.

use std::sync::Arc;

use relink_export::Fields;
use relink_model::{AllowDrift, RelationId, Value};
use relink_records::{By, FieldTarget, JoinField, Recipe, single_reference};

use crate::{
    code,
    decode::{Decoder, Problem, shape_problem},
    drift::toml_key,
    index::IndexId,
    polymorphic::{self, GenericSlot},
};

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
    /// In the configuration.
    Configured,
}

/// A slot whose value the configuration gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) slot: usize,
    pub(crate) value: Value,
    /// `set`, or `default` where the records have no such field.
    pub(crate) by: By,
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
    /// Polymorphic references that the slots cover.
    pub(crate) generics: Vec<GenericSlot>,
    /// Many-to-many fields: field position and join table.
    pub(crate) joins: Vec<(usize, JoinField)>,
    /// Field names in the record's order.
    pub(crate) names: Vec<String>,
    /// Slots whose value the configuration gives.
    pub(crate) constants: Vec<Constant>,
    /// Positions of the fields that have no column; `None` for a `pk` without a primary key.
    pub(crate) unknown: Vec<Option<usize>>,
    /// Positions of the fields that the configuration sends into a column of another name, with the column.
    pub(crate) renamed: Vec<(usize, usize)>,
    /// What the configuration does to the values of each slot.
    pub(crate) recipes: Vec<Option<Arc<Recipe>>>,
    /// By join: why the rows of its lists cannot be made, where that is so.
    pub(crate) join_gaps: Vec<Option<String>>,
    pub(crate) has_pk: bool,
    pub(crate) targets: Vec<Target>,
    pub(crate) problems: Vec<(Option<usize>, Problem)>,
}

/// Where a field's value goes.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Slot(usize),
    /// The column has its value from `pk` already: both must agree.
    Repeat(usize),
    Join(usize),
    /// The database computes this column: what the export holds is compared with it.
    Computed(usize),
    /// By its number among the fields without a column.
    Unknown(usize),
    Ignore,
}

impl Shape {
    /// The slot of a relation's column.
    pub(crate) fn slot_of(&self, column: usize) -> Option<usize> {
        self.columns.iter().position(|candidate| *candidate == column)
    }

    pub(crate) fn is_constant(&self, slot: usize) -> bool {
        self.constants.iter().any(|constant| constant.slot == slot)
    }

    /// The field's name behind a slot, for messages and pointers; `None` for `pk`.
    pub(crate) fn field_of(&self, slot: usize) -> Option<&str> {
        match self.sources[slot] {
            SlotSource::Field(position) => Some(&self.names[position]),
            _ => None,
        }
    }

    /// The computed columns that the records have values for, each with the position of its field: in the order of [`Row::computed`].
    ///
    /// [`Row::computed`]: crate::decode::Row::computed
    pub(crate) fn computed(&self) -> impl Iterator<Item = (usize, usize)> {
        self.targets.iter().enumerate().filter_map(|(position, target)| match target {
            Target::Computed(column) => Some((*column, position)),
            _ => None,
        })
    }

    /// Whether a record has just these fields.
    pub(crate) fn fits(&self, fields: &Fields<'_>) -> bool {
        self.has_pk == fields.pk.is_some()
            && self.names.len() == fields.fields.len()
            && self.names.iter().zip(&fields.fields).all(|(name, (field, _))| name == field)
    }
}

impl Decoder {
    pub(crate) fn make_shape(&self, relation: RelationId, names: Vec<String>, has_pk: bool) -> Shape {
        let definition = self.catalog.relation(relation);
        let primary = definition.primary_key_columns();
        let mut shape = Shape {
            relation,
            columns: Vec::new(),
            sources: Vec::new(),
            references: Vec::new(),
            generics: Vec::new(),
            indexes: Vec::new(),
            joins: Vec::new(),
            targets: Vec::new(),
            problems: Vec::new(),
            constants: Vec::new(),
            unknown: Vec::new(),
            renamed: Vec::new(),
            recipes: Vec::new(),
            join_gaps: Vec::new(),
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
                shape.unknown.push(None);
            }
            if primary.is_empty() && self.allow_drift < AllowDrift::Fields {
                let message = format!("the record has a pk, and {} has no primary key", definition.name);
                shape.problems.push((None, shape_problem(code::UNKNOWN_FIELD, None, message, None)));
            }
        }
        let from_pk = shape.columns.len();
        let is_set = |column| self.reader.recipe(relation, column).is_some_and(|recipe| recipe.set.is_some());
        for position in 0..shape.names.len() {
            let name = shape.names[position].clone();
            let target = self.mapping.field(&self.catalog, relation, &name);
            if let FieldTarget::Column(column) = target
                && definition.columns[column].name != name
                && self.mapping.is_configured(relation, &name)
            {
                shape.renamed.push((position, column));
            }
            let target = match target {
                FieldTarget::Column(column) if is_set(column) => Target::Ignore,
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
                FieldTarget::Join(join) if self.selected.excludes(join.join) => Target::Ignore,
                FieldTarget::Join(join) => {
                    shape.join_gaps.push(self.join_gap(&join));
                    shape.joins.push((position, join));
                    Target::Join(shape.joins.len() - 1)
                }
                FieldTarget::Generated(column) => Target::Computed(column),
                FieldTarget::Ignored => Target::Ignore,
                FieldTarget::Unknown { nearest } => {
                    shape.unknown.push(Some(position));
                    if self.allow_drift < AllowDrift::Fields {
                        let message = format!("{} has no column for the field {name}", definition.name);
                        let table = definition.name.to_string();
                        let entry = format!("[table.{}] fields = {{ {} = \"\" }}", toml_key(&table), toml_key(&name));
                        let help = match nearest {
                            Some(nearest) => {
                                format!("the nearest column is {nearest}; to leave the field out: {entry}")
                            }
                            None => format!("to leave the field out: {entry}"),
                        };
                        let problem = shape_problem(code::UNKNOWN_FIELD, Some(&name), message, Some(help));
                        shape.problems.push((Some(position), problem));
                    }
                    Target::Unknown(shape.unknown.len() - 1)
                }
            };
            shape.targets.push(target);
        }
        self.add_constants(&mut shape);
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
        shape.recipes = shape.columns.iter().map(|column| self.reader.recipe(relation, *column).cloned()).collect();
        self.link(&mut shape);
        shape
    }

    /// Gives a shape the slots that the configuration fills.
    fn add_constants(&self, shape: &mut Shape) {
        for (column, recipe) in self.reader.recipes(shape.relation) {
            let known = shape.slot_of(column);
            let (value, by) = match (&recipe.set, &recipe.default) {
                (Some(value), _) => (value, By::Set),
                (None, Some(value)) if known.is_none() => (value, By::Default),
                _ => continue,
            };
            let slot = known.unwrap_or_else(|| {
                shape.columns.push(column);
                shape.sources.push(SlotSource::Configured);
                shape.columns.len() - 1
            });
            shape.constants.push(Constant { slot, value: value.clone(), by });
        }
    }

    /// Why lists cannot fill a join table, where they cannot: its rows have nothing but the two references, and the constants of plain columns.
    fn join_gap(&self, field: &JoinField) -> Option<String> {
        let relation = self.catalog.relation(field.join);
        let side = |column: usize| column == field.source_column || column == field.target_column;
        for (column, recipe) in self.reader.recipes(field.join) {
            let name = &relation.columns[column].name;
            let constant = recipe.set.is_some() || recipe.default.is_some() && !side(column);
            if constant && (side(column) || single_reference(&self.catalog, field.join, column).is_some())
                || column == field.source_column && !recipe.steps.is_empty()
            {
                return Some(format!(
                    "this list fills {}, and what the configuration does to its reference {name} is for records only",
                    relation.name
                ));
            }
        }
        let constants = self.join_constants(field);
        let missing = relation.columns.iter().enumerate().find(|(column, definition)| {
            !side(*column) && !definition.is_optional() && constants.iter().all(|(constant, _)| constant != column)
        });
        missing.map(|(_, missing)| {
            format!("this list fills {}, whose {} is NOT NULL and has no default", relation.name, missing.name)
        })
    }

    /// The constants that the rows of a join table get which lists make.
    pub(crate) fn join_constants(&self, field: &JoinField) -> Vec<(usize, Value)> {
        let recipes = self.reader.recipes(field.join);
        let constants = recipes.filter_map(|(column, recipe)| {
            let side = column == field.source_column || column == field.target_column;
            recipe.set.as_ref().or(recipe.default.as_ref()).filter(|_| !side).map(|value| (column, value.clone()))
        });
        constants.collect()
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
            let referenced = referenced.filter(|columns| columns.len() == slots.len());
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
        shape.generics =
            self.mapping.polymorphic(shape.relation).map_or_else(Vec::new, |found| polymorphic::slots(found, shape));
    }
}
