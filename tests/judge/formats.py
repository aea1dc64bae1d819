"""Writes stored validation reports in every format, and makes reports that are hard to write."""

import copy
import json
import os
import subprocess
from pathlib import Path

from relink import binary

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "testdata" / "reports"
FORMATS = ["text", "json", "junit", "sarif", "github", "gitlab", "html", "markdown", "tap"]

# What has broken reports of other programs.
NASTY = [
    "",
    " ",
    "NULL",
    "a\nb\r\nc\td",
    "".join(map(chr, [*range(32), 0x7F, 0x85, 0x9B])),
    "\ufffe\uffff\ufdd0",
    "in\u202evoice\u2066\ufeff\u200b",
    "]]> --> <!-- <script>alert(1)</script> </style></title></details>",
    "<img src=https://example.org/x.png onerror=alert(1)>",
    "\"'`<>&amp;&#0;",
    "::error file=a::b",
    "\n::set-output name=a::b",
    "##[add-mask]x",
    "%0A%3A,:;",
    "not ok 1 - x # SKIP",
    "---\n...\n- a: b",
    "| a | b |\n|---|---|",
    "```\n~~~\n</details>",
    "![x](https://example.org/x.png) [y](javascript:alert(1)) https://example.org www.example.org a@example.org",
    "@everyone #1 :smile: $x$ **b** __i__ ~~s~~",
    "שלום مرحبا 👩\u200d🚀 漢字 Z\u0351\u036b",
    "1e999999999",
    "2026-02-30T25:61:61Z",
    "dump.zip!a.json",
    "C:\\x\\y",
    "x" * 100_000,
]

# Fields whose texts are words of the format and not of the data.
WORDS = {"kind", "severity", "status", "baseline"}


def stored(name: str) -> dict:
    return json.loads((REPORTS / f"{name}.json").read_text(encoding="utf-8"))


def hostile(start: int) -> dict:
    """The report with everything in it, each of its texts replaced by one that has broken something; `start` shifts which."""
    count = start

    def text() -> str:
        nonlocal count
        count += 7
        return NASTY[count % len(NASTY)] + ("" if count % 3 else NASTY[(count // 3) % len(NASTY)])

    def replaced(value, field=None):
        if isinstance(value, dict):
            named = field in {"key", "values", "problems"}
            return {text() if named else key: replaced(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [replaced(one) for one in value]
        return text() if isinstance(value, str) and field not in WORDS else value

    return replaced(copy.deepcopy(stored("shop")))


def write(report: dict, form: str, *earlier: str) -> str:
    """The report in a format, `summary` for a step's; `earlier` are names of stored reports."""
    example = binary().parent / "examples" / "render"
    assert example.exists(), f"{example} is not built: use tests/run"
    done = subprocess.run(
        [str(example), form, *(str(REPORTS / f"{name}.json") for name in earlier)],
        input=json.dumps(report).encode(),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8")


def failing(report: dict) -> list[dict]:
    return [check for check in report["checks"] if check["status"] == "fail"]
