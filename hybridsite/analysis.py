"""What a template names, without running it: free names, the templates it refers to, and where it uses `session`.

The walk knows Jinja's scopes, so a loop variable called `session` is no session, and it knows guards: what stands
inside `{% if session %}`, or behind `session is defined and …`, is never reached where there is none. A block is
guarded where it is written, not where it is placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from hybridsite.assets.calls import AssetCall, asset_call
from hybridsite.island_tag import PLACE
from hybridsite.reads import reads, uses_content

SESSION = "session"
RENDER = "render"
# Each of these reads or shows what a session holds.
SESSION_NAMES = frozenset({SESSION, "flashes", "action_result"})
_IMPLICIT = frozenset({"caller", "kwargs", "varargs", "loop", "self", "super"})


@dataclass(frozen=True, slots=True)
class Use:
    """A place that uses the session.

    `asks` where it only tests whether there is one, `guarded` where such a test stands before it.
    """

    name: str
    line: int
    asks: bool
    guarded: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """An extends, include, import or `render("…")` that names another template: `optional` where it may be missing.

    `hides` where that template sees a local name `session` in place of the visitor's.
    """

    template: str
    line: int
    guarded: bool
    optional: bool
    hides: bool = False


@dataclass(frozen=True, slots=True)
class IslandUse:
    """A place of an island: its component, and the names of the props that it is given.

    `constants` has their values where none of them depends on the request.
    """

    component: str
    line: int
    guarded: bool
    props: tuple[str, ...]
    constants: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What is known of one template: `dynamic` where it names another by a variable, which can't be followed.

    `actions` has the names that it asks `action("…")` for, with their lines. `uses_content` tells whether it may ask
    for a collection, by `collection(…)` or in any way of `site`; `assets` what it asks of assets.
    """

    names: frozenset[str]
    uses: tuple[Use, ...]
    references: tuple[Reference, ...]
    dynamic: bool
    actions: tuple[tuple[str, int], ...] = ()
    uses_content: bool = False
    islands: tuple[IslandUse, ...] = ()
    assets: tuple[AssetCall, ...] = ()
    reads: frozenset[tuple[str, str]] = frozenset()


def analyse(template: nodes.Template) -> TemplateFacts:
    """Reads the facts off a parsed template."""
    walk = _Walk()
    walk.visit(template, set(), guarded=False)
    uses, references, actions = tuple(walk.uses), tuple(walk.references), tuple(walk.actions)
    content, islands, assets = uses_content(template), tuple(walk.islands), tuple(walk.assets)
    given = (frozenset(walk.names), uses, references, walk.dynamic, actions, content, islands, assets)
    return TemplateFacts(*given, reads=reads(template))


def imports(template: nodes.Template) -> Iterator[tuple[nodes.Import | nodes.FromImport, str | None]]:
    """Yields each import with the template that it imports: None where a variable names it."""
    found: list[nodes.Import | nodes.FromImport] = [
        *template.find_all(nodes.Import),
        *template.find_all(nodes.FromImport),
    ]
    for node in found:
        yield node, str(node.template.value) if isinstance(node.template, nodes.Const) else None


def _constants(props: list[nodes.Pair]) -> dict[str, object] | None:
    try:
        return {str(pair.key.as_const()): pair.value.as_const() for pair in props}
    except nodes.Impossible:
        return None


def implies_session(test: nodes.Node, outcome: bool) -> bool:
    """Tells whether there is certainly a session where `test` came out as `outcome`."""
    match test:
        case nodes.Name(name="session"):
            return outcome
        case nodes.Test(node=nodes.Name(name="session"), name="defined"):
            return outcome
        case nodes.Test(node=nodes.Name(name="session"), name="undefined"):
            return not outcome
        case nodes.Not(node=inner):
            return implies_session(inner, not outcome)
        case nodes.And(left=left, right=right):
            both = (implies_session(left, outcome), implies_session(right, outcome))
            return any(both) if outcome else all(both)
        case nodes.Or(left=left, right=right):
            both = (implies_session(left, outcome), implies_session(right, outcome))
            return all(both) if outcome else any(both)
        case _:
            return False


