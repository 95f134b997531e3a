"""check: the words by which people's code is understood, each in a place where it counts."""

from __future__ import annotations

import types
from typing import Any

import pytest

from chainrule.checking.subjects.calls import calls_of, is_loss_with_gradient, is_written, pairs_in
from chainrule.checking.subjects.names import is_gradient_name, role_of, same_stem, setting, stems
from chainrule.checking.subjects.variations import counts_in, variations_of

METHODS = """
forward backward, forward_pass backward_pass, forward_propagation backward_propagation, forward_propagate
backward_propagate, forward_prop backward_prop, forward backward_pass, forward_pass backward, forward backprop, forward
backpropagate, forward back_propagate, fprop bprop, feed_forward back_propagate, feedforward backprop, feed_forward
backward, __call__ backward, loss gradient, cost gradients, calculate grad, compute derivative, __call__ prime, fn
deriv, function df, func d, f f_prime, activate activate_derivative, activation activation_derivative, apply
compute_gradient, evaluate compute_gradients, value gradient_wrt_output, error loss_gradient, forward loss_grad, call
delta, compute_loss derivate, calc der, cost_function diff, loss_function gradient_function, loss derivation, loss
d_loss, loss loss_derivative, cost cost_derivative, loss numeric, loss prime_loss, fn dfn, loss compute_derivative,
activation d_activation, loss loss_prime, loss backprop, loss backward, propagate backpropagate_error, forward_step
compute_the_input_gradient, fwd bwd, activate get_derivative, predict calc_grad, _forward _backward
"""
PAIRS = [pair.split() for pair in METHODS.split(",")]


def made(value: str, gradient: str | None, body: str = "return 2 * x") -> Any:
    """A class with two methods of these names."""
    names: dict[str, Any] = {}
    lines = [f"    def {value}(self, x):", f"        {body}"]
    lines += [f"    def {gradient}(self, d):", "        return 2 * d"] if gradient else []
    exec("class Own:\n" + "\n".join(lines), names)
    return names["Own"]


@pytest.mark.parametrize(("value", "gradient"), PAIRS, ids=map(" ".join, PAIRS))
def test_methods_of_these_names_are_a_value_and_its_gradient(value: str, gradient: str) -> None:
    first = next(calls_of(made(value, gradient)))
    assert (first.value, first.gradient, first.title) == (value, gradient, "Own")
    assert not is_written(made(value, "other")) and not is_written(made("other", gradient))


def test_the_usual_names_come_first_and_what_is_not_written_does_not_count() -> None:
    class Both:
        def activate(self, x):
            return x

        def derivative(self, x):
            return x

        def forward(self, x):
            return x

        def backward(self, d):
            return d

    found = [(call.value, call.gradient) for call in calls_of(Both)]
    assert found[0] == ("forward", "backward") and len(found) >= 4

    class Base:
        def forward(self, x):
            """Not here."""
            raise NotImplementedError

        def backward(self, d):
            pass

    class Half(Base):
        def forward(self, x):
            return x

    class Whole(Half):
        def backward(self, d):
            return d

    assert [is_written(kind) for kind in (Base, Half, Whole, Whole())] == [False, False, True, True]
    assert not is_written(object())


FUNCTIONS = """
relu relu_backward relu, f f_prime f, f f_derivative f, f f_deriv f, f f_grad f, f f_gradient f, f f_derivate f, f
f_back f, f f_bwd f, f f_d f, f f_der f, f f_backprop f, f f_gradients f, f f_diff f, f f_vjp f, f f_dx f, f f_derv f,
f f_derivation f, conv_forward conv_backward conv, forward_conv backward_conv conv, conv_fwd conv_bwd conv, net_forward
net_backprop net, net_forward net_back net, forward_pass backward_pass forward_and_backward, forward_propagation
back_propagation forward_and_backward, forward_prop back_prop forward_and_backward, forward backward
forward_and_backward, f backward_f f, f d_f f, f df f, f grad_f f, f deriv_f f, f der_f f, f gradient_f f, f
derivative_of_f f, f gradient_of_f f, f derivative_f f, f backprop_f f, f prime_f f, forward_propagation
backpropagation forward_and_backward, forward_prop backprop forward_and_backward, forward_propagation
backward_propagation forward_and_backward
"""
NAMED = [row.split() for row in FUNCTIONS.split(",")]


