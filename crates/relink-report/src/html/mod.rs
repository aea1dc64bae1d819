//! One page for a browser: what a manager reads first stands first, and every failing check can be unfolded down to its rows.
//!
//! The page is self-contained: no network, no script, and a policy that forbids both, so it can be mailed, archived, and shown by a CI system.

mod money;
mod trend;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use indexmap::IndexMap;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use relink_model::Severity;
use relink_validate::{CheckResult, Report, Status};
use sha2::{Digest as _, Sha256};

use crate::{
    Options,
    rows::{self, Rows},
    visible, words,
};

/// The style, which stands in the page itself.
const STYLE: &str = include_str!("style.css");

/// Failing rows of a check at most; the JSON report holds all that were taken.
const ROWS_MAX: usize = 100;

/// Characters of a value at most.
const CELL_CHARS_MAX: usize = 200;

/// Renders the page.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let changes = words::changes(report, &options.history);
    let verdict = sentence(&words::verdict(report, changes.as_ref()));
    let new: Vec<String> = changes.map(|changes| changes.new).unwrap_or_default();
    let target = words::target(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (verdict) " - " (target) }
                // Without one of its own a browser asks the server for a picture.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (verdict) }
                    p { bdi { (target) } ", " (visible::line(&report.run.now)) }
                    p.quiet { (words::totals(report)) }
                    @let checked = words::checked(report);
                    @if !checked.is_empty() { p.quiet { "checked " (checked) } }
                    (tiles(report))
                    (trend::section(report, &options.history))
                    (owners(report))
                    (checks("What is wrong", report, Status::Fail, &new))
                    (not_checked(report))
                    (checks("What is allowed", report, Status::Allowed, &new))
                    (passed(report))
                    p.quiet {
                        "written by " (visible::line(&report.run.tool)) " " (visible::line(&report.run.tool_version))
                        ", begun " (visible::line(&report.run.started))
                    }
                }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// Nothing may be loaded or run; the one style is named by its hash.
fn policy() -> String {
    let hash = BASE64.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'")
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}

/// The numbers at a glance, and the money.
fn tiles(report: &Report) -> Markup {
    let summary = report.summary;
    let counted = [
        ("error", summary.errors, "errors"),
        ("warning", summary.warnings, "warnings"),
        ("info", summary.infos, "infos"),
        ("not-run", summary.not_run, "not run"),
        ("allowed", summary.allowed, "allowed"),
        ("ok", summary.passed, "ok"),
    ];
    let at_stake = money::at_stake(report);
    html! {
        ul.tiles {
            @for (class, count, word) in counted {
                li { b class=(if count > 0 { class } else { "quiet" }) { (words::number(count)) } (word) }
            }
            @if let Some(stake) = &at_stake {
                li { b.error.sum { (stake.sum) } "at stake: what " (words::counted_words(stake.checks, "total")) " are off by, in all" }
            }
        }
        @if let Some(stake) = &at_stake {
            @if stake.unread > 0 {
                p.quiet { "The differences of " (words::counted_words(stake.unread, "check")) " are no plain numbers, and are not in the sum." }
            }
        }
    }
}

/// What fails, by who answers for it.
fn owners(report: &Report) -> Markup {
    let failing = words::of_status(report, Status::Fail);
    let mut owners: IndexMap<Option<String>, Vec<&CheckResult>> = IndexMap::new();
    for check in failing {
        owners.entry(check.owner.as_deref().map(visible::line)).or_default().push(check);
    }
    if owners.keys().all(Option::is_none) {
        return html! {};
    }
    owners.sort_by(|a, checks, b, others| others.len().cmp(&checks.len()).then_with(|| a.cmp(b)));
    let of =
        |checks: &[&CheckResult], severity| checks.iter().filter(|check| check.severity == severity).count() as u64;
    html! {
        h2 { "Who answers for it" }
        div.wide { table {
            thead { tr {
                th { "owner" } th.n { "errors" } th.n { "warnings" } th.n { "infos" } th.n { "failing rows" } th.n { "off by" }
            } }
            tbody { @for (owner, checks) in &owners { tr {
                td dir="auto" { (owner.as_deref().unwrap_or("nobody is named")) }
                @for severity in [Severity::Error, Severity::Warning, Severity::Info] {
                    td.n { (words::number(of(checks, severity))) }
                }
                td.n { (words::number(checks.iter().fold(0, |sum, check| check.counts.failed.saturating_add(sum)))) }
                td.n { (money::sum(checks.iter().filter_map(|check| check.difference.as_deref())).unwrap_or_default()) }
            } } }
        } }
    }
}

