"""The estimators: scikit-learn's own battery, and what people do with estimators."""

from __future__ import annotations

import io
import pickle
import warnings

import joblib
import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule import Adam, ChainruleError, Dense, Huber, Model
from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor, explain

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([ChainruleClassifier(), ChainruleRegressor()])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    frame = load_iris(as_frame=True)
    return StandardScaler().set_output(transform="pandas").fit_transform(frame.data), frame.target_names[frame.target]


def quick(**settings):
    return ChainruleClassifier(
        **({"hidden_layer_sizes": (8,), "max_iter": 60, "learning_rate_init": 0.02, "random_state": 0} | settings)
    )


@pytest.mark.parametrize(("theirs", "ours"), [(MLPClassifier, ChainruleClassifier), (MLPRegressor, ChainruleRegressor)])
def test_the_settings_of_scikit_learns_networks_are_taken_under_their_names(theirs, ours):
    settings = theirs().get_params()
    assert set(settings) <= set(ours().get_params())
    ours(**settings | {"max_iter": 1}).fit([[0.0], [1.0]], [0, 1])


def test_a_part_held_out_is_judged_by_what_score_measures(iris):
    X, y = iris
    classes = quick(max_iter=5).fit(X[::2], y[::2], validation_data=(X[1::2], y[1::2]))
    values = ChainruleRegressor((8,), max_iter=5, random_state=0)
    values.fit(X[::2], X.iloc[::2, 0], validation_data=(X[1::2], X.iloc[1::2, 0]))
    for network, target in ((classes, y[1::2]), (values, X.iloc[1::2, 0])):
        best = int(np.argmin(network.validation_losses_))
        assert network.validation_scores_[best] == pytest.approx(network.score(X[1::2], target), abs=1e-5)
        assert network.best_validation_score_ == max(network.validation_scores_)
    assert (classes.out_activation_, values.out_activation_) == ("softmax", "identity")


def test_a_lazy_frame_is_told_to_collect(iris):
    class LazyFrame:
        columns = ("a",)

    for X, y, name in ((LazyFrame(), iris[1], "X"), (iris[0], LazyFrame(), "y")):
        with pytest.raises(ChainruleError, match=rf"{name} is a LazyFrame.*write {name}\.collect\(\)"):
            quick().fit(X, y)
    with pytest.raises(ChainruleError, match=r"write X\.collect\(\)"):
        Model([Dense(1, 2)], "softmax_crossentropy", "adam").fit(LazyFrame(), [0])


def test_a_fitted_classifier_speaks_in_the_users_names(iris):
    X, y = iris
    network = quick().fit(X, y)
    assert network.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert network.feature_names_in_.tolist() == list(X.columns)
    assert network.score(X, y) > 0.95
    assert network.predict_proba(X).sum(axis=1) == pytest.approx(1.0)
    assert np.exp(network.predict_log_proba(X)) == pytest.approx(network.predict_proba(X))
    assert [w.shape for w in network.coefs_] == [(4, 8), (8, 3)]
    assert [b.shape for b in network.intercepts_] == [(8,), (3,)]
    assert len(network.loss_curve_) == network.n_iter_ <= 60
    assert network.model_.class_names == ("setosa", "versicolor", "virginica")


