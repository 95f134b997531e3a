"""An explanation as a page of its own: HTML with MathML and SVG. It needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ..derivation import Batch, Explanation, Line, Paths, Step, Witness
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
    return _STYLE.replace("/*light*/", light).replace("/*dark*/", dark) + classes


_STYLE = """
.chainrule{/*light*/--ink:#1d2129;--soft:#5d6673;--line:#dfe3e8;--paper:#fff;--tint:#f5f7f9;--up:#b04a00;--down:#0064a3;
--good:#00735a;--bad:#b3261e;color:var(--ink);background:var(--paper);max-width:62rem;margin:0 auto;padding:1.6rem 1.2rem;
font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;box-sizing:border-box}
@media(prefers-color-scheme:dark){.chainrule{/*dark*/--ink:#e6e9ee;--soft:#9aa4b1;--line:#343b45;--paper:#15181d;
--tint:#1d2229;--up:#ff9a57;--down:#6bb8ff;--good:#4fd0ab;--bad:#ff8a80}body:has(>.chainrule){background:#15181d}}
body:has(>.chainrule){margin:0}
.chainrule h1{font-size:1.45rem;line-height:1.3;margin:0 0 .3rem;font-weight:650}
.chainrule h2{font-size:1.05rem;margin:2.2rem 0 .6rem;font-weight:650}
.chainrule h3{font-size:.95rem;margin:1.3rem 0 .4rem;font-weight:650;display:flex;flex-wrap:wrap;gap:.2rem .9rem;align-items:baseline}
.chainrule h3 .rule{color:var(--soft);font-weight:400}
.chainrule p{margin:.3rem 0}
.chainrule .soft{color:var(--soft);font-size:.9rem}
.chainrule .scroll{overflow-x:auto;margin:0 -.2rem;padding:.2rem}
.chainrule math{font-size:1.02em}
.chainrule .step{border-left:2px solid var(--line);padding:.25rem 0 .25rem .9rem;margin:.35rem 0;overflow-x:auto}
.chainrule .step .eq{display:flex;flex-wrap:wrap;gap:.15rem .5rem;align-items:center;margin:.15rem 0 .15rem 1.2rem}
.chainrule .step .eq:first-child{margin-left:0}
.chainrule .step .value{font-weight:650;font-variant-numeric:tabular-nums}
.chainrule table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.94rem}
.chainrule td,.chainrule th{padding:.28rem .9rem .28rem 0;text-align:left;vertical-align:middle;border:0;background:none}
.chainrule tr{border-bottom:1px solid var(--line);background:none}
.chainrule td.n{text-align:right;white-space:nowrap}
.chainrule .good{color:var(--good)}.chainrule .bad{color:var(--bad);font-weight:650}
.chainrule .bar{display:inline-block;height:.72rem;border-radius:2px;vertical-align:middle}
.chainrule .bar.up{background:var(--up)}.chainrule .bar.down{background:var(--down)}
.chainrule .sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.4rem 2.2rem}
.chainrule svg.net{width:100%;min-width:44rem;height:auto;display:block;font:12.5px system-ui,sans-serif}
.chainrule svg .box{fill:var(--tint);stroke-width:1.2}.chainrule svg .name{font-weight:650;font-size:13.5px}
.chainrule svg text{fill:var(--ink)}.chainrule svg .kind{fill:var(--soft);font-size:11.5px}
.chainrule svg .num{text-anchor:end;font-variant-numeric:tabular-nums}.chainrule svg .grad{fill:var(--soft)}
.chainrule svg .target text{font-weight:700}
.chainrule svg .edge{fill:none;stroke:var(--line);stroke-width:1.2}
.chainrule svg .term{fill:none;opacity:.75}.chainrule svg .up{stroke:var(--up)}.chainrule svg .down{stroke:var(--down)}
.chainrule svg .none{stroke:var(--line);stroke-dasharray:3 3}
.chainrule svg.curve{width:100%;max-width:34rem;height:auto;display:block;font:12px system-ui,sans-serif}
.chainrule svg .loss{fill:none;stroke:var(--down);stroke-width:2}.chainrule svg .tangent{stroke:var(--up);stroke-dasharray:5 4}
.chainrule svg .today{fill:var(--ink)}.chainrule svg .axis{stroke:var(--line)}.chainrule svg .tick{fill:var(--soft)}
@media(max-width:36rem){.chainrule{padding:1.1rem .9rem;font-size:15px}.chainrule h1{font-size:1.2rem}.chainrule .step .eq{margin-left:.4rem}}
"""


def _sections(e: Explanation) -> Iterator[str]:
    symbol = e.quantity.gradient
    yield f"<h1>Why is {math(symbol)} equal to {short(e.value)}?</h1>"
    yield f'<p class="soft">{escape(e.name)} = {short(e.today)}, L = {short(e.loss)}; {escape(circumstances(e))}.</p>'
    yield "".join(f'<p class="soft">{escape(note)}</p>' for note in e.notes)
    yield f'<div class="scroll">{as_svg(e)}</div>'
    yield (
        '<p class="soft">Each row: sample and neuron, value, gradient. The lines are terms of the chain rule, wide where '
        'large, <span style="color:var(--up)">orange above 0</span>, <span style="color:var(--down)">blue below</span>.</p>'
    )
    yield "<h2>From the loss down</h2>"
    yield from _lines(e)
    yield "<h2>Witnesses</h2>"
    yield f'<div class="scroll"><table>{"".join(map(_witness, e.witnesses))}</table></div>'
    if not e.agrees:
        yield '<p class="bad">They disagree: a backward pass is not the derivative of its forward pass.</p>'
    if e.step is not None:
        yield from _step(e.step)
    if len(e.along) > 1:
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


def _step(step: Step) -> Iterator[str]:
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
            f'<td><span class="bar {side}" style="width:{7 * abs(batch.contributions[i]) / largest:.2f}rem"></span></td></tr>'
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
        way = " → ".join(str(q) if q.name != "loss" else f"ℓ[{q.place[0]}]" for q in reversed(path.through))
        yield (
            f'<div class="step"><div class="soft">{escape(way)}</div><div class="eq">{math(shown.terms[0], 17)}'
            f'<span>=</span><span class="value">{short(shown.value)}</span></div></div>'
        )
    more = f" ({escape(paths.note)})" if paths.note else ""
    yield f"<p>Their sum: {short(paths.total)}{more}</p>"


def curve(e: Explanation) -> str:
    """The loss along the number, with the tangent at today's value."""
    xs, ys = zip(*e.along, strict=True)
    low, high = min(ys), max(ys)
    margin = 0.08 * (high - low) or 1.0
    low, high = low - margin, high + margin

    def at(x: float, y: float) -> tuple[float, float]:
        return 46 + 480 * (x - xs[0]) / (xs[-1] - xs[0]), 12 + 180 * (high - y) / (high - low)

    line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in e.along)
    reach = (xs[-1] - xs[0]) / 4
    if e.value:
        reach = min(reach, (high - low) / 2 / abs(e.value))
    (x1, y1), (x2, y2) = (at(e.today + s * reach, e.loss + s * reach * e.value) for s in (-1, 1))
    x, y = at(e.today, e.loss)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="curve" viewBox="0 0 540 226" role="img" aria-label="loss curve">'
        '<path class="axis" d="M46 12V192H526" fill="none"/>'
        f'<polyline class="loss" points="{line}"/><line class="tangent" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
        f'y2="{y2:.1f}"/><circle class="today" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        f'<text class="tick" x="40" y="20" text-anchor="end">{high:.3g}</text>'
        f'<text class="tick" x="40" y="192" text-anchor="end">{low:.3g}</text>'
        f'<text class="tick" x="46" y="208">{xs[0]:.3g}</text>'
        f'<text class="tick" x="526" y="208" text-anchor="end">{xs[-1]:.3g}</text>'
        f'<text x="{x:.1f}" y="222" text-anchor="middle">today {e.today:.4g}, slope {e.value:.4g}</text></svg>'
    )
