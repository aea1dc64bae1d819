//! One module per kind of check: how it is planned, and what is asked of the database beyond the shared scan.

pub(crate) mod check;
pub(crate) mod condition;
pub(crate) mod duplicates;
pub(crate) mod judge;
pub(crate) mod not_null;
pub(crate) mod orphans;
pub(crate) mod past;
pub(crate) mod range;
pub(crate) mod scan;
pub(crate) mod storage;
pub(crate) mod total;
pub(crate) mod trust;
