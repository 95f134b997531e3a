"""What stands beside the derivation, as text: witnesses, the optimizer's step, the samples, the paths."""

from __future__ import annotations

from collections.abc import Iterator

from ..derivation import Batch, Derivation, OptimizerStep, Witness
from ..notation import text
from .digits import short, shown_path, shown_step
from .spans import Span, Spans, cells, pad

__all__ = ["extras", "pulling", "unmoved", "verdict_in_a_line"]

BAR = 24  # characters
FEW, SHOWN = 3, 5  # samples to each side, in short and in full


def extras(e: Derivation, width: int, full: bool) -> Iterator[Spans]:
    """Everything after the steps; folded to a line each where `full` is not asked for."""
    if e.batch is not None:
        yield from _batch(e.batch, SHOWN if full else FEW)
    if e.witnesses and not full:
        yield []
        good = e.agrees
        yield [Span(verdict_in_a_line(e), "good" if good else "bad")]
    elif e.witnesses:
        yield from _witnesses(e)
    if e.step is not None:
        yield from (_step(e.step) if full else _step_in_a_line(e.step))
    if full:
        yield from _paths(e)
    elif e.paths.total is not None:
        count, total = len(e.paths.paths), short(e.paths.total)
        several, one = "added up, their products give", f"One path leads from it to {e.goal}; the product along it is"
        yield [Span(f"{one if count == 1 else f'{count:,} paths lead from it to {e.goal}; {several}'} {total}.")]
    if not full and (e.witnesses or e.step is not None):
        yield [Span("In full: --full in the shell, .to_text(full=True) in Python.", "faint")]


def _title(title: str) -> Iterator[Spans]:
    yield []
    yield [Span(title, "title")]


def verdict_in_a_line(e: Derivation) -> str:
    """How many ways agree, in one line."""
    agreeing = [_short(w) for w in e.witnesses if w.agrees]
    others = [w for w in e.witnesses if not w.agrees]
    if not e.agrees:
        wrong = " and ".join(w.name.partition(",")[0] for w in others if w.agrees is False)
        return f"The ways to this number DISAGREE ({wrong}): a backward pass is not the derivative of its forward pass."
    said = f"{len(agreeing)} ways agree: {', '.join(agreeing)}."
    for w in others:
        name = _short(w)
        told = f"was {w.note}" if w.note.startswith("left out") else f"cannot tell: {w.note}"
        said += f" {name[:1].upper()}{name[1:]} {told}."
    return said


def pulling(samples: int, way: str) -> str:
    """How many samples pull a gradient up or down."""
    return f"{samples} pull{'s' if samples == 1 else ''} it {way}"


def unmoved(samples: int) -> str:
    """How many samples leave a gradient as it is."""
    return f"{samples} do{'es' if samples == 1 else ''} not move it"


def _short(witness: Witness) -> str:
    """The name of a way, and in a word how it goes."""
    name = witness.name.partition(",")[0]
    return {"central difference": "nudging it", "Value": f"{name} (number by number)"}.get(name, name)


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
        None: Span("  cannot tell", "faint"),
    }
    note = f"  {witness.note}" if witness.note else ""
    return [
        Span(f"  {witness.name:<{wide}}  {witness.value: .12g}{error}"),
        verdict[witness.agrees],
        Span(note, "faint"),
    ]


def _step_in_a_line(step: OptimizerStep) -> Iterator[Spans]:
    if step.after == step.before:
        yield [Span(f"One step of {step.optimizer} would leave it as it is, at {short(step.after)}.")]
        return
    first = f"One step of {step.optimizer} would change it by {short(step.after - step.before)}, to {short(step.after)}"
    second = f"this weight alone changes the loss by {short(step.measured)}"
    yield [Span(f"{first}; {second} (gradient · change predicts {short(step.predicted)}).")]
    also = " and ".join(_beside_the_gradient(step))
    if step.predicted > 0 and also:
        yield [Span(f"That is against this gradient: {step.optimizer} also follows {also}.")]
    elif step.predicted == 0 and also:
        yield [Span(f"This gradient is 0: {step.optimizer} follows {also}.")]


def _beside_the_gradient(step: OptimizerStep) -> Iterator[str]:
    """What moves a weight beside its gradient of this batch."""
    if any(line.name.endswith("_new") and line.name != "w_new" for line in step.lines):
        yield "the gradients of the batches before"
    if any("decay" in line.note for line in step.lines):
        yield "its weight decay"


def _step(step: OptimizerStep) -> Iterator[Spans]:
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
        said = f"gradient · change predicts {short(predicted)}, measured {short(measured)}"
        yield [Span(f"    {label:<18}  {said}")]


def _batch(batch: Batch, most: int) -> Iterator[Spans]:
    count = len(batch.contributions)
    yield from _title(f"The same gradient as a sum over the {count} samples")
    up, down = batch.up, batch.down
    largest = max((abs(c) for c in batch.contributions), default=0.0) or 1.0
    for way, rows, sign in (("up", up, 1), ("down", down, -1)):
        if not rows:
            continue
        total = sum(batch.contributions[i] for i in rows)
        yield [Span(f"  {pulling(len(rows), way)}, together {short(total)}")]
        for i in rows[:most]:
            bar = "█" * max(1, round(BAR * abs(batch.contributions[i]) / largest))
            style = "up" if sign > 0 else "down"
            value = short(batch.contributions[i])
            shown = f"    sample {i:<5} {' ' * (not value.startswith('-'))}{value}"
            yield [Span(shown.ljust(32)), Span(bar, style)]
        if len(rows) > most:
            left = short(sum(batch.contributions[i] for i in rows[most:]))
            yield [Span(f"    {len(rows) - most} more: {left}", "faint")]
    zero = count - len(up) - len(down)
    rest = ([unmoved(zero)] if zero else []) + ([f"the penalties add {short(batch.penalty)}"] if batch.penalty else [])
    if rest:
        yield [Span(f"  {'; '.join(rest)}")]
    if batch.mixed:
        yield [Span("  The samples take part in each other's output; a sample counts here by its own loss.", "faint")]


def _paths(e: Derivation) -> Iterator[Spans]:
    paths = e.paths
    if paths.total is None:
        if paths.note:
            yield []
            yield [Span(f"Paths to {e.goal}: {paths.note}.", "faint")]
        return
    yield from _title(f"All paths to {e.goal} that carry something: {len(paths.paths)}")
    for path in paths.paths:
        shown = shown_path(path)
        way = " → ".join(e.written(q) if q.name != "loss" else f"ℓ[{q.index[0]}]" for q in reversed(path.through))
        yield [Span(f"  {way}", "faint")]
        yield [Span(f"    {text(shown.terms[0], 17)} = {short(shown.value)}")]
    more = f" ({paths.note})" if paths.note else ""
    yield [Span(f"  their sum: {short(paths.total)}{more}")]
