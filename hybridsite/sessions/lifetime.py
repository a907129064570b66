"""How long sessions live: by idle time, which each use begins anew, and by age, which none does."""

from __future__ import annotations

import math

from hybridsite.sessions.changes import Clock
from hybridsite.sessions.codec import Contents

# Store and cookie are refreshed once this part of the ttl has passed, or of the cookie's age where that is shorter.
_REFRESH_AFTER = 1 / 20


class Lifetime:
    """The ends of sessions. `ttl` is their idle time, `max_age` their greatest age, `cookie_age` the cookie's."""

    def __init__(self, ttl: float, max_age: float | None, cookie_age: float, clock: Clock) -> None:
        # Near its greatest age a session's end stands still, and tells no longer when the cookie was refreshed last: a
        # cookie that ends earlier than the session would not be. So with a greatest age both end together.
        self._ttl = ttl if max_age is None else min(ttl, cookie_age)
        self._max_age = max_age
        self._refresh_after = min(ttl, cookie_age) * _REFRESH_AFTER
        self.now = clock

    def left(self, contents: Contents) -> float:
        """Gives how long a session lives if it is used now and never again, in seconds: none is left at 0 or less."""
        if self._max_age is None:
            return self._ttl
        # Where the clock was set back, the age would be over later than it should.
        return min(self._ttl, self._max_age, contents.created + self._max_age - self.now())

    def cookie_left(self, contents: Contents) -> float:
        """Gives how long its cookie may live, in seconds."""
        return math.inf if self._max_age is None else self.left(contents)

    def is_over(self, contents: Contents) -> bool:
        """Tells whether a session that a store still has is over its age."""
        return self._max_age is not None and self.left(contents) <= 0

    def is_due(self, contents: Contents, expires: float) -> bool:
        """Tells whether store and cookie are to be refreshed. `expires` is when the record ends.

        What a refresh would add to that has passed since the last one. A difference to either side counts: the clock
        may have been set back, or the ttl shortened, and nothing shall live for ever.
        """
        return abs(self.now() + self.left(contents) - expires) >= self._refresh_after