class _Walk:
    """Visits a syntax tree with the names that are bound at each place."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.uses: list[Use] = []
        self.references: list[Reference] = []
        self.actions: list[tuple[str, int]] = []
        self.assets: list[AssetCall] = []
        self.islands: list[IslandUse] = []
        self.dynamic = False
        self._top: set[str] = set()
        self._extends_another = False

    def visit(self, node: nodes.Node, bound: set[str], *, guarded: bool) -> None:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is not None:
            method(node, bound, guarded)
        else:
            self._each(node.iter_child_nodes(), bound, guarded)

    def _each(self, several: object, bound: set[str], guarded: bool) -> None:
        for node in several:  # type: ignore[attr-defined]
            self.visit(node, bound, guarded=guarded)

    def _template(self, node: nodes.Template, bound: set[str], guarded: bool) -> None:
        self._top = bound
        self._extends_another = node.find(nodes.Extends) is not None
        self._each(node.body, bound, guarded)

    def _name(self, node: nodes.Name, bound: set[str], guarded: bool, *, asks: bool = False) -> None:
        if node.ctx != "load":
            bound.add(node.name)
        elif node.name not in bound and node.name not in _IMPLICIT:
            self.names.add(node.name)
            self.dynamic = self.dynamic or node.name == RENDER
            if node.name in SESSION_NAMES:
                self.uses.append(Use(node.name, node.lineno, asks, guarded))

    # Conditions: what they ask, and what they guard.

    def _ask(self, test: nodes.Node, bound: set[str], guarded: bool) -> None:
        match test:
            case nodes.Name(name="session"):
                self._name(test, bound, guarded, asks=True)
            case nodes.Not(node=inner):
                self._ask(inner, bound, guarded)
            case nodes.And() | nodes.Or():
                self._ask(test.left, bound, guarded)
                self._ask(test.right, bound, self._behind(test, bound, guarded))
            case _:
                self.visit(test, bound, guarded=guarded)

    def _behind(self, node: nodes.And | nodes.Or, bound: set[str], guarded: bool) -> bool:
        # The right side is evaluated only where the left one came out true (and), or false (or).
        return guarded or self._guards(node.left, isinstance(node, nodes.And), bound)

    def _guards(self, test: nodes.Node, outcome: bool, bound: set[str]) -> bool:
        return SESSION not in bound and implies_session(test, outcome)

    def _and(self, node: nodes.And | nodes.Or, bound: set[str], guarded: bool) -> None:
        self._ask(node.left, bound, guarded)
        self.visit(node.right, bound, guarded=self._behind(node, bound, guarded))

    _or = _and

    def _not(self, node: nodes.Not, bound: set[str], guarded: bool) -> None:
        self._ask(node.node, bound, guarded)

    def _test(self, node: nodes.Test, bound: set[str], guarded: bool) -> None:
        if isinstance(node.node, nodes.Name) and node.name in ("defined", "undefined"):
            self._name(node.node, bound, guarded, asks=True)
        else:
            self._each(node.iter_child_nodes(), bound, guarded)

    def _condexpr(self, node: nodes.CondExpr, bound: set[str], guarded: bool) -> None:
        self._ask(node.test, bound, guarded)
        self.visit(node.expr1, bound, guarded=guarded or self._guards(node.test, True, bound))
        if node.expr2 is not None:
            self.visit(node.expr2, bound, guarded=guarded or self._guards(node.test, False, bound))

    def _if(self, node: nodes.If, bound: set[str], guarded: bool) -> None:
        for branch in (node, *node.elif_):
            self._ask(branch.test, bound, guarded)
            self._each(branch.body, bound, guarded or self._guards(branch.test, True, bound))
            guarded = guarded or self._guards(branch.test, False, bound)
        self._each(node.else_, bound, guarded)

    # Scopes: what binds a name, and for how long.

    def _for(self, node: nodes.For, bound: set[str], guarded: bool) -> None:
        self.visit(node.iter, bound, guarded=guarded)
        inner, inside = {*bound, "loop"}, guarded
        self.visit(node.target, inner, guarded=guarded)
        if node.test is not None:
            self._ask(node.test, inner, guarded)
            inside = guarded or self._guards(node.test, True, inner)
        self._each(node.body, inner, inside)
        self._each(node.else_, {*bound}, guarded)

    def _assign(self, node: nodes.Assign, bound: set[str], guarded: bool) -> None:
        self.visit(node.node, bound, guarded=guarded)
        self.visit(node.target, bound, guarded=guarded)

    def _assignblock(self, node: nodes.AssignBlock, bound: set[str], guarded: bool) -> None:
        if node.filter is not None:
            self.visit(node.filter, bound, guarded=guarded)
        self._each(node.body, {*bound}, guarded)
        self.visit(node.target, bound, guarded=guarded)

    def _with(self, node: nodes.With, bound: set[str], guarded: bool) -> None:
        self._each(node.values, bound, guarded)
        inner = {*bound}
        self._each(node.targets, inner, guarded)
        self._each(node.body, inner, guarded)

    def _macro(self, node: nodes.Macro | nodes.CallBlock, bound: set[str], guarded: bool) -> None:
        inner = {*bound}
        self._each(node.defaults, inner, guarded)
        self._each(node.args, inner, guarded)
        self._each(node.body, inner, guarded)
        if isinstance(node, nodes.Macro):
            bound.add(node.name)

    def _callblock(self, node: nodes.CallBlock, bound: set[str], guarded: bool) -> None:
        self.visit(node.call, bound, guarded=guarded)
        self._macro(node, bound, guarded)

    def _block(self, node: nodes.Block, bound: set[str], guarded: bool) -> None:
        # A block sees the template's own names, and those of the scope around it only when it says `scoped`.
        # Of a template that extends another, only the blocks are placed, and without the conditions around them.
        guarded = guarded and not self._extends_another
        self._each(node.body, {*(bound if node.scoped else self._top)}, guarded)

    def _own_scope(self, node: nodes.Node, bound: set[str], guarded: bool) -> None:
        self._each(node.iter_child_nodes(), {*bound}, guarded)

    _filterblock = _scope = _scopedevalcontextmodifier = _own_scope

    # References to other templates.

    def _refer(
        self, target: nodes.Expr, bound: set[str], guarded: bool, *, optional: bool = False, hides: bool = False
    ) -> None:
        match target:
            case nodes.Const(value=str(name)):
                self.references.append(Reference(name, target.lineno, guarded, optional, hides))
            case nodes.Tuple(items=items) | nodes.List(items=items):
                for item in items:
                    self._refer(item, bound, guarded, optional=True, hides=hides)
            case nodes.CondExpr(test=test, expr1=first, expr2=second) if second is not None:
                self._ask(test, bound, guarded)
                for expression, outcome in ((first, True), (second, False)):
                    behind = guarded or self._guards(test, outcome, bound)
                    self._refer(expression, bound, behind, optional=optional, hides=hides)
            case _:
                self.dynamic = True
                self.visit(target, bound, guarded=guarded)

    def _extends(self, node: nodes.Extends, bound: set[str], guarded: bool) -> None:
        self._refer(node.template, bound, guarded, hides=SESSION in bound)

    def _include(self, node: nodes.Include, bound: set[str], guarded: bool) -> None:
        hides = node.with_context and SESSION in bound
        self._refer(node.template, bound, guarded, optional=node.ignore_missing, hides=hides)

    def _import(self, node: nodes.Import, bound: set[str], guarded: bool) -> None:
        self._refer(node.template, bound, guarded)
        bound.add(node.target)

    def _fromimport(self, node: nodes.FromImport, bound: set[str], guarded: bool) -> None:
        self._refer(node.template, bound, guarded)
        bound.update(name if isinstance(name, str) else name[1] for name in node.names)

    def _call(self, node: nodes.Call, bound: set[str], guarded: bool) -> None:
        children = list(node.iter_child_nodes())
        if (found := asset_call(node)) and found[1] not in bound:
            self.assets.append(found[0])
        match node:
            case nodes.Call(node=nodes.Name(name="action"), args=[nodes.Const(value=str(name)), *_]):
                if "action" not in bound:
                    self.actions.append((name, node.lineno))
            case nodes.Call(
                node=nodes.Name(name=name), args=[nodes.Const(value=component), nodes.Dict(items=props), *_]
            ):
                if name == PLACE:
                    given = tuple(str(pair.key.as_const()) for pair in props)
                    self.islands.append(IslandUse(component, node.lineno, guarded, given, _constants(props)))
        if isinstance(node.node, nodes.Name) and node.node.name == RENDER and RENDER not in bound and node.args:
            self.names.add(RENDER)
            self._refer(node.args[0], bound, guarded)
            children = [child for child in children if child is not node.node and child is not node.args[0]]
        self._each(children, bound, guarded)
