"""What a page says of its keeping: how long, under which tags, and which parts of the request its answer goes by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from hybridsite import units
from hybridsite.errors import did_you_mean

# These say who asks, or by which way, so an answer that goes by one of them is nobody else's; a Host is the client's
# word for the site (withastro/astro CVE-2026-54299).
_NEVER = ("authorization", "cookie", "host", "forwarded", "proxy-authorization")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, 5.6.2
_TAG = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_MOST = 20
"""How many tags, headers and parameters one page may name."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How an answer is kept: `max_age` and, after that, `swr` are in seconds; `vary` is in lower case.

    From `max_age` on the answer is stale, and for `swr` more it is given out while a new one is made.
    """

    max_age: float
    swr: float = 0.0
    tags: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    query: tuple[str, ...] = ()


class PolicyFault(ValueError):
    """What can't be a policy: a clause, and what to do about it."""

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


def read_policy(given: object) -> CachePolicy:
    """Reads what front matter, or code, says. Raises PolicyFault."""
    if not isinstance(given, Mapping):
        raise PolicyFault(f'"cache" has to be a mapping, and is {given!r}', 'for example cache: {max_age: "5m"}')
    known = [field.name for field in fields(CachePolicy)]
    for key in given:
        if key not in known:
            near = did_you_mean(str(key), known) or f"it knows {', '.join(known)}"
            raise PolicyFault(f'"cache" has no key "{key}"', near)
    if "max_age" not in given:
        raise PolicyFault('"cache" lacks its max_age', 'say how long the answer is kept: max_age: "5m"')
    vary = tuple(name.lower() for name in _names(given, "vary", _NAME, "is no name of a header"))
    for name in vary:
        if name in _NEVER or name.startswith("x-forwarded"):
            raise PolicyFault(
                f'an answer that varies by "{name}" can\'t be kept',
                "take it out: that header says who asks, or by which way",
            )
    return CachePolicy(
        _seconds(given, "max_age"),
        0.0 if given.get("swr", 0) in (0, None) else _seconds(given, "swr"),
        _names(given, "tags", _TAG, "is no tag"),
        vary,
        _names(given, "query", _TAG, "is no name of a parameter"),
    )


def _seconds(given: Mapping[str, object], key: str) -> float:
    value = given[key]
    try:
        seconds = units.duration(value)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ValueError(f'is {value!r}, and must be seconds, or text such as "5m"')
        return units.lasting(float(seconds))
    except (ValueError, OverflowError) as error:
        raise PolicyFault(f'"{key}" of "cache" {error}') from None


def _names(given: Mapping[str, object], key: str, form: re.Pattern[str], wrong: str) -> tuple[str, ...]:
    """Gives the words of a list, in one order. One word may stand by itself."""
    value = given.get(key)
    if value is None:
        return ()
    words = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    for word in words:
        if not isinstance(word, str) or not form.fullmatch(word):
            raise PolicyFault(f'{word!r} in "{key}" of "cache" {wrong}', f"write a list of words: {key}: [one, two]")
    if len(words) > _MOST:
        raise PolicyFault(f'"{key}" of "cache" has {len(words)} words', f"{_MOST} are the most")
    return tuple(sorted(set(words)))
