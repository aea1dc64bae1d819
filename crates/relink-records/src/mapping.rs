//! From the names of an export to the names of a database: labels to relations, fields to columns, many-to-many fields to
//! join tables, and the natural key of each relation. Configuration comes first, then profiles, then the naming rules:
//!
//! - Django dumps: `app.model` is table `app_model`; field `f` is column `f` or `f_id`; a many-to-many
//!   field `f` is join table `<table>_f`.
//! - Table maps: the table's and columns' own names; else the one name that is equal but for case and separators
//!   (`InvoiceLine` is `invoice_line`).

use std::collections::HashMap;

use indexmap::IndexMap;
use relink_export::LabelId;
use relink_model::{
    Catalog, Config, RelationId,
    config::{ConfigError, NaturalKeyConfig, Reading, TableConfig},
    suggest,
};

use crate::{
    natural::{self, KeyPart, NaturalKey},
    polymorphic::{self, Polymorphic},
    profile::{self, Fitted, Profiles},
};

/// Where the records of a label go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelTarget {
    /// Into this relation.
    Relation(RelationId),
    /// Nowhere: the configuration says so.
    Ignored,
    /// No relation was found.
    Unknown {
        /// What the naming rule asked for.
        expected: String,
        /// The nearest relation that exists.
        nearest: Option<String>,
    },
}

/// A many-to-many field: its lists become rows of a join table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinField {
    /// The join table.
    pub join: RelationId,
    /// The join table's column that references the record's own row.
    pub source_column: usize,
    /// The column that it references.
    pub source_referenced: usize,
    /// The join table's column that references the list's elements.
    pub target_column: usize,
    /// Their relation.
    pub target: RelationId,
    /// The column that it references.
    pub target_referenced: usize,
}

impl JoinField {
    /// A join table as seen from one of its ends. The first foreign key to `source` is the record's own side; a join table from a relation to
    /// itself references it twice, in column order (Django's `from_...`, `to_...`).
    pub fn of(catalog: &Catalog, source: RelationId, join: RelationId) -> Option<Self> {
        let definition = catalog.relation(join);
        let mut sides: Vec<(usize, RelationId, usize)> = (0..definition.columns.len())
            .filter_map(|column| {
                natural::single_reference(catalog, join, column).map(|(to, referenced)| (column, to, referenced))
            })
            .collect();
        let own = sides.iter().position(|(_, to, _)| *to == source)?;
        let (source_column, _, source_referenced) = sides.remove(own);
        let [(target_column, target, target_referenced)] = sides[..] else { return None };
        Some(Self { join, source_column, source_referenced, target_column, target, target_referenced })
    }
}

/// Where a field goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldTarget {
    /// Into this column.
    Column(usize),
    /// Into a computed column: left out, as the database computes it.
    Generated(usize),
    /// Into a join table.
    Join(JoinField),
    /// Nowhere: the configuration says so.
    Ignored,
    /// No column was found.
    Unknown {
        /// The nearest column that exists.
        nearest: Option<String>,
    },
}

/// The names of one export matched to one catalog.
#[derive(Debug)]
pub struct Mapping {
    /// By label of the export's index.
    labels: Vec<LabelTarget>,
    /// The natural keys of a relation: the configured one, or a profile's, or every unique key that can serve.
    natural_keys: IndexMap<RelationId, Vec<NaturalKey>>,
    /// How the values of a column are read, where that is configured.
    readings: HashMap<(RelationId, usize), Reading>,
    polymorphic: HashMap<RelationId, Polymorphic>,
    django: bool,
    fields: HashMap<(RelationId, String), FieldTarget>,
}

