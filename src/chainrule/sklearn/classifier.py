"""A classifier for scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..errors import ConfigurationError
from ..loss import Loss
from ..losses import SigmoidCrossentropy, SoftmaxCrossentropy
from .base import Estimator

__all__ = ["ChainruleClassifier"]


@dataclass(eq=False, repr=False)
class ChainruleClassifier(ClassifierMixin, Estimator):
    """A dense network for classes, or for several answers of yes and no, one for each column of y.

    SETTINGS
    - `class_weight`: what each class counts, a dict by class, or "balanced", by which every class counts the same.

    Learned: `classes_`, `model_` (a `chainrule.Model`: explain it, draw it, save it), `models_`, `coefs_`,
    `intercepts_`, `loss_curve_`, `validation_scores_`, `n_iter_`, `n_features_in_`, `feature_names_in_`.

    >>> from chainrule.sklearn import ChainruleClassifier
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["same", "other", "other", "same"]
    >>> network = ChainruleClassifier((16,), max_iter=500, learning_rate_init=0.05, random_state=0).fit(X, y)
    >>> network.predict([[1, 1], [0, 1]])
    array(['same', 'other'], dtype='<U5')
    """

    class_weight: Mapping[Any, float] | str | None = field(default=None, kw_only=True)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> ChainruleClassifier:
        """One epoch over these samples; the first call names all `classes`, later ones may leave them out."""
        going_on = hasattr(self, "models_")
        if not going_on and classes is None:
            raise ConfigurationError("partial_fit: classes must be passed on the first call, all that there will be.")
        self._train(X, y, sample_weight, None, epochs=1, going_on=going_on, classes=classes)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each sample, (B,), or yes and no as 1 and 0, (B, L)."""
        chances = self.predict_proba(X)
        if self._several:
            return (chances > 0.5).astype(int)
        return np.asarray(self.classes_[np.argmax(chances, axis=1)])

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each class, (B, C), or of yes, (B, L): the mean over the members."""
        inputs = self._inputs(X)
        return np.asarray(np.mean([model.predict_proba(inputs) for model in self.models_], axis=0))

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def _encode(self, y: Any, *, first: bool, weights: Any = None, classes: Any = None) -> NDArray[Any]:
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ConfigurationError("y has several columns of classes; train one classifier for each column.")
        several = kind == "multilabel-indicator"
        if first:
            self._several = several
            self.classes_ = np.arange(np.shape(y)[1]) if several else np.unique(y if classes is None else classes)
            if not several and len(self.classes_) < 2:
                raise ConfigurationError(f"y holds one class only, {self.classes_[0]!r}; a classifier needs two.")
        if several != self._several:
            raise ConfigurationError("y has another kind of classes than at first: one column, or one for each label.")
        if several:
            return np.asarray(y.toarray() if hasattr(y, "toarray") else y, dtype=np.float64)
        labels = np.asarray(y)
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise ConfigurationError(f"y holds classes that were not there at first: {unknown.tolist()}.")
        return np.searchsorted(self.classes_, labels)

    def _loss(self) -> Loss:
        return SigmoidCrossentropy() if self._several else SoftmaxCrossentropy()

    def _outputs(self, y: NDArray[Any]) -> int:
        return len(self.classes_)

    def _class_weights(self, y: Any) -> NDArray[Any] | None:
        return None if self.class_weight is None else np.asarray(compute_sample_weight(self.class_weight, y))

    def _strata(self, encoded: NDArray[Any]) -> NDArray[Any] | None:
        return None if self._several else encoded

    def _class_names(self) -> tuple[str, ...]:
        return () if self._several else tuple(str(name) for name in self.classes_)

    def _meaning(self) -> dict[str, Any]:
        return {} if self._several else {"labels": self.classes_}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
