//! The foreign-key graph: load order, cycles and the ways to break them. Pure.
