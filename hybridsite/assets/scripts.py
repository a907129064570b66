"""Scripts: minified by their tokens, with the modules and files that they name led to the fingerprinted ones.

The tokens are tree-sitter's, so that a `//` in a text, a template in a template or a regular expression is never taken
for something else; nothing is renamed, and no line break that could end a statement is taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from hybridsite.assets.references import Sources, relative, resolve
from hybridsite.assets.store import ResultStore, key_of
from hybridsite.assets.table import FOLDER
from hybridsite.errors import AssetError, Location

if TYPE_CHECKING:
    from tree_sitter import Node

_WHOLE = frozenset({"string", "template_string", "regex", "comment", "hash_bang_line", "html_comment"})
_MAP = re.compile(r"//[#@]\s*sourceMappingURL=\s*(\S+)\s*")
_MADE = (".min.js", ".min.mjs")
_WORD = re.compile(rb"[\w$#@\\\x80-\xff]")
_ENDS_NOTHING = frozenset(b"{([,;")
_NOTHING_BEFORE = frozenset(b"})],;")


def script(name: str, sources: Sources, store: ResultStore) -> bytes:
    """Gives a script as it is sent. Raises AssetError where it doesn't parse, or names no asset.

    `*.min.js`, and what has a source map, are sent as they are, but for the names of assets.
    """
    text = sources.text(name)
    key = key_of("js", "1", version("tree-sitter-javascript"), str(name.endswith(_MADE)), text)
    kept = store.get(key)
    if kept is None:
        kept = _taken_apart(name, text)
        store.put(key, kept)
    plan = json.loads(kept)
    if plan["fault"]:
        line, column, what = plan["fault"]
        mend = "mend it, or put the file into public/, which is copied as it is"
        place = Location(f"{FOLDER}/{name}", line, column)
        raise AssetError("the script doesn't parse", why=what, mend=mend, location=place)
    parts = []
    for piece, target, at in plan["pieces"]:
        parts.append(piece)
        if target is not None:
            parts.append(_led(target, name, text, at, sources))
    return "".join(parts).encode()


def _led(target: str, name: str, text: str, at: int, sources: Sources) -> str:
    """Gives what stands in the place of a reference, between the quotes."""
    other = resolve(target, name, text, at, sources.known())
    if other is None:
        return target
    to = relative(sources.file(other), name, target)
    return to if to.startswith("../") else f"./{to}"


def _taken_apart(name: str, text: str) -> bytes:
    """Gives the script as pieces of text with references between them, as JSON; or the place where it doesn't parse."""
    import tree_sitter
    import tree_sitter_javascript

    data = text.encode()
    root = tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language())).parse(data).root_node
    as_it_is = name.endswith(_MADE) or _MAP.search(text) is not None
    if root.has_error and not as_it_is:
        return json.dumps({"fault": _first_fault(root, data)}).encode()
    references = dict(_references(root, data))
    pieces: list[tuple[str, str | None, int]] = []
    written = bytearray()
    for token, found in _tokens(root, data, as_it_is):
        if found is not None and found in references:
            target, at = references[found]
            pieces.append(((written + token[:1]).decode(), target, len(data[:at].decode())))
            written = bytearray(token[-1:])
        elif found == "map" and (named := _MAP.fullmatch(token.decode())) and not named[1].startswith("data:"):
            before = token.decode().partition(named[1])[0]
            pieces.append(((written + before.encode()).decode(), named[1], 0))
            written = bytearray()
        else:
            written += token
    pieces.append((written.decode(), None, 0))
    return json.dumps({"fault": None, "pieces": pieces}).encode()


def _leaves(root: Node) -> Iterator[Node]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type in _WHOLE or node.child_count == 0:
            if node.end_byte > node.start_byte:
                yield node
        else:
            pending.extend(reversed(node.children))


def _tokens(root: Node, data: bytes, as_it_is: bool) -> Iterator[tuple[bytes, int | str | None]]:
    """Yields what is to be written, each with where it begins where it is a string, or "map" for that comment."""
    end = 0
    line = space = False
    last = b""
    for node in _leaves(root):
        gap, token = data[end : node.start_byte], data[node.start_byte : node.end_byte]
        end = node.end_byte
        if as_it_is:
            yield gap, None
            yield token, node.start_byte if node.type == "string" else "map" if node.type == "comment" else None
            continue
        line, space = line or b"\n" in gap, space or bool(gap)
        if node.type == "comment" and not token.startswith((b"/*!", b"//!")):
            line, space = line or b"\n" in token, True
            continue
        if node.type in ("comment", "hash_bang_line"):
            yield (b"\n" if last else b"") + token + b"\n", None
            last, line, space = b";", False, False
            continue
        yield _between(last, token, line, space), None
        yield token, node.start_byte if node.type == "string" else None
        last, line, space = token, False, False
    yield data[end:] if as_it_is else b"\n", None


def _between(last: bytes, token: bytes, line: bool, space: bool) -> bytes:
    """Gives what has to stand between two tokens: a line break wherever one stood that may end a statement."""
    if not last or not space:
        return b""
    if line and last[-1] not in _ENDS_NOTHING and token[0] not in _NOTHING_BEFORE:
        return b"\n"
    words = _WORD.match(last[-1:]) and _WORD.match(token[:1])
    # "a + +b", "1 .x" and "a / /b/" would be read in another way without their space.
    joined = last[-1:] in b"+-/" and token[:1] in b"+-/"
    return b" " if words or joined or (last[-1:].isdigit() and token[:1] == b".") else b""


def _references(root: Node, data: bytes) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yields the strings that name a module or, with import.meta.url, a file; by where they begin."""
    pending = [root]
    while pending:
        node = pending.pop()
        pending.extend(node.named_children)
        string = None
        if node.type in ("import_statement", "export_statement"):
            string = node.child_by_field_name("source")
        elif node.type in ("call_expression", "new_expression"):
            string = _first_string(node, data)
        if string is not None and string.type == "string":
            target = data[string.start_byte + 1 : string.end_byte - 1].decode()
            is_file = node.type == "new_expression"
            if "\\" not in target and (is_file or target.startswith(("./", "../"))):
                yield string.start_byte, (target, string.start_byte + 1)


def _first_string(node: Node, data: bytes) -> Node | None:
    """Gives the text in `import("…")`, and in `new URL("…", import.meta.url)`."""
    called = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    arguments = node.child_by_field_name("arguments")
    if called is None or arguments is None or not arguments.named_children:
        return None
    first, *others = arguments.named_children
    if called.type == "import":
        return first
    is_url = data[called.start_byte : called.end_byte] == b"URL"
    rest = data[others[0].start_byte : others[0].end_byte] if others else b""
    return first if is_url and rest == b"import.meta.url" else None


def _first_fault(root: Node, data: bytes) -> tuple[int, int, str]:
    node = root
    while True:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    row, column = node.start_point
    shown = data[node.start_byte : node.end_byte].decode(errors="replace").partition("\n")[0][:40]
    start = data.rfind(b"\n", 0, node.start_byte) + 1
    column = len(data[start : node.start_byte].decode(errors="replace"))
    what = f'"{node.type}" is missing' if node.is_missing else f'"{shown}" can\'t stand there'
    return row + 1, column + 1, what
