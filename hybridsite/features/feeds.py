"""Feeds: the newest entries of a collection as RSS 2.0, Atom 1.0 (RFC 4287) or JSON Feed 1.1, from `[feeds.NAME]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from html import escape
from typing import Any
from urllib.parse import urljoin
from xml.sax.saxutils import quoteattr

from hybridsite.dates import moment, zone
from hybridsite.entries import Entry, field
from hybridsite.errors import ConfigError, ContentError, Location, did_you_mean
from hybridsite.feature_settings import FeedFormat, FeedSettings
from hybridsite.features.xml import HEAD, clean, element
from hybridsite.plugins import Plugin, Setup
from hybridsite.tags import with_links

_EMPTY = datetime(1970, 1, 1, tzinfo=UTC)
"""When a feed without entries was changed: Atom wants a time, and that of the build would differ each time."""


class Feeds(Plugin):
    """Adds a prerendered route for each format of each feed."""

    def load(self, setup: Setup) -> None:
        """Adds the routes. Raises ConfigError, with its line, where [site] url isn't set."""
        for name, settings in setup.settings.feeds.items():
            place = setup.location("feeds", name)
            if not setup.settings.site.url:
                mend = 'set it: url = "https://example.com"'
                raise ConfigError(
                    f"[feeds.{name}] needs [site] url", why="a feed has whole addresses", mend=mend, location=place
                )
            for kind, path in settings.paths(name).items():
                setup.route(path, partial(_answer, name, settings, kind, path, place), prerender=True)


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as feeds have it: addresses are whole, and so are links in its HTML."""

    url: str
    title: str
    html: str | None
    summary: str
    author: str
    tags: tuple[str, ...]
    published: datetime | None
    updated: datetime | None

    @property
    def changed(self) -> datetime | None:
        """When it was changed last."""
        return self.updated or self.published


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed with its items, the newest first."""

    url: str
    home: str
    title: str
    description: str
    author: str
    language: str
    items: tuple[Item, ...]

    @property
    def changed(self) -> datetime:
        """When an item was changed last."""
        return max((item.changed for item in self.items if item.changed), default=_EMPTY)


def _answer(name: str, settings: FeedSettings, kind: FeedFormat, path: str, place: Location, context: Any) -> Any:
    """Answers a request for a feed: XML as text, or JSON as a mapping."""
    write: Callable[[Feed], Any] = {"rss": rss, "atom": atom, "json": json_feed}[kind]
    return write(read_feed(context.site, name, settings, path, place, dated=kind == "atom"))


def read_feed(site: Any, name: str, settings: FeedSettings, path: str, place: Location, *, dated: bool) -> Feed:
    """Reads the entries of a feed. Raises ContentError for a collection that isn't there, with the setting's place.

    `dated` says that each entry needs a date.
    """
    collection = settings.collection or name
    if collection not in site.content.names:
        mend = did_you_mean(collection, site.content.names) or "name one: collection = …"
        raise ContentError(f'there is no collection "{collection}" for [feeds.{name}]', mend=mend, location=place)
    try:
        items = tuple(_item(site, entry, settings) for entry in site.collection(collection)[: settings.limit])
    except ContentError as error:  # entries without pages have no addresses
        raise error.at(place) from None
    for item, entry in zip(items, site.collection(collection), strict=False):
        if dated and item.changed is None:
            location = Location(entry.file, 1) if entry.file else place
            mend = "give it a date, or take the format out of [feeds." + name + "]"
            raise ContentError(f'the entry "{entry.slug}" has no date, which Atom needs', mend=mend, location=location)
    return Feed(
        url=site.url + site.policy.url("endpoint", path.split("/")[1:]),
        home=site.url + site.policy.url("page", ()),
        title=settings.title or site.title or name,
        description=settings.description or site.description,
        author=settings.author or site.author,
        language=settings.language or site.language,
        items=items,
    )


