//! The foreign-key graph: load order, cycles and the ways to break them. Pure: no database, no I/O, no async.
//!
//! An edge runs from the referencing to the referenced relation. The load order is the topological order of the
//! condensation, ties broken by qualified name, so that the same schema gives the same plan however it was read.
//! Which of a cycle's ways is taken in the end is decided by whoever has the rows; this crate says which there are.

mod abilities;
mod breaking;
mod cycle;
mod graph;
mod nullability;
mod order;
mod ways;

pub use abilities::Abilities;
pub use cycle::{Cycle, CycleEdge, EdgeRef, Refusal, Way, WayKind};
pub use order::{LoadOrder, LoadStep, load_order};
