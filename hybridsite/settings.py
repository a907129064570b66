"""The settings of a site as frozen models, one a table of site.toml: types, bounds, defaults, descriptions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)

from hybridsite import units
from hybridsite.errors import SiteError
from hybridsite.feature_settings import (
    FeedName,
    FeedSettings,
    LanguageSettings,
    MarkdownSettings,
    PluginItem,
    PrefetchSettings,
    SearchSettings,
    SitemapSettings,
)
from hybridsite.sections import Duration, Option, Origin, Section, Size, Text, Texts


class SiteSettings(Section):
    """What the site is, and where it lives."""

    url: Annotated[str, AfterValidator(units.site_url)] = Field(
        default="", description='Where the site is published, such as "https://example.com".'
    )
    base: Annotated[str, AfterValidator(units.base)] = Field(
        default="", description='The path before every route: "/docs".'
    )
    title: str = Field(default="", description="The name of the site.")
    description: str = Field(default="", description="What the site is about, in a sentence.")
    language: Annotated[str, AfterValidator(units.language)] = Field(
        default="en", description="The language of the pages."
    )
    author: str = Field(default="", description="Who writes the site.")
    timezone: Annotated[str, AfterValidator(units.timezone)] = Field(
        default="UTC", description='The zone of times that name none: "Europe/Berlin".'
    )


class FunctionSettings(Section):
    """The function that the adapters `vercel` and `lambda` make."""

    python: Literal["3.11", "3.12", "3.13", "3.14"] = Field(
        default="3.12", description="The Python that runs it. Vercel has none before 3.12."
    )
    architecture: Literal["x86_64", "arm64"] = Field(default="x86_64", description="The processor that it runs on.")
    packages: bool = Field(
        default=True,
        description="Whether pip installs into the function what it needs; false where that is done in another way.",
    )


class BuildSettings(Section):
    """What `build` makes of the pages."""

    output: Literal["static", "server"] = Field(
        default="static",
        description="Whether a page that doesn't say is built into a file, or rendered when it is asked for.",
    )
    adapter: Annotated[str, AfterValidator(units.adapter)] = Field(
        default="standalone",
        description='The host that the site is built for: an adapter\'s name, or "package.module:Adapter".',
    )
    origin: Origin | None = Field(
        default=None,
        description="Where `serve` answers what is rendered on demand, for hosts and web servers that give out the "
        'files themselves: "https://app.example.com".',
    )
    function: FunctionSettings = Field(
        default_factory=FunctionSettings, description="The function that the adapters `vercel` and `lambda` make."
    )


class RoutingSettings(Section):
    """How addresses look."""

    trailing_slash: Literal["always", "never", "ignore"] = Field(
        default="always", description="Whether the address of a page ends with a slash; the other form redirects."
    )


class RedirectSettings(Section):
    """Where an old address leads."""

    to: Annotated[str, AfterValidator(units.target)] = Field(
        description='A path, which may hold the parameters of the old one ("/new/[slug]"), or a whole address.'
    )
    status: Literal[301, 302, 303, 307, 308] | None = Field(
        default=None, description="The status; without, 301 for GET and HEAD, and 308 for others."
    )


_TO_OR_TABLE = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"to": {"type": "string"}, "status": {"enum": [301, 302, 303, 307, 308]}},
            "required": ["to"],
            "additionalProperties": False,
        },
    ]
}
Redirects = dict[
    Annotated[str, AfterValidator(units.old_path)],
    Annotated[RedirectSettings, BeforeValidator(units.redirect), WithJsonSchema(_TO_OR_TABLE)],
]


Headers = dict[
    Annotated[str, AfterValidator(units.header_pattern)],
    dict[Annotated[str, AfterValidator(units.header_name)], Annotated[str, AfterValidator(units.header_value)]],
]


class TemplateSettings(Section):
    """How templates are written."""

    variable: Annotated[
        tuple[str, str],
        PlainValidator(units.delimiters),
        WithJsonSchema({"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 2, "maxItems": 2}),
    ] = Field(default=("<<", ">>"), description="The two marks between which an expression stands.")


class FrontMatterSettings(Section):
    """What pages may say of themselves."""

    keys: Texts = Field(
        default=(), description="Keys that are meant as they are, though they are near to a reserved one."
    )


class ContentSettings(Section):
    """What is shown of the collections."""

    future: bool = Field(default=False, description="Whether entries with a date to come are built.")


class CookieSettings(Section):
    """The cookie that holds the identifier of a session."""

    name: Annotated[str, AfterValidator(units.cookie_name)] = Field(
        default="hybridsite-session", description="Its name."
    )
    domain: Annotated[str, AfterValidator(units.cookie_domain)] | None = Field(
        default=None, description="The host whose subdomains get it too; without, the host of the request alone."
    )
    path: Annotated[str, AfterValidator(units.cookie_path)] | None = Field(
        default=None, description="The path that it is for; without, [site] base."
    )
    same_site: Literal["lax", "strict", "none"] = Field(
        default="lax", description="Whether other sites' requests carry it."
    )
    secure: Annotated[
        bool | Literal["auto"], PlainValidator(units.secure), WithJsonSchema({"enum": [True, False, "auto"]})
    ] = Field(
        default="auto", description='Whether https alone carries it; "auto" goes by the request and by [site] url.'
    )
    max_age: Duration | None = Field(
        default=None, description="How long a browser keeps it; without, as long as [session] ttl."
    )

    @model_validator(mode="after")
    def _consistent(self) -> CookieSettings:
        """Refuses what browsers refuse: RFC 6265bis, 4.1.3 and 5.7."""
        prefixed = self.name.lower().startswith(("__host-", "__secure-"))
        if self.secure is False and (self.same_site == "none" or prefixed):
            cause = 'same_site = "none"' if self.same_site == "none" else "its name's prefix"
            raise ValueError(f"needs secure = true for {cause}: browsers refuse the cookie otherwise")
        if self.name.lower().startswith("__host-") and (self.domain or self.path not in (None, "/")):
            raise ValueError('must have no domain, and no path but "/", for a name that begins with __Host-')
        return self


class SessionSettings(Section):
    """What is kept of a visitor between requests."""

    driver: Annotated[
        str | Literal[False], PlainValidator(units.driver), WithJsonSchema({"type": ["string", "boolean"]})
    ] = Field(default="sqlite", description="Where sessions are kept; false for no sessions.")
    ttl: Duration = Field(default=14 * 86400.0, description='How long a session lives unused: "14d", or seconds.')
    max_age: Duration | None = Field(
        default=None, description="How long a session lives at most, however much it is used; without, no limit."
    )
    max_size: Size = Field(default=2**20, description='The most that one session may hold: "1MiB", or bytes.')
    index: Texts = Field(default=(), description='Keys that sessions are found by, to be listed or ended: ["user_id"].')
    options: dict[str, Option] = Field(
        default_factory=dict, repr=False, description='What the driver needs, such as { url = "env:REDIS_URL" }.'
    )
    cookie: CookieSettings = Field(default_factory=CookieSettings.usual, description="The cookie of a session.")


class CacheSettings(Section):
    """Where answers are kept that are the same for all who ask alike."""

    driver: Annotated[
        Literal["memory", "redis", False],
        PlainValidator(units.cache_driver),
        WithJsonSchema({"enum": ["memory", "redis", False]}),
    ] = Field(
        default="memory",
        description='Who shares it: "memory" is of one process, "redis" of all servers; false for no cache.',
    )
    max_size: Size = Field(
        default=64 * 2**20, description='The most that the driver `memory` holds: "64MiB", or bytes.'
    )
    max_entry: Size = Field(default=2**20, description='The largest body that is kept: "1MiB", or bytes.')
    options: dict[str, Option] = Field(
        default_factory=dict, repr=False, description='What redis needs, such as { url = "env:REDIS_URL" }.'
    )


class SecuritySettings(Section):
    """What is refused."""

    csp: Annotated[
        bool | dict[str, tuple[str, ...]],
        PlainValidator(units.csp),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "boolean"},
                    {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
                ]
            }
        ),
    ] = Field(
        default=False,
        description="Whether pages carry a Content-Security-Policy; a table adds sources to it, "
        'such as { img-src = ["https://cdn.example"] }.',
    )
    check_origin: bool = Field(default=True, description="Whether a form from another site is refused.")
    origins: Annotated[tuple[Origin, ...], BeforeValidator(units.items)] = Field(
        default=(), description="Origins that may send forms, besides the site's own."
    )
    max_body: Size = Field(default=2**20, description='The largest body of a request: "1MiB", or bytes.')
    max_fields: int = Field(default=1000, ge=1, description="The most fields that a form may have, files apart.")
    max_parts: int = Field(default=100, ge=1, description="The most files that a form may carry.")


class MetricsSettings(Section):
    """Where Prometheus asks `serve` for metrics: never where the site is."""

    host: Text = Field(default="127.0.0.1", description="The address to listen on for metrics.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="The port of `/metrics`; 0 takes a free one. Without, nothing is counted.",
    )


class ServerSettings(Section):
    """How `serve` listens."""

    host: Text = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, description="How many processes answer requests.")
    proxies: Annotated[tuple[Annotated[Text, AfterValidator(units.proxy)], ...], BeforeValidator(units.items)] = Field(
        default=("127.0.0.1",),
        description='The proxies whose forwarded headers count: addresses, and networks such as "10.0.0.0/8".',
    )
    grace: Duration = Field(default=10.0, description="How long requests under way may take when the server stops.")
    keep_alive: Duration = Field(
        default=5.0,
        description="How long a connection that nobody uses stays open: longer than what stands in front uses it.",
    )
    allowed_hosts: Texts = Field(default=(), description="The names that the server answers to; without, all.")
    access_log: bool = Field(default=False, description="Whether each request is a line of the log.")
    log_format: Literal["text", "json"] = Field(
        default="text", description='How the log is written: lines for people, or "json", an object a line.'
    )
    metrics: MetricsSettings = Field(
        default_factory=MetricsSettings.usual, description="Metrics for Prometheus, on a port of their own."
    )
    spans: bool = Field(default=False, description="Whether OpenTelemetry gets spans; OTEL_* variables say how.")


class LimitSettings(Section):
    """What a server takes. Beyond it a request is refused, so that the others go on."""

    body: Size | None = Field(
        default=None, description='The largest body of a request: "10MiB"; without, [security] max_body.'
    )
    headers: Size = Field(default=64 * 2**10, description="The largest head of a request: its line and headers.")
    time: Duration = Field(
        default=30.0, description="How long an answer may take to begin: 503 beyond; and a worker to stand still."
    )
    concurrency: int = Field(
        default=1024, ge=1, description="How many requests one process works on at once: 503 beyond."
    )


class Settings(Section):
    """All of site.toml. What it leaves out has its default."""

    site: SiteSettings = Field(default_factory=SiteSettings.usual)
    build: BuildSettings = Field(default_factory=BuildSettings.usual)
    routing: RoutingSettings = Field(default_factory=RoutingSettings.usual)
    i18n: LanguageSettings = Field(default_factory=LanguageSettings.usual)
    redirects: Redirects = Field(
        default_factory=dict, description='Old addresses and where they lead: "/old/[slug]" = "/new/[slug]".'
    )
    headers: Headers = Field(
        default_factory=dict, description='Headers by path: "/assets/*" = { "X-Robots-Tag" = "noindex" }.'
    )
    templates: TemplateSettings = Field(default_factory=TemplateSettings.usual)
    front_matter: FrontMatterSettings = Field(default_factory=FrontMatterSettings.usual)
    markdown: MarkdownSettings = Field(default_factory=MarkdownSettings.usual)
    feeds: dict[FeedName, FeedSettings] = Field(
        default_factory=dict, description="A feed for each name: `[feeds.blog]`. [site] url has to be set."
    )
    sitemap: SitemapSettings = Field(default_factory=SitemapSettings.usual)
    search: SearchSettings = Field(default_factory=SearchSettings.usual)
    prefetch: PrefetchSettings = Field(default_factory=PrefetchSettings.usual)
    plugins: Annotated[tuple[PluginItem, ...], BeforeValidator(units.items)] = Field(
        default=(), description='Plugins, in the order in which they are asked: `["package.module:Class"]`.'
    )
    content: ContentSettings = Field(default_factory=ContentSettings.usual)
    session: SessionSettings = Field(default_factory=SessionSettings.usual)
    cache: CacheSettings = Field(default_factory=CacheSettings.usual)
    security: SecuritySettings = Field(default_factory=SecuritySettings.usual)
    server: ServerSettings = Field(default_factory=ServerSettings.usual)
    limits: LimitSettings = Field(default_factory=LimitSettings.usual)
    _warnings: tuple[SiteError, ...] = PrivateAttr(())

    @property
    def most_body(self) -> int:
        """The largest body of a request, in bytes."""
        return self.security.max_body if self.limits.body is None else self.limits.body

    @property
    def warnings(self) -> tuple[SiteError, ...]:
        """What site.toml holds that is ignored."""
        return self._warnings
