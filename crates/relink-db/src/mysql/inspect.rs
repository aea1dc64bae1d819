//! The catalog, read from `information_schema` with a fixed number of queries and put together here.
//!
//! Each query reads one view of the current database. Joining these views is left to us: MariaDB builds each anew for every
//! row of a join.

use std::collections::HashMap;

use relink_model::{
    Catalog, Check, Column, ConstraintName, Deferrability, Enforcement, ForeignKey, GeneratedKind, MatchKind,
    PrimaryKey, ReferentialAction, Relation, RelationKind, RelationName, Trigger, TypeKind, UniqueKey, Value,
};

use super::{
    MySqlDatabase,
    dialect::{MySqlDialect, Product},
    read,
    types::column_type,
};
use crate::{DbError, DbErrorKind, Dialect, JOURNAL};

/// One row of a catalog view, read by position.
struct CatalogRow(Vec<Value>);

impl CatalogRow {
    fn text(&self, index: usize) -> String {
        self.optional(index).unwrap_or_default()
    }

    fn optional(&self, index: usize) -> Option<String> {
        self.0.get(index).and_then(read::text)
    }

    fn number(&self, index: usize) -> Option<u64> {
        self.optional(index)?.parse().ok()
    }
}

/// The relations read so far, by name.
struct Relations {
    list: Vec<Relation>,
    by_name: HashMap<String, usize>,
}

impl Relations {
    fn get_mut(&mut self, name: &str) -> Option<&mut Relation> {
        self.by_name.get(name).map(|&index| &mut self.list[index])
    }
}

