//! How MySQL and MariaDB differ from the others, and from each other, as SQL text. No I/O.

use std::{fmt::Write as _, time::Duration};

use relink_model::{Column, ColumnType, Enforcement, ForeignKey, MatchKind, Relation, TypeKind, Value};

use super::types::is_year;
use crate::{AntiJoin, Capabilities, Dialect, Exactness};

/// Which of the two products answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// MySQL, or one of its kin with the same version numbers (Percona, Aurora).
    MySql,
    /// MariaDB.
    MariaDb,
}

/// The dialect of one server.
#[derive(Clone, Debug)]
pub(super) struct MySqlDialect {
    /// The product.
    pub(super) product: Product,
    /// Major, minor, patch.
    pub(super) version: (u16, u16, u16),
    /// The current database's default collation.
    pub(super) default_collation: String,
    capabilities: Capabilities,
}

impl MySqlDialect {
    /// The dialect of the server that calls itself this version.
    pub(super) fn new(version_text: &str, default_collation: impl Into<String>) -> Self {
        let (product, version) = parse_version(version_text);
        Self { product, version, default_collation: default_collation.into(), capabilities: capabilities(product) }
    }

    /// `SELECT ... EXCEPT SELECT ...`.
    /// The statement that limits how long others may take: MariaDB counts seconds and means all statements, MySQL counts milliseconds and means
    /// queries.
    pub(super) fn statement_timeout(&self, limit: Option<Duration>) -> String {
        match self.product {
            Product::MariaDb => {
                let seconds = limit.map_or(0.0, |limit| limit.as_secs_f64().max(0.001));
                format!("SET SESSION max_statement_time = {seconds:.3}")
            }
            Product::MySql => {
                let milliseconds = limit.map_or(0, |limit| limit.as_millis().max(1));
                format!("SET SESSION max_execution_time = {milliseconds}")
            }
        }
    }

    /// Whether `TIMESTAMP` goes on after 2038 (MariaDB, on 64-bit machines).
    fn counts_to_2106(&self) -> bool {
        self.product == Product::MariaDb && self.version >= (11, 5, 0)
    }

    fn has_except(&self) -> bool {
        match self.product {
            Product::MySql => self.version >= (8, 0, 31),
            Product::MariaDb => self.version >= (10, 3, 0),
        }
    }

    /// Whether an anti-join without an index is hashed rather than looped.
    fn hashes_anti_joins(&self) -> bool {
        self.product == Product::MySql && self.version >= (8, 0, 20)
    }

    /// A placeholder whose value is compared with a column of this type. A text is otherwise compared with a decimal as
    /// two doubles, which calls different numbers equal.
    pub(super) fn comparing_placeholder(&self, data_type: &ColumnType) -> String {
        match data_type.kind {
            TypeKind::Decimal { scale: Some(scale), .. } => format!("CAST(? AS DECIMAL(65,{scale}))"),
            _ => self.placeholder(0, data_type),
        }
    }

    /// A placeholder that stands as a column of a derived table, and goes from there into a column of this type as it would have gone by
    /// itself. Each is given a type, since the server would otherwise settle on one of its own for all rows.
    pub(super) fn carrying_placeholder(&self, data_type: &ColumnType) -> String {
        match data_type.kind {
            TypeKind::Boolean => "CAST(? AS SIGNED)".to_owned(),
            // SIGNED and UNSIGNED would wrap what is beyond them.
            TypeKind::Integer { .. } => "CAST(? AS DECIMAL(20,0))".to_owned(),
            // Not every server has CAST AS DOUBLE.
            TypeKind::Float { .. } => "(? * 1e0)".to_owned(),
            TypeKind::Decimal { scale: Some(scale), .. } => format!("CAST(? AS DECIMAL(65,{scale}))"),
            TypeKind::Bytes { .. } => "CAST(? AS BINARY)".to_owned(),
            _ if is_geometry(data_type) => self.placeholder(0, data_type),
            _ => "CAST(? AS CHAR CHARACTER SET utf8mb4)".to_owned(),
        }
    }

