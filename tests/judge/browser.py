"""A real browser without a network, for pages that claim to need none."""

import io
import os
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

from pypdf import PdfReader


def executable() -> str | None:
    return next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)


class Opened:
    """What the browser made of a page."""

    def __init__(self, page: Path, folder: Path, *arguments: str):
        picture = folder / "page.png"
        command = [
            executable(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1100,2000",
            "--virtual-time-budget=3000",
            "--enable-logging=stderr",
            # Nothing but the page itself can be reached.
            "--host-resolver-rules=MAP * ~NOTFOUND",
            *arguments,
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}

        def run(*more: str) -> tuple[str, str]:
            done = subprocess.run(
                [*command, *more, page.as_uri()], env=environment, capture_output=True, timeout=120, check=False
            )
            assert done.returncode == 0, done.stderr.decode(errors="replace")
            return done.stdout.decode("utf-8"), done.stderr.decode(errors="replace")

        self.dom, said = run("--dump-dom")
        _, said_too = run(f"--screenshot={picture}")
        self.console = [line for line in (said + said_too).splitlines() if ":CONSOLE:" in line]
        self.picture = picture.read_bytes()
        paper = folder / "page.pdf"
        run("--no-pdf-header-footer", f"--print-to-pdf={paper}")
        self.paper = paper.read_bytes()

    def colours(self) -> int:
        """How many different bytes the picture is made of: a blank page has few."""
        assert self.picture.startswith(b"\x89PNG\r\n\x1a\n")
        at, data = 8, b""
        while at < len(self.picture):
            (length,) = struct.unpack(">I", self.picture[at : at + 4])
            if self.picture[at + 4 : at + 8] == b"IDAT":
                data += self.picture[at + 8 : at + 8 + length]
            at += length + 12
        return len(set(zlib.decompress(data)))

    def printed(self) -> str:
        """What stands on paper."""
        return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(self.paper)).pages)

    def text(self) -> str:
        """What stands on the page, each run of white space as one blank."""
        reader = Text()
        reader.feed(self.dom)
        return " ".join(" ".join(reader.pieces).split())


def addresses(page: str) -> set[str]:
    """What the page could load or lead to."""
    found: set[str] = set()

    class Attributes(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.update(value for name, value in attrs if name in {"href", "src", "srcset", "action", "data", "poster", "xlink:href"})

    Attributes().feed(page)
    return found


class Text(HTMLParser):
    """Texts outside of styles."""

    def __init__(self):
        super().__init__()
        self.pieces: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag, attrs):
        self.in_style = tag == "style"

    def handle_endtag(self, tag):
        self.in_style = False

    def handle_data(self, data):
        if not self.in_style:
            self.pieces.append(data)
