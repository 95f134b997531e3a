"""The terms that one reader of a number adds to its gradient: which entries of its output move, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DerivationError
from ..nodes import INPUTS
from .cell import Cell, Source
from .cells import Cells
from .derivation import Quantity, Term
from .formula import ARRAYS, bound, derivative_symbol, evaluate, fixed, free_indices, pattern, substituted

__all__ = [
    "ReaderTerms",
    "cancellation_scale",
    "formula_of",
    "reader_terms",
    "require_agreement",
    "require_equal",
    "term_of",
]

Array = NDArray[Any]
Index = tuple[int, ...]
SEARCHED = 1024  # how many entries of an output are tried one by one where no rule says which of them matter
CANCELLED = 1e-5  # below this part of the upstream gradient, what a layer passes on is compared to rounding only
TOLERANCE = 1e-9  # of formula and Jacobian, and of a sum and the stored gradient; rounding is below 1e-12


@dataclass
class ReaderTerms:
    """The terms of one reader: those to show, and how many others there are."""

    cell: Cell
    source: Source
    index: Index
    entries: list[Index]  # of the cell's output, largest terms first
    numbers: Array  # ∂output[entry]/∂source[index]
    others: int  # further terms that are not 0
    zeros: int

    def sizes(self, cells: Cells) -> Array:
        """How large each term is."""
        upstream = cells.upstream_gradient(self.cell.name)
        return np.abs([upstream[entry] * n for entry, n in zip(self.entries, self.numbers, strict=True)])


def reader_terms(cells: Cells, cell: Cell, source: Source, index: Index, limit: int) -> ReaderTerms:
    """The terms of the cell that reads the entry at `index`, the largest `limit` of them one by one."""
    if cell.rule is not None and cell.rule.placed and source.entry in cell.rule.derivatives:
        return _by_rule(cells, cell, source, index, limit)
    return _by_search(cells, cell, source, index, limit)


def _by_rule(cells: Cells, cell: Cell, source: Source, index: Index, limit: int) -> ReaderTerms:
    """The rule says which entries of the output move: all are ranked by it, the largest taken from the Jacobian."""
    rule = cell.rule
    assert rule is not None
    indices = fixed(pattern(rule.arrays[source.entry])[1], index)
    letters = pattern(rule.output)[1]
    free = free_indices(letters, indices)
    scope = cells.scope(cell, ARRAYS, indices)
    sizes = tuple(scope.sizes[letter] for letter in free)
    count = math.prod(sizes)
    grid = np.indices(sizes).reshape(len(free), count)
    scope = scope.fixing(**dict(zip(free, grid, strict=True)))
    entry = _entry(letters, scope.indices)
    entries = np.array([np.broadcast_to(axis, count) for axis in entry]).T.reshape(count, -1)  # (count, axes)
    upstream = cells.upstream_gradient(cell.name)[tuple(entries.T)]
    local = np.broadcast_to(np.asarray(evaluate(rule.derivatives[source.entry], scope), dtype=np.float64), count)
    products = upstream * local
    best = np.argsort(-np.abs(products), kind="stable")[:limit]
    chosen = [tuple(int(i) for i in entries[k]) for k in best]
    numbers = cells.jacobian(cell, source, index, chosen)
    for k, number, which in zip(best, numbers, chosen, strict=True):
        what = f"{cell.name}[{','.join(map(str, which))}] by {source.entry}"
        require_agreement(cell, what, float(local[k]), float(number))
    total = cells.vjp(cell, source, index, cells.upstream_gradient(cell.name))
    whole, scale = f"{cell.name} by {source.entry}", float(np.abs(products).sum()) + cancellation_scale(cells, cell)
    require_equal(float(products.sum()), total, scale, whole, "the rule's terms", "its backward pass")
    nonzero, in_best = int(np.count_nonzero(products)), int(np.count_nonzero(products[best]))
    zeros = count - nonzero - (len(best) - in_best)
    return ReaderTerms(cell, source, index, chosen, numbers, nonzero - in_best, zeros)


def _entry(letters: Sequence[str | int], indices: dict[str, Any] | Any) -> list[Any]:
    entry: list[Any] = []
    for letter in letters:
        value = indices[letter] if isinstance(letter, str) else letter
        entry += list(value) if isinstance(value, tuple) else [value]
    return entry


def require_agreement(cell: Cell, what: str, formula: float, jacobian: float) -> None:
    """Raises `DerivationError` unless the rule's formula gives the number of the Jacobian."""
    if not math.isclose(formula, jacobian, rel_tol=TOLERANCE, abs_tol=1e-12):
        raise DerivationError(
            f"{cell.kind}: the rule says that ∂({what}) is {formula:.12g}, pure_backward says {jacobian:.12g}. "
            "One of them is wrong; chainrule.check compares pure_backward with pure_forward."
        )


