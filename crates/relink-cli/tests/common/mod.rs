//! What the tests of the built program share.

use std::process::{Command, Output};

use serde_json::Value;

/// How a run of the program ended, and what it said.
pub(crate) struct Said(pub(crate) Output);

impl Said {
    pub(crate) fn by(command: &mut Command) -> Self {
        Self(command.output().expect("the program starts"))
    }

    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().expect("it ends by itself")
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    /// The report on standard output.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout())
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout(), self.stderr()))
    }
}
