"""Explaining a network that stands at the end of a pipeline."""

from __future__ import annotations

from typing import Any

from ..explaining import Explanation
from .base import Estimator

__all__ = ["explain"]


def explain(estimator: Any, X: Any, y: Any, name: str, index: Any = None, **options: Any) -> Explanation:
    """Why one gradient of a fitted estimator, or of a pipeline that ends in one, is what it is on these samples.

    X goes through the earlier steps of the pipeline as in `predict`. See `Model.explain` for `name` and `index`.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from chainrule.sklearn import ChainruleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = ChainruleClassifier((8,), max_iter=2000, learning_rate_init=0.02, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> explain(pipeline, X, y, "dense_0.weights[2,5]").quantity
    Quantity(name='dense_0.weights', index=(2, 5))
    """
    if hasattr(estimator, "best_estimator_"):
        return explain(estimator.best_estimator_, X, y, name, index, **options)
    if hasattr(estimator, "steps"):
        return explain(estimator[-1], estimator[:-1].transform(X), y, name, index, **options)
    if not isinstance(estimator, Estimator):
        raise TypeError(f"explain: the last step must be a Chainrule estimator, not {type(estimator).__name__}.")
    return estimator.explain(X, y, name, index, **options)
