"""Schemas that others publish and that are not part of this repository: fetched once, checked by their SHA-256, kept under the target folder."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from relink import binary

# The crate that holds OASIS' schema of SARIF 2.1.0 as it was published; no package of PyPI does.
SARIF_CRATE = "https://static.crates.io/crates/serde-sarif/serde-sarif-0.8.0.crate"
SARIF_SHA256 = "a053c46f18a8043570d4e32fefc4c6377f82bf29ec310a33e93f273048e3b0be"
SARIF_MEMBER = "serde-sarif-0.8.0/src/schema.json"

# The sources of pytest hold the schema of Jenkins' xUnit plugin, against which pytest checks its own reports.
JUNIT_SDIST = "pytest==9.2.0"
JUNIT_SHA256 = "97c4f3b1f3c7414aa36465e09b8220f1d03627993bd51b1282e193753c80557b"
JUNIT_MEMBER = "pytest-9.2.0/testing/example_scripts/junit-10.xsd"


class Unreachable(Exception):
    """The package index cannot be reached, which says nothing about relink."""


def folder() -> Path:
    made = binary().parents[1] / "published"
    made.mkdir(parents=True, exist_ok=True)
    return made


def kept(name: str, fetch) -> bytes:
    """A file of the folder, fetched where it is not there yet. Processes side by side may both fetch it: the last rename wins."""
    path = folder() / name
    if not path.exists():
        content = fetch()
        fresh = path.with_suffix(f".{id(content)}.part")
        fresh.write_bytes(content)
        fresh.replace(path)
    return path.read_bytes()


def member(archive: bytes, sha256: str, name: str) -> bytes:
    found = hashlib.sha256(archive).hexdigest()
    assert found == sha256, f"{name}: the package's SHA-256 is {found}"
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        return files.extractfile(name).read()


def fetch_sarif() -> bytes:
    try:
        with urllib.request.urlopen(SARIF_CRATE, timeout=60) as answer:
            archive = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise Unreachable(f"{SARIF_CRATE}: {error}") from error
    return member(archive, SARIF_SHA256, SARIF_MEMBER)


def fetch_junit() -> bytes:
    into = folder() / "sdist"
    command = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary=pytest", f"--dest={into}"]
    done = subprocess.run([sys.executable, "-m", "pip", *command, JUNIT_SDIST], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unreachable(f"{JUNIT_SDIST}: {done.stderr}")
    return member(next(into.glob("pytest-*.tar.gz")).read_bytes(), JUNIT_SHA256, JUNIT_MEMBER)


def sarif_schema() -> dict:
    return json.loads(kept("sarif-schema-2.1.0.json", fetch_sarif))


def junit_schema() -> Path:
    kept("junit-10.xsd", fetch_junit)
    return folder() / "junit-10.xsd"
