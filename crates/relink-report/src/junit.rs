//! `JUnit` XML: a test suite for each relation, a test case for each check, those that passed among them.
//!
//! There is no specification; this keeps to what Jenkins' schema `junit-10.xsd` accepts, which other readers take as well.

use indexmap::IndexMap;
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use relink_validate::{CheckResult, Report, Status};

use crate::{Options, text, visible, words};

/// The suite of what was not checked at all. No relation has this name, as it holds a blank and stands last.
const NOT_CHECKED: &str = "not checked";

type Xml = Writer<Vec<u8>>;

/// What a suite or all of them come to.
#[derive(Clone, Copy, Default)]
struct Sums {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    duration_ms: u64,
}

/// What a test case comes to.
enum Case {
    Passed,
    Failed,
    CouldNotRun,
    Skipped(String),
}

fn case(check: &CheckResult, options: &Options) -> Case {
    match check.status {
        Status::Pass => Case::Passed,
        Status::Error => Case::CouldNotRun,
        Status::Allowed => Case::Skipped(words::why_allowed(check)),
        Status::Fail if options.fails(check.severity) => Case::Failed,
        Status::Fail => {
            Case::Skipped(format!("{}, which does not fail this run: {}", words::outcome(check).1, head(check)))
        }
    }
}

/// Renders the report.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let mut suites: IndexMap<String, Vec<&CheckResult>> = IndexMap::new();
    for check in &report.checks {
        suites.entry(visible::line(&check.relation.to_string())).or_default().push(check);
    }
    let sums: Vec<Sums> = suites.values().map(|checks| sums(checks, options)).collect();
    let mut all = sums.iter().fold(Sums::default(), |all, one| Sums {
        tests: all.tests + one.tests,
        failures: all.failures + one.failures,
        errors: all.errors + one.errors,
        skipped: all.skipped + one.skipped,
        duration_ms: all.duration_ms.saturating_add(one.duration_ms),
    });
    let not_checked = &report.not_checked;
    all.tests += not_checked.len();
    all.duration_ms = report.run.duration_ms;

    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    let written = xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).and_then(|()| {
        let element = xml.create_element("testsuites").with_attributes([
            ("name", format!("relink validate {}", visible::line(report.run.target.name())).as_str()),
            ("tests", all.tests.to_string().as_str()),
            ("failures", all.failures.to_string().as_str()),
            ("errors", all.errors.to_string().as_str()),
            ("time", seconds(all.duration_ms).as_str()),
        ]);
        element.write_inner_content(|xml| {
            for ((relation, checks), sums) in suites.iter().zip(&sums) {
                suite(xml, report, relation, *sums, |xml| {
                    checks.iter().try_for_each(|check| test_case(xml, report, relation, check, options))
                })?;
            }
            if not_checked.is_empty() && report.warnings.is_empty() {
                return Ok(());
            }
            let count = not_checked.len();
            suite(xml, report, NOT_CHECKED, Sums { tests: count, skipped: count, ..Sums::default() }, |xml| {
                unchecked(xml, report)
            })
        })?;
        Ok(())
    });
    written.expect("writing into memory cannot fail");
    let mut text = String::from_utf8(xml.into_inner()).expect("every piece is UTF-8");
    text.push('\n');
    text
}

fn sums(checks: &[&CheckResult], options: &Options) -> Sums {
    let mut sums = Sums { tests: checks.len(), ..Sums::default() };
    for check in checks {
        sums.duration_ms = sums.duration_ms.saturating_add(check.duration_ms);
        match case(check, options) {
            Case::Passed => {}
            Case::Failed => sums.failures += 1,
            Case::CouldNotRun => sums.errors += 1,
            Case::Skipped(_) => sums.skipped += 1,
        }
    }
    sums
}

fn suite(
    xml: &mut Xml,
    report: &Report,
    name: &str,
    sums: Sums,
    content: impl FnOnce(&mut Xml) -> std::io::Result<()>,
) -> std::io::Result<()> {
    xml.create_element("testsuite")
        .with_attributes([
            ("name", name),
            ("tests", &sums.tests.to_string()),
            ("failures", &sums.failures.to_string()),
            ("errors", &sums.errors.to_string()),
            ("skipped", &sums.skipped.to_string()),
            ("time", &seconds(sums.duration_ms)),
            ("timestamp", &visible::line(&report.run.started)),
        ])
        .write_inner_content(content)?;
    Ok(())
}

fn test_case(
    xml: &mut Xml,
    report: &Report,
    relation: &str,
    check: &CheckResult,
    options: &Options,
) -> std::io::Result<()> {
    let id = words::id(check);
    // Jenkins takes what stands before the last dot for a package and shows those without one as `(root)`.
    let class = format!("relink.{relation}");
    let time = seconds(check.duration_ms);
    let element = xml.create_element("testcase").with_attributes([
        ("classname", class.as_str()),
        ("name", id.as_str()),
        ("time", time.as_str()),
    ]);
    let kind = words::kind(check.kind);
    let (tag, message) = match case(check, options) {
        Case::Passed => {
            element.write_empty()?;
            return Ok(());
        }
        Case::Failed => ("failure", head(check)),
        Case::CouldNotRun => ("error", format!("not run: {}", words::why_not_run(check))),
        Case::Skipped(why) => ("skipped", why),
    };
    element.write_inner_content(|xml| {
        let result = xml.create_element(tag).with_attributes([("type", kind.as_str()), ("message", message.as_str())]);
        result.write_text_content(BytesText::new(&format!("\n{}", text::body(report, check, None))))?;
        Ok(())
    })?;
    Ok(())
}

/// `error: 42 rows, 3 missing keys (...): references a row ...`.
fn head(check: &CheckResult) -> String {
    let counts = words::counts(check);
    let gap = if counts.is_empty() { "" } else { ": " };
    format!("{}: {counts}{gap}{}", words::outcome(check).1, words::told(check))
}

/// What was not checked as skipped cases, and the run's own warnings as what it wrote.
fn unchecked(xml: &mut Xml, report: &Report) -> std::io::Result<()> {
    for what in &report.not_checked {
        let what = visible::line(what);
        let element =
            xml.create_element("testcase").with_attributes([("classname", "relink.not checked"), ("name", &what)]);
        element.write_inner_content(|xml| {
            xml.create_element("skipped").with_attribute(("message", "not checked")).write_empty()?;
            Ok(())
        })?;
    }
    if !report.warnings.is_empty() {
        let warnings: Vec<String> = report.warnings.iter().map(|warning| visible::line(warning)).collect();
        xml.create_element("system-err").write_text_content(BytesText::new(&warnings.join("\n")))?;
    }
    Ok(())
}

/// `1.204`: digits and three decimals, no thousands, as the schema wants it.
fn seconds(duration_ms: u64) -> String {
    format!("{}.{:03}", duration_ms / 1000, duration_ms % 1000)
}
