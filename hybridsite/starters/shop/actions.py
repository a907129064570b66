"""What buttons do. A form asks for an action by its name, and hybridsite checks what was sent by the model."""

import secrets
from typing import Annotated

import cart as carts
from hybridsite import ActionError, action
from pydantic import AfterValidator, BaseModel, Field, StringConstraints


class Line(BaseModel):
    product: str
    quantity: int = Field(1, ge=0, le=carts.MOST)


def _given(text):
    if not text:
        raise ValueError("Please fill this in.")
    return text


class Order(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), AfterValidator(_given)]
    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=400), AfterValidator(_given)]


@action
def add_to_cart(context, form: Line):
    _check(context, form)
    # A function says how to get from the old cart to the new one, so two clicks at once are two prints.
    context.session.update(
        "cart", lambda cart: carts.with_quantity(cart, form.product, cart.get(form.product, 0) + form.quantity), {}
    )
    return context.redirect(context.url_for("pages/cart.html"))


@action
def change_cart(context, form: Line):
    _check(context, form)
    context.session.update("cart", lambda cart: carts.with_quantity(cart, form.product, form.quantity), {})
    return context.redirect(context.url_for("pages/cart.html"))


@action
def place_order(context, form: Order):
    lines = carts.lines(context.session.get("cart", {}), context.data["products"])
    if not lines:
        raise ActionError("empty", "There is nothing in the cart.")
    # Here the payment would begin: ask your provider for a page to pay on, and redirect to it. The order counts when
    # the provider tells your server so, by an endpoint such as pages/api/paid.py, and not when the visitor comes back.
    number = secrets.token_hex(3).upper()
    context.session["order"] = {"number": number, "name": form.name, "lines": lines, "total": carts.total(lines)}
    context.session.delete("cart")
    return context.redirect(context.url_for("pages/thanks.html"))


def _check(context, form):
    if form.product not in context.data["products"]:
        raise ActionError("unknown", "We don't sell that.")
