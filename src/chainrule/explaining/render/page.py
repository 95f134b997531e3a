"""An explanation as a page of its own: HTML with MathML and SVG. It needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterator

from ...display import Html, article, folded, fragment, joined, page, scrolled, table, tag
from ...display.palette import layer_numbers
from ...display.svg import sign
from ..derivation import Batch, Derivation, Line, OptimizerStep, Paths, Witness
from ..notation import number
from .curve import loss_curve
from .digits import short, shown_line, shown_path, shown_step
from .formulas import equation, math
from .plain import circumstances
from .svg import as_svg

__all__ = ["as_fragment", "as_page"]

ROWS = 6  # samples shown to each side
PATHS = 8  # paths shown; the others are folded


def as_page(e: Derivation) -> str:
    """The whole page."""
    return page(f"Why is the gradient of {e.name} {short(e.value)}?", article(*_sections(e)))


def as_fragment(e: Derivation) -> str:
    """The page without its frame, for a notebook."""
    return fragment(article(*_sections(e)))


def _soft(*content: object) -> Html:
    return tag("p", *content, cls="soft")


def _block(*rows: Html) -> Html:
    return tag("div", *rows, cls="block")


def _equals(*numbers: object) -> Html:
    """One row of a block: = numbers."""
    return tag("div", tag("span", "="), *numbers, cls="eq")


def _value(value: float) -> Html:
    return tag("span", short(value), cls="value")


def _sections(e: Derivation) -> Iterator[Html]:
    yield tag("h1", "Why is ", math(e.quantity.gradient), f" equal to {short(e.value)}?")
    yield _soft(f"{e.name} = {short(e.current)}, L = {short(e.loss)}; {circumstances(e)}.")
    yield from map(_soft, e.notes)
    yield scrolled(as_svg(e))
    yield _soft(
        "Each row: sample and neuron, value, gradient. The lines are terms of the chain rule, wide where large, ",
        tag("span", "orange above 0", cls="up"),
        ", ",
        tag("span", "blue below", cls="down"),
        ".",
    )
    yield tag("h2", "From the loss down")
    yield from _lines(e)
    yield tag("h2", "Witnesses")
    yield table((), map(_witness, e.witnesses), numeric=[1])
    if not e.agrees:
        yield tag("p", "They disagree: a backward pass is not the derivative of its forward pass.", cls="bad strong")
    if e.step is not None:
        yield from _step(e.step)
    if len(e.loss_curve) > 1:
        yield tag("h2", f"The loss along {e.name}")
        yield scrolled(loss_curve(e))
    if e.batch is not None:
        yield from _batch(e.batch)
    yield from _paths(e.paths)


def _lines(e: Derivation) -> Iterator[Html]:
    heads = {node.name: node for node in e.nodes}
    colors = layer_numbers(list(heads))
    before: tuple[str, ...] = ()
    for line in e.lines:
        if line.nodes != before:
            for name, kind in zip(line.nodes, line.kinds, strict=True):
                rules = joined(tag("span", equation(*rule), cls="rule") for rule in heads[name].rule[:2])
                yield tag("h3", tag("span", f"{name} · {kind}", cls=f"c{colors[name]}"), rules)
            before = line.nodes
        yield _line(line, colors)


def _line(line: Line, colors: dict[str, int]) -> Html:
    shown = shown_line(line)
    parts = [math(term, 17, cls=f"c{colors.get(of.node, 0)}") for term, of in zip(shown.terms, line.terms, strict=True)]
    if shown.rest is not None:
        rest = number(shown.rest, 17)
        rest = f"({rest})" if shown.rest < 0 else rest
        parts.append(tag("span", f"{rest} ({line.rest_count:,} more)", cls="soft"))
    if line.zeros:
        parts.append(tag("span", f"0 ({line.zeros:,} term{'s' if line.zeros != 1 else ''})", cls="soft"))
    plus = tag("span", "+")
    numbers = [part for term in parts for part in (plus, tag("span", term))][1:]
    return _block(
        tag("div", equation(line.symbol, line.formula), cls="eq"), _equals(*numbers), _equals(_value(shown.value))
    )


def _witness(witness: Witness) -> tuple[object, ...]:
    verdicts = {
        True: tag("span", "agrees", cls="good"),
        False: tag("span", "disagrees", cls="bad strong"),
        None: "cannot say",
    }
    value = "" if witness.value is None else f"{witness.value:.12g}"
    error = "" if witness.error is None else f" ± {witness.error:.1g}"
    verdict = "" if witness.value is None else verdicts[witness.agrees]
    return witness.name, value + error, verdict, tag("span", witness.note, cls="soft")


def _step(step: OptimizerStep) -> Iterator[Html]:
    yield tag("h2", f"What one step of {step.optimizer} would do to it")
    for line in step.lines:
        shown = shown_step(line)
        yield _block(
            tag("div", equation(line.name, line.formula), tag("span", line.note, cls="soft"), cls="eq"),
            _equals(math(shown.terms[0], 17), tag("span", "="), _value(shown.value)),
        )
    rows = (
        ("for this weight alone", short(step.predicted), short(step.measured)),
        ("for the whole step", short(step.predicted_whole), short(step.measured_whole)),
    )
    yield table(("the loss changes by", "predicted", "measured"), rows, numeric=[1, 2])
    yield _soft("Predicted: gradient times change, the first term of the Taylor series.")


def _batch(batch: Batch) -> Iterator[Html]:
    yield tag("h2", f"The same gradient as a sum over the {len(batch.contributions)} samples")
    sides = (("pull it up", batch.up), ("pull it down", batch.down))
    yield tag("div", *(_side(batch, label, rows) for label, rows in sides), cls="sides")
    zero = len(batch.contributions) - len(batch.up) - len(batch.down)
    if zero:
        yield _soft(f"{zero} do not move it.")
    if batch.penalty:
        yield _soft(f"The penalties add {short(batch.penalty)}.")


def _side(batch: Batch, label: str, rows: tuple[int, ...]) -> Html:
    """The samples that pull one way, with a bar for each."""
    values = batch.contributions
    largest = max((abs(c) for c in values), default=0.0) or 1.0

    def bar(value: float) -> Html:
        return tag("span", cls=f"bar {sign(value)}", style=f"width:{7 * abs(value) / largest:.2f}rem")

    shown = [(tag("span", f"sample {i}", cls="soft"), short(values[i]), bar(values[i])) for i in rows[:ROWS]]
    left = rows[ROWS:]
    return tag(
        "div",
        tag("p", f"{len(rows)} {label}, together {short(sum(values[i] for i in rows))}"),
        table((), shown, numeric=[1]) if shown else "",
        _soft(f"{len(left)} more: {short(sum(values[i] for i in left))}") if left else "",
    )


def _paths(paths: Paths) -> Iterator[Html]:
    if paths.total is None:
        yield _soft(f"Paths to the loss: {paths.note}.")
        return
    yield tag("h2", f"All {len(paths.paths)} paths to the loss that carry something")
    blocks = []
    for path in paths.paths:
        shown = shown_path(path)
        way = " → ".join(str(q) if q.name != "loss" else f"ℓ[{q.index[0]}]" for q in reversed(path.through))
        number_of_path = tag("div", math(shown.terms[0], 17), tag("span", "="), _value(shown.value), cls="eq")
        blocks.append(_block(tag("div", way, cls="soft"), number_of_path))
    yield from blocks[:PATHS]
    if len(blocks) > PATHS:
        left = sum(path.product for path in paths.paths[PATHS:])
        yield folded(f"{len(blocks) - PATHS} more paths, together {short(left)}", *blocks[PATHS:])
    yield tag("p", f"Their sum: {short(paths.total)}", f" ({paths.note})" if paths.note else "")