    /// Compares a column of `t` with what [`Self::carrying_placeholder`] carried, under the column's own collation, so that its index
    /// serves. What the column's character set cannot hold equals nothing, or is an error of its own (MariaDB, see `is_unconvertible_key`).
    pub(super) fn equals_carried(&self, column: &Column, carried: &str) -> String {
        let name = format!("t.{}", self.quote(&column.name));
        let data_type = &column.data_type;
        match data_type.kind {
            TypeKind::Date => format!("{name} = CAST({carried} AS DATE)"),
            TypeKind::Time { .. } => format!("{name} = CAST({carried} AS TIME(6))"),
            TypeKind::Timestamp { .. } => format!("{name} = CAST({carried} AS DATETIME(6))"),
            _ if is_text(data_type) && !data_type.declared.eq_ignore_ascii_case("json") => {
                let collation = self.collation(column);
                match collation.split('_').next().unwrap_or(collation) {
                    "utf8mb4" => format!("{name} = {carried} COLLATE {collation}"),
                    charset => {
                        let converted = format!("CONVERT({carried} USING {charset})");
                        format!(
                            "{name} = {converted} COLLATE {collation} \
                             AND CONVERT({converted} USING utf8mb4) COLLATE utf8mb4_bin = {carried}"
                        )
                    }
                }
            }
            _ => format!("{name} = {carried}"),
        }
    }

    /// A placeholder that stands for a stored value of the column in an expression.
    pub(super) fn stored_placeholder(&self, column: &Column) -> String {
        let data_type = &column.data_type;
        let declared = data_type.declared.to_ascii_lowercase();
        match data_type.kind {
            TypeKind::Integer { unsigned: true, .. } => "CAST(? AS UNSIGNED)".to_owned(),
            TypeKind::Integer { .. } => "CAST(? AS SIGNED)".to_owned(),
            TypeKind::Decimal { precision: Some(precision), scale: Some(scale), .. } => {
                format!("CAST(? AS DECIMAL({precision},{scale}))")
            }
            TypeKind::Date => "CAST(? AS DATE)".to_owned(),
            TypeKind::Time { precision, .. } => format!("CAST(? AS TIME({precision}))"),
            TypeKind::Timestamp { precision, .. } => format!("CAST(? AS DATETIME({precision}))"),
            TypeKind::Json if declared == "json" => "CAST(? AS JSON)".to_owned(),
            // MariaDB's own types.
            TypeKind::Uuid | TypeKind::Other if matches!(declared.as_str(), "uuid" | "inet4" | "inet6") => {
                format!("CAST(? AS {declared})")
            }
            _ if is_text(data_type) => {
                let collation = self.collation(column);
                let charset = collation.split('_').next().unwrap_or(collation);
                format!("CONVERT(CAST(? AS CHAR CHARACTER SET utf8mb4) USING {charset}) COLLATE {collation}")
            }
            _ => self.carrying_placeholder(data_type),
        }
    }

    fn column_name(&self, alias: &str, name: &str) -> String {
        if alias.is_empty() { self.quote(name) } else { format!("{alias}.{}", self.quote(name)) }
    }

    fn collation<'a>(&'a self, column: &'a Column) -> &'a str {
        column.collation.as_deref().unwrap_or(&self.default_collation)
    }

    /// Both sides of a reference as expressions that may be compared. Declared keys are compared as they are; a virtual
    /// reference may pair what the server compares wrongly (text with numbers, as doubles) or not at all (two collations).
    /// The third says whether an index can still serve.
    fn comparable(&self, referencing: &Column, referenced: &Column) -> (String, String, bool) {
        let plain = (format!("c.{}", self.quote(&referencing.name)), format!("p.{}", self.quote(&referenced.name)));
        let as_text = |expression: &str, collation: &str| {
            let charset = collation.split('_').next().unwrap_or(collation);
            format!("CONVERT({expression} USING {charset}) COLLATE {collation}")
        };
        match (is_text(&referencing.data_type), is_text(&referenced.data_type)) {
            (true, true) if self.collation(referencing) != self.collation(referenced) => {
                (as_text(&plain.0, self.collation(referenced)), plain.1, true)
            }
            (true, false) => (plain.0, as_text(&plain.1, self.collation(referencing)), false),
            (false, true) => (as_text(&plain.0, self.collation(referenced)), plain.1, false),
            _ => (plain.0, plain.1, true),
        }
    }

