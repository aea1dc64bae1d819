//! What the configuration does to values before their column reads them: constants, defaults, and steps such as `trim` or `map`. A recipe
//! is made once for each column; a mistake in it shows before any record is read. Steps work on the JSON value, and the column's
//! type then judges what came out, as it judges every value.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use jiff::{
    Timestamp, Zoned,
    civil::DateTime,
    fmt::strtime::{self, BrokenDownTime},
    tz::TimeZone,
};
use relink_export::{JsonKind, RawJson};
use relink_model::{
    Catalog, Column, Config, RelationId, Value,
    config::{ConfigError, Scalar, Step, TableConfig, require_column},
};

use crate::coerce::{self, How, Rules, Unfit};

/// What is done to the values of one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// The value of every record.
    pub set: Option<Value>,
    /// The value of records that have none.
    pub default: Option<Value>,
    /// In their order.
    pub steps: Vec<Step>,
}

/// What of the configuration made or changed a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// `set`.
    Set,
    /// `default`.
    Default,
    /// A step of `transform`, by its place in the list.
    Step(usize),
}

/// What a recipe makes of a value, before the column reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// The value stays as the export has it.
    AsItIs,
    /// The JSON text that takes its place.
    Changed(String),
    /// It is NULL where the column takes none: the recipe's default takes its place, as the column's own value.
    Default(Value),
}

impl Recipe {
    /// Passes a JSON value through the steps. The new JSON text where they change it; `heard` hears of each step that did.
    pub fn pass(&self, json: &RawJson<'_>, heard: &mut dyn FnMut(By)) -> Result<Option<String>, Unfit> {
        apply(&self.steps, json, |at| heard(By::Step(at)))
    }

    /// Passes a JSON value of this column through the steps, and puts the default in the place of NULL where the column takes none. `set` is
    /// not asked: it is the value of records whatever they hold.
    pub(crate) fn prepare(
        &self,
        json: &RawJson<'_>,
        column: &Column,
        how: How,
        rules: &Rules,
        heard: &mut dyn FnMut(By),
    ) -> Result<Prepared, Unfit> {
        let changed = self.pass(json, heard)?;
        if let Some(default) = self.default.as_ref().filter(|_| !column.nullable) {
            let is_null = |json: &RawJson<'_>| {
                json.is_null() || coerce::coerce(json, column, how, rules).is_ok_and(|value| value.is_null())
            };
            let null = match &changed {
                Some(text) => RawJson::parse(text, usize::MAX).is_ok_and(|json| is_null(&json)),
                None => is_null(json),
            };
            if null {
                heard(By::Default);
                return Ok(Prepared::Default(default.clone()));
            }
        }
        Ok(changed.map_or(Prepared::AsItIs, Prepared::Changed))
    }
}

/// The recipes of all columns that have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recipes {
    by_column: BTreeMap<(RelationId, usize), Arc<Recipe>>,
}

impl Recipes {
    /// Reads the configuration's `set`, `default` and `transform` against the catalog.
    pub(crate) fn new(
        catalog: &Catalog,
        config: &Config,
        rules: &Rules,
        ways: &[Vec<How>],
    ) -> Result<Self, Vec<ConfigError>> {
        let mut recipes = Self::default();
        let mut errors = Vec::new();
        for (id, table, settings) in config.resolve_tables(catalog)? {
            let reader = OfTable { catalog, id, table, rules, ways: &ways[id.index()] };
            if let Err(more) = recipes.add(&reader, settings) {
                errors.extend(more);
            }
        }
        if errors.is_empty() { Ok(recipes) } else { Err(errors) }
    }

