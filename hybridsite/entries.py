"""Entries of a collection, and sequences of them, which templates ask for some, in another order, or in groups."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar, overload

from markupsafe import Markup

from hybridsite.collections import EntryReference
from hybridsite.dates import moment
from hybridsite.errors import ContentError, did_you_mean
from hybridsite.markdown import Heading, Rendered
from hybridsite.used import (
    BODY,
    DRAFT,
    EVERYTHING,
    FILE,
    HOME,
    NEAR,
    PYTHON,
    URL,
    WHOLE,
    is_noting,
    note,
    note_field,
    note_fields,
)
from hybridsite.values import fields_of, is_plain, matches, plain, runs_python, told

T = TypeVar("T")

_MOST_REMEMBERED = 256

LATE: Final = object()
"""Stands for the data of an entry whose file is as it was at the last build, until somebody asks for it."""
# What a query finds of an entry where its data has no such field: this is all that it depends on then.
_OWN = {"slug": "", "collection": "", "file": FILE, "draft": DRAFT}


class Home(Protocol):
    """The collection that an entry belongs to: it knows the order, reads bodies when they are asked for, and links."""

    @property
    def entries(self) -> Entries:
        """All entries, in the collection's order."""
        ...

    def body(self, entry: Entry) -> tuple[str, int]:
        """Gives the Markdown of an entry, and the line of its file on which it begins."""
        ...

    def rendered(self, entry: Entry) -> Rendered:
        """Gives the HTML of an entry."""
        ...

    def url(self, entry: Entry) -> str:
        """Gives the URL of the page that shows an entry."""
        ...

    def data(self, entry: Entry) -> Any:
        """Makes the data of an entry that was given LATE in its place."""
        ...

    def groups(self, entry: Entry, name: str) -> Sequence[str] | None:
        """Gives the groups that such an entry is in by a field; None where its data has to be asked."""
        ...


class Entry:
    """One entry of a collection.

    `data` is what its schema made of it, or a read-only mapping without one. Its body is read, and made into HTML, when
    it is asked for.
    """

    __slots__ = ("_draft", "_file", "_home", "_made", "_url", "collection", "slug")

    def __init__(self, collection: str, slug: str, data: Any, file: str, draft: bool, home: Home) -> None:
        self.collection = collection
        self.slug = slug
        self._made = data
        self._file = file
        self._draft = draft
        self._home = home
        self._url: str | None = None

    @property
    def _data(self) -> Any:
        if self._made is LATE:
            self._made = self._home.data(self)
        return self._made

    # What is read is noted for the build: a page depends on the fields that it reads.

    @property
    def data(self) -> Any:
        """What its schema made of it."""
        if is_noting():
            _note_whole(self)
        return self._data

    @property
    def file(self) -> str:
        """Its file; "" for one that a function gave."""
        note_field(self.collection, FILE, self.slug)
        return self._file

    @property
    def draft(self) -> bool:
        """Whether it is a draft."""
        note_field(self.collection, DRAFT, self.slug)
        return self._draft

    @property
    def body(self) -> str:
        """The Markdown, as it is written; "" where there is none."""
        note_field(self.collection, BODY, self.slug)
        return self._home.body(self)[0]

    @property
    def html(self) -> Markup:
        """The body as HTML."""
        return Markup(self._home.rendered(self).html)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The headings of the body: `level`, `id` and `text`."""
        return self._home.rendered(self).headings

    @property
    def toc(self) -> Markup:
        """Lists of links to the headings of levels 2 and 3."""
        return Markup(self._home.rendered(self).toc)

    @property
    def url(self) -> str:
        """The URL of its page. Raises ContentError where no route, or several, have a page for each entry."""
        note(f"{HOME}{self.collection}")
        note_field(self.collection, URL, self.slug)
        if self._url is None:  # lists and layouts ask for it again and again
            self._url = self._home.url(self)
        return self._url

    @property
    def previous(self) -> Entry | None:
        """The entry before it in the collection's order, or None."""
        note_field(self.collection, NEAR, self.slug)
        return self._home.entries.neighbour(self, -1)

    @property
    def next(self) -> Entry | None:
        """The entry after it in the collection's order, or None."""
        note_field(self.collection, NEAR, self.slug)
        return self._home.entries.neighbour(self, 1)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EntryReference):
            return (self.collection, self.slug) == (other.collection, other.slug)
        return self is other

    def __hash__(self) -> int:
        return hash((self.collection, self.slug))

    def __repr__(self) -> str:
        return f"<entry {self.collection}/{self.slug}>"


