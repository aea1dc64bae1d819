//! How the values of an export are read: each by its column, after what the configuration does to it.

use std::sync::Arc;

use relink_db::Exactness;
use relink_export::{JsonKind, RawJson};
use relink_model::{Catalog, Column, ColumnType, Config, RelationId, Value, config::ConfigError};

use crate::{
    coerce::{self, How, Rules, Unfit},
    mapping::Mapping,
    natural::{KeyPart, NaturalKey, NaturalReference, ReferencePart},
    transform::{By, Prepared, Recipe, Recipes},
};

/// Reads the values of one export as values of one catalog.
#[derive(Debug)]
pub struct Reader {
    catalog: Arc<Catalog>,
    mapping: Arc<Mapping>,
    rules: Rules,
    /// By relation and column.
    ways: Vec<Vec<How>>,
    recipes: Recipes,
}

/// Hears of each change that the configuration makes to a value: in which column, and by what.
type Heard<'a> = &'a mut dyn FnMut(RelationId, usize, By);

impl Reader {
    /// Settles how each column is read. `exactness` says how to tell whether the database would change a value of a type. Fails where the
    /// configuration's `set`, `default` or `transform` do not fit their columns.
    pub fn new(
        catalog: Arc<Catalog>,
        mapping: Arc<Mapping>,
        config: &Config,
        rules: Rules,
        exactness: impl Fn(&ColumnType) -> Option<Exactness>,
    ) -> Result<Self, Vec<ConfigError>> {
        let how = |id: RelationId, at: usize, column: &Column| How {
            reading: mapping.reading(id, at),
            exactness: exactness(&column.data_type),
        };
        let ways: Vec<Vec<How>> = catalog
            .iter()
            .map(|(id, relation)| relation.columns.iter().enumerate().map(|(at, column)| how(id, at, column)).collect())
            .collect();
        let recipes = Recipes::new(&catalog, config, &rules, &ways)?;
        Ok(Self { catalog, mapping, rules, ways, recipes })
    }

    /// What decides about values beside their columns.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How the values of a column are read.
    pub fn how(&self, relation: RelationId, column: usize) -> How {
        self.ways[relation.index()][column]
    }

    /// What the configuration does to the values of a column.
    pub fn recipe(&self, relation: RelationId, column: usize) -> Option<&Arc<Recipe>> {
        self.recipes.of(relation, column)
    }

    /// The recipes of a relation's columns, in the columns' order.
    pub fn recipes(&self, relation: RelationId) -> impl Iterator<Item = (usize, &Arc<Recipe>)> {
        self.recipes.of_relation(relation)
    }

    /// A JSON value as a value of its column; recipes are the caller's to apply before.
    pub fn value(&self, json: &RawJson<'_>, relation: RelationId, column: usize) -> Result<Value, Unfit> {
        coerce::coerce(json, self.column(relation, column), self.how(relation, column), &self.rules)
    }

    /// Passes a value through the steps of its column's recipe, and puts the default in the place of NULL where the column takes none. `heard`
    /// hears of each change. `set` is not asked: it is the value of records whatever they hold.
    pub fn prepare(
        &self,
        recipe: &Recipe,
        json: &RawJson<'_>,
        relation: RelationId,
        column: usize,
        heard: Heard<'_>,
    ) -> Result<Prepared, Unfit> {
        let definition = self.column(relation, column);
        recipe.prepare(json, definition, self.how(relation, column), &self.rules, &mut |by| heard(relation, column, by))
    }

    /// Reads a JSON list as a reference by this natural key. Its parts pass what the configuration does to the values of the key's columns, as
    /// the records that they name do. Fails with what is wrong, as a sentence fragment after the list.
    pub fn natural(
        &self,
        key: &NaturalKey,
        list: &[RawJson<'_>],
        heard: Heard<'_>,
    ) -> Result<NaturalReference, String> {
        if let (Some(tree), false) = (&key.tree, list.is_empty()) {
            let parts = list.iter().map(|element| self.part(element, key.relation, tree.column, heard));
            return Ok(NaturalReference { arity: list.len(), parts: parts.collect::<Result<_, _>>()? });
        }
        if list.len() != key.arity() {
            return Err(format!(
                "has {} parts, and the natural key of {} has {} ({})",
                list.len(),
                self.catalog.relation(key.relation).name,
                key.arity(),
                key.describe(&self.catalog),
            ));
        }
        let mut rest = list;
        let mut parts = Vec::with_capacity(key.parts.len());
        for part in &key.parts {
            let (elements, after) = rest.split_at(part.arity());
            rest = after;
            parts.push(match part {
                KeyPart::Through { through, .. } => {
                    ReferencePart::Nested(self.natural(&through.key, elements, heard)?)
                }
                KeyPart::Column { nested: Some((target, _)), .. } if elements[0].kind() == JsonKind::Array => {
                    let inner: Vec<RawJson<'_>> = elements[0].elements().collect();
                    let name = &self.catalog.relation(*target).name;
                    let key = self
                        .mapping
                        .identity(*target)
                        .ok_or_else(|| format!("holds a list for a row of {name}, whose natural key is not known"))?;
                    ReferencePart::Nested(self.natural(key, &inner, heard)?)
                }
                KeyPart::Column { column, .. } => self.part(&elements[0], key.relation, *column, heard)?,
            });
        }
        Ok(NaturalReference { arity: list.len(), parts })
    }

    /// One element of a list as a value of its column; null matches NULL.
    fn part(
        &self,
        element: &RawJson<'_>,
        relation: RelationId,
        column: usize,
        heard: Heard<'_>,
    ) -> Result<ReferencePart, String> {
        let definition = self.column(relation, column);
        let Some(recipe) = self.recipe(relation, column) else {
            return self.plain_part(element, definition).map(ReferencePart::Value);
        };
        if let Some(value) = &recipe.set {
            heard(relation, column, By::Set);
            return Ok(ReferencePart::Value(value.clone()));
        }
        let mut heard = |by| heard(relation, column, by);
        let prepared = recipe
            .prepare(element, definition, How::default(), &self.rules, &mut heard)
            .map_err(|unfit| format!("has a part {} that {}", element.text(), unfit.why))?;
        let value = match prepared {
            Prepared::AsItIs => self.plain_part(element, definition)?,
            Prepared::Changed(text) => {
                let changed = RawJson::parse(&text, usize::MAX).map_err(|error| error.to_string())?;
                self.plain_part(&changed, definition)?
            }
            Prepared::Default(value) => value,
        };
        Ok(ReferencePart::Value(value))
    }

    fn plain_part(&self, element: &RawJson<'_>, column: &Column) -> Result<Value, String> {
        if element.kind() == JsonKind::Null {
            return Ok(Value::Null);
        }
        coerce::coerce(element, column, How::default(), &self.rules)
            .map_err(|unfit| format!("has a part {} that {}", element.text(), unfit.why))
    }

    fn column(&self, relation: RelationId, column: usize) -> &Column {
        &self.catalog.relation(relation).columns[column]
    }
}
