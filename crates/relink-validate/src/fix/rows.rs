//! Rows as SQL names them: by the key under which a check reports them. Pure.

use indexmap::IndexMap;
use relink_db::Dialect;
use relink_model::{Column, Relation, TypeKind, Value};
use relink_rules::decimal;

use super::Refusal;

/// Rows that one statement names at most.
pub(super) const ROWS_MAX: usize = 500;

/// The key of a row, as a report has it.
pub(super) type Key = IndexMap<String, Option<String>>;

/// By what the rows of a relation are named.
pub(super) struct RowNames<'a> {
    dialect: &'a dyn Dialect,
    relation: &'a Relation,
    /// SQL, and the column that it is; `None` for the database's own name of a row.
    parts: Vec<(String, Option<&'a Column>)>,
}

impl<'a> RowNames<'a> {
    /// As this key names its row.
    pub(super) fn of(dialect: &'a dyn Dialect, relation: &'a Relation, key: &Key) -> Result<Self, Refusal> {
        let no_name = || Refusal::NoRowName { relation: relation.name.clone() };
        let columns: Vec<(usize, &Column)> = key.keys().filter_map(|name| relation.column(name)).collect();
        if columns.len() == key.len() {
            let names: Vec<&String> = key.keys().collect();
            let certain = |columns: &[String]| {
                columns.iter().eq(names.iter().copied())
                    && columns.iter().all(|name| relation.column(name).is_some_and(|(_, column)| !column.nullable))
            };
            let primary = relation.primary_key_columns().iter().eq(names.iter().copied()) && !key.is_empty();
            if primary || relation.keys().any(certain) {
                let part = |(_, column): (usize, &'a Column)| (dialect.quote(&column.name), Some(column));
                return Ok(Self { dialect, relation, parts: columns.into_iter().map(part).collect() });
            }
            return Err(no_name());
        }
        let locator = dialect.row_locator("", relation).filter(|_| key.len() == 1).ok_or_else(no_name)?;
        Ok(Self { dialect, relation, parts: vec![(locator, None)] })
    }

    /// What is selected to read the name of a row back, and in which order its parts come.
    pub(super) fn read(&self) -> Vec<String> {
        let read = |(sql, column): &(String, Option<&Column>)| match column {
            Some(column) => self.dialect.read_expression("", column),
            None => sql.clone(),
        };
        self.parts.iter().map(read).collect()
    }

    /// A condition that is true of these rows.
    pub(super) fn condition<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Result<String, Refusal> {
        let rows = keys.into_iter().map(|key| self.literals(key)).collect::<Result<Vec<_>, _>>()?;
        Ok(among(&self.parts.iter().map(|(sql, _)| sql.clone()).collect::<Vec<_>>(), &rows))
    }

    fn literals(&self, key: &Key) -> Result<Vec<String>, Refusal> {
        let unwritable = |value: &Option<String>| Refusal::Unwritable {
            relation: self.relation.name.clone(),
            value: value.clone().unwrap_or_else(|| "NULL".to_owned()),
        };
        let one = |((_, column), value): (&(String, Option<&Column>), &Option<String>)| {
            let text = value.as_ref().ok_or_else(|| unwritable(value))?;
            literal(self.dialect, *column, text).ok_or_else(|| unwritable(value))
        };
        self.parts.iter().zip(key.values()).map(one).collect()
    }
}

/// `a IN (1, 2)`, or `(a = 1 AND b = 2) OR ...`.
pub(super) fn among(columns: &[String], rows: &[Vec<String>]) -> String {
    if let [column] = columns {
        let values: Vec<&str> = rows.iter().flatten().map(String::as_str).collect();
        return match values.as_slice() {
            [value] => format!("{column} = {value}"),
            values => format!("{column} IN ({})", values.join(", ")),
        };
    }
    let one = |row: &Vec<String>| {
        let pairs: Vec<String> = columns.iter().zip(row).map(|(column, value)| format!("{column} = {value}")).collect();
        if rows.len() == 1 { pairs.join(" AND ") } else { format!("({})", pairs.join(" AND ")) }
    };
    rows.iter().map(one).collect::<Vec<_>>().join(" OR ")
}

/// A value that a report shows, as SQL writes it for its column; `None` where that cannot be told from the text.
pub(super) fn literal(dialect: &dyn Dialect, column: Option<&Column>, text: &str) -> Option<String> {
    let number = || decimal::parse(text).is_some();
    let Some(column) = column else {
        // `rowid` is a number, `ctid` a text.
        return Some(if text.parse::<i64>().is_ok() { text.to_owned() } else { dialect.text_literal(text) });
    };
    match &column.data_type.kind {
        TypeKind::Boolean => Some(match text {
            "true" | "false" => text.to_ascii_uppercase(),
            text if number() => text.to_owned(),
            text => dialect.text_literal(text),
        }),
        TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. } if number() => {
            Some(text.to_owned())
        }
        TypeKind::Bytes { .. } => {
            let hex = text.strip_prefix("x'")?.strip_suffix('\'')?;
            let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
            Some(dialect.bytes_literal(&bytes.collect::<Option<Vec<u8>>>()?))
        }
        // Of a column that says nothing of its type a number is most likely one; where it is a text the row is not found, and nothing done.
        TypeKind::Dynamic if text.parse::<i64>().is_ok() => Some(text.to_owned()),
        _ => Some(dialect.text_literal(text)),
    }
}

/// A value as a report shows it.
pub(super) fn shown(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// `id=7`: how messages name a row.
pub(super) fn named(key: &Key) -> String {
    let pair = |(name, value): (&String, &Option<String>)| format!("{name}={}", value.as_deref().unwrap_or("NULL"));
    key.iter().map(pair).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_named_by_equality_and_several_by_a_list() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(among(&texts(&["a"]), &[texts(&["1"])]), "a = 1");
        assert_eq!(among(&texts(&["a"]), &[texts(&["1"]), texts(&["2"])]), "a IN (1, 2)");
        assert_eq!(among(&texts(&["a", "b"]), &[texts(&["1", "2"])]), "a = 1 AND b = 2");
        assert_eq!(
            among(&texts(&["a", "b"]), &[texts(&["1", "2"]), texts(&["3", "4"])]),
            "(a = 1 AND b = 2) OR (a = 3 AND b = 4)"
        );
    }
}