impl MySqlDatabase {
    /// See [`crate::Connection::introspect`].
    pub(super) async fn read_catalog(&mut self) -> Result<Catalog, DbError> {
        let (mut relations, views) = self.read_relations().await?;
        // Checks come before columns: one of them may make a column's type JSON.
        self.read_checks(&mut relations).await?;
        self.read_columns(&mut relations).await?;
        self.read_keys(&mut relations).await?;
        self.read_foreign_keys(&mut relations).await?;
        self.read_triggers(&mut relations).await?;
        for relation in &mut relations.list {
            relation.unique_keys.sort_by(|a, b| a.name.cmp(&b.name));
            relation.foreign_keys.sort_by(|a, b| (&a.name, &a.columns).cmp(&(&b.name, &b.columns)));
            relation.checks.sort_by(|a, b| (&a.name, &a.expression).cmp(&(&b.name, &b.expression)));
            relation.triggers.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let default_namespace = Some(self.server.database.clone());
        let mut catalog = Catalog::new(self.server.clone(), relations.list).with_views(default_namespace, views);
        catalog.unseen = self.read_unseen(&catalog).await?;
        Ok(catalog)
    }

    /// The information schema tells of what the role may read in this database. What keys reference beyond that may be there all the same. One query for each
    /// such relation.
    async fn read_unseen(&mut self, catalog: &Catalog) -> Result<Vec<RelationName>, DbError> {
        let mut unseen: Vec<RelationName> = Vec::new();
        for key in catalog.relations.iter().flat_map(|relation| &relation.foreign_keys) {
            let seen = catalog.id(&key.referenced).map(|id| catalog.relation(id));
            let whole = seen.is_some_and(|seen| key.referenced_columns.iter().all(|name| seen.column(name).is_some()));
            if whole || unseen.contains(&key.referenced) {
                continue;
            }
            let columns: Vec<String> = key.referenced_columns.iter().map(|name| self.dialect.quote(name)).collect();
            let relation = self.dialect.quote_relation(&key.referenced);
            let sql = format!("SELECT {} FROM {relation} LIMIT 0", columns.join(", "));
            match self.session.query(&sql, &[]).await {
                Ok(_) => unseen.push(key.referenced.clone()),
                Err(error) if error.kind == DbErrorKind::PermissionDenied => unseen.push(key.referenced.clone()),
                Err(error) if matches!(error.kind, DbErrorKind::ConnectionLost | DbErrorKind::Contention) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        Ok(unseen)
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<CatalogRow>, DbError> {
        Ok(self.session.query(sql, &[]).await?.into_iter().map(CatalogRow).collect())
    }

    /// The tables, and the names of the views.
    async fn read_relations(&mut self) -> Result<(Relations, Vec<RelationName>), DbError> {
        // A system-versioned table is a type of its own on MariaDB.
        let sql = "SELECT TABLE_NAME, ENGINE, TABLE_ROWS, CREATE_OPTIONS, TABLE_TYPE FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')";
        let mut views = Vec::new();
        let mut relations = Relations { list: Vec::new(), by_name: HashMap::new() };
        for row in self.rows(sql).await? {
            if row.text(0).to_ascii_lowercase().starts_with(JOURNAL) {
                continue;
            }
            if row.text(4) == "VIEW" {
                views.push(RelationName::new(row.text(0)));
                continue;
            }
            let engine = row.optional(1);
            let elsewhere = ["FEDERATED", "CONNECT", "SPIDER", "S3"];
            let kind = if engine.as_ref().is_some_and(|engine| elsewhere.contains(&engine.to_uppercase().as_str())) {
                RelationKind::Foreign
            } else if row.text(3).to_ascii_lowercase().contains("partitioned") {
                RelationKind::PartitionedTable
            } else {
                RelationKind::Table
            };
            relations.by_name.insert(row.text(0), relations.list.len());
            relations.list.push(Relation {
                name: RelationName::new(row.text(0)),
                kind,
                estimated_rows: row.number(2),
                storage_engine: engine,
                owned: true,
                ..Relation::default()
            });
        }
        Ok((relations, views))
    }

    async fn read_columns(&mut self, relations: &mut Relations) -> Result<(), DbError> {
        let sql = "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, COLLATION_NAME \
                   FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION";
        for row in self.rows(sql).await? {
            let Some(relation) = relations.get_mut(&row.text(0)) else { continue };
            let name = row.text(1);
            let json_checked = is_json_checked(&relation.checks, &name, &self.dialect);
            let data_type = column_type(&row.text(2), json_checked);
            let nullable = row.text(3).eq_ignore_ascii_case("yes");
            let extra = row.text(5).to_ascii_lowercase();
            let collation = row.optional(6);
            let compares_text =
                matches!(data_type.kind, TypeKind::Text { .. } | TypeKind::Enum { .. } | TypeKind::Set { .. });
            relation.columns.push(Column {
                default: default_text(self.dialect.product, row.optional(4), &extra, nullable, &data_type.kind),
                generated: generated(&extra),
                identity: None,
                auto_increment: extra.contains("auto_increment"),
                sequence: None,
                case_insensitive: compares_text && collation.as_ref().is_some_and(|name| name.ends_with("_ci")),
                collation: collation.filter(|name| *name != self.dialect.default_collation),
                name,
                data_type,
                nullable,
            });
        }
        Ok(())
    }

    async fn read_keys(&mut self, relations: &mut Relations) -> Result<(), DbError> {
        let has_expressions = self.dialect.product == Product::MySql && self.dialect.version >= (8, 0, 13);
        let expression = if has_expressions { "EXPRESSION" } else { "NULL" };
        let sql = format!(
            "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, {expression} FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
        );
        let rows = self.rows(&sql).await?;
        for parts in rows.chunk_by(|a, b| (a.text(0), a.text(1)) == (b.text(0), b.text(1))) {
            let Some(relation) = relations.get_mut(&parts[0].text(0)) else { continue };
            let name = ConstraintName(parts[0].text(1));
            let columns: Vec<String> = parts.iter().filter_map(|part| part.optional(2)).collect();
            // A key over the start of a column tells nothing about whole values, and is an expression for our purposes.
            let plain = parts.iter().all(|part| part.optional(2).is_some() && part.optional(3).is_none());
            if plain && name.0 == "PRIMARY" {
                relation.primary_key = Some(PrimaryKey { name: Some(name), columns });
                continue;
            }
            let expressions = parts.iter().map(|part| key_part(&self.dialect, part));
            relation.unique_keys.push(UniqueKey {
                name,
                expressions: (!plain).then(|| expressions.collect()),
                columns: if plain { columns } else { Vec::new() },
                predicate: None,
                nulls_not_distinct: false,
                deferrability: Deferrability::NotDeferrable,
                valid: true,
            });
        }
        Ok(())
    }

    async fn read_foreign_keys(&mut self, relations: &mut Relations) -> Result<(), DbError> {
        let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE \
                   FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()";
        let rules: HashMap<(String, String), (String, String)> =
            self.rows(sql).await?.iter().map(|row| ((row.text(0), row.text(1)), (row.text(2), row.text(3)))).collect();
        let sql = "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
                   REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
                   WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL \
                   ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION";
        let rows = self.rows(sql).await?;
        for parts in rows.chunk_by(|a, b| (a.text(0), a.text(1)) == (b.text(0), b.text(1))) {
            let first = &parts[0];
            let (namespace, target) = (first.text(3), first.text(4));
            let referenced = if namespace == self.server.database {
                RelationName::new(relations.spelling(&target))
            } else {
                RelationName::qualified(namespace, target)
            };
            let target_columns = |name: String| match &referenced.namespace {
                None => relations.column_spelling(&referenced.name, name),
                Some(_) => name,
            };
            let referenced_columns = parts.iter().map(|part| target_columns(part.text(5))).collect();
            let columns = parts.iter().map(|part| relations.column_spelling(&first.text(0), part.text(2))).collect();
            let (on_update, on_delete) = rules
                .get(&(first.text(0), first.text(1)))
                .map(|(update, delete)| (action(update), action(delete)))
                .unwrap_or_default();
            let Some(relation) = relations.get_mut(&first.text(0)) else { continue };
            relation.foreign_keys.push(ForeignKey {
                name: Some(ConstraintName(first.text(1))),
                columns,
                referenced,
                referenced_columns,
                // InnoDB reads MATCH and forgets it.
                match_kind: MatchKind::Simple,
                on_delete,
                on_update,
                deferrability: Deferrability::NotDeferrable,
                enforcement: Enforcement::Enforced,
            });
        }
        Ok(())
    }

    /// The foreign keys of tables of other databases that refer to this relation.
    pub(super) async fn read_references_from_outside(
        &mut self,
        relation: &Relation,
    ) -> Result<Vec<(Relation, ForeignKey)>, DbError> {
        let name = self.dialect.text_literal(&relation.name.name);
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_COLUMN_NAME \
             FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA <> DATABASE() \
             AND REFERENCED_TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME = {name} \
             ORDER BY TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
        );
        let rows = self.rows(&sql).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE \
             FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA = DATABASE() \
             AND REFERENCED_TABLE_NAME = {name}"
        );
        let key_of = |row: &CatalogRow| (row.text(0), row.text(1), row.text(2));
        let rules = self.rows(&sql).await?;
        let spelling = |name: String| {
            let found = relation.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&name));
            found.map_or(name, |column| column.name.clone())
        };
        let one = |parts: &[CatalogRow]| {
            let (namespace, table, name) = key_of(&parts[0]);
            let rule = rules.iter().find(|rule| key_of(rule) == key_of(&parts[0]));
            let rule = |at| rule.map(|rule| action(&rule.text(at))).unwrap_or_default();
            let key = ForeignKey {
                name: Some(ConstraintName(name)),
                columns: parts.iter().map(|part| part.text(3)).collect(),
                referenced: relation.name.clone(),
                referenced_columns: parts.iter().map(|part| spelling(part.text(4))).collect(),
                match_kind: MatchKind::Simple,
                on_delete: rule(4),
                on_update: rule(3),
                deferrability: Deferrability::NotDeferrable,
                enforcement: Enforcement::Enforced,
            };
            (Relation { name: RelationName::qualified(namespace, table), ..Relation::default() }, key)
        };
        Ok(rows.chunk_by(|a, b| key_of(a) == key_of(b)).map(one).collect())
    }

