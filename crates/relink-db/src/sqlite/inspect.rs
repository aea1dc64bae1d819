//! Introspection: six queries whatever the number of relations. The pragmas, as table-valued functions joined to the
//! list of tables, give columns, indexes and foreign keys; [`ddl`] reads from the stored SQL what they leave out.

use std::collections::HashMap;

use relink_model::{
    Catalog, Check, Column, ConstraintName, Enforcement, ForeignKey, GeneratedKind, MatchKind, PrimaryKey,
    ReferentialAction, Relation, RelationName, ServerInfo, Trigger, TypeKind, UniqueKey, Value,
};
use sqlx::SqliteConnection;

use super::{
    ddl::{self, TableDdl},
    dialect::quote,
    read::query_plain,
    types::column_type,
};
use crate::{DbError, ResultRow};

/// The user's tables: virtual tables, their shadow tables and views are not relations, nor are SQLite's own, nor relink's ([`crate::JOURNAL`]).
const TABLES: &str = "SELECT name, wr, strict FROM pragma_table_list \
    WHERE schema = 'main' AND type = 'table' AND lower(substr(name, 1, 7)) <> 'sqlite_' \
    AND lower(substr(name, 1, 14)) <> 'relink_journal'";

/// Reads the catalog.
pub(super) async fn introspect(connection: &mut SqliteConnection, server: &ServerInfo) -> Result<Catalog, DbError> {
    let mut tables = tables(connection).await?;
    let (has_statistics, views) = stored_sql(connection, &mut tables).await?;
    columns(connection, &mut tables).await?;
    indexes(connection, &mut tables).await?;
    foreign_keys(connection, &mut tables).await?;
    if has_statistics {
        estimated_rows(connection, &mut tables).await?;
    }
    resolve_references(&mut tables);
    let relations = tables.list.into_iter().map(TableParts::finish).collect();
    Ok(Catalog::new(server.clone(), relations).with_views(Some("main".to_owned()), views))
}

/// Whether the schema holds anything of the user's.
pub(super) async fn is_empty(connection: &mut SqliteConnection) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(substr(name, 1, 7)) <> 'sqlite_' LIMIT 1";
    Ok(query_plain(connection, sql).await?.is_empty())
}

/// The statements that drop every view and table, in an order that works: shadow tables go with their virtual tables.
pub(super) async fn drop_statements(connection: &mut SqliteConnection) -> Result<Vec<String>, DbError> {
    let sql = "SELECT type, name FROM pragma_table_list \
        WHERE schema = 'main' AND type IN ('view', 'virtual', 'table') AND lower(substr(name, 1, 7)) <> 'sqlite_' \
        ORDER BY type = 'table', type = 'virtual'";
    let rows = query_plain(connection, sql).await?;
    Ok(rows
        .iter()
        .map(|row| format!("DROP {} {}", if text(row, 0) == "view" { "VIEW" } else { "TABLE" }, quote(&text(row, 1))))
        .collect())
}

/// A relation under construction.
#[derive(Default)]
struct TableParts {
    relation: Relation,
    ddl: TableDdl,
    /// Primary key columns with their position in the key.
    key: Vec<(i64, String)>,
    /// An index of origin `pk` exists; without one, a single INTEGER key is the row id itself.
    key_has_index: bool,
    indexes: Vec<IndexParts>,
    foreign_keys: Vec<ForeignKeyParts>,
}

struct IndexParts {
    name: String,
    unique: bool,
    /// `c` for CREATE INDEX, `u` for a UNIQUE constraint, `pk`.
    origin: String,
    partial: bool,
    /// Column (none for an expression) and collation, in key order.
    parts: Vec<(Option<String>, String)>,
    sql: Option<String>,
}

struct ForeignKeyParts {
    id: i64,
    columns: Vec<String>,
    referenced: String,
    /// `None` where the clause names no columns.
    referenced_columns: Vec<Option<String>>,
    on_update: ReferentialAction,
    on_delete: ReferentialAction,
}

/// Relations by name; SQLite compares names without regard to ASCII case.
struct Tables {
    list: Vec<TableParts>,
    by_name: HashMap<String, usize>,
}

impl Tables {
    fn get(&mut self, name: &str) -> Option<&mut TableParts> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|&index| &mut self.list[index])
    }
}