    /// The columns of a key and what they refer to, as they are compared, and whether an index can still serve. A declared key is compared as the server
    /// compares it.
    fn pairs(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> (Vec<(String, String)>, bool) {
        let mut index_serves = true;
        let pair = |(column, target): (&String, &String)| match (referencing.column(column), referenced.column(target))
        {
            (Some((_, column)), Some((_, target))) if key.enforcement == Enforcement::Virtual => {
                let (column, target, serves) = self.comparable(column, target);
                index_serves &= serves;
                (column, target)
            }
            _ => (format!("c.{}", self.quote(column)), format!("p.{}", self.quote(target))),
        };
        let pairs = key.columns.iter().zip(&key.referenced_columns).map(pair).collect();
        (pairs, index_serves)
    }
}

/// The condition that pairs are equal.
fn equal(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(column, target)| format!("{target} = {column}")).collect::<Vec<_>>().join(" AND ")
}

impl Dialect for MySqlDialect {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn journal_exists(&self) -> String {
        format!(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{}'",
            crate::JOURNAL
        )
    }

    fn journal_table(&self) -> String {
        // Whatever the server's defaults are: the journal commits with the rows, and holds any text.
        let columns =
            "kind varchar(16) NOT NULL, place bigint NOT NULL, content longtext NOT NULL, PRIMARY KEY (kind, place)";
        format!("CREATE TABLE {} ({columns}) ENGINE = InnoDB CHARACTER SET utf8mb4", self.quote(crate::JOURNAL))
    }

    fn quote(&self, identifier: &str) -> String {
        format!("`{}`", identifier.replace('`', "``"))
    }

    fn placeholder(&self, _ordinal: usize, data_type: &ColumnType) -> String {
        if is_geometry(data_type) { "ST_GeomFromText(?)".to_owned() } else { "?".to_owned() }
    }

    fn read_expression(&self, alias: &str, column: &Column) -> String {
        let column_name = self.column_name(alias, &column.name);
        let declared = &column.data_type;
        match &declared.kind {
            TypeKind::Timestamp { zoned, precision } => {
                let zone = if *zoned { "+00:00" } else { "" };
                if *precision == 0 {
                    format!("CONCAT(CAST({column_name} AS CHAR), '{zone}')")
                } else {
                    format!(
                        "DATE_FORMAT({column_name}, CASE WHEN MICROSECOND({column_name}) = 0 \
                         THEN '%Y-%m-%d %H:%i:%s{zone}' ELSE '%Y-%m-%d %H:%i:%s.%f{zone}' END)"
                    )
                }
            }
            TypeKind::Json if declared.declared.eq_ignore_ascii_case("json") => format!("CAST({column_name} AS CHAR)"),
            TypeKind::Bytes { .. } if declared.declared.to_ascii_lowercase().starts_with("bit") => {
                format!("CAST({column_name} AS BINARY)")
            }
            TypeKind::Other if is_geometry(declared) => format!("ST_AsText({column_name})"),
            TypeKind::Decimal { .. }
            | TypeKind::Date
            | TypeKind::Time { precision: 0, .. }
            | TypeKind::Uuid
            | TypeKind::Other => format!("CAST({column_name} AS CHAR)"),
            TypeKind::Time { .. } => format!(
                "CASE WHEN MICROSECOND({column_name}) = 0 THEN CAST(CAST({column_name} AS TIME) AS CHAR) \
                 ELSE CAST(CAST({column_name} AS TIME(6)) AS CHAR) END"
            ),
            _ => column_name,
        }
    }

