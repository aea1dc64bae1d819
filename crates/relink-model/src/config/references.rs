//! References that the configuration alone declares, as foreign keys of the catalog: those that are nothing but columns and the columns that they name.
//! What holds under a condition, or between texts that are made alike first, is a rule and no foreign key.

use super::{Config, ConfigError, TableConfig, require_column};
use crate::{Catalog, Deferrability, Enforcement, ForeignKey, MatchKind, ReferentialAction, RelationId, suggest};

impl Config {
    /// The configured tables with their ids, or every one that does not exist, or that another entry speaks of, too.
    pub fn resolve_tables(&self, catalog: &Catalog) -> Result<Vec<(RelationId, &str, &TableConfig)>, Vec<ConfigError>> {
        let mut resolved: Vec<(RelationId, &str, &TableConfig)> = Vec::new();
        let mut errors = Vec::new();
        for (table, config) in &self.table {
            match catalog.find(table) {
                Some(id) => match resolved.iter().find(|(other, ..)| *other == id) {
                    Some((_, other, _)) => {
                        errors.push(ConfigError::TableTwice { table: table.clone(), other: (*other).to_owned() });
                    }
                    None => resolved.push((id, table.as_str(), config)),
                },
                None if config.if_exists => {}
                None => errors.push(ConfigError::no_table(catalog, table)),
            }
        }
        if errors.is_empty() { Ok(resolved) } else { Err(errors) }
    }

    /// Adds the virtual references to the catalog, so that every later step sees them as foreign keys that nobody enforces. One that says again what the
    /// schema declares is that key; how strictly it is judged is the rule's to say.
    pub fn add_virtual_references(&self, catalog: &mut Catalog) -> Result<(), Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut added = Vec::new();
        for (id, table, config) in self.resolve_tables(catalog)? {
            for text in &config.refs {
                match virtual_reference(catalog, id, table, text) {
                    Ok(key) => added.extend(key.map(|key| (id, key))),
                    Err(error) if config.if_exists && error.is_of_a_name() => {}
                    Err(error) => errors.push(error),
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        for (id, key) in added {
            let keys = &mut catalog.relations[id.index()].foreign_keys;
            if !keys.iter().any(|old| old.is_same_reference(&key)) {
                keys.push(key);
            }
        }
        Ok(())
    }
}

/// The start of `cols -> table.col` or `(a, b) -> table(a, b)`, and what follows it in words.
struct Written<'a> {
    columns: Vec<String>,
    target: Vec<String>,
    referenced: Vec<String>,
    rest: &'a str,
}

impl<'a> Written<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (columns, rest) = columns(text)?;
        let rest = rest.trim_start().strip_prefix("->")?;
        let (mut target, rest) = path(rest)?;
        let (referenced, rest) = if rest.trim_start().starts_with('(') {
            columns_in_parentheses(rest)?
        } else {
            (vec![target.pop().filter(|_| !target.is_empty())?], rest)
        };
        (columns.len() == referenced.len()).then_some(Self { columns, target, referenced, rest })
    }

    /// How it matches; `None` where more is said, so that it is no foreign key.
    fn match_kind(&self) -> Option<MatchKind> {
        let words: Vec<String> = self.rest.split_whitespace().map(str::to_ascii_lowercase).collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] | ["match", "simple"] => Some(MatchKind::Simple),
            ["match", "full" | "strict"] => Some(MatchKind::Full),
            _ => None,
        }
    }
}

fn columns(text: &str) -> Option<(Vec<String>, &str)> {
    if text.trim_start().starts_with('(') {
        return columns_in_parentheses(text);
    }
    let (mut path, rest) = path(text)?;
    Some((vec![path.pop()?], rest))
}

fn columns_in_parentheses(text: &str) -> Option<(Vec<String>, &str)> {
    let mut rest = text.trim_start().strip_prefix('(')?;
    let mut columns = Vec::new();
    loop {
        let (mut path, behind) = path(rest)?;
        columns.push(path.pop()?);
        let behind = behind.trim_start();
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None => return behind.strip_prefix(')').map(|rest| (columns, rest)),
        }
    }
}

