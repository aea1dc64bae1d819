//! Rows as SQL names them: by the key under which a check reports them. Pure.

use indexmap::IndexMap;
use relink_db::Dialect;
use relink_model::{Column, Relation, RelationName, TypeKind, Value};
use relink_rules::decimal;

use super::Refusal;
use crate::{
    live::qualified,
    mask::{MASKED, Mask},
};

/// Rows that one statement names at most, where several statements do as well.
pub(super) const ROWS_MAX: usize = 500;

/// Alternatives of a condition that stand side by side: SQLite refuses expressions that are nested a thousand deep, and a list of alternatives is.
const ALTERNATIVES_MAX: usize = 100;

/// The key of a row, as a report has it.
pub(super) type Key = IndexMap<String, Option<String>>;

/// By what the rows of a relation are named.
pub(super) struct RowNames<'a> {
    dialect: &'a dyn Dialect,
    relation: &'a Relation,
    alias: &'a str,
    /// SQL, and the column that it is; `None` for the database's own name of a row.
    parts: Vec<(String, Option<&'a Column>)>,
}

impl<'a> RowNames<'a> {
    /// As this key names its row. `alias` is the relation's in the statement, or empty.
    pub(super) fn of(
        dialect: &'a dyn Dialect,
        alias: &'a str,
        relation: &'a Relation,
        key: &Key,
    ) -> Result<Self, Refusal> {
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
                let part = |(_, column): (usize, &'a Column)| (qualified(dialect, alias, &column.name), Some(column));
                return Ok(Self { dialect, relation, alias, parts: columns.into_iter().map(part).collect() });
            }
            return Err(no_name());
        }
        let locator = dialect.row_locator(alias, relation).filter(|_| key.len() == 1).ok_or_else(no_name)?;
        Ok(Self { dialect, relation, alias, parts: vec![(locator, None)] })
    }

    /// What is selected to read the name of a row back, and in which order its parts come.
    pub(super) fn read(&self) -> Vec<String> {
        let read = |(sql, column): &(String, Option<&Column>)| match column {
            Some(column) => self.dialect.read_expression(self.alias, column),
            None => sql.clone(),
        };
        self.parts.iter().map(read).collect()
    }

    /// What names a row, to compare or sort by.
    pub(super) fn written(&self) -> Vec<String> {
        self.parts.iter().map(|(sql, _)| sql.clone()).collect()
    }

    /// A condition that is true of these rows.
    pub(super) fn condition<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Result<String, Refusal> {
        let rows = keys.into_iter().map(|key| self.literals(key)).collect::<Result<Vec<_>, _>>()?;
        Ok(among(&self.written(), &rows))
    }

    fn literals(&self, key: &Key) -> Result<Vec<String>, Refusal> {
        let mut literals = Vec::with_capacity(self.parts.len());
        for ((_, column), (name, value)) in self.parts.iter().zip(key) {
            let written = value.as_ref().and_then(|text| literal(self.dialect, *column, text));
            let (relation, column) = (&self.relation.name, name);
            literals.push(
                written.ok_or_else(|| Refusal::Unwritable { relation: relation.clone(), column: column.clone() })?,
            );
        }
        Ok(literals)
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
    let side_by_side = |rows: &[Vec<String>]| rows.iter().map(one).collect::<Vec<_>>().join(" OR ");
    if rows.len() <= ALTERNATIVES_MAX {
        return side_by_side(rows);
    }
    rows.chunks(ALTERNATIVES_MAX).map(|rows| format!("({})", side_by_side(rows))).collect::<Vec<_>>().join(" OR ")
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

/// A value as a key holds it.
pub(super) fn shown(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// What messages say of rows. Statements are not messages: they need the values that they name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    /// The columns whose values no message shows.
    pub(super) mask: Mask<'a>,
}

impl Words<'_> {
    /// `id=7`: how a row is named.
    pub(super) fn row(self, relation: &RelationName, key: &Key) -> String {
        let pair = |(name, value): (&String, &Option<String>)| {
            format!("{name}={}", self.value(relation, name, value.as_deref().unwrap_or("NULL")))
        };
        key.iter().map(pair).collect::<Vec<_>>().join(" ")
    }

    /// A value of a column.
    pub(super) fn value(self, relation: &RelationName, column: &str, value: &str) -> String {
        if self.mask.hides(relation, column) { MASKED.to_owned() } else { value.to_owned() }
    }

    /// What the database says when it refuses a statement on this relation: it may quote what is masked.
    pub(super) fn of_database(self, relation: &Relation, message: String) -> String {
        let masked = relation.columns.iter().any(|column| self.mask.hides(&relation.name, &column.name));
        if masked { format!("its words may quote what is masked in {}", relation.name) } else { message }
    }
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