    fn orphans(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> AntiJoin {
        let child = self.quote_relation(&referencing.name);
        let parent = self.quote_relation(&referenced.name);
        let (pairs, comparable) = self.pairs(referencing, key, referenced);
        let index_serves =
            comparable && (key.enforcement != Enforcement::Virtual || is_indexed(referenced, &key.referenced_columns));
        let join = |parts: Vec<String>, with: &str| parts.join(with);
        let complete =
            join(key.columns.iter().map(|column| format!("c.{} IS NOT NULL", self.quote(column))).collect(), " AND ");
        let columns = join(pairs.iter().map(|(column, _)| column.clone()).collect(), ", ");
        let targets = join(pairs.iter().map(|(_, target)| target.clone()).collect(), ", ");
        let missing = if index_serves || self.hashes_anti_joins() {
            format!("NOT EXISTS (SELECT 1 FROM {parent} p WHERE {})", equal(&pairs))
        } else {
            let named = |side: &dyn Fn(&(String, String)) -> &String| {
                let named = pairs.iter().enumerate().map(|(index, pair)| format!("{} AS k{index}", side(pair)));
                join(named.collect(), ", ")
            };
            if self.has_except() {
                let keys = join((0..pairs.len()).map(|index| format!("d.k{index}")).collect(), ", ");
                let columns_named = named(&|(column, _)| column);
                format!(
                    "({columns}) IN (SELECT {keys} FROM (SELECT {columns_named} FROM {child} c WHERE {complete} \
                     EXCEPT SELECT {targets} FROM {parent} p) d)"
                )
            } else {
                let equal = pairs.iter().enumerate().map(|(index, (column, _))| format!("d.k{index} = {column}"));
                let equal = join(equal.collect(), " AND ");
                let targets_named = named(&|(_, target)| target);
                format!("NOT EXISTS (SELECT 1 FROM (SELECT DISTINCT {targets_named} FROM {parent} p) d WHERE {equal})")
            }
        };
        let condition = match key.match_kind {
            MatchKind::Simple => format!("{complete} AND {missing}"),
            // InnoDB knows MATCH SIMPLE only, so this is for references that configuration declares.
            MatchKind::Full => {
                let parts = key.columns.iter().map(|column| format!("c.{} IS NULL", self.quote(column)));
                let empty = join(parts.collect(), " AND ");
                format!("NOT ({empty}) AND (NOT ({complete}) OR {missing})")
            }
        };
        AntiJoin { from: format!("{child} c"), condition }
    }

    /// Instants outside of what `TIMESTAMP` counts are refused by the server; of years it makes others out of those below 100.
    fn exactness(&self, data_type: &ColumnType) -> Option<Exactness> {
        match data_type.kind {
            TypeKind::Timestamp { zoned: true, .. } if self.counts_to_2106() => Some(|value| {
                is_beyond(value, LAST_UNSIGNED)
                    .then_some("is out of range: the column holds instants from 1970 to 2106")
            }),
            TypeKind::Timestamp { zoned: true, .. } => Some(|value| {
                is_beyond(value, LAST_SIGNED).then_some("is out of range: the column holds instants from 1970 to 2038")
            }),
            TypeKind::Integer { .. } if is_year(data_type) => Some(|value| {
                (!matches!(value, Value::Null | Value::Int(0 | 1901..=2155)))
                    .then_some("is out of range: the column holds 0 and the years 1901 to 2155")
            }),
            _ => None,
        }
    }

    fn refers(&self, referencing: &Relation, key: &ForeignKey, referenced: &Relation) -> String {
        equal(&self.pairs(referencing, key, referenced).0)
    }

    fn exact_numeric(&self, expression: &str) -> String {
        // A double becomes the shortest decimal that reads back as the same double, so 0.1 is 0.1. What passes 35 digits
        // before the point or 30 behind it does not fit.
        format!("CAST({expression} AS DECIMAL(65,30))")
    }

    fn row_locator(&self, _alias: &str, _relation: &Relation) -> Option<String> {
        None
    }

    /// Not as a comparison of rows, which the optimizer does not look up in an index.
    fn after(&self, columns: &[&str], value: &mut dyn FnMut(usize) -> String) -> String {
        let mut sql = String::new();
        for (at, column) in columns.iter().enumerate() {
            let last = at + 1 == columns.len();
            let _ = write!(sql, "({column} > {}", value(at));
            if !last {
                let _ = write!(sql, " OR {column} = {} AND ", value(at));
            }
        }
        sql + &")".repeat(columns.len())
    }

    /// `YEAR`, beside which a number below 100 stands for a year of this century or the last.
    fn number(&self, expression: &str, column: &Column) -> String {
        if is_year(&column.data_type) { format!("({expression} + 0)") } else { expression.to_owned() }
    }

    fn numbering_statement(&self, relation: &Relation, next: i64) -> Option<String> {
        Some(format!("ALTER TABLE {} AUTO_INCREMENT = {next}", self.quote_relation(&relation.name)))
    }

    fn text_literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    }

    fn by_letter(&self, expression: &str, column: &Column) -> Option<String> {
        match column.data_type.kind {
            TypeKind::Text { .. } | TypeKind::Enum { .. } => {
                Some(format!("CAST(CONVERT({expression} USING utf8mb4) AS BINARY)"))
            }
            _ => None,
        }
    }

    fn has_print(&self, expression: &str) -> String {
        format!("{expression} REGEXP '[!-~]'")
    }

