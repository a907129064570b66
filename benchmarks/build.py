"""How long a build takes, and how much memory, for 1,000 and 10,000 generated posts.

    python benchmarks/build.py [--posts 1000,10000] [--rounds 3] [--json FILE]

A post is Markdown of some 320 words with headings, links and a list; every second one has a highlighted block of code.
They are a collection with a schema. All stand in a layout with navigation; there are an index and eight tag pages.
Where `hugo` is on PATH, it builds the same posts in turns with us, in templates that do the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TEXT = (
    "oak gall walnut husk woad madder weld buckthorn pot ink paper nib vinegar alum iron copper water leaf root bark "
    "slow warm dark clear fine coarse old new winter spring morning evening boils dries fades holds writes stains keeps"
)
WORDS = TEXT.split()
TAGS = ("oak", "walnut", "woad", "madder", "weld", "buckthorn", "paper", "pens")
CODE = """```python
def strength(galls: float, water: float, *, days: int = 3) -> float:
    \"\"\"Gives the share of tannin after some days in the pot.\"\"\"
    share = 0.0
    for day in range(days):
        share += (1 - share) * 0.4  # less each day
    return share * galls / water
```
"""

LAYOUT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{% block title %}Journal{% endblock %}</title></head>
<body>
<nav><a href="/">Journal</a>
{% for tag in data.navigation.tags %} <a href="/tags/<< tag >>/"><< tag >></a>{% endfor %}</nav>
<main>{% block main %}{% endblock %}</main>
</body>
</html>
"""
POST_PAGE = (
    "---\npaths: posts\n---\n"
    '{% extends "layouts/base.html" %}{% block title %}<< entry.data.title >>{% endblock %}'
    "{% block main %}<h1><< entry.data.title >></h1><< entry.html >>{% endblock %}"
)
LIST = (
    '{% extends "layouts/base.html" %}{% block main %}<ul>{% for post in POSTS %}'
    '<li><a href="<< post.url >>"><< post.data.title >></a></li>{% endfor %}</ul>{% endblock %}'
)
TAG_PAGE = "---\npaths: {collection: posts, by: tags}\n---\n" + LIST.replace("POSTS", "entries")
COLLECTIONS = """from pydantic import BaseModel

from hybridsite import Collection


class Post(BaseModel):
    title: str
    tags: list[str]


posts = Collection("content/posts", schema=Post)
"""
HUGO_BASE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ .Title }}</title></head>
<body>
<nav><a href="/">Journal</a>{{ range .Site.Params.navigation }} <a href="/tags/{{ . }}/">{{ . }}</a>{{ end }}</nav>
<main>{{ block "main" . }}<h1>{{ .Title }}</h1>{{ .Content }}{{ end }}</main>
</body>
</html>
"""
HUGO_LIST = (
    '{{ define "main" }}<ul>{{ range .RegularPagesRecursive }}'
    '<li><a href="{{ .RelPermalink }}">{{ .Title }}</a></li>{{ end }}</ul>{{ end }}'
)


def post(number: int) -> tuple[str, list[str], str]:
    """Gives title, tags and body of a post: the same for the same number."""
    dice = random.Random(number)

    def sentences(count: int) -> str:
        return " ".join(" ".join(dice.choices(WORDS, k=12)).capitalize() + "." for _ in range(count))

    title = " ".join(dice.choices(WORDS, k=4)).capitalize()
    parts = [f"{sentences(3)} See [the shop](/shop/{number}/)."]
    for heading in dice.sample(WORDS, 3):
        parts.append(f"## On {heading}\n\n{sentences(5)} A [link](https://example.org/{heading}) for it.")
    parts.append("\n".join(f"- {' '.join(dice.choices(WORDS, k=6))}" for _ in range(5)))
    if number % 2:
        parts.append(CODE.replace("strength", f"strength_{number}"))
    return title, dice.sample(TAGS, 2), "\n\n".join(parts) + "\n"


def write_posts(folder: Path, posts: int) -> None:
    """Writes the posts, which both tools read in one form."""
    folder.mkdir(parents=True)
    for number in range(posts):
        title, tags, body = post(number)
        (folder / f"{number}.md").write_text(f"---\ntitle: {title}\ntags: [{', '.join(tags)}]\n---\n{body}")


def write_ours(folder: Path, posts: int) -> None:
    """Writes the posts as a collection of ours, with a schema."""
    write_posts(folder / "content/posts", posts)
    files = {
        "site.toml": "",
        "collections.py": COLLECTIONS,
        "data/navigation.json": json.dumps({"tags": TAGS}),
        "layouts/base.html": LAYOUT,
        "pages/index.html": LIST.replace("POSTS", 'collection("posts")'),
        "pages/posts/[slug].html": POST_PAGE,
        "pages/tags/[tags].html": TAG_PAGE,
    }
    write(folder, files)


def write_hugo(folder: Path, posts: int) -> None:
    """Writes the same posts for Hugo."""
    write_posts(folder / "content/posts", posts)
    settings = 'baseURL = "https://example.org/"\ndisableKinds = ["RSS", "sitemap", "section"]\n'
    settings += f"[params]\nnavigation = {json.dumps(TAGS)}\n[markup.highlight]\nnoClasses = false\n"
    files = {
        "hugo.toml": settings,
        "config.toml": settings,  # the name that older ones look for
        "layouts/_default/baseof.html": HUGO_BASE,
        "layouts/_default/single.html": '{{ define "main" }}<h1>{{ .Title }}</h1>{{ .Content }}{{ end }}',
        "layouts/_default/list.html": HUGO_LIST,
        "layouts/index.html": HUGO_LIST.replace(".RegularPagesRecursive", ".Site.RegularPages"),
    }
    write(folder, files)


def write(folder: Path, files: dict[str, str]) -> None:
    """Writes files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Runs a build, and gives its wall time in seconds and its peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def measure(counts: list[int], rounds: int) -> dict[str, object]:
    """Builds each number of posts from nothing, ours and Hugo's in turns."""
    tools: dict[str, tuple[Callable[[Path, int], None], list[str], str]] = {
        "hybridsite": (write_ours, [sys.executable, "-P", "-m", "hybridsite", "build"], "dist")
    }
    if hugo := shutil.which("hugo"):
        tools["hugo"] = (write_hugo, [hugo, "--quiet"], "public")
    results: dict[str, object] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            figures: dict[str, list[tuple[float, float]]] = {tool: [] for tool in tools}
            for tool, (write_site, _, _) in tools.items():
                write_site(Path(name) / tool, count)
            for _ in range(rounds):
                for tool, (_, command, output) in tools.items():
                    folder = Path(name) / tool
                    for made in (output, ".hybridsite", "resources"):
                        shutil.rmtree(folder / made, ignore_errors=True)
                    figures[tool].append(run(command, folder))
                    pages = sum(1 for _ in (folder / output).rglob("*.html"))
                    assert pages >= count + 9, f"{tool} wrote {pages} pages"
        for tool, rows in figures.items():
            seconds, memory = (statistics.median(column) for column in zip(*rows, strict=True))
            results[f"{tool}, {count} posts"] = {"seconds": round(seconds, 2), "peak MB": round(memory)}
            print(f"{count:7} posts, {tool:10} {seconds:6.2f} s, {memory:5.0f} MB")
    return results


def main() -> None:
    """Reads the command line, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", default="1000,10000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    asked = parser.parse_args()
    results = measure([int(count) for count in asked.posts.split(",")], asked.rounds)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