def _by_search(cells: Cells, cell: Cell, source: Source, index: Index, limit: int) -> ReaderTerms:
    """Without a rule, entries are tried one by one, those with the largest upstream gradient first."""
    upstream = cells.upstream_gradient(cell.name)
    if cell.mixes:
        rows: Sequence[int] = range(len(upstream))
    elif source.local in cell.parameters:
        by_sample = np.abs(cells.by_sample(cell, source, index))
        rows = [int(row) for row in np.argsort(-by_sample, kind="stable") if upstream[row].any()]
    else:
        rows = [index[0]]
    size = int(np.prod(upstream.shape[1:]))
    tried = list(islice(_candidates(upstream, rows), SEARCHED))
    numbers = cells.jacobian(cell, source, index, tried)
    products = np.array([upstream[entry] * number for entry, number in zip(tried, numbers, strict=True)])
    moving = np.flatnonzero(numbers)
    order = moving[np.argsort(-np.abs(products[moving]), kind="stable")] if len(moving) else moving
    best = order[:limit]
    unknown = int(np.count_nonzero(upstream[list(rows)])) - len(tried) if rows else 0
    others = int(np.count_nonzero(products)) - int(np.count_nonzero(products[best])) + unknown
    zeros = len(moving) - len(best) - (int(np.count_nonzero(products)) - int(np.count_nonzero(products[best])))
    moved = _moved_entry(cells, cell, source, index) if not len(best) else None
    if moved is not None:  # no gradient arrives there
        return ReaderTerms(cell, source, index, [moved], np.ones(1), others, 0)
    if not len(best):  # nothing moves: one entry stands for all
        first = tried[:1] or [(rows[0], *(0,) * (upstream.ndim - 1))] if rows else []
        numbers = cells.jacobian(cell, source, index, first)
        return ReaderTerms(cell, source, index, first, numbers, others, size - 1)
    return ReaderTerms(cell, source, index, [tried[k] for k in best], numbers[best], others, zeros)


def _moved_entry(cells: Cells, cell: Cell, source: Source, index: Index) -> Index | None:
    """Where a layer that only moves entries puts this one: they come back numbered through its backward pass."""
    if cell.rule is None or cell.rule.placed or cell.rule.derivatives.get(source.entry) != "1" or cell.mixes:
        return None
    shape = cells.output(cell.name).shape
    numbered = np.broadcast_to(np.arange(1.0, 1 + np.prod(shape[1:])).reshape(shape[1:]), shape)
    place = round(cells.vjp(cell, source, index, np.ascontiguousarray(numbered))) - 1
    return (index[0], *(int(i) for i in np.unravel_index(place, shape[1:])))


def _candidates(upstream: Array, rows: Sequence[int]) -> Iterator[Index]:
    for row in rows:
        flat = np.abs(upstream[row]).reshape(-1)
        for k in np.argsort(-flat, kind="stable"):
            if flat[k] == 0:
                break
            yield (int(row), *(int(i) for i in np.unravel_index(k, upstream.shape[1:])))


# How a term and a sum of terms are written


def term_of(cells: Cells, found: ReaderTerms, k: int) -> Term:
    """The k-th term, with formula and numbers, which must give the Jacobian's."""
    cell, source, entry = found.cell, found.source, found.entries[k]
    number = float(found.numbers[k])
    upstream = float(cells.upstream_gradient(cell.name)[entry])
    formula = numbers = ""
    rule = cell.rule
    if rule is not None and source.entry in rule.derivatives:
        indices = fixed(pattern(rule.arrays[source.entry])[1], found.index) | fixed(pattern(rule.output)[1], entry)
        scope = cells.scope(cell, indices=indices)
        formula = bound(rule.derivatives[source.entry], indices)
        numbers = substituted(rule.derivatives[source.entry], scope)
        require_agreement(cell, f"{cell.name} by {source.entry}", float(evaluate(numbers, scope)), number)
    return Term(cell.name, Quantity(cell.name, entry), upstream, number, formula, numbers, upstream * number)


def formula_of(cells: Cells, found: ReaderTerms) -> str:
    """The sum as the rule writes it: sum(n, D(L, 'dense_1'[17,n])*w[5,n])."""
    cell, source, rule = found.cell, found.source, found.cell.rule
    if rule is None or source.entry not in rule.derivatives or not rule.placed:
        of = f"'{source.local}'" if source.local in cell.parameters else f"{INPUTS!r}"
        index = ",".join(map(str, found.index))
        local = "1" if rule is not None else f"D({cell.name!r}[j], {of}[{index}])"
        if rule is not None and found.entries:
            return f"{derivative_symbol(cell.name, found.entries[0])}*1"
        return f"sum(j, {derivative_symbol(cell.name, ['j'])}*{local})"
    indices = fixed(pattern(rule.arrays[source.entry])[1], found.index)
    letters = pattern(rule.output)[1]
    free = free_indices(letters, indices)
    entry = _entry(letters, {**indices, **{letter: letter for letter in free}})
    local = bound(rule.derivatives[source.entry], indices)
    formula = f"{derivative_symbol(cell.name, entry)}*({local})"
    for letter in reversed(free):
        formula = f"sum({letter}, {formula})"
    return formula


# What must agree


def require_equal(one: float, other: float, scale: float, what: str, first: str, second: str) -> None:
    """Raises `DerivationError` unless two numbers agree to rounding; `scale` is the size of what was added."""
    if not abs(one - other) <= TOLERANCE * max(abs(one), abs(other), scale):
        raise DerivationError(
            f"{what}: {first} give {one:.12g}, {second} {other:.12g}. Where the layers are yours: pure_backward must "
            "be linear in dvalues, treat samples one by one unless the class says mixes_samples = True, and agree with "
            "the layer's rule if it has one; chainrule.check finds which of them is wrong."
        )


def cancellation_scale(cells: Cells, cell: Cell) -> float:
    """An allowance for the rounding of numbers that cancel inside a layer.

    A confident softmax, or a normalization of equal numbers, subtracts nearly all of the upstream gradient from itself.
    """
    return CANCELLED * cells.largest_upstream(cell.name)