fn checks(title: &str, report: &Report, status: Status, new: &[String]) -> Markup {
    let checks = words::of_status(report, status);
    html! {
        @if !checks.is_empty() {
            h2 { (title) }
            @for check in checks { (drill_down(report, check, new.contains(&check.id))) }
        }
    }
}

/// One check: its line, and behind it rows, reasons and SQL.
fn drill_down(report: &Report, check: &CheckResult, is_new: bool) -> Markup {
    let (mark, word) = words::outcome(check);
    let counts = words::counts(check);
    let details = words::details(report, check).into_iter().chain(words::how_to_allow(check).map(|how| ("allow", how)));
    let told = |word: &str| matches!(word, "allow" | "rule");
    html! {
        details {
            summary {
                span class=(word.replace(' ', "-")) { (mark) " " (word) } " "
                code dir="auto" { (words::id(check)) } " "
                @if is_new { span.new { "new" } " " }
                span.told dir="auto" { (words::message(check)) }
                @if !counts.is_empty() { span.counts { (counts) } }
            }
            (row_table(check))
            dl {
                @for (word, text) in details {
                    dt { (word) }
                    dd dir="auto" { @if told(word) { code { (text) } } @else { (text) } }
                }
            }
            @if let Some(sql) = &check.sql { pre { code { (visible::block(sql)) } } }
        }
    }
}

fn row_table(check: &CheckResult) -> Markup {
    let Rows { header, lines, more, .. } = rows::of(check, ROWS_MAX, CELL_CHARS_MAX);
    html! {
        @if !lines.is_empty() {
            div.wide { table {
                thead { tr { @for name in &header { th scope="col" dir="auto" { (name) } } } }
                tbody { @for line in &lines { tr { @for cell in line { td dir="auto" { (cell) } } } } }
            } }
            @if more > 0 { p.quiet { "... and " (words::rows(more)) " more" } }
        }
    }
}

/// What nobody should take for a pass.
fn not_checked(report: &Report) -> Markup {
    let not_run = words::of_status(report, Status::Error);
    let judged = report.checks.iter().filter(|check| check.status != Status::Error && check.counts.not_judged > 0);
    let not_judged =
        judged.fold((0_u64, 0_u64), |(checks, rows), check| (checks + 1, rows.saturating_add(check.counts.not_judged)));
    html! {
        h2 { "What was not checked" }
        @for check in not_run { (drill_down(report, check, false)) }
        @if !report.not_checked.is_empty() {
            ul.plain { @for what in &report.not_checked { li dir="auto" { (visible::line(what)) } } }
        }
        @if not_judged.0 > 0 {
            p {
                (words::counted_words(not_judged.0, "check")) " had no opinion on some rows, mostly because a value is NULL: "
                (words::rows(not_judged.1)) " in all, each counted for every such check."
            }
        }
        @if report.is_complete() && report.not_checked.is_empty() && not_judged.0 == 0 {
            p { "Nothing: every check could be run and judged every row." }
        }
        @if !report.warnings.is_empty() {
            h2 { "Warnings" }
            ul.plain { @for warning in &report.warnings { li dir="auto" { (visible::line(warning)) } } }
        }
    }
}

/// The checks that passed, by relation, folded.
fn passed(report: &Report) -> Markup {
    let mut relations: IndexMap<String, Vec<&CheckResult>> = IndexMap::new();
    let passed = report.checks.iter().filter(|check| check.status == Status::Pass);
    for check in passed {
        relations.entry(visible::line(&check.relation.to_string())).or_default().push(check);
    }
    html! {
        @if !relations.is_empty() {
            h2 { "What holds" }
            @for (relation, checks) in &relations {
                details {
                    summary { span.ok { "✓" } " " bdi { (relation) } ", " (words::counted_words(checks.len() as u64, "check")) }
                    ul.plain { @for check in checks { li { code dir="auto" { (words::id(check)) } } } }
                }
            }
        }
    }
}