    fn add(&mut self, reader: &OfTable<'_>, settings: &TableConfig) -> Result<(), Vec<ConfigError>> {
        let mut made: BTreeMap<usize, Recipe> = BTreeMap::new();
        let mut errors = Vec::new();
        for (key, constants) in [("set", &settings.set), ("default", &settings.default)] {
            for (name, scalar) in constants {
                match reader.constant(key, name, scalar) {
                    Ok((column, value)) => {
                        let recipe = made.entry(column).or_default();
                        if key == "set" {
                            recipe.set = Some(value);
                        } else if recipe.set.is_some() {
                            errors.push(reader.error(key, name, scalar, "`set` gives every record its value already"));
                        } else {
                            recipe.default = Some(value);
                        }
                    }
                    Err(error) => errors.push(error),
                }
            }
        }
        for (name, steps) in &settings.transform {
            match reader.steps(name, &steps.0) {
                Ok(column) => {
                    let recipe = made.entry(column).or_default();
                    if recipe.set.is_some() {
                        let why = "`set` gives every record its value already";
                        errors.push(reader.error("transform", name, "...", why));
                    }
                    recipe.steps.clone_from(&steps.0);
                }
                Err(error) => errors.push(error),
            }
        }
        self.by_column.extend(made.into_iter().map(|(column, recipe)| ((reader.id, column), Arc::new(recipe))));
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The recipe of a column.
    pub(crate) fn of(&self, relation: RelationId, column: usize) -> Option<&Arc<Recipe>> {
        self.by_column.get(&(relation, column))
    }

    /// The recipes of a relation's columns, in the columns' order.
    pub(crate) fn of_relation(&self, relation: RelationId) -> impl Iterator<Item = (usize, &Arc<Recipe>)> {
        self.by_column.range((relation, 0)..=(relation, usize::MAX)).map(|((_, column), recipe)| (*column, recipe))
    }
}

/// Reads the recipes of one table.
struct OfTable<'a> {
    catalog: &'a Catalog,
    id: RelationId,
    table: &'a str,
    rules: &'a Rules,
    ways: &'a [How],
}

impl<'a> OfTable<'a> {
    fn error(&self, key: &str, column: &str, value: impl std::fmt::Display, why: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            table: self.table.to_owned(),
            key: key.to_owned(),
            column: column.to_owned(),
            value: value.to_string(),
            why: why.into(),
        }
    }

    /// A column that can be written.
    fn column(&self, key: &str, name: &str, value: &dyn std::fmt::Display) -> Result<(usize, &'a Column), ConfigError> {
        require_column(self.catalog, self.id, self.table, key, name)?;
        let (at, column) = self.catalog.relation(self.id).column(name).expect("require_column found it");
        if column.generated.is_some() {
            return Err(self.error(key, name, value, "the database computes this column"));
        }
        Ok((at, column))
    }

    fn constant(&self, key: &str, name: &str, scalar: &Scalar) -> Result<(usize, Value), ConfigError> {
        let (at, column) = self.column(key, name, scalar)?;
        if self.catalog.relation(self.id).primary_key_columns() == std::slice::from_ref(&column.name) {
            return Err(self.error(key, name, scalar, "it is the whole primary key, which tells rows apart"));
        }
        let text = Working::of(scalar).into_json();
        let json = RawJson::parse(&text, 1).map_err(|error| self.error(key, name, scalar, error.to_string()))?;
        match coerce::coerce(&json, column, self.ways[at], self.rules) {
            Ok(Value::Null) if !column.nullable => {
                Err(self.error(key, name, scalar, "is read as NULL, and the column is NOT NULL"))
            }
            Ok(value) => Ok((at, value)),
            Err(unfit) => {
                let why = format!("{} (the column is {})", unfit.why, column.data_type.declared);
                Err(self.error(key, name, scalar, why))
            }
        }
    }

    fn steps(&self, name: &str, steps: &[Step]) -> Result<usize, ConfigError> {
        let (at, _) = self.column("transform", name, &"...")?;
        for step in steps {
            let wrong = match step {
                Step::Replace((from, _)) if from.is_empty() => Some("there is nothing to replace".to_owned()),
                Step::DateFormat(form) => check_form(form).err(),
                _ => None,
            };
            if let Some(why) = wrong {
                return Err(self.error("transform", name, step.name(), why));
            }
        }
        Ok(at)
    }
}

/// Passes a JSON value through the steps. The new JSON text where they change it; `changed` hears of each step that did.
fn apply(steps: &[Step], json: &RawJson<'_>, mut changed: impl FnMut(usize)) -> Result<Option<String>, Unfit> {
    let mut value = match json.kind() {
        JsonKind::Null => return Ok(None),
        JsonKind::String => match json.as_str() {
            Ok(text) => Working { kind: JsonKind::String, text },
            // Half a surrogate pair: the column says so.
            Err(_) => return Ok(None),
        },
        kind => Working { kind, text: Cow::Borrowed(json.text()) },
    };
    let mut touched = false;
    for (at, step) in steps.iter().enumerate() {
        if value.kind == JsonKind::Null {
            break;
        }
        if let Some(new) = value.pass(step)? {
            value = new;
            touched = true;
            changed(at);
        }
    }
    Ok(touched.then(|| value.into_json()))
}

/// A value between two steps: the content of a string, or the JSON text of anything else.
struct Working<'a> {
    kind: JsonKind,
    text: Cow<'a, str>,
}

