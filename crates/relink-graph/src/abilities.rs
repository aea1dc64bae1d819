//! What the database can do about foreign keys, as far as cycles are concerned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a database can do about foreign keys that are in the way. It says the same as the fields of these names in
/// `relink_db::Capabilities`; it stands here once more because the graph sees no database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Abilities {
    /// Any foreign key can be deferred, declared deferrable or not (SQLite `defer_foreign_keys`).
    pub defers_any_foreign_key: bool,
    /// Foreign keys declared deferrable can be deferred.
    pub defers_declared: bool,
    /// The owner of a relation can make its foreign keys deferrable within the transaction (PostgreSQL).
    pub owner_can_make_deferrable: bool,
    /// Foreign keys can be switched off for the transaction without superuser.
    pub can_suspend_foreign_keys: bool,
    /// For that the role must own the referencing relation (PostgreSQL); without it, all of them go off at once (MySQL).
    pub suspending_needs_owner: bool,
    /// Foreign keys are checked row by row even inside one statement, so rows must come in order (InnoDB).
    pub checks_each_row: bool,
}
