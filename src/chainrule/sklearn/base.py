"""What both estimators share: settings, the networks they build, and fit, partial_fit and warm start."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

from ..arrays import refuse_lazy
from ..engines import Engine
from ..errors import ConfigurationError
from ..exchange import to_onnx
from ..exchange.onnx import Exported
from ..explaining import Explanation
from ..files import write_atomically
from ..layer import Layer
from ..loss import Loss
from ..model import Model
from ..optimizers import Optimizer
from ..penalties import L2
from ..recipe import (
    EPOCHS,
    HELD_OUT,
    HIDDEN_FOR_CLASSES,
    PATIENCE,
    RATE,
    TOLERANCE,
    dense_network,
)
from .settings import batch_size_of, hidden_sizes, optimizer_of, require_settings
from .training import EstimatorRun

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Estimator"]

_SETTINGS = """Settings; those that scikit-learn's MLP has too have the same name and meaning:

    - `hidden_layer_sizes`: the neurons of each hidden layer.
    - `activation`: "relu", "tanh", "logistic", "identity", "gelu", "silu", "leaky_relu", "elu", "softplus"; a list has
      one for each hidden layer.
    - `solver`: "adam", "sgd", "adamw", "rmsprop", "adagrad", or an optimizer such as `Adam(1e-3, clip_norm=1)`. "auto"
      is adam for values, and for classes adamw with a weight decay of 0.5, or 600 over the samples where that is less.
    - `alpha`: strength of the L2 penalty on the weights.
    - `batch_size`: samples in a step; "auto" is a 200th of them, at least 32 and at most 200.
    - `learning_rate`: "constant"; "cosine", down to 0 over `max_iter`; "invscaling"; "adaptive", a fifth when the loss
  has not improved for a third of `n_iter_no_change`.
    - `learning_rate_init`, `power_t`, `momentum`, `nesterovs_momentum`, `beta_1`, `beta_2`, `epsilon`: of the solver.
    - `max_iter`: epochs at most. `tol`, `n_iter_no_change`: training ends when the loss has not improved by `tol` for
      so many epochs; with early stopping, when the loss of the part held out has not improved.
    - `early_stopping`: hold `validation_fraction` of the samples out, stop by their loss, and keep the parameters with
      the smallest. "auto" does so from 100 samples on, and then lets the network settle: two fifths as many epochs as
      led to the smallest, on all samples, at a rate that falls to 0; `max_iter` counts them too.
      `fit(..., validation_data=(X, y))` brings samples of your own.
    - `dropout`: the share of each hidden layer's outputs that is left out of a step; a list has one for each layer.
    - `members`: networks whose predictions are averaged; each holds other samples out.
    - `engine`: "auto", "numpy", "fused" or "jax".
    - `dtype`: "auto" computes in float32 where X is float32, else in float64.
    - `shuffle`, `random_state`, `verbose`, `warm_start`: as in scikit-learn. `max_fun` is of a solver that is not
      offered, "lbfgs", and says nothing here."""


@dataclass(eq=False, repr=False)
class Estimator(BaseEstimator):
    """Settings and training; a subclass says what the targets are and how predictions are read.

    A subclass's docstring has the settings in place of SETTINGS.
    """

    hidden_layer_sizes: int | Sequence[int] = HIDDEN_FOR_CLASSES
    activation: str | Layer | Sequence[str | Layer] = "relu"
    _: KW_ONLY
    solver: str | Optimizer = "auto"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = RATE
    power_t: float = 0.5
    max_iter: int = EPOCHS
    shuffle: bool = True
    random_state: Any = None
    tol: float = TOLERANCE
    verbose: bool = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool | str = "auto"
    validation_fraction: float = HELD_OUT
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: int = PATIENCE
    max_fun: int = 15_000
    dropout: float | Sequence[float] = 0.0
    members: int = 1
    engine: Engine = "auto"
    dtype: Any = "auto"

    _y_numeric: ClassVar[bool] = False
    _score: ClassVar[str] = ""  # what `score` measures, where it is not the loss's own metric

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__doc__ = (cls.__doc__ or "").replace("SETTINGS", _SETTINGS)

    # What a subclass answers

    def _encode(self, y: Any, *, first: bool, weights: Any = None, classes: Any = None) -> NDArray[Any]:
        """y as the loss reads it; `first` where nothing was learned before."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _outputs(self, y: NDArray[Any]) -> int:
        raise NotImplementedError

    def _class_weights(self, y: Any) -> NDArray[Any] | None:
        return None

    def _strata(self, encoded: NDArray[Any]) -> NDArray[Any] | None:
        """The class of each sample, (B,), where a part held out should have all classes in proportion."""
        return None

    # The public face

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: tuple[Any, Any] | None = None) -> Any:
        """Train on X (B, I) and y; returns the estimator itself.

        `validation_data` is a pair of samples that training is stopped by. Raises `ValueError` for data and settings
        that cannot work.
        """
        going_on = bool(self.warm_start) and hasattr(self, "models_")
        return self._train(X, y, sample_weight, validation_data, epochs=None, going_on=going_on)

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: tuple[Any, Any] | None,
        *,
        epochs: int | None,
        going_on: bool,
        classes: Any = None,
    ) -> Any:
        """`fit`, or one epoch of `partial_fit` where `epochs` says so."""
        require_settings(self)
        inputs, given = self._checked(X, y, reset=not going_on)
        weights = self._weights(given, sample_weight, inputs)
        if weights is not None and not weights.all():  # what does not count is not there
            counts = weights > 0
            if not counts.any():
                raise ConfigurationError("sample_weight is 0 for every sample; raise one above 0.")
            inputs, given, weights = inputs[counts], given[counts], weights[counts]
        encoded = self._encode(given, first=not going_on, weights=weights, classes=classes)
        held = None if validation_data is None else self._held(validation_data)
        if not going_on:
            self._begin(inputs, encoded, weights)
        run = EstimatorRun(self, epochs, self._strata(encoded))
        for model in self.models_:
            run.train(model, inputs, encoded, weights, held)
        self._report(epochs)
        return self

    def _begin(self, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None) -> None:
        """New networks, as the settings say."""
        random = check_random_state(self.random_state)
        seeds = [int(random.randint(2**31 - 1)) for _ in range(self.members)]
        outputs, batch = self._outputs(y), batch_size_of(self, len(X))
        total = len(X) if weights is None else float(weights.sum())
        steps = -(-len(X) // batch) * int(self.max_iter)
        sizes = hidden_sizes(self)
        loss = self._loss()
        half = 0.5 if loss.classifies else 1.0  # scikit-learn's squared error has a half that ours has not
        penalty = L2(half * self.alpha / (batch * total / len(X))) if self.alpha else None  # by a batch's weight
        dtype = X.dtype if self.dtype == "auto" else self.dtype
        self.models_ = [
            Model(
                dense_network([X.shape[1], *sizes, outputs], self.activation, dropout=self.dropout, penalty=penalty),
                loss,
                optimizer_of(self, steps, len(X), loss.classifies),
                seed=seed,
                dtype=dtype,
                class_names=self._class_names(),
                metrics=self._score or (),
            )
            for seed in seeds
        ]
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        self.out_activation_ = {"SoftmaxCrossentropy": "softmax", "SigmoidCrossentropy": "logistic"}.get(
            type(loss).__name__, "identity"
        )

    def _report(self, epochs: int | None) -> None:
        """What scikit-learn's estimators say after training, and a warning where it did not end by itself."""
        model = self.model_
        history = model.history
        self.n_iter_, self.t_ = model.run.epoch, model.run.step
        self.n_layers_ = 2 + len(hidden_sizes(self))
        self.n_outputs_ = int(model.network.output_shape((self.n_features_in_,))[-1])
        self.loss_curve_ = list(history["loss"])
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = min(self.loss_curve_)
        if "val_loss" in history.names:
            self.validation_scores_ = list(history[f"val_{self._score or model.loss.metric}"])
            self.best_validation_score_ = max(self.validation_scores_)
            self.validation_losses_ = list(history["val_loss"])
        if epochs is None and any(one.history.stopped is None for one in self.models_):
            warnings.warn(
                f"Training ended at max_iter={self.max_iter} while the loss was still falling; raise max_iter.",
                ConvergenceWarning,
                stacklevel=4,
            )

    # Reading what comes in

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], Any]:
        refuse_lazy(X, "X")
        refuse_lazy(y, "y")
        inputs, given = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            multi_output=True,
            y_numeric=self._y_numeric,
            reset=reset,
        )
        if np.ndim(given) == 2 and given.shape[1] == 1 and not hasattr(given, "toarray"):
            given = column_or_1d(given, warn=True)
        return self._dense(inputs), given

    def _inputs(self, X: Any) -> NDArray[Any]:
        """X as a fitted network reads it."""
        check_is_fitted(self)
        refuse_lazy(X, "X")
        checked = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        return self._dense(checked)

    def _dense(self, X: Any) -> NDArray[Any]:
        return np.asarray(X.toarray() if hasattr(X, "toarray") else X)

    def _held(self, validation_data: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """The samples that the user gave for validation."""
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            raise ConfigurationError("validation_data must be a pair, (X, y).")
        inputs, given = self._checked(*validation_data, reset=False)
        return inputs, self._encode(given, first=False)

    def _weights(self, y: Any, sample_weight: Any, X: NDArray[Any]) -> NDArray[Any] | None:
        """What each sample counts, (B,); None where all count the same."""
        by_class = self._class_weights(y)
        if sample_weight is None:
            return by_class
        weights = np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True))
        return weights if by_class is None else weights * by_class

    # What was learned

    @property
    def model_(self) -> Model:
        """The network (the first, where there are several members), a `chainrule.Model`."""
        check_is_fitted(self)
        return self.models_[0]

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weights of each layer, (I, N)."""
        return [value for name, value in self.model_.parameters.items() if name.endswith(".weights")]

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The biases of each layer, (N,)."""
        return [value.reshape(-1) for name, value in self.model_.parameters.items() if name.endswith(".biases")]

    def explain(self, X: Any, y: Any, name: str, index: Any = None, **options: Any) -> Explanation:
        """Why one gradient of the network (of the first member) on these samples is what it is: see `Model.explain`.

        `y` is as in `fit`. For a pipeline see `chainrule.sklearn.explain`.
        """
        inputs, given = self._checked(X, y, reset=False)
        return self.model_.explain(inputs, self._encode(given, first=False), name, index, **options)

    def export_onnx(self, path: str | Path, *, logits: bool = False) -> None:
        """Write the estimator as one ONNX file: all members, averaged, with classes or values as `predict` gives them.

        It takes `inputs` (B, I), without the steps of a pipeline before it. Classes come out as `class` (B,) and
        `probabilities` (B, C), values as `values` (B, O). `logits` asks for the network's own outputs, of one member.
        """
        model, features = self.model_, tuple(map(str, getattr(self, "feature_names_in_", ())))
        networks = [each.network for each in self.models_]
        exported = Exported(networks, model.loss, model.dtype, features=features, **self._meaning())
        write_atomically(path, to_onnx(exported, logits=logits))

    def _meaning(self) -> dict[str, Any]:
        """What the outputs mean: `labels`, or `center` and `scale`."""
        raise NotImplementedError

    def _class_names(self) -> tuple[str, ...]:
        return ()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "models_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
