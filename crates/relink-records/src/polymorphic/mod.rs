//! References that no foreign key declares: a type column beside an id column (Django's content types, Rails' `*_type` and `*_id`, configured
//! ones), and ids inside JSON documents and arrays. What they are, and which relation they can lead to; where they lead is for the engines to
//! find out.

mod ids;

use std::collections::HashMap;

use relink_model::{
    Catalog, RelationId, TypeKind, Value,
    config::{ConfigError, EmbeddedIdConfig, GenericConfig, TableConfig},
    suggest,
};
use serde_json_path::JsonPath;

use crate::{
    coerce::uuid,
    natural::{self, NaturalReference, ReferencePart},
    profile,
};

/// A type column beside an id column.
#[derive(Clone, Debug)]
pub struct Generic {
    /// The column of the type.
    pub type_column: usize,
    /// The column of the id.
    pub id_column: usize,
    /// What the type column holds.
    pub types: Types,
    /// Rows that are gone may be named.
    pub loose: bool,
    /// It was found by the names of its columns.
    pub guessed: bool,
}

/// What a type column holds.
#[derive(Clone, Copy, Debug)]
pub enum Types {
    /// The key of a row of `django_content_type`, whose columns name application and model: see [`content_type_label`].
    ContentType {
        /// The relation of content types.
        relation: RelationId,
        /// Its column whose values the type column holds.
        referenced: usize,
        /// Its column of the application.
        app_label: usize,
        /// Its column of the model.
        model: usize,
    },
    /// A name of a class or table.
    Name,
}

/// A primary key of one column, whose values ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdColumn {
    /// The relation.
    pub relation: RelationId,
    /// The column.
    pub column: usize,
}

impl IdColumn {
    /// That of a relation, where its primary key has one column.
    pub fn of(catalog: &Catalog, relation: RelationId) -> Option<Self> {
        let definition = catalog.relation(relation);
        let [only] = definition.primary_key_columns() else { return None };
        let (column, _) = definition.column(only)?;
        Some(Self { relation, column })
    }

    /// An id as a value of this key: a number may stand in text, and a UUID has two forms.
    pub fn value(self, catalog: &Catalog, id: &Value) -> Option<Value> {
        let column = &catalog.relation(self.relation).columns[self.column];
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
}

/// Ids inside the values of a column.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The column.
    pub column: usize,
    path: Option<JsonPath>,
    /// The column holds arrays.
    is_array: bool,
    /// Whose rows the ids name.
    pub target: IdColumn,
    /// Rows that are gone may be named.
    pub loose: bool,
}

/// What a relation refers to beside its foreign keys.
#[derive(Clone, Debug, Default)]
pub struct Polymorphic {
    /// Pairs of columns.
    pub generics: Vec<Generic>,
    /// Ids inside values.
    pub embedded: Vec<Embedded>,
    /// By what the type column says: `blog.post`, `Post`, `posts`.
    targets: HashMap<String, IdColumn>,
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
    pub fn targets(&self) -> impl Iterator<Item = RelationId> {
        self.targets.values().chain(self.embedded.iter().map(|embedded| &embedded.target)).map(|target| target.relation)
    }

    /// What a type column's text names, or the label of a content type.
    pub fn target(&self, name: &str) -> Option<IdColumn> {
        let table = || profile::rule(name);
        let folded = || suggest::fold(&name.replace("::", "_"));
        let found = self.targets.get(name).or_else(|| self.targets.get(&table()));
        let found = found.or_else(|| self.targets.get(&folded()));
        found.or_else(|| self.targets.get(&suggest::fold(class_alone(name)?))).copied()
    }
}

/// A class without what it stands in: `User` of `Admin::User`, `App\\Models\\User` and `app.models.User`. A label of two parts is a model's whole name.
fn class_alone(name: &str) -> Option<&str> {
    let of_dots = || (name.matches('.').count() > 1).then(|| name.rsplit_once('.')).flatten();
    let parts = name.rsplit_once("::").or_else(|| name.rsplit_once('\\')).or_else(of_dots);
    parts.map(|(_, class)| class)
}

/// The label that a content type's application and model make.
pub fn content_type_label(app_label: &str, model: &str) -> String {
    format!("{app_label}.{model}").to_ascii_lowercase()
}

impl NaturalReference {
    /// The label of the content type that this reference names by application and model.
    pub fn content_type_label(&self) -> Option<String> {
        match self.parts.as_slice() {
            [ReferencePart::Value(Value::Text(app_label)), ReferencePart::Value(Value::Text(model))] => {
                Some(content_type_label(app_label, model))
            }
            _ => None,
        }
    }
}