    async fn read_checks(&mut self, relations: &mut Relations) -> Result<(), DbError> {
        let sql = match self.dialect.product {
            Product::MariaDb if self.dialect.version >= (10, 5, 10) => {
                "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, 'YES', LEVEL \
                 FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()"
            }
            Product::MariaDb => {
                "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, 'YES', 'Table' \
                 FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()"
            }
            Product::MySql if self.dialect.version >= (8, 0, 16) => {
                "SELECT t.TABLE_NAME, t.CONSTRAINT_NAME, c.CHECK_CLAUSE, t.ENFORCED, 'Table' \
                 FROM information_schema.TABLE_CONSTRAINTS t JOIN information_schema.CHECK_CONSTRAINTS c \
                 ON c.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = t.CONSTRAINT_NAME \
                 WHERE t.TABLE_SCHEMA = DATABASE() AND t.CONSTRAINT_TYPE = 'CHECK'"
            }
            // Older ones read CHECK and forget it.
            Product::MySql => return Ok(()),
        };
        for row in self.rows(sql).await? {
            let Some(relation) = relations.get_mut(&row.text(0)) else { continue };
            // MariaDB calls a column's own check by the column's name, which names no constraint.
            let named = !row.text(4).eq_ignore_ascii_case("column");
            relation.checks.push(Check {
                name: named.then(|| ConstraintName(row.text(1))),
                expression: condition(self.dialect.product, &row.text(2)),
                enforcement: if row.text(3).eq_ignore_ascii_case("no") {
                    Enforcement::NotEnforced
                } else {
                    Enforcement::Enforced
                },
            });
        }
        Ok(())
    }

