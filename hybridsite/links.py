"""Where relative links in Markdown lead: to the page, the entry or the file that they name as it lies in the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from urllib.parse import unquote

from hybridsite.errors import MarkdownError, RouteError, SiteError, closest
from hybridsite.files import copied_name
from hybridsite.routing import Router
from hybridsite.used import note

_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}$")
"""The extension of a file. `v1.0` has none."""


class Links:
    """Turns links between the files of a site into URLs.

    `drafts` are the files that are left out, `broken` those of pages that didn't load. `copied` lists, once it is
    needed, the files that go into the built site as they are; None where they aren't known: a server has only their
    copies. `entry_url` gives the URL of the entry that a file is, or None; `entry_files` lists those files.
    """

    def __init__(
        self,
        router: Router,
        *,
        drafts: Collection[str] = (),
        broken: Collection[str] = (),
        copied: Callable[[], Collection[str]] | None = None,
        entry_url: Callable[[str], str | None] = lambda file: None,
        entry_files: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._router = router
        self._sources: Mapping[str, object] = {route.source: route for route in router.routes if route.redirect is None}
        self._drafts = drafts
        self._broken = broken
        self._list_copied = copied
        self._entry_url = entry_url
        self._entry_files = entry_files

    @cached_property
    def _copied(self) -> Collection[str] | None:
        return None if self._list_copied is None else self._list_copied()

    def resolver(self, file: str) -> Callable[[str], str]:
        """Gives the function that resolves the links of one file."""
        return lambda url: self.resolve(file, url)

    def resolve(self, file: str, url: str) -> str:
        """Gives the URL that a relative link in `file` leads to, its query and its fragment kept.

        A link without an extension is no file's, and stays as it is: `../shop/` counts from the page's own URL.
        Raises MarkdownError for a file that isn't there, or makes no page.
        """
        cut = min((at for at in (url.find("?"), url.find("#")) if at >= 0), default=len(url))
        written, rest = url[:cut], url[cut:]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), unquote(written)))
        note(f"route:{target}")
        note(target)
        if (found := self._found(target)) is not None:
            return found + rest
        if not _FILE.search(written):
            return url
        raise self._missing(file, target, written)

    def _found(self, target: str) -> str | None:
        if target in self._sources:
            try:
                return self._router.url_for(target)
            except RouteError:
                what = f"{target} makes many pages, and the link doesn't say which"
                raise MarkdownError(what, mend="write the URL of the page: /blog/first/") from None
        if target in self._broken:
            return self._router.policy.url("page", ())  # its own fault is told
        if target in self._drafts:
            raise MarkdownError(f"{target} is left out: a draft, or of a date to come", mend="take the link out")
        if (url := self._entry_url(target)) is not None:
            return url
        name = copied_name(target)
        if name is not None and (self._copied is None or target in self._copied):
            return self._router.policy.url("file", name.split("/"))
        return None

    def _missing(self, file: str, target: str, written: str) -> SiteError:
        if target.startswith("../"):
            mend = "copy the file into the site, or write the whole URL"
            return MarkdownError(f'the link "{written}" leads out of the site', mend=mend)
        name = posixpath.basename(target)
        known = sorted({*self._sources, *self._entry_files(), *(self._copied or ())})
        same = [other for other in known if posixpath.basename(other) == name]
        beside = [other for other in known if posixpath.dirname(other) == posixpath.dirname(target)]
        near = same[:1] or [other for other in [_near(name, beside)] if other]
        folder = posixpath.dirname(file)
        mend = (
            f'did you mean "{posixpath.relpath(near[0], folder)}"?' if near else "it counts from the file's own folder"
        )
        return MarkdownError(f"there is no {target}", why=f'the link is "{written}"', mend=mend)


def _near(name: str, files: Collection[str]) -> str | None:
    by_name = {posixpath.basename(file): file for file in files}
    found = closest(name, by_name)
    return by_name[found] if found else None