/// A dotted name.
fn path(text: &str) -> Option<(Vec<String>, &str)> {
    let (first, mut rest) = name(text)?;
    let mut path = vec![first];
    while let Some(behind) = rest.trim_start().strip_prefix('.') {
        let (next, behind) = name(behind)?;
        path.push(next);
        rest = behind;
    }
    Some((path, rest))
}

/// A name: a word, or anything in double quotes, in which two stand for one.
fn name(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        return word.starts_with(|c: char| c.is_alphabetic() || c == '_').then(|| (word.to_owned(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (part, behind) = rest.split_once('"')?;
        name.push_str(part);
        let Some(behind) = behind.strip_prefix('"').inspect(|_| name.push('"')) else { return Some((name, behind)) };
        rest = behind;
    }
}

/// A reference of the configuration as a foreign key; `None` where it is none.
fn virtual_reference(
    catalog: &Catalog,
    id: RelationId,
    table: &str,
    text: &str,
) -> Result<Option<ForeignKey>, ConfigError> {
    let written = Written::read(text).ok_or_else(|| ConfigError::Syntax {
        table: table.to_owned(),
        key: "refs".to_owned(),
        text: text.to_owned(),
        expected: "\"column -> table.column\" or \"(a, b) -> table(a, b)\"; a name with other characters than letters, digits and _ \
                   stands in double quotes: '\"Order ID\" -> orders.id'"
            .to_owned(),
    })?;
    let Some(match_kind) = written.match_kind() else { return Ok(None) };
    let Written { columns, target, referenced: referenced_columns, .. } = written;
    for column in &columns {
        require_column(catalog, id, table, "refs", column)?;
    }
    let target_id =
        catalog.find_path(&target).ok_or_else(|| ConfigError::no_target(catalog, table, "refs", &target.join(".")))?;
    let referenced = catalog.relation(target_id);
    for column in &referenced_columns {
        if referenced.column(column).is_none() {
            let names = referenced.columns.iter().map(|column| column.name.as_str());
            return Err(ConfigError::UnknownTargetColumn {
                table: table.to_owned(),
                key: "refs".to_owned(),
                target: referenced.name.to_string(),
                column: column.clone(),
                nearest: suggest::nearest(column, names).map(str::to_owned),
            });
        }
    }
    Ok(Some(ForeignKey {
        name: None,
        columns,
        referenced: referenced.name.clone(),
        referenced_columns,
        match_kind,
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
        deferrability: Deferrability::NotDeferrable,
        enforcement: Enforcement::Virtual,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String, String, Option<MatchKind>)> {
        let written = Written::read(text)?;
        let kind = written.match_kind();
        Some((written.columns.join("|"), written.target.join("|"), written.referenced.join("|"), kind))
    }

    #[test]
    fn names_stand_in_quotes_where_they_have_to() {
        let simple = Some(MatchKind::Simple);
        for (text, columns, target, referenced, kind) in [
            ("a -> t.b", "a", "t", "b", simple),
            ("a->s.t.b", "a", "s|t", "b", simple),
            ("\"Order ID\" -> Orders.\"Order ID\"", "Order ID", "Orders", "Order ID", simple),
            (
                "( a , \"b, (c)\" ) -> \"my.t\"(x, \"y\"\"z\") match FULL",
                "a|b, (c)",
                "my.t",
                "x|y\"z",
                Some(MatchKind::Full),
            ),
            ("a -> t.b match strict", "a", "t", "b", Some(MatchKind::Full)),
            ("a -> t.b where a != ' match full'", "a", "t", "b", None),
            ("\" as \" -> t.\" where \"", " as ", "t", " where ", simple),
            ("a -> t.b as ci", "a", "t", "b", None),
        ] {
            let expected = (columns.to_owned(), target.to_owned(), referenced.to_owned(), kind);
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for bad in
            ["", "a", "a -> t", "a t.b", "(a, b) -> t(a)", "(a -> t.b", "\"a -> t.b", "order id -> t.b", "a -> t."]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