/// Reads what the configuration, or a profile, says about one table. `model_table` finds the relation of a Django label.
pub(crate) fn read(
    catalog: &Catalog,
    id: RelationId,
    settings: &TableConfig,
    model_table: &dyn Fn(&str) -> Option<RelationId>,
    labels: &[String],
) -> Result<Polymorphic, ConfigError> {
    let mut made = Polymorphic::default();
    for generic in &settings.generic {
        let read = generic_of(catalog, id, generic)?;
        made.add_targets(catalog, &read, &generic.targets, model_table, labels)?;
        made.generics.push(read);
    }
    for (column, ids) in &settings.embedded_ids {
        for embedded in ids {
            made.embedded.push(embedded_of(catalog, id, column, embedded)?);
        }
    }
    Ok(made)
}

/// The generic references of a table that no configuration speaks of, by the names of its columns: `content_type_id` and `object_id`, as Django's generic
/// foreign keys have them by default, where the first is a foreign key to a table of content types; and, save in a Django dump, `*_type` and `*_id`, where
/// the first is text. The id is no foreign key.
pub(crate) fn by_convention(
    catalog: &Catalog,
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
        if let Ok(mut generic) = generic_of(catalog, id, &config)
            && made.add_targets(catalog, &generic, &config.targets, model_table, labels).is_ok()
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

fn generic_of(catalog: &Catalog, id: RelationId, config: &GenericConfig) -> Result<Generic, ConfigError> {
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
            match (named("app_label"), named("model")) {
                (Some(app_label), Some(model)) => Types::ContentType { relation: target, referenced, app_label, model },
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
    let (at, definition) = relation.column(column).expect("require_column found it");
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
    let target = IdColumn::of(catalog, target)
        .ok_or_else(|| syntax(&config.table, "a table with a primary key of one column".to_owned()))?;
    let path = config.path.as_deref().map(|text| {
        JsonPath::parse(text).map_err(|error| syntax(text, format!("a JSONPath (RFC 9535): {}", error.message())))
    });
    let is_array = matches!(definition.data_type.kind, TypeKind::Array { .. });
    Ok(Embedded { column: at, path: path.transpose()?, is_array, target, loose: config.loose })
}

impl Polymorphic {
    /// Finds the relations that the type column can name.
    fn add_targets(
        &mut self,
        catalog: &Catalog,
        generic: &Generic,
        configured: &std::collections::BTreeMap<String, String>,
        model_table: &dyn Fn(&str) -> Option<RelationId>,
        labels: &[String],
    ) -> Result<(), ConfigError> {
        for (name, table) in configured {
            let target =
                catalog.find(table).ok_or_else(|| ConfigError::UnknownTable { table: table.clone(), nearest: None })?;
            if let Some(target) = IdColumn::of(catalog, target) {
                self.targets.insert(name.clone(), target);
            }
        }
        match generic.types {
            Types::ContentType { .. } => {
                for label in labels {
                    let label = label.to_ascii_lowercase();
                    let target = model_table(&label).and_then(|id| IdColumn::of(catalog, id));
                    if let Some(target) = target {
                        self.targets.entry(label).or_insert(target);
                    }
                }
                // Models of which the export holds no record can be named, too: by Django's rule their table says their name.
                for (id, relation) in catalog.iter() {
                    if let Some(target) = IdColumn::of(catalog, id) {
                        self.targets.entry(relation.name.name.clone()).or_insert(target);
                    }
                }
            }
            Types::Name => {
                for (id, relation) in catalog.iter() {
                    let Some(target) = IdColumn::of(catalog, id) else { continue };
                    for name in class_names(&relation.name.name) {
                        self.targets.entry(name).or_insert(target);
                    }
                }
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_told_from_what_it_stands_in() {
        for (name, class) in [
            ("Admin::User", Some("User")),
            ("App\\Models\\BlogPost", Some("BlogPost")),
            ("app.models.User", Some("User")),
            ("blog.post", None),
            ("Post", None),
        ] {
            assert_eq!(class_alone(name), class, "{name}");
        }
    }

    #[test]
    fn a_class_is_its_table_in_the_singular() {
        assert!(class_names("blog_posts").contains(&"blogpost".to_owned()));
        assert!(class_names("categories").contains(&"category".to_owned()));
        assert!(class_names("boxes").contains(&"box".to_owned()));
    }
}
