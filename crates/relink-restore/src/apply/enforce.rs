//! Constraints that stood back: references set after their rows are in, keys validated again, deferred constraints fired.

use std::{collections::HashMap, sync::Arc};

use relink_db::DbError;
use relink_graph::EdgeRef;
use relink_model::{Enforcement, Value};

use super::Loader;
use crate::{Error, code, findings::finding};

impl Loader<'_, '_> {
    /// Sets the references that were inserted as NULL.
    pub(super) async fn patch(&mut self, nulls: &HashMap<EdgeRef, Vec<String>>) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        let mut patches: Vec<_> = std::mem::take(&mut self.patches).into_iter().collect();
        patches.sort_by_key(|(edge, _)| *edge);
        for (edge, rows) in patches {
            let relation = catalog.relation(edge.referencing);
            let key = relation.primary_key_columns().to_vec();
            let set = nulls.get(&edge).cloned().unwrap_or_default();
            let affected = self.connection.update_by_key(relation, &set, &key, &rows).await?;
            if affected != rows.len() as u64 {
                let relation = relation.name.clone();
                return Err(Error::Accounting { relation, expected: rows.len() as u64, found: affected });
            }
            self.standing.loaded.entry(edge.referencing).or_default().patched += affected;
        }
        Ok(())
    }

    /// Counts the rows that break keys whose enforcement was off.
    pub(super) async fn revalidate(&mut self, keys: &[EdgeRef]) -> Result<(), Error> {
        let catalog = Arc::clone(&self.decoder.catalog);
        for key in keys {
            let relation = catalog.relation(key.referencing);
            let foreign_key = key.foreign_key(&catalog);
            let Some(referenced) = catalog.id(&foreign_key.referenced) else { continue };
            if foreign_key.enforcement != Enforcement::Enforced {
                continue;
            }
            let orphans = self.connection.dialect().orphans(relation, foreign_key, catalog.relation(referenced));
            let rows = self.connection.query(&format!("SELECT count(*) {orphans}"), &[]).await?;
            let Some([Value::Int(count)]) = rows.first().map(Vec::as_slice) else { continue };
            if *count > 0 {
                let message = format!("{count} rows have no target in {}", foreign_key.referenced);
                let mut found = finding(code::VALIDATION, &relation.name, message);
                found.constraint = Some(foreign_key.describe(&relation.name));
                self.add(found, None)?;
            }
        }
        Ok(())
    }

    pub(super) async fn fire_deferred(&mut self) -> Result<(), Error> {
        match self.connection.check_deferred().await {
            Ok(()) => Ok(()),
            Err(error) => self.broken_constraint(error),
        }
    }

    /// A constraint that does not hold once the rows are in.
    pub(super) fn broken_constraint(&mut self, error: DbError) -> Result<(), Error> {
        if !error.blames_rows() {
            return Err(error.into());
        }
        self.refused += 1;
        self.broken = true;
        let name = relink_model::RelationName::new(error.relation.clone().unwrap_or_default());
        let mut found = finding(code::VALIDATION, &name, error.message);
        found.constraint = error.constraint;
        found.help = error.detail;
        self.add(found, None)
    }
}
