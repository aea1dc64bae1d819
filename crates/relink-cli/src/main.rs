//! The `relink` command line: arguments, output, exit codes. The edge of the program: only here is anything printed, and only here are the
//! environment and the clock read. What is done is done by the engines.

/// Writes a line to standard error. That nobody reads it is no reason to end otherwise.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}
pub(crate) use tell;

mod args;
mod commands;
mod config;
mod diagnostics;
mod exit;
mod files;
mod progress;
mod rejects;
mod render;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};

// Values are made on one thread and dropped on another, hundreds of thousands a second; the system's allocator spends a fifth of the time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            crate::tell!("relink: could not start: {error}");
            return exit::Exit::Usage.into();
        }
    };
    let result = runtime.block_on(async {
        match &arguments.command {
            Command::Restore(restore) => commands::restore::run(restore).await,
            Command::Validate(validate) => commands::validate::run(validate).await,
            Command::Fix(fix) => commands::fix::run(fix).await,
            Command::Heal(heal) => commands::heal::run(heal).await,
            Command::Rules(rules) => commands::rules::run(rules).await,
            Command::Inspect(inspect) => commands::inspect::run(inspect).await,
            Command::Profile(profile) => commands::profile::run(profile),
            Command::Schema(schema) => Ok(commands::schema::run(schema)),
        }
    });
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            diagnostics::print(&failure);
            failure.exit().into()
        }
    }
}
