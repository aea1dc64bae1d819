//! Which rights are missing for a restore, asked of the server for all relations at once.

use relink_model::{Relation, RelationName, SequenceRef};
use sqlx::Row;

use super::PostgresConnection;
use crate::DbError;

/// For each relation: may use its namespace, INSERT, SELECT, UPDATE.
const TABLES: &str = "SELECT r.place, pg_catalog.has_schema_privilege(n.oid, 'USAGE'), \
    pg_catalog.has_table_privilege(c.oid, 'INSERT'), pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
    pg_catalog.has_table_privilege(c.oid, 'UPDATE') \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (namespace, name, place) \
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = coalesce(r.namespace, pg_catalog.current_schema()) \
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = r.name ORDER BY r.place";

/// For each sequence: UPDATE (to set it, and for defaults that draw from it), SELECT (to read it).
const SEQUENCES: &str = "SELECT r.place, pg_catalog.has_sequence_privilege(c.oid, 'UPDATE'), \
    pg_catalog.has_sequence_privilege(c.oid, 'SELECT') \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (namespace, name, place) \
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = coalesce(r.namespace, pg_catalog.current_schema()) \
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = r.name ORDER BY r.place";

impl PostgresConnection {
    /// One line per missing right.
    pub(super) async fn read_missing_privileges(
        &mut self,
        inserted: &[&Relation],
        updated: &[&Relation],
    ) -> Result<Vec<String>, DbError> {
        let (updated, only_inserted): (Vec<&Relation>, Vec<&Relation>) =
            inserted.iter().partition(|relation| updated.iter().any(|other| other.name == relation.name));
        let mut missing = Vec::new();
        for (relations, rights) in [
            (only_inserted, &["USAGE on the schema", "INSERT", "SELECT"][..]),
            (updated, &["USAGE on the schema", "INSERT", "SELECT", "UPDATE"]),
        ] {
            let tables: Vec<&RelationName> = relations.iter().map(|relation| &relation.name).collect();
            missing.extend(self.missing(TABLES, &tables, rights, "").await?);
        }
        let sequences =
            inserted.iter().flat_map(|relation| &relation.columns).filter_map(|column| column.sequence.as_ref());
        let mut foreign: Vec<&RelationName> =
            sequences.filter(|sequence| !sequence.owned).map(|SequenceRef { name, .. }| name).collect();
        foreign.sort();
        foreign.dedup();
        missing.extend(self.missing(SEQUENCES, &foreign, &["UPDATE", "SELECT"], "sequence ").await?);
        Ok(missing)
    }

    async fn missing(
        &mut self,
        sql: &'static str,
        names: &[&RelationName],
        rights: &[&str],
        what: &str,
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
            let name = names[place as usize - 1];
            for (index, right) in rights.iter().enumerate() {
                if !row.try_get::<bool, _>(index + 1).map_err(|error| self.fail(error))? {
                    let joint = if right.contains(" on ") { "of" } else { "on" };
                    missing.push(format!("no {right} {joint} {what}{name} for role {}", self.role));
                }
            }
        }
        Ok(missing)
    }
}
