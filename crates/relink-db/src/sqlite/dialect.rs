//! SQLite's capabilities and SQL shapes. No I/O.

use relink_model::{Column, ColumnType, ForeignKey, MatchKind, Relation};

use crate::{AntiJoin, Capabilities, Dialect, Exactness};

/// SQLite.
#[derive(Debug)]
pub(super) struct SqliteDialect {
    capabilities: Capabilities,
}

impl SqliteDialect {
    pub(super) fn new() -> Self {
        Self {
            capabilities: Capabilities {
                enforces_types: false,
                enforces_length: false,
                transactional_ddl: true,
                defers_any_foreign_key: true,
                defers_declared: true,
                owner_can_make_deferrable: false,
                // `PRAGMA foreign_keys` does nothing inside a transaction.
                can_suspend_foreign_keys: false,
                suspending_needs_owner: false,
                checks_each_row: false,
                stores_temporals_as_text: true,
                // The infinities, yes; NaN becomes NULL.
                floats_hold_specials: false,
                temporals_hold_infinity: false,
                decimal_max: None,
                json_is_text: true,
                has_booleans: false,
                compares_by_letter: true,
                text_holds_nul: true,
                statement_failure_keeps_transaction: true,
                years: (0, 9999),
                // SQLITE_MAX_VARIABLE_NUMBER of the bundled library.
                parameters_max: 32_766,
                disables_triggers: true,
                bulk_load: false,
            },
        }
    }
}

/// An identifier in double quotes.
pub(super) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn qualified(alias: &str, column: &str) -> String {
    if alias.is_empty() { quote(column) } else { format!("{alias}.{}", quote(column)) }
}

impl Dialect for SqliteDialect {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn journal_exists(&self) -> String {
        format!("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{}'", crate::JOURNAL)
    }

    fn journal_table(&self) -> String {
        let columns = "kind text NOT NULL, place integer NOT NULL, content text NOT NULL, PRIMARY KEY (kind, place)";
        format!("CREATE TABLE {} ({columns})", self.quote(crate::JOURNAL))
    }

    fn quote(&self, identifier: &str) -> String {
        quote(identifier)
    }

    fn placeholder(&self, _ordinal: usize, _data_type: &ColumnType) -> String {
        // Unnumbered: the driver parses the number of every `?NNN` again for each execution.
        "?".to_owned()
    }

    fn read_expression(&self, alias: &str, column: &Column) -> String {
        qualified(alias, &column.name)
    }

