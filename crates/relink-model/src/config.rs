//! `relink.toml`: what the schema and the export do not say by themselves. The published JSON Schema is generated
//! from these types.

mod error;
mod references;
mod rules;

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AllowDrift, ExternalRefs, Ids, Mode, OnDangling, OnError, TriggerPolicy, Verify};

pub use self::error::{ConfigError, require_column, suggestion};
pub use self::rules::{
    AllowConfig, AllowedKey, CheckConfig, Day, Dead, Domain, FailOn, InferConfig, NoLines, NullLeft, OneOrMany,
    Rounding, RuleKind, RuleMatch, SeverityConfig, SqlText, TableDomain, Trust, Unknown,
};

/// The configuration file `relink.toml`. Unknown keys are errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The version of this file's format: 1.
    pub version: Option<u32>,
    /// Settings of a whole run.
    pub run: RunConfig,
    /// How `relink restore` goes about it; the options of the command line come first.
    pub restore: RestoreConfig,
    /// SQL that runs in the restore's own transaction.
    pub hooks: HooksConfig,
    /// Which profiles of applications are used, and how.
    pub profiles: ProfilesConfig,
    /// Which guesses are made about what nobody has declared.
    pub infer: InferConfig,
    /// Severities of checks by their id, or a pattern of ids with `*`: `"unique:*" = "warning"`, `"trust:*" = "off"`. Of several that fit, the
    /// longest counts.
    pub severity: BTreeMap<String, SeverityConfig>,
    /// Per table, by its name in the database (`name` or `namespace.name`).
    pub table: BTreeMap<String, TableConfig>,
    /// Rules that take more than one line to say, and what is particular to single checks.
    pub check: Vec<CheckConfig>,
    /// Findings that are allowed.
    pub allow: Vec<AllowConfig>,
    /// Labels of the export (Django model labels, keys of a table map) that are not restored, e.g. `sessions.session`.
    pub ignore_models: Vec<String>,
}

/// Settings of a whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// The instant that counts as now for rules about dates, as RFC 3339 (`2026-11-20T00:00:00Z`); by default the clock.
    pub now: Option<String>,
    /// The time zone (IANA name) of timestamps that carry none, where the column wants an instant. Without it such a
    /// value is an error on restore; rules about dates take it as UTC.
    pub timezone: Option<String>,
    /// What a row comes to for which a condition is unknown, because a value is NULL: `count` (it is not judged, and counted), `fail` or `pass`.
    pub unknown: Option<Unknown>,
    /// How references of several columns with a NULL among them are judged, where neither the schema nor the rule says it.
    #[serde(rename = "match")]
    pub match_kind: Option<RuleMatch>,
    /// Whether foreign keys, unique keys and CHECKs of which the database says that it has validated them are measured all the same: `nothing` (is
    /// taken on trust, the default), or `validated`.
    pub trust: Option<Trust>,
    /// From which severity on findings make the exit code 1; `--fail-on` comes first.
    pub fail_on: Option<FailOn>,
    /// Columns whose values no report shows: `"email"`, `"users.email"`, `"*.password*"`.
    pub mask: Vec<String>,
}

/// How a restore goes about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RestoreConfig {
    /// `--mode`.
    pub mode: Option<Mode>,
    /// `--ids`.
    pub ids: Option<Ids>,
    /// `--external-refs`.
    pub external_refs: Option<ExternalRefs>,
    /// `--on-dangling`.
    pub on_dangling: Option<OnDangling>,
    /// `--on-error`.
    pub on_error: Option<OnError>,
    /// `--allow-drift`.
    pub allow_drift: Option<AllowDrift>,
    /// `--triggers`.
    pub triggers: Option<TriggerPolicy>,
    /// `--verify`.
    pub verify: Option<Verify>,
}

/// SQL around a restore.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HooksConfig {
    /// Scripts run before the first row is written.
    pub before: Vec<String>,
    /// Scripts run after the last row, before the validation.
    pub after: Vec<String>,
}

