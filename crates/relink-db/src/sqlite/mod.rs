//! Being written.
use crate::{Access, Connection, DatabaseUrl, DbError, DbErrorKind};
pub(crate) async fn connect(_url: &DatabaseUrl, _access: Access) -> Result<Box<dyn Connection>, DbError> {
    Err(DbError::new(DbErrorKind::Unsupported, "being written"))
}
