//! Which rights are missing for a restore, asked of the server for all relations at once.

use relink_model::{RelationName, SequenceRef};
use sqlx::Row;

use super::PostgresConnection;
use crate::{DbError, Intent};

/// The rights asked for by [`TABLES`], in its order.
const TABLE_RIGHTS: [&str; 5] = ["USAGE on the schema", "INSERT", "SELECT", "UPDATE", "DELETE"];

/// For each relation: may use its namespace, INSERT, SELECT, UPDATE, DELETE.
const TABLES: &str = "SELECT r.place, pg_catalog.has_schema_privilege(n.oid, 'USAGE'), \
    pg_catalog.has_table_privilege(c.oid, 'INSERT'), pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
    pg_catalog.has_table_privilege(c.oid, 'UPDATE'), pg_catalog.has_table_privilege(c.oid, 'DELETE') \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (namespace, name, place) \
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = coalesce(r.namespace, pg_catalog.current_schema()) \
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = r.name ORDER BY r.place";

/// The rights asked for by [`SEQUENCES`], in its order.
const SEQUENCE_RIGHTS: [&str; 2] = ["UPDATE", "SELECT"];

/// For each sequence: UPDATE (to set it, and for defaults that draw from it), SELECT (to read it).
const SEQUENCES: &str = "SELECT r.place, pg_catalog.has_sequence_privilege(c.oid, 'UPDATE'), \
    pg_catalog.has_sequence_privilege(c.oid, 'SELECT') \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (namespace, name, place) \
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = coalesce(r.namespace, pg_catalog.current_schema()) \
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = r.name ORDER BY r.place";

impl PostgresConnection {
    /// One line per missing right.
    pub(super) async fn read_missing_privileges(&mut self, intent: &Intent<'_>) -> Result<Vec<String>, DbError> {
        let needed = intent.needed();
        let tables: Vec<&RelationName> = needed.iter().map(|(relation, _)| &relation.name).collect();
        let is_needed = |place: usize, right: &str| {
            matches!(right, "USAGE on the schema" | "SELECT") || needed[place].1.contains(&right)
        };
        let mut missing = self.missing(TABLES, &tables, &TABLE_RIGHTS, "", is_needed).await?;
        let sequences =
            intent.inserted.iter().flat_map(|relation| &relation.columns).filter_map(|column| column.sequence.as_ref());
        let mut foreign: Vec<&RelationName> =
            sequences.filter(|sequence| !sequence.owned).map(|SequenceRef { name, .. }| name).collect();
        foreign.sort();
        foreign.dedup();
        missing.extend(self.missing(SEQUENCES, &foreign, &SEQUENCE_RIGHTS, "sequence ", |_, _| true).await?);
        Ok(missing)
    }

    async fn missing(
        &mut self,
        sql: &'static str,
        names: &[&RelationName],
        rights: &[&str],
        what: &str,
        is_needed: impl Fn(usize, &str) -> bool,
    ) -> Result<Vec<String>, DbError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let namespaces: Vec<Option<&str>> = names.iter().map(|name| name.namespace.as_deref()).collect();
        let local: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
        let query = sqlx::query(sql).persistent(false).bind(namespaces).bind(local);
        let rows = query.fetch_all(&mut self.connection).await.map_err(|error| self.fail(error))?;
        let mut missing = Vec::new();
        for row in rows {
            let place: i64 = row.try_get(0).map_err(|error| self.fail(error))?;
            let place = place as usize - 1;
            let name = names[place];
            for (index, right) in rights.iter().enumerate() {
                let is_granted: bool = row.try_get(index + 1).map_err(|error| self.fail(error))?;
                if !is_granted && is_needed(place, right) {
                    let joint = if right.contains(" on ") { "of" } else { "on" };
                    missing.push(format!("no {right} {joint} {what}{name} for role {}", self.role));
                }
            }
        }
        Ok(missing)
    }
}
