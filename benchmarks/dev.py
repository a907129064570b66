"""From a file that is saved to the page that shows it, in Chromium: `python benchmarks/dev.py [PAGES] [EDITS]`.

The site has PAGES Markdown entries (1,000 unless told otherwise). One entry, and then the template of all, is edited
while a page is open; the time is taken from before the file is written until the document has changed. Then the same
edits are made without a browser, and the processor time of a reload is taken, which other work on the machine changes
less.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from hybridsite.dev.app import DevApp

PAGE = """<!doctype html>
<html lang="en"><head><title><< entry.data.title >></title></head>
<body><p id="word">w0</p>
<< entry.html >>
</body></html>
"""
TEXT = "A paragraph of some length, with *emphasis*, `code` and [a link](https://example.org/).\n\n" * 8
EDITS = (
    ("content/blog/entry-1.md", "start", "changed{}"),
    ("pages/blog/[slug].html", '"word">w0', '"word">word{}'),
)
WAIT = """word => new Promise(done => {
  const look = () => {
    if (document.body.textContent.includes(word)) done(performance.timeOrigin + performance.now())
    else requestAnimationFrame(look)
  }
  look()
})"""


def write_site(root: Path, pages: int) -> None:
    """Writes a site of one collection."""
    (root / "pages/blog").mkdir(parents=True)
    (root / "content/blog").mkdir(parents=True)
    (root / "site.toml").write_text("")
    (root / "pages/blog/[slug].html").write_text(f"---\npaths: blog\n---\n{PAGE}")
    for number in range(pages):
        text = f"---\ntitle: Entry {number}\ndate: 2026-01-01\n---\n\nstart\n\n{TEXT}"
        (root / f"content/blog/entry-{number}.md").write_text(text)


def main() -> None:
    """Measures, and prints median and p99."""
    pages, edits = (int(value) for value in [*sys.argv[1:3], *("1000", "100")[len(sys.argv) - 1 :]])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "site"
        write_site(root, pages)
        measure_pages(root, pages, edits)
        asyncio.run(measure_reloads(root, pages, edits))


def measure_pages(root: Path, pages: int, edits: int) -> None:
    """Prints the time from a file that is saved to the page that shows it."""
    with sync_playwright() as playwright:
        command = [sys.executable, "-m", "hybridsite", "dev", str(root), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
        try:
            assert server.stdout is not None
            line = next(line for line in server.stdout if "is shown at" in line)
            address = line.partition("is shown at ")[2].split()[0]
            chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"{address}/blog/entry-1/")
            for name, before, after in EDITS:
                times = []
                source = (root / name).read_text()
                for number in range(edits):
                    word = after.format(f"-{number}-")
                    began = time.time() * 1000
                    (root / name).write_text(source.replace(before, word))
                    times.append(page.evaluate(WAIT, word.rpartition(">")[2]) - began)
                (root / name).write_text(source)
                print(f"{pages} pages, {name}: {told(times)}")
            browser.close()
        finally:
            server.terminate()
            server.wait()


def told(times: list[float]) -> str:
    """Gives the median and the 99th percentile of some times in milliseconds."""
    times = sorted(times)
    last = times[min(len(times) - 1, int(len(times) * 0.99))]
    return f"median {statistics.median(times):.0f} ms, p99 {last:.0f} ms, {len(times)} edits"


async def measure_reloads(root: Path, pages: int, edits: int) -> None:
    """Prints the processor time of a reload, without a browser."""
    app = DevApp(root, {}, say=lambda line: None)
    await app.reload()
    for name, before, after in EDITS:
        source, times = (root / name).read_text(), []
        for number in range(edits):
            (root / name).write_text(source.replace(before, after.format(number)))
            began = time.process_time()
            await app.reload([name])
            times.append((time.process_time() - began) * 1000)
        print(f"{pages} pages, {name}: processor time of a reload: {told(times)}")
    await app.close()


if __name__ == "__main__":
    main()
