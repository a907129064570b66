"""Links to other sites, asked over the network: only where --external says so, within bounds of time and number."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from hybridsite import __version__

SECONDS = 10.0
AT_ONCE = 8
# What a host says to programs that it takes for robots; a person may well get the page.
_NOT_TOLD = frozenset({401, 403, 405, 406, 429, 451, 501, 999})


def ask_all(urls: Iterable[str], *, seconds: float = SECONDS) -> dict[str, str]:
    """Asks each URL, some at once, and gives why those don't answer that don't."""
    every = sorted(set(urls))
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        told = pool.map(lambda url: _ask(url, seconds), every)
        return {url: why for url, why in zip(every, told, strict=True) if why}


def _ask(url: str, seconds: float) -> str:
    """Gives why a page doesn't answer; nothing where it does. GET, where HEAD is refused."""
    address = f"https:{url}" if url.startswith("//") else url
    why = ""
    for method in ("HEAD", "GET"):
        agent = f"hybridsite/{__version__} (link check)"
        try:
            request = urllib.request.Request(address, method=method, headers={"User-Agent": agent, "Accept": "*/*"})
            with urllib.request.urlopen(request, timeout=seconds):
                return ""
        except urllib.error.HTTPError as error:
            with error:
                why = "" if method == "GET" and error.code in _NOT_TOLD else f"it answers {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            return f"it does not answer: {getattr(error, 'reason', None) or error}"
    return why
