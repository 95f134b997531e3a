"""An explanation as plain text. Every line is a list of marked spans, so that a terminal can colour the same lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...display.spelling import spelled
from ...display.terminal import visible
from ..derivation import Batch, Derivation, DiagramNode, ReadingStep
from ..notation import number, text
from ..notations import asked_in, require_notation, written_in
from .digits import short, shown_line
from .extras import extras
from .key import key_of
from .spans import Span, Spans, cells, wrapped

__all__ = ["alike", "as_text", "circumstances", "heading", "is_told", "signed", "slope_in_words", "written"]

NARROWEST = 40
_NUMBERS = re.compile(r"-?\d[\d.]*(e-?\d+)?")
HEADINGS = {
    "forward": "Forward: what the network computed",
    "loss": "The loss",
    "backward": "Backward: from {} down",
}


def as_text(explanation: Derivation, width: int = 100, *, full: bool = False, notation: str = "book") -> str:
    """The whole explanation."""
    lines = written(explanation, width, full=full, notation=notation)
    return "\n".join(visible("".join(span.text for span in line)).rstrip() for line in lines)


def written(
    e: Derivation, width: int = 100, *, full: bool = False, notation: str = "book", encoding: str = "utf-8"
) -> Iterator[Spans]:
    """Line by line; without `full`, what multiplies by one, witnesses, paths and the optimizer take a line each.

    What an `encoding` lacks is spelled out.
    """
    require_notation(notation)
    width = max(width, NARROWEST)
    for indent, line in _all(e, width, full, notation):
        yield from wrapped([Span(spelled(span.text, encoding), span.style) for span in line], width, indent)


def _all(e: Derivation, width: int, full: bool, notation: str) -> Iterator[tuple[int, Spans]]:
    """Each line with how far its rest is indented where it is wrapped."""
    yield from ((2, line) for line in _head(e, notation))
    yield from _steps(e, width, full, notation)
    yield from ((4, line) for line in extras(e, width, full))


def _head(e: Derivation, notation: str) -> Iterator[Spans]:
    yield [Span(f"Why is {asked_in(e, notation)} = {short(e.value)}?", "title")]
    if e.answer:
        yield [Span(f"  {e.answer}", "value")]
    yield [Span(f"  {e.title} is {short(e.current)}; {circumstances(e)}.", "faint")]
    if e.value:
        yield [Span(f"  {slope_in_words(e)}", "faint")]
    for line in (*e.notes, key_of(e)):
        if line:
            yield [Span(f"  {line}", "faint")]


def slope_in_words(e: Derivation) -> str:
    """What the gradient says of a small change."""
    way, size = "up" if e.value > 0 else "down", short(abs(e.value))
    return f"If it grew by a little, L would go {way} by {'just' if size == '1' else f'{size} times'} as much."


def circumstances(e: Derivation) -> str:
    """What L is, and on what the gradient was taken."""
    which = f", on {e.samples} sample{'s' if e.samples != 1 else ''}" if e.sample is None else ""
    of = "" if e.sample is None else f" of sample {e.sample} alone"
    mode = f", as when the network {'trains' if e.training else 'predicts'}" if e.modes else ""
    what = f"L = {e.objective}{of} =" if e.objective.startswith("Σ") else f"{e.objective}{of} is L ="
    return f"{what} {short(e.loss)}{which}{mode}"


def _steps(e: Derivation, width: int, full: bool, notation: str) -> Iterator[tuple[int, Spans]]:
    heads = {node.name: node for node in e.nodes}
    before: tuple[str, ...] = ()
    part = said = ""
    for step in e.steps:
        if step.part != part:
            part, before = step.part, ()
            yield 0, []
            yield 2, [Span(heading(step, e), "title")]
        group = step.nodes or (step.node,)
        if group != before and step.node in heads and part != "loss":
            yield 0, []
            yield from ((4, line) for line in _layers(step, heads, width if step.part == "forward" else 0))
        before, known = group, said
        said = step.sentence
        if step.folded and not full:
            if is_told(step, known):
                yield 2, [Span(f"  {step.sentence}")]
            left = text(written_in(step, notation).left)
            yield 4, [Span(f"  {left}", step.node), Span(" = "), Span(short(step.value), "value")]
            continue
        if step.sentence and not alike(step.sentence, known):
            yield 2, [Span(f"  {step.sentence}")]
        yield from _step(step, width, notation)


def is_told(step: ReadingStep, before: str) -> bool:
    """Whether a folded step says its sentence: one that multiplies by one does, one that is like another does not."""
    one = len(step.terms) + step.rest_count + step.zeros == 1
    return step.part != "forward" and one and not alike(step.sentence, before)


def alike(sentence: str, before: str) -> bool:
    """Whether two sentences say the same but for their numbers.

    >>> alike("the slope is 0.5 here", "the slope is -1e-7 here"), alike("the neuron is on", "the neuron is off")
    (True, False)
    """
    return _NUMBERS.sub("", sentence) == _NUMBERS.sub("", before)


def heading(step: ReadingStep, e: Derivation) -> str:
    """What a part of the steps is about."""
    shown = HEADINGS[step.part].format("the output" if e.objective != "the loss" else e.objective)
    if step.part == "forward" and e.samples > 1:
        found = (re.search(r"\[(\d+)[,\]]|loss of sample (\d+)", s.title) for s in e.steps if s.part == "forward")
        row = next(match[1] or match[2] for match in found if match)
        counts = e.kind == "parameter" and e.sample is None and bool(e.value) and _leads(e.batch, int(row))
        shown += f" for sample {row}" + (", which counts most" if counts else "")
    return f"{shown} to {e.title}" if step.part == "backward" else shown


def _leads(batch: Batch | None, row: int) -> bool:
    """Whether no other sample has a larger part in the sum over the samples that is shown below."""
    return batch is None or abs(batch.contributions[row]) >= max(map(abs, batch.contributions))


def _layers(step: ReadingStep, heads: dict[str, DiagramNode], width: int) -> Iterator[Spans]:
    """The layers of a step, each with its formulas beside it, or below where there is no room; none for width 0."""
    for name in step.nodes or (step.node,):
        node = heads[name]
        rules = [f"{text(left)} = {text(right)}" for left, right in node.rule[:2]] if width else []
        title, beside = f"{name} · {node.kind}" if node.kind else name, f"   {', '.join(rules)}"
        if rules and cells(title + beside) <= width:
            yield [Span(title, name), Span(beside, "faint")]
        else:
            yield [Span(title, name)]
            yield from ([Span(f"  {rule}", "faint")] for rule in rules)


def _step(step: ReadingStep, width: int, notation: str) -> Iterator[tuple[int, Spans]]:
    """Left side and formula, then the numbers, one term a line with its name beside it, then the value."""
    shown = shown_line(step)
    form = written_in(step, notation)
    right = form.code.partition(" = ")[2] if form.code else text(form.right) if form.right else ""
    left = [Span(f"  {text(form.left)}", step.node), Span(f" = {right}" if right else "")]
    numbers = [text(term, 17) for term in shown.terms]
    numbers = [signed(n) if i else n for i, n in enumerate(numbers)]
    names = [text(name) if name else "" for name in form.terms]
    value = [Span("= "), Span(short(shown.value), "value")]
    if numbers == [short(shown.value)] and not right:
        yield 6, [*left, Span(" "), *value]
        return
    yield 6, left
    if len(numbers) == 1 and shown.rest is None and not step.zeros:
        alone = [] if numbers[0] in (short(shown.value), right) else [Span(f"= {numbers[0]} ")]
        yield 6, [Span("    "), *alone, *value]
        return
    rows = [(Span(n, term.node), name) for n, name, term in zip(numbers, names, step.terms, strict=True)]
    if shown.rest is not None:
        more = f"{step.rest_count:,} more term{'s' if step.rest_count != 1 else ''}"
        rows.append((Span(signed(number(shown.rest, 17))), more))
    if step.zeros:
        rows.append((Span("0"), f"{step.zeros:,} term{'s that are' if step.zeros != 1 else ' that is'} 0"))
    column = min(max((cells(shown_numbers.text) for shown_numbers, _ in rows), default=0), width // 2)
    for i, (shown_numbers, name) in enumerate(rows):
        yield from _term("+" if i else "=", shown_numbers, name, column, width)
    yield 6, [Span("    "), *value]


def _term(sign: str, numbers: Span, name: str, column: int, width: int) -> Iterator[tuple[int, Spans]]:
    line = [Span(f"    {sign} "), numbers]
    if name and 6 + max(column, cells(numbers.text)) + 3 + cells(name) <= width:
        line.append(Span(" " * max(0, column - cells(numbers.text)) + f"   {name}", "faint"))
        yield 8, line
    else:
        yield 8, line
        if name:
            yield 10, [Span(f"          {name}", "faint")]


def signed(shown: str) -> str:
    """A summand: in parentheses where it begins with a minus."""
    return f"({shown})" if shown.startswith("-") else shown