/// Profiles: what is known of widespread applications. `relink profile` lists and explains them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfilesConfig {
    /// Files with profiles of your own, relative to this file. They come before the built-in ones.
    pub files: Vec<PathBuf>,
    /// Names of profiles that are not used.
    pub off: Vec<String>,
    /// Names of profiles whose suggestions of what to leave out are taken: as if those labels stood in `ignore_models`.
    pub ignore: Vec<String>,
}

/// A polymorphic reference: a column that says which table is meant, and a column with the id of the row there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenericConfig {
    /// The column with the type: a foreign key to `django_content_type`, or text that names a table or a class (`Post`, `Blog::Post`, `posts`).
    #[serde(rename = "type")]
    pub type_column: String,
    /// The column with the id; a text column may hold a number.
    pub id: String,
    /// Value of the type column -> table, where the naming rules do not find it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, String>,
    /// Rows that are gone may be named, as in logs: the reference is followed where its row is known, and is no error where it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loose: bool,
}

/// Ids inside a JSON column, or in an array column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedIdConfig {
    /// Which values of the document are ids, as JSONPath (RFC 9535): `$..[?@.type == "image"].value`. Without it every element of an array column is.
    pub path: Option<String>,
    /// The table whose rows they are.
    pub table: String,
    /// Rows that are gone may be named: the id is followed where its row is known, and is no error where it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loose: bool,
}

/// What is known of one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableConfig {
    /// The labels of the export whose records go into this table, where the naming rules do not find it.
    pub models: Vec<String>,
    /// Field of the export -> column of the table, where the naming rules do not find it; `""` leaves a field out.
    pub fields: BTreeMap<String, String>,
    /// The natural key: columns in order. `fk.column` goes through a foreign key (`content_type_id.app_label`); a foreign key's
    /// own column stands for the nested natural key of the row it references, as one part. Or, for a tree with materialised paths,
    /// `{ column = "name", path = "path", step = 4 }`: that column's values from the root to the row.
    pub natural_key: Option<NaturalKeyConfig>,
    /// Column -> how its values are read where the export's form is not the database's: `{ upc = "empty-is-null", body = "json-text" }`.
    pub read: BTreeMap<String, Reading>,
    /// Many-to-many field of the export -> join table, where the naming rules do not find it.
    pub join_tables: BTreeMap<String, String>,
    /// Column -> the value that every record gets, in place of whatever the export says: `set = { source = "import" }`.
    pub set: BTreeMap<String, Scalar>,
    /// Column -> the value of records that have no field for it, or null where the column is NOT NULL: `default = { status = "new" }`.
    pub default: BTreeMap<String, Scalar>,
    /// Column -> the steps that its values pass before they are read by the column's type, one after the other:
    /// `transform = { email = ["trim", "lower"], status = { map = { old = "new" } } }`.
    pub transform: BTreeMap<String, Steps>,
    /// `--mode` for this table.
    pub mode: Option<Mode>,
    /// `--ids` for this table.
    pub ids: Option<Ids>,
    /// `--triggers` for this table.
    pub triggers: Option<TriggerPolicy>,
    /// Polymorphic references: `generic = [{ type = "content_type_id", id = "object_id" }]`.
    pub generic: Vec<GenericConfig>,
    /// Column -> the ids inside its JSON documents or arrays: `{ body = [{ path = "$..image", table = "images" }] }`.
    pub embedded_ids: BTreeMap<String, Vec<EmbeddedIdConfig>>,
    /// References that no foreign key declares: `"customer_id -> customers.id"`, `"(tenant, no) -> stores(tenant, no) match full"`,
    /// `"coupon -> coupons.code where coupon != '' as ci"`.
    pub refs: Vec<String>,
    /// Which rows count as there, where rows are marked as deleted and not removed: `"deleted_at is null"`. Rules about rows judge these alone.
    pub live: Option<String>,
    /// What a reference to a row that is not `live` is: `orphan` (an error), `warn`, or `ok`.
    pub dead: Option<Dead>,
    /// What no two rows may share: `"tenant_id, number"`, `"ci(trim(email)) where active"`, `"a, b nulls equal"`.
    pub unique: Vec<String>,
    /// Column -> lowest value allowed: `min = { quantity = 0 }`. Numbers may be given as text to keep them exact.
    pub min: BTreeMap<String, Number>,
    /// Column -> highest value allowed.
    pub max: BTreeMap<String, Number>,
    /// Column -> what its values must be greater than.
    pub gt: BTreeMap<String, Number>,
    /// Column -> what its values must be less than.
    pub lt: BTreeMap<String, Number>,
    /// Date columns that must not lie after now, with optional slack: `"created_at"`, `"ordered_at +5m"`.
    pub past: Vec<String>,
    /// Date columns that must not lie before now, with optional slack: `"expires_at"`, `"due_on +1d"`.
    pub future: Vec<String>,
    /// Columns that every row has to fill in: not NULL, and if it is text, not blank.
    pub required: Vec<String>,
    /// Column -> the condition under which a row has to fill it in: `required_when = { shipped_at = "status = 'shipped'" }`.
    pub required_when: BTreeMap<String, String>,
    /// Column -> the values that it may have: `in = { status = ["new", "paid"], currency = { table = "currencies.code" } }`. NULL is not judged.
    #[serde(rename = "in")]
    pub one_of: BTreeMap<String, Domain>,
    /// Column -> a regular expression that its whole text has to match: `match = { sku = '[A-Z]{3}-\d+' }`.
    #[serde(rename = "match")]
    pub matching: BTreeMap<String, String>,
    /// Values that must not fall: `"ordered_at <= shipped_at <= delivered_at"`.
    pub ascending: Vec<String>,
    /// Conditions that every row has to meet: `"total >= 0 or kind = 'refund'"`.
    pub rows: Vec<String>,
    /// Totals: `"total = sum(order_lines.quantity * order_lines.price) by order_id +- 0.01"`.
    pub totals: Vec<String>,
    /// Spans that must not overlap, per group: `"room_id: starts_at..ends_at"`.
    pub no_overlap: Vec<String>,
    /// Columns that name another row of the same table, its parent, and must not lead back to the row itself.
    pub acyclic: Vec<String>,
    /// How many rows there must be: `">= 1000"`, `"between 10 and 20"`.
    pub count: Option<String>,
    /// A column of dates, the latest of which must be so recent: `"created_at within 26h"`.
    pub fresh: Option<String>,
    /// The column that says when a row was made or changed: what `--since` and "first ... last ..." in reports go by.
    pub since: Option<String>,
    /// Rules of this table are left out where the table is not there, or a column that they name; otherwise that is a mistake.
    pub if_exists: bool,
}

