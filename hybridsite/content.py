"""The collections of a site: loaded, checked, asked for by name. Bodies are read, and made into HTML, when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from pathlib import Path
from types import MappingProxyType

from hybridsite import markdown
from hybridsite.collections import Collection, EntryReference
from hybridsite.content_home import Home, Policy
from hybridsite.declarations import COLLECTIONS_FILE, CONTENT_FOLDER, Declared, read_declarations
from hybridsite.entries import Entries, Entry
from hybridsite.entry_memory import EntryMemory
from hybridsite.errors import ContentError, Faults, did_you_mean


class Content:
    """All collections of a site, by name."""

    def __init__(self, policy: Policy, collections: Iterable[Declared] = (), memory: EntryMemory | None = None) -> None:
        self.policy = policy
        self.memory = memory
        self._homes = {declared.name: Home(declared, self, policy) for declared in collections}
        self._live = tuple(home for home in self._homes.values() if home.declared.ttl is not None)
        self._url: Callable[[Entry], str] | None = None
        self._resolver: Callable[[str], markdown.Resolve] | None = None
        self._style = markdown.MarkdownStyle()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the collections."""
        return tuple(self._homes)

    def collection(self, name: str) -> Entries:
        """Gives the entries of a collection. Raises ContentError for a name that none has."""
        return self._home(name).entries

    def declared(self, name: str) -> Declared:
        """Gives where a collection comes from. Raises ContentError as `collection` does."""
        return self._home(name).declared

    def _home(self, name: str) -> Home:
        home = self._homes.get(name)
        if home is None:
            mend = did_you_mean(str(name), self._homes) or _collections_told(self._homes)
            raise ContentError(f'there is no collection "{name}"', mend=mend)
        return home

    @property
    def left_out(self) -> frozenset[str]:
        """The files of drafts, and of what is dated in the future."""
        return frozenset(file for home in self._homes.values() for file in home.left_out_files)

    @property
    def holds_until(self) -> float:
        """The time, in seconds since 1970, up to which the same files give the same entries.

        0 where they come from a function.
        """
        return min((home.holds_until for home in self._homes.values()), default=inf)

    def is_of_files_alone(self, name: str) -> bool:
        """Tells whether the entries of a collection are made of its files, and of nothing that Python might ask."""
        home = self._home(name)
        return home.declared.function is None and home.is_pure

    def publish(
        self,
        url: Callable[[Entry], str],
        resolver: Callable[[str], markdown.Resolve] | None = None,
        style: markdown.MarkdownStyle | None = None,
    ) -> None:
        """Says how an entry's URL is found, and where links in a file's Markdown lead, once the routes are known."""
        self._url = url
        self._resolver = resolver
        self._style = style or self._style

    def render(self, body: str, entry: Entry, line: int, *, trusted: bool) -> markdown.Rendered:
        """Makes HTML of an entry's Markdown. Raises what `markdown.render` does."""
        file = entry.file or f"{entry.collection}/{entry.slug}"
        resolve = self._resolver(entry.file) if self._resolver is not None and entry.file else None
        return markdown.render(body, file=file, line=line, resolve=resolve, trusted=trusted, style=self._style)

    def entry_url(self, file: str) -> str | None:
        """Gives the URL of the entry that a file is, or None where it is none."""
        home = next((home for home in self._homes.values() if home.declared.has(file)), None)
        entry = home.by_file.get(file) if home else None
        return entry.url if entry else None

    def files(self) -> frozenset[str]:
        """The files that are entries."""
        return frozenset(file for home in self._homes.values() if home.declared.folder for file in home.by_file)

    def url(self, entry: Entry) -> str:
        """Gives the URL of an entry's page. Raises ContentError."""
        assert self._url is not None
        return self._url(entry)

    @property
    def is_live(self) -> bool:
        """Whether there are collections that are read again while the site is served."""
        return bool(self._live)

    async def refresh(self) -> None:
        """Reads the live collections whose time is over. Raises ContentError where there was no reading one yet."""
        for home in self._live:
            await home.refresh()

    # What references ask, while entries are checked and later.

    def refer(self, collection: str, slug: str) -> EntryReference:
        """Gives a reference to an entry. Raises ValueError where it isn't there."""
        home = self._homes.get(collection)
        if home is None:
            near = did_you_mean(collection, self._homes) or _collections_told(self._homes)
            raise ValueError(f'there is no collection "{collection}"; {near}')
        if not home.has(slug) and home.is_read:
            reason = home.left_out.get(slug)
            near = reason or did_you_mean(slug, home.slugs())
            raise ValueError(f'there is no "{slug}" in the collection "{collection}"{"; " if near else ""}{near}')
        return EntryReference(collection, slug, self)

    def resolve(self, reference: EntryReference) -> Entry:
        """Gives the entry of a reference. Raises ContentError where a live collection has it no more."""
        entry = self.collection(reference.collection).get(reference.slug)
        if not isinstance(entry, Entry):
            raise ContentError(f'there is no "{reference.slug}" in the collection "{reference.collection}" any more')
        return entry

    def read(self, faults: Faults, *, serving: bool) -> None:
        """Reads and checks every collection; where the site is served, a live one waits for its first request."""
        homes = [home for home in self._homes.values() if not (serving and home.declared.ttl is not None)]
        recalled = self._recalled(homes)
        for home in homes:
            if home not in recalled:
                with faults.collect():
                    home.forget()
                    home.collect(home.declared.records(faults), faults)
        for home in homes:
            if home.is_read:
                with faults.collect():
                    home.check(faults)

    def _recalled(self, homes: list[Home]) -> set[Home]:
        """Gives the collections of which only those files were read that have changed since the last build."""
        memory = self.memory
        if memory is None or not memory.holds or self.policy.drafts:
            return set()
        found = {home for home in homes if home.recall(memory)}
        same = self._homes.keys() == memory.known.keys() and all(
            home in found and home.slugs() == memory.known[home.declared.name].keys() for home in homes
        )
        # What a reference leads to may be gone.
        return found if same else {home for home in found if not home.refers}


def _collections_told(names: Iterable[str]) -> str:
    known = ", ".join(names)
    told = f"the collections: {known}" if known else "there is none"
    return f"{told}; a folder {CONTENT_FOLDER}/NAME makes one, or {COLLECTIONS_FILE}"


def load_content(
    root: Path,
    files: Mapping[str, Path],
    policy: Policy,
    faults: Faults,
    *,
    serving: bool,
    added: Mapping[str, Collection] = MappingProxyType({}),
    memory: EntryMemory | None = None,
) -> Content:
    """Loads the collections of a site. `files` are those below content/ and data/, `added` what plugins add.

    All faults of all entries are added to `faults`. `memory` has what the last build knew.
    """
    own = Faults()
    declared = read_declarations(root, files, own, added)
    content = Content(policy, declared, memory)
    content.read(own, serving=serving)
    with faults.collect():
        own.raise_any()
    return content