impl<'a> Working<'a> {
    fn of(scalar: &Scalar) -> Self {
        let (kind, text) = match scalar {
            Scalar::Boolean(true) => (JsonKind::True, "true".to_owned()),
            Scalar::Boolean(false) => (JsonKind::False, "false".to_owned()),
            Scalar::Integer(value) => (JsonKind::Number, value.to_string()),
            Scalar::Float(value) if value.is_nan() => (JsonKind::NonFinite, "NaN".to_owned()),
            Scalar::Float(value) if value.is_infinite() => {
                (JsonKind::NonFinite, if *value < 0.0 { "-Infinity" } else { "Infinity" }.to_owned())
            }
            Scalar::Float(value) => (JsonKind::Number, value.to_string()),
            Scalar::Text(text) => (JsonKind::String, text.clone()),
        };
        Self { kind, text: Cow::Owned(text) }
    }

    fn string(text: impl Into<Cow<'a, str>>) -> Self {
        Self { kind: JsonKind::String, text: text.into() }
    }

    /// The value after a step; `None` where the step leaves it as it is.
    fn pass(&self, step: &Step) -> Result<Option<Working<'a>>, Unfit> {
        let text = &*self.text;
        let is_string = self.kind == JsonKind::String;
        let is_number = self.kind == JsonKind::Number;
        let new: Option<Working<'a>> = match step {
            Step::Trim if is_string => Some(Self::string(text.trim().to_owned())),
            Step::Lower if is_string => Some(Self::string(text.to_lowercase())),
            Step::Upper if is_string => Some(Self::string(text.to_uppercase())),
            Step::StripNul => self.without_nul("", ""),
            Step::ReplaceNul => self.without_nul("\u{fffd}", "\\ufffd"),
            Step::NullIf(values) if values.iter().any(|scalar| self.equals(scalar)) => {
                Some(Working { kind: JsonKind::Null, text: Cow::Borrowed("null") })
            }
            Step::Map(map) if !matches!(self.kind, JsonKind::Array | JsonKind::Object) => {
                map.get(text).map(Working::of)
            }
            Step::Replace((from, to)) if is_string => Some(Self::string(text.replace(from, to))),
            Step::Prefix(prefix) if is_string || is_number => Some(Self::string(format!("{prefix}{text}"))),
            Step::Suffix(suffix) if is_string || is_number => Some(Self::string(format!("{text}{suffix}"))),
            Step::Truncate(chars) if is_string => {
                text.char_indices().nth(*chars).map(|(end, _)| Self::string(text[..end].to_owned()))
            }
            Step::DateFormat(form) if is_string => Some(Self::string(read_form(form, text)?)),
            Step::UnixSeconds if is_number => Some(Self::string(instant(text, 9)?)),
            Step::UnixMillis if is_number => Some(Self::string(instant(text, 6)?)),
            _ => None,
        };
        Ok(new.filter(|new| new.kind != self.kind || new.text != self.text))
    }

    /// The value with the characters U+0000 of its texts replaced: in a string's content, or in the escapes of a document.
    fn without_nul(&self, content: &str, escape: &str) -> Option<Working<'a>> {
        match self.kind {
            JsonKind::String => Some(Self::string(self.text.replace('\0', content))),
            JsonKind::Array | JsonKind::Object => {
                Some(Working { kind: self.kind, text: Cow::Owned(replace_nul_escapes(&self.text, escape)) })
            }
            _ => None,
        }
    }

    fn equals(&self, scalar: &Scalar) -> bool {
        let other = Working::of(scalar);
        self.kind == other.kind
            && (self.text == other.text
                || self.kind == JsonKind::Number && coerce::equal_numbers(&self.text, &other.text))
    }

    fn into_json(self) -> String {
        if self.kind == JsonKind::String {
            serde_json::to_string(&self.text).expect("a text is always JSON")
        } else {
            self.text.into_owned()
        }
    }
}

/// Replaces the escape `\u0000` of a JSON document, but no escaped backslash before `u0000`.
fn replace_nul_escapes(document: &str, with: &str) -> String {
    const NUL: &str = "\\u0000";
    let mut replaced = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(at) = rest.find('\\') {
        replaced.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix(NUL) {
            replaced.push_str(with);
            rest = after;
        } else {
            // An escape is a backslash and one ASCII character, more where that is `u`; what follows it holds no backslash.
            let (escape, after) = rest.split_at_checked(2).unwrap_or((rest, ""));
            replaced.push_str(escape);
            rest = after;
        }
    }
    replaced.push_str(rest);
    replaced
}

