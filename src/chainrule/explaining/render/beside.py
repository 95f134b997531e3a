"""What stands beside the derivation on a page: samples, and folded witnesses, step, curve and paths."""

from __future__ import annotations

from collections.abc import Iterator

from ...display import Html, folded, scrolled, table, tag
from ...display.svg import sign
from ..derivation import Batch, Derivation, OptimizerStep, Witness
from .curve import loss_curve
from .digits import short, shown_path, shown_step
from .extras import pulling, unmoved, verdict_in_a_line
from .formulas import equation, math

__all__ = ["beside", "soft"]

ROWS = 6  # samples shown to each side


def soft(*content: object) -> Html:
    """A paragraph that stands back."""
    return tag("p", *content, cls="soft")


def _block(*rows: Html) -> Html:
    return tag("div", *rows, cls="block")


def _value(value: float) -> Html:
    return tag("span", short(value), cls="value")


def beside(e: Derivation) -> Iterator[Html]:
    """Every further section."""
    if e.batch is not None:
        yield from _batch(e.batch)
    if e.witnesses:
        rows = table((), map(_witness, e.witnesses), numeric=[1])
        if e.agrees:
            yield folded(verdict_in_a_line(e), rows)
        else:
            yield tag("p", verdict_in_a_line(e), cls="bad strong")
            yield rows
    if e.step is not None:
        yield folded(f"What one step of {e.step.optimizer} would do to it", *_step(e.step))
    if len(e.loss_curve) > 1:
        yield folded(f"{e.goal[0].upper()}{e.goal[1:]} along {e.title}", scrolled(loss_curve(e)))
    yield from _paths(e)


def _witness(witness: Witness) -> tuple[object, ...]:
    verdicts = {
        True: tag("span", "agrees", cls="good"),
        False: tag("span", "disagrees", cls="bad strong"),
        None: "cannot tell",
    }
    value = "" if witness.value is None else f"{witness.value:.12g}"
    error = "" if witness.error is None else f" ± {witness.error:.1g}"
    verdict = "" if witness.value is None else verdicts[witness.agrees]
    return witness.name, value + error, verdict, tag("span", witness.note, cls="soft")


def _step(step: OptimizerStep) -> Iterator[Html]:
    for line in step.lines:
        shown = shown_step(line)
        numbers = (tag("span", "="), math(shown.terms[0], 17), tag("span", "="), _value(shown.value))
        yield _block(
            tag("div", equation(line.name, line.formula), tag("span", line.note, cls="soft"), cls="eq"),
            tag("div", *numbers, cls="eq"),
        )
    rows = (
        ("for this weight alone", short(step.predicted), short(step.measured)),
        ("for the whole step", short(step.predicted_whole), short(step.measured_whole)),
    )
    yield table(("the loss changes by", "predicted", "measured"), rows, numeric=[1, 2])
    yield soft("Predicted: gradient times change, the first term of the Taylor series.")


def _batch(batch: Batch) -> Iterator[Html]:
    yield tag("h2", f"The same gradient as a sum over the {len(batch.contributions)} samples")
    sides = (("up", batch.up), ("down", batch.down))
    yield tag("div", *(_side(batch, way, rows) for way, rows in sides), cls="sides")
    zero = len(batch.contributions) - len(batch.up) - len(batch.down)
    if zero:
        yield soft(f"{unmoved(zero)}.")
    if batch.penalty:
        yield soft(f"The penalties add {short(batch.penalty)}.")


def _side(batch: Batch, way: str, rows: tuple[int, ...]) -> Html:
    """The samples that pull one way, with a bar for each."""
    values = batch.contributions
    largest = max((abs(c) for c in values), default=0.0) or 1.0

    def bar(value: float) -> Html:
        return tag("span", cls=f"bar {sign(value)}", style=f"width:{7 * abs(value) / largest:.2f}rem")

    shown = [(tag("span", f"sample {i}", cls="soft"), short(values[i]), bar(values[i])) for i in rows[:ROWS]]
    left = rows[ROWS:]
    return tag(
        "div",
        tag("p", f"{pulling(len(rows), way)}, together {short(sum(values[i] for i in rows))}"),
        table((), shown, numeric=[1]) if shown else "",
        soft(f"{len(left)} more: {short(sum(values[i] for i in left))}") if left else "",
    )


def _paths(e: Derivation) -> Iterator[Html]:
    paths = e.paths
    if paths.total is None:
        if paths.note:
            yield soft(f"Paths to {e.goal}: {paths.note}.")
        return
    blocks = []
    for path in paths.paths:
        shown = shown_path(path)
        way = " → ".join(e.written(q) if q.name != "loss" else f"ℓ[{q.index[0]}]" for q in reversed(path.through))
        number_of_path = tag("div", math(shown.terms[0], 17), tag("span", "="), _value(shown.value), cls="eq")
        blocks.append(_block(tag("div", way, cls="soft"), number_of_path))
    total = tag("p", f"Their sum: {short(paths.total)}", f" ({paths.note})" if paths.note else "")
    yield folded(f"All paths to {e.goal} that carry something: {len(paths.paths)}", *blocks, total)