class Entries(Sequence[Entry]):
    """Entries in an order, which never changes: what is made of it is another one, and is remembered."""

    __slots__ = ("_items", "_numbers", "_remembered", "_told", "collection", "zone")

    def __init__(self, collection: str, items: Iterable[Entry], zone: tzinfo) -> None:
        self.collection = collection
        self.zone = zone
        self._items = tuple(items)
        self._numbers: dict[str, int] | None = None
        self._told = ""
        self._remembered: dict[Hashable, Any] = {}

    @property
    def told(self) -> str:
        """A text that is the same for the same entries in the same order alone."""
        if not self._told:
            self._told = told([entry.slug for entry in self._items])
        return self._told

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Entries: ...
    def __getitem__(self, index: int | slice) -> Entry | Entries:
        """Gives one entry by its number, or some by a slice."""
        return self._of(self._items[index]) if isinstance(index, slice) else self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._items)

    def __repr__(self) -> str:
        return f"<{len(self)} entries of {self.collection}>"

    def get(self, slug: str, default: Any = None) -> Entry | Any:
        """Gives the entry of that slug, or `default`."""
        number = self._by_slug().get(slug)
        return default if number is None else self._items[number]

    def where(self, test: Callable[[Entry], object] | None = None, /, **fields: Any) -> Entries:
        """Gives the entries whose fields have these values, and for which `test` is true.

        Of a field that is a list it is enough to hold the value. Raises ContentError for a field that no entry has.
        """
        for name in fields:
            self._note(name)
            self._check(name)
        key = ("where", *sorted(fields.items(), key=lambda pair: pair[0])) if test is None else None
        return self._once(
            key,
            lambda: self._of(
                entry
                for entry in self._items
                if all(matches(field_of(entry, name), value) for name, value in fields.items())
                and (test is None or test(entry))
            ),
        )

    def sorted(self, by: str | Callable[[Entry], Any], reverse: bool = False) -> Entries:
        """Gives the entries in the order of a field, or of what `by` gives for each; those without it come last.

        Dates and times compare by the moment that they stand for, text without regard to case. Raises ContentError for
        a field that no entry has, and for values that don't compare.
        """

        def make() -> Entries:
            values = [(by(entry) if callable(by) else field_of(entry, by), entry) for entry in self._items]
            known = [(self._rank(value), entry) for value, entry in values if value is not None]
            try:
                known.sort(key=lambda pair: pair[0], reverse=reverse)
            except TypeError as error:
                raise ContentError(f'entries of "{self.collection}" can\'t be sorted', why=str(error)) from None
            return self._of([*(entry for _, entry in known), *(entry for value, entry in values if value is None)])

        if not callable(by):
            self._note(by)
            self._check(by)
        return self._once(None if callable(by) else ("sorted", by, bool(reverse)), make)

    def by(self, name: str) -> Mapping[Any, Entries]:
        """Groups the entries by a field: a mapping of each value, in order, to the entries that have it.

        An entry whose field is a list is in the group of each item. Raises ContentError for a field that no entry has.
        """

        def make() -> Mapping[Any, Entries]:
            groups: dict[Any, list[Entry]] = {}
            for entry in self._items:
                for key in group_keys(entry, name):
                    group = groups.setdefault(key, [])
                    if not group or group[-1] is not entry:
                        group.append(entry)
            ordered = sorted(groups.items(), key=lambda pair: (str(pair[0]).casefold(), str(pair[0])))
            return MappingProxyType({key: self._of(group) for key, group in ordered})

        self._note(name)
        self._check(name)
        return self._once(("by", name), make)

    def neighbour(self, entry: Entry, step: int) -> Entry | None:
        """Gives the entry that many places after another, or None."""
        number = self._by_slug().get(entry.slug)
        wanted = -1 if number is None else number + step
        return self._items[wanted] if 0 <= wanted < len(self._items) else None

    def _of(self, items: Iterable[Entry]) -> Entries:
        return Entries(self.collection, items, self.zone)

    def _by_slug(self) -> dict[str, int]:
        if self._numbers is None:
            self._numbers = {entry.slug: number for number, entry in enumerate(self._items)}
        return self._numbers

    def _once(self, key: Hashable | None, make: Callable[[], T]) -> T:
        """Makes something once: a layout asks the same of ten thousand pages."""
        try:
            found: T | None = self._remembered.get(key) if key is not None else None
        except TypeError:  # a value that can't be a key
            key = found = None
        if found is None:
            found = make()
            if key is not None and len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[key] = found
        return found

    def _note(self, name: str) -> None:
        """Notes that a query reads a field of each entry. What comes of it is remembered, so this is said each time."""
        if is_noting():
            own = _OWN.get(name)
            if own is None and hasattr(Entry, name):  # a URL, or the HTML of each body
                note(EVERYTHING)
            slugs = self._by_slug()
            note_fields(self.collection, f".{name}", slugs)
            if own:
                note_fields(self.collection, own, slugs)
            if any(not is_plain(field_of(entry, name)) for entry in self._items):
                note(EVERYTHING)

    def _check(self, name: str) -> None:
        """Raises ContentError for a name that is a field of no entry: a slip would give an empty list."""
        if not self._items or hasattr(Entry, name) or any(has_field(entry, name) for entry in self._items):
            return
        known = {key for entry in self._items[:100] for key in field_names(entry)}
        what = f'no entry of "{self.collection}" has a field "{name}"'
        raise ContentError(what, mend=did_you_mean(name, sorted(known)) or f"the fields: {', '.join(sorted(known))}")

    def _rank(self, value: Any) -> Any:
        value = plain(value)
        if isinstance(value, str):
            return value.casefold()
        return moment(value, self.zone) or value