/// A number of units since 1970 as RFC 3339; a unit is `10^power` nanoseconds.
fn instant(number: &str, power: usize) -> Result<String, Unfit> {
    let unfit = |why: &str| Unfit { why: why.to_owned(), help: None };
    let nanoseconds = coerce::scaled(number, power).ok_or_else(|| unfit("has digits past the nanosecond"))?;
    Timestamp::from_nanosecond(nanoseconds)
        .map(|instant| instant.to_string())
        .map_err(|_| unfit("is out of range for seconds or milliseconds since 1970: is the unit another one?"))
}

/// Reads a text by its form, as ISO 8601.
fn read_form(form: &str, text: &str) -> Result<String, Unfit> {
    strtime::parse(form, text)
        .ok()
        .as_ref()
        .and_then(iso)
        .ok_or_else(|| Unfit { why: format!("does not read as a date or time of the form {form}"), help: None })
}

/// `2024-01-31`, `10:30:00`, `2024-01-31T10:30:00`, with the offset where there is one; `None` for what is none of them.
fn iso(read: &BrokenDownTime) -> Option<String> {
    let dated = read.year().is_some()
        || read.month().is_some()
        || read.day().is_some()
        || read.day_of_year().is_some()
        || read.weekday().is_some();
    let timed = read.hour().is_some();
    if read.iana_time_zone().is_some() {
        return None;
    }
    let offset = read.offset().map(|offset| offset.to_string()).unwrap_or_default();
    match (dated, timed) {
        (true, true) => Some(format!("{}{offset}", read.to_datetime().ok()?)),
        (true, false) => Some(read.to_date().ok()?.to_string()),
        (false, true) => Some(format!("{}{offset}", read.to_time().ok()?)),
        (false, false) => None,
    }
}

