//! What the tests share: a short schema language, database servers, the stocktake generator.

mod schema_text;
mod servers;
pub mod stocktake;

pub use schema_text::{Schema, SchemaTextError, schema};
pub use servers::{MYSQL_VARIABLE, POSTGRES_VARIABLE, TestDatabase};
