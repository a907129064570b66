"""How a compiled template prints a value: None as nothing, everything else as text, escaped where the file asks for it.

What is read of an entry's data is one call, so that a build learns which field a page depends on.

Jinja's own generator makes a Markup of each value that it prints, only to join them all into plain text; here they stay
the text they are, and None costs no call of a `finalize`.
"""

from __future__ import annotations

from typing import Any

import markupsafe
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame, optimizeconst


def _escape_text(text: str) -> str:
    return str(markupsafe.escape(text))


# The function that markupsafe.escape() itself calls for a str.
_escape: Any = getattr(markupsafe, "_escape_inner", _escape_text)


def print_escaped(value: Any) -> str:
    """Gives a value as HTML, by the rules of markupsafe.escape(); None prints nothing."""
    kind = type(value)
    if kind is str:
        text: str = _escape(value)
        return text
    if value is None:
        return ""
    if kind is int:
        return str(value)
    if hasattr(value, "__html__"):
        html: str = value.__html__()
        return html
    text = _escape(str(value))
    return text


def print_plain(value: Any) -> str:
    """Gives a value as text; None prints nothing."""
    return "" if value is None else str(value)


class PrintingCodeGenerator(CodeGenerator):
    """Jinja's generator of Python, but for the calls around printed values, as its own NativeCodeGenerator has them.

    The environment holds the two functions as `print_escaped` and `print_plain`.
    """

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> str:
        const = node.as_const(frame.eval_ctx)
        if isinstance(node, nodes.TemplateData):
            return str(const)
        return print_escaped(const) if frame.eval_ctx.autoescape else print_plain(const)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if frame.eval_ctx.volatile:
            self.write("(environment.print_escaped if context.eval_ctx.autoescape else environment.print_plain)(")
        elif frame.eval_ctx.autoescape:
            self.write("environment.print_escaped(")
        else:
            self.write("environment.print_plain(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        self.write(")")

    @optimizeconst
    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:
        """Writes `post.data.title` as one call, which tells whose field is read."""
        if not isinstance(node.node, nodes.Getattr) or node.node.attr != "data":
            super().visit_Getattr(node, frame)
            return
        self.write("environment.data_attribute(")
        self.visit(node.node.node, frame)
        self.write(f", {node.attr!r})")

    @optimizeconst
    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        """Writes `post.data["title"]` as one call, too."""
        inner = node.node
        if not isinstance(inner, nodes.Getattr) or inner.attr != "data" or isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.data_item(")
        self.visit(inner.node, frame)
        self.write(", ")
        self.visit(node.arg, frame)
        self.write(")")
