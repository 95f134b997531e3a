"""The forward pass of the path, number by number: what the network computed before anything is differentiated."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..nodes import INPUTS
from .cell import LOSS, Cell
from .cells import Cells
from .derivation import Line, Quantity, ReadingStep, Term
from .formula import ARRAYS, bound, evaluate, fixed, parse, pattern, substituted, unparsed
from .forwardwords import said_forward
from .labels import Labels, named, symbols_of
from .numpylines import forward_line

__all__ = ["forward_steps"]

Index = tuple[int, ...]


def forward_steps(
    cells: Cells, lines: Sequence[Line], target: Quantity, labels: Labels, limit: int
) -> list[ReadingStep]:
    """The numbers of one sample from the inputs to the loss: those whose gradients the lines say, and their sources."""
    path = _on_the_path(cells, lines, target)
    asked = {(target.name, target.index), *((name, index) for name, found in path.items() for index in found)}
    found = [*_scaled(cells, path, target, labels)]
    for cell in cells.cells:
        for place, index in enumerate(path.get(cell.name, ())):
            if cell.name == LOSS:
                found += _probabilities(cells, lines, index[0], labels, limit)
            found.append(replace(_step(cells, cell, index, labels, limit, asked), folded=place > 0))
    return found


def _followed(cells: Cells, target: Quantity, first: Quantity | None) -> int:
    """The sample that is followed: that of the largest term, of a parameter, if it has a share in the loss."""
    if target.name not in cells.values:
        return target.index[0]
    shares = np.flatnonzero(cells.shares[:, 0])
    if first is not None and (not len(shares) or cells.shares[first.index[0], 0]):
        return first.index[0]
    return int(shares[0]) if len(shares) else 0


def _on_the_path(cells: Cells, lines: Sequence[Line], target: Quantity) -> dict[str, list[Index]]:
    """The entries of one sample that the derivation passes, by the name of the cell; that sample is the weightiest."""
    last = lines[-1]
    first = next((term.upstream for term in last.terms if term.upstream is not None), None)
    row = _followed(cells, target, first)
    found: dict[str, list[Index]] = {}
    for line in lines:
        name, index = line.quantity.name, line.quantity.index
        if name in cells.order and index[0] == row:
            found.setdefault(name, []).append(index)
    if first is not None and first.index[0] == row:
        entries = found.setdefault(first.name, [])
        if first.index not in entries:
            entries.append(first.index)
    found[LOSS] = [(row,)]
    return found


def _scaled(cells: Cells, path: dict[str, list[Index]], target: Quantity, labels: Labels) -> Iterator[ReadingStep]:
    """How the number of the table became the input, where the path begins at one: the first link of the chain."""
    row = path[LOSS][0][0]
    reads_inputs = any(cell.reads == INPUTS for cell, _ in cells.readers.get(target.name, ()))
    if target.name == INPUTS:
        place: int | None = target.index[-1]
    elif target.name in cells.values and reads_inputs and len(target.index) == 2 and target.name.endswith("weights"):
        place = target.index[0]
    else:
        place = None
    if place is None or cells.inputs.ndim != 2 or place not in labels.columns:
        return
    column, scaled = labels.columns[place], float(cells.inputs[row, place])
    original = column.original(scaled)
    numbers = f"({original!r} - {column.center!r})/{column.scale!r}"
    name = labels.entry(INPUTS, -1, place)
    yield ReadingStep(
        id=f"forward-inputs-{row}-{place}",
        part="forward",
        title=labels.written(Quantity(INPUTS, (row, place))),
        node=INPUTS,
        kind="",
        sentence=f"The {name} of sample {row} is {original:g} in the table; minus the mean and over the spread of its "
        f"column it is what the network reads.",
        symbol=labels.symbol(Quantity(INPUTS, (row, place))),
        formula="(value - mean)/spread",
        numpy="inputs = (table - mean) / spread",
        terms=(Term(INPUTS, None, 1.0, scaled, "", numbers, scaled),),
        value=scaled,
    )


def _probabilities(cells: Cells, lines: Sequence[Line], row: int, labels: Labels, limit: int) -> Iterator[ReadingStep]:
    """What a loss computes on the way for each score, such as the softmax inside SoftmaxCrossentropy."""
    loss = cells[LOSS]
    if loss.rule is None or "yhat[b,c]" not in loss.rule.where or not isinstance(loss.reads, str):
        return
    shown = [line.quantity.index for line in lines if line.quantity.name == loss.reads]
    true = int(np.argmax(cells.targets[row]))
    wanted = dict.fromkeys([(row, true), *sorted(i for i in shown if i[0] == row)])
    for index in list(wanted)[:limit]:
        value = float(cells.available[LOSS]["probabilities"][index])
        scope = cells.scope(loss, indices={"b": row, "c": index[1]})
        formula = loss.rule.where["yhat[b,c]"]
        try:
            numbers = substituted(formula, scope)
            numbers = numbers if math.isclose(float(evaluate(formula, scope)), value, rel_tol=1e-9) else repr(value)
        except ArithmeticError:  # e to a score above 709: the loss itself subtracts the largest score first
            numbers = repr(value)
        symbol = labels.within(loss, f"yhat[{row},{index[1]}]")
        yield ReadingStep(
            id=f"forward-probability-{row}-{index[1]}",
            part="forward",
            title=f"probability of {labels.entry(loss.reads, -1, index[1])}",
            node=LOSS,
            kind=loss.kind,
            sentence="Softmax turns scores into probabilities: e to the score, over the sum of that over all "
            f"{cells.targets.shape[1]} classes.",
            symbol=symbol,
            formula=labels.within(loss, bound(formula, {"b": row, "c": index[1]})),
            numpy="probabilities = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)",
            terms=(Term(LOSS, None, 1.0, value, "", numbers, value),),
            value=value,
            folded=index[1] != true,
        )


def _step(
    cells: Cells, cell: Cell, index: Index, labels: Labels, limit: int, asked: Collection[tuple[str, Index]]
) -> ReadingStep:
    value = float(cells.available[cell.name][cell.pair.result][index])
    quantity = Quantity(cell.name, index)
    terms, rest_count, rest, zeros = _terms(cells, cell, index, value, labels, limit, asked)
    rule = cell.rule
    formula = ""
    if rule is not None and rule.forward:
        formula = labels.within(cell, bound(rule.forward, fixed(pattern(rule.output)[1], index)))
    symbol = f"ell[{index[0]}]" if cell.name == LOSS else labels.symbol(quantity)
    return ReadingStep(
        id=f"forward-{cell.name}-{'-'.join(map(str, index))}",
        part="forward",
        title=f"loss of sample {index[0]}" if cell.name == LOSS else labels.written(quantity),
        node=cell.name,
        kind=cell.kind,
        sentence=said_forward(cells, cell, index, labels),
        symbol=symbol,
        formula=formula,
        numpy=forward_line(cell),
        terms=tuple(terms),
        rest_count=rest_count,
        rest_sum=rest,
        zeros=zeros,
        value=value,
    )


Terms = tuple[list[Term], int, float, int]  # those shown, how many others, their sum, how many are 0


def _terms(
    cells: Cells,
    cell: Cell,
    index: Index,
    value: float,
    labels: Labels,
    limit: int,
    asked: Collection[tuple[str, Index]],
) -> Terms:
    """The terms of a forward formula, sums spread out.

    A layer without a formula has its value for its only term, and so has one whose formula gives another number: e to a
    score above 709 is too large for a number, and what the layer computes subtracts the largest score first.
    """
    whole = [Term(cell.name, None, 1.0, value, "", repr(value), value)], 0, 0.0, 0
    if cell.rule is None or not cell.rule.forward:
        return whole
    try:
        found = _spread_terms(cells, cell, index, labels, limit, asked)
    except (ArithmeticError, ValueError):
        return whole
    terms, _, rest, _ = found
    size = sum(abs(term.product) for term in terms) + abs(rest)
    total = math.fsum([*(term.product for term in terms), rest])
    return found if abs(total - value) <= 1e-9 * max(size, 1e-300) else whole


def _spread_terms(
    cells: Cells, cell: Cell, index: Index, labels: Labels, limit: int, asked: Collection[tuple[str, Index]]
) -> Terms:
    """The terms of all sums: those that read a number of the path, and then the largest."""
    rule = cell.rule
    assert rule is not None
    indices = fixed(pattern(rule.output)[1], index)
    scope = cells.scope(cell, indices=indices)
    symbols = symbols_of(cell)
    marked = [(symbol, at) for symbol, name in symbols.items() for asked_name, at in asked if asked_name == name]
    first: set[int] = set()  # the terms that read a number of the path
    found: list[tuple[float, str, dict[str, int]]] = []  # value, formula, further indices
    for part in _summands(parse(rule.forward)):
        spread = _spread(part)
        if spread is None:
            found.append((float(evaluate(part, scope)), unparsed(part), {}))
            continue
        letter, inner = spread
        formula, size = unparsed(inner), scope.sizes[letter]
        arrays = cells.scope(cell, ARRAYS, indices).fixing(**{letter: np.arange(size)})
        values = np.broadcast_to(np.asarray(evaluate(inner, arrays), dtype=float), size)
        first |= {len(found) + i for i in _reading(inner, letter, indices, marked)}
        found += [(float(v), formula, {letter: i}) for i, v in enumerate(values)]
    order = sorted(range(len(found)), key=lambda k: -abs(found[k][0]))
    ranked = sorted(order, key=lambda k: k not in first)[:limit]
    kept = [k for k in order if k in ranked and found[k][0]] or order[:1]
    if not any(found[k][0] for k in order[len(kept) :]):
        kept.sort()  # all are shown: in the order in which one would write them down
    terms = []
    for k in kept:
        number, formula, more = found[k]
        written = bound(formula, {**indices, **more})
        numbers = substituted(formula, scope.fixing(**more))
        terms.append(Term(cell.name, None, 1.0, number, written, numbers, number, named(written, labels, symbols)))
    others = [found[k][0] for k in order if k not in kept]
    rest = [number for number in others if number]
    return terms, len(rest), math.fsum(rest), len(others) - len(rest)


def _reading(
    summand: ast.expr, letter: str, indices: Mapping[str, int], marked: Sequence[tuple[str, Index]]
) -> Iterator[int]:
    """The places of a sum at which its summand reads one of the marked entries."""
    for node in ast.walk(summand):
        if isinstance(node, ast.Subscript):
            read, letters = pattern(unparsed(node))
            for symbol, at in marked:
                places = {each: place for each, place in zip(letters, at, strict=False) if isinstance(each, str)}
                fits = symbol == read and len(at) == len(letters) and letter in places
                if fits and all(indices.get(each, place) == place for each, place in places.items()):
                    yield places[letter]


def _summands(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _summands(node.left)
        yield from _summands(node.right)
    else:
        yield node


def _spread(node: ast.expr) -> tuple[str, ast.expr] | None:
    """The index and the summand of a sum, with what stands before or below the sum drawn into it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sum":
        return node.args[0].id, node.args[1]  # type: ignore[attr-defined]
    wrapped: Callable[[ast.expr], ast.expr]
    if isinstance(node, ast.UnaryOp):
        inside, wrapped = node.operand, lambda inner: ast.UnaryOp(ast.USub(), inner)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        inside, wrapped = node.left, lambda inner: ast.BinOp(inner, ast.Div(), node.right)
    else:
        return None
    found: Any = _spread(inside)
    return None if found is None else (found[0], wrapped(found[1]))
