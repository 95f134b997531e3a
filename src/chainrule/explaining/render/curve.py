"""The loss along one number as a picture, with the tangent at its value."""

from __future__ import annotations

from ...display import Html, tag
from ...display.svg import picture
from ..derivation import Derivation
from ..notation import number

__all__ = ["loss_curve"]

WIDTH, HEIGHT, LEFT, TOP = 480.0, 180.0, 60.0, 12.0  # of the axes, and the space beside them


def loss_curve(e: Derivation) -> Html:
    """The curve, the tangent, and where the number lies on them."""
    xs, ys = zip(*e.loss_curve, strict=True)
    margin = max(0.08 * (max(ys) - min(ys)), 1e-6 * max(map(abs, ys))) or 1.0
    low, high = min(ys) - margin, max(ys) + margin

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + WIDTH * (x - xs[0]) / (xs[-1] - xs[0]), TOP + HEIGHT * (high - y) / (high - low)

    reach = (xs[-1] - xs[0]) / 4
    if e.value:
        reach = min(reach, (high - low) / 2 / abs(e.value))
    (x1, y1), (x2, y2) = (at(e.current + s * reach, e.loss + s * reach * e.value) for s in (-1, 1))
    x, y = at(e.current, e.loss)
    right, bottom = LEFT + WIDTH, TOP + HEIGHT
    return picture(
        right + 14,
        bottom + 36,
        tag("path", cls="axis", d=f"M{LEFT:g} {TOP:g}V{bottom:g}H{right:g}"),
        tag("polyline", cls="curve", points=" ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in e.loss_curve)),
        tag("line", cls="tangent", x1=x1, y1=y1, x2=x2, y2=y2),
        tag("circle", cls="point", cx=x, cy=y, r=4),
        tag("text", number(high, 3), cls="soft end", x=LEFT - 6, y=TOP + 8),
        tag("text", number(low, 3), cls="soft end", x=LEFT - 6, y=bottom),
        tag("text", number(xs[0], 3), cls="soft", x=LEFT, y=bottom + 16),
        tag("text", number(xs[-1], 3), cls="soft end", x=right, y=bottom + 16),
        tag("text", f"now {e.current:.4g}, slope {e.value:.4g}", cls="middle", x=x, y=bottom + 30),
        label=f"The loss along {e.name}",
    )