def field(entry: Entry, name: str) -> Any:
    """Gives a field of an entry's data, or None; `slug` and its like where the data has none of that name."""
    note_read(entry, name)
    return field_of(entry, name)


def field_of(entry: Entry, name: str) -> Any:
    """Gives a field as `field` does, for those who need no note of it."""
    data = entry._data
    if isinstance(data, Mapping):
        return data[name] if name in data else getattr(entry, name, None)
    return getattr(data, name) if has_field(entry, name) else getattr(entry, name, None)


def group_keys(entry: Entry, name: str) -> Sequence[Any]:
    """Gives the groups that an entry is in by a field: its value, or each item of it."""
    known = entry._home.groups(entry, name) if entry._made is LATE else None
    if known is not None:
        return known
    value = field_of(entry, name)
    several = value if isinstance(value, list | tuple | set | frozenset) else (value,)
    return [plain(key) for key in several if key is not None]


def note_read(entry: Entry, name: str) -> None:
    """Notes for the build that a field of an entry's data is read.

    What runs Python of the site to be read, as a property does, may depend on anything.
    """
    if not is_noting():
        return
    note_field(entry.collection, f".{name}", entry.slug)
    data = entry._data
    fields = fields_of(data)
    if fields is not None and name in fields:
        if not is_plain(fields[name]):
            note(EVERYTHING)
    elif fields is None or hasattr(data, name):  # a method, or a property
        _note_whole(entry)


def _note_whole(entry: Entry) -> None:
    note_field(entry.collection, WHOLE, entry.slug)
    data = entry._data
    fields = fields_of(data)
    if fields is None or not all(map(is_plain, fields.values())):
        note(EVERYTHING)
    if not isinstance(data, Mapping):
        kind: Any = type(data)
        note(EVERYTHING if runs_python(kind) else PYTHON)


def has_field(entry: Entry, name: str) -> bool:
    """Tells whether an entry's data has a field of that name."""
    data = entry._data
    if isinstance(data, Mapping):
        return name in data
    return name in field_names(entry) or (hasattr(data, name) and not callable(getattr(data, name)))


def field_names(entry: Entry) -> Iterable[str]:
    """Gives the names of the fields of an entry's data."""
    data = entry._data
    if isinstance(data, Mapping):
        return [str(key) for key in data]
    names: Mapping[str, Any] = getattr(type(data), "model_fields", None) or getattr(data, "__dict__", {})
    return names.keys()


def order(dated: Iterable[tuple[Entry, datetime | None]]) -> list[Entry]:
    """Gives a collection's own order: the newest first where entries have a date, the others by slug."""
    by_slug = sorted(dated, key=lambda pair: pair[0].slug)
    with_date = sorted((pair for pair in by_slug if pair[1]), key=lambda pair: pair[1] or datetime.max, reverse=True)
    return [entry for entry, _ in [*with_date, *(pair for pair in by_slug if not pair[1])]]
