"""How people write the values of settings: lengths of time, sizes, origins, paths, names. Plain functions, one a kind.

Each takes what TOML gives, returns the value as the program wants it, and raises ValueError with a clause that ends the
sentence "`key` …". They import nothing of hybridsite.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Literal
from urllib.parse import urlsplit

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([smhdw])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d{1,18})\s*(B|KB|KiB|MB|MiB|GB|GiB)", re.ASCII)
_BYTES: Final = {"B": 1, "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 6265, 4.1.1, and RFC 9110, 5.6.2
# RFC 9110, 7.6.1 and 8.6: these say how one message travels, which is the server's to know.
_FRAMING = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-encoding"}
)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_DIRECTIVES: Final = (
    *("default-src", "script-src", "script-src-attr", "style-src", "style-src-attr", "img-src", "font-src"),
    *("connect-src", "media-src", "object-src", "frame-src", "child-src", "worker-src", "manifest-src"),
    *("base-uri", "form-action", "frame-ancestors"),
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_SECRET_NAME = re.compile(
    r"passw|passphrase|token|secret|credential|(?:api|access|private)[_-]?key|(?:^|[_-])(?:pass|pwd|auth)(?:$|[_-])",
    re.IGNORECASE,
)
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]")


def duration(value: object) -> object:
    """Gives the seconds of `"14d"` and its like (s, m, h, d, w) as a float; what is no text is returned as it is."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError('must be seconds, or a length of time such as "30s", "30m", "12h", "14d" or "2w"')
    return float(match[1]) * _SECONDS[match[2]]


def told(seconds: float) -> str:
    """Gives a length of time as people say it, in the largest unit that needs no fraction: `14 days`."""
    units = {"day": 86400, "hour": 3600, "minute": 60}
    name = next((name for name, unit in units.items() if seconds >= unit and seconds % unit == 0), "second")
    number = seconds / units.get(name, 1)
    return f"{number:g} {name}{'' if number == 1 else 's'}"


def size_text(size: float) -> str:
    """Gives a size in the unit that suits it."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def lasting(seconds: float) -> float:
    """Refuses a length of time that is zero, negative, infinite or no number."""
    if not 0 < seconds < 1e11:  # 3,000 years
        raise ValueError("must be over 0 seconds, and finite")
    return seconds


def size(value: object) -> object:
    """Gives the bytes of `"512KiB"` and its like (B, KB, KiB, MB, MiB, GB, GiB); no text is returned as it is."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError('must be a number of bytes, or a size such as "512KiB" or "1MB"')
    return int(match[1]) * _BYTES[match[2]]


def timezone(value: str) -> str:
    """Refuses a name that is no time zone of IANA's database. UTC needs none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return value if value == "UTC" else ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('must be a time zone of IANA\'s database, such as "Europe/Berlin"') from None


def items(value: object) -> object:
    """Gives a list as a tuple, so that settings can't be changed; anything else is returned as it is."""
    return tuple(value) if isinstance(value, list) else value


def proxy(value: str) -> str:
    """Gives the address of a proxy as it is, or a network of them."""
    if "/" in value:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError('must be an address, or a network such as "10.0.0.0/8"') from None
    return value


def origin(value: str) -> str:
    """Gives an origin as browsers send it: scheme and host in lower case, no default port, no slash at the end."""
    wrong = ValueError('must be an address such as "https://example.com"')
    if re.search(r"[\s\x00-\x20\x7f\\]", value):  # urlsplit would drop some of them in silence
        raise wrong
    try:
        parts = urlsplit(value)
        host, port = (parts.hostname or "").lower(), parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must have no user name and no password")
    if parts.path.strip("/") or "?" in value or "#" in value:
        raise ValueError('must end after the host: a path goes into [site] base, as in base = "/docs"')
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host) or parts.netloc.endswith(":"):
        raise wrong
    default = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")


def site_url(value: str) -> str:
    """Gives the origin of the site, or nothing for nothing."""
    return origin(value) if value else ""


def base(value: str) -> str:
    """Gives the prefix of a site's paths: nothing, or `/docs` with a slash before and none after."""
    path = value.strip("/")
    for segment in path.split("/") if path else ():
        if segment in (".", "..") or not re.fullmatch(r"[A-Za-z0-9._~-]+", segment):
            raise ValueError('must be a plain path such as "/docs": letters, digits, and . _ ~ - between its slashes')
    return f"/{path}" if path else ""


def delimiters(value: object) -> tuple[str, str]:
    """Gives the two marks between which a template's expressions stand."""
    pair = tuple(value) if isinstance(value, list | tuple) else ()
    if len(pair) != 2 or not all(isinstance(part, str) and re.fullmatch(r"\S+", part) for part in pair):
        raise ValueError('must be two pieces of text without spaces, such as ["<<", ">>"]')
    start, end = pair
    if start == end:
        raise ValueError("must be two different pieces of text")
    if start.startswith(("{%", "{#")) or end.startswith(("%}", "#}")):
        raise ValueError("must differ from the marks of statements {% %} and comments {# #}")
    return start, end


def cache_driver(value: object) -> str | Literal[False]:
    """Gives the name of a cache's driver, or False for none."""
    if value is False or value in ("memory", "redis"):
        return value
    raise ValueError('must be "memory", "redis" or false')


def driver(value: object) -> str | Literal[False]:
    """Gives the name of a driver, or False for none."""
    if isinstance(value, str) and re.fullmatch(r"[\w.:-]+", value):
        return value
    if value is False:
        return False
    # An address may hold a password, and the name of an unknown driver is shown.
    raise ValueError("must be the name of a driver in quotes, or false; its address goes into [session] options")


