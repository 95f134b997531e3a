"""Ensemble: several networks of one architecture that learn alone and answer together."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ConfigurationError
from .files import write_atomically
from .graph import Graph
from .interrupt import LEAVING, CtrlC
from .layer import Layer
from .loss import Loss
from .model import Model, answered
from .optimizers import Optimizer
from .registry import describe
from .summary import Summary
from .training import modelfile
from .training.callback import Callback
from .training.history import INTERRUPTED, History
from .training.measuring import Held, evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from .datasets import Preprocessing
    from .explaining import Explanation

__all__ = ["Ensemble", "load", "members_of"]


def _of_the_first(name: str, says: str) -> Any:
    """An attribute that all members have alike."""
    return property(lambda ensemble: getattr(ensemble.models[0], name), doc=says)


class Ensemble:
    """Several networks that differ in their seed alone; what they answer is the mean of what each answers.

    p = (p₁ + … + p_M) / M for probabilities, and the same for values. The mean is nearly always better than one
    network: errors that the members do not share cancel (Hansen and Salamon 1990). It takes what `Model` takes, and the
    number of `members`; the first one is the `Model` of the same seed. Each is a `Model` in `models`.

    Raises `ConfigurationError` as `Model` does.

    >>> from chainrule import Dense, MeanSquaredError
    >>> pair = Ensemble([Dense(1, 1)], MeanSquaredError(), members=2)
    >>> for model, weight in zip(pair.models, (2.0, 4.0)):
    ...     model.parameters = {"dense_0.weights": [[weight]], "dense_0.biases": [[1.0]]}
    >>> pair.predict([[10.0]])                                          # ((10·2 + 1) + (10·4 + 1)) / 2
    array([[31.]], dtype=float32)
    """

    models: tuple[Model, ...]
    network: Graph = _of_the_first("network", "The network of the first member; the others have the same layers.")
    loss: Loss = _of_the_first("loss", "The loss.")
    optimizer: Optimizer = _of_the_first("optimizer", "The optimizer.")
    dtype: np.dtype[Any] = _of_the_first("dtype", "The dtype of the parameters.")
    preprocessing: Preprocessing | None = _of_the_first("preprocessing", "What turns tables into inputs.")
    class_names: tuple[str, ...] = _of_the_first("class_names", "The names of the classes.")

    def __init__(
        self,
        layers: Sequence[Layer | tuple[str, Layer]] | Graph,
        loss: Loss | str,
        optimizer: Optimizer | str | None = None,
        *,
        members: int = 5,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if not isinstance(members, Integral) or isinstance(members, bool) or members < 1:
            raise ConfigurationError(f"Ensemble: members must be a whole number of at least 1, not {members!r}.")
        first = Model(copy.deepcopy(layers), loss, optimizer, seed=seed, **settings)
        seeds = np.random.SeedSequence(seed).generate_state(int(members) - 1).tolist()
        others = (Model(copy.deepcopy(layers), loss, optimizer, seed=each, **settings) for each in seeds)
        self.models = (first, *others)

    @classmethod
    def of(cls, models: Sequence[Model]) -> Self:
        """An ensemble of models that are there. Raises `ConfigurationError` unless they are of one architecture."""
        if not models or not all(isinstance(model, Model) for model in models):
            raise ConfigurationError(f"Ensemble.of: pass a list of models, not {models!r}.")
        kinds = [(describe(model.network), describe(model.loss), model.dtype, model.names()) for model in models]
        for i, kind in enumerate(kinds):
            if kind != kinds[0]:
                raise ConfigurationError(
                    f"Ensemble.of: model {i} has another network, loss, dtype or other classes than model 0; all must "
                    "have the same."
                )
        made = cls.__new__(cls)
        made.models = tuple(models)
        return made

    def __repr__(self) -> str:
        """How many there are, and the first of them."""
        return f"Ensemble of {len(self.models)}, the first one:\n{self.models[0]!r}"

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters, with the member before their name, `"member_0.dense_0.weights"`."""
        return self._named("parameters")

    @property
    def state(self) -> dict[str, Any]:
        """The arrays that are carried but not optimized, in the same way."""
        return self._named("state")

    @property
    def histories(self) -> tuple[History, ...]:
        """The history of each member."""
        return tuple(model.history for model in self.models)

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        callbacks: Sequence[Callback] = (),
        verbose: bool = True,
        checkpoint: str | Path | None = None,
        **options: Any,
    ) -> tuple[History, ...]:
        """Train one member after another as `Model.fit` does, and return their histories.

        With `validation_split` each holds samples of its own out. The callbacks begin anew with each member. Each has a
        `checkpoint` of its own, `model.member_0.safetensors` for `model.safetensors`, from which `resume=True` goes on.
        Ctrl-C ends the whole; until a member has learned it is left out of the mean. Raises `ConfigurationError` for an
        iterator of batches, which the first member would use up.
        """
        if isinstance(X, Iterator) and len(self.models) > 1:
            raise ConfigurationError(
                "Ensemble.fit: the first member would use the iterator up; pass a list of batches, or a function that "
                "returns them."
            )
        others = LEAVING if options.get("distributed") else ()
        with CtrlC(waits=True, others=others) as ctrl_c:  # also between two of them
            for i, model in enumerate(self.models):
                if verbose:
                    print(f"Member {i + 1} of {len(self.models)}", flush=True)
                path = None if checkpoint is None else member_path(checkpoint, i)
                model.fit(X, y, callbacks=callbacks, verbose=verbose, checkpoint=path, **options)
                if model.history.stopped == INTERRUPTED:
                    break
            else:
                ctrl_c.check()
        return self.histories

    def logits(self, X: Any) -> NDArray[Any]:
        """What one network would give that answers the mean: values (B, O), or scores (B, C), log p for a softmax."""
        inputs, asked = self.inputs(X), self._learned()
        outputs = [model.logits(inputs).astype(np.float64) for model in asked]  # M of (B,C)
        return _mean(self.loss, outputs).astype(self.dtype)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The mean probability of each class, (B, C), or of "yes", (B, O). Raises `ConfigurationError` for values."""
        return np.asarray(self.loss.probabilities(np, self.logits(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The class with the largest mean probability, (B,), or the mean values, (B, O): see `Model.predict`."""
        return answered(self._learned(), X, self.logits(X))

    def evaluate(self, X: Any, y: ArrayLike, *, sample_weights: ArrayLike | None = None) -> dict[str, float]:
        """The loss and the metrics of the mean: see `Model.evaluate`."""
        first = self.models[0]
        inputs, targets = first.checked(X, y, sample_weights)
        weights = None if sample_weights is None else np.asarray(sample_weights)
        return evaluate(first.run, Held.of(first.run, inputs, targets, weights), self.logits(inputs))

    def explain(
        self, X: Any, y: ArrayLike, name: str | None = None, index: Any = None, *, member: int = 0, **options: Any
    ) -> Explanation:
        """Why one gradient of one member is what it is: see `Model.explain`.

        A member's, because each learns alone, by the gradient of its own loss; the mean has learned nothing. Raises
        `ConfigurationError` where there is no such member.
        """
        return self.member(member).explain(X, y, name, index, **options)

    def member(self, number: int) -> Model:
        """One of the networks, counted from 0. Raises `ConfigurationError` where there is none of that number."""
        if not isinstance(number, int | np.integer) or not 0 <= number < len(self.models):
            raise ConfigurationError(f"member must be a number from 0 to {len(self.models) - 1}, not {number!r}.")
        return self.models[number]

    def summary(self) -> Summary:
        """The table of one member's network."""
        return self.models[0].summary()

    def inputs(self, X: Any) -> NDArray[Any]:
        """X as the networks read it."""
        return self.models[0].inputs(X)

    def targets(self, y: Any) -> NDArray[Any]:
        """y as the loss reads it."""
        return self.models[0].targets(y)

    def save(self, path: str | Path) -> None:
        """Write all members to one safetensors file, whole or not at all: see `Model.save`."""
        modelfile.write_members(path, [model.contents() for model in self.models])

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; a file of `Model.save` is an ensemble of one. Raises `FileFormatError`."""
        models = []
        for contents in modelfile.read_members(path):
            model = Model.__new__(Model)
            with modelfile.refusing(path):
                model.take(contents)
            models.append(model)
        made = cls.__new__(cls)
        made.models = tuple(models)
        return made

    def export_onnx(
        self, path: str | Path, *, logits: bool = False, preprocessing: bool = True, shape: Sequence[int] | None = None
    ) -> None:
        """Write all members as one ONNX file that answers the mean: see `Model.export_onnx`.

        Raises `ConfigurationError` for `logits`, which several networks have not in common.
        """
        from .exchange import to_onnx
        from .exchange.onnx import exported

        given, first = self.preprocessing if preprocessing else None, self.models[0]
        sample = None if shape is None else tuple(shape)
        leaving = exported(first.network, self.loss, self.dtype, given, first.names(), sample)
        leaving = dataclasses.replace(leaving, networks=[model.network for model in self._learned()])
        write_atomically(path, to_onnx(leaving, logits=logits))

    def _learned(self) -> tuple[Model, ...]:
        """The members that have learned something, or all, where none has."""
        return tuple(model for model in self.models if model.run.step) or self.models

    def _named(self, what: str) -> dict[str, Any]:
        each = enumerate(self.models)
        return {f"member_{i}.{name}": array for i, model in each for name, array in getattr(model, what).items()}


def load(path: str | Path) -> Model | Ensemble:
    """The model, or the ensemble, of a file. Raises `FileFormatError`."""
    read = Ensemble.load(path)
    return read if len(read.models) > 1 else read.models[0]


def members_of(model: Model | Ensemble) -> tuple[Model, ...]:
    """The networks of an ensemble, or the one model."""
    return model.models if isinstance(model, Ensemble) else (model,)


def member_path(path: str | Path, member: int) -> str:
    """The file of one member, beside that of all.

    >>> member_path("runs/iris/model.safetensors", 2)
    'runs/iris/model.member_2.safetensors'
    """
    stem, ending = os.path.splitext(os.fspath(path))
    return f"{stem}.member_{member}{ending}"


def _mean(loss: Loss, outputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The outputs (B, C) of a network that answers the mean of what these M outputs, each (B, C), stand for."""
    if not loss.classifies or loss.takes is None or "scores" not in loss.takes:
        return np.asarray(np.mean(outputs, axis=0))
    scores = _log(np.mean([loss.probabilities(np, each) for each in outputs], axis=0))
    if "independent" not in loss.takes:  # softmax(log p) = p
        return scores
    no = np.mean([loss.probabilities(np, -each) for each in outputs], axis=0)  # 1 - p, without rounding
    return np.asarray(scores - _log(no))  # sigmoid(log p - log (1 - p)) = p


def _log(p: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.log(np.maximum(p, np.finfo(np.float64).tiny)))
