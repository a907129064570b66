"""The account of whoever is signed in, and the way to the sign-in for everybody else."""

from typing import Any


def load(context: Any) -> Any:
    user = context.session.get("user")
    if user is None:
        return context.redirect("/login/")
    orders = context.session.get("orders", {}).values()
    return {"user": user, "orders": sorted(orders, key=lambda order: order["placed"], reverse=True)}
