"""`context.cache`: what code says of the answer under way, and of those that were kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from hybridsite.cache.entry import path_mark, tag_mark
from hybridsite.cache.policy import CachePolicy, PolicyFault, read_policy
from hybridsite.cache.shelf import Shelf
from hybridsite.errors import ContextError
from hybridsite.urls import PathRefused, UrlPolicy

Lasting = float | str | timedelta
Words = str | Iterable[str]


class CacheControl:
    """Says how long the answer is kept, and drops what was kept. Without a cache it does neither.

    `is_private` tells whether the answer is one visitor's own by now.
    """

    def __init__(self, shelf: Shelf | None, urls: UrlPolicy, is_private: Callable[[], bool]) -> None:
        self.policy: CachePolicy | None = None
        self._shelf = shelf
        self._urls = urls
        self._is_private = is_private

    def set(
        self, *, max_age: Lasting, swr: Lasting = 0.0, tags: Words = (), vary: Words = (), query: Words = ()
    ) -> None:
        """Lets the answer be kept, for all who ask alike, in the place of what front matter says.

        `max_age` is in seconds, or text such as "5m"; for `swr` more a stale answer is given out while a new one is
        made. Raises ContextError for what front matter refuses, and on an answer that used the session.
        """
        given = {"max_age": _plain(max_age), "swr": _plain(swr), "tags": tags, "vary": vary, "query": query}
        try:
            policy = read_policy(given)
        except PolicyFault as fault:
            raise ContextError(f"context.cache.set: {fault.what}", mend=fault.mend) from None
        if self._is_private():
            raise ContextError(
                "context.cache.set is called for an answer that uses the session",
                why="such an answer is one visitor's, and no cache may keep it",
                mend="take it out: the answer is sent with private, no-store",
            )
        self.policy = policy

    async def invalidate(self, *, tags: Words = (), path: str | None = None) -> None:
        """Drops what was kept under one of the tags, or of a path, on every server that shares the cache.

        An answer that is being rendered meanwhile isn't kept either. `path` is one that `url_for` gives; all that is
        kept of it goes, whatever it varies by. Raises ContextError for a path that is none of the site's.
        """
        marks = [tag_mark(tag) for tag in ([tags] if isinstance(tags, str) else tags)]
        if path is not None:
            marks.append(self._mark(path))
        if not marks:
            raise ContextError("context.cache.invalidate is told of nothing", mend='name tags=["…"] or path="/…/"')
        if self._shelf is not None:
            await self._shelf.store.invalidate(marks)

    def _mark(self, path: str) -> str:
        try:
            if "?" in path or "#" in path:
                raise PathRefused(400)
            return path_mark(self._urls.read(path.encode("utf-8", "surrogatepass")).segments)
        except PathRefused:
            raise ContextError(
                f"context.cache.invalidate: {path!r} is no path of the site",
                mend="give a path as url_for() gives it, without a query",
            ) from None


def _plain(length: Lasting) -> float | str:
    return length.total_seconds() if isinstance(length, timedelta) else length
