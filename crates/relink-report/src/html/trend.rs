//! How the failing checks changed from run to run: a bar for each, and the same as a table for those who do not see it.

use maud::{Markup, html};
use relink_validate::{Report, Status};

use crate::words;

/// Runs shown at most, the last ones.
const RUNS_MAX: usize = 30;

/// The picture's size, in its own units.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 140;
/// Room for the numbers above the bars, and for the days below.
const TOP: u64 = 16;
const BOTTOM: u64 = 18;

/// One run.
struct Run {
    day: String,
    /// Errors, warnings, infos, and checks that could not be run.
    parts: [u64; 4],
    rows: u64,
}

const CLASSES: [&str; 4] = ["error", "warning", "info", "not-run"];

/// The trend, where there is an earlier run.
pub(crate) fn section(report: &Report, history: &[Report]) -> Markup {
    if history.is_empty() {
        return html! {};
    }
    let earlier = &history[history.len().saturating_sub(RUNS_MAX - 1)..];
    let runs: Vec<Run> = earlier.iter().chain(std::iter::once(report)).map(run).collect();
    html! {
        h2 { "How it went" }
        (bars(&runs))
        p.legend.quiet {
            @for (class, word) in CLASSES.into_iter().zip(["errors", "warnings", "infos", "not run"]) {
                span { span class=(class) { "■ " } (word) }
            }
        }
        details {
            summary { "The same as a table" }
            div.wide { table {
                thead { tr {
                    th { "run" } th.n { "errors" } th.n { "warnings" } th.n { "infos" } th.n { "not run" } th.n { "failing rows" }
                } }
                tbody { @for run in &runs { tr {
                    td { (run.day) }
                    @for part in run.parts { td.n { (words::number(part)) } }
                    td.n { (words::number(run.rows)) }
                } } }
            } }
        }
    }
}

fn run(report: &Report) -> Run {
    let summary = report.summary;
    let failing = report.checks.iter().filter(|check| check.status == Status::Fail);
    Run {
        day: words::day(&report.run.started),
        parts: [summary.errors, summary.warnings, summary.infos, summary.not_run],
        rows: failing.fold(0, |sum, check| check.counts.failed.saturating_add(sum)),
    }
}

fn bars(runs: &[Run]) -> Markup {
    let sum = |run: &Run| run.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(*part));
    let highest = runs.iter().map(sum).max().unwrap_or(0).max(1);
    let step = WIDTH / runs.len().max(1) as u64;
    let thick = (step * 7 / 10).clamp(1, 60);
    let room = HEIGHT - TOP - BOTTOM;
    let height = |count: u64| (u128::from(count) * u128::from(room) / u128::from(highest)) as u64;
    let described = runs.iter().map(|run| format!("{}: {}", run.day, words::counted_words(sum(run), "check")));
    let described = format!("Checks that did not pass, by run: {}", described.collect::<Vec<_>>().join("; "));
    // Every bar is stacked from below: the gravest at the bottom.
    let stacked = |run: &Run| {
        let mut base = HEIGHT - BOTTOM;
        run.parts.map(|part| {
            let tall = height(part);
            base = base.saturating_sub(tall);
            (base, tall)
        })
    };
    let labelled = runs.len().div_ceil(10);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(described) {
            line.axis x1="0" y1=(HEIGHT - BOTTOM) x2=(WIDTH) y2=(HEIGHT - BOTTOM) {}
            @for (index, run) in runs.iter().enumerate() {
                @let left = index as u64 * step + (step - thick) / 2;
                @let pieces = stacked(run);
                @for (class, (top, tall)) in CLASSES.into_iter().zip(pieces) {
                    @if tall > 0 { rect class=(class) x=(left) y=(top) width=(thick) height=(tall) {} }
                }
                text x=(left + thick / 2) y=(pieces[3].0.saturating_sub(4)) text-anchor="middle" { (words::number(sum(run))) }
                // Days would run into one another where there are many bars.
                @if (runs.len() - 1 - index).is_multiple_of(labelled) {
                    text x=(left + thick / 2) y=(HEIGHT - 5) text-anchor="middle" { (run.day) }
                }
            }
        }
    }
}