/// How the values of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// An empty string stands for NULL.
    EmptyIsNull,
    /// A string holds the JSON document itself, as wagtail's StreamField dumps it.
    JsonText,
    /// A string holds bytes in hexadecimal, with or without `\x` or `0x` before it.
    Hex,
    /// A string holds bytes in base64.
    Base64,
}

/// A value of the configuration, read by the column's type as a value of the export is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text, a number, true or false")]
pub enum Scalar {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating point number; its shortest decimal form counts. Decimals are exact as text.
    Float(f64),
    /// Text.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// One change of a value before it is read by its column's type. Null passes every step as it is, and so do lists and objects, save for
/// `strip-nul` and `replace-nul`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A text loses the white space at both ends.
    Trim,
    /// A text becomes lower case.
    Lower,
    /// A text becomes upper case.
    Upper,
    /// The characters U+0000 of texts, also inside lists and objects, are left out.
    StripNul,
    /// The characters U+0000 of texts, also inside lists and objects, become U+FFFD.
    ReplaceNul,
    /// A whole or decimal number is seconds since 1970: it becomes the instant in UTC, as RFC 3339 writes it.
    UnixSeconds,
    /// As `unix-seconds`, with milliseconds.
    UnixMillis,
    /// A value equal to one of these becomes null. Text equals text; numbers are equal whatever zeros they are written with.
    NullIf(Vec<Scalar>),
    /// A text of just this content, or a number or boolean written just so, becomes another value; others stay.
    Map(BTreeMap<String, Scalar>),
    /// `["from", "to"]`: each occurrence in a text is replaced.
    Replace((String, String)),
    /// This is put before a text or number, which becomes text.
    Prefix(String),
    /// This is put after a text or number, which becomes text.
    Suffix(String),
    /// A text keeps so many characters at most.
    Truncate(usize),
    /// A text is a date, a time of day, or both, in this form (`strptime`: `%d/%m/%Y %H:%M`): it becomes ISO 8601.
    DateFormat(String),
}

