//! Foreign keys that stand back for a while: deferred until [`check_deferred`](crate::Connection::check_deferred), or
//! taken away and put back.
//!
//! Both are undone by a rollback, and the commit puts back whatever is still open, so that no path leaves a constraint
//! changed.

use relink_model::{Deferrability, Enforcement, ForeignKey, Relation, RelationName};
use sqlx::AssertSqlSafe;

use super::{
    PostgresConnection,
    dialect::{literal, quote},
    triggers::Silenced,
};
use crate::{DbError, DbErrorKind, Dialect};

/// A constraint by table and name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    relation: RelationName,
    constraint: String,
}

/// A constraint that was dropped, with all that it takes to make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Suspended {
    key: Named,
    /// `pg_get_constraintdef`: with MATCH, actions, deferrability and NOT VALID.
    definition: String,
    comment: Option<String>,
}

/// What this transaction changed on constraints and triggers and has to put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EnforcementState {
    made_deferrable: Vec<Named>,
    suspended: Vec<Suspended>,
    pub(super) silenced: Vec<Silenced>,
}

impl PostgresConnection {
    /// Defers the keys; those that are not deferrable are made so first.
    pub(super) async fn defer_keys(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        let keys = named(keys)?;
        for (named, key, relation) in &keys {
            if key.deferrability != Deferrability::NotDeferrable || self.enforcement.made_deferrable.contains(named) {
                continue;
            }
            if !relation.owned {
                return Err(not_owner(named, "made deferrable"));
            }
            self.alter_constraint(named, "DEFERRABLE INITIALLY DEFERRED").await?;
            self.enforcement.made_deferrable.push(named.clone());
        }
        // SET CONSTRAINTS takes a name to mean every constraint of that name in the namespace, for names are unique
        // per table only; that fails where one of them is not deferrable, and then all that can be deferred has to be.
        if keys.is_empty() {
            return Ok(());
        }
        let mut names: Vec<String> = keys.iter().map(|(named, ..)| self.constraint_name(named)).collect();
        names.sort();
        names.dedup();
        self.run("SAVEPOINT relink_defer").await?;
        match self.run(format!("SET CONSTRAINTS {} DEFERRED", names.join(", "))).await {
            Ok(()) => self.run("RELEASE SAVEPOINT relink_defer").await,
            Err(error) if error.code.as_deref() == Some("42809") => {
                self.run("ROLLBACK TO SAVEPOINT relink_defer; RELEASE SAVEPOINT relink_defer").await?;
                self.run("SET CONSTRAINTS ALL DEFERRED").await
            }
            Err(error) => Err(error),
        }
    }

    /// Fires what is deferred, and puts back what was made deferrable.
    pub(super) async fn fire_deferred(&mut self) -> Result<(), DbError> {
        // First this: ALTER TABLE refuses a table with pending trigger events.
        self.run("SET CONSTRAINTS ALL IMMEDIATE").await?;
        for named in self.enforcement.made_deferrable.clone() {
            self.alter_constraint(&named, "NOT DEFERRABLE").await?;
        }
        self.enforcement.made_deferrable.clear();
        Ok(())
    }

    /// Drops the keys and remembers them. A key that the database does not enforce anyway is left alone: its triggers
    /// are off, and only a superuser could switch those of a new constraint off again.
    pub(super) async fn suspend_keys(&mut self, keys: &[(&Relation, &ForeignKey)]) -> Result<(), DbError> {
        let keys: Vec<_> = keys
            .iter()
            .copied()
            .filter(|(_, key)| matches!(key.enforcement, Enforcement::Enforced | Enforcement::NotValidated))
            .collect();
        for (named, _, relation) in named(&keys)? {
            if self.enforcement.suspended.iter().any(|suspended| suspended.key == named) {
                continue;
            }
            if !relation.owned {
                return Err(not_owner(&named, "taken away"));
            }
            let (definition, comment) = self.constraint_definition(&named).await?;
            let table = self.dialect.quote_relation(&named.relation);
            self.run(format!("ALTER TABLE {table} DROP CONSTRAINT {}", quote(&named.constraint))).await?;
            self.enforcement.made_deferrable.retain(|made| *made != named);
            self.enforcement.suspended.push(Suspended { key: named, definition, comment });
        }
        Ok(())
    }

