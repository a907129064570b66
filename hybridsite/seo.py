"""The tags that tell search engines and other sites what a page is: `<< seo() >>` in the head of a layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from markupsafe import Markup

from hybridsite.dates import moment, zone
from hybridsite.entries import Entry, field
from hybridsite.errors import TemplateError
from hybridsite.languages import Alternate
from hybridsite.site import Site

FEED_TYPES: Mapping[str, str] = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "json": "application/feed+json",
}


def head_tags(
    site: Site,
    url: str | None,
    page: Mapping[str, object],
    entry: object = None,
    locale: str = "",
    alternates: Iterable[Alternate] = (),
    *,
    title: str | None = None,
    whole_title: str | None = None,
    description: str | None = None,
    image: str | None = None,
    type: str | None = None,
    author: str | None = None,
    noindex: bool | None = None,
) -> Markup:
    """Gives title, description, canonical link, other languages, Open Graph, Twitter card, dates, and links to feeds.

    `url` is the path of the page, None for what has no address of its own. What isn't given is taken from the page's
    front matter, then from the entry that it shows, then from [site]. `whole_title` stands in `<title>` as it is, where
    the page's title is followed by the site's otherwise. Addresses come from [site] url alone, never from
    a request; without it, there are none. Raises TemplateError for an address that is none of the web.
    """
    about = _About(page, entry if isinstance(entry, Entry) else None)
    own_title = title or about.text("title") or ""
    name = own_title or site.title
    sentence = description or about.text("description", "summary") or site.description
    published, updated = about.moment(site, "date"), about.moment(site, "updated")
    kind = type or ("article" if published else "website")
    hidden = about.hides if noindex is None else noindex
    canonical = f"{site.url}{url}" if site.url and url is not None and not hidden else ""
    picture = _address(site, url, image or about.text("image"))
    with_site = f"{own_title} · {site.title}" if own_title and site.title else name
    tags = [Markup("<title>{}</title>").format(whole_title or with_site)]
    tags += _meta(
        "name",
        {
            "description": sentence,
            "author": author or about.text("author") or site.author,
            "robots": "noindex" if hidden else "",
        },
    )
    others = list(alternates) if canonical else []
    tags += _links(site, canonical, others)
    graph = {"title": name, "type": kind, "url": canonical, "description": sentence, "image": picture}
    tags += _open_graph(site, locale or site.language, [each.locale for each in others], **graph)
    if kind == "article":
        tags += _article(published, updated, about.tags())
    tags += _meta("name", {"twitter:card": "summary_large_image" if picture else "summary"})
    return Markup("\n").join([*tags, *_feeds(site)])


class _About:
    """What is said of a page: by its front matter, else by the entry that it shows."""

    def __init__(self, page: Mapping[str, object], entry: Entry | None) -> None:
        self._page = page
        self._entry = entry

    def _value(self, name: str) -> Any:
        found = self._page.get(name)
        return field(self._entry, name) if found is None and self._entry is not None else found

    @property
    def hides(self) -> bool:
        """Whether search engines shall leave it out."""
        return self._page.get("noindex") is True or (self._entry is not None and field(self._entry, "noindex") is True)

    def text(self, *names: str) -> str:
        """Gives the first of some values that is text."""
        return next((value for name in names if isinstance(value := self._value(name), str) and value), "")

    def moment(self, site: Site, name: str) -> datetime | None:
        """Gives a date as a time with its zone."""
        return moment(self._value(name), zone(site.settings.site.timezone))

    def tags(self) -> list[str]:
        """Gives the tags that are text."""
        tags = self._value("tags")
        return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, Iterable) else []


def _links(site: Site, canonical: str, alternates: list[Alternate]) -> list[Markup]:
    """Gives links to the page itself, to each of its languages, and to the one for all others (HTML, 4.6.7.1)."""
    own = [Markup('<link rel="canonical" href="{}">').format(canonical)] if canonical else []
    tag = Markup('<link rel="alternate" hreflang="{}" href="{}">')
    others = [each.href for each in alternates if each.locale == site.languages.default]
    pairs = [(each.locale, each.href) for each in alternates] + [("x-default", href) for href in others]
    return own + [tag.format(locale, href) for locale, href in pairs]


def _open_graph(site: Site, locale: str, others: list[str], **values: str) -> list[Markup]:
    """Gives the tags that every page has (ogp.me, "Basic Metadata" and "Optional Metadata")."""
    all_of_them = {**values, "site_name": site.title, "locale": _underscored(locale)}
    tags = _meta("property", {f"og:{name}": value for name, value in all_of_them.items()})
    return tags + [
        tag
        for other in others
        if other != locale
        for tag in _meta("property", {"og:locale:alternate": _underscored(other)})
    ]


def _underscored(locale: str) -> str:
    return locale.replace("-", "_")


def _article(published: datetime | None, updated: datetime | None, words: Iterable[str]) -> list[Markup]:
    """Gives the tags of an article (ogp.me, "Article")."""
    tags = _meta("property", {"article:published_time": _iso(published), "article:modified_time": _iso(updated)})
    return [*tags, *(tag for word in words for tag in _meta("property", {"article:tag": word}))]


def _iso(when: datetime | None) -> str:
    return when.isoformat() if when else ""


def _meta(attribute: str, values: Mapping[str, str]) -> list[Markup]:
    tag = Markup('<meta {}="{}" content="{}">')
    return [tag.format(Markup(attribute), name, value) for name, value in values.items() if value]


def _address(site: Site, url: str | None, image: str) -> str:
    """Gives the whole address of an image, since other sites read it; nothing without [site] url."""
    if not image:
        return ""
    address = urljoin(f"{site.url}{url or '/'}", image) if site.url else image
    scheme = urlsplit(address).scheme
    if scheme not in ("http", "https", ""):
        raise TemplateError(f'seo() has the image "{image}"', mend="give a path, or an address of http or https")
    return address if scheme else ""


def _feeds(site: Site) -> list[Markup]:
    tag = Markup('<link rel="alternate" type="{}" title="{}" href="{}">')
    return [
        tag.format(FEED_TYPES[kind], feed.title or site.title or name, site.policy.url("endpoint", path.split("/")[1:]))
        for name, feed in site.settings.feeds.items()
        for kind, path in feed.paths(name).items()
    ]
