"""The commands of README.md do what it says, in a scratch copy of the repository.

A block of commands is tried when `<!-- tested -->` stands right above it, or `<!-- tested: exits 1 -->` where its last command
is to end so.
`cargo run ... --` is replaced by the binary that the tests run on: it was built from this source a moment ago.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from relink import binary, environment

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"<!-- tested(?:: exits (\d+))? -->\s*```sh\n(.*?)```", re.DOTALL)


def blocks() -> list[tuple[str, int]]:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    return [(commands, int(code or 0)) for code, commands in BLOCK.findall(text)]


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Path:
    """What a fresh clone would hold."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def test_readme_has_commands_to_try():
    assert blocks(), "README.md has no block below a `<!-- tested -->`"


@pytest.mark.parametrize("block", range(max(len(blocks()), 1)))
def test_the_commands_of_the_readme_run(block, copy):
    assert block < len(blocks())
    commands, expected = blocks()[block]
    script = re.sub(r"cargo run[^\n]*? -- ", lambda _: f"{binary()} ", commands)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=copy,
        env={**environment(), "PATH": f"{binary().parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, f"{script}\n{done.stdout}\n{done.stderr}"
    assert "panicked" not in done.stderr