    /// Makes the dropped keys again, which validates them (all but those that were `NOT VALID`).
    pub(super) async fn resume_keys(&mut self) -> Result<(), DbError> {
        if self.enforcement.suspended.is_empty() {
            return Ok(());
        }
        // Other constraints that are initially deferred may have events pending on the same tables.
        self.run("SET CONSTRAINTS ALL IMMEDIATE").await?;
        for suspended in self.enforcement.suspended.clone() {
            let Suspended { key, definition, comment } = suspended;
            let (table, name) = (self.dialect.quote_relation(&key.relation), quote(&key.constraint));
            self.run(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")).await?;
            if let Some(comment) = comment {
                let comment = literal(&comment);
                self.run(format!("COMMENT ON CONSTRAINT {name} ON {table} IS {comment}")).await?;
            }
        }
        self.enforcement.suspended.clear();
        Ok(())
    }

    /// Puts everything back; what is fine already costs nothing.
    pub(super) async fn settle_enforcement(&mut self) -> Result<(), DbError> {
        self.fire_deferred().await?;
        self.resume_keys().await?;
        self.restore_triggers().await
    }

    async fn alter_constraint(&mut self, named: &Named, how: &str) -> Result<(), DbError> {
        let (table, name) = (self.dialect.quote_relation(&named.relation), quote(&named.constraint));
        self.run(format!("ALTER TABLE {table} ALTER CONSTRAINT {name} {how}")).await
    }

    async fn constraint_definition(&mut self, named: &Named) -> Result<(String, Option<String>), DbError> {
        let table = literal(&self.dialect.quote_relation(&named.relation));
        let sql = format!(
            "SELECT pg_catalog.pg_get_constraintdef(o.oid), pg_catalog.obj_description(o.oid, 'pg_constraint') \
             FROM pg_catalog.pg_constraint AS o \
             WHERE o.conrelid = pg_catalog.to_regclass({table}) AND o.conname = {} AND o.contype = 'f'",
            literal(&named.constraint)
        );
        sqlx::query_as::<_, (String, Option<String>)>(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(|error| self.fail(error))?
            .ok_or_else(|| {
                let message = format!("foreign key {} of {} is gone", named.constraint, named.relation);
                DbError::new(DbErrorKind::Other, message)
            })
    }

    /// The name as SET CONSTRAINTS wants it: a constraint lives in its table's namespace.
    fn constraint_name(&self, named: &Named) -> String {
        match named.relation.namespace.as_ref().or(self.default_namespace.as_ref()) {
            Some(namespace) => format!("{}.{}", quote(namespace), quote(&named.constraint)),
            None => quote(&named.constraint),
        }
    }
}

/// The keys that exist in the database, by name.
fn named<'a>(keys: &[(&'a Relation, &'a ForeignKey)]) -> Result<Vec<(Named, &'a ForeignKey, &'a Relation)>, DbError> {
    let declared = keys.iter().filter(|(_, key)| key.enforcement != Enforcement::Virtual);
    declared
        .map(|&(relation, key)| {
            let constraint = key.name.as_ref().ok_or_else(|| {
                let message = format!("foreign key {} has no name", key.describe(&relation.name));
                DbError::new(DbErrorKind::Unsupported, message)
            })?;
            Ok((Named { relation: relation.name.clone(), constraint: constraint.0.clone() }, key, relation))
        })
        .collect()
}

fn not_owner(named: &Named, what: &str) -> DbError {
    let Named { relation, constraint } = named;
    let mut error = DbError::new(
        DbErrorKind::PermissionDenied,
        format!("foreign key {constraint} cannot be {what}: the role does not own {relation}"),
    );
    error.relation = Some(relation.to_string());
    error.constraint = Some(constraint.clone());
    error
}
