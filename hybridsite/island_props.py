"""What an island is made from, a component and props of JSON's types, and the digest by which pages refer to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from jinja2 import Undefined

from hybridsite.errors import TemplateError

# 144 bits, in 24 characters that need no escape in a URL.
_DIGEST_BYTES = 18
DIGEST = re.compile(r"[A-Za-z0-9_-]{24}")
_MOST_DEPTH = 50


class Island(NamedTuple):
    """What a piece is made from: a component, and props of JSON's types."""

    component: str
    props: Mapping[str, object]

    @property
    def text(self) -> bytes:
        """What the digest is made of: the same for the same component and props."""
        text = json.dumps([self.component, self.props], sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode()

    def digest(self, key: bytes) -> str:
        """Gives the name by which pages refer to it: the same for the same component, props and key."""
        return digest_of(self.text, key)


def digest_of(text: bytes, key: bytes) -> str:
    """Gives the digest of the island with this text."""
    code = hmac.digest(key, text, hashlib.sha256)
    return base64.urlsafe_b64encode(code[:_DIGEST_BYTES]).decode()


def island_of(text: bytes) -> Island:
    """Gives the island that `text` was made of."""
    component, props = json.loads(text)
    return Island(component, props)


def read_island(component: str, props: Mapping[str, object]) -> Island:
    """Makes an island of what a template gives. Raises TemplateError for a prop that is not of JSON's types.

    A component gets the same whether it is rendered in place or fetched later, so all is made into plain values.
    """
    return Island(component, {name: _plain(value, name, 0) for name, value in props.items()})


def _plain(value: object, place: str, depth: int) -> object:
    if depth > _MOST_DEPTH:
        raise TemplateError(f'the prop "{place[:80]}" of an island is nested too deep', mend="give what it needs alone")
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case list() | tuple():
            return [_plain(item, f"{place}[{number}]", depth + 1) for number, item in enumerate(value)]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise _no_prop(f"{place}, in the key {key!r},", key)
            return {str.__str__(key): _plain(item, f"{place}.{key}", depth + 1) for key, item in value.items()}
        case Undefined():
            return str(value) or None  # a name or a key that isn't there is told as anywhere else
        case _:
            raise _no_prop(place, value)


def _no_prop(place: str, value: object) -> TemplateError:
    return TemplateError(
        f'the prop "{place}" of an island is of the type {type(value).__name__}',
        why="props are kept as JSON: text, numbers, true, false, none, lists and dicts",
        mend="give it as text, or let the component look it up",
    )
