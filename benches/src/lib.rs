//! What the benchmarks are made of. Each benchmark is a program in `src/bin`; what must hold whatever the machine's
//! speed is a test in `tests`.

mod bulk;
mod measure;
mod steps;
mod wide_schema;
mod wire;

pub use bulk::{bulk_load, bulk_name};
pub use measure::{Server, Usage, measure};
pub use steps::{Step, steps};
pub use wide_schema::wide_schema;
pub use wire::{StatementCounter, count_statements};
