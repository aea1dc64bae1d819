//! Readers of logical exports: a stream of records, each with its place.
