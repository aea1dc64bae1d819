//! The validation engine: checks pushed down into a live database.
