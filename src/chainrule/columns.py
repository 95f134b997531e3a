"""The columns of a history: how their names are written and read, and what is known of each quantity.

`loss`, `val_loss`, `gradient_norm.dense_0`: a quantity, of the validation data with `val_` before it, or of one node
with the node's name after it. The names are those that users see in `history` and in its CSV file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

__all__ = [
    "DEAD",
    "EPOCH",
    "GRADIENT_NORM",
    "LEARNING_RATE",
    "QUANTITIES",
    "SECONDS",
    "Column",
    "QuantityTraits",
    "measured",
]

EPOCH, LEARNING_RATE, SECONDS = "epoch", "learning_rate", "seconds"
GRADIENT_NORM, DEAD = "gradient_norm", "dead"  # of a node

_VALIDATION = "val_"


class QuantityTraits(NamedTuple):
    """What is known of a quantity."""

    result: bool  # a loss or a metric: whether it says how good the model is
    higher_is_better: bool = False
    logarithmic: bool = False  # whether it spans powers of ten and never falls below 0


QUANTITIES: Mapping[str, QuantityTraits] = {
    EPOCH: QuantityTraits(False),
    SECONDS: QuantityTraits(False),
    LEARNING_RATE: QuantityTraits(False, logarithmic=True),
    GRADIENT_NORM: QuantityTraits(False, logarithmic=True),
    DEAD: QuantityTraits(False),
    "loss": QuantityTraits(True, logarithmic=True),
    "mean_absolute_error": QuantityTraits(True, logarithmic=True),
    "mean_squared_error": QuantityTraits(True, logarithmic=True),
    "root_mean_squared_error": QuantityTraits(True, logarithmic=True),
    "r2": QuantityTraits(True, higher_is_better=True),
    "accuracy": QuantityTraits(True, higher_is_better=True),
    "precision": QuantityTraits(True, higher_is_better=True),
    "recall": QuantityTraits(True, higher_is_better=True),
    "f1": QuantityTraits(True, higher_is_better=True),
    "balanced_accuracy": QuantityTraits(True, higher_is_better=True),
    "roc_auc": QuantityTraits(True, higher_is_better=True),
    "log_loss": QuantityTraits(True, logarithmic=True),
}
_OTHER = QuantityTraits(True)  # a number of the user's own: a result, the lower the better


@dataclass(frozen=True)
class Column:
    """A column, taken apart.

    >>> Column.of("val_accuracy")
    Column(quantity='accuracy', validation=True, node='')
    >>> Column.of("gradient_norm.body.dense_0").node, Column("dead", node="relu_0").name
    ('body.dense_0', 'dead.relu_0')
    >>> Column.of("val_loss").known.higher_is_better, Column.of("accuracy").known.higher_is_better
    (False, True)
    """

    quantity: str
    validation: bool = False
    node: str = ""

    @classmethod
    @lru_cache(1024)
    def of(cls, name: str) -> Self:
        """The column of a name."""
        start, _, node = name.partition(".")
        return cls(start.removeprefix(_VALIDATION), start.startswith(_VALIDATION), node)

    @property
    def name(self) -> str:
        """The name as users see it."""
        return f"{_VALIDATION if self.validation else ''}{self.quantity}{f'.{self.node}' if self.node else ''}"

    @property
    def known(self) -> QuantityTraits:
        """What is known of its quantity."""
        return QUANTITIES.get(self.quantity, _OTHER)


def measured(names: Iterable[str]) -> list[str]:
    """Of some columns, those of losses and metrics.

    >>> measured(["epoch", "loss", "val_loss", "learning_rate", "seconds", "gradient_norm.dense_0"])
    ['loss', 'val_loss']
    """
    return [name for name in names if Column.of(name).known.result and not Column.of(name).node]
