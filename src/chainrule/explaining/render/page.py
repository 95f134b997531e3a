"""An explanation as a page of its own: HTML with MathML and SVG. It needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterator

from ...display import Html, article, folded, fragment, joined, page, scrolled, tag
from ...display.palette import layer_numbers
from ..derivation import Derivation, DiagramNode, ReadingStep
from ..notation import number, text
from ..notations import asked_in, require_notation, written_in
from .beside import beside, soft
from .digits import short, shown_line
from .formulas import equation, math
from .key import key_of
from .plain import alike, circumstances, heading, is_told, signed, slope_in_words
from .svg import as_svg

__all__ = ["as_fragment", "as_page"]


def as_page(e: Derivation, notation: str = "book") -> str:
    """The whole page."""
    title = f"Why is {asked_in(e, notation)} = {short(e.value)}?"
    return page(title, article(*_sections(e, require_notation(notation))))


def as_fragment(e: Derivation, notation: str = "book") -> str:
    """The page without its frame, for a notebook."""
    return fragment(article(*_sections(e, require_notation(notation))))


def _sections(e: Derivation, notation: str) -> Iterator[Html]:
    asked = next((s for s in reversed(e.steps) if s.part == "backward"), None)
    of = math(asked.symbol) if asked is not None and notation == "calculus" else asked_in(e, notation)
    yield tag("h1", "Why is ", of, f" equal to {short(e.value)}?")
    if e.answer:
        yield tag("p", e.answer, cls="strong")
    yield soft(f"{e.title} is {short(e.current)}; {circumstances(e)}.")
    if e.value:
        yield soft(slope_in_words(e))
    yield from map(soft, filter(None, (*e.notes, key_of(e))))
    yield scrolled(as_svg(e))
    yield soft(
        "Each row: sample and neuron, value, gradient. The lines are terms of the chain rule, wide where large, ",
        tag("span", "orange above 0", cls="up"),
        ", ",
        tag("span", "blue below", cls="down"),
        ".",
    )
    yield from _steps(e, notation)
    yield from beside(e)


def _steps(e: Derivation, notation: str) -> Iterator[Html]:
    heads = {node.name: node for node in e.nodes}
    colors = layer_numbers(list(heads))
    group: tuple[str, ...] = ()
    part = said = ""
    for step in e.steps:
        if step.part != part:
            part, group = step.part, ()
            yield tag("h2", heading(step, e))
        nodes = step.nodes or (step.node,)
        if nodes != group and step.node in heads and part != "loss":
            yield from (_layer(heads[name], colors, part == "forward") for name in nodes if name in heads)
        group = nodes
        yield _step(step, colors, notation, "" if alike(step.sentence, said) else step.sentence)
        said = step.sentence


def _layer(node: DiagramNode, colors: dict[str, int], rules: bool) -> Html:
    shown = joined(tag("span", equation(*rule), cls="rule") for rule in node.rule[:2]) if rules else ""
    name = f"{node.name} · {node.kind}" if node.kind else node.name
    return tag("h3", tag("span", name, cls=f"c{colors[node.name]}"), shown)


def _step(step: ReadingStep, colors: dict[str, int], notation: str, sentence: str) -> Html:
    shown, form = shown_line(step), written_in(step, notation)
    value = tag("span", short(shown.value), cls="value")
    if form.code:
        right = tag("code", form.code.partition(" = ")[2])
        statement = tag("div", math(form.left), tag("span", "="), right, cls="eq")
    else:
        statement = tag("div", equation(form.left, form.right) if form.right else math(form.left), cls="eq")
    rows = [tag("div", statement, _numbers(step, shown.terms, shown.rest, form.terms, colors, value))]
    if step.folded:
        told = [tag("p", sentence)] if sentence and is_told(step, "") else []
        block = folded(tag("span", math(form.left), " = ", value), tag("div", *rows, cls="block"))
        return tag("div", *told, block, cls="block") if told else block
    words = [tag("p", sentence)] if sentence else []
    return tag("div", *words, *rows, cls="block", id=step.id)


def _numbers(
    step: ReadingStep,
    terms: tuple[str, ...],
    rest: float | None,
    names: tuple[str, ...],
    colors: dict[str, int],
    value: Html,
) -> Html:
    """The terms with their names, one below the other where there are several, and the value."""
    numbers = [math(term, 17, cls=f"c{colors.get(of.node, 0)}") for term, of in zip(terms, step.terms, strict=True)]
    if len(numbers) == 1 and rest is None and not step.zeros:
        return tag("div", tag("span", "="), numbers[0], tag("span", "="), value, cls="eq")
    rows: list[tuple[object, object]] = [
        (joined(("(", shown, ")")) if i and text(term).startswith("-") else shown, math(name) if name else "")
        for i, (shown, term, name) in enumerate(zip(numbers, terms, names, strict=True))
    ]
    if rest is not None:
        rows.append((signed(number(rest, 17)), f"{step.rest_count:,} more term{'s' if step.rest_count != 1 else ''}"))
    if step.zeros:
        rows.append(("0", f"{step.zeros:,} term{'s that are' if step.zeros != 1 else ' that is'} 0"))
    lines = [
        tag("tr", tag("td", "+" if i else "="), tag("td", shown), tag("td", name, cls="soft"))
        for i, (shown, name) in enumerate(rows)
    ]
    lines.append(tag("tr", tag("td", "="), tag("td", value), tag("td")))
    return tag("table", tag("tbody", *lines), cls="terms")