    async fn read_triggers(&mut self, relations: &mut Relations) -> Result<(), DbError> {
        let sql = "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION \
                   FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
        for row in self.rows(sql).await? {
            let Some(relation) = relations.get_mut(&row.text(0)) else { continue };
            relation.triggers.push(Trigger {
                name: row.text(1),
                timing: format!("{} {}", row.text(2), row.text(3)).to_ascii_uppercase(),
                enabled: true,
            });
        }
        Ok(())
    }
}

impl Relations {
    /// A relation's name as the relation itself spells it: a foreign key may keep another case.
    fn spelling(&self, name: &str) -> String {
        if self.by_name.contains_key(name) {
            return name.to_owned();
        }
        let mut other = self.by_name.keys().filter(|key| key.eq_ignore_ascii_case(name));
        match (other.next(), other.next()) {
            (Some(key), None) => key.clone(),
            _ => name.to_owned(),
        }
    }

    /// The same for a column, whose name never distinguishes case.
    fn column_spelling(&self, relation: &str, name: String) -> String {
        let Some(&index) = self.by_name.get(relation) else { return name };
        let same = |column: &&Column| column.name.to_lowercase() == name.to_lowercase();
        self.list[index].columns.iter().find(same).map_or(name.clone(), |column| column.name.clone())
    }
}

fn key_part(dialect: &MySqlDialect, part: &CatalogRow) -> String {
    match (part.optional(2), part.number(3)) {
        (Some(column), Some(length)) => format!("left({},{length})", dialect.quote(&column)),
        (Some(column), None) => dialect.quote(&column),
        (None, _) => condition(dialect.product, &part.text(4)),
    }
}

/// Whether one of the checks keeps this column to valid JSON.
fn is_json_checked(checks: &[Check], column: &str, dialect: &MySqlDialect) -> bool {
    let wanted = format!("json_valid({})", dialect.quote(column));
    checks.iter().any(|check| check.expression.eq_ignore_ascii_case(&wanted))
}

fn generated(extra: &str) -> Option<GeneratedKind> {
    if extra.contains("virtual generated") {
        Some(GeneratedKind::Virtual)
    } else if extra.contains("stored generated") || extra.contains("persistent") {
        Some(GeneratedKind::Stored)
    } else {
        None
    }
}