def _item(site: Any, entry: Entry, settings: FeedSettings) -> Item:
    url = site.url + entry.url
    tags = field(entry, "tags")
    tags = tags if isinstance(tags, list | tuple | set | frozenset) else [tags]
    times = zone(site.settings.site.timezone)
    full = settings.content == "full"
    return Item(
        url=url,
        title=_text(entry, "title") or entry.slug,
        html=with_links(str(entry.html), partial(_whole, url), own=True) if full else None,
        summary=_text(entry, "summary") or _text(entry, "description"),
        author=_text(entry, "author"),
        tags=tuple(str(tag) for tag in tags if isinstance(tag, str | int)),
        published=moment(field(entry, "date"), times),
        updated=moment(field(entry, "updated"), times),
    )


def _text(entry: Entry, name: str) -> str:
    value = field(entry, name)
    return value if isinstance(value, str) else ""


def _whole(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:  # `http://[`
        return url


def rss(feed: Feed) -> str:
    """Writes RSS 2.0 (rssboard.org/rss-specification), with content:encoded and atom:link."""
    parts = [
        HEAD,
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/">\n<channel>\n',
        element("title", feed.title),
        element("link", feed.home),
        element("description", feed.description or feed.title),
        element("language", feed.language),
        element("atom:link", href=feed.url, rel="self", type="application/rss+xml"),
    ]
    if feed.changed != _EMPTY:
        parts.append(element("lastBuildDate", format_datetime(feed.changed)))
    for item in feed.items:
        parts += ["<item>\n", element("title", item.title), element("link", item.url), element("guid", item.url)]
        if item.published:
            parts.append(element("pubDate", format_datetime(item.published)))
        if item.author or feed.author:
            parts.append(element("dc:creator", item.author or feed.author))
        parts += [element("category", tag) for tag in item.tags]
        if item.summary:
            parts.append(element("description", escape(item.summary, quote=False)))  # readers take it for HTML
        if item.html is not None:
            parts.append(element("content:encoded", item.html))
        parts.append("</item>\n")
    return "".join([*parts, "</channel>\n</rss>\n"])


def atom(feed: Feed) -> str:
    """Writes Atom 1.0 (RFC 4287)."""
    parts = [
        HEAD,
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang={quoteattr(clean(feed.language))}>\n',
        element("id", feed.url),
        element("title", feed.title),
        element("subtitle", feed.description) if feed.description else "",
        element("updated", feed.changed.isoformat()),
        element("link", href=feed.url, rel="self", type="application/atom+xml"),
        element("link", href=feed.home, rel="alternate", type="text/html"),
        "<author>\n",
        element("name", feed.author or feed.title),
        "</author>\n",
    ]
    for item in feed.items:
        parts += ["<entry>\n", element("id", item.url), element("title", item.title)]
        parts.append(element("link", href=item.url, rel="alternate", type="text/html"))
        parts.append(element("updated", (item.changed or _EMPTY).isoformat()))
        if item.published:
            parts.append(element("published", item.published.isoformat()))
        if item.author:
            parts += ["<author>\n", element("name", item.author), "</author>\n"]
        parts += [element("category", term=tag) for tag in item.tags]
        if item.summary:
            parts.append(element("summary", item.summary))
        if item.html is not None:
            parts.append(element("content", item.html, type="html"))
        parts.append("</entry>\n")
    return "".join([*parts, "</feed>\n"])


def json_feed(feed: Feed) -> dict[str, object]:
    """Writes JSON Feed 1.1 (jsonfeed.org)."""
    whole = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.url,
        "description": feed.description,
        "language": feed.language,
        "authors": [{"name": feed.author}] if feed.author else None,
    }
    return {**{key: value for key, value in whole.items() if value}, "items": [_json_item(item) for item in feed.items]}


def _json_item(item: Item) -> dict[str, object]:
    whole = {
        "id": item.url,
        "url": item.url,
        "title": item.title,
        "content_html": item.html,
        "content_text": (item.summary or item.title) if item.html is None else None,
        "summary": item.summary,
        "date_published": item.published.isoformat() if item.published else None,
        "date_modified": item.updated.isoformat() if item.updated else None,
        "authors": [{"name": item.author}] if item.author else None,
        "tags": list(item.tags),
    }
    return {key: value for key, value in whole.items() if value or (key == "content_html" and value is not None)}
