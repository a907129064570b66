"""Signing out ends the session: the cart and the orders go with the name."""

from typing import Any


def POST(context: Any) -> Any:
    context.session.destroy()
    return context.redirect("/", 303)
