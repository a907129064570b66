"""The picture of benchmarks/build.py: bars in SVG, readable on light and dark pages, without a library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

WIDTH, LABEL, BAR, GAP, HEAD = 760, 130, 13, 8, 34
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.cold { fill: #8c959f }
.warm { fill: #c8ced5 }
.ours .cold { fill: #0969da }
.ours .warm { fill: #80b3f0 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .cold { fill: #6e7681 }
  .warm { fill: #3d444d }
  .ours .cold { fill: #4493f8 }
  .ours .warm { fill: #23508c }
}
"""


def picture(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Draws the times of cold builds, and of those after one post had changed, a chart for each number of posts."""
    parts: list[str] = []
    top = 0
    for count, rows in figures.items():
        parts += _chart(int(count), rows, top)
        top += HEAD + len(rows) * (2 * BAR + GAP) + 14
    told = "; ".join(
        f"{int(count):,} posts: " + ", ".join(f"{name} {row['cold']:.2f} s" for name, row in rows.items())
        for count, rows in figures.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
        'role="img" aria-labelledby="t d">\n<title id="t">Seconds of a build</title>\n'
        f'<desc id="d">{escape(told)}</desc>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _chart(count: int, rows: Mapping[str, Mapping[str, float]], top: int) -> Iterator[str]:
    longest = max(max(row["cold"], row["one changed"]) for row in rows.values())
    scale = (WIDTH - LABEL - 90) / longest
    yield f'<text class="head" x="0" y="{top + 16}">{count:,} posts</text>'
    yield f'<text class="small" x="{LABEL}" y="{top + 16}">seconds: a cold build, and below it one post changed</text>'
    for number, (name, row) in enumerate(sorted(rows.items(), key=lambda pair: pair[1]["cold"])):
        y = top + HEAD + number * (2 * BAR + GAP)
        yield f'<g class="{"ours" if name == "hybridsite" else "theirs"}">'
        yield f'<text x="0" y="{y + BAR + 5}">{escape(name)}</text>'
        for kind, style, at in (("cold", "cold", y), ("one changed", "warm", y + BAR)):
            width = max(1.0, row[kind] * scale)
            yield f'<rect class="{style}" x="{LABEL}" y="{at}" width="{width:.1f}" height="{BAR - 1}" rx="2"/>'
            yield f'<text class="small" x="{LABEL + width + 6:.1f}" y="{at + BAR - 3}">{row[kind]:.2f}</text>'
        yield "</g>"