/// The default as SQL. MariaDB gives SQL, with `NULL` for none; MySQL gives a literal's bare text.
fn default_text(
    product: Product,
    default: Option<String>,
    extra: &str,
    nullable: bool,
    kind: &TypeKind,
) -> Option<String> {
    let default = default?;
    if product == Product::MariaDb {
        return (!(nullable && default.eq_ignore_ascii_case("null"))).then_some(default);
    }
    let is_sql = extra.contains("default_generated")
        || default.to_ascii_uppercase().starts_with("CURRENT_TIMESTAMP")
        || default.starts_with("b'")
        || matches!(
            kind,
            TypeKind::Boolean | TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. }
        );
    Some(if is_sql { default } else { format!("'{}'", default.replace('\\', "\\\\").replace('\'', "''")) })
}

fn action(rule: &str) -> ReferentialAction {
    match rule {
        "CASCADE" => ReferentialAction::Cascade,
        "SET NULL" => ReferentialAction::SetNull,
        "SET DEFAULT" => ReferentialAction::SetDefault,
        "RESTRICT" => ReferentialAction::Restrict,
        _ => ReferentialAction::NoAction,
    }
}

/// A condition or expression as SQL that can be run: MySQL 8 shows its quotes with a backslash before them, and
/// parentheses around the whole.
fn condition(product: Product, clause: &str) -> String {
    match product {
        Product::MariaDb => clause.to_owned(),
        Product::MySql => {
            let clause = clause.replace("\\'", "'").replace("\\\\", "\\");
            without_parentheses(&clause).to_owned()
        }
    }
}

/// The text inside a pair of parentheses that encloses all of it.
fn without_parentheses(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return text };
    let mut depth = 0_i32;
    let mut quote = None;
    for c in inner.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (Some(_) | None, _) => {}
        }
        if depth < 0 {
            return text;
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_sql_on_both_products() {
        let text = TypeKind::Text { max_chars: Some(9), max_bytes: None, fixed: false };
        let integer = TypeKind::Integer { bits: 32, unsigned: false };
        let of = |product, default: &str, extra, kind| default_text(product, Some(default.into()), extra, true, kind);
        assert_eq!(of(Product::MariaDb, "NULL", "", &text), None);
        assert_eq!(of(Product::MariaDb, "'NULL'", "", &text).as_deref(), Some("'NULL'"));
        assert_eq!(of(Product::MySql, "NULL", "", &text).as_deref(), Some("'NULL'"));
        assert_eq!(of(Product::MySql, "it's", "", &text).as_deref(), Some("'it''s'"));
        assert_eq!(of(Product::MySql, "5", "", &integer).as_deref(), Some("5"));
        assert_eq!(of(Product::MySql, "uuid()", "default_generated", &text).as_deref(), Some("uuid()"));
    }

    #[test]
    fn mysql_clauses_become_runnable() {
        assert_eq!(
            condition(Product::MySql, r"(`a` in (_utf8mb4\'x\',_utf8mb4\'y\'))"),
            "`a` in (_utf8mb4'x',_utf8mb4'y')"
        );
        assert_eq!(condition(Product::MySql, "((`a` > 0) or (`b` > 0))"), "(`a` > 0) or (`b` > 0)");
        assert_eq!(condition(Product::MySql, "(`a` > 0) or (`b` > 0)"), "(`a` > 0) or (`b` > 0)");
        assert_eq!(condition(Product::MariaDb, r"`a` <> '\''"), r"`a` <> '\''");
    }

    #[test]
    fn computed_columns_are_told_from_computed_defaults() {
        assert_eq!(generated("virtual generated"), Some(GeneratedKind::Virtual));
        assert_eq!(generated("stored generated"), Some(GeneratedKind::Stored));
        assert_eq!(generated("default_generated on update current_timestamp"), None);
    }
}
