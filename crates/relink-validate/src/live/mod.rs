//! The engine for live databases: what SQL is sure to judge as the rules do is pushed down, the rest is read and judged here.

mod amount;
mod compile;
mod duplicates;
mod join;
mod orphans;
mod own_sql;
mod push;
mod reader;
mod run;
mod sql;
mod texts;
mod total;

pub(crate) use self::orphans::SENTINELS;
pub(crate) use self::run::{Found, begun, count, counts, finish, milliseconds, not_run, show};
pub(crate) use self::sql::qualified;
pub(crate) use self::texts::{cut, exact, text};
pub use self::{
    compile::{Census, Compiled, Probe},
    run::{Event, Options, compile, run},
};
