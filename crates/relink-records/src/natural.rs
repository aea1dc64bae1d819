//! Natural keys: which columns make one, and what a reference by natural key is.

use relink_model::{
    Catalog, RelationId, Value,
    config::{ConfigError, NaturalKeyConfig, TreeKeyConfig},
};

use crate::key::{Comparison, Key};

/// The natural key of a relation.
#[derive(Clone, Debug)]
pub struct NaturalKey {
    /// Whose rows it names.
    pub relation: RelationId,
    /// In the order of a list.
    pub parts: Vec<KeyPart>,
    /// The relation's own columns by which its rows are found: those of the parts, or a tree's paths.
    pub columns: Vec<usize>,
    /// The key is the values of its one part from the root of a tree to the row.
    pub tree: Option<Tree>,
    /// Where relink has it from: `configuration`, `profile django`, `unique key auth_user_username_key`.
    pub source: String,
}

/// A tree with materialised paths.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The column whose values make the key.
    pub column: usize,
    /// How it is compared.
    pub comparison: Comparison,
    /// The column of paths.
    pub path: usize,
    /// Characters of the path for each level.
    pub step: usize,
}

impl Tree {
    /// The key of the values from the root to a row.
    pub fn key(&self, values: &[Value]) -> Key {
        Key::with_nulls(values.iter().zip(std::iter::repeat(&self.comparison)))
    }
}

/// One part: an own column, or a foreign key column that stands for the natural key of the row it references.
#[derive(Clone, Debug)]
pub enum KeyPart {
    /// A column of the relation itself.
    Column {
        /// The column.
        column: usize,
        /// Where the column is a foreign key: the referenced relation and column. A nested list names the row by that relation's
        /// natural key.
        nested: Option<(RelationId, usize)>,
    },
    /// `fk.column` parts: the elements follow in the flat list.
    Through {
        /// The foreign key column.
        column: usize,
        /// Where it leads.
        through: Through,
    },
}

/// A step through a foreign key.
#[derive(Clone, Debug)]
pub struct Through {
    /// The natural key of the referenced relation.
    pub key: Box<NaturalKey>,
    /// The referenced column, whose value the foreign key column holds.
    pub referenced_column: usize,
}

impl KeyPart {
    /// The relation's own column.
    pub fn column(&self) -> usize {
        match self {
            Self::Column { column, .. } | Self::Through { column, .. } => *column,
        }
    }

    pub(crate) fn arity(&self) -> usize {
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
    pub fn describe(&self, catalog: &Catalog) -> String {
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
    relation: RelationId,
    key: &NaturalKeyConfig,
    source: &str,
) -> Result<NaturalKey, ConfigError> {
    match key {
        NaturalKeyConfig::Columns(names) => parse_at(catalog, relation, names, source, 0),
        NaturalKeyConfig::Tree(tree) => parse_tree(catalog, relation, tree, source),
    }
}

fn parse_at(
    catalog: &Catalog,
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
        let key = parse_at(catalog, target, &group, source, depth + 1)?;
        rest = &rest[group.len()..];
        parts.push(KeyPart::Through { column, through: Through { key: Box::new(key), referenced_column } });
    }
    let columns = parts.iter().map(KeyPart::column).collect();
    Ok(NaturalKey { relation, parts, columns, tree: None, source: source.to_owned() })
}

/// The same, along a tree.
fn parse_tree(
    catalog: &Catalog,
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
    let parts = vec![KeyPart::Column { column: value, nested: None }];
    let comparison = Comparison::of(&definition.columns[value]);
    let tree = Tree { column: value, comparison, path, step: tree.step };
    Ok(NaturalKey { relation, parts, columns: vec![path], tree: Some(tree), source: source.to_owned() })
}

/// The relation and column that a single-column foreign key on this column references.
pub fn single_reference(catalog: &Catalog, relation: RelationId, column: usize) -> Option<(RelationId, usize)> {
    let definition = catalog.relation(relation);
    let name = &definition.columns[column].name;
    definition.foreign_keys.iter().filter(|key| key.columns.len() == 1 && &key.columns[0] == name).find_map(|key| {
        let target = catalog.id(&key.referenced)?;
        // A key to a relation without a primary key may name no column at all: such a schema is wrong, and legal in SQLite.
        let (referenced, _) = catalog.relation(target).column(key.referenced_columns.first()?)?;
        Some((target, referenced))
    })
}

/// A reference by natural key, with its values coerced to the key's columns.
#[derive(Clone, Debug, PartialEq)]
pub struct NaturalReference {
    /// How many elements the flat list had: tells which natural key was meant.
    pub arity: usize,
    /// One for each part of the natural key.
    pub parts: Vec<ReferencePart>,
}

/// One part of a reference by natural key.
#[derive(Clone, Debug, PartialEq)]
pub enum ReferencePart {
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