async fn tables(connection: &mut SqliteConnection) -> Result<Tables, DbError> {
    let mut tables = Tables { list: Vec::new(), by_name: HashMap::new() };
    for row in query_plain(connection, TABLES).await? {
        let name = text(&row, 0);
        tables.by_name.insert(name.to_ascii_lowercase(), tables.list.len());
        let relation = Relation {
            name: RelationName::new(name),
            without_rowid: integer(&row, 1) != 0,
            strict: integer(&row, 2) != 0,
            owned: true,
            ..Relation::default()
        };
        tables.list.push(TableParts { relation, ..TableParts::default() });
    }
    Ok(tables)
}

/// Reads the stored SQL of tables and triggers; says whether ANALYZE left statistics. (That of indexes comes with them.)
async fn stored_sql(
    connection: &mut SqliteConnection,
    tables: &mut Tables,
) -> Result<(bool, Vec<RelationName>), DbError> {
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema \
        WHERE type IN ('table', 'trigger', 'view') AND sql IS NOT NULL";
    let (mut has_statistics, mut views) = (false, Vec::new());
    for row in query_plain(connection, sql).await? {
        let (kind, name, sql) = (text(&row, 0), text(&row, 1), text(&row, 3));
        has_statistics |= name == "sqlite_stat1";
        if kind == "view" {
            views.push(RelationName::new(name));
            continue;
        }
        let Some(table) = tables.get(&text(&row, 2)) else { continue };
        if kind == "table" {
            table.ddl = ddl::table(&sql);
        } else {
            table.relation.triggers.push(Trigger { name, timing: ddl::trigger_timing(&sql), enabled: true });
        }
    }
    Ok((has_statistics, views))
}

async fn columns(connection: &mut SqliteConnection, tables: &mut Tables) -> Result<(), DbError> {
    let sql = format!(
        "SELECT t.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, c.hidden \
         FROM ({TABLES}) AS t JOIN pragma_table_xinfo(t.name, 'main') AS c ORDER BY t.name, c.cid"
    );
    for row in query_plain(connection, &sql).await? {
        let Some(table) = tables.get(&text(&row, 0)) else { continue };
        let (name, key_position) = (text(&row, 1), integer(&row, 5));
        let generated = match integer(&row, 6) {
            2 => Some(GeneratedKind::Virtual),
            3 => Some(GeneratedKind::Stored),
            _ => None,
        };
        // A default of NULL is none.
        let default = optional_text(&row, 4).filter(|default| !default.trim().eq_ignore_ascii_case("null"));
        if key_position > 0 {
            table.key.push((key_position, name.clone()));
        }
        table.relation.columns.push(Column {
            name,
            data_type: column_type(&text(&row, 2)),
            nullable: integer(&row, 3) == 0,
            default,
            generated,
            ..Column::default()
        });
    }
    Ok(())
}

async fn indexes(connection: &mut SqliteConnection, tables: &mut Tables) -> Result<(), DbError> {
    let sql = format!(
        "SELECT t.name, i.name, i.\"unique\", i.origin, i.partial, p.cid, p.name, p.coll, \
                CASE WHEN i.partial OR p.cid = -2 OR i.origin = 'c' THEN s.sql END \
         FROM ({TABLES}) AS t \
         JOIN pragma_index_list(t.name, 'main') AS i \
         JOIN pragma_index_xinfo(i.name, 'main') AS p \
         LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = i.name \
         WHERE p.key AND i.\"unique\" ORDER BY t.name, i.name, p.seqno"
    );
    for row in query_plain(connection, &sql).await? {
        let Some(table) = tables.get(&text(&row, 0)) else { continue };
        let name = text(&row, 1);
        if table.indexes.last().is_none_or(|last| last.name != name) {
            table.indexes.push(IndexParts {
                name,
                unique: integer(&row, 2) != 0,
                origin: text(&row, 3),
                partial: integer(&row, 4) != 0,
                parts: Vec::new(),
                sql: optional_text(&row, 8),
            });
        }
        let part = (optional_text(&row, 6).filter(|_| integer(&row, 5) >= 0), text(&row, 7));
        if let Some(index) = table.indexes.last_mut() {
            index.parts.push(part);
            table.key_has_index |= index.origin == "pk";
        }
    }
    Ok(())
}

