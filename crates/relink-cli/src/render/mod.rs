//! Reports as text. Pure: whoever calls decides about colour and prints.

pub(crate) mod graph;
pub(crate) mod restore;
pub(crate) mod validation;