    fn blank(&self, alias: &str, column: &Column) -> Option<String> {
        let name = self.column_name(alias, &column.name);
        match column.data_type.kind {
            // The zero date, one with parts that are zero, and a day that its month does not have. Compared as text, newer servers refuse them.
            TypeKind::Date | TypeKind::Timestamp { .. } => Some(format!(
                "(MONTH({name}) = 0 OR DAYOFMONTH({name}) = 0 OR DAYOFMONTH({name}) > DAYOFMONTH(LAST_DAY({name})))"
            )),
            // The position of the label that stands for a value that is none: a declared empty label has a position of its own.
            TypeKind::Enum { .. } => Some(format!("{name} + 0 = 0")),
            _ => None,
        }
    }
}

/// The last second that `TIMESTAMP` counts, where it has 32 bits with a sign, and without.
const LAST_SIGNED: &str = "2038-01-19 03:14:07";
const LAST_UNSIGNED: &str = "2106-02-07 06:28:15";

/// Whether an instant (`YYYY-MM-DD HH:MM:SS[.ffffff]+00:00`) is none of those from the first second of 1970 to this one.
fn is_beyond(value: &Value, last: &str) -> bool {
    let Value::Text(text) = value else { return false };
    text.get(..last.len()).is_some_and(|second| !("1970-01-01 00:00:01"..=last).contains(&second))
}

fn capabilities(product: Product) -> Capabilities {
    Capabilities {
        enforces_types: true,
        enforces_length: true,
        transactional_ddl: false,
        defers_any_foreign_key: false,
        defers_declared: false,
        owner_can_make_deferrable: false,
        can_suspend_foreign_keys: true,
        suspending_needs_owner: false,
        checks_each_row: true,
        stores_temporals_as_text: false,
        floats_hold_specials: false,
        temporals_hold_infinity: false,
        // MariaDB's JSON is an alias of longtext with a CHECK.
        decimal_max: Some((65, 30)),
        json_is_text: product == Product::MariaDb,
        has_booleans: false,
        compares_by_letter: false,
        text_holds_nul: true,
        statement_failure_keeps_transaction: true,
        years: (1, 9999),
        parameters_max: 65_535,
        disables_triggers: false,
        bulk_load: false,
    }
}

/// `10.11.19-MariaDB-0+deb12u1`, `8.0.36`, `5.5.5-10.4.8-MariaDB` (what MariaDB tells old replicas).
fn parse_version(text: &str) -> (Product, (u16, u16, u16)) {
    let maria = text.to_ascii_lowercase().contains("mariadb");
    let text = if maria { text.strip_prefix("5.5.5-").unwrap_or(text) } else { text };
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (if maria { Product::MariaDb } else { Product::MySql }, (next(), next(), next()))
}

fn is_text(data_type: &ColumnType) -> bool {
    matches!(data_type.kind, TypeKind::Text { .. } | TypeKind::Enum { .. } | TypeKind::Set { .. } | TypeKind::Json)
}

fn is_geometry(data_type: &ColumnType) -> bool {
    data_type.kind == TypeKind::Other
        && matches!(
            data_type.declared.to_ascii_lowercase().as_str(),
            "geometry"
                | "point"
                | "linestring"
                | "polygon"
                | "multipoint"
                | "multilinestring"
                | "multipolygon"
                | "geometrycollection"
                | "geomcollection"
        )
}

/// Whether these columns, in any order, lead an index that the catalog knows of.
fn is_indexed(relation: &Relation, columns: &[String]) -> bool {
    relation
        .keys()
        .any(|key| key.len() >= columns.len() && key[..columns.len()].iter().all(|part| columns.contains(part)))
}

#[cfg(test)]
mod tests {
    use relink_model::{Deferrability, PrimaryKey, ReferentialAction, RelationName};

    use super::*;
    use crate::mysql::types::column_type;

    fn column(name: &str, declared: &str) -> Column {
        Column { name: name.into(), data_type: column_type(declared, false), ..Column::default() }
    }

    fn relation(name: &str, columns: Vec<Column>) -> Relation {
        Relation { name: RelationName::new(name), columns, ..Relation::default() }
    }

    fn key(columns: &[&str], referenced: &[&str], enforcement: Enforcement) -> ForeignKey {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        ForeignKey {
            name: None,
            columns: names(columns),
            referenced: RelationName::new("parent"),
            referenced_columns: names(referenced),
            match_kind: MatchKind::Simple,
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
            deferrability: Deferrability::NotDeferrable,
            enforcement,
        }
    }

    fn maria() -> MySqlDialect {
        MySqlDialect::new("10.11.19-MariaDB-0+deb12u1", "utf8mb4_general_ci")
    }

