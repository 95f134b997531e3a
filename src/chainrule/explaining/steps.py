"""The steps that a reader follows: forward, the loss, and back down to the quantity that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .backwardwords import said_backward
from .building import share_of
from .cell import LOSS
from .cells import Cells
from .derivation import Line, Quantity, ReadingStep, Term
from .forward import forward_steps
from .labels import Labels
from .numpylines import backward_line

__all__ = ["steps_of"]


def steps_of(
    cells: Cells, lines: Sequence[Line], target: Quantity, labels: Labels, limit: int
) -> tuple[ReadingStep, ...]:
    """All steps in the order in which they are read."""
    forward = forward_steps(cells, lines, target, labels, limit)
    if lines and not lines[0].nodes:  # a gradient is given in the place of a loss
        forward = [step for step in forward if step.node != LOSS]
    return (*forward, *_with_the_like_folded([_backward(cells, line, line is lines[-1], labels) for line in lines]))


def _with_the_like_folded(steps: Sequence[ReadingStep]) -> Iterator[ReadingStep]:
    """Of several bundles of wires that come back from one layer the first is shown in full, the others are folded.

    So are the shares of further samples, where all samples have the same.
    """
    told: set[object] = set()
    for step in steps:
        bundle = len(step.terms) + step.rest_count + step.zeros > 1
        like = step.nodes if bundle else step.formula if step.title.startswith("loss of sample") else None
        yield replace(step, folded=True) if like in told and step is not steps[-1] else step
        if like is not None:
            told.add(like)


def _in_order(line: Line) -> Sequence[Term]:
    """The terms as one would write them down, where all are shown; else the largest first."""
    if line.rest_count or line.is_loss:
        return line.terms
    places = {name: place for place, name in enumerate(line.nodes)}
    return sorted(
        line.terms, key=lambda one: (places.get(one.node, len(places)), one.upstream.index if one.upstream else ())
    )


def _backward(cells: Cells, line: Line, last: bool, labels: Labels) -> ReadingStep:
    quantity, uses = line.quantity, cells.readers.get(line.quantity.name, ())
    title = "L" if line.is_loss else f"loss of sample {quantity.index[0]}" if quantity.name == LOSS else ""
    terms = tuple(replace(term, named=_named(cells, term, labels)) for term in _in_order(line))
    passes = (line.nodes != (LOSS,) and "Dense" not in line.kinds) or line.is_loss  # a 1 there is by chance
    single = passes and len(terms) == 1 and not line.rest_count
    part, given = "loss" if line.is_loss else "backward", not line.nodes
    return ReadingStep(
        id=f"{part}-{quantity.name}-{'-'.join(map(str, quantity.index))}".rstrip("-"),
        part=part,
        title=title or labels.written(quantity),
        node=line.nodes[0] if line.nodes else "",  # none where the gradient is given
        kind=line.kinds[0] if line.kinds else "",
        sentence=said_backward(cells, line, labels),
        symbol="L" if line.is_loss else labels.gradient(quantity),
        formula="" if given else _of_all(cells, line, labels),
        numpy=_numpy(cells, line, uses),
        terms=terms,
        rest_count=line.rest_count,
        rest_sum=line.rest_sum,
        zeros=line.zeros,
        value=line.value,
        folded=(single and not last and terms[0].local == 1.0)
        or (quantity.name == LOSS and line.value == 1.0)
        or given,
        nodes=line.nodes,
        joined=any(source.path for _, source in uses),
    )


def _named(cells: Cells, term: Term, labels: Labels) -> str:
    """The term with its names: dL/d(entry) times the rule's formula, with the names of columns and classes."""
    if term.upstream is None or term.node not in cells.order:
        return labels.within(cells[term.node], term.formula) if term.node in cells.order and term.formula else ""
    if term.formula == "s[b]":  # the loss itself: share times loss of a sample
        row = term.upstream.index[0]
        share = share_of(cells, row)[0]
        return {"1/B": f"ell[{row}]/B", "1": f"ell[{row}]"}.get(share, f"s[{row}]*ell[{row}]")
    upstream = labels.gradient(term.upstream)
    return f"{upstream}*({labels.within(cells[term.node], term.formula)})" if term.formula else ""


def _of_all(cells: Cells, line: Line, labels: Labels) -> str:
    uses = cells.readers.get(line.quantity.name, ())
    return labels.within(uses[0][0], line.formula) if len(uses) == 1 else line.formula


def _numpy(cells: Cells, line: Line, uses: Sequence[object]) -> str:
    if line.is_loss:
        return "L = np.sum(shares * losses)"
    if line.quantity.name == LOSS:
        return "dlosses = shares"
    found = [backward_line(cell, source) for cell, source in cells.readers.get(line.quantity.name, ())]
    return found[0] if len(found) == 1 else ""
