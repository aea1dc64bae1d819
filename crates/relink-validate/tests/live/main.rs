//! Validation of live databases with damage planted in them by the databases' own command line programs. Tests are named after what
//! they show; those of a server are skipped, visibly, where none is named.

mod conditions;
mod differential;
mod inference;
mod keys;
mod plans;
mod polymorphic;
mod ranges_and_dates;
mod references;
mod rows;
mod runs;
mod stocktake;
mod totals;
mod validated;
