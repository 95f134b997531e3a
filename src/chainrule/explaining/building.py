"""The lines of a derivation: the terms of a gradient, those that are shown, and the check that they add up."""

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
from .cells import LOSS, Cell, Cells, Source, rule_scope
from .derivation import Line, Quantity, Term
from .formula import ARRAYS, NO_NAMES, bound, derivative_symbol, evaluate, fixed, free_indices, pattern, substituted
from .upstream import Upstream

__all__ = ["derivation", "line_of", "loss_line", "penalty_terms", "share_of"]

Array = NDArray[Any]
Index = tuple[int, ...]
SEARCHED = 1024  # how many entries of an output are tried one by one where no rule says which of them matter
CANCELLED = 1e-5  # below this part of the upstream gradient, what a layer passes on is compared to rounding only
TOLERANCE = (
    1e-9  # the largest relative difference of formula and Jacobian, of sum and stored gradient; rounding is below 1e-12
)


@dataclass
class _ReaderTerms:
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


def derivation(cells: Cells, target: Quantity, max_terms: int) -> list[Line]:
    """The lines from the loss down to the target: those of the largest terms, followed up to the loss."""
    last = line_of(cells, target, max_terms)
    lines = {target: last}
    wanted = _importance(last, 1.0, same_sample=True)
    for cell in cells.cells:
        of_cell = sorted((q for q in wanted if q.name == cell.name and q not in lines), key=lambda q: -wanted[q])
        for quantity in islice(of_cell, max_terms):
            lines[quantity] = line_of(cells, quantity, max_terms)
            for upstream, weight in _importance(lines[quantity], wanted[quantity]).items():
                wanted[upstream] = wanted.get(upstream, 0.0) + weight
    order = cells.order
    ranked = sorted(lines.values(), key=lambda line: -order.get(line.quantity.name, -1))
    if isinstance(cells[LOSS].pair, Upstream):  # the chain begins at what is given, not at a loss
        return [*(line for line in ranked if line is not last and line.quantity.name != LOSS), last]
    return [loss_line(cells, max_terms), *(line for line in ranked if line is not last), last]


def _importance(line: Line, weight: float, same_sample: bool = False) -> dict[Quantity, float]:
    """The quantities in a line's terms, each weighted by its share of the line; those of one sample only, if asked."""
    terms = [term for term in line.terms if term.upstream is not None]
    total = sum(abs(term.product) for term in terms) or 1.0
    first = terms[0].upstream.index[0] if terms and terms[0].upstream is not None else None
    found: dict[Quantity, float] = {}
    for term in terms:
        if term.upstream is not None and not (same_sample and term.upstream.index[0] != first):
            found[term.upstream] = found.get(term.upstream, 0.0) + weight * abs(term.product) / total
    return found


def loss_line(cells: Cells, max_terms: int) -> Line:
    """The loss itself: L = Σ_b share_b·ℓ_b, and the penalties."""
    losses, shares = cells.available[LOSS]["losses"], cells.shares[:, 0]
    products = losses * shares
    shown = [int(b) for b in np.argsort(-np.abs(products), kind="stable")[:max_terms] if products[b] != 0]
    terms = [
        Term(LOSS, Quantity("loss", (b,)), float(losses[b]), float(shares[b]), "s[b]", "", float(products[b]))
        for b in shown
    ]
    penalty = cells.trace.penalty
    rest = float(np.delete(products, shown).sum())
    others = int(np.count_nonzero(products)) - len(shown)
    share = share_of(cells, 0)[0]
    formula = {"1/B": "sum(b, ell[b])/B", "1": "sum(b, ell[b])"}.get(share, "sum(b, s[b]*ell[b])")
    if penalty:
        formula += " + penalty"
        terms.append(Term("penalty", None, 1.0, penalty, "penalty", repr(penalty), penalty))
    value = math.fsum([*(t.product for t in terms), rest])
    scale = abs(products).sum() + abs(penalty)
    _require_equal(value, cells.trace.loss, scale, "the loss", "its terms", "the forward pass")
    zeros = len(products) - len(shown) - others
    return Line(Quantity("L", ()), (LOSS,), (cells[LOSS].kind,), formula, tuple(terms), others, rest, zeros, value)


