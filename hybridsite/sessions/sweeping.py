"""Removes what has ended while a server runs: little at a time, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
import random

from hybridsite.sessions.outage import GuardedStore
from hybridsite.sessions.store import StoreDown

_log = logging.getLogger("hybridsite.sessions")

# Between two rounds, in seconds, give or take a tenth: servers that started together don't sweep together.
_ROUND = 60.0
# The most records of one step and the steps of one round. What is left over is the next round's.
_STEP = 200
_STEPS = 100
_PAUSE = 0.02


async def sweep_for_ever(store: GuardedStore) -> None:
    """Sweeps a round about every minute. Any number of processes may do so at once."""
    while True:
        await asyncio.sleep(_ROUND * random.uniform(0.9, 1.1))
        try:
            removed = await sweep_round(store)
        except StoreDown as error:
            # A store that is down is told by whoever needs it.
            _log.debug("ended sessions were not removed: %s", error.__cause__ or error)
        else:
            _log.debug("%d ended sessions were removed", removed)


async def sweep_round(store: GuardedStore) -> int:
    """Removes ended records, with pauses, and gives how many. Raises StoreDown."""
    removed = 0
    for _ in range(_STEPS):
        step = await store.sweep(_STEP)
        removed += step
        if step < _STEP:
            break
        await asyncio.sleep(_PAUSE)
    return removed
