//! Triggers and rewrite rules that stand back for a transaction, and come back in the state in which each of them was. As with constraints,
//! a rollback undoes this, and a commit puts back what is still open.

use relink_model::Relation;
use sqlx::{AssertSqlSafe, postgres::PgArguments};

use super::{PostgresConnection, bind, dialect::quote};
use crate::{DbError, DbErrorKind, Dialect, TransactionKind, statement::BindClass};
use relink_model::Value;

/// A trigger or rule that was enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Silenced {
    /// The relation, or the partition of it, quoted.
    table: String,
    /// `TRIGGER` or `RULE`.
    kind: String,
    name: String,
    /// `tgenabled`: `O`rigin, `R`eplica or `A`lways.
    state: String,
}

impl Silenced {
    /// `ONLY`, since the triggers of partitions have a state of their own.
    fn alter(&self, verb: &str) -> String {
        format!("ALTER TABLE ONLY {} {verb} {} {}", self.table, self.kind, quote(&self.name))
    }

    fn enable(&self) -> String {
        self.alter(match self.state.as_str() {
            "A" => "ENABLE ALWAYS",
            "R" => "ENABLE REPLICA",
            _ => "ENABLE",
        })
    }
}

/// namespace, relation, kind, name and state of what is enabled on these relations and their partitions.
const ENABLED: &str = "SELECT n.nspname::text, c.relname::text, e.kind, e.name, e.state \
    FROM (SELECT DISTINCT coalesce(p.relid, r.oid) AS oid FROM unnest($1::text[]) AS given (name) \
        CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(given.name) AS oid) AS r \
        LEFT JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) AS p ON true) AS o \
    JOIN pg_catalog.pg_class AS c ON c.oid = o.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
    JOIN (SELECT t.tgrelid AS relation, 'TRIGGER' AS kind, t.tgname::text AS name, t.tgenabled::text AS state \
            FROM pg_catalog.pg_trigger AS t WHERE NOT t.tgisinternal \
        UNION ALL SELECT w.ev_class, 'RULE', w.rulename::text, w.ev_enabled::text \
            FROM pg_catalog.pg_rewrite AS w WHERE w.ev_type <> '1') AS e ON e.relation = c.oid \
    WHERE e.state <> 'D' ORDER BY 1, 2, 3, 4";

impl PostgresConnection {
    /// See [`crate::Connection::disable_triggers`].
    pub(super) async fn silence_triggers(&mut self, relations: &[&Relation]) -> Result<(), DbError> {
        if self.transaction != Some(TransactionKind::Write) {
            let message = "triggers are disabled inside a write transaction only";
            return Err(DbError::new(DbErrorKind::Unsupported, message));
        }
        let names: Vec<Value> =
            relations.iter().map(|relation| Value::Text(self.dialect.quote_relation(&relation.name))).collect();
        let mut arguments = PgArguments::default();
        bind::add_array(&mut arguments, BindClass::Text, names.iter())?;
        let found = self.fetch(AssertSqlSafe(ENABLED), arguments).await?;
        if found.is_empty() {
            return Ok(());
        }
        let with_triggers = |relation: &&&Relation| !relation.owned && !relation.triggers.is_empty();
        if let Some(relation) = relations.iter().find(with_triggers) {
            let message = format!("the triggers of {} cannot be disabled: the role does not own it", relation.name);
            let mut error = DbError::new(DbErrorKind::PermissionDenied, message);
            error.relation = Some(relation.name.to_string());
            return Err(error);
        }
        for row in found {
            let [namespace, table, kind, name, state] =
                row.iter().map(Value::to_string).collect::<Vec<_>>().try_into().expect("the query has five columns");
            let table = format!("{}.{}", quote(&namespace), quote(&table));
            let silenced = Silenced { table, kind, name, state };
            self.run(silenced.alter("DISABLE")).await?;
            self.enforcement.silenced.push(silenced);
        }
        Ok(())
    }

    /// See [`crate::Connection::enable_triggers`].
    pub(super) async fn restore_triggers(&mut self) -> Result<(), DbError> {
        if self.enforcement.silenced.is_empty() {
            return Ok(());
        }
        // ALTER TABLE refuses a table with pending trigger events.
        self.run("SET CONSTRAINTS ALL IMMEDIATE").await?;
        for silenced in self.enforcement.silenced.clone() {
            self.run(silenced.enable()).await?;
        }
        self.enforcement.silenced.clear();
        Ok(())
    }
}
