"""Reads the ledger. It runs when nobody has asked since the last order, and for everybody at once."""

from typing import Any

import ledger


def load(context: Any) -> dict[str, Any]:
    entries, last = ledger.read(context)
    return {"entries": entries, "last": last}