def test_the_same_random_state_gives_the_same_bits_and_another_gives_others(iris):
    X, y = iris
    one, same, other = (quick(random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()


def test_pipelines_searches_and_cross_validation(iris):
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), quick())
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.9
    search = GridSearchCV(pipeline, {"chainruleclassifier__dropout": [0.0, 0.5]}, cv=3).fit(X, y)
    assert set(search.best_params_) == {"chainruleclassifier__dropout"}
    importance = permutation_importance(search, X, y, n_repeats=2, random_state=0).importances_mean
    assert importance[2:].sum() > importance[:2].sum()  # the petals say more than the sepals
    calibrated = CalibratedClassifierCV(pipeline, cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9


@pytest.mark.parametrize("write", [pickle.dump, joblib.dump])
def test_a_fitted_estimator_goes_through_a_file(iris, write):
    X, y = iris
    network, file = quick(members=2).fit(X, y), io.BytesIO()
    write(network, file)
    file.seek(0)
    back = (pickle if write is pickle.dump else joblib).load(file)
    assert (back.predict_proba(X) == network.predict_proba(X)).all()


def test_two_processes_of_joblib_train_at_once(iris):
    X, y = iris
    assert cross_val_score(quick(), X, y, cv=2, n_jobs=2).mean() > 0.9


@pytest.mark.parametrize("estimator", ["alone", "in a pipeline", "in a search"])
def test_explain_gives_the_gradient_of_the_fitted_network(iris, estimator):
    X, y = iris
    network = quick()
    if estimator != "alone":
        network = make_pipeline(StandardScaler(), network)
    if estimator == "in a search":
        network = GridSearchCV(network, {"chainruleclassifier__alpha": [0.0]}, cv=2)
    network.fit(X, y)
    explanation = explain(network, X, y, "dense_0.weights[2,5]")
    inner = {"alone": lambda: network, "in a pipeline": lambda: network[-1]}
    model = inner.get(estimator, lambda: network.best_estimator_[-1])().model_
    scaled = np.asarray(X if estimator == "alone" else StandardScaler().fit_transform(X))
    wanted = model.gradients(scaled, np.unique(y, return_inverse=True)[1])["dense_0.weights"][2, 5]
    assert explanation.value == pytest.approx(wanted, rel=1e-6)


def test_members_are_averaged_and_train_on_other_parts(iris):
    X, y = iris
    five = quick(members=5, early_stopping=True).fit(X, y)
    assert len(five.models_) == 5
    alone = [model.predict_proba(np.asarray(X)) for model in five.models_]
    assert five.predict_proba(X) == pytest.approx(np.mean(alone, axis=0), rel=1e-6)
    assert len({model.history["val_loss"][0] for model in five.models_}) == 5


def test_early_stopping_keeps_the_best_by_the_users_own_validation_data(iris):
    X, y = iris
    network = quick(learning_rate_init=0.3, max_iter=200).fit(X[::2], y[::2], validation_data=(X[1::2], y[1::2]))
    assert network.n_iter_ < 200
    held = network.model_.evaluate(np.asarray(X[1::2]), np.searchsorted(network.classes_, y[1::2]))
    assert held["loss"] == pytest.approx(min(network.validation_losses_), rel=1e-5)


def test_auto_holds_samples_out_where_there_are_enough(iris):
    X, y = iris
    assert quick(max_iter=3).fit(X[::2], y[::2]).validation_scores_ is None
    many = quick(max_iter=3).fit(X, y)
    assert len(many.validation_scores_) == 3


def test_a_warning_says_that_max_iter_ended_the_run(iris):
    X, y = iris
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        quick(max_iter=2).fit(X, y)


def test_warm_start_and_partial_fit_go_on(iris):
    X, y = iris
    network = quick(max_iter=5, warm_start=True).fit(X, y)
    assert network.fit(X, y).n_iter_ == 10
    network = quick()
    for _ in range(5):
        network.partial_fit(X, y, classes=np.unique(y))
    assert network.n_iter_ == 5
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        quick().partial_fit(X, y)
    with pytest.raises(ValueError, match="were not there at first: \\['rose'\\]"):
        network.partial_fit(X[:1], ["rose"])


def test_class_weight_and_sample_weight_move_the_decision(iris):
    X, y = iris
    rare = np.r_[0:50, 50:55, 100:150]  # five of versicolor
    plain = quick(class_weight=None, max_iter=20).fit(X.iloc[rare], y[rare])
    balanced = quick(class_weight="balanced", max_iter=20).fit(X.iloc[rare], y[rare])
    named = quick(class_weight={"versicolor": 10.0}, max_iter=20).fit(X.iloc[rare], y[rare])
    found = [(network.predict(X) == "versicolor").sum() for network in (plain, balanced, named)]
    assert found[0] < min(found[1:])


def test_several_labels_and_several_values():
    X, y = make_multilabel_classification(n_samples=120, n_features=8, n_classes=3, random_state=0)
    network = quick(max_iter=100).fit(StandardScaler().fit_transform(X), y)
    assert network.predict(X).shape == network.predict_proba(X).shape == (120, 3)
    X, y = load_diabetes(return_X_y=True)
    both = ChainruleRegressor((16,), max_iter=500, learning_rate_init=0.01, random_state=0).fit(
        X * 20, np.c_[y, -1000 * y]
    )
    predicted = both.predict(X * 20)
    assert predicted.shape == (442, 2)
    assert np.corrcoef(predicted.T)[0, 1] < -0.9


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", Huber(delta=0.5)])
def test_a_regressor_learns_values_of_any_size(loss):
    X = np.linspace(-1, 1, 100).reshape(-1, 1)
    y = 1e6 + 1e3 * np.sin(3 * X[:, 0])
    network = ChainruleRegressor(
        (32,), loss=loss, max_iter=800, learning_rate_init=0.01, n_iter_no_change=np.inf, random_state=0
    )
    assert network.fit(X, y).score(X, y) > 0.98


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_network_computes_in_the_type_of_X(iris, dtype):
    X, y = iris
    assert quick(max_iter=2).fit(X.astype(dtype), y).model_.dtype == dtype
    assert quick(max_iter=2, dtype="float32").fit(X, y).model_.dtype == np.float32


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "sgd"},
        {"solver": "sgd", "learning_rate": "adaptive"},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": "adamw", "learning_rate": "cosine"},
        {"solver": "rmsprop"},
        {"solver": Adam(0.01, clip_norm=1.0)},
        {"activation": ["tanh", "gelu"], "hidden_layer_sizes": (8, 4), "dropout": [0.1, 0.0]},
        {"activation": "logistic", "hidden_layer_sizes": 8},
        {"engine": "numpy", "shuffle": False, "batch_size": 16},
    ],
)
def test_settings_that_are_meant_to_work_do(iris, settings):
    X, y = iris
    assert quick(max_iter=40, **{"learning_rate_init": 0.01} | settings).fit(X, y).score(X, y) > 0.6


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"solver": "lbfgs"}, "'lbfgs' is not offered; write solver='adam'"),
        ({"solver": "adm"}, "Did you mean 'adam'"),
        ({"activation": "rellu"}, "Did you mean 'relu'"),
        ({"hidden_layer_sizes": (0,)}, "whole numbers above 0"),
        ({"activation": ["relu", "tanh"]}, "1 hidden layers and 2 activations"),
        ({"learning_rate": "fast"}, "learning_rate must be one of"),
        ({"early_stopping": "yes"}, "early_stopping must be True, False or 'auto'"),
        ({"validation_fraction": 1.5}, "validation_fraction must lie between 0 and 1"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"members": 0}, "members must be"),
        ({"alpha": -1.0}, "alpha must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"engine": "warp"}, "warp"),
        ({"activation": None}, "activation must be a name"),
        ({"momentum": 1.5}, "momentum must be"),
        ({"power_t": -1.0}, "power_t must be"),
        ({"epsilon": 0.0}, "epsilon must be"),
        ({"beta_1": 1.0}, "beta_1 must be"),
        ({"learning_rate_init": "fast"}, "learning_rate_init must be"),
    ],
)
def test_settings_that_cannot_work_say_what_to_write(iris, settings, says):
    X, y = iris
    with pytest.raises((ValueError, ChainruleError), match=says.replace("(", r"\(").replace(")", r"\)")):
        quick(**settings).fit(X, y)


def test_a_regressor_refuses_a_loss_of_classes():
    with pytest.raises(ValueError, match="use ChainruleClassifier"):
        ChainruleRegressor(loss="softmax_crossentropy").fit([[0.0], [1.0]], [0.0, 1.0])


def test_a_clone_starts_anew(iris):
    X, y = iris
    fitted = quick(max_iter=2).fit(X, y)
    assert not hasattr(clone(fitted), "models_")


def test_a_frame_with_other_columns_is_refused(iris):
    X, y = iris
    network = quick(max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="feature names"):
        network.predict(X.rename(columns={"petal length (cm)": "length"}))


def test_a_column_of_a_frame_as_y_is_read_without_a_word(iris):
    X, y = iris
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        quick(max_iter=2).fit(X, pandas.Series(y, index=X.index))
