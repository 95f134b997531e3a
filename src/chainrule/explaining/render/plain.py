"""An explanation as plain text. Every line is a list of marked spans, so that a terminal can colour the same lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from ..derivation import Batch, Derivation, Line, OptimizerStep, Paths, Witness
from ..notation import number, text
from .digits import short, shown_line, shown_path, shown_step

__all__ = ["Span", "as_text", "written"]

BAR = 24  # characters


class Span(NamedTuple):
    """Some text and what it is: "title", "faint", "good", "bad", "value", or a layer's name, whose colour it has."""

    text: str
    style: str = ""


Spans = list[Span]


def as_text(explanation: Derivation, width: int = 100) -> str:
    """The whole explanation."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in written(explanation, width))


def written(explanation: Derivation, width: int = 100) -> Iterator[Spans]:
    """Line by line."""
    yield from _head(explanation)
    yield from _lines(explanation, width)
    yield from _witnesses(explanation)
    if explanation.step is not None:
        yield from _step(explanation.step, width)
    if explanation.batch is not None:
        yield from _batch(explanation.batch, explanation.name)
    yield from _paths(explanation.paths, width)


def _title(title: str) -> Iterator[Spans]:
    yield []
    yield [Span(title, "title")]


def _head(e: Derivation) -> Iterator[Spans]:
    yield [Span(f"Why is ∂L/∂{e.name} = {short(e.value)}?", "title")]
    yield [Span(f"  {e.name} = {short(e.current)}, L = {short(e.loss)}; {circumstances(e)}", "faint")]
    for note in e.notes:
        yield [Span(f"  {note}", "faint")]


def circumstances(e: Derivation) -> str:
    """On what the gradient was taken."""
    which = f"{e.samples} sample{'s' if e.samples != 1 else ''}"
    if e.sample is not None:
        which = f"the loss of sample {e.sample} alone"
    return f"{which}, {'training' if e.training else 'inference'} mode, float64"


def _lines(e: Derivation, width: int) -> Iterator[Spans]:
    heads = {node.name: node for node in e.nodes}
    column = min(max(cells(text(line.symbol)) for line in e.lines), 34)
    before: tuple[str, ...] = ()
    for line in e.lines:
        if line.nodes != before:
            yield []
            for name, kind in zip(line.nodes, line.kinds, strict=True):
                rule = ", ".join(f"{text(left)} = {text(right)}" for left, right in heads[name].rule[:2])
                yield [Span(name, name), Span(f" · {kind}", name), Span(f"   {rule}" if rule else "", "faint")]
            before = line.nodes
        yield from _line(line, column, width)


def _line(line: Line, column: int, width: int) -> Iterator[Spans]:
    """Symbol, formula, numbers, value: in one line of text where they fit, else one below the other."""
    shown = shown_line(line)
    name = line.quantity.name if not line.is_loss else line.nodes[0]
    symbol = Span(f"  {pad(text(line.symbol), column)} ", name)
    formula, value = text(line.formula), [Span("= "), Span(short(shown.value), "value")]
    sum_of = [Span(text(term, 17), of.node) for term, of in zip(shown.terms, line.terms, strict=True)]
    if shown.rest is not None:
        count = f"{line.rest_count:,} more term{'s' if line.rest_count != 1 else ''}"
        sum_of.append(Span(f"{_signed(number(shown.rest, 17))} ({count})", "faint"))
    if line.zeros:
        sum_of.append(Span(f"0 ({line.zeros:,} term{'s' if line.zeros != 1 else ''})", "faint"))
    numbers = [part for span in sum_of for part in (Span(" + "), span)][1:]
    middle = (
        [Span("= "), *numbers, Span(" ")]
        if "".join(p.text for p in numbers) not in (formula, short(shown.value))
        else []
    )
    whole = [symbol, Span(f"= {formula} "), *middle, *value]
    if sum(cells(span.text) for span in whole) <= width:
        yield whole
        return
    yield [symbol, Span(f"= {formula}")]
    if middle:
        yield from _sum(sum_of, column, width)
    yield [Span(f"  {' ' * column} "), *value]


def _sum(spans: Spans, column: int, width: int) -> Iterator[Spans]:
    """Terms with + between them, in as many lines as they need."""
    start = f"  {' ' * column} "
    line: Spans = [Span(f"{start}= ")]
    used = len(start) + 2
    for i, span in enumerate(spans):
        plus = " + " if i else ""
        if i and used + cells(span.text) + 3 > width:
            yield line
            line, used, plus = [Span(start)], len(start), "+ "
        line += [Span(plus), span]
        used += len(plus) + cells(span.text)
    yield line


def _witnesses(e: Derivation) -> Iterator[Spans]:
    yield from _title("Witnesses")
    wide = max(len(witness.name) for witness in e.witnesses)
    for witness in e.witnesses:
        yield _witness(witness, wide)
    if not e.agrees:
        yield [Span("  They disagree: a backward pass is not the derivative of its forward pass.", "bad")]


def _witness(witness: Witness, wide: int) -> Spans:
    if witness.value is None:
        return [Span(f"  {witness.name:<{wide}}  -  "), Span(witness.note, "faint")]
    error = "" if witness.error is None else f" ± {witness.error:.1g}"
    verdict = {
        True: Span("  agrees", "good"),
        False: Span("  DISAGREES", "bad"),
        None: Span("  cannot say", "faint"),
    }
    note = f"  {witness.note}" if witness.note else ""
    return [
        Span(f"  {witness.name:<{wide}}  {witness.value: .12g}{error}"),
        verdict[witness.agrees],
        Span(note, "faint"),
    ]


def _step(step: OptimizerStep, width: int) -> Iterator[Spans]:
    yield from _title(f"What one step of {step.optimizer} would do to it")
    wide = max(cells(text(line.name)) for line in step.lines)
    for line in step.lines:
        shown = shown_step(line)
        numbers = text(shown.terms[0], 17)
        value = short(shown.value)
        parts = dict.fromkeys([text(line.formula), numbers, value])
        yield [
            Span(f"  {pad(text(line.name), wide)} "),
            Span("".join(f"= {part} " for part in parts)),
            Span(f"  {line.note}", "faint"),
        ]
    yield []
    change = step.after - step.before
    yield [Span(f"  it changes by {short(change)}; the loss then changes by")]
    rows = (
        ("this weight alone", step.predicted, step.measured),
        ("the whole step", step.predicted_whole, step.measured_whole),
    )
    for label, predicted, measured in rows:
        yield [Span(f"    {label:<18}  predicted (gradient · change) {predicted: .6g}, measured {measured: .6g}")]


def _batch(batch: Batch, name: str) -> Iterator[Spans]:
    count = len(batch.contributions)
    yield from _title(f"The same gradient as a sum over the {count} samples")
    up, down = batch.up, batch.down
    largest = max((abs(c) for c in batch.contributions), default=0.0) or 1.0
    for label, rows, sign in (("pull it up", up, 1), ("pull it down", down, -1)):
        total = sum(batch.contributions[i] for i in rows)
        yield [Span(f"  {len(rows)} {label}, together {short(total)}")]
        for i in rows[:5]:
            bar = "█" * max(1, round(BAR * abs(batch.contributions[i]) / largest))
            style = "up" if sign > 0 else "down"
            yield [Span(f"    sample {i:<5} {batch.contributions[i]: .6g}".ljust(32)), Span(bar, style)]
        if len(rows) > 5:
            yield [Span(f"    {len(rows) - 5} more: {short(sum(batch.contributions[i] for i in rows[5:]))}", "faint")]
    zero = count - len(up) - len(down)
    rest = ([f"{zero} do not move it"] if zero else []) + (
        [f"the penalties add {short(batch.penalty)}"] if batch.penalty else []
    )
    if rest:
        yield [Span(f"  {'; '.join(rest)}")]
    if batch.mixed:
        yield [Span("  The samples take part in each other's output; a sample counts here by its own loss.", "faint")]


def _paths(paths: Paths, width: int) -> Iterator[Spans]:
    if paths.total is None:
        yield []
        yield [Span(f"Paths to the loss: {paths.note}.", "faint")]
        return
    yield from _title(f"All {len(paths.paths)} paths to the loss that carry something")
    for path in paths.paths:
        shown = shown_path(path)
        way = " → ".join(str(q) if q.name != "loss" else f"ℓ[{q.index[0]}]" for q in reversed(path.through))
        yield [Span(f"  {way}", "faint")]
        yield [Span(f"    {text(shown.terms[0], 17)} = {short(shown.value)}")]
    more = f" ({paths.note})" if paths.note else ""
    yield [Span(f"  their sum: {short(paths.total)}{more}")]


def _signed(shown: str) -> str:
    return f"({shown})" if shown.startswith("-") else shown


def cells(shown: str) -> int:
    """How many columns a text takes: combining marks take none."""
    return sum(not unicodedata.combining(c) for c in shown)


def pad(shown: str, wide: int) -> str:
    """The text filled up with spaces to a width."""
    return shown + " " * max(0, wide - cells(shown))
