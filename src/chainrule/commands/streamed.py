"""A table that stays on disk, as `chainrule train` sees it: with the face of a data set, and batches for arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import datasets
from ..datasets import Dataset, Stream
from ..datasets.streaming import StreamPart
from ..ensemble import Ensemble
from ..model import Model
from ..training.settling import Settling

__all__ = ["ROWS", "Streamed", "evaluated", "fit", "predicted", "streamed"]

ROWS = 1024  # that are read together where nothing is trained


class StreamedRows:
    """The inputs of some parts of a stream, one after another: their shape, the first of them, and batches of all."""

    def __init__(self, parts: Sequence[StreamPart], features: int) -> None:
        self.parts, self.shape = parts, (sum(map(len, parts)), features)
        self.head = next(self.batches())[0]
        self.predicted: NDArray[Any] | None = None  # kept, since other ranks help to read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Some of the first."""
        return self.head[rows]

    def batches(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """In the order of `targets`."""
        for part in self.parts:
            yield from part.batches(ROWS, shuffle=False)(epoch=0)

    def targets(self) -> NDArray[Any]:
        """Of all, one number a row."""
        return np.concatenate([part.targets() for part in self.parts])


@dataclass(frozen=True, repr=False, eq=False)
class Streamed(Dataset):
    """A data set whose X are `StreamedRows`; `validates` is the part of its training rows that does."""

    stream: Any = None
    validates: float = 0.0

    def fitting(self, fitting: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `fit` for batches, from those for arrays."""
        given = {option: value for option, value in fitting.items() if option not in ("batch_size", "validation_split")}
        if "callbacks" in given:  # what was held out stays on disk apart
            given["callbacks"] = [each for each in given["callbacks"] if not isinstance(each, Settling)]
        if given.get("class_weights") == "balanced":
            counts = np.bincount(self.y_train, minlength=len(self.class_names))
            weights = len(self.y_train) / np.maximum(counts, 1) / np.count_nonzero(counts)
            given["class_weights"] = weights.tolist()
        return given


def streamed(path: str, validation: float, distributed: bool, **options: Any) -> Streamed:
    """The table at a path, a folder or a pattern, with a part of the training rows held out to validate."""
    found: Stream = datasets.stream(path, validation=validation, distributed=distributed, **options)
    names, targets = found.feature_names, found.preprocessing.targets
    parts = [part for part in (found.train, found.validation) if len(part)]
    train, test = (StreamedRows(each, len(names)) for each in (parts, [found.test]))
    columns = f"target column{'s' * (len(targets) > 1)} {', '.join(map(repr, targets))}"
    title = f"{found.name}, {columns}{'' if options.get('target') else ' (the last)'}, read in pieces"
    words: dict[str, Any] = dict(title=title, source=path, notes=found.notes, preprocessing=found.preprocessing)
    X: Any = train, test
    arrays = X[0], train.targets(), X[1], test.targets()
    name = found.name.split(".")[0] or found.name
    return Streamed(name, *arrays, names, found.class_names, stream=found, validates=validation, **words)


def fit(data: Dataset, model: Model | Ensemble, fitting: Mapping[str, Any]) -> None:
    """Train on the data, with the arguments of `fit` as they are for arrays."""
    if not isinstance(data, Streamed):
        model.fit(data.X_train, data.y_train, **fitting)
        return
    held = {"validation_data": data.stream.validation.batches(ROWS, shuffle=False)} if data.validates else {}
    model.fit(data.stream.train.batches(fitting["batch_size"]), **held, **data.fitting(fitting))


def predicted(model: Model | Ensemble, X: Any) -> NDArray[Any]:
    """The classes or values of all samples."""
    if not isinstance(X, StreamedRows):
        return model.predict(X)
    if X.predicted is None:
        X.predicted = np.concatenate([model.predict(rows) for rows, _ in X.batches()])
    return X.predicted


def evaluated(model: Model | Ensemble, X: Any, y: NDArray[Any]) -> dict[str, float]:
    """Loss and metric on all samples."""
    if isinstance(X, StreamedRows):
        assert isinstance(model, Model)
        return model.evaluate(X.batches())
    return model.evaluate(X, y)
