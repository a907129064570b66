"""Sessions by what they hold: tokens that a store can look up, and that tell nobody what they stand for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from hybridsite.errors import SessionIndexError, did_you_mean
from hybridsite.sessions.codec import Entry

_SALT = b"hybridsite.session.index"


class SessionIndex:
    """The keys that sessions are found by, `[session] index`.

    A token is an HMAC of a name and its encoded value, since a hash alone of a number or a name could be guessed. The
    newest secret makes the tokens of a record; all of them are asked for, as all of them read cookies.
    """

    def __init__(self, names: Sequence[str], secrets: Sequence[str]) -> None:
        self.names = tuple(names)
        self._keys = [hmac.digest(secret.encode(), _SALT, hashlib.sha256) for secret in secrets]

    def tokens(self, entries: Mapping[str, Entry]) -> Sequence[str]:
        """Gives the tokens of a session that is to be stored."""
        if not self.names:
            return ()
        return [_token(self._keys[0], name, entries[name].data) for name in self.names if name in entries]

    def lookups(self, name: str, data: bytes) -> Sequence[str]:
        """Gives the tokens that a session with this encoded value may have been stored with.

        Raises SessionIndexError for a name that is not in the index.
        """
        if name not in self.names:
            listed = ", ".join(f'"{known}"' for known in [*self.names, name])
            raise SessionIndexError(
                f"sessions can't be found by {name!r}",
                why="it is not in [session] index",
                mend=did_you_mean(name, self.names)
                or f"write index = [{listed}]; a session there is already is found once it was changed",
            )
        return [_token(key, name, data) for key in self._keys]


def _token(key: bytes, name: str, data: bytes) -> str:
    encoded = name.encode()
    return hmac.new(key, b"%d:%b%b" % (len(encoded), encoded, data), hashlib.sha256).hexdigest()
