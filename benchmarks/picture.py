"""The pictures of benchmarks/build.py and serve.py: bars in SVG, for light and dark pages, without a library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH, LABEL, BAR, GAP, HEAD = 760, 130, 13, 8, 34
WIDE_LABEL = 200
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
    return _drawing("Seconds of a build", told, parts, top)


def rates(cases: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Draws how many requests a second each server answered, a chart for each case, and who waited how long."""
    parts: list[str] = []
    top = 0
    for case, rows in cases.items():
        scale = (WIDTH - WIDE_LABEL - 170) / max(row["rate"] for row in rows.values())
        parts.append(f'<text class="head" x="0" y="{top + 16}">{escape(case)}</text>')
        kinds = "requests a second; of a hundred, the one that waited longest (p99)"
        parts.append(f'<text class="small" x="{WIDE_LABEL}" y="{top + 16}">{kinds}</text>')
        for number, (name, row) in enumerate(sorted(rows.items(), key=lambda pair: -pair[1]["rate"])):
            y = top + HEAD + number * (BAR + GAP)
            width = max(1.0, row["rate"] * scale)
            parts.append(f'<g class="{"ours" if name == "hybridsite" else "theirs"}">')
            parts.append(f'<text x="0" y="{y + BAR - 2}">{escape(name)}</text>')
            parts.append(f'<rect class="cold" x="{WIDE_LABEL}" y="{y}" width="{width:.1f}" height="{BAR - 1}" rx="2"/>')
            told = f"{row['rate']:,.0f}/s · {row['p99']:.1f} ms"
            parts.append(f'<text class="small" x="{WIDE_LABEL + width + 6:.1f}" y="{y + BAR - 3}">{told}</text></g>')
        top += HEAD + len(rows) * (BAR + GAP) + 14
    told = "; ".join(
        f"{case}: " + ", ".join(f"{name} {row['rate']:,.0f}" for name, row in rows.items())
        for case, rows in cases.items()
    )
    return _drawing("Requests a second", told, parts, top)


def _drawing(title: str, told: str, parts: Sequence[str], height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-labelledby="t d">\n<title id="t">{title}</title>\n'
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