async fn foreign_keys(connection: &mut SqliteConnection, tables: &mut Tables) -> Result<(), DbError> {
    let sql = format!(
        "SELECT t.name, k.id, k.\"table\", k.\"from\", k.\"to\", k.on_update, k.on_delete \
         FROM ({TABLES}) AS t JOIN pragma_foreign_key_list(t.name, 'main') AS k ORDER BY t.name, k.id, k.seq"
    );
    for row in query_plain(connection, &sql).await? {
        let Some(table) = tables.get(&text(&row, 0)) else { continue };
        let id = integer(&row, 1);
        if table.foreign_keys.last().is_none_or(|last| last.id != id) {
            table.foreign_keys.push(ForeignKeyParts {
                id,
                columns: Vec::new(),
                referenced: text(&row, 2),
                referenced_columns: Vec::new(),
                on_update: action(&text(&row, 5)),
                on_delete: action(&text(&row, 6)),
            });
        }
        if let Some(key) = table.foreign_keys.last_mut() {
            key.columns.push(text(&row, 3));
            key.referenced_columns.push(optional_text(&row, 4));
        }
    }
    Ok(())
}

async fn estimated_rows(connection: &mut SqliteConnection, tables: &mut Tables) -> Result<(), DbError> {
    // The first number of each index's statistics is the table's number of rows; a partial index counts its own only.
    for row in query_plain(connection, "SELECT tbl, stat FROM sqlite_stat1").await? {
        let Some(table) = tables.get(&text(&row, 0)) else { continue };
        let rows = text(&row, 1).split(' ').next().and_then(|number| number.parse::<u64>().ok());
        table.relation.estimated_rows = table.relation.estimated_rows.max(rows);
    }
    Ok(())
}

/// Gives every foreign key its referenced relation and columns in the catalog's own case, and the primary key's columns
/// where its clause names none. A relation that does not exist is kept as it is written.
fn resolve_references(tables: &mut Tables) {
    let mut targets: HashMap<String, (String, Vec<String>, Vec<String>)> = HashMap::new();
    for (folded, &index) in &tables.by_name {
        let table = &mut tables.list[index];
        table.key.sort();
        let columns = table.relation.columns.iter().map(|column| column.name.clone()).collect();
        let key = table.key.iter().map(|(_, column)| column.clone()).collect();
        targets.insert(folded.clone(), (table.relation.name.name.clone(), columns, key));
    }
    for table in &mut tables.list {
        for key in &mut table.foreign_keys {
            let Some((name, columns, primary)) = targets.get(&key.referenced.to_ascii_lowercase()) else { continue };
            key.referenced.clone_from(name);
            let implicit = key.referenced_columns.iter().all(Option::is_none);
            if implicit && primary.len() == key.columns.len() {
                key.referenced_columns = primary.iter().cloned().map(Some).collect();
            }
            for column in key.referenced_columns.iter_mut().flatten() {
                if let Some(own) = columns.iter().find(|own| own.eq_ignore_ascii_case(column)) {
                    column.clone_from(own);
                }
            }
        }
    }
}

impl TableParts {
    fn finish(mut self) -> Relation {
        self.finish_columns();
        self.finish_keys();
        self.finish_foreign_keys();
        self.finish_checks();
        self.relation.triggers.sort_by(|a, b| a.name.cmp(&b.name));
        self.relation
    }

    fn finish_columns(&mut self) {
        for (column, collation) in &self.ddl.collations {
            let found = self.relation.columns.iter_mut().find(|own| own.name.eq_ignore_ascii_case(column));
            if let Some(column) = found
                && !collation.eq_ignore_ascii_case("binary")
            {
                column.case_insensitive = collation.eq_ignore_ascii_case("nocase");
                column.collation = Some(collation.clone());
            }
        }
        // `INTEGER PRIMARY KEY` is the row id itself, unless it is declared DESC: then it has an index like any other key.
        if let [(_, name)] = self.key.as_slice()
            && !self.relation.without_rowid
            && !self.key_has_index
            && let Some(column) = self.relation.columns.iter_mut().find(|column| &column.name == name)
            && column.data_type.declared.eq_ignore_ascii_case("integer")
        {
            column.auto_increment = true;
            column.nullable = false;
        }
    }

