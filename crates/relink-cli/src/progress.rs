//! Progress bars for long steps, on a terminal only.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use relink_restore::{Event, Phase};

/// A bar that draws on standard error where that is a terminal, and else nothing.
pub(crate) struct Progress {
    bar: ProgressBar,
    drawn: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { bar: ProgressBar::hidden(), drawn: std::io::stderr().is_terminal() }
    }

    /// Begins a step of this many units; 0 where their number is not known.
    pub(crate) fn start(&mut self, what: &'static str, total: u64, bytes: bool) {
        self.bar.finish_and_clear();
        if !self.drawn {
            return;
        }
        let (bar, template) = match (total, bytes) {
            (0, _) => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
            (_, true) => (ProgressBar::new(total), "{msg:10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
            (_, false) => (ProgressBar::new(total), "{msg:10} {wide_bar} {human_pos}/{human_len} {eta}"),
        };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = bar;
    }

    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    pub(crate) fn advance(&self) {
        self.bar.inc(1);
    }

    /// Shows what a restore tells.
    pub(crate) fn restore(&mut self, event: &Event) {
        match event {
            Event::Started { phase, total } => {
                let what = match phase {
                    Phase::PreScan => "checking",
                    Phase::Load => "loading",
                    Phase::Finish => "finishing",
                };
                self.start(what, *total, false);
            }
            Event::Progress { done, .. } => self.set(*done),
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
