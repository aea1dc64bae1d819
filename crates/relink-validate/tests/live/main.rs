//! Validation of live databases with damage planted in them by the databases' own command line programs. Tests are named after what
//! they show; those of a server are skipped, visibly, where none is named.

mod agreement;
mod conditions;
mod counts_and_freshness;
mod differential;
mod domains;
mod exports;
mod exports_complete;
mod exports_natural;
mod exports_schema;
mod folds;
mod inference;
mod keys;
mod ledgers;
mod living_with;
mod long_totals;
mod own_sql;
mod plans;
mod polymorphic;
mod ranges_and_dates;
mod references;
mod rows;
mod runs;
mod soft_deletes;
mod spans_and_trees;
mod stocktake;
mod tables;
mod totals;
mod validated;