def adapter(value: str) -> str:
    """Gives the name of an adapter. Whether there is one is asked when the site is loaded."""
    if not re.fullmatch(r"[\w.:-]+", value):
        raise ValueError('must be the name of an adapter, or "package.module:Adapter"')
    return value


def redirect(value: object) -> object:
    """Gives the table that a redirect written as text stands for."""
    return {"to": value} if isinstance(value, str) else value


def old_path(value: str) -> str:
    """Gives the path that a redirect answers."""
    if not re.fullmatch(r"/(?!/)[^\s?#\\]*", value) or not value.isprintable():
        raise ValueError('must be a path that begins with one "/", without spaces, "?" and "#"')
    return value


def target(value: str) -> str:
    """Gives where a redirect leads: a path below the site's base, or an address of http or https.

    What browsers read as another host without its scheme (`//host`, `/\\host`) is refused (CWE-601).
    """
    path = re.fullmatch(r"/(?![/\\])[^\s\\]*", value)
    address = re.fullmatch(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?(?:[/?#][^\s\\]*)?", value)
    if not (path or address) or not value.isprintable():
        raise ValueError('must be a path that begins with one "/", or an address with http:// or https://')
    return value


def secure(value: object) -> bool | Literal["auto"]:
    """Gives whether a cookie is for https alone; `"auto"` leaves that to the request."""
    if isinstance(value, bool):
        return value
    if value == "auto":
        return "auto"
    raise ValueError('must be true, false or "auto"')


def option(value: object) -> str | int | float | bool:
    """Gives an option of a driver, which is one plain value."""
    if isinstance(value, str | int | float):
        return value
    raise ValueError("must be text, a number, true or false")


def cookie_name(value: str) -> str:
    """Gives the name of a cookie, a token as RFC 6265 has it."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("must be of letters, digits and ! # $ % & ' * + - . ^ _ ` | ~, as RFC 6265 has it")
    return value


def cookie_domain(value: str) -> str:
    """Gives the host name that a cookie is for, without a dot before it."""
    name = value.removeprefix(".").lower()
    if not _HOST.fullmatch(name):
        raise ValueError('must be a host name such as "example.com"')
    return name


def cookie_path(value: str) -> str:
    """Gives the path that a cookie is for."""
    if not re.fullmatch(r"/[\x21-\x3a\x3c-\x7e]*", value):
        raise ValueError('must begin with "/", without spaces and semicolons')
    return value


def header_pattern(value: str) -> str:
    """Gives the pattern of paths that headers are for."""
    if not re.fullmatch(r"/(?!/)[^\s?#\\\[\]]*", value) or not value.isprintable() or "//" in value:
        raise ValueError('must be a path that begins with one "/", with "*" for what may be anything')
    return value


def header_name(value: str) -> str:
    """Gives the name of a header that a site may send (RFC 9110, 5.1)."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("is no name for a header")
    if value.casefold() in _FRAMING:
        raise ValueError("is the server's own to send")
    return value


def header_value(value: str) -> str:
    """Gives the value of a header, which holds no control characters (RFC 9110, 5.5)."""
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("has a value that no header can carry")
    return value


def csp(value: object) -> object:
    """Gives true, false, or the sources that are added to the Content-Security-Policy, by directive (CSP, Level 3)."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, dict):
        raise ValueError('must be true, false, or a table such as { img-src = ["https://cdn.example"] }')
    for directive, sources in value.items():
        if directive not in _DIRECTIVES:
            raise ValueError(f'has no directive "{directive}": it knows {", ".join(_DIRECTIVES)}')
        if not isinstance(sources, list | tuple) or not all(
            isinstance(source, str) and re.fullmatch(r"[\x21-\x2b\x2d-\x3a\x3c-\x7e]+", source) for source in sources
        ):
            raise ValueError(f"must have a list of sources for {directive}, without spaces, commas and semicolons")
    return {directive: tuple(sources) for directive, sources in value.items()}


def language(value: str) -> str:
    """Gives the tag of a language, such as `en` or `pt-BR`."""
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError('must be a language such as "en" or "pt-BR"')
    return value


def holds_secret(name: str, value: object) -> bool:
    """Tells whether an option is likely a secret: by its name, or a password in the address or the words it holds."""
    if isinstance(value, bool) or value == "":
        return False
    if _SECRET_NAME.search(name):
        return True
    # In an address, user:password@; what follows a port and a slash is a path, which may hold an "@" of its own.
    return isinstance(value, str) and bool(
        re.search(r"://[^/?#@\s]*:(?!\d*[/?#])[^@\s]+@", value)
        or re.search(r"(?:password|passwd|pwd|token|secret)\s*=\s*\S", value, re.IGNORECASE)
    )


def plugin(value: object) -> object:
    """Gives the name of a plugin, written alone, as its table."""
    return {"use": value} if isinstance(value, str) else value


def feed_paths(value: object) -> object:
    """Gives the paths of a feed by format; one path alone is for the one format that there is."""
    return {"": value} if isinstance(value, str) else value


def file_path(value: str) -> str:
    """Refuses what is no path of a file of the site: `/blog/feed.xml`."""
    if not re.fullmatch(r"(?:/[A-Za-z0-9][A-Za-z0-9._~-]*)+\.(?:xml|json|rss|atom)", value):
        raise ValueError('must be a path such as "/blog/feed.xml"')
    return value


def path_pattern(value: str) -> str:
    """Refuses what no URL of the site fits: a path, with `*` for any text at its end."""
    if not value.startswith("/") or "*" in value[:-1]:
        raise ValueError('must be a path such as "/about/", or "/drafts/*" for all below it')
    return value


def some(value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses a list without items."""
    if not value:
        raise ValueError("must not be empty")
    return value