    fn finish_keys(&mut self) {
        if !self.key.is_empty() {
            let name = self.ddl.primary_key_name.take().map(ConstraintName);
            let columns = self.key.drain(..).map(|(_, column)| column).collect();
            self.relation.primary_key = Some(PrimaryKey { name, columns });
        }
        for index in std::mem::take(&mut self.indexes) {
            if index.unique && index.origin != "pk" {
                let key = self.unique_key(index);
                self.relation.unique_keys.push(key);
            }
        }
        self.relation.unique_keys.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn unique_key(&self, index: IndexParts) -> UniqueKey {
        let ddl = index.sql.as_deref().map(ddl::index).unwrap_or_default();
        let collation = |name: &String| {
            let (_, column) = self.relation.column(name)?;
            Some(column.collation.as_deref().unwrap_or("BINARY"))
        };
        // Under a collation of its own, the index holds another idea of equality than its column.
        let plain = index.parts.iter().all(|(column, own)| {
            column.as_ref().is_some_and(|name| collation(name).is_some_and(|other| other.eq_ignore_ascii_case(own)))
        });
        let columns: Vec<String> = index.parts.iter().filter_map(|(column, _)| column.clone()).collect();
        let same = |declared: &Vec<String>| {
            declared.len() == columns.len() && declared.iter().zip(&columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
        };
        // A constraint's index is called sqlite_autoindex_<table>_<n>; its own name stands in the SQL only.
        let declared = self.ddl.unique.iter().filter(|_| index.origin == "u").find(|unique| same(&unique.item));
        let name = declared.and_then(|unique| unique.name.clone()).unwrap_or(index.name);
        let expressions = (!plain).then(|| {
            let parts = index.parts.iter().enumerate();
            parts
                .map(|(position, (column, own))| match (ddl.parts.get(position), column) {
                    (Some(text), _) => text.clone(),
                    (None, Some(column)) => format!("{} COLLATE {own}", quote(column)),
                    (None, None) => String::new(),
                })
                .collect()
        });
        UniqueKey {
            name: ConstraintName(name),
            columns: if plain { columns } else { Vec::new() },
            expressions,
            predicate: ddl.predicate.filter(|_| index.partial),
            nulls_not_distinct: false,
            deferrability: relink_model::Deferrability::NotDeferrable,
            valid: true,
        }
    }

    fn finish_foreign_keys(&mut self) {
        let declared = self.ddl.foreign_keys.len();
        for key in std::mem::take(&mut self.foreign_keys) {
            // The pragma numbers the keys backwards.
            let ddl = usize::try_from(key.id + 1)
                .ok()
                .and_then(|from_end| declared.checked_sub(from_end))
                .map(|position| &self.ddl.foreign_keys[position])
                .filter(|ddl| {
                    let columns = &ddl.item.columns;
                    columns.len() == key.columns.len()
                        && columns.iter().zip(&key.columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
                });
            self.relation.foreign_keys.push(ForeignKey {
                name: ddl.and_then(|ddl| ddl.name.clone()).map(ConstraintName),
                columns: key.columns,
                referenced: RelationName::new(key.referenced),
                referenced_columns: key.referenced_columns.into_iter().flatten().collect(),
                // MATCH FULL is parsed and not enforced.
                match_kind: MatchKind::Simple,
                on_delete: key.on_delete,
                on_update: key.on_update,
                deferrability: ddl.map(|ddl| ddl.item.deferrability).unwrap_or_default(),
                enforcement: Enforcement::Enforced,
            });
        }
        self.relation.foreign_keys.sort_by(|a, b| (&a.name, &a.columns).cmp(&(&b.name, &b.columns)));
    }

    fn finish_checks(&mut self) {
        for check in std::mem::take(&mut self.ddl.checks) {
            if let Some(name) = ddl::json_checked_column(&check.item)
                && let Some(column) = self.relation.columns.iter_mut().find(|own| own.name.eq_ignore_ascii_case(&name))
                && matches!(column.data_type.kind, TypeKind::Text { .. } | TypeKind::Dynamic)
            {
                column.data_type.kind = TypeKind::Json;
            }
            self.relation.checks.push(Check {
                name: check.name.map(ConstraintName),
                expression: check.item,
                enforcement: Enforcement::Enforced,
            });
        }
        self.relation.checks.sort_by(|a, b| (&a.name, &a.expression).cmp(&(&b.name, &b.expression)));
    }
}

fn action(text: &str) -> ReferentialAction {
    match text {
        "CASCADE" => ReferentialAction::Cascade,
        "RESTRICT" => ReferentialAction::Restrict,
        "SET NULL" => ReferentialAction::SetNull,
        "SET DEFAULT" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}

fn text(row: &ResultRow, index: usize) -> String {
    optional_text(row, index).unwrap_or_default()
}

fn optional_text(row: &ResultRow, index: usize) -> Option<String> {
    match row.get(index) {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.to_string()),
    }
}

fn integer(row: &ResultRow, index: usize) -> i64 {
    match row.get(index) {
        Some(Value::Int(value)) => *value,
        _ => 0,
    }
}