def line_of(cells: Cells, quantity: Quantity, max_terms: int) -> Line:
    """The line of one gradient: its terms, largest first; they must add up to the gradient of the backward pass."""
    if quantity.name == LOSS:
        return _share_line(cells, quantity)
    if isinstance(cells[LOSS].pair, Upstream) and [cell.name for cell, _ in cells.readers[quantity.name]] == [LOSS]:
        return _given_line(cells, quantity)
    found = [_terms(cells, cell, source, quantity.index, max_terms) for cell, source in cells.readers[quantity.name]]
    ranked = sorted(
        ((size, i, k) for i, f in enumerate(found) for k, size in enumerate(f.sizes(cells))), key=lambda s: -s[0]
    )
    kept = [(i, k) for size, i, k in ranked[:max_terms] if size] or [(i, k) for _, i, k in ranked[:1]]
    terms = [_term(cells, found[i], k) for i, k in kept]
    parts: list[float] = []
    for i, one in enumerate(found):
        upstream = cells.upstream_gradient(one.cell.name).copy()
        for entry in [one.entries[k] for j, k in kept if j == i]:
            upstream[entry] = 0.0
        parts.append(cells.vjp(one.cell, one.source, one.index, upstream) if upstream.any() else 0.0)
    total = sum(len(one.entries) + one.others + one.zeros for one in found)
    moving = sum(int(np.count_nonzero(one.sizes(cells))) + one.others for one in found)
    others = moving - sum(term.product != 0 for term in terms)
    rest = math.fsum(parts)
    penalties = penalty_terms(cells, quantity)
    value = math.fsum([*(t.product for t in (*terms, *penalties)), rest])
    stored = float(cells.gradient(quantity.name)[quantity.index]) + math.fsum(t.product for t in penalties)
    scale = sum(abs(t.product) for t in (*terms, *penalties)) + sum(map(abs, parts))
    rounded = scale + sum(_cancellation_scale(cells, one.cell) for one in found)
    _require_equal(value, stored, rounded, f"dL/d({quantity})", "the terms of the chain rule", "the backward pass")
    if not others and abs(rest) <= 1e-13 * scale:
        rest = 0.0
        value = math.fsum(t.product for t in (*terms, *penalties))
    formulas = [_formula(cells, one) for one in found] + [t.formula or "penalty" for t in penalties]
    nodes = tuple(dict.fromkeys(one.cell.name for one in found))
    kinds = tuple(cells[name].kind for name in nodes)
    zeros = total - len(terms) - others
    line = Line(quantity, nodes, kinds, " + ".join(formulas), (*terms, *penalties), others, rest, zeros, value)
    _require_printed_sum(line, rounded)
    return line


def _require_printed_sum(line: Line, scale: float) -> None:
    """Raises `DerivationError` unless the numbers that will be printed give the value of the line."""
    parts = [_calculated(term) for term in line.terms] + [line.rest_sum]
    _require_equal(math.fsum(parts), line.value, scale, str(line.quantity), "the printed numbers", "the value")


def _calculated(term: Term) -> float:
    return float(evaluate(term.shown, NO_NAMES))


def _require_equal(one: float, other: float, scale: float, what: str, first: str, second: str) -> None:
    """Raises `DerivationError` unless two numbers agree to rounding; `scale` is the size of what was added."""
    if not abs(one - other) <= TOLERANCE * max(abs(one), abs(other), scale):
        raise DerivationError(
            f"{what}: {first} give {one:.12g}, {second} {other:.12g}. Where the layers are yours: pure_backward must "
            "be linear in dvalues, treat samples one by one unless the class says mixes_samples = True, and agree with "
            "the layer's rule if it has one; chainrule.check finds which of them is wrong."
        )


def _cancellation_scale(cells: Cells, cell: Cell) -> float:
    """An allowance for the rounding of numbers that cancel inside a layer.

    A confident softmax, or a normalization of equal numbers, subtracts nearly all of the upstream gradient from itself.
    """
    return CANCELLED * cells.largest_upstream(cell.name)


def _share_line(cells: Cells, quantity: Quantity) -> Line:
    """dL/dℓ_b: the share of one sample in the loss."""
    formula, numbers = share_of(cells, quantity.index[0])
    share = float(cells.shares[quantity.index][0])
    terms = (Term(LOSS, None, 1.0, share, formula, numbers, share),)
    return Line(quantity, (LOSS,), (cells[LOSS].kind,), formula, terms, 0, 0.0, 0, share)


def _given_line(cells: Cells, quantity: Quantity) -> Line:
    """The gradient at the output of the network, where no loss gives it."""
    value = float(cells.gradient(quantity.name)[quantity.index])
    formula = f"dvalues[{','.join(map(str, quantity.index))}]"
    terms = (Term(LOSS, None, 1.0, value, formula, repr(value), value),)
    return Line(quantity, (), (), formula, terms, 0, 0.0, 0, value)


