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


_FEW = 64  # numbers that are kept one by one


class _Growing:
    """A column: numbers, None where an epoch has none. What comes as an array stays one until somebody reads it."""

    __slots__ = ("_arrays", "_first")

    def __init__(self, numbers: list[Any] | None = None) -> None:
        self._first: list[Any] = [] if numbers is None else numbers
        self._arrays: list[NDArray[Any]] = []  # what follows, never changed in place

    def extend(self, numbers: Sequence[Any] | NDArray[Any]) -> None:
        """Add some at the end."""
        if isinstance(numbers, np.ndarray) and len(numbers) > _FEW:
            self._arrays.append(numbers)
        else:
            self.read().extend(numbers.tolist() if isinstance(numbers, np.ndarray) else numbers)

    def read(self) -> list[Any]:
        """All of them, the list in which they lie."""
        for array in self._arrays:
            self._first.extend(array.tolist())
        self._arrays.clear()
        return self._first

    def array(self) -> NDArray[Any]:
        """All of them that are not None."""
        own = [value for value in self._first if value is not None]
        return np.concatenate([own, *self._arrays]) if own or not self._arrays else np.concatenate(self._arrays)

    def part(self, start: int, stop: int) -> _Growing:
        """Those from `start` to `stop`."""
        found = _Growing(self._first[start:stop])
        if not self._arrays:
            return found
        before = len(self._first)
        for array in self._arrays:
            within = array[max(start - before, 0) : max(stop - before, 0)]
            if len(within):
                found.extend(within)
            before += len(array)
        return found

    def holds(self) -> bool:
        """Whether any epoch has the number."""
        return bool(self._arrays) or self._first.count(None) < len(self._first)

    def __len__(self) -> int:
        return len(self._first) + sum(map(len, self._arrays)) if self._arrays else len(self._first)

    def __getitem__(self, index: int) -> Any:
        if index < len(self._first):
            return self._first[index]
        index -= len(self._first)
        for array in self._arrays:
            if index < len(array):
                return array[index].item()
            index -= len(array)
        raise IndexError(index)

    @property
    def last(self) -> Any:
        """The last one; None without any."""
        if self._arrays:
            return self._arrays[-1][-1].item()
        return self._first[-1] if self._first else None


Columns = dict[str, _Growing]


class _LastRow(MutableMapping[str, float]):
    """The last row of some columns."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> float:
        column = self._columns.get(name)
        value = None if column is None else column.last
        if value is None:
            raise KeyError(name)
        return value  # type: ignore[no-any-return]

    def __setitem__(self, name: str, value: float) -> None:
        if name not in self._columns:
            self._columns[name] = _Growing([None] * len(self._columns[EPOCH]))
        self._columns[name].read()[-1] = value

    def __delitem__(self, name: str) -> None:
        self._columns[name].read()[-1] = None

    def __iter__(self) -> Iterator[str]:
        return (name for name, column in self._columns.items() if column.last is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> ItemsView[str, float]:
        return {name: column.last for name, column in self._columns.items() if column.last is not None}.items()

    def __repr__(self) -> str:
        return repr(dict(self))


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
        self._columns: Columns = {EPOCH: _Growing()}
        for index, measured in enumerate(records or ()):
            epoch = measured.get(EPOCH)
            if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 <= epoch < STEPS:
                raise ConfigurationError(f"History: records[{index}] needs a whole number as its epoch, not {epoch!r}.")
            self.extend({name: [value] for name, value in measured.items()})

    def extend(self, columns: Mapping[str, Sequence[float] | NDArray[Any]]) -> None:
        """Add epochs: a column for each number, all of one length. An array is nobody's to change afterwards."""
        added, before = max(map(len, columns.values()), default=0), len(self)
        for name in columns:
            if name not in self._columns:
                self._columns[name] = _Growing([None] * before)
        for name, column in self._columns.items():
            column.extend(columns[name] if name in columns else [None] * added)

    def cut(self, epochs: int) -> History:
        """The first so many epochs alone."""
        return self._part(0, epochs)

    def since(self, epoch: int) -> History:
        """The epochs after this one alone."""
        return self._part(bisect.bisect_right(self._columns[EPOCH], epoch), len(self))

    def _part(self, start: int, stop: int) -> History:
        part = History(None, self.stopped, self.notes)
        cut = {name: column.part(start, stop) for name, column in self._columns.items()}
        part._columns = {name: column for name, column in cut.items() if name == EPOCH or column.holds()}
        return part

    @property
    def records(self) -> list[dict[str, float]]:
        """A dict for each epoch, made of the columns."""
        rows = zip(*[column.read() for column in self._columns.values()], strict=True)
        return [{n: v for n, v in zip(self._columns, row, strict=True) if v is not None} for row in rows]

    @property
    def last(self) -> MutableMapping[str, float]:
        """What was measured last, empty before the first epoch; a number put into it is one more in the history."""
        return _LastRow(self._columns)

    def __len__(self) -> int:
        return len(self._columns[EPOCH])

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.names:
            raise UnknownNameError("column of the history", name, self.names)
        return [value for value in self._columns[name].read() if value is not None]

    def curve(self, name: str) -> NDArray[Any]:
        """A column as an array; empty where there is none of the name."""
        return self._columns[name].array() if name in self._columns else np.zeros(0)

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
