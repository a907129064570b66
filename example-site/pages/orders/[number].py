"""One order of this visitor's; nobody else's can be seen here, since it is looked up in the session."""

from typing import Any

from hybridsite import NotFound


def load(context: Any) -> dict[str, Any]:
    order = context.session.get("orders", {}).get(context.params["number"])
    if order is None:
        raise NotFound
    return {"order": order}
