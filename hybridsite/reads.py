"""What a template reads of the names that hold much: which file of `data`, what of `site`, the URL of which page."""

from __future__ import annotations

from jinja2 import nodes

WHOLE = "*"
"""Stands for all that a name has, where a template does more with it than to ask for one thing by its name."""
# What a template may ask of the site without reaching its content.
_PLAIN_OF_SITE = frozenset({"title", "description", "language", "author", "url", "base"})
PRIVATE = "private"
"""Stands among the names for an attribute that is nobody's to ask for: nobody notes what is read by it."""
COLLECTION = "collection"
_NAMES = frozenset({"data", "site", "url_for"})
# What `pagination`, entries and their methods lead to beside their own: `neighbour` is for entries themselves.
_INNER = frozenset({"neighbour"})


def reads(template: nodes.Template) -> frozenset[tuple[str, str]]:
    """Gives pairs of a name and what is read of it. A local name of the same spelling counts too: it does no harm."""
    found: set[tuple[str, str]] = set()
    told: set[int] = set()
    for node in template.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)):
        match node:
            case (
                nodes.Getattr(node=nodes.Name(name="data" | "site" as name) as owner, attr=str(what))
                | nodes.Getitem(node=nodes.Name(name="data" as name) as owner, arg=nodes.Const(value=str(what)))
                | nodes.Call(node=nodes.Name(name="url_for" as name) as owner, args=[nodes.Const(value=str(what)), *_])
            ):
                found.add((name, what))
                told.add(id(owner))
    for attribute in template.find_all(nodes.Getattr):
        if attribute.attr.startswith("_") or attribute.attr in _INNER:
            found.add((PRIVATE, attribute.attr))
    for node in template.find_all(nodes.Name):
        if node.name in _NAMES and node.ctx == "load" and id(node) not in told:
            found.add((node.name, WHOLE))
    return frozenset(found)


def uses_content(template: nodes.Template) -> bool:
    """Tells whether a template may ask for a collection. `site.title` and its like are no way to one."""
    names = [node.name for node in template.find_all(nodes.Name)]
    harmless = 0
    for node in template.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == "site" and node.attr in _PLAIN_OF_SITE:
            harmless += 1
    return COLLECTION in names or names.count("site") > harmless