impl Mapping {
    /// Matches the labels of an export, and settles the natural keys and the polymorphic references. Lists everything of the configuration that
    /// does not fit the catalog.
    pub fn new(
        catalog: &Catalog,
        config: &Config,
        profiles: &Profiles<'_>,
        labels: &[String],
        django: bool,
    ) -> Result<Self, Vec<ConfigError>> {
        let tables = config.resolve_tables(catalog)?;
        let profiled: HashMap<RelationId, Fitted> =
            profiles.fit(catalog).into_iter().map(|fitted| (fitted.relation, fitted)).collect();
        let mut errors = Vec::new();
        let mut configured = HashMap::new();
        // The profiles' words first, so that the configuration's take their place.
        let (mut fields, mut readings) = of_profiles(catalog, &profiled);
        for (id, table, settings) in &tables {
            for label in &settings.models {
                let label = label.to_ascii_lowercase();
                match configured.insert(label.clone(), (*id, *table)) {
                    Some((other_id, other)) if other_id != *id => {
                        errors.push(ConfigError::ClaimedLabel {
                            table: (*table).to_owned(),
                            other: other.to_owned(),
                            label,
                        });
                    }
                    _ => {}
                }
            }
            for (field, column) in &settings.fields {
                let target = if column.is_empty() {
                    Ok(FieldTarget::Ignored)
                } else {
                    relink_model::config::require_column(catalog, *id, table, "fields", column).map(|()| {
                        column_target(catalog, *id, catalog.relation(*id).column(column).map_or(0, |(i, _)| i))
                    })
                };
                match target {
                    Ok(target) => drop(fields.insert((*id, field.clone()), target)),
                    Err(error) => errors.push(error),
                }
            }
            for (column, reading) in &settings.read {
                match relink_model::config::require_column(catalog, *id, table, "read", column) {
                    Ok(()) => {
                        let (column, _) = catalog.relation(*id).column(column).expect("require_column found it");
                        readings.insert((*id, column), *reading);
                    }
                    Err(error) => errors.push(error),
                }
            }
            for (field, join) in &settings.join_tables {
                match catalog.find(join).and_then(|join| JoinField::of(catalog, *id, join)) {
                    Some(target) => drop(fields.insert((*id, field.clone()), FieldTarget::Join(target))),
                    None => errors.push(ConfigError::Syntax {
                        table: (*table).to_owned(),
                        key: "join_tables".to_owned(),
                        text: String::clone(join),
                        expected: format!("a table with one foreign key to {table} and one more"),
                    }),
                }
            }
        }
        let natural_keys = match natural_keys(catalog, &tables, &profiled) {
            Ok(keys) => keys,
            Err(more) => {
                errors.extend(more);
                IndexMap::new()
            }
        };
        let model_table = |label: &str| {
            let by_name = || {
                let table = profiles.model(label).map_or_else(|| profile::rule(label), |model| model.table.clone());
                catalog.find(&table)
            };
            configured.get(label).map(|(relation, _)| *relation).or_else(by_name)
        };
        let mut polymorphic = HashMap::new();
        for (id, _) in catalog.iter() {
            let own = tables.iter().find(|(table, ..)| *table == id).map(|(_, _, settings)| *settings);
            let own = own.filter(|settings| !settings.generic.is_empty() || !settings.embedded_ids.is_empty());
            let settings = own.or_else(|| profiled.get(&id).map(|fitted| &fitted.settings));
            let read = match settings {
                Some(settings) => polymorphic::read(catalog, id, settings, &model_table, labels),
                None => Ok(polymorphic::by_convention(catalog, id, &model_table, labels, django)),
            };
            match read {
                Ok(read) if read.is_empty() => {}
                Ok(read) => drop(polymorphic.insert(id, read)),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let labels =
            labels.iter().map(|label| label_target(catalog, config, profiles, &configured, label, django)).collect();
        Ok(Self { labels, natural_keys, readings, polymorphic, django, fields })
    }

    /// Where the records of a label go.
    pub fn target(&self, label: LabelId) -> &LabelTarget {
        &self.labels[label.index()]
    }

    /// The same for all labels, in the order of the export's index.
    pub fn targets(&self) -> &[LabelTarget] {
        &self.labels
    }

    /// What a relation refers to beside its foreign keys.
    pub fn polymorphic(&self, relation: RelationId) -> Option<&Polymorphic> {
        self.polymorphic.get(&relation)
    }

    /// The relations through which content types are named, and the columns that name one.
    pub fn content_types(&self) -> impl Iterator<Item = (RelationId, [usize; 2])> {
        self.polymorphic.values().filter_map(Polymorphic::content_types)
    }

    /// How the values of a column are read, where that is configured.
    pub fn reading(&self, relation: RelationId, column: usize) -> Option<Reading> {
        self.readings.get(&(relation, column)).copied()
    }

    /// Whether the configuration says where a field goes.
    pub fn is_configured(&self, relation: RelationId, field: &str) -> bool {
        self.fields.contains_key(&(relation, field.to_owned()))
    }

    /// Where a field of a relation's records goes.
    pub fn field(&self, catalog: &Catalog, relation: RelationId, field: &str) -> FieldTarget {
        if let Some(target) = self.fields.get(&(relation, field.to_owned())) {
            return target.clone();
        }
        let definition = catalog.relation(relation);
        let exact = |name: &str| definition.column(name).map(|(index, _)| column_target(catalog, relation, index));
        if let Some(target) = exact(field) {
            return target;
        }
        if self.django {
            if let Some(target) = exact(&format!("{field}_id")) {
                return target;
            }
            let mut join_name = definition.name.clone();
            join_name.name = format!("{}_{field}", join_name.name);
            if let Some(target) = catalog.id(&join_name).and_then(|join| JoinField::of(catalog, relation, join)) {
                return FieldTarget::Join(target);
            }
        }
        let folded = suggest::fold(field);
        let mut same =
            definition.columns.iter().enumerate().filter(|(_, column)| suggest::fold(&column.name) == folded);
        if let (Some((index, _)), None) = (same.next(), same.next()) {
            return column_target(catalog, relation, index);
        }
        let nearest = suggest::nearest(field, definition.columns.iter().map(|column| column.name.as_str()));
        FieldTarget::Unknown { nearest: nearest.map(str::to_owned) }
    }

    /// The many-to-many fields that are configured, and those that Django's naming rule finds.
    pub fn list_fields(&self, catalog: &Catalog) -> Vec<JoinField> {
        let configured = self.fields.values().filter_map(|target| match target {
            FieldTarget::Join(field) => Some(field.clone()),
            _ => None,
        });
        let by_name = catalog.iter().flat_map(|(join, relation)| {
            let sources = relation.foreign_keys.iter().filter_map(|key| catalog.id(&key.referenced));
            let named = move |source: &RelationId| {
                let stem = format!("{}_", catalog.relation(*source).name.name);
                relation.name.name.starts_with(&stem)
            };
            sources.filter(named).filter_map(move |source| JoinField::of(catalog, source, join))
        });
        let mut fields: Vec<JoinField> = configured.chain(by_name).collect();
        fields.sort_by_key(|field| (field.join, field.source_column, field.target_column));
        fields
    }

    /// The natural keys of a relation: the configured one, or a profile's, or every unique key that can serve.
    pub fn natural_keys(&self, relation: RelationId) -> &[NaturalKey] {
        self.natural_keys.get(&relation).map_or(&[], Vec::as_slice)
    }

    /// Those of all relations, in the order in which they were settled: always the same for one catalog and configuration.
    pub fn all_natural_keys(&self) -> impl Iterator<Item = &NaturalKey> {
        self.natural_keys.values().flatten()
    }

    /// The natural key that a list of this many parts can mean: the only candidate of that arity.
    pub fn natural_key(&self, relation: RelationId, arity: usize) -> Result<&NaturalKey, NoNaturalKey> {
        let candidates = self.natural_keys(relation);
        let mut fitting = candidates.iter().filter(|key| key.arity() == arity);
        match (candidates, fitting.next(), fitting.next()) {
            ([], ..) => Err(NoNaturalKey::Unknown),
            (_, Some(key), None) => Ok(key),
            // A sole candidate of another arity: the error names its columns.
            ([only], ..) => Ok(only),
            (_, None, _) => Err(NoNaturalKey::NoneFits),
            (_, Some(_), Some(_)) => Err(NoNaturalKey::SeveralFit),
        }
    }

    /// Adds the relations that the natural keys of `relation` go through.
    pub fn behind_natural_keys(&self, relation: RelationId, found: &mut Vec<RelationId>) {
        let mut new = vec![relation];
        while let Some(relation) = new.pop() {
            for part in self.natural_keys(relation).iter().flat_map(|key| &key.parts) {
                let through = match part {
                    KeyPart::Through { through, .. } => Some(through.key.relation),
                    KeyPart::Column { nested, .. } => nested.map(|(target, _)| target),
                };
                if let Some(target) = through.filter(|target| !found.contains(target)) {
                    found.push(target);
                    new.push(target);
                }
            }
        }
    }

    /// The natural key by which rows of a relation are told apart: the only candidate there is.
    pub fn identity(&self, relation: RelationId) -> Option<&NaturalKey> {
        match self.natural_keys(relation) {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The natural key by which a part that is given as a list names a row, and that row's column whose value is the part's.
    pub fn key_behind<'a>(&'a self, part: &'a KeyPart) -> Option<(&'a NaturalKey, usize)> {
        match part {
            KeyPart::Through { through, .. } => Some((through.key.as_ref(), through.referenced_column)),
            KeyPart::Column { nested: Some((target, referenced)), .. } => Some((self.identity(*target)?, *referenced)),
            KeyPart::Column { nested: None, .. } => None,
        }
    }
}

/// Why a list cannot be read as a natural key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNaturalKey {
    /// The relation has no unique key besides its primary key, and none is configured.
    Unknown,
    /// No unique key has so many columns.
    NoneFits,
    /// Several unique keys have so many columns.
    SeveralFit,
}

fn column_target(catalog: &Catalog, relation: RelationId, column: usize) -> FieldTarget {
    if catalog.relation(relation).columns[column].generated.is_some() {
        FieldTarget::Generated(column)
    } else {
        FieldTarget::Column(column)
    }
}

/// Where fields go, and how columns are read, by the profiles.
#[expect(clippy::type_complexity, reason = "two maps that are filled further and then kept")]
fn of_profiles(
    catalog: &Catalog,
    profiled: &HashMap<RelationId, Fitted>,
) -> (HashMap<(RelationId, String), FieldTarget>, HashMap<(RelationId, usize), Reading>) {
    let (mut fields, mut readings) = (HashMap::new(), HashMap::new());
    for (id, Fitted { settings, .. }) in profiled {
        let column = |name: &str| catalog.relation(*id).column(name).map(|(index, _)| index);
        for (field, name) in &settings.fields {
            let target = column(name).map_or(FieldTarget::Ignored, |index| column_target(catalog, *id, index));
            fields.insert((*id, field.clone()), target);
        }
        readings.extend(settings.read.iter().filter_map(|(name, reading)| Some(((*id, column(name)?), *reading))));
        for (field, join) in &settings.join_tables {
            if let Some(target) = catalog.find(join).and_then(|join| JoinField::of(catalog, *id, join)) {
                fields.insert((*id, field.clone()), FieldTarget::Join(target));
            }
        }
    }
    (fields, readings)
}

/// The table that the records of a label belong into, whatever tables there are; `None` where the configuration leaves them out.
pub fn table_of(label: &str, config: &Config, profiles: &Profiles<'_>, django: bool) -> Option<String> {
    if config.ignore_models.iter().any(|ignored| ignored.eq_ignore_ascii_case(label)) || profiles.ignores(label) {
        return None;
    }
    let claims = |settings: &TableConfig| settings.models.iter().any(|model| model.eq_ignore_ascii_case(label));
    if let Some((table, _)) = config.table.iter().find(|(_, settings)| claims(settings)) {
        return Some(table.clone());
    }
    if !django {
        return Some(label.to_owned());
    }
    let label = label.to_ascii_lowercase();
    Some(profiles.model(&label).map_or_else(|| profile::rule(&label), |model| model.table.clone()))
}

fn label_target(
    catalog: &Catalog,
    config: &Config,
    profiles: &Profiles<'_>,
    configured: &HashMap<String, (RelationId, &str)>,
    label: &str,
    django: bool,
) -> LabelTarget {
    let Some(expected) = table_of(label, config, profiles, django) else { return LabelTarget::Ignored };
    if let Some((relation, _)) = configured.get(&label.to_ascii_lowercase()) {
        return LabelTarget::Relation(*relation);
    }
    let found = catalog.find(&expected);
    if let Some(relation) = found.or_else(|| catalog.find_folded(&expected)) {
        return LabelTarget::Relation(relation);
    }
    let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
    let nearest = suggest::nearest(&expected, names.iter().map(String::as_str)).map(str::to_owned);
    LabelTarget::Unknown { expected, nearest }
}

/// The natural keys: configured ones, then the profiles', then unique keys as candidates.
fn natural_keys(
    catalog: &Catalog,
    tables: &[(RelationId, &str, &TableConfig)],
    profiled: &HashMap<RelationId, Fitted>,
) -> Result<IndexMap<RelationId, Vec<NaturalKey>>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut keys: IndexMap<RelationId, Vec<NaturalKey>> = IndexMap::new();
    for (id, _, settings) in tables {
        if let Some(key) = &settings.natural_key {
            match natural::parse(catalog, *id, key, "configuration") {
                Ok(key) => drop(keys.insert(*id, vec![key])),
                Err(error) => errors.push(error),
            }
        }
    }
    for (id, relation) in catalog.iter() {
        if keys.contains_key(&id) {
            continue;
        }
        // A profile's key for a table that has lost those columns is no mistake of the user's: it just does not apply.
        let known = profiled.get(&id).and_then(|fitted| {
            let source = format!("profile {}", fitted.profile);
            natural::parse(catalog, id, fitted.settings.natural_key.as_ref()?, &source).ok()
        });
        if let Some(key) = known {
            keys.insert(id, vec![key]);
            continue;
        }
        let unique =
            relation.unique_keys.iter().filter(|key| key.is_plain() && key.columns != relation.primary_key_columns());
        let candidates: Vec<NaturalKey> = unique
            .filter_map(|key| {
                let columns = NaturalKeyConfig::Columns(key.columns.clone());
                natural::parse(catalog, id, &columns, &format!("unique key {}", key.name)).ok()
            })
            .collect();
        if !candidates.is_empty() {
            keys.insert(id, candidates);
        }
    }
    if errors.is_empty() { Ok(keys) } else { Err(errors) }
}
