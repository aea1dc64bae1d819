"""Runs the built `relink` as a user would, and reads what it reports."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Exit codes, as `relink --help` documents them.
CLEAN = 0
FINDINGS = 1
USAGE = 2
DATABASE = 3
EXPORT = 4
REFUSED = 5
STOPPED = 6


@dataclass
class Run:
    """One run: what went in, and what came out."""

    arguments: list[str]
    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict:
        """The JSON report on standard output."""
        try:
            return json.loads(self.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"no JSON report: {error}\n{self}") from error

    def totals(self) -> dict[str, int]:
        """Outcome -> rows, over all relations of the report."""
        return self.report["totals"]

    def findings(self) -> list[dict]:
        """Every finding of a restore, out of its group."""
        return [finding for group in self.report["findings"] for finding in group["findings"]]

    def expect(self, *codes: int) -> "Run":
        assert self.code in codes, f"exit code {self.code}, expected {codes}\n{self}"
        assert "panicked at" not in self.stderr, str(self)
        return self

    def told(self) -> str:
        """What a failing test shows of standard output: of a report what went wrong, not the plan and the checks that passed."""
        try:
            report = json.loads(self.stdout)
        except json.JSONDecodeError:
            return self.stdout
        kept = {key: report[key] for key in ("status", "totals", "findings", "failure") if report.get(key)}
        validation = report.get("validation") or report
        failed = [check for check in validation.get("checks", []) if check.get("status") != "pass"]
        return json.dumps({**kept, "failed_checks": failed}, ensure_ascii=False, indent=1)

    def __str__(self) -> str:
        def shortened(text):
            return text if len(text) < 6000 else f"{text[:4000]}\n...\n{text[-2000:]}"

        return f"$ relink {' '.join(self.arguments)}\n{shortened(self.told())}\n{shortened(self.stderr)}\nexit {self.code}"


def binary() -> Path:
    path = os.environ.get("RELINK_BIN")
    assert path, "RELINK_BIN names no binary: use tests/run"
    return Path(path)


def environment(**changes: str) -> dict[str, str]:
    """The environment of a run: nothing of the caller's that relink reads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RELINK_")}
    # A host's zone must never matter: run in one that is far from UTC and has summer time.
    return {**kept, "TZ": "America/New_York", "NO_COLOR": "1", **changes}


def run_relink(*arguments, cwd=None, timeout=300, **changes: str) -> Run:
    """Runs the binary; `changes` are environment variables."""
    listed = [str(argument) for argument in arguments]
    done = subprocess.run(
        [str(binary()), *listed],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
    )
    return Run(listed, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def restore(export, into, *arguments, **options) -> Run:
    return run_relink("restore", export, "--into", getattr(into, "url", into), "--format", "json", *arguments, **options)


def validate(database, *arguments, **options) -> Run:
    return run_relink("validate", getattr(database, "url", database), "--format", "json", *arguments, **options)
