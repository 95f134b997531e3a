"""A regressor for scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from ..errors import ConfigurationError
from ..loss import Loss
from ..recipe import HIDDEN_FOR_VALUES, RATE_FOR_VALUES
from ..registry import named
from .base import Estimator

__all__ = ["ChainruleRegressor"]


@dataclass(eq=False, repr=False)
class ChainruleRegressor(RegressorMixin, Estimator):
    """A dense network for values, one or several for each sample.

    The network learns y in standard deviations from its mean, so that any unit will do; `predict` answers in y's own.

    SETTINGS
    - `loss`: "squared_error", "absolute_error", "huber", or a loss such as `Huber(delta=0.5)`, of standardized values.

    Learned: `model_` (a `chainrule.Model`: explain it, draw it, save it), `models_`, `y_mean_`, `y_scale_`, `coefs_`,
    `intercepts_`, `loss_curve_`, `validation_scores_`, `n_iter_`, `n_features_in_`, `feature_names_in_`.

    >>> import numpy as np
    >>> from chainrule.sklearn import ChainruleRegressor
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> network = ChainruleRegressor((16,), max_iter=2000, n_iter_no_change=50, random_state=0).fit(X, 100 * X[:, 0])
    >>> bool(network.score(X, 100 * X[:, 0]) > 0.99)
    True
    """

    hidden_layer_sizes: int | Sequence[int] = HIDDEN_FOR_VALUES
    learning_rate_init: float = field(default=RATE_FOR_VALUES, kw_only=True)
    loss: str | Loss = field(default="squared_error", kw_only=True)

    _y_numeric: ClassVar[bool] = True
    _score: ClassVar[str] = "r2"

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChainruleRegressor:
        """One epoch over these samples; the first call settles by which mean and scale y is read."""
        self._train(X, y, sample_weight, None, epochs=1, going_on=hasattr(self, "models_"))
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The values of each sample, (B,) or (B, O): the mean over the members."""
        inputs = self._inputs(X)
        standardized = np.mean([model.predict(inputs) for model in self.models_], axis=0)  # (B,O)
        values = self.y_mean_ + self.y_scale_ * standardized  # (B,O)
        return np.asarray(values[:, 0] if self._flat else values)

    def _encode(self, y: Any, *, first: bool, weights: Any = None, classes: Any = None) -> NDArray[Any]:
        given = np.asarray(y, dtype=np.float64)
        values = given.reshape(len(given), -1)  # (B,O)
        if first:
            self._flat = given.ndim == 1
            self.y_mean_ = np.average(values, axis=0, weights=weights)  # (O,)
            spread = np.sqrt(np.average(np.square(values - self.y_mean_), axis=0, weights=weights))  # (O,)
            self.y_scale_ = np.where(spread > 0, spread, 1.0)  # (O,)
        if values.shape[1] != len(self.y_mean_):
            raise ConfigurationError(f"y has {values.shape[1]} columns and had {len(self.y_mean_)} at first.")
        return np.asarray((values - self.y_mean_) / self.y_scale_)

    def _loss(self) -> Loss:
        loss = named(self.loss, Loss, "loss")
        if loss.classifies:
            raise ConfigurationError(f"loss: {loss.name} compares classes; use ChainruleClassifier.")
        return loss

    def _outputs(self, y: NDArray[Any]) -> int:
        return int(y.shape[1])

    def _meaning(self) -> dict[str, Any]:
        return {"center": self.y_mean_, "scale": self.y_scale_}