/// Whether a form can be read, and tells what it must: an hour without its half of the day does not.
fn check_form(form: &str) -> Result<(), String> {
    let none = || format!("{form:?} is no form of a date or time such as \"%d/%m/%Y %H:%M\"");
    let sample: Zoned = DateTime::constant(2024, 2, 13, 14, 0, 0, 0).to_zoned(TimeZone::UTC).map_err(|_| none())?;
    let written = strtime::format(form, &sample).map_err(|_| none())?;
    let read = strtime::parse(form, &written).map_err(|_| none())?;
    if iso(&read).is_none() {
        return Err(none());
    }
    match read.to_time() {
        Ok(time) if read.hour().is_some() && time.hour() != sample.hour() => {
            Err(format!("{form:?} does not tell morning from evening: %p is missing"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value after these steps, as JSON, and the steps that changed it.
    fn pass(steps: &str, json: &str) -> Result<(String, Vec<usize>), String> {
        let steps: relink_model::config::Steps = serde_json::from_str(steps).expect("the test's steps are sound");
        let json = RawJson::parse(json, 64).expect("the test's JSON is valid");
        let mut changed = Vec::new();
        let new = apply(&steps.0, &json, |at| changed.push(at)).map_err(|unfit| unfit.why)?;
        assert_eq!(new.is_some(), !changed.is_empty(), "what changes is counted");
        Ok((new.unwrap_or_else(|| json.text().to_owned()), changed))
    }

    fn after(steps: &str, json: &str) -> String {
        pass(steps, json).expect("it passes").0
    }

    #[test]
    fn texts_are_changed_and_each_change_is_counted() {
        assert_eq!(pass(r#"["trim", "lower"]"#, r#"" Ann ""#), Ok((r#""ann""#.to_owned(), vec![0, 1])));
        assert_eq!(pass(r#"["trim", "lower"]"#, r#""Ann""#), Ok((r#""ann""#.to_owned(), vec![1])));
        assert_eq!(pass(r#"["trim", "lower"]"#, r#""ann""#), Ok((r#""ann""#.to_owned(), vec![])));
        assert_eq!(after(r#""upper""#, r#""straße""#), r#""STRASSE""#);
        assert_eq!(after(r#"{"replace": [".", ","]}"#, r#""1.2.3""#), r#""1,2,3""#);
        assert_eq!(after(r#"[{"prefix": "A-"}, {"suffix": "!"}]"#, "12"), r#""A-12!""#);
        assert_eq!(after(r#"{"truncate": 2}"#, r#""éà\"x""#), r#""éà""#);
        assert_eq!(after(r#"{"truncate": 4}"#, r#""éà\"x""#), r#""éà\"x""#);
    }

    #[test]
    fn null_lists_and_objects_pass() {
        for json in ["null", "[\" a \"]", "{\"a\": \" b \"}"] {
            assert_eq!(after(r#"["trim", {"prefix": "x"}, {"map": {"null": "y"}}, "unix-seconds"]"#, json), json);
        }
    }

    #[test]
    fn values_are_mapped_by_what_is_written() {
        let steps = r#"{"map": {"old": "new", "1": true, "true": 5, "1.5": "x"}}"#;
        assert_eq!(after(steps, r#""old""#), r#""new""#);
        assert_eq!(after(steps, "1"), "true");
        assert_eq!(after(steps, r#""1""#), "true");
        assert_eq!(after(steps, "true"), "5");
        assert_eq!(after(steps, "1.50"), "1.50");
        assert_eq!(after(steps, r#""Old""#), r#""Old""#);
    }

    #[test]
    fn null_if_compares_numbers_by_value_and_texts_by_letter() {
        let steps = r#"[{"null-if": ["", "N/A", 0, false]}, {"prefix": "never"}]"#;
        for json in [r#""""#, r#""N/A""#, "0", "0.00", "-0", "0e5", "false"] {
            assert_eq!(after(steps, json), "null", "{json}");
        }
        for json in [r#""n/a""#, r#""0""#, "1", "true", r#"" ""#] {
            assert_ne!(after(steps, json), "null", "{json}");
        }
    }

    #[test]
    fn nul_characters_are_dropped_or_replaced_also_inside_documents() {
        assert_eq!(after(r#""strip-nul""#, r#""a\u0000b""#), r#""ab""#);
        assert_eq!(after(r#""replace-nul""#, r#""a\u0000b""#), "\"a\u{fffd}b\"");
        assert_eq!(after(r#""strip-nul""#, r#"{"k\u0000": ["\\u0000", "\\\u0000"]}"#), r#"{"k": ["\\u0000", "\\"]}"#);
        assert_eq!(after(r#""replace-nul""#, r#"["\u0000"]"#), r#"["\ufffd"]"#);
        assert_eq!(pass(r#""strip-nul""#, r#"["\\u0000"]"#), Ok((r#"["\\u0000"]"#.to_owned(), vec![])));
    }

    #[test]
    fn dates_are_read_by_their_form() {
        assert_eq!(after(r#"{"date-format": "%d/%m/%Y"}"#, r#""31/01/2024""#), r#""2024-01-31""#);
        assert_eq!(after(r#"{"date-format": "%d.%m.%Y %H:%M"}"#, r#""31.01.2024 10:30""#), r#""2024-01-31T10:30:00""#);
        assert_eq!(after(r#"{"date-format": "%I:%M %p"}"#, r#""02:30 PM""#), r#""14:30:00""#);
        let zoned = after(r#"{"date-format": "%Y%m%d %H%M%S %z"}"#, r#""20240131 103000 +0530""#);
        assert_eq!(zoned, r#""2024-01-31T10:30:00+05:30""#);
        for (form, text) in
            [("%d/%m/%Y", "31/02/2024"), ("%d/%m/%Y", "2024-01-31"), ("%d/%m/%Y %H:%M", "31/02/2024 10:30")]
        {
            assert!(pass(&format!(r#"{{"date-format": "{form}"}}"#), &format!("{text:?}")).is_err(), "{text}");
        }
    }

    #[test]
    fn forms_that_cannot_be_read_are_refused() {
        for form in ["%d/%m/%Y", "%Y-%m-%dT%H:%M:%S%z", "%I:%M %p", "%Y-%j", "%b %d, %Y"] {
            assert_eq!(check_form(form), Ok(()), "{form}");
        }
        for form in ["", "date", "%d/%m", "%k%!", "%I:%M", "%Y-%m-%d %H:%M %Q"] {
            assert!(check_form(form).is_err(), "{form}");
        }
    }

    #[test]
    fn numbers_since_1970_are_exact() {
        assert_eq!(after(r#""unix-seconds""#, "1700000000"), r#""2023-11-14T22:13:20Z""#);
        assert_eq!(after(r#""unix-seconds""#, "1700000000.250"), r#""2023-11-14T22:13:20.25Z""#);
        assert_eq!(after(r#""unix-seconds""#, "-0.5"), r#""1969-12-31T23:59:59.5Z""#);
        assert_eq!(after(r#""unix-millis""#, "1700000000123"), r#""2023-11-14T22:13:20.123Z""#);
        assert_eq!(after(r#""unix-millis""#, "17e11"), r#""2023-11-14T22:13:20Z""#);
        assert!(pass(r#""unix-seconds""#, "0.0000000001").is_err());
        assert!(pass(r#""unix-seconds""#, "1700000000123456").is_err());
    }
}
