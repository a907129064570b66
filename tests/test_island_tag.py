"""The tag `{% island %}`: what it takes, and what it says of anything else, with line and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsite.analysis import IslandUse
from hybridsite.errors import SiteErrors, TemplateError
from hybridsite.templating import Templates
from tests.e2e.support import write_files
from tests.inprocess import ON_DEMAND, built_here, loaded

BADGE = {"components/cart-badge.html": "<b><< product >></b>", "components/other.html": "x"}


def templates(folder: Path, source: str) -> Templates:
    files = {"pages/a.html": source, **BADGE}
    write_files(folder, {name: text.encode() for name, text in files.items()})
    return Templates(folder, {name: folder / name for name in files})


def fault(folder: Path, source: str) -> TemplateError:
    """Gives what is wrong with a page, whether it is found as it is parsed or as it is checked."""
    site = templates(folder, source)
    with pytest.raises(TemplateError) as caught:
        site.check("pages/a.html")
    return caught.value


@pytest.mark.parametrize(
    ("arguments", "props", "constants"),
    [
        ('"components/cart-badge.html"', (), {}),
        ("'components/cart-badge.html'", (), {}),
        ('"components/cart-badge.html",', (), {}),
        ('"components/cart-badge.html", product=42', ("product",), {"product": 42}),
        ('"components/cart-badge.html", product=-2 * 3, b="x" | upper', ("product", "b"), {"product": -6, "b": "X"}),
        (
            '"components/cart-badge.html", product=42, when="visible", name=page.title | upper',
            ("product", "name"),
            None,
        ),
        ('"components/cart-badge.html", when="idle", product=[1, {"a": 2}],', ("product",), {"product": [1, {"a": 2}]}),
        ('"components/cart-badge.html", product=[1, url]', ("product",), None),
        ('"components/cart-badge.html", product=(1 if session else 2)', ("product",), None),
    ],
)
def test_what_the_tag_takes(
    tmp_path: Path, arguments: str, props: tuple[str, ...], constants: dict[str, object] | None
) -> None:
    site = templates(tmp_path, f"\n{{% island {arguments} %}}<i>none</i>{{% endisland %}}")
    site.check("pages/a.html")
    facts = site.facts("pages/a.html")
    assert facts is not None
    assert facts.islands == (IslandUse("components/cart-badge.html", 2, False, props, constants),)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", ("names no component", '{% island "components/cart-badge.html"')),
        ("name", ("no text in quotes", "known ahead")),
        ('"components/" ~ name', ("no text in quotes",)),
        ("42", ("no text in quotes",)),
        ('"components/cart-badge.html", 42', ("has no name", "product=42")),
        ('"components/cart-badge.html", "product"=42', ("has no name",)),
        ('"components/cart-badge.html", product=1, product=2', ('"product" is given twice', "take one")),
        ('"components/cart-badge.html", when="visble"', ('when="visble"', 'did you mean "visible"?')),
        ('"components/cart-badge.html", when="never"', ('when="never"', '"load" or "visible" or "idle"')),
        ('"components/cart-badge.html", when=moment', ("`when`", '"load" or "visible" or "idle"')),
        ('"components/cart-badge.html", when=1', ("`when`",)),
        ('"components/cart-badge.html" product=1', ("expected token ','",)),
    ],
)
def test_what_the_tag_says_of_anything_else(tmp_path: Path, arguments: str, words: tuple[str, ...]) -> None:
    error = fault(tmp_path, f"<p>\n\n{{% island {arguments} %}}none{{% endisland %}}")
    assert str(error.location) == "pages/a.html:3"
    assert [word for word in words if word not in str(error)] == []


def test_an_island_that_is_left_open_is_told(tmp_path: Path) -> None:
    assert "endisland" in str(fault(tmp_path, '{% island "components/cart-badge.html" %}none'))


def test_a_tag_that_is_nearly_an_island_is_told(tmp_path: Path) -> None:
    assert 'did you mean "island"?' in str(fault(tmp_path, '{% iland "components/cart-badge.html" %}'))


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("components/cart-bage.html", 'did you mean "components/cart-badge.html"?'),
        ("cart-badge.html", 'did you mean "components/cart-badge.html"?'),
        ("pages/a.html", "the component of an island lies in components/"),
        ("../secret", "lies in components/"),
    ],
)
def test_a_component_that_is_not_there_is_told_with_the_closest(tmp_path: Path, name: str, mend: str) -> None:
    error = fault(tmp_path, f'\n{{% if false %}}{{% island "{name}" %}}{{% endisland %}}{{% endif %}}')
    assert str(error.location) == "pages/a.html:2"
    assert f'there is no component "{name}"' in str(error)
    assert mend in str(error)


@pytest.mark.parametrize("prop", ["session", "page", "props", "content", "_own"])
def test_a_prop_can_not_hide_a_name_that_is_reserved(tmp_path: Path, prop: str) -> None:
    error = fault(tmp_path, f'{{% island "components/cart-badge.html", {prop}=1 %}}{{% endisland %}}')
    assert f'the prop "{prop}"' in str(error)
    assert "rename it" in str(error)


@pytest.mark.parametrize("front", ["", ON_DEMAND])
@pytest.mark.parametrize(
    ("component", "words"),
    [
        ("{% include 'components/none.html' %}", 'there is no template "components/none.html"'),
        ("{% if x is defined %}{% island 'components/none.html' %}{% endisland %}{% endif %}", "there is no component"),
        ("<< page.title >>", "asks for `page`"),
        ("{% include 'components/inner.html' %}", "asks for `params`"),
        ("{% if %}", "doesn't parse"),
    ],
)
def test_what_is_wrong_with_a_component_is_told_at_build(
    tmp_path: Path, front: str, component: str, words: str
) -> None:
    files = {
        "pages/index.html": front + '{% if false %}{% island "components/x.html" %}{% endisland %}{% endif %}',
        "components/x.html": component,
        "components/inner.html": "<< params.slug >>",
    }
    with pytest.raises((TemplateError, SiteErrors)) as caught:
        loaded(tmp_path, files)
    assert words in str(caught.value)
    assert "components/" in str(caught.value)


def test_the_fallback_sees_all_that_stands_around_it(tmp_path: Path) -> None:
    root = tmp_path / "site"
    loaded(
        root,
        {
            "pages/index.html": """
                {% macro row(name) %}{% island "components/x.html", name=name %}<< name >>:<< caller() >>{% endisland %}
                {% endmacro %}
                {% set out = "o" %}
                {% for name in ["a", "b"] %}{% call row(name) %}<< loop.index >><< out >>{% endcall %}{% endfor %}
                {% for n in [1, 2, 3] %}{% island "components/x.html", name=n %}<< n >>{% if n == 2 %}{% break %}
                {% endif %}{% set out = n %}{% endisland %}{% endfor %}<< out >>
                """,
            "components/x.html": "<< name >>",
        },
    )
    built_here(root)
    text = (root / "dist/client/index.html").read_text("utf-8")
    assert [part in text for part in (">a:1o</slot>", ">b:2o</slot>", ">1")] == [True] * 3
    assert text.rstrip().endswith("o")  # what is set in the fallback stays there
