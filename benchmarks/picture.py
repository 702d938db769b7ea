"""The figures as bars: how many floors each way takes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Protocol

_ROW, _NAME, _WIDTH = 22, 170, 420


class Bar(Protocol):
    """What is drawn: a way of a piece of work and its ratio to the floor."""

    @property
    def work(self) -> str: ...
    @property
    def way(self) -> str: ...
    @property
    def ratio(self) -> float | None: ...


def picture(bars: Sequence[Bar]) -> str:
    """An SVG with one bar a way that has a floor, work by work; a line marks the floor."""
    drawn = [(bar.work, bar.way, bar.ratio) for bar in bars if bar.ratio is not None]
    scale = _WIDTH / max([1.0, *(ratio for *_, ratio in drawn)])
    shown: list[str] = []
    y = 5
    for work, ways in groupby(drawn, key=lambda bar: bar[0]):
        shown.append(f'<text x="8" y="{y + 13}" font-weight="bold">{escape(work)}</text>')
        for _, way, ratio in ways:
            y += _ROW
            colour = "#2563eb" if way.endswith("_ours") else "#cbd5e1"
            shown += [
                f'<text x="{_NAME - 8}" y="{y + 13}" text-anchor="end">{escape(way)}</text>',
                (
                    f'<rect x="{_NAME}" y="{y}" width="{ratio * scale:.0f}" height="16" '
                    f'fill="{colour}"/>'
                ),
                f'<text x="{_NAME + ratio * scale + 5:.0f}" y="{y + 13}">{ratio:.2f}</text>',
            ]
        y += _ROW
    size = f'width="{_NAME + _WIDTH + 60}" height="{y}"'
    font = 'font-family="sans-serif" font-size="12"'
    floor = f'x1="{_NAME + scale:.0f}" x2="{_NAME + scale:.0f}" y1="0" y2="{y}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
            f'<rect {size} fill="white"/>',
            *shown,
            f'<line {floor} stroke="#888" stroke-dasharray="3"/>',
            "</svg>",
            "",
        ]
    )
