"""The cart: GET shows it; POST adds to it, changes it, and shows it again."""

from typing import Any

import shopkeeper


def load(context: Any) -> dict[str, Any]:
    lines = shopkeeper.lines(context.session.get("cart", {}), context.data["products"])
    return {"lines": lines, "total": shopkeeper.total(lines)}


async def POST(context: Any) -> Any:
    form = await context.request.form()
    slug, do = str(form.get("product", "")), str(form.get("do", ""))
    quantity = shopkeeper.read_quantity(str(form.get("quantity", "1")))

    if slug not in context.data["products"]:
        return problem(context, "We don’t make that ink. The six that we do are on the shelf.")
    if do not in ("add", "change", "remove"):
        return problem(context, "We didn’t understand what to do with the cart. It is as it was.")
    if not quantity and do != "remove":
        most = shopkeeper.MOST_OF_ONE_INK
        return problem(context, f"We post between 1 and {most} bottles of an ink at once. Which shall it be?", slug)

    def changed(cart: shopkeeper.Cart) -> shopkeeper.Cart:
        if do == "remove":
            return shopkeeper.remove(cart, slug)
        if do == "change":
            return shopkeeper.change(cart, slug, quantity)
        return shopkeeper.add(cart, slug, quantity)

    # If another request was faster, `changed` runs again on what is stored by then: two clicks are two bottles.
    context.session.update("cart", changed, {})
    return context.redirect("/cart/", 303)


def problem(context: Any, text: str, about: str = "") -> dict[str, str]:
    """Has the cart shown again with a sentence on what went wrong, and the ink that it is about."""
    context.response.status = 400
    return {"problem": text, "about": about}
