//! Natural keys: which columns make one, and how a list in the export is read as a reference by natural key.

use relink_export::{JsonKind, RawJson};
use relink_model::{
    Catalog, Column, RelationId, Value,
    config::{ConfigError, TreeKeyConfig},
};

use crate::{
    coerce::{self, How, Rules},
    drift::{By, Note},
    index::{IndexId, IndexRegistry},
    key::{Comparison, Key},
    mapping::Mapping,
    transform,
};

/// The natural key of a relation.
#[derive(Clone, Debug)]
pub(crate) struct NaturalKey {
    pub(crate) relation: RelationId,
    pub(crate) parts: Vec<KeyPart>,
    /// The index over the relation's own columns of these parts.
    pub(crate) index: IndexId,
    /// The key is the values of its one part from the root of a tree to the row.
    pub(crate) tree: Option<Tree>,
    /// Where relink has it from: `configuration`, `profile django`, `unique key auth_user_username_key`.
    pub(crate) source: String,
}

/// A tree with materialised paths.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// The column whose values make the key.
    pub(crate) column: usize,
    /// How it is compared.
    pub(crate) comparison: Comparison,
    /// The column of paths.
    pub(crate) path: usize,
    /// Characters of the path for each level.
    pub(crate) step: usize,
}

impl Tree {
    /// The key of the values from the root to a row.
    pub(crate) fn key(&self, values: &[Value]) -> Key {
        Key::with_nulls(values.iter().zip(std::iter::repeat(&self.comparison)))
    }
}

/// One part: an own column, or a foreign key column that stands for the natural key of the row it references.
#[derive(Clone, Debug)]
pub(crate) enum KeyPart {
    /// A column of the relation itself.
    Column {
        column: usize,
        /// Where the column is a foreign key: the referenced relation and column. A nested list names the row by that relation's
        /// natural key.
        nested: Option<(RelationId, usize)>,
    },
    /// `fk.column` parts: the elements follow in the flat list.
    Through { column: usize, through: Through },
}

/// A step through a foreign key.
#[derive(Clone, Debug)]
pub(crate) struct Through {
    /// The natural key of the referenced relation.
    pub(crate) key: Box<NaturalKey>,
    /// The referenced column, whose value the foreign key column holds.
    pub(crate) referenced_column: usize,
}

impl KeyPart {
    /// The relation's own column.
    pub(crate) fn column(&self) -> usize {
        match self {
            Self::Column { column, .. } | Self::Through { column, .. } => *column,
        }
    }

    fn arity(&self) -> usize {
        match self {
            Self::Column { .. } => 1,
            Self::Through { through, .. } => through.key.arity(),
        }
    }
}

impl NaturalKey {
    /// How many elements a flat list has.
    pub(crate) fn arity(&self) -> usize {
        self.parts.iter().map(KeyPart::arity).sum()
    }

