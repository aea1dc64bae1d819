//! What each format makes of a report with everything in it, as a whole; and the points that matter most, one by one.

use relink_model::{RelationName, Severity};
use relink_report::{Format, Options, SUMMARY_BYTES_MAX, render, step_summary};
use relink_validate::{CheckKind, CheckResult, Report, RowCounts, Status};

mod reports;

fn with_history() -> Options {
    Options { history: vec![reports::earlier()], ..Options::default() }
}

#[test]
fn text() {
    insta::assert_snapshot!(render(&reports::shop(), Format::Text, &Options::default()));
}

#[test]
fn text_in_a_narrow_terminal() {
    let options = Options { width: Some(60), ..Options::default() };
    let text = render(&reports::shop(), Format::Text, &options);
    // What is there to be copied, and the last line, is never broken.
    let whole = |line: &str| line.starts_with("    see") || line.starts_with("    allow") || line.contains(" checks: ");
    for line in text.lines().filter(|line| !whole(line)) {
        assert!(line.chars().count() <= 60, "{line}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn text_of_a_clean_database() {
    insta::assert_snapshot!(render(&reports::clean(), Format::Text, &Options::default()));
}

#[test]
fn quiet_text_is_one_line() {
    let options = Options { quiet: true, ..Options::default() };
    insta::assert_snapshot!(render(&reports::shop(), Format::Text, &options));
}

#[test]
fn json_is_the_report_itself() {
    let report = reports::shop();
    let text = render(&report, Format::Json, &Options::default());
    assert_eq!(text, include_str!("../../../testdata/reports/shop.json"));
}

#[test]
fn junit() {
    insta::assert_snapshot!(render(&reports::shop(), Format::Junit, &Options::default()));
}

#[test]
fn what_does_not_fail_the_run_is_skipped_in_junit_and_to_do_in_tap() {
    let options = Options { fail_on: Some(Severity::Error), ..Options::default() };
    let junit = render(&reports::shop(), Format::Junit, &options);
    assert!(junit.contains("failures=\"3\" errors=\"1\""), "{junit}");
    assert!(junit.contains("<skipped type=\"unique\" message=\"warning, which does not fail this run: "), "{junit}");
    let tap = render(&reports::shop(), Format::Tap, &options);
    assert!(
        tap.contains("not ok 3 - unique:customers.ci(email) # TODO warning, which does not fail this run\n"),
        "{tap}"
    );
    let never = Options { fail_on: None, ..Options::default() };
    assert!(render(&reports::shop(), Format::Junit, &never).contains("failures=\"0\" errors=\"1\""));
}

#[test]
fn sarif() {
    insta::assert_snapshot!(render(&reports::shop(), Format::Sarif, &Options::default()));
}

#[test]
fn github() {
    insta::assert_snapshot!(render(&reports::shop(), Format::Github, &Options::default()));
}

#[test]
fn gitlab() {
    insta::assert_snapshot!(render(&reports::shop(), Format::Gitlab, &Options::default()));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(render(&reports::shop(), Format::Markdown, &with_history()));
}

#[test]
fn markdown_of_a_clean_database() {
    insta::assert_snapshot!(render(&reports::clean(), Format::Markdown, &Options::default()));
}

#[test]
fn tap() {
    insta::assert_snapshot!(render(&reports::shop(), Format::Tap, &Options::default()));
}

#[test]
fn html() {
    let page = render(&reports::shop(), Format::Html, &with_history());
    // The style is a file of its own, and one line of the page would be all of it.
    let (start, rest) = page.split_once("<style>").expect("a style");
    let (_, end) = rest.split_once("</style>").expect("its end");
    let (policy, after) =
        start.split_once("sha256-").and_then(|(a, b)| Some((a, b.split_once('\'')?.1))).expect("a hash");
    let page = format!("{policy}sha256-...'{after}<style>...</style>{end}");
    insta::assert_snapshot!(page.replace("><", ">\n<"));
}

/// A report of so many failing checks.
fn many(severity: Severity, count: usize) -> Vec<CheckResult> {
    let shop = reports::shop();
    let check = shop.checks.iter().find(|check| check.id == "ref:orders.customer_id").expect("the orphans");
    let named = |index| {
        let id = format!("ref:orders.c{index}");
        CheckResult {
            fingerprint: CheckResult::new(&id, check.kind, check.relation.clone(), severity).fingerprint,
            id,
            severity,
            ..check.clone()
        }
    };
    (0..count).map(named).collect()
}

fn report_of(checks: Vec<CheckResult>) -> Report {
    let mut report = reports::shop();
    report.summary.checks = checks.len() as u64;
    report.checks = checks;
    report
}

#[test]
fn ten_annotations_of_each_level_at_most_and_the_last_one_says_how_many_are_missing() {
    let checks = [(Severity::Error, 17), (Severity::Warning, 11), (Severity::Info, 9)]
        .into_iter()
        .flat_map(|(severity, count)| many(severity, count))
        .collect();
    let mut report = report_of(checks);
    report.warnings.clear();
    report.not_checked.clear();
    let text = render(&report, Format::Github, &Options::default());
    let of =
        |level: &str| -> Vec<&str> { text.lines().filter(|line| line.starts_with(&format!("::{level} "))).collect() };
    assert_eq!([of("error").len(), of("warning").len(), of("notice").len()], [10, 10, 9]);
    assert!(of("error")[9].ends_with("%0A+7 more, see summary"), "{}", of("error")[9]);
    assert!(of("warning")[9].ends_with("%0A+1 more, see summary"));
    assert_eq!(text.matches("more, see summary").count(), 2);
}

#[test]
fn a_summary_of_a_step_fits_and_says_what_is_left_out() {
    let report = report_of(many(Severity::Error, 3000));
    let summary = step_summary(&report, &Options::default());
    assert!(summary.len() <= SUMMARY_BYTES_MAX && summary.len() > SUMMARY_BYTES_MAX - 10_000, "{}", summary.len());
    assert!(summary.trim_end().ends_with("sections that find no room here: see the whole report."));
    assert_eq!(summary.matches("<details>").count(), summary.matches("</details>").count());
    assert!(render(&report, Format::Markdown, &Options::default()).len() > SUMMARY_BYTES_MAX);
}

#[test]
fn a_fingerprint_holds_no_count() {
    let fingerprints = |rows| {
        let mut report = reports::shop();
        for check in &mut report.checks {
            check.counts.failed = rows;
        }
        let issues: Vec<serde_json::Value> =
            serde_json::from_str(&render(&report, Format::Gitlab, &Options::default())).expect("a list");
        let mut prints: Vec<String> = issues.iter().map(|issue| issue["fingerprint"].to_string()).collect();
        prints.sort();
        prints
    };
    assert_eq!(fingerprints(3), fingerprints(4));
}

/// An id, its counts and its message are found in every format that people read.
#[test]
fn every_format_says_the_same_words() {
    let report = reports::shop();
    let text = render(&report, Format::Text, &Options::default());
    for format in [Format::Junit, Format::Sarif, Format::Gitlab, Format::Github, Format::Html, Format::Tap] {
        let written = render(&report, format, &Options::default());
        let plain = written.replace("&lt;", "<").replace("&gt;", ">").replace("%25", "%");
        for check in report.checks.iter().filter(|check| check.status == Status::Fail) {
            assert!(plain.contains(&check.message), "{}: {}", format.name(), check.message);
            let head = text.lines().find(|line| line.contains(&check.id)).expect("in the text");
            if let Some((_, counts)) = head.split_once("   ") {
                assert!(plain.contains(counts), "{}: {counts}", format.name());
            }
        }
    }
}

/// A check of this kind that found nothing but one thing.
fn one_problem(kind: CheckKind, problem: &str, counts: RowCounts) -> CheckResult {
    CheckResult {
        status: Status::Fail,
        message: "lies in the future".to_owned(),
        problems: [(problem.to_owned(), counts.failed)].into_iter().collect(),
        counts,
        ..CheckResult::new("the:check", kind, RelationName::new("t"), Severity::Error)
    }
}

#[test]
fn what_is_wrong_is_shown_by_every_format_where_the_message_does_not_say_it() {
    let counts = RowCounts { judged: 8, total: 8, failed: 2, failed_distinct: 2, ..RowCounts::default() };
    let answer = RowCounts { judged: 1, total: 1, failed: 1, failed_distinct: 1, ..RowCounts::default() };
    for (check, shown) in [
        (one_problem(CheckKind::Past, "not a date", counts), "not a date ×2"),
        (one_problem(CheckKind::Sql, "the answer is 4711", answer), "the answer is 4711"),
    ] {
        let report = report_of(vec![check]);
        for format in Format::ALL.into_iter().filter(|format| *format != Format::Json) {
            let written = render(&report, format, &Options::default());
            assert!(written.contains(shown), "{}: {written}", format.name());
        }
    }
    let said = one_problem(CheckKind::Past, "lies in the future", counts);
    let text = render(&report_of(vec![said]), Format::Text, &Options::default());
    assert_eq!(text.matches("lies in the future").count(), 1, "{text}");
}

#[test]
fn a_share_is_told_of_rows_that_were_judged_alone() {
    let text = |kind, judged, failed| {
        let counts = RowCounts { judged, total: judged, failed, failed_distinct: failed, ..RowCounts::default() };
        let problem = if kind == CheckKind::Sql { "" } else { "lies in the future" };
        let mut check = one_problem(kind, problem, counts);
        check.problems.retain(|problem, _| !problem.is_empty());
        render(&report_of(vec![check]), Format::Text, &Options::default()).lines().next().unwrap_or("").to_owned()
    };
    assert_eq!(text(CheckKind::Past, 8, 2), "✗ error the:check   2 rows (25.0 % of 8)");
    // A fact of the schema, an answer, what a query lists, rows of two tables.
    assert_eq!(text(CheckKind::Trust, 8, 0), "✗ error the:check");
    assert_eq!(text(CheckKind::Count, 1, 1), "✗ error the:check");
    assert_eq!(text(CheckKind::Sql, 5, 5), "✗ error the:check   5 rows");
    assert_eq!(text(CheckKind::Same, 1, 2), "✗ error the:check   2 rows");
}

#[test]
fn a_name_leads_to_its_format() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(format));
        assert!(!format.about().is_empty());
    }
    assert_eq!(Format::from_name("xml"), None);
}
