"""What templates ask of assets, as it is written: the calls of asset() and image(), read off the syntax tree."""

from __future__ import annotations

from dataclasses import dataclass
from unicodedata import normalize

from jinja2 import nodes


@dataclass(frozen=True, slots=True)
class AssetCall:
    """A call of `asset` or `image`. `name` is what it asks for, or how that begins where `exact` is false.

    `widths` is () where it says none, and None where they can't be read; `alt` is false where it certainly says none.
    """

    function: str
    name: str
    exact: bool
    widths: tuple[int, ...] | None
    alt: bool
    line: int

    def may_mean(self, name: str) -> bool:
        """Tells whether the call may ask for that asset."""
        return name == self.name if self.exact else name.startswith(self.name)


def asset_call(node: nodes.Call) -> tuple[AssetCall, str] | None:
    """Reads a call of `asset` or `image`, of `site.asset` or `site.image`, and tells the name that it rests on."""
    root: str
    match node.node:
        case nodes.Name(name=("asset" | "image") as function):
            root = function
        case nodes.Getattr(node=nodes.Name(name="site"), attr=("asset" | "image") as function):
            root = "site"
        case _:
            return None
    given = {keyword.key: keyword.value for keyword in node.kwargs}
    open_ended = node.dyn_args is not None or node.dyn_kwargs is not None
    first = node.args[0] if node.args else given.get("name")
    name, exact = _beginning(first) if first is not None else ("", False)
    widths = None if open_ended else _widths(given.get("widths"))
    return AssetCall(function, name, exact, widths, open_ended or "alt" in given, node.lineno), root


def _beginning(node: nodes.Expr) -> tuple[str, bool]:
    """Gives the text that an expression is, or begins with, and whether that is all of it."""
    match node:
        case nodes.Const(value=str(text)):
            return normalize("NFC", text), True
        case nodes.Concat(nodes=[first, *_]):
            return _beginning(first)[0], False
        case nodes.Add(left=left):
            return _beginning(left)[0], False
        case nodes.Mod(left=nodes.Const(value=str(text))):
            return text.partition("%")[0], False
        case _:
            return "", False


def _widths(node: nodes.Expr | None) -> tuple[int, ...] | None:
    if node is None:
        return ()
    try:
        value = node.as_const()
    except nodes.Impossible:
        return None
    whole = isinstance(value, list | tuple) and all(isinstance(width, int) for width in value)
    return tuple(value) if whole else () if value is None else None
