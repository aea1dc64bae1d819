//! Whatever the data holds, each format is what it says it is, and nothing of the data becomes a part of its structure.

use std::{cell::RefCell, collections::BTreeSet};

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::{Rawtext, Rcdata},
    },
};
use proptest::prelude::*;
use relink_report::{Format, Options, SUMMARY_BYTES_MAX, render, step_summary};
use relink_validate::Report;
use serde_json::Value;

mod reports;

/// What has broken reports of other programs.
const NASTY: &[&str] = &[
    "",
    " ",
    "NULL",
    "a\nb\r\nc\tt",
    "\u{0}\u{1}\u{8}\u{b}\u{1b}[31m\u{7f}\u{9b}",
    "\u{fffe}\u{ffff}\u{fdd0}\u{1fffe}",
    "in\u{202e}voice\u{2066}\u{feff}\u{200b}",
    "]]> --> <!-- <script>alert(1)</script> </style></title>",
    "\"'`<>&amp;&#0;",
    "::error file=a::b",
    "##[set-env name=PATH]x",
    "%0A%3A,:;",
    "not ok 1 - x # SKIP",
    "---\n...\n- a: b",
    "| a | b |\n|---|---|",
    "```\n~~~\n</details>",
    "@everyone #1 :smile: https://example.org $x$",
    "שלום مرحبا 👩\u{200d}🚀 ﷽ Z\u{351}\u{36b}a",
    "𝕌𝕟𝕚𝕔𝕠𝕕𝕖 ǅ ß İ",
    "1e999999999",
    "-0.00",
    "2026-02-30T25:61:61Z",
    "dump.zip!a.json",
    "C:\\x\\y",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(NASTY).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => (prop::sample::select(NASTY), 1_usize..2000).prop_map(|(text, times)| text.repeat(times)),
        1 => "[a-z]{1,8}(\\.[a-z]{1,8})?",
    ]
}

/// The report with texts from a pool, each used again and again.
fn hostile(pool: &[String]) -> Report {
    let mut at = 0;
    reports::with_texts(reports::shop(), &mut || {
        at += 1;
        pool[at % pool.len()].clone()
    })
}

fn options() -> Options {
    Options { history: vec![reports::earlier()], ..Options::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_format_is_well_formed(pool in prop::collection::vec(text(), 1..40), width in prop::option::of(0_usize..200)) {
        let report = hostile(&pool);
        let options = Options { width, ..options() };
        for format in Format::ALL {
            judge(format, &report, &options);
        }
        prop_assert!(step_summary(&report, &options).len() <= SUMMARY_BYTES_MAX);
    }
}

/// A text of a megabyte everywhere: each format but JSON, which is the report itself, cuts it.
#[test]
fn long_texts_are_cut() {
    let report = hostile(&["x".repeat(1_000_000), "é\u{1}".repeat(500_000), "a b ".repeat(250_000)]);
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Json) {
        let written = judge(format, &report, &options());
        assert!(written.len() < 3_000_000, "{}: {}", format.name(), written.len());
    }
}

fn judge(format: Format, report: &Report, options: &Options) -> String {
    let written = render(report, format, options);
    assert!(written.ends_with('\n'), "{}", format.name());
    if format != Format::Json {
        let hidden = |c: char| {
            (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!written.contains(hidden), "{}: {:?}", format.name(), written.chars().find(|c| hidden(*c)));
    }
    match format {
        Format::Text => lines_are_ours(&written),
        Format::Json => {
            let read: Report = serde_json::from_str(&written).expect("a report");
            assert_eq!(read.checks.len(), report.checks.len());
        }
        Format::Junit => junit(&written, report),
        Format::Sarif => sarif(&written, report),
        Format::Gitlab => gitlab(&written),
        Format::Github => github(&written),
        Format::Html => html(&written),
        Format::Markdown => markdown(&written),
        Format::Tap => tap(&written, report),
    }
    written
}

/// No line but a head stands at the margin.
fn lines_are_ours(text: &str) {
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("    ")) {
        let first = line.split(' ').next().unwrap_or_default();
        assert!(
            matches!(first, "✗" | "!" | "·" | "~" | "-" | "✓" | "checked") || line.contains(" checks: "),
            "{line:?}"
        );
    }
}

fn junit(text: &str, report: &Report) {
    let options = roxmltree::ParsingOptions { allow_dtd: false, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(text, options).expect("XML");
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase")).count();
    assert_eq!(cases, report.checks.len() + report.not_checked.len());
    let tests: usize = document
        .descendants()
        .filter(|node| node.has_tag_name("testsuite"))
        .map(|suite| suite.attribute("tests").and_then(|count| count.parse::<usize>().ok()).expect("a number"))
        .sum();
    assert_eq!(tests, cases);
    assert_eq!(document.root_element().attribute("tests"), Some(cases.to_string().as_str()));
}

fn sarif(text: &str, report: &Report) {
    let log: Value = serde_json::from_str(text).expect("JSON");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), report.checks.len());
    for result in run["results"].as_array().expect("results") {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(!uri.is_empty() && uri.is_ascii() && !uri.contains(['\\', ' ', '<', '"']), "{uri}");
    }
}

fn gitlab(text: &str) {
    let issues: Vec<Value> = serde_json::from_str(text).expect("a list");
    let prints: BTreeSet<&str> = issues.iter().filter_map(|issue| issue["fingerprint"].as_str()).collect();
    assert_eq!(prints.len(), issues.len());
    assert!(issues.iter().all(|issue| issue["location"]["path"].as_str().is_some_and(|path| !path.is_empty())));
}

