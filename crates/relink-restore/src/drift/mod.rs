//! Drift: what the export has and the schema has not, and the other way round. The pre-scan counts it, by field and column and never by
//! record, and one report says it before anything is written. Suggestions go by name and by what the values are; they are only ever said.

mod guess;
mod items;
mod log;
mod look;

use relink_model::{Place, RelationId, RelationName, Severity};
use relink_records::By;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::{log::DriftLog, look::Look};

/// Items that are listed; past them they are only counted.
pub const DRIFT_ITEMS_MAX: usize = 1_000;

/// How the export differs from the schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Drift {
    /// The gravest first.
    pub items: Vec<DriftItem>,
    /// Further items, which are not listed.
    pub unlisted: u64,
    /// Values that the configuration made or changed, by column.
    pub transformed: Vec<Transformed>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DriftItem {
    /// Which kind.
    pub kind: DriftKind,
    /// An error refuses the restore, and is among the findings, too; a warning is something left out as `--allow-drift` says.
    pub severity: Severity,
    /// The label of the export's records.
    pub label: String,
    /// Their relation, where there is one.
    pub relation: Option<RelationName>,
    /// The field concerned, where the export has one.
    pub field: Option<String>,
    /// The column concerned, where the relation has one.
    pub column: Option<String>,
    /// Records concerned.
    pub records: u64,
    /// Records of the relation, or of the label, in all.
    pub of: u64,
    /// The first of them.
    pub place: Option<Place>,
    /// What differs.
    pub message: String,
    /// Labels that an enumeration lacks.
    pub labels: Vec<RemovedLabel>,
    /// What the configuration could say.
    pub suggestion: Option<Suggestion>,
}

/// Kinds of drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// A label of the export that has no table.
    UnknownModel,
    /// A field that has no column; `suggestion` and `column` say which column it may have become.
    UnknownField,
    /// A column that takes no NULL, has no default, and gets no value.
    NotNullWithoutValue,
    /// A column that most values of its field do not fit.
    ChangedType,
    /// Values that an enumeration has no label for.
    RemovedLabel,
    /// A column that records have no field for: it gets its default, or NULL.
    MissingColumn,
    /// A field that goes into a column of another name, as the configuration says.
    Renamed,
}

/// A label of the export that an enumeration lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RemovedLabel {
    /// As the export has it.
    pub label: String,
    /// Records that hold it.
    pub records: u64,
    /// The nearest label that the column has.
    pub nearest: Option<String>,
}

/// What may mend a difference: for a person to judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Suggestion {
    /// An entry of `relink.toml`; what stands behind `[table.NAME]` belongs under that heading.
    pub line: String,
    /// What speaks for it.
    pub basis: Basis,
}

/// What speaks for a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The names are alike.
    Name,
    /// The names are alike, and the values fit the column.
    NameAndType,
    /// The values fit, and no other column that must be filled takes them.
    Type,
    /// The values look like it.
    Values,
    /// Nothing but the need: what stands between the quotes is to be filled in.
    Need,
}

/// Values that the configuration made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Transformed {
    /// Of this relation.
    pub relation: RelationName,
    /// Of this column.
    pub column: String,
    /// `set`, `default`, or the name of a step such as `trim`.
    pub by: String,
    /// How many values.
    pub values: u64,
}

/// What decoding a record has to say about drift.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Note {
    /// The value of a field without a column, by its number among the shape's.
    Unknown { at: usize, look: Look },
    /// A value that its column does not take; the text where the column is an enumeration.
    Unfit { column: usize, look: Look, text: Option<String> },
    /// The configuration made or changed a value.
    Changed { relation: RelationId, column: usize, by: By },
}

/// A name as a key of a TOML table.
pub(crate) fn toml_key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { toml_text(name) }
}

/// A text as TOML writes it.
pub(crate) fn toml_text(text: &str) -> String {
    // What JSON escapes TOML reads alike; this one it wants escaped, too.
    serde_json::to_string(text).expect("a text is always JSON").replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_toml_reads_them() {
        for name in ["name", "unit-price", "unit price", "a.b", "", "dé\"p\\", "it's", "line\nbreak\u{7f}"] {
            let text = format!("{} = {}", toml_key(name), toml_text(name));
            let table: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(table[name].as_str(), Some(name), "{text}");
        }
        assert_eq!(toml_key("name"), "name");
    }
}
