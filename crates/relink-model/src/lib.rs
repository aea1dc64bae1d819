//! The data types that every other crate speaks: names, catalogs, values, places, findings,
//! configuration. Pure data: no I/O, no async, no clock.

pub mod accounting;
pub mod catalog;
pub mod config;
pub mod finding;
pub mod name;
pub mod place;
pub mod policy;
pub mod suggest;
pub mod value;

pub use accounting::{Counts, Outcome};
pub use catalog::{
    Catalog, Check, Column, ColumnType, Deferrability, Enforcement, ForeignKey, GeneratedKind, Identity, MatchKind,
    PrimaryKey, ReferentialAction, Relation, RelationId, RelationKind, SequenceRef, ServerInfo, Trigger, TypeKind,
    UniqueKey,
};
pub use config::Config;
pub use finding::{Finding, FindingCode, Severity};
pub use name::{ConstraintName, RelationName};
pub use place::Place;
pub use policy::{AllowDrift, ExternalRefs, Ids, Mode, OnDangling, OnError, Strategy, TriggerPolicy, Verify};
pub use value::Value;
