"""The History of a run: what was measured, record by record."""

from __future__ import annotations

import bisect
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import EPOCH, Column
from ..display import article, fragment, table
from ..errors import ConfigurationError, UnknownNameError
from ..limits import STEPS
from ..registry import record

__all__ = ["INTERRUPTED", "History", "summary_line"]

INTERRUPTED = "interrupted"


_FEW = 64  # epochs that are kept as lists


class _LastRow(MutableMapping[str, float]):
    """What was measured last."""

    def __init__(self, history: History) -> None:
        self._history = history

    def _row(self) -> dict[str, float]:
        history = self._history
        if history._later:
            return {name: column[-1].item() for name, column in history._later[-1].items()}
        return {name: column[-1] for name, column in history._columns.items() if column and column[-1] is not None}

    def __getitem__(self, name: str) -> float:
        return self._row()[name]

    def __setitem__(self, name: str, value: float) -> None:
        columns = self._history._read()
        columns.setdefault(name, [None] * len(columns[EPOCH]))[-1] = value

    def __delitem__(self, name: str) -> None:
        self._history._read()[name][-1] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._row())

    def __len__(self) -> int:
        return len(self._row())

    def items(self) -> ItemsView[str, float]:
        return self._row().items()

    def __repr__(self) -> str:
        return repr(self._row())


@record
class History:
    """What was measured, epoch by epoch: `history["loss"]` is a list, `history.records` all of it, a dict an epoch.

    `stopped` says why a run ended before its last epoch, `notes` what its gradients looked like at the end.

    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"], len(history), history.records[-1]
    ([0.5, 0.25], 2, {'epoch': 2, 'loss': 0.25})
    >>> history
    History of 2 epochs, loss; the last: epoch 2: loss 0.2500
    """

    def __init__(
        self, records: list[dict[str, float]] | None = None, stopped: str | None = None, notes: list[str] | None = None
    ) -> None:
        self.stopped, self.notes = stopped, list(notes or ())
        self._columns: dict[str, list[Any]] = {EPOCH: []}  # None where an epoch has no such number
        self._later: list[dict[str, NDArray[Any]]] = []  # more epochs: they stay arrays until somebody reads them
        for index, measured in enumerate(records or ()):
            epoch = measured.get(EPOCH)
            if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch < STEPS:
                raise ConfigurationError(f"History: records[{index}] needs a whole number as its epoch, not {epoch!r}.")
            self.extend({name: [value] for name, value in measured.items()})

    def extend(self, columns: Mapping[str, Sequence[float] | NDArray[Any]]) -> None:
        """Add epochs: a column for each number, all of one length. An array is nobody's to change afterwards."""
        before = len(self._columns[EPOCH])
        for name in columns:
            if name not in self._columns:
                self._columns[name] = [None] * before
        arrays = {name: column for name, column in columns.items() if isinstance(column, np.ndarray)}
        if len(arrays) == len(columns) and len(arrays.get(EPOCH, ())) > _FEW:
            self._later.append(arrays)
        else:
            self._read()
            self._add(columns)

    def _add(self, columns: Mapping[str, Any]) -> None:
        """Add epochs to the lists."""
        added = len(columns[EPOCH]) if columns else 0
        for name, column in self._columns.items():
            own = columns.get(name)
            column.extend([None] * added if own is None else own.tolist() if isinstance(own, np.ndarray) else own)

    def _read(self) -> dict[str, list[Any]]:
        """All columns as lists, those in which they lie."""
        while self._later:
            self._add(self._later.pop(0))  # one by one: a run may add another while somebody reads
        return self._columns

    def cut(self, epochs: int) -> History:
        """The first so many epochs alone."""
        self._read()
        return self._part(0, epochs)

    def since(self, epoch: int) -> History:
        """The epochs after this one alone."""
        part = self._part(bisect.bisect_right(self._columns[EPOCH], epoch), None)
        for later in self._later:
            start = int(np.searchsorted(later[EPOCH], epoch, "right"))
            if start < len(later[EPOCH]):
                part.extend({name: column[start:] for name, column in later.items()})
        return part

    def _part(self, start: int, stop: int | None) -> History:
        """Of the lists a part, without columns that are empty there."""
        part = History(None, self.stopped, self.notes)
        for name, column in self._columns.items():
            own = column[start:stop]
            if own.count(None) < len(own):
                part._columns[name] = own
        return part

    @property
    def records(self) -> list[dict[str, float]]:
        """A dict for each epoch, made of the columns."""
        rows = zip(*self._read().values(), strict=True)
        return [{n: v for n, v in zip(self._columns, row, strict=True) if v is not None} for row in rows]

    @property
    def last(self) -> MutableMapping[str, float]:
        """What was measured last, empty before the first epoch; a number put into it is one more in the history."""
        return _LastRow(self)

    def __len__(self) -> int:
        return len(self._columns[EPOCH]) + sum(len(later[EPOCH]) for later in self._later)

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.names:
            raise UnknownNameError("column of the history", name, self.names)
        return [value for value in self._read()[name] if value is not None]

    def curve(self, name: str) -> NDArray[Any]:
        """A column as an array; empty where there is none of the name."""
        own = [value for value in self._columns.get(name, ()) if value is not None]
        arrays = [later[name] for later in self._later if name in later]
        return np.concatenate([own, *arrays] if own or not arrays else arrays)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return (self.records, self.stopped, self.notes) == (other.records, other.stopped, other.notes)

    @property
    def names(self) -> list[str]:
        """The names of what was measured."""
        return list(self._columns) if len(self) else []

    def plot(self, **options: Any) -> Any:
        """Draw the curves of loss and metric; needs matplotlib. Options as `chainrule.plots.plot_history`."""
        from ..plots import plot_history

        return plot_history(self, **options)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The records as a table with a header, one line for each record; written to `path` where one is given."""
        from ..datasets.csvfile import to_csv
        from ..files import write_atomically

        text = to_csv(self.names, self.records)
        if path is not None:
            write_atomically(path, text.encode())
        return text

    def __repr__(self) -> str:
        if not len(self):
            return "History of 0 epochs"
        shown = [name for name in self.names if name != EPOCH and not Column.of(name).node]
        return f"History of {len(self)} epochs, {', '.join(shown)}; the last: {summary_line(self.last, shown)}"

    def _repr_html_(self) -> str:
        names, records = [name for name in self.names if not Column.of(name).node], self.records
        records = records if len(self) <= 20 else [*records[:10], *records[-10:]]
        rows = [[f"{record[name]:.5g}" if name in record else "" for name in names] for record in records]
        caption = f"{len(rows)} of {len(self)} epochs" if len(rows) < len(self) else ""
        return fragment(article(table(names, rows, numeric=range(len(names)), caption=caption)))


def summary_line(record: Mapping[str, float], names: Sequence[str]) -> str:
    """One epoch on one line.

    >>> summary_line({"epoch": 3, "loss": 0.51234}, ["loss"])
    'epoch 3: loss 0.5123'
    """
    shown = ", ".join(f"{name} {record[name]:.4f}" for name in names if name in record)
    return f"epoch {record[EPOCH]}: {shown}"
