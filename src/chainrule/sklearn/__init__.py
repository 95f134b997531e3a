"""Estimators for scikit-learn: dense networks that fit into pipelines, searches and cross-validation.

`ChainruleClassifier` and `ChainruleRegressor` take the settings of scikit-learn's `MLPClassifier` and `MLPRegressor`
under the same names, and a few more. Needs the extra `sklearn`.
"""

from ..errors import ChainruleError

try:
    import sklearn
except ModuleNotFoundError as error:
    raise ChainruleError('chainrule.sklearn needs scikit-learn: pip install "chainrule[sklearn]"') from error

from .classifier import ChainruleClassifier
from .explained import explain
from .regressor import ChainruleRegressor

__all__ = ["ChainruleClassifier", "ChainruleRegressor", "explain"]
del sklearn
