"""Where a number that is not finite came from: the first one, on the way forward or back, and what made it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import NonFiniteError
from ..layer import Array
from ..nodes import INPUTS, parts_of
from .cell import LOSS
from .cells import Cells

__all__ = ["require_finite", "require_finite_values"]

REMEDY = "Scale the inputs, or train with a lower learning rate or clip_norm=1.0, which keeps the weights small"


def require_finite_values(values: Mapping[str, Array]) -> None:
    """Raises `NonFiniteError` where a parameter or state holds NaN or infinity."""
    for name, array in values.items():
        wrong = ~np.isfinite(array)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise NonFiniteError(
                f"{name} holds {array[where]} at {where}: nothing can be predicted or explained with it. Of its "
                f"{array.size} numbers {int(wrong.sum())} {'is' if wrong.sum() == 1 else 'are'} not finite. If "
                "training wrote it, a loss or a gradient was not finite then: fit() names the step. Train again with "
                "a lower learning rate or clip_norm=1.0."
            )


def require_finite(cells: Cells) -> None:
    """Raises `NonFiniteError` for the first output, and then for the first gradient, that is not finite."""
    for cell in cells.cells:
        output = cells.available[cell.name][cell.pair.result]
        wrong = ~np.isfinite(output)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            what = "the loss" if cell.name == LOSS else f"the output of {cell.name}"
            raise NonFiniteError(
                f"{what} is not finite in float64: there is no gradient to explain. {_made(cells, cell.name, where)} "
                f"{REMEDY}."
            )
    for cell in reversed(cells.cells[:-1]):
        if not np.isfinite(cells.upstream_gradient(cell.name)).all():
            readers = " or ".join(reader.name for reader, _ in cells.readers[cell.name])
            raise NonFiniteError(f"The backward pass of {readers} gives a gradient that is not finite.")


def _made(cells: Cells, name: str, where: tuple[int, ...]) -> str:
    """What the first number is that is not finite, and what its layer read for that sample."""
    cell = cells[name]
    value = cells.available[name][cell.pair.result][where]
    entry = f"the loss of sample {where[0]}" if name == LOSS else f"{name}[{','.join(map(str, where))}]"
    read = []
    for _, source in parts_of(cell.reads):
        array = cells.output(source)
        own = array[where[0]] if cell.name == LOSS or array.shape != cells.output(name).shape else array[where]
        size = float(np.max(np.abs(own), initial=0.0))
        of = "inputs" if source == INPUTS else source
        read.append(f"{of} is {float(own):.4g}" if np.ndim(own) == 0 else f"{of} reaches {size:.4g} in that sample")
    return f"The first such number is {entry} = {value}: {cell.kind} gives it where {' and '.join(read)}."
