//! PostgreSQL as capabilities and as SQL text.

use relink_model::{Column, ColumnType, Enforcement, ForeignKey, MatchKind, Relation, RelationKind, TypeKind};

use super::types;
use crate::{AntiJoin, Capabilities, Dialect};

/// The PostgreSQL dialect.
#[derive(Debug)]
pub(crate) struct PostgresDialect {
    capabilities: Capabilities,
}

impl PostgresDialect {
    pub(super) fn new() -> Self {
        Self {
            capabilities: Capabilities {
                enforces_types: true,
                enforces_length: true,
                transactional_ddl: true,
                defers_any_foreign_key: false,
                defers_declared: true,
                owner_can_make_deferrable: true,
                can_suspend_foreign_keys: true,
                suspending_needs_owner: true,
                checks_each_row: false,
                stores_temporals_as_text: false,
                floats_hold_specials: true,
                temporals_hold_infinity: true,
                decimal_max: None,
                json_is_text: false,
                has_booleans: true,
                compares_by_letter: true,
                text_holds_nul: false,
                statement_failure_keeps_transaction: false,
                // 4713 BC is the first year; the last one is far beyond what the field's type holds.
                years: (-4712, i16::MAX),
                parameters_max: 65_535,
                disables_triggers: true,
                bulk_load: true,
            },
        }
    }
}

/// `ONLY ` where a relation may have inheritance children that are no part of it: its keys, and the foreign
/// keys from and to it, are about its own rows. A partitioned table has no rows of its own.
pub(super) fn only(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::Table => "ONLY ",
        RelationKind::PartitionedTable | RelationKind::Foreign => "",
    }
}

/// An identifier, quoted.
pub(super) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A string literal. Backslashes are plain characters under `standard_conforming_strings`, which the session sets.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A column behind a table alias, which may be empty.
fn qualify(alias: &str, column: &str) -> String {
    if alias.is_empty() { quote(column) } else { format!("{alias}.{}", quote(column)) }
}

impl Dialect for PostgresDialect {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn journal_exists(&self) -> String {
        format!(
            "SELECT CASE WHEN pg_catalog.to_regclass('{}') IS NULL THEN 0::bigint ELSE 1::bigint END",
            crate::JOURNAL
        )
    }

    fn journal_table(&self) -> String {
        let columns = "kind text NOT NULL, place bigint NOT NULL, content text NOT NULL, PRIMARY KEY (kind, place)";
        format!("CREATE TABLE {} ({columns})", self.quote(crate::JOURNAL))
    }

    fn quote(&self, identifier: &str) -> String {
        quote(identifier)
    }

    /// Native for booleans, integers, floats, bytes and everything that is text (the assignment raises an error where
    /// a cast to `varchar(n)` would cut silently). The rest is text, cast to the type *without* its modifiers, for the
    /// same reason.
    fn placeholder(&self, ordinal: usize, data_type: &ColumnType) -> String {
        match types::cast_for_assignment(data_type) {
            None => format!("${ordinal}"),
            Some(cast) => format!("CAST(${ordinal} AS {cast})"),
        }
    }

    /// Timestamps and times print six digits of the second or none; infinities and years BC as the server prints them.
    /// `char(n)` is read without its padding, as it is compared. `citext` is read as text.
    fn read_expression(&self, alias: &str, column: &Column) -> String {
        let name = qualify(alias, &column.name);
        let micros = |pattern: &str, zone: &str, guard: &str| {
            // `to_char` knows neither infinity nor BC; the only full stop it prints is the one before the fraction.
            format!(
                "CASE WHEN {guard} THEN pg_catalog.replace(pg_catalog.to_char({name}, '{pattern}'), '.000000', ''){zone} ELSE {name}::text END"
            )
        };
        match &column.data_type.kind {
            TypeKind::Boolean | TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Bytes { .. } => name,
            TypeKind::Timestamp { zoned, .. } => {
                let guard = format!("pg_catalog.isfinite({name}) AND {name} >= '0001-01-01'");
                let zone = if *zoned { " || '+00:00'" } else { "" };
                micros("YYYY-MM-DD HH24:MI:SS.US", zone, &guard)
            }
            TypeKind::Time { zoned: false, .. } => {
                format!("pg_catalog.replace(pg_catalog.to_char({name}, 'HH24:MI:SS.US'), '.000000', '')")
            }
            _ => format!("{name}::text"),
        }
    }

