"""The settings of what a site has besides its pages: languages, Markdown, feeds, the sitemap, the search, plugins."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from hybridsite import units
from hybridsite.callouts import TITLES
from hybridsite.sections import Section, Text

FeedFormat = Literal["rss", "atom", "json"]
_FEED_FILES = {"rss": "feed.xml", "atom": "atom.xml", "json": "feed.json"}
FeedName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
FeedPath = Annotated[str, AfterValidator(units.file_path)]
PathPatterns = Annotated[tuple[Annotated[str, AfterValidator(units.path_pattern)], ...], BeforeValidator(units.items)]


Locale = Annotated[str, AfterValidator(units.language)]


class LanguageSettings(Section):
    """The languages of the pages."""

    locales: Annotated[tuple[Locale, ...], BeforeValidator(units.items)] = Field(
        default=(), description='The languages: `["en", "de"]`. The pages of `"de"` lie in `pages/de/`.'
    )
    default: str = Field(
        default="",
        description="The language of pages in no such folder; without, [site] language if it is one, else the first.",
    )
    fallback: dict[str, str] = Field(
        default_factory=dict, description='Which language stands in where another lacks a page: `{ de = "en" }`.'
    )
    fallback_type: Literal["redirect", "render"] = Field(
        default="redirect",
        description="Whether a page that is lacking leads to the one that stands in, or is that page at its own path.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> LanguageSettings:
        for name in (*([self.default] if self.default else []), *self.fallback, *self.fallback.values()):
            if name not in self.locales:
                raise ValueError(f'names the language "{name}", which is not in its locales')
        if self.default in self.fallback:
            raise ValueError(f'gives the default language "{self.default}" a fallback: nothing stands in for it')
        for start in self.fallback:
            way = [start]
            while way[-1] in self.fallback:
                way.append(self.fallback[way[-1]])
                if way[-1] in way[:-1]:
                    raise ValueError(f"has a fallback that goes in a circle: {' → '.join(way)}")
        return self


class CalloutTitles(Section):
    """The titles of callouts, by their kind."""

    note: Text = Field(default=TITLES["note"], description="That of `> [!NOTE]`.")
    tip: Text = Field(default=TITLES["tip"], description="That of `> [!TIP]`.")
    important: Text = Field(default=TITLES["important"], description="That of `> [!IMPORTANT]`.")
    warning: Text = Field(default=TITLES["warning"], description="That of `> [!WARNING]`.")
    caution: Text = Field(default=TITLES["caution"], description="That of `> [!CAUTION]`.")


class MarkdownSettings(Section):
    """What Markdown becomes."""

    heading_links: bool = Field(default=False, description="Whether each heading ends with a link to itself.")
    callouts: CalloutTitles = Field(default_factory=CalloutTitles.usual, description="The titles of callouts.")


class FeedSettings(Section):
    """A feed of the entries of a collection."""

    collection: str = Field(default="", description="The collection; without, the one of the feed's name.")
    formats: Annotated[tuple[FeedFormat, ...], AfterValidator(units.some), BeforeValidator(units.items)] = Field(
        default=("rss",), description='What it is written as: `"rss"` (2.0), `"atom"`, `"json"` (JSON Feed 1.1).'
    )
    path: Annotated[dict[FeedFormat | Literal[""], FeedPath], BeforeValidator(units.feed_paths)] = Field(
        default_factory=dict,
        description="Where it is: a path, or one for each format; without, `/NAME/feed.xml`, `atom.xml`, `feed.json`.",
    )
    title: str = Field(default="", description="Its title; without, [site] title.")
    description: str = Field(default="", description="What it is about; without, [site] description.")
    author: str = Field(default="", description="Who writes it; without, [site] author.")
    language: Annotated[str, AfterValidator(units.language)] = Field(
        default="", description="Its language; without, [site] language."
    )
    limit: int = Field(default=20, ge=1, description="How many entries it has, the newest.")
    content: Literal["full", "summary"] = Field(
        default="full", description="Whether it has whole entries, or what their `summary` or `description` says."
    )

    @model_validator(mode="after")
    def _one_path_for_one_format(self) -> FeedSettings:
        if "" in self.path and len(self.formats) > 1:
            raise ValueError('needs a path for each format: path = { rss = "/feed.xml", atom = "/atom.xml" }')
        return self

    def paths(self, name: str) -> dict[FeedFormat, str]:
        """Gives the path of each format of the feed of that name, without [site] base."""
        return {
            kind: self.path.get(kind) or self.path.get("") or f"/{name}/{_FEED_FILES[kind]}" for kind in self.formats
        }


class SitemapSettings(Section):
    """The sitemap, which this table turns on, even if it is empty."""

    exclude: PathPatterns = Field(default=(), description='Paths that are left out: `"/thanks/"`, `"/drafts/*"`.')
    include: PathPatterns = Field(default=(), description="Paths of pages on demand that are listed too.")


class SearchSettings(Section):
    """The search, which this table turns on, even if it is empty."""

    exclude: PathPatterns = Field(default=(), description='Paths that are not found: `"/thanks/"`, `"/drafts/*"`.')


class PrefetchSettings(Section):
    """Which pages a browser fetches before a link to them is followed. It never does so with a visitor's own."""

    when: Literal["hover", "visible", "never"] = Field(
        default="never",
        description="Whether a page is fetched when the pointer rests on a link to it, or, as far as the browser takes "
        "that as a sign, when the link is seen.",
    )


class PluginSettings(Section):
    """A plugin of the site."""

    use: Text = Field(description="`package.module:Class`, or the name of an installed one.")
    options: dict[str, Any] = Field(default_factory=dict, repr=False, description="What its class is made with.")


PluginItem = Annotated[
    PluginSettings,
    BeforeValidator(units.plugin),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"use": {"type": "string"}, "options": {"type": "object"}},
                    "required": ["use"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