/// Outside of the part in which the runner takes no commands, every line is one of the three.
fn github(text: &str) {
    let mut lines = text.lines();
    let token = lines.next().and_then(|line| line.strip_prefix("::stop-commands::")).expect("commands are stopped");
    let again = format!("::{token}::");
    assert_eq!(text.lines().filter(|line| *line == again).count(), 1);
    let commands: Vec<&str> = lines.skip_while(|line| *line != again).skip(1).collect();
    assert!(commands.len() <= 30);
    for command in commands {
        let rest = command.strip_prefix("::").expect("a command");
        let (head, data) = rest.split_once("::").expect("a message");
        let (name, properties) = head.split_once(' ').expect("properties");
        assert!(matches!(name, "error" | "warning" | "notice"), "{command}");
        for property in properties.split(',') {
            let (name, value) = property.split_once('=').expect("a name and a value");
            assert!(matches!(name, "file" | "line" | "col" | "title"), "{command}");
            assert!(!value.contains(':'), "{command}");
        }
        assert!(!data.is_empty());
    }
}

/// Fences and elements that are opened are closed, in order.
fn markdown(text: &str) {
    let mut fence: Option<String> = None;
    let mut open = 0_i32;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(opened) if line == opened => fence = None,
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                open += i32::from(line == "<details>") - i32::from(line == "</details>");
                assert!((0..=1).contains(&open), "{line}");
                let rest = line
                    .replace("<code>", "")
                    .replace("</code>", "")
                    .replace("<summary>", "")
                    .replace("</summary>", "");
                let rest = rest.replace("<details>", "").replace("</details>", "");
                assert!(!rest.contains(['<', '>', '`']), "{line}");
            }
            Some(_) => {}
        }
    }
    assert!(fence.is_none() && open == 0);
    let columns = |line: &str| line.matches('|').count();
    let table: Vec<&str> =
        text.lines().skip_while(|line| !line.starts_with("| |")).take_while(|line| line.starts_with('|')).collect();
    assert!(table.len() > 2 && table.iter().all(|line| columns(line) == 6), "{table:#?}");
}

fn tap(text: &str, report: &Report) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    let tests = report.checks.len() + report.not_checked.len();
    assert_eq!(lines.next(), Some(format!("1..{tests}").as_str()));
    let mut number = 0;
    let mut block = false;
    for line in lines {
        if block {
            assert!(line.starts_with("  "), "{line}");
            block = line != "  ...";
        } else if line == "  ---" {
            block = true;
        } else if !line.starts_with("# ") {
            number += 1;
            let rest = line.strip_prefix("not ").unwrap_or(line);
            assert!(rest.starts_with(&format!("ok {number} - ")), "{line}");
            let directives = line.match_indices('#').filter(|(at, _)| !line[..*at].ends_with('\\')).count();
            assert!(directives <= 1, "{line}");
        }
    }
    assert_eq!(number, tests);
}

/// Reads a page as a browser's tokenizer does: without an error, and every element closed where it should be.
fn html(text: &str) {
    let tokenizer = Tokenizer::new(Page::default(), TokenizerOpts { exact_errors: true, ..TokenizerOpts::default() });
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(text));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let page = tokenizer.sink;
    assert!(page.open.borrow().is_empty(), "never closed: {:?}", page.open.borrow());
    assert!(page.errors.borrow().is_empty(), "{:?}", page.errors.borrow());
    assert!(
        page.names.borrow().is_subset(&ELEMENTS.iter().map(|name| (*name).to_owned()).collect()),
        "{:?}",
        page.names.borrow()
    );
    for (name, value) in page.attributes.borrow().iter() {
        assert!(!name.starts_with("on") && name != "src", "{name}");
        assert!(name != "href" || value == "data:,", "{value}");
        assert!(name != "style", "the policy forbids styles of elements");
    }
}

/// The elements that a page is made of.
const ELEMENTS: &[&str] = &[
    "html", "head", "meta", "title", "link", "style", "body", "main", "h1", "h2", "p", "bdi", "ul", "li", "b", "svg",
    "line", "rect", "text", "details", "summary", "div", "table", "thead", "tbody", "tr", "th", "td", "span", "code",
    "pre", "dl", "dt", "dd",
];

#[derive(Default)]
struct Page {
    open: RefCell<Vec<String>>,
    errors: RefCell<Vec<String>>,
    names: RefCell<BTreeSet<String>>,
    attributes: RefCell<BTreeSet<(String, String)>>,
}

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(Tag { kind: TagKind::StartTag, name, attrs, .. }) => {
                self.names.borrow_mut().insert(name.to_string());
                let attributes = attrs.iter().map(|one| (one.name.local.to_string(), one.value.to_string()));
                self.attributes.borrow_mut().extend(attributes);
                if !matches!(&*name, "meta" | "link") {
                    self.open.borrow_mut().push(name.to_string());
                }
                match &*name {
                    "style" => return TokenSinkResult::RawData(Rawtext),
                    "title" => return TokenSinkResult::RawData(Rcdata),
                    _ => {}
                }
            }
            Token::TagToken(Tag { kind: TagKind::EndTag, name, .. }) => {
                let opened = self.open.borrow_mut().pop();
                if opened.as_deref() != Some(&*name) {
                    self.errors.borrow_mut().push(format!("line {line}: {opened:?} is closed by {name}"));
                }
            }
            Token::ParseError(error) => self.errors.borrow_mut().push(format!("line {line}: {error}")),
            Token::CommentToken(_) => self.errors.borrow_mut().push(format!("line {line}: a comment")),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}
