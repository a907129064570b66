"""The site that serve.py, attacks.py and memory.py put under load: a page of 10 KB in each of the ways to serve it."""

from __future__ import annotations

import re
from pathlib import Path

LAYOUT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title><< title >></title></head>
<body>
<nav>{% for name in ["Inks", "Journal", "Cart"] %}<a href="/<< name | lower >>/"><< name >></a>{% endfor %}</nav>
<main>{% block main %}{% endblock %}</main>
</body>
</html>
"""
TEXT = "<p>Oak galls, walnut husks, woad, madder, weld and buckthorn grow within a walk of our pot.</p>\n" * 90
LIST = """{% for number in range(10) %}
  <li class="pot"><a href="/shop/<< number >>/">Ink number << number >></a> <span>at << number * 2 >> a pot</span>
{% endfor %}
"""
PAGE = (
    '{% extends "layouts/base.html" %}{% block main %}<h1>Inks</h1>\n<ul>' + LIST + "</ul>\n" + TEXT + "{% endblock %}"
)
COUNT = PAGE.replace("<h1>", "<p><< session.get('count', 0) >> so far</p><h1>")
LOAD = "async def load(context):\n    return {'title': 'Inks'}\n"
WRITE = (
    "async def load(context):\n"
    "    context.session['count'] = context.session.get('count', 0) + 1\n"
    "    return {'title': 'Inks'}\n"
)
ACTIONS = (
    "from pydantic import BaseModel, Field\nfrom hybridsite import action\n\n\n"
    "class Order(BaseModel):\n    product: str\n    quantity: int = Field(1, ge=1, le=99)\n\n\n"
    "@action\nasync def order(context, form: Order):\n    return form.quantity\n"
)
ON_DEMAND = "---\nprerender: false\n---\n"
SITE = {
    "site.toml": "",
    "actions.py": ACTIONS,
    "layouts/base.html": LAYOUT,
    "pages/index.html": PAGE,
    "pages/index.py": LOAD,
    "pages/now.html": ON_DEMAND + PAGE,
    "pages/now.py": LOAD,
    "pages/kept.html": ON_DEMAND.replace("false\n", "false\ncache: {max_age: 600}\n") + PAGE,
    "pages/kept.py": LOAD,
    "pages/read.html": ON_DEMAND + COUNT,
    "pages/read.py": LOAD,
    "pages/write.html": ON_DEMAND + COUNT,
    "pages/write.py": WRITE,
    "pages/island.html": '{% island "components/count.html" %}{% endisland %}',
    "components/count.html": "<b><< session.get('count', 0) >></b>",
}


def write_site(folder: Path) -> None:
    """Writes the site."""
    for name, text in SITE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def island_path(folder: Path) -> str:
    """Gives the path by which the script fetches the piece of the page with an island."""
    found = re.search(r'<slot name="([^"]+)"', (folder / "dist/client/island/index.html").read_text())
    assert found, "the page has no island"
    return f"/_islands/{found[1]}.json"