    /// Column names as the configuration writes them, for messages.
    pub(crate) fn describe(&self, catalog: &Catalog) -> String {
        let relation = catalog.relation(self.relation);
        let names = self.parts.iter().map(|part| {
            let name = &relation.columns[part.column()].name;
            match part {
                KeyPart::Column { .. } => name.clone(),
                KeyPart::Through { through, .. } => format!("{name}.({})", through.key.describe(catalog)),
            }
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

/// The deepest chain of natural keys through foreign keys.
const DEPTH_MAX: usize = 8;

/// Reads a `natural_key` of the configuration or a profile against the catalog.
pub(crate) fn parse(
    catalog: &Catalog,
    registry: &mut IndexRegistry,
    relation: RelationId,
    parts: &[String],
    source: &str,
) -> Result<NaturalKey, ConfigError> {
    parse_at(catalog, registry, relation, parts, source, 0)
}

fn parse_at(
    catalog: &Catalog,
    registry: &mut IndexRegistry,
    relation: RelationId,
    names: &[String],
    source: &str,
    depth: usize,
) -> Result<NaturalKey, ConfigError> {
    let definition = catalog.relation(relation);
    let table = definition.name.to_string();
    let syntax = |text: &str, expected: &str| ConfigError::Syntax {
        table: table.clone(),
        key: "natural_key".to_owned(),
        text: text.to_owned(),
        expected: expected.to_owned(),
    };
    if names.is_empty() {
        return Err(syntax("[]", "at least one column"));
    }
    if depth > DEPTH_MAX {
        return Err(syntax(&names.join(", "), "a chain of foreign keys that ends"));
    }
    let mut parts = Vec::new();
    let mut rest = names;
    while let Some(name) = rest.first() {
        let (column_name, dotted) = match name.split_once('.') {
            Some((column, _)) => (column, true),
            None => (name.as_str(), false),
        };
        relink_model::config::require_column(catalog, relation, &table, "natural_key", column_name)?;
        let (column, _) = definition.column(column_name).expect("require_column found it");
        if !dotted {
            parts.push(KeyPart::Column { column, nested: single_reference(catalog, relation, column) });
            rest = &rest[1..];
            continue;
        }
        // Consecutive parts through the same foreign key name one referenced row together.
        let prefix = format!("{column_name}.");
        let group: Vec<String> = rest.iter().map_while(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect();
        let (target, referenced_column) = single_reference(catalog, relation, column)
            .ok_or_else(|| syntax(name, "a column with a foreign key before the dot"))?;
        let key = parse_at(catalog, registry, target, &group, source, depth + 1)?;
        rest = &rest[group.len()..];
        parts.push(KeyPart::Through { column, through: Through { key: Box::new(key), referenced_column } });
    }
    let index = registry.add(catalog, relation, parts.iter().map(KeyPart::column).collect());
    Ok(NaturalKey { relation, parts, index, tree: None, source: source.to_owned() })
}

/// Reads a natural key along a tree against the catalog.
pub(crate) fn parse_tree(
    catalog: &Catalog,
    registry: &mut IndexRegistry,
    relation: RelationId,
    tree: &TreeKeyConfig,
    source: &str,
) -> Result<NaturalKey, ConfigError> {
    let definition = catalog.relation(relation);
    let table = definition.name.to_string();
    let column = |name: &str| {
        relink_model::config::require_column(catalog, relation, &table, "natural_key", name)
            .map(|()| definition.column(name).expect("require_column found it").0)
    };
    let (value, path) = (column(&tree.column)?, column(&tree.path)?);
    if tree.step == 0 {
        return Err(ConfigError::Syntax {
            table,
            key: "natural_key".to_owned(),
            text: "step = 0".to_owned(),
            expected: "the characters of the path for each level".to_owned(),
        });
    }
    let index = registry.add(catalog, relation, vec![path]);
    let parts = vec![KeyPart::Column { column: value, nested: None }];
    let comparison = Comparison::of(&definition.columns[value]);
    let tree = Tree { column: value, comparison, path, step: tree.step };
    Ok(NaturalKey { relation, parts, index, tree: Some(tree), source: source.to_owned() })
}

/// The relation and column that a single-column foreign key on this column references.
pub(crate) fn single_reference(catalog: &Catalog, relation: RelationId, column: usize) -> Option<(RelationId, usize)> {
    let definition = catalog.relation(relation);
    let name = &definition.columns[column].name;
    definition.foreign_keys.iter().filter(|key| key.columns.len() == 1 && &key.columns[0] == name).find_map(|key| {
        let target = catalog.id(&key.referenced)?;
        let (referenced, _) = catalog.relation(target).column(&key.referenced_columns[0])?;
        Some((target, referenced))
    })
}

/// A reference by natural key, with its values coerced to the key's columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NaturalReference {
    /// How many elements the flat list had: tells which natural key was meant.
    pub(crate) arity: usize,
    /// One for each part of the natural key.
    pub(crate) parts: Vec<ReferencePart>,
}

/// One part of a reference by natural key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ReferencePart {
    /// The value of an own column.
    Value(Value),
    /// The row that the foreign key column references.
    Nested(NaturalReference),
}

impl std::fmt::Display for NaturalReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[")?;
        for (position, part) in self.parts.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            match part {
                ReferencePart::Value(Value::Text(text)) => write!(f, "{text:?}")?,
                ReferencePart::Value(Value::Null) => f.write_str("null")?,
                ReferencePart::Value(value) => write!(f, "{value}")?,
                ReferencePart::Nested(nested) => write!(f, "{nested}")?,
            }
        }
        f.write_str("]")
    }
}

/// Reads a JSON list as a reference by this natural key. Its parts pass what the configuration does to the values of the key's columns, as
/// the records that they name do.
pub(crate) fn read(
    key: &NaturalKey,
    list: &[RawJson<'_>],
    mapping: &Mapping,
    catalog: &Catalog,
    rules: &Rules,
    notes: &mut Vec<Note>,
) -> Result<NaturalReference, String> {
    let own = |element: &RawJson<'_>, column: usize, notes: &mut Vec<Note>| {
        part_value(element, key.relation, column, mapping, catalog, rules, notes).map(ReferencePart::Value)
    };
    if let (Some(tree), false) = (&key.tree, list.is_empty()) {
        let parts = list.iter().map(|element| own(element, tree.column, notes));
        return Ok(NaturalReference { arity: list.len(), parts: parts.collect::<Result<_, _>>()? });
    }
    if list.len() != key.arity() {
        return Err(format!(
            "has {} parts, and the natural key of {} has {} ({})",
            list.len(),
            catalog.relation(key.relation).name,
            key.arity(),
            key.describe(catalog),
        ));
    }
    let mut rest = list;
    let mut parts = Vec::with_capacity(key.parts.len());
    for part in &key.parts {
        let (elements, after) = rest.split_at(part.arity());
        rest = after;
        parts.push(match part {
            KeyPart::Through { through, .. } => {
                ReferencePart::Nested(read(&through.key, elements, mapping, catalog, rules, notes)?)
            }
            KeyPart::Column { nested: Some((target, _)), .. } if elements[0].kind() == JsonKind::Array => {
                let inner: Vec<RawJson<'_>> = elements[0].elements().collect();
                let name = &catalog.relation(*target).name;
                let key = mapping
                    .identity(*target)
                    .ok_or_else(|| format!("holds a list for a row of {name}, whose natural key is not known"))?;
                ReferencePart::Nested(read(key, &inner, mapping, catalog, rules, notes)?)
            }
            KeyPart::Column { column, .. } => own(&elements[0], *column, notes)?,
        });
    }
    Ok(NaturalReference { arity: list.len(), parts })
}

/// One element of a list as a value of its column; null matches NULL.
fn part_value(
    element: &RawJson<'_>,
    relation: RelationId,
    column: usize,
    mapping: &Mapping,
    catalog: &Catalog,
    rules: &Rules,
    notes: &mut Vec<Note>,
) -> Result<Value, String> {
    let definition = &catalog.relation(relation).columns[column];
    let Some(recipe) = mapping.recipes.of(relation, column) else { return plain_value(element, definition, rules) };
    let mut note = |by| notes.push(Note::Changed { relation, column, by });
    if let Some(value) = &recipe.set {
        note(By::Set);
        return Ok(value.clone());
    }
    let changed = transform::apply(&recipe.steps, element, |at| note(By::Step(at)))
        .map_err(|unfit| format!("has a part {} that {}", element.text(), unfit.why))?;
    let value = match changed.as_deref().map(|text| RawJson::parse(text, usize::MAX)) {
        Some(Ok(changed)) => plain_value(&changed, definition, rules)?,
        Some(Err(error)) => return Err(error.to_string()),
        None => plain_value(element, definition, rules)?,
    };
    match &recipe.default {
        Some(default) if value.is_null() && !definition.nullable => {
            note(By::Default);
            Ok(default.clone())
        }
        _ => Ok(value),
    }
}

fn plain_value(element: &RawJson<'_>, column: &Column, rules: &Rules) -> Result<Value, String> {
    if element.kind() == JsonKind::Null {
        return Ok(Value::Null);
    }
    coerce::coerce(element, column, How::default(), rules)
        .map_err(|unfit| format!("has a part {} that {}", element.text(), unfit.why))
}
