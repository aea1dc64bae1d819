//! What the tests of the whole share: a restore as `relink restore` carries it out, the contents of a database as an outside client sees
//! them, and connections that fail on purpose. It judges nothing by itself beyond what every restore must hold: accounting, and an
//! untouched database after a refusal.

mod contents;
mod faults;
mod fix;
mod restore;
mod role;

pub use contents::{Contents, each, lines};
pub use faults::{Faults, Moment};
pub use fix::{Fix, statements, unenforced};
pub use restore::{Export, Failure, Outcome, Restore, refused, restored, same_but_for_the_dry_run};
pub use role::Role;
