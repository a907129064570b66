"""The reserved keys of front matter, checked: everything that a page says of itself before its first line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from types import MappingProxyType

from hybridsite import units
from hybridsite.cache.policy import CachePolicy, PolicyFault, read_policy
from hybridsite.dates import aware
from hybridsite.errors import Faults, FrontMatterError, did_you_mean, one_slip
from hybridsite.sources import Source

RESERVED = ("prerender", "guard", "layout", "jinja", "draft", "paths", "paginate", "cache", "headers")


@dataclass(frozen=True, slots=True)
class Paths:
    """The pages that a route makes of a collection: for each entry, each value of the field `by`, or for so many."""

    collection: str
    by: str | None = None
    paginate: int | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that the route has to have."""
        names = (self.by, "page" if self.paginate else None)
        return tuple(name for name in names if name) or ("slug",)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a page says of itself.

    `prerender` is None where it says nothing; `page` holds the keys that are the page's own.
    """

    prerender: bool | None
    layout: str | None
    jinja: bool
    draft: bool
    headers: Mapping[str, str]
    page: Mapping[str, object]
    guard: bool = False
    cache: CachePolicy | None = None
    paths: Paths | None = None


def read_front_matter(source: Source, *, own_keys: Collection[str] = (), zone: tzinfo = UTC) -> FrontMatter:
    """Checks the front matter of a page.

    `own_keys` are names near a reserved one that the site means as they are (`[front_matter] keys`), `zone` is that of
    times which say none.
    Raises FrontMatterError, or SiteErrors where there are several faults.
    """
    faults = Faults()
    page: dict[str, object] = {}
    for key, value in source.front_matter.items():
        if key in RESERVED:
            with faults.collect():
                _check(source, key, value)
            continue
        near = _near(key)
        if near and key not in own_keys:
            faults.add(
                FrontMatterError(
                    f'the key "{key}" is one slip away from "{near}"',
                    why=f'"{near}" has a meaning of its own',
                    mend=f'did you mean "{near}"? If not, add it to [front_matter] keys in site.toml',
                    location=source.location(key),
                )
            )
        page[key] = aware(value, zone)
    with faults.collect():
        if "paginate" in source.front_matter and "paths" not in source.front_matter:
            what, mend = '"paginate" splits what "paths" gives', "name a collection: paths: blog"
            raise FrontMatterError(what, mend=mend, location=source.location("paginate"))
    faults.raise_any()
    values = source.front_matter
    headers = values.get("headers") or {}
    assert isinstance(headers, Mapping)
    prerender, layout = values.get("prerender"), values.get("layout")
    return FrontMatter(
        prerender=prerender if isinstance(prerender, bool) else None,
        layout=layout if isinstance(layout, str) else None,
        jinja=values.get("jinja") is True,
        draft=values.get("draft") is True,
        headers=MappingProxyType({str(name): str(value) for name, value in headers.items()}),
        page=MappingProxyType(page),
        guard=values.get("guard") is True,
        cache=read_policy(values["cache"]) if "cache" in values else None,
        paths=_paths(values) if "paths" in values else None,
    )


def _paths(values: Mapping[str, object]) -> Paths:
    paths, size = values["paths"], values.get("paginate")
    named = paths if isinstance(paths, Mapping) else {"collection": paths}
    by = named.get("by")
    return Paths(str(named["collection"]), by if isinstance(by, str) else None, size if isinstance(size, int) else None)


@lru_cache(maxsize=1024)  # the pages of a site have the same few keys
def _near(key: str) -> str | None:
    folded = key.casefold()
    return next((name for name in RESERVED if folded == name or one_slip(folded, name)), None)


def _check(source: Source, key: str, value: object) -> None:
    def fault(what: str, mend: str = "") -> FrontMatterError:
        return FrontMatterError(what, mend=mend, location=source.location(key))

    if key in ("prerender", "guard", "jinja", "draft") and not isinstance(value, bool):
        raise fault(f'"{key}" has to be true or false, and is {_shown(value)}', f"write {key}: true or {key}: false")
    markdown = source.file.endswith(".md")
    if key in ("layout", "jinja") and not markdown:
        mend = '{% extends "layouts/…" %}' if key == "layout" else "a page that is no Markdown is a template as it is"
        raise fault(f'"{key}" is for Markdown pages', mend)
    if key == "layout" and not (isinstance(value, str) and value):
        raise fault('"layout" has to name a template', 'for example layout: "layouts/post.html"')
    if key == "cache":
        try:
            read_policy(value)
        except PolicyFault as unfit:
            raise fault(unfit.what, unfit.mend) from None
    if key == "paths":
        _check_paths(source, value)
    if key == "paginate" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise fault(
            f'"paginate" has to be a whole number from 1 on, and is {_shown(value)}', "for example paginate: 10"
        )
    if key == "headers":
        if not isinstance(value, Mapping):
            raise fault('"headers" has to be a mapping of names to values')
        for name, content in value.items():
            if not isinstance(name, str):
                raise fault(f"{_shown(name)} is no name for a header")
            try:
                units.header_name(name)
            except ValueError as error:
                raise fault(f"the header {_shown(name)} {error}", "take it out") from None
            try:
                units.header_value(content if isinstance(content, str) else "\n")
            except ValueError as error:
                mend = "give one line of plain text" if isinstance(content, str) else "put it in quotes"
                raise fault(f"the header {_shown(name)} {error}", mend) from None


def _check_paths(source: Source, value: object) -> None:
    mend = "write paths: blog, or paths: {collection: blog, by: tags}"

    def fault(what: str, mend: str = mend) -> FrontMatterError:
        return FrontMatterError(what, mend=mend, location=source.location("paths"))

    if isinstance(value, str) and value:
        return
    if not isinstance(value, Mapping):
        raise fault(f'"paths" has to name a collection, and is {_shown(value)}')
    for key, name in value.items():
        if key not in ("collection", "by"):
            raise fault(f'"paths" has no key "{key}"', did_you_mean(str(key), ("collection", "by")) or mend)
        if not isinstance(name, str) or not name:
            raise fault(f'"{key}" in "paths" has to be a name, and is {_shown(name)}')
    if "collection" not in value:
        raise fault('"paths" names no collection')


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