def share_of(cells: Cells, row: int) -> tuple[str, str]:
    """The share of a sample in the loss, as a formula and in numbers."""
    shares = cells.shares[:, 0]
    mean = getattr(cells[LOSS].pair, "reduction", "mean") == "mean"
    if mean and (shares == 1 / len(shares)).all():
        return "1/B", f"1/{len(shares)}"
    return ("1", "1") if (shares == 1).all() else ("s[b]", repr(float(shares[row])))


def penalty_terms(cells: Cells, quantity: Quantity) -> list[Term]:
    """What the penalties on a parameter add to its gradient."""
    terms = []
    for penalty in cells.penalty_terms.get(quantity.name, ()):
        weight = cells.values[quantity.name]
        gradient = penalty.run_backward(np, 1, {"parameter": weight})["parameter"]
        cell = Cell("penalty", penalty, quantity.name, {}, True, "")
        local = float(gradient[quantity.index])
        formula, numbers = "", repr(local)
        if cell.rule is not None:
            scope = rule_scope(cell, {"parameter": weight}, indices={"...": quantity.index})
            formula = bound(cell.rule.derivatives["parameter"], scope.indices)
            numbers = substituted(cell.rule.derivatives["parameter"], scope)
            _require_agreement(cell, "the parameter", float(evaluate(cell.rule.derivatives["parameter"], scope)), local)
        terms.append(Term(type(penalty).__name__, None, 1.0, local, formula, numbers, local))
    return terms


# Which terms there are


def _terms(cells: Cells, cell: Cell, source: Source, index: Index, limit: int) -> _ReaderTerms:
    if cell.rule is not None and cell.rule.placed and source.entry in cell.rule.derivatives:
        return _by_rule(cells, cell, source, index, limit)
    return _by_search(cells, cell, source, index, limit)


def _by_rule(cells: Cells, cell: Cell, source: Source, index: Index, limit: int) -> _ReaderTerms:
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
        _require_agreement(cell, what, float(local[k]), float(number))
    total = cells.vjp(cell, source, index, cells.upstream_gradient(cell.name))
    whole, scale = f"{cell.name} by {source.entry}", float(np.abs(products).sum()) + _cancellation_scale(cells, cell)
    _require_equal(float(products.sum()), total, scale, whole, "the rule's terms", "its backward pass")
    nonzero, in_best = int(np.count_nonzero(products)), int(np.count_nonzero(products[best]))
    zeros = count - nonzero - (len(best) - in_best)
    return _ReaderTerms(cell, source, index, chosen, numbers, nonzero - in_best, zeros)


def _entry(letters: Sequence[str | int], indices: dict[str, Any] | Any) -> list[Any]:
    entry: list[Any] = []
    for letter in letters:
        value = indices[letter] if isinstance(letter, str) else letter
        entry += list(value) if isinstance(value, tuple) else [value]
    return entry


def _require_agreement(cell: Cell, what: str, formula: float, jacobian: float) -> None:
    """Raises `DerivationError` unless the rule's formula gives the number of the Jacobian."""
    if not math.isclose(formula, jacobian, rel_tol=TOLERANCE, abs_tol=1e-12):
        raise DerivationError(
            f"{cell.kind}: the rule says that ∂({what}) is {formula:.12g}, pure_backward says {jacobian:.12g}. "
            "One of them is wrong; chainrule.check compares pure_backward with pure_forward."
        )


def _by_search(cells: Cells, cell: Cell, source: Source, index: Index, limit: int) -> _ReaderTerms:
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
        return _ReaderTerms(cell, source, index, [moved], np.ones(1), others, 0)
    if not len(best):  # nothing moves: one entry stands for all
        first = tried[:1] or [(rows[0], *(0,) * (upstream.ndim - 1))] if rows else []
        numbers = cells.jacobian(cell, source, index, first)
        return _ReaderTerms(cell, source, index, first, numbers, others, size - 1)
    return _ReaderTerms(cell, source, index, [tried[k] for k in best], numbers[best], others, zeros)


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


def _term(cells: Cells, found: _ReaderTerms, k: int) -> Term:
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
        _require_agreement(cell, f"{cell.name} by {source.entry}", float(evaluate(numbers, scope)), number)
    return Term(cell.name, Quantity(cell.name, entry), upstream, number, formula, numbers, upstream * number)


def _formula(cells: Cells, found: _ReaderTerms) -> str:
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
