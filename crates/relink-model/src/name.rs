//! Names of relations and constraints, as newtypes so that they cannot be mixed up.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The qualified name of a relation. The namespace is what SQL calls a schema; it is `None` where the
/// database has one unnamed default (SQLite's `main`, the current MySQL database, PostgreSQL's `public`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationName {
    /// The namespace (SQL: schema); `None` means the default one.
    pub namespace: Option<String>,
    /// The name within the namespace, unquoted and in the catalog's own case.
    pub name: String,
}

impl RelationName {
    /// A relation in the default namespace.
    pub fn new(name: impl Into<String>) -> Self {
        Self { namespace: None, name: name.into() }
    }

    /// A relation in a named namespace.
    pub fn qualified(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), name: name.into() }
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}.")?;
        }
        f.write_str(&self.name)
    }
}

impl FromStr for RelationName {
    type Err = std::convert::Infallible;

    /// `name` or `namespace.name`; the first dot separates. A name that itself holds a dot is looked up by
    /// [`crate::Catalog::find`], which tries the whole text first.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('.') {
            Some((namespace, name)) => Self::qualified(namespace, name),
            None => Self::new(text),
        })
    }
}

impl Serialize for RelationName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RelationName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().expect("parsing a relation name cannot fail"))
    }
}

impl JsonSchema for RelationName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RelationName".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

/// The name of a constraint; unique within its relation only (PostgreSQL's rule, the weakest of the three).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ConstraintName(pub String);

impl fmt::Display for ConstraintName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
