"""Every format of a validation report is what others take it for: their schemas, their parsers, and a real browser say so."""


import json
import re
from functools import cache

import jsonschema
import pytest
import xmlschema
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt
from tap.parser import Parser

import browser
import published
from conftest import missing
from formats import FORMATS, NASTY, ROOT, failing, hostile, stored, write
from relink import CLEAN, DATABASE, FINDINGS, run_relink, validate

REPORTS = ["shop", "clean", *(f"hostile {start}" for start in range(4))]


@cache
def report(name: str) -> dict:
    return hostile(int(name.split()[1])) if name.startswith("hostile") else stored(name)


@cache
def written(name: str, form: str) -> str:
    return write(report(name), form, "shop-earlier")


def schema_errors(schema: dict, value) -> list[str]:
    kind = jsonschema.validators.validator_for(schema)
    checker = jsonschema.FormatChecker()
    # What the checker knows no parser of, it would let pass.
    assert {"date-time", "uri-reference"} <= set(checker.checkers)
    found = kind(schema, format_checker=checker).iter_errors(value)
    return [f"{list(error.absolute_path)}: {error.message[:300]}" for error in found]


def fetched(fetch):
    try:
        return fetch()
    except published.Unreachable as error:
        missing(str(error))


@pytest.fixture(params=REPORTS)
def name(request) -> str:
    return request.param


def test_json_keeps_to_its_published_schema(name):
    schema = json.loads((ROOT / "schemas" / "validation-report.schema.json").read_text(encoding="utf-8"))
    read = json.loads(written(name, "json"))
    assert not schema_errors(schema, read)
    if not name.startswith("hostile"):
        assert read == report(name)


def test_sarif_keeps_to_the_schema_of_oasis(name):
    log = json.loads(written(name, "sarif"))
    assert not schema_errors(fetched(published.sarif_schema), log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) == len(report(name)["checks"]), "every check is a rule, also one that found nothing"
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    suppressed = [result for result in run["results"] if result.get("suppressions")]
    assert len(suppressed) == report(name)["summary"]["allowed"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] == (report(name)["summary"]["not_run"] == 0)


def test_junit_keeps_to_the_schema_of_jenkins(name):
    schema = xmlschema.XMLSchema(str(fetched(published.junit_schema)))
    text = written(name, "junit")
    assert not [str(error)[:500] for error in schema.iter_errors(text)]
    suites = schema.to_dict(text)
    checks = report(name)["checks"]
    assert int(suites["@tests"]) == len(checks) + len(report(name)["not_checked"]), "checks that pass are test cases, too"
    assert int(suites["@failures"]) == len(failing(report(name)))
    assert int(suites["@errors"]) == sum(check["status"] == "error" for check in checks)


def test_gitlab_keeps_to_what_its_documentation_says(name):
    schema = json.loads((ROOT / "testdata" / "schemas" / "gitlab-code-quality.schema.json").read_text(encoding="utf-8"))
    issues = json.loads(written(name, "gitlab"))
    assert not schema_errors(schema, issues)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert len(issues) == sum(check["status"] in ("fail", "error") for check in report(name)["checks"])


def test_tap_is_read_by_a_parser_of_others(name):
    # This parser is of version 13, which cannot escape the sign that begins a directive.
    lines = list(Parser().parse_text(written(name, "tap").replace("\\#", "No. ")))
    assert not [line for line in lines if line.category == "unknown"], lines
    (plan,) = [line for line in lines if line.category == "plan"]
    tests = [line for line in lines if line.category == "test"]
    checks = report(name)["checks"]
    assert plan.expected_tests == len(tests) == len(checks) + len(report(name)["not_checked"])
    for test, check in zip(tests, checks):
        assert test.ok == (check["status"] == "pass")
        assert bool(test.todo) == (check["status"] == "allowed")
        assert not test.skip
        # The parser reads the block with a parser of YAML.
        told = test.yaml_block or {}
        assert told.get("kind") == (check["kind"] if check["status"] != "pass" else None)
        if check["status"] in ("fail", "allowed"):
            assert len(told.get("failing", [])) == min(len(check["samples"]), 10)
    assert all(test.ok and test.skip for test in tests[len(checks) :])


# As the runner of GitHub Actions takes a command: at the start of a line, blanks aside, or in the old form anywhere in it.
COMMAND = re.compile(r"^\s*::(\w+)( [^:]*)?::(.*)$")


def test_the_runner_of_github_takes_only_our_commands(name):
    lines = written(name, "github").splitlines()
    stopped = re.fullmatch(r"::stop-commands::([a-z0-9-]+)", lines[0])
    end = lines.index(f"::{stopped[1]}::")
    commands = [COMMAND.match(line) for line in lines[end + 1 :]]
    assert all(commands), lines[end + 1 :]
    for level in ("error", "warning", "notice"):
        assert sum(command[1] == level for command in commands) <= 10
    expected = sum(check["status"] in ("fail", "error") for check in report(name)["checks"])
    run = bool(report(name)["warnings"]) + bool(report(name)["not_checked"])
    assert len(commands) == expected + run
    for command in commands:
        properties = dict(one.split("=", 1) for one in command[2].strip().split(","))
        assert set(properties) <= {"file", "line", "col", "title"}
        assert "\r" not in command[0]