impl Step {
    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::StripNul => "strip-nul",
            Self::ReplaceNul => "replace-nul",
            Self::UnixSeconds => "unix-seconds",
            Self::UnixMillis => "unix-millis",
            Self::NullIf(_) => "null-if",
            Self::Map(_) => "map",
            Self::Replace(_) => "replace",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::Truncate(_) => "truncate",
            Self::DateFormat(_) => "date-format",
        }
    }
}

/// A step, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Steps(pub Vec<Step>);

impl<'de> Deserialize<'de> for Steps {
    /// By hand, as an untagged enum would not say which step is unknown.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> serde::de::Visitor<'de> for OneOrMany {
            type Value = Steps;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a step such as \"trim\" or { map = { old = \"new\" } }, or a list of steps")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Steps, E> {
                Step::deserialize(serde::de::value::StrDeserializer::new(name)).map(|step| Steps(vec![step]))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Steps, A::Error> {
                Step::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|step| Steps(vec![step]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Steps, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(seq)).map(Steps)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Steps {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Steps".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let step = generator.subschema_for::<Step>();
        schemars::json_schema!({
            "description": "A step, or a list of them.",
            "anyOf": [step, { "type": "array", "items": step }],
        })
    }
}

/// What makes a row's natural key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a list of columns, or { column = \"...\", path = \"...\", step = 4 }")]
pub enum NaturalKeyConfig {
    /// Columns in order.
    Columns(Vec<String>),
    /// The values of one column from the root of a tree to the row.
    Tree(TreeKeyConfig),
}

/// A natural key along a materialised path, as django-treebeard keeps trees: a row's path begins with its parent's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreeKeyConfig {
    /// The column whose values make the key.
    pub column: String,
    /// The column of paths.
    pub path: String,
    /// Characters of the path for each level.
    pub step: usize,
}

/// A number, exact when given as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, or a decimal number as text")]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// A floating point number; its shortest decimal form counts.
    Float(f64),
    /// Decimal text.
    Text(String),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<TableConfig, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_transform_is_a_step_or_a_list_of_steps() {
        let config = table(
            r#"{"transform": {"email": ["trim", {"truncate": 9}], "code": "upper",
                "status": {"map": {"old": "new", "1": true}}, "name": {"replace": ["a", "b"]}}}"#,
        )
        .expect("it is sound");
        let steps = |column: &str| config.transform[column].0.clone();
        assert_eq!(steps("email"), [Step::Trim, Step::Truncate(9)]);
        assert_eq!(steps("code"), [Step::Upper]);
        assert_eq!(steps("name"), [Step::Replace(("a".to_owned(), "b".to_owned()))]);
        let Step::Map(map) = &steps("status")[0] else { panic!("{:?}", steps("status")) };
        assert_eq!(map["1"], Scalar::Boolean(true));
        assert!(
            steps("email").iter().all(|step| serde_json::to_string(step).expect("serializes").contains(step.name()))
        );
    }

    #[test]
    fn an_unknown_step_is_named() {
        for text in [r#""trimm""#, r#"["trimm"]"#, r#"{"trimm": 3}"#] {
            let error = table(&format!(r#"{{"transform": {{"email": {text}}}}}"#)).expect_err("there is no such step");
            assert!(error.contains("unknown variant `trimm`") && error.contains("`trim`"), "{error}");
        }
        assert!(
            table(r#"{"transform": {"email": {"map": {}, "truncate": 1}}}"#).is_err(),
            "two steps without an order"
        );
        assert!(table(r#"{"set": {"a": [1]}}"#).expect_err("a list is no value").contains("expected a text"));
    }
}
