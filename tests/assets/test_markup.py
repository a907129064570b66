"""The HTML of a picture: what is asked is checked, what is written is escaped."""

from __future__ import annotations

from typing import Any

import pytest
from markupsafe import Markup

from hybridsite.assets.markup import check_call, picture_html
from hybridsite.assets.table import Picture, Variant
from hybridsite.errors import AssetError

FORMS = tuple(Variant(f"a.{w}.{k}", f"image/{k}", w) for w in (40, 80) for k in ("avif", "webp"))
PICTURE = Picture(800, 600, FORMS)


def html(
    picture: Picture = PICTURE, alt: str = "", sizes: str | None = None, loading: str = "lazy", **more: object
) -> str:
    return str(picture_html(picture, lambda file: f"/b/{file}", alt=alt, sizes=sizes, loading=loading, attributes=more))


def test_a_picture_has_its_sources_and_keeps_its_place() -> None:
    assert html(alt='"<&', sizes="50vw") == (
        '<picture><source type="image/avif" srcset="/b/a.40.avif 40w, /b/a.80.avif 80w" sizes="50vw">'
        '<img src="/b/a.80.webp" srcset="/b/a.40.webp 40w, /b/a.80.webp 80w" sizes="50vw" width="80" height="60" '
        'alt="&#34;&lt;&amp;" loading="lazy"></picture>'
    )


def test_one_that_is_sent_as_it_is_is_an_img() -> None:
    assert html(Picture(4, 3, file="a.svg"), loading="eager") == '<img src="/b/a.svg" width="4" height="3" alt="">'


def test_other_attributes_go_to_the_img() -> None:
    attributes: dict[str, Any] = {"class": "big", "data_x": Markup('a"b'), "hidden": True, "id": None}
    found = html(Picture(4, 3, file="a"), **attributes)
    assert found.endswith(' alt="" loading="lazy" class="big" data-x="a&#34;b" hidden>')


@pytest.mark.parametrize(("name", "mend"), [("src", "by itself"), ("size", '"sizes"'), ("x y", ""), ("onload=", "")])
def test_an_attribute_that_is_none_is_refused(name: str, mend: str) -> None:
    with pytest.raises(AssetError, match=f'takes no "{name}".*{mend}'):
        picture_html(PICTURE, str, alt="", sizes=None, loading="lazy", attributes={name: "1"})


@pytest.mark.parametrize("widths", [[], [0], ["40"], 40, [True], [9000], [1.5], list(range(1, 22))])
def test_widths_are_a_short_list_of_sizes(widths: object) -> None:
    with pytest.raises(AssetError, match=r"widths=\[480, 960\]"):
        check_call("a.png", "", widths, "lazy")


def test_alt_is_required_and_may_be_empty() -> None:
    with pytest.raises(AssetError, match=r'image\("a.png"\) has no alt; .*alt="" where it only decorates'):
        check_call("a.png", None, None, "lazy")
    assert check_call("a.png", "", None, "lazy") == ()


def test_loading_is_one_of_two_words() -> None:
    with pytest.raises(AssetError, match='did you mean "lazy"'):
        check_call("a.png", "", None, "lasy")