    fn orphans(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> AntiJoin {
        // LEFT JOIN, because SQLite builds an automatic index for the join when the referenced columns have none;
        // NOT EXISTS would scan them once per row.
        let child = self.quote_relation(&referencing.name);
        let columns: Vec<String> = key.columns.iter().map(|column| qualified("c", column)).collect();
        let judged = match key.match_kind {
            MatchKind::Simple => {
                columns.iter().map(|column| format!("{column} IS NOT NULL")).collect::<Vec<_>>().join(" AND ")
            }
            MatchKind::Full => {
                let null: Vec<String> = columns.iter().map(|column| format!("{column} IS NULL")).collect();
                format!("NOT ({})", null.join(" AND "))
            }
        };
        if key.referenced_columns.len() != key.columns.len() {
            // A malformed key (SQLite: "foreign key mismatch") gives no row a target.
            return AntiJoin { from: format!("{child} AS c"), condition: judged };
        }
        let (parent, pairs) = (self.quote_relation(&referenced.name), self.refers(referencing, key, referenced));
        let first = key.referenced_columns.first().map_or("p.rowid".to_owned(), |column| qualified("p", column));
        AntiJoin {
            from: format!("{child} AS c LEFT JOIN {parent} AS p ON {pairs}"),
            condition: format!("{first} IS NULL AND {judged}"),
        }
    }

    fn refers(&self, _referencing: &Relation, key: &ForeignKey, _referenced: &Relation) -> String {
        // The constraint compares with the referenced column's collation and affinity: it stands on the left for the first, and the
        // unary plus takes the referencing column's own away for the second (otherwise a TEXT key referenced by a numeric column would
        // be compared as numbers, and without its index).
        let pair = |(column, target)| format!("{} = +{}", qualified("p", target), qualified("c", column));
        let pairs: Vec<String> = key
            .columns
            .iter()
            .map(String::as_str)
            .zip(key.referenced_columns.iter().map(String::as_str))
            .map(pair)
            .collect();
        pairs.join(" AND ")
    }

    fn exactness(&self, data_type: &ColumnType) -> Option<Exactness> {
        super::write::exactness(data_type)
    }

    fn exact_numeric(&self, expression: &str) -> String {
        // There is no exact decimal type to cast to.
        expression.to_owned()
    }

    fn row_locator(&self, alias: &str, relation: &Relation) -> Option<String> {
        if relation.without_rowid {
            return None;
        }
        // A user's column of that name hides the row id behind it.
        let free = |name: &&str| !relation.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let name = ["rowid", "_rowid_", "oid"].into_iter().find(free)?;
        Some(if alias.is_empty() { name.to_owned() } else { format!("{alias}.{name}") })
    }

    fn storage_class(&self, expression: &str) -> Option<String> {
        Some(format!("typeof({expression})"))
    }

    fn by_letter(&self, expression: &str, _: &Column) -> Option<String> {
        Some(format!("{expression} COLLATE BINARY"))
    }

    fn has_print(&self, expression: &str) -> String {
        format!("{expression} GLOB '*[!-~]*'")
    }

    fn plainly_before(&self, expression: &str, day: &str) -> Option<String> {
        // `date` gives the text's own first ten characters back only for a real date without an offset that moves the day.
        Some(format!(
            "(typeof({expression}) = 'text' AND {expression} < '{day}' AND date({expression}) = substr({expression}, 1, 10))"
        ))
    }
}

#[cfg(test)]
mod tests {
    use relink_model::{Deferrability, Enforcement, ReferentialAction, RelationName};

    use super::*;

    fn key(match_kind: MatchKind) -> ForeignKey {
        ForeignKey {
            name: None,
            columns: vec!["a".into(), "b".into()],
            referenced: RelationName::new("p"),
            referenced_columns: vec!["x".into(), "y".into()],
            match_kind,
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
            deferrability: Deferrability::NotDeferrable,
            enforcement: Enforcement::Enforced,
        }
    }

    fn relation(name: &str) -> Relation {
        Relation { name: RelationName::new(name), ..Relation::default() }
    }

    #[test]
    fn orphans_are_a_left_join_that_compares_as_the_constraint_does() {
        let dialect = SqliteDialect::new();
        let (child, parent) = (relation("child"), relation("p"));
        assert_eq!(
            dialect.orphans(&child, &key(MatchKind::Simple), &parent).to_string(),
            "FROM \"child\" AS c LEFT JOIN \"p\" AS p ON p.\"x\" = +c.\"a\" AND p.\"y\" = +c.\"b\" \
             WHERE p.\"x\" IS NULL AND c.\"a\" IS NOT NULL AND c.\"b\" IS NOT NULL"
        );
        assert!(
            dialect
                .orphans(&child, &key(MatchKind::Full), &parent)
                .condition
                .ends_with("NOT (c.\"a\" IS NULL AND c.\"b\" IS NULL)")
        );
    }

    #[test]
    fn the_row_locator_steps_aside_for_columns_of_its_name() {
        let dialect = SqliteDialect::new();
        let mut table = relation("t");
        assert_eq!(dialect.row_locator("t", &table).as_deref(), Some("t.rowid"));
        table.columns = vec![Column { name: "RowId".into(), ..Column::default() }];
        assert_eq!(dialect.row_locator("", &table).as_deref(), Some("_rowid_"));
        table.without_rowid = true;
        assert_eq!(dialect.row_locator("", &table), None);
    }
}