def test_markdown_makes_nothing_of_the_data(name):
    reader = MarkdownIt("gfm-like", {"html": True, "linkify": True})
    assert isinstance(reader.linkify, LinkifyIt)
    for form in ("markdown", "summary"):
        page = reader.render(written(name, form))
        tags = set(re.findall(r"<(/?[a-z0-9]+)", page))
        ours = "details summary code pre p h2 h3 ul li strong table thead tbody tr th td".split()
        assert tags <= {*ours, *(f"/{tag}" for tag in ours)}, tags
        assert page.count("<details>") == page.count("</details>")
    assert len(written(name, "summary").encode()) <= 1024 * 1024


@pytest.fixture
def open_page(tmp_path):
    """Opens a page in a browser."""
    if not browser.executable():
        missing("no Chromium")

    def opened(page: str, *arguments: str) -> browser.Opened:
        path = tmp_path / "report.html"
        path.write_text(page, encoding="utf-8")
        return browser.Opened(path, tmp_path, *arguments)

    return opened


def test_html_opens_without_network_and_without_a_word_of_complaint(name, open_page):
    page = written(name, "html")
    opened = open_page(page)
    assert not opened.console
    assert opened.colours() > 20, "a blank page"
    assert browser.addresses(page) == {"data:,"}
    assert report(name)["run"]["tool"] != "relink" or "relink 0.1.0" in opened.text()


def test_the_browser_would_have_complained(open_page):
    """The judge above can see what it looks for."""
    page = written("shop", "html").replace("<main>", '<main><img src="https://example.org/x.png"><script>1</script>')
    assert len(open_page(page).console) >= 2


def test_html_says_what_the_text_says(open_page):
    page = open_page(written("shop", "html")).text()
    text = written("shop", "text")
    for line in filter(None, map(str.rstrip, text.splitlines())):
        if line.startswith("      "):
            pieces = re.split(r"\s{2,}", line.strip())
        elif line.startswith("    see"):
            pieces = [line.strip().removeprefix("see").strip().removesuffix(";")]
        elif re.match(r"    [a-z]{2,5} +\S", line) and line[10:11] != " ":
            pieces = [line[10:], line[4:10].strip()]
        else:
            pieces = re.split(r"\s{2,}", line.strip().lstrip("✗!·~- "))
            pieces = [re.sub(r"^(error|warning|info|not run|not checked|allowed) ", "", piece) for piece in pieces]
        for piece in pieces:
            assert " ".join(piece.split()) in page, f"{piece!r} of {line!r}"


def test_what_is_folded_is_printed(open_page):
    printed = open_page(written("shop", "html")).printed()
    for check in failing(report("shop")):
        assert check["id"] in printed
        for sample in check["samples"]:
            assert all(value in printed for value in sample["key"].values())


def test_texts_of_any_length_are_cut():
    long = json.loads(json.dumps(hostile(0)).replace("shop", "x" * 1000))
    for form in FORMATS:
        if form != "json":
            assert len(write(long, form)) < 2_000_000


def test_a_live_database_in_every_format(make_database):
    """From the data to each format, through `relink` itself where it offers the format."""
    database = make_database("sqlite")
    database.run_script(
        """
        CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT UNIQUE);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id));
        INSERT INTO customers VALUES (1, 'ann@example.org');
        INSERT INTO orders VALUES (10, 1), (11, 7), (12, 7), (13, NULL);
        """
    )
    found = validate(database).expect(FINDINGS).report
    offered = run_relink("validate", "--help").expect(CLEAN).stdout
    for form in FORMATS:
        if f"- {form}:" in offered:
            text = run_relink("validate", database.url, "--format", form).expect(FINDINGS, DATABASE).stdout
        else:
            text = write(found, form)
        assert "ref:orders.customer_id" in text.replace("&#58;", ":"), text
        assert form in ("json", "sarif") or "references a row of customers(id) that does not exist" in text
        if form == "sarif":
            assert not schema_errors(fetched(published.sarif_schema), json.loads(text))
        if form == "junit":
            xmlschema.XMLSchema(str(fetched(published.junit_schema))).validate(text)


def test_the_nasty_texts_are_nasty():
    """Each of them stands in one of the reports, so that no text is judged only by name."""
    everything = "".join(json.dumps(report(name), ensure_ascii=False) for name in REPORTS)
    for text in NASTY:
        assert json.dumps(text, ensure_ascii=False)[1:-1] in everything, text[:40]
