"""The lines of a derivation: the terms of a gradient, those that are shown, and the check that they add up."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cell import LOSS, Cell, rule_scope
from .cells import Cells
from .derivation import Line, Quantity, Term
from .formula import NO_NAMES, bound, evaluate, substituted
from .terms import cancellation_scale, formula_of, reader_terms, require_agreement, require_equal, term_of
from .upstream import Upstream

__all__ = ["derivation", "line_of", "loss_line", "penalty_terms", "share_of"]

Array = NDArray[Any]
Index = tuple[int, ...]


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
    share, over = share_of(cells, 0)
    over = over if share == "1/B" else ""
    terms = [
        Term(LOSS, Quantity("loss", (b,)), float(losses[b]), float(shares[b]), "s[b]", over, float(products[b]))
        for b in shown
    ]
    penalty = cells.trace.penalty
    rest = float(np.delete(products, shown).sum())
    others = int(np.count_nonzero(products)) - len(shown)
    formula = {"1/B": "sum(b, ell[b])/B", "1": "sum(b, ell[b])"}.get(share, "sum(b, s[b]*ell[b])")
    if penalty:
        formula += " + penalty"
        terms.append(Term("penalty", None, 1.0, penalty, "penalty", repr(penalty), penalty))
    value = math.fsum([*(t.product for t in terms), rest])
    scale = abs(products).sum() + abs(penalty)
    require_equal(value, cells.trace.loss, scale, "the loss", "its terms", "the forward pass")
    zeros = len(products) - len(shown) - others
    return Line(Quantity("L", ()), (LOSS,), (cells[LOSS].kind,), formula, tuple(terms), others, rest, zeros, value)


def line_of(cells: Cells, quantity: Quantity, max_terms: int) -> Line:
    """The line of one gradient: its terms, largest first; they must add up to the gradient of the backward pass."""
    if quantity.name == LOSS:
        return _share_line(cells, quantity)
    if isinstance(cells[LOSS].pair, Upstream) and [cell.name for cell, _ in cells.readers[quantity.name]] == [LOSS]:
        return _given_line(cells, quantity)
    found = [
        reader_terms(cells, cell, source, quantity.index, max_terms) for cell, source in cells.readers[quantity.name]
    ]
    ranked = sorted(
        ((size, i, k) for i, f in enumerate(found) for k, size in enumerate(f.sizes(cells))), key=lambda s: -s[0]
    )
    kept = [(i, k) for size, i, k in ranked[:max_terms] if size] or [(i, k) for _, i, k in ranked[:1]]
    terms = [term_of(cells, found[i], k) for i, k in kept]
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
    rounded = scale + sum(cancellation_scale(cells, one.cell) for one in found)
    require_equal(value, stored, rounded, f"dL/d({quantity})", "the terms of the chain rule", "the backward pass")
    if not others and abs(rest) <= 1e-13 * scale:
        rest = 0.0
        value = math.fsum(t.product for t in (*terms, *penalties))
    formulas = [formula_of(cells, one) for one in found] + [t.formula or "penalty" for t in penalties]
    nodes = tuple(dict.fromkeys(one.cell.name for one in found))
    kinds = tuple(cells[name].kind for name in nodes)
    zeros = total - len(terms) - others
    line = Line(quantity, nodes, kinds, " + ".join(formulas), (*terms, *penalties), others, rest, zeros, value)
    _require_printed_sum(line, rounded)
    return line


def _require_printed_sum(line: Line, scale: float) -> None:
    """Raises `DerivationError` unless the numbers that will be printed give the value of the line."""
    parts = [_calculated(term) for term in line.terms] + [line.rest_sum]
    require_equal(math.fsum(parts), line.value, scale, str(line.quantity), "the printed numbers", "the value")


def _calculated(term: Term) -> float:
    return float(evaluate(term.shown, NO_NAMES))


def _share_line(cells: Cells, quantity: Quantity) -> Line:
    """dL/dℓ_b: the share of one sample in the loss."""
    formula, numbers = share_of(cells, quantity.index[0])
    formula = bound(formula, {"b": quantity.index[0]})
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
            require_agreement(cell, "the parameter", float(evaluate(cell.rule.derivatives["parameter"], scope)), local)
        terms.append(Term(type(penalty).__name__, None, 1.0, local, formula, numbers, local))
    return terms