@pytest.mark.parametrize(("value", "gradient", "title"), NAMED, ids=map(" ".join, NAMED))
def test_functions_of_these_names_are_a_pair(value: str, gradient: str, title: str) -> None:
    def one(x):
        return x

    def other(d):
        return d

    for functions in ({value: one, gradient: other}, {gradient: other, value: one}):
        ((name, call),) = pairs_in(functions)
        assert (name, call.value, call.gradient) == (title.replace("_and_", " and "), one, other)
    assert not list(pairs_in({value: one, "other": other}))


LOSSES = {
    "svm_loss": ("return total, dW", True), "cost": ("return j, grads", True), "objective": ("return v, g", True),
    "mse": ("return m, dpred", True), "softmax": ("return v, delta", True), "energy": ("return e, gradient", True),
    "criterion": ("return c, x_grad", True), "nll": ("return a, nabla_b", True), "hinge": ("return a, d_w", True),
    "f": ("return loss, dW", True), "g": ("return error, grad_w", True), "grads_first": ("return grads, cost", True),
    "accuracy": ("return loss, dW", False), "train": ("return loss, grads", False), "predict": ("return p, d", False),
    "numeric_loss": ("return loss, dW", False), "check_loss": ("return loss, dW", False),
    "load_loss": ("return loss, dW", False), "split": ("return loss, dW", False), "h": ("return a, b", False),
    "plot": ("return loss, grad", False), "batch_loss": ("return loss, g", False), "loss": ("return value", False),
    "forward_loss": ("return loss, dW", False), "kl": ("return v, dq", True), "triplet": ("return v, da", True),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_with_its_gradients_is_known_by_its_name_and_by_what_it_returns(name: str, tmp_path: Any) -> None:
    body, wanted = LOSSES[name]
    path = tmp_path / "own.py"
    path.write_text(f"def {name}(x):\n    {body}\ndef {name}_of_nothing():\n    {body}\n")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert is_loss_with_gradient(names[name]) is wanted
    assert not is_loss_with_gradient(names[f"{name}_of_nothing"])


ROLES = {
    "training": "training train is_training is_train train_flg Train_Flag istrain train_mode",
    "target": "y_true y t Targets label truth y_hat_true actual gt y_train y_batch ytrue expected answers correct "
    "ground_truth real desired tgt etiquetas objetivo etiquettes cibles ziel klassen",
    "integers": "idx ids index indices token words token_ids input_ids labels_idx position tags word_idx rowIndex",
    "mask": "mask src_mask Masks",
    "settings": "conv_param hyperparameters bn_params config options kwargs settings hparams cfg opts",
    "state": "prev_h h_prev last_c init_state h0 c_0 h c s hidden state cell hx cx h_tm1 h_t_1",
    "bias": "b b1 bias biases beta bh bf_bias intercept_ offset sesgo biais schwelle",
    "scale": "gamma scale_factor gain g ln_gain",
    "number": "reg regularization lambda_ lambd eps epsilon scale slope alpha rate p prob keep_prob dropout_rate pad "
    "padding stride pool_size momentum temperature tau delta margin power n_heads l1 weight_decay threshold axis dim k",
    "weights": "W w W1 Wxh U V weights kernel filters theta hid_w weight_ih out_weights coef_ coefficients pesos "
    "poids pesi gewicht",
    "input": "x X inputs data features z a image",
}


@pytest.mark.parametrize("role", ROLES)
def test_what_names_of_arguments_stand_for(role: str) -> None:
    assert {name: role_of(name) for name in ROLES[role].split()} == dict.fromkeys(ROLES[role].split(), role)


def test_usual_values_of_settings() -> None:
    wanted = {
        "pad": 1, "padding": 1, "stride": 1, "strides": 1, "kernel_size": 2, "pool": 2, "pool_size": 2, "size": 2,
        "heads": 1, "n_heads": 1, "num_heads": 1, "k": 2, "axis": -1, "dim": -1, "pool_height": 2, "pool_width": 2,
        "power": 3, "f": 2, "num_groups": 2, "n_groups": 2, "g": 2, "groups": 2, "seed": 0, "mode": "train",
        "activation": "relu", "type": "relu", "padding_mode": "constant", "training": True, "is_train": True,
        "stride_h": 1, "pad_w": 1, "filter_height": 2, "window": 2, "HH_size": 2, "eps": 1e-5, "epsilon": 1e-5,
        "keep_prob": 0.6, "reg": 0.3, "alpha": 0.3,
    }  # fmt: skip
    assert {name: setting(name) for name in wanted} == wanted


FRONTS = (
    *("d", "d_", "grad", "grad_", "grads_", "gradient_", "gradient_of_", "gradients_", "dL_d", "dLd", "dL", "dl_d"),
    *("dJ_d", "dJd", "delta_", "delta", "nabla_", "nabla", "der_", "deriv_", "g_", "g", "_d", "dE_d"),
)
ENDS = ("_grad", "grad", "_grads", "_gradient", "_gradients", "Grad", "_deriv", "_delta", "_d", "Gradient")


@pytest.mark.parametrize("name", [*(f"{f}W1" for f in FRONTS), *(f"W1{e}" for e in ENDS)])
def test_a_gradient_of_any_of_these_names_is_that_of_its_array(name: str) -> None:
    assert "W1" in stems(name) and is_gradient_name(name) and same_stem(name, "W1") and same_stem(name, "w_1")
    assert not same_stem(name, "W2") and not same_stem(name, "b")


def test_names_that_say_gradient_and_no_more() -> None:
    assert all(map(is_gradient_name, ["grad", "Grads", "gradient", "gradients", "g"]))
    assert not any(map(is_gradient_name, ["W", "x", "weights", "out"]))
    assert stems("d") == set() and same_stem("W", "W")


SOURCE = "if mode == 'same': pass\nelif self.mode in ('valid', 'train'): pass\nif activation == 'relu': pass"
VARIED: dict[str, tuple[Any, list[Any]]] = {
    "stride": (1, [2]), "strides": (2, [1]), "padding": (0, [1]), "pad_h": (2, [1]), "dilation": (1, [2]),
    "n_heads": (1, [2]), "num_heads": (4, [1]), "groups": (1, [2]), "axis": (1, [0]), "dim": (0, [1]),
    "ignore_index": (None, [1]), "pad_idx": (1, [0]), "ignore_label": (-100, [1]), "eps": (1e-5, [0.02]),
    "epsilon": (0.5, []), "slope": (0.2, [0.4]), "negative_slope": (0.01, [0.115]), "alpha": (1, [1.6]),
    "beta": (1.0, [1.6]), "temperature": (1.0, [1.6]), "margin": (1.0, [1.6]), "label_smoothing": (0.1, [0.25]),
    "rate": (0.5, []), "use_bias": (True, [False]), "affine": (True, [False]), "causal": (False, [True]),
    "from_logits": (False, [True]), "verbose": (False, []), "mode": ("same", ["valid"]), "name": ("same", []),
    "activation": ("tanh", ["relu"]), "kernel": ((1, 1), []), "units": (3, []), "training": (True, []),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIED)
def test_settings_are_tried_with_other_values(name: str) -> None:
    default, others = VARIED[name]
    names: dict[str, Any] = {}
    exec(f"def own(x, {name}={default!r}): return x", names)
    assert list(variations_of(names["own"], SOURCE)) == [{name: other} for other in others]


def test_settings_of_several_numbers_and_of_the_book_are_tried_together() -> None:
    def own(x, stride=(1, 2), pad=0, dilation=1, axis=0): ...

    def dense(n, weight_regularizer_l1=0, weight_regularizer_l2=0, bias_regularizer_l1=0, bias_regularizer_l2=0): ...

    assert list(variations_of(own, "")) == [
        {"stride": (2, 1)}, {"pad": 1}, {"dilation": 2}, {"axis": 1}, {"pad": 1, "dilation": 2},
    ]  # fmt: skip
    (strengths,) = variations_of(dense, "")
    assert len(strengths) == len(set(strengths.values())) == 4
    assert counts_in({"stride": 1, "pad": 1, "n_heads": 1, "groups": 2, "x": 1}) == {"stride": 2, "n_heads": 2}
    assert counts_in({"options": {"stride": 1, "flag": True}}) == {"options": {"stride": 2, "flag": True}}


def test_a_module_is_no_function() -> None:
    assert not is_loss_with_gradient(types.ModuleType)
