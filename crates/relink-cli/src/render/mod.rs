//! Reports as text. Pure: whoever calls decides about colour and prints.

pub(crate) mod graph;
pub(crate) mod profile;
pub(crate) mod rejects;
pub(crate) mod restore;
pub(crate) mod suggestions;
