"""The cart as JSON, for scripts and apps."""

from typing import Any

import shopkeeper


def GET(context: Any) -> dict[str, Any]:
    cart = context.session.get("cart", {})
    total = shopkeeper.total(shopkeeper.lines(cart, context.data["products"]))
    return {"cart": cart, "count": sum(cart.values()), "total": str(total)}
