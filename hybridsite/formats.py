"""Dates and numbers as people of a language write them (CLDR, by Babel): filters for templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from hybridsite.catalogues import PIP
from hybridsite.dates import zone
from hybridsite.errors import TemplateError

FILTERS = frozenset(
    {"format_date", "format_time", "format_datetime", "format_number", "format_percent", "format_currency"}
)


def format_filters(timezone: str) -> Mapping[str, Callable[..., str]]:
    """Gives the filters. Times with a zone of their own are shown in `timezone`.

    Each raises TemplateError where Babel isn't installed, and for what is no such value.
    """

    def filter_of(name: str) -> Callable[..., str]:
        @pass_context
        def use(context: Context, value: Any, *args: Any, **options: Any) -> str:
            try:
                from babel import UnknownLocaleError, dates, numbers
            except ImportError:
                raise TemplateError(f"{name} needs Babel, which is not installed", mend=PIP) from None
            options.setdefault("locale", str(context.resolve("locale")).replace("-", "_"))
            if name in ("format_time", "format_datetime") and isinstance(value, datetime) and value.tzinfo:
                options.setdefault("tzinfo", zone(timezone))
            if name == "format_date" and isinstance(value, datetime) and value.tzinfo:
                value = value.astimezone(zone(timezone))
            given = Decimal(str(value)) if isinstance(value, float) else value  # 0.1 is meant as it is written
            function = getattr(dates, name, None) or getattr(
                numbers, "format_decimal" if name == "format_number" else name
            )
            try:
                return str(function(given, *args, **options))
            except (
                AssertionError,
                AttributeError,
                TypeError,
                ValueError,
                ArithmeticError,
                UnknownLocaleError,
            ) as error:
                what = f"{name} can't write {value!r}"
                raise TemplateError(what, why=str(error), mend="give it a date or a number of its kind") from error

        return use

    return {name: filter_of(name) for name in sorted(FILTERS)}
