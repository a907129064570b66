"""The Redis that the tests of sessions start is the one for these tests, too."""

from tests.sessions.conftest import redis_server, start_redis

__all__ = ["redis_server", "start_redis"]
