//! From the names and values of an export to the names and values of a catalog: labels are relations, fields are columns or lists of a join table
//! ([`Mapping`]), and JSON values are values of their columns ([`Reader`]). Configuration and [`profile`]s say what names alone do not.
//!
//! Whatever reads records of an export against a catalog goes through here, so that all of it reads them alike. Which rows the records are,
//! and where their references lead, is for the engines to find out. No I/O; of the database, nothing but its
//! [`Capabilities`](relink_db::Capabilities).

pub mod coerce;
pub mod profile;

mod key;
mod mapping;
mod natural;
mod polymorphic;
mod reader;
mod transform;

pub use key::{Comparison, Key};
pub use mapping::{FieldTarget, JoinField, LabelTarget, Mapping, NoNaturalKey, table_of};
pub use natural::{KeyPart, NaturalKey, NaturalReference, ReferencePart, Through, Tree, single_reference};
pub use polymorphic::{Embedded, Generic, IdColumn, Polymorphic, Types, content_type_label};
pub use reader::Reader;
pub use transform::{By, Prepared, Recipe};
