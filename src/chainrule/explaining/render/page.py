"""An explanation as a page of its own: HTML with MathML and SVG. It needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib import resources

from ..derivation import Batch, Explanation, Line, OptimizerStep, Paths, Witness
from ..notation import mathml, number
from .colors import LIGHT_AND_DARK, numbered
from .digits import short, shown_line, shown_path, shown_step
from .plain import circumstances
from .svg import as_svg

__all__ = ["as_fragment", "as_page", "math"]

ROWS = 6  # samples shown to each side


def as_page(e: Explanation) -> str:
    """The whole page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Why is the gradient of {escape(e.name)} {short(e.value)}?</title>"
        f"</head><body>{as_fragment(e)}</body></html>\n"
    )


def as_fragment(e: Explanation) -> str:
    """The page without its frame, for a notebook."""
    return f'<style>{style()}</style><article class="chainrule">{"".join(_sections(e))}</article>'


def math(formula: str, digits: int = 6) -> str:
    """A formula as a MathML element."""
    return f"<math displaystyle='true'>{mathml(formula, digits)}</math>"


def style() -> str:
    """The style sheet: both colour schemes, for wide and narrow screens."""
    light = "".join(f"--c{i}:{light};" for i, (light, _) in enumerate(LIGHT_AND_DARK))
    dark = "".join(f"--c{i}:{dark};" for i, (_, dark) in enumerate(LIGHT_AND_DARK))
    classes = "".join(
        f".chainrule .c{i}{{color:var(--c{i})}}.chainrule rect.c{i}{{stroke:var(--c{i})}}"
        f".chainrule text.c{i}{{fill:var(--c{i})}}"
        for i in range(len(LIGHT_AND_DARK))
    )
    sheet = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return sheet.replace("/*light*/", light).replace("/*dark*/", dark) + classes


def _sections(e: Explanation) -> Iterator[str]:
    symbol = e.quantity.gradient
    yield f"<h1>Why is {math(symbol)} equal to {short(e.value)}?</h1>"
    yield f'<p class="soft">{escape(e.name)} = {short(e.current)}, L = {short(e.loss)}; {escape(circumstances(e))}.</p>'
    yield "".join(f'<p class="soft">{escape(note)}</p>' for note in e.notes)
    yield f'<div class="scroll">{as_svg(e)}</div>'
    yield (
        '<p class="soft">Each row: sample and neuron, value, gradient. The lines are terms of the chain rule, '
        'wide where large, <span style="color:var(--up)">orange above 0</span>, '
        '<span style="color:var(--down)">blue below</span>.</p>'
    )
    yield "<h2>From the loss down</h2>"
    yield from _lines(e)
    yield "<h2>Witnesses</h2>"
    yield f'<div class="scroll"><table>{"".join(map(_witness, e.witnesses))}</table></div>'
    if not e.agrees:
        yield '<p class="bad">They disagree: a backward pass is not the derivative of its forward pass.</p>'
    if e.step is not None:
        yield from _step(e.step)
    if len(e.loss_curve) > 1:
        yield f"<h2>The loss along {escape(e.name)}</h2>{curve(e)}"
    if e.batch is not None:
        yield from _batch(e.batch)
    yield from _paths(e.paths)


def _lines(e: Explanation) -> Iterator[str]:
    heads = {node.name: node for node in e.nodes}
    colors = numbered(list(heads))
    before: tuple[str, ...] = ()
    for line in e.lines:
        if line.nodes != before:
            for name, kind in zip(line.nodes, line.kinds, strict=True):
                rules = heads[name].rule[:2]
                shown = " ".join(f'<span class="rule">{_equation(*rule)}</span>' for rule in rules)
                yield f'<h3><span class="c{colors[name]}">{escape(name)} · {escape(kind)}</span>{shown}</h3>'
            before = line.nodes
        yield _line(line, colors)


def _equation(left: str, right: str) -> str:
    return f"<math displaystyle='true'>{mathml(left)}<mo>=</mo>{mathml(right)}</math>"


def _line(line: Line, colors: dict[str, int]) -> str:
    shown = shown_line(line)
    parts = [
        f'<math displaystyle="true" class="c{colors.get(of.node, 0)}">{mathml(term, 17)}</math>'
        for term, of in zip(shown.terms, line.terms, strict=True)
    ]
    if shown.rest is not None:
        rest = number(shown.rest, 17)
        rest = f"({rest})" if shown.rest < 0 else rest
        parts.append(f'<span class="soft">{rest} ({line.rest_count:,} more)</span>')
    if line.zeros:
        parts.append(f'<span class="soft">0 ({line.zeros:,} term{"s" if line.zeros != 1 else ""})</span>')
    numbers = '<span class="plus">+</span>'.join(f"<span>{part}</span>" for part in parts)
    return (
        f'<div class="step"><div class="eq">{_equation(line.symbol, line.formula)}</div>'
        f'<div class="eq"><span>=</span>{numbers}</div>'
        f'<div class="eq"><span>=</span><span class="value">{short(shown.value)}</span></div></div>'
    )