    fn orphans(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> AntiJoin {
        // A declared key of a plain table sees that table's own rows; a configured one means what a reader of the
        // table sees.
        let own_rows = key.enforcement != Enforcement::Virtual;
        let source = |relation: &Relation| {
            if own_rows { self.own_rows(relation) } else { self.quote_relation(&relation.name) }
        };
        let judged = |operator: &str| {
            let present: Vec<String> =
                key.columns.iter().map(|column| format!("c.{} IS NOT NULL", quote(column))).collect();
            present.join(operator)
        };
        // Under MATCH FULL a partly NULL key compares equal to nothing, so that the same NOT EXISTS finds it, and the
        // planner keeps its anti-join, which an OR around the subquery would cost.
        let judged = match key.match_kind {
            MatchKind::Full if key.columns.len() > 1 => format!("({})", judged(" OR ")),
            MatchKind::Full | MatchKind::Simple => judged(" AND "),
        };
        let (parent, compared) = (source(referenced), self.refers(referencing, key, referenced));
        AntiJoin {
            from: format!("{} AS c", source(referencing)),
            condition: format!("{judged} AND NOT EXISTS (SELECT FROM {parent} AS p WHERE {compared})"),
        }
    }

    fn refers(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> String {
        let pair = |(from, to): (&String, &String)| {
            let collation = collation_of_comparison(referencing, from, referenced, to);
            format!("p.{} = c.{}{collation}", quote(to), quote(from))
        };
        key.columns.iter().zip(&key.referenced_columns).map(pair).collect::<Vec<_>>().join(" AND ")
    }

    /// Through text: a direct cast rounds a `double precision` to 15 digits, while its text is the shortest that reads
    /// back as the same number.
    fn exact_numeric(&self, expression: &str) -> String {
        format!("CAST(CAST(({expression}) AS text) AS numeric)")
    }

    fn by_letter(&self, expression: &str, column: &Column) -> Option<String> {
        match column.data_type.kind {
            // Its blanks at the end come and go with the type.
            TypeKind::Text { fixed: true, .. } => None,
            TypeKind::Text { .. } | TypeKind::Enum { .. } => {
                Some(format!("(CAST({expression} AS text) COLLATE \"C\")"))
            }
            _ => None,
        }
    }

    fn bytes_literal(&self, bytes: &[u8]) -> String {
        format!("'\\x{}'::bytea", crate::statement::hex(bytes))
    }

    fn numbering_statement(&self, relation: &Relation, next: i64) -> Option<String> {
        let sequence = relation.columns.iter().find_map(|column| column.sequence.as_ref())?;
        let name = literal(&self.quote_relation(&sequence.name));
        Some(format!("SELECT pg_catalog.setval({name}::pg_catalog.regclass, {next}, false)"))
    }

    fn has_print(&self, expression: &str) -> String {
        format!("{expression} ~ ('[!-~]' COLLATE \"C\")")
    }

    fn own_rows(&self, relation: &Relation) -> String {
        format!("{}{}", only(relation), self.quote_relation(&relation.name))
    }

    /// A `ctid` is unique within one heap only, so that of a relation with children stands behind the heap's name.
    fn row_order(&self, relation: &Relation) -> Option<String> {
        match relation.kind {
            RelationKind::Foreign => None,
            // By its name alone it would be a result column of that name, which is text.
            RelationKind::Table => Some(format!("{}.ctid", self.quote_relation(&relation.name))),
            RelationKind::PartitionedTable => {
                let name = self.quote_relation(&relation.name);
                Some(format!("{name}.tableoid, {name}.ctid"))
            }
        }
    }

    fn row_locator(&self, alias: &str, relation: &Relation) -> Option<String> {
        let dot = if alias.is_empty() { String::new() } else { format!("{alias}.") };
        match relation.kind {
            RelationKind::Foreign => None,
            RelationKind::Table => Some(format!("{dot}ctid::text")),
            RelationKind::PartitionedTable => {
                Some(format!("({dot}tableoid::pg_catalog.regclass::text || {dot}ctid::text)"))
            }
        }
    }
}

/// A `COLLATE` clause where the two columns' collations differ, which the server would refuse to choose between. It is
/// the referenced column's that decides, as in the constraint.
fn collation_of_comparison(referencing: &Relation, from: &str, referenced: &Relation, to: &str) -> String {
    let (Some((_, from)), Some((_, to))) = (referencing.column(from), referenced.column(to)) else {
        return String::new();
    };
    if from.collation == to.collation {
        return String::new();
    }
    format!(" COLLATE {}", quote(to.collation.as_deref().unwrap_or("default")))
}

#[cfg(test)]
mod tests {
    use relink_model::RelationName;

    use super::*;

    fn column_type(declared: &str, kind: TypeKind) -> ColumnType {
        ColumnType { declared: declared.to_owned(), kind }
    }

    fn text(max_chars: Option<u64>, fixed: bool) -> TypeKind {
        TypeKind::Text { max_chars, max_bytes: None, fixed }
    }

    fn relation(name: &str, kind: RelationKind, columns: &[&str]) -> Relation {
        let columns = columns.iter().map(|name| Column { name: (*name).to_owned(), ..Column::default() }).collect();
        Relation { name: RelationName::new(name), kind, columns, ..Relation::default() }
    }

    fn key(columns: &[&str], match_kind: MatchKind, enforcement: Enforcement) -> ForeignKey {
        let names = |prefix: &str| columns.iter().map(|name| format!("{prefix}{name}")).collect();
        ForeignKey {
            name: None,
            columns: names(""),
            referenced: RelationName::new("p"),
            referenced_columns: names("k"),
            match_kind,
            on_delete: relink_model::ReferentialAction::NoAction,
            on_update: relink_model::ReferentialAction::NoAction,
            deferrability: relink_model::Deferrability::NotDeferrable,
            enforcement,
        }
    }

    #[test]
    fn nothing_is_cast_to_a_type_that_would_cut_or_round() {
        let placeholder = |declared, kind| PostgresDialect::new().placeholder(3, &column_type(declared, kind));
        let decimal = TypeKind::Decimal { precision: Some(10), scale: Some(2), special: true, unsigned: false };
        assert_eq!(placeholder("character varying(5)", text(Some(5), false)), "$3");
        assert_eq!(placeholder("character(5)", text(Some(5), true)), "CAST($3 AS bpchar)");
        assert_eq!(placeholder("public.citext", text(None, false)), "CAST($3 AS public.citext)");
        assert_eq!(placeholder("numeric(10,2)", decimal), "CAST($3 AS numeric)");
        assert_eq!(
            placeholder("timestamp(0) with time zone", TypeKind::Timestamp { zoned: true, precision: 0 }),
            "CAST($3 AS timestamp with time zone)"
        );
        assert_eq!(placeholder("bit(3)", TypeKind::Other), "CAST($3 AS \"bit\")");
        assert_eq!(placeholder("uuid", TypeKind::Uuid), "CAST($3 AS uuid)");
        assert_eq!(placeholder("integer", TypeKind::Integer { bits: 32, unsigned: false }), "$3");
        let element = Box::new(column_type("character varying(5)", text(Some(5), false)));
        assert_eq!(placeholder("character varying(5)[]", TypeKind::Array { element }), "CAST($3 AS text[])");
        assert_eq!(placeholder("shop.\"State\"", TypeKind::Enum { labels: vec![] }), "CAST($3 AS shop.\"State\")");
    }

    #[test]
    fn timestamps_are_read_in_one_form() {
        let column = Column {
            name: "at".into(),
            data_type: column_type("timestamptz", TypeKind::Timestamp { zoned: true, precision: 6 }),
            ..Column::default()
        };
        insta::assert_snapshot!(PostgresDialect::new().read_expression("t", &column), @r#"CASE WHEN pg_catalog.isfinite(t."at") AND t."at" >= '0001-01-01' THEN pg_catalog.replace(pg_catalog.to_char(t."at", 'YYYY-MM-DD HH24:MI:SS.US'), '.000000', '') || '+00:00' ELSE t."at"::text END"#);
    }

    #[test]
    fn a_simple_key_is_judged_only_where_every_part_is_present() {
        let child = relation("c\"d", RelationKind::Table, &["a", "b"]);
        let parent = relation("p", RelationKind::PartitionedTable, &["ka", "kb"]);
        let key = key(&["a", "b"], MatchKind::Simple, Enforcement::Enforced);
        insta::assert_snapshot!(PostgresDialect::new().orphans(&child, &key, &parent), @r#"FROM ONLY "c""d" AS c WHERE c."a" IS NOT NULL AND c."b" IS NOT NULL AND NOT EXISTS (SELECT FROM "p" AS p WHERE p."ka" = c."a" AND p."kb" = c."b")"#);
    }

    #[test]
    fn a_full_key_is_judged_where_any_part_is_present() {
        let child = relation("c", RelationKind::Table, &["a", "b"]);
        let parent = relation("p", RelationKind::Table, &["ka", "kb"]);
        let key = key(&["a", "b"], MatchKind::Full, Enforcement::Virtual);
        insta::assert_snapshot!(PostgresDialect::new().orphans(&child, &key, &parent), @r#"FROM "c" AS c WHERE (c."a" IS NOT NULL OR c."b" IS NOT NULL) AND NOT EXISTS (SELECT FROM "p" AS p WHERE p."ka" = c."a" AND p."kb" = c."b")"#);
    }

    #[test]
    fn the_referenced_columns_collation_decides() {
        let child = relation("c", RelationKind::Table, &["a"]);
        let mut parent = relation("p", RelationKind::Table, &["ka"]);
        parent.columns[0].collation = Some("und-ci".into());
        let key = key(&["a"], MatchKind::Simple, Enforcement::Enforced);
        let sql = PostgresDialect::new().orphans(&child, &key, &parent).condition;
        assert!(sql.ends_with("p.\"ka\" = c.\"a\" COLLATE \"und-ci\")"), "{sql}");
        assert!(collation_of_comparison(&parent, "ka", &child, "a").ends_with("COLLATE \"default\""));
    }
}
