"""What checkout.html shows. Whoever has nothing in the cart is led back to it."""

import cart


def load(context):
    lines = cart.lines(context.session.get("cart", {}), context.data["products"])
    if not lines:
        return context.redirect(context.url_for("pages/cart.html"))
    return {"lines": lines, "total": cart.total(lines)}