def _witness(witness: Witness) -> str:
    verdict = {
        True: '<span class="good">agrees</span>',
        False: '<span class="bad">disagrees</span>',
        None: "cannot say",
    }
    value = "" if witness.value is None else f"{witness.value:.12g}"
    error = "" if witness.error is None else f" ± {witness.error:.1g}"
    shown = verdict[witness.agrees] if witness.value is not None else ""
    note = f'<span class="soft">{escape(witness.note)}</span>'
    return f'<tr><td>{witness.name}</td><td class="n">{value}{error}</td><td>{shown}</td><td>{note}</td></tr>'


def _step(step: OptimizerStep) -> Iterator[str]:
    yield f"<h2>What one step of {escape(step.optimizer)} would do to it</h2>"
    for line in step.lines:
        shown = shown_step(line)
        yield (
            f'<div class="step"><div class="eq">{_equation(line.name, line.formula)}'
            f'<span class="soft">{escape(line.note)}</span></div>'
            f'<div class="eq"><span>=</span>{math(shown.terms[0], 17)}<span>=</span>'
            f'<span class="value">{short(shown.value)}</span></div></div>'
        )
    yield (
        '<div class="scroll"><table><tr><th>the loss changes by</th><th>predicted</th><th>measured</th></tr>'
        f'<tr><td>for this weight alone</td><td class="n">{short(step.predicted)}</td>'
        f'<td class="n">{short(step.measured)}</td></tr><tr><td>for the whole step</td>'
        f'<td class="n">{short(step.predicted_whole)}</td><td class="n">{short(step.measured_whole)}</td></tr>'
        '</table></div><p class="soft">Predicted: gradient times change, the first term of the Taylor series.</p>'
    )


def _batch(batch: Batch) -> Iterator[str]:
    yield f"<h2>The same gradient as a sum over the {len(batch.contributions)} samples</h2>"
    largest = max((abs(c) for c in batch.contributions), default=0.0) or 1.0
    sides = []
    for label, rows, side in (("pull it up", batch.up, "up"), ("pull it down", batch.down, "down")):
        total = sum(batch.contributions[i] for i in rows)
        bars = "".join(
            f'<tr><td class="soft">sample {i}</td><td class="n">{short(batch.contributions[i])}</td>'
            f'<td><span class="bar {side}" style="width:{7 * abs(batch.contributions[i]) / largest:.2f}rem">'
            "</span></td></tr>"
            for i in rows[:ROWS]
        )
        left = rows[ROWS:]
        more = (
            f'<p class="soft">{len(left)} more: {short(sum(batch.contributions[i] for i in left))}</p>' if left else ""
        )
        sides.append(f"<div><p>{len(rows)} {label}, together {short(total)}</p><table>{bars}</table>{more}</div>")
    yield f'<div class="sides">{"".join(sides)}</div>'
    zero = len(batch.contributions) - len(batch.up) - len(batch.down)
    if zero:
        yield f'<p class="soft">{zero} do not move it.</p>'
    if batch.penalty:
        yield f'<p class="soft">The penalties add {short(batch.penalty)}.</p>'


def _paths(paths: Paths) -> Iterator[str]:
    if paths.total is None:
        yield f'<p class="soft">Paths to the loss: {escape(paths.note)}.</p>'
        return
    yield f"<h2>All {len(paths.paths)} paths to the loss that carry something</h2>"
    for path in paths.paths:
        shown = shown_path(path)
        way = " → ".join(str(q) if q.name != "loss" else f"ℓ[{q.index[0]}]" for q in reversed(path.through))
        yield (
            f'<div class="step"><div class="soft">{escape(way)}</div><div class="eq">{math(shown.terms[0], 17)}'
            f'<span>=</span><span class="value">{short(shown.value)}</span></div></div>'
        )
    more = f" ({escape(paths.note)})" if paths.note else ""
    yield f"<p>Their sum: {short(paths.total)}{more}</p>"


def curve(e: Explanation) -> str:
    """The loss along the number, with the tangent at the current value."""
    xs, ys = zip(*e.loss_curve, strict=True)
    low, high = min(ys), max(ys)
    margin = 0.08 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def at(x: float, y: float) -> tuple[float, float]:
        return 46 + 480 * (x - xs[0]) / (xs[-1] - xs[0]), 12 + 180 * (high - y) / (high - low)

    line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in e.loss_curve)
    reach = (xs[-1] - xs[0]) / 4
    if e.value:
        reach = min(reach, (high - low) / 2 / abs(e.value))
    (x1, y1), (x2, y2) = (at(e.current + s * reach, e.loss + s * reach * e.value) for s in (-1, 1))
    x, y = at(e.current, e.loss)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="curve" viewBox="0 0 540 226">'
        '<path class="axis" d="M46 12V192H526" fill="none"/>'
        f'<polyline class="loss" points="{line}"/><line class="tangent" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
        f'y2="{y2:.1f}"/><circle class="today" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        f'<text class="tick" x="40" y="20" text-anchor="end">{high:.3g}</text>'
        f'<text class="tick" x="40" y="192" text-anchor="end">{low:.3g}</text>'
        f'<text class="tick" x="46" y="208">{xs[0]:.3g}</text>'
        f'<text class="tick" x="526" y="208" text-anchor="end">{xs[-1]:.3g}</text>'
        f'<text x="{x:.1f}" y="222" text-anchor="middle">now {e.current:.4g}, slope {e.value:.4g}</text></svg>'
    )