    #[test]
    fn versions_tell_the_products_apart() {
        assert_eq!(parse_version("10.11.19-MariaDB-0+deb12u1"), (Product::MariaDb, (10, 11, 19)));
        assert_eq!(parse_version("5.5.5-10.4.8-MariaDB"), (Product::MariaDb, (10, 4, 8)));
        assert_eq!(parse_version("8.0.36-28"), (Product::MySql, (8, 0, 36)));
    }

    #[test]
    fn a_declared_key_is_judged_over_its_index_part_by_part() {
        let child = relation("child", vec![column("a", "int"), column("b`b", "int")]);
        let parent = relation("parent", vec![column("x", "int"), column("y", "int")]);
        assert_eq!(
            maria().orphans(&child, &key(&["a", "b`b"], &["x", "y"], Enforcement::Enforced), &parent).to_string(),
            "FROM `child` c WHERE c.`a` IS NOT NULL AND c.`b``b` IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM `parent` p WHERE p.`x` = c.`a` AND p.`y` = c.`b``b`)"
        );
    }

    #[test]
    fn a_virtual_reference_without_index_is_not_looped() {
        let child = relation("child", vec![column("a", "int")]);
        let mut parent = relation("parent", vec![column("x", "int")]);
        let key = key(&["a"], &["x"], Enforcement::Virtual);
        let except = "FROM `child` c WHERE c.`a` IS NOT NULL AND (c.`a`) IN (SELECT d.k0 FROM (SELECT c.`a` AS k0 \
                      FROM `child` c WHERE c.`a` IS NOT NULL EXCEPT SELECT p.`x` FROM `parent` p) d)";
        let exists = "FROM `child` c WHERE c.`a` IS NOT NULL \
                      AND NOT EXISTS (SELECT 1 FROM `parent` p WHERE p.`x` = c.`a`)";
        let derived = "FROM `child` c WHERE c.`a` IS NOT NULL AND NOT EXISTS (SELECT 1 FROM \
                       (SELECT DISTINCT p.`x` AS k0 FROM `parent` p) d WHERE d.k0 = c.`a`)";
        assert_eq!(maria().orphans(&child, &key, &parent).to_string(), except);
        assert_eq!(
            MySqlDialect::new("8.0.36", "utf8mb4_0900_ai_ci").orphans(&child, &key, &parent).to_string(),
            exists
        );
        assert_eq!(
            MySqlDialect::new("5.7.44", "utf8mb4_general_ci").orphans(&child, &key, &parent).to_string(),
            derived
        );
        parent.primary_key = Some(PrimaryKey { name: None, columns: vec!["x".into(), "z".into()] });
        assert_eq!(maria().orphans(&child, &key, &parent).to_string(), exists);
    }

    #[test]
    fn text_and_numbers_are_not_compared_as_doubles() {
        let child = relation("child", vec![column("a", "bigint(20)")]);
        let mut parent = relation("parent", vec![column("x", "varchar(40)")]);
        parent.columns[0].collation = Some("latin1_swedish_ci".into());
        let sql = maria().orphans(&child, &key(&["a"], &["x"], Enforcement::Virtual), &parent).condition;
        assert!(sql.contains("(CONVERT(c.`a` USING latin1) COLLATE latin1_swedish_ci) IN"), "{sql}");
    }

    #[test]
    fn match_full_asks_for_all_parts_or_none() {
        let child = relation("child", vec![column("a", "int"), column("b", "int")]);
        let mut key = key(&["a", "b"], &["a", "b"], Enforcement::Enforced);
        key.match_kind = MatchKind::Full;
        let sql = maria().orphans(&child, &key, &child).condition;
        assert!(
            sql.contains("NOT (c.`a` IS NULL AND c.`b` IS NULL) AND (NOT (c.`a` IS NOT NULL AND c.`b` IS NOT NULL) OR"),
            "{sql}"
        );
    }

    #[test]
    fn values_without_a_native_form_are_read_as_text() {
        let read = |declared| maria().read_expression("t", &column("x", declared));
        assert_eq!(read("bigint(20) unsigned"), "t.`x`");
        assert_eq!(read("decimal(10,2)"), "CAST(t.`x` AS CHAR)");
        assert_eq!(read("timestamp"), "CONCAT(CAST(t.`x` AS CHAR), '+00:00')");
        assert_eq!(read("bit(9)"), "CAST(t.`x` AS BINARY)");
        assert_eq!(read("point"), "ST_AsText(t.`x`)");
        assert_eq!(maria().read_expression("", &column("x", "text")), "`x`");
    }
}
