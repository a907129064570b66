"""The account of whoever is signed in; middleware.py has sent everybody else to the sign-in."""

from typing import Any


def load(context: Any) -> dict[str, Any]:
    orders = context.session.get("orders", {}).values()
    return {"orders": sorted(orders, key=lambda order: order["placed"], reverse=True)}
