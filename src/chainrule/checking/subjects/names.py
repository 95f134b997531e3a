"""What names say: the words that people use for inputs, parameters, targets, settings and gradients."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "LIKE_WEIGHTS",
    "RATES",
    "TARGETS",
    "TRAINING",
    "attended",
    "close_stem",
    "is_gradient_name",
    "rank_of",
    "role_of",
    "same_stem",
    "setting",
    "stems",
]

TRAINING = ("training", "train", "is_training", "is_train", "train_flg", "train_flag", "istrain", "train_mode")
TARGETS = (
    *("y_true", "y", "t", "target", "targets", "label", "labels", "true", "truth", "y_hat_true", "actual", "gt"),
    *("y_train", "y_batch", "ytrue", "expected", "answers", "correct", "ground_truth", "real", "desired", "tgt"),
    *("soll", "sollwert", "sollwerte", "zielwerte", "wahr", "y_wahr", "y_vrai", "vrai", "vrais", "attendu", "attendus"),
    *("alvo", "alvos", "rotulo", "rotulos", "esperado", "desejado", "deseado", "y_real", "verdadero", "atteso"),
    *("attesi", "etichetta", "etichette", "y_vero"),
    *("targets_list", "target_list", "labels_list"),
    *("etiqueta", "etiquetas", "objetivo", "objetivos", "etiquettes", "cible", "cibles", "ziel", "ziele", "klassen"),
)
LIKE_WEIGHTS = ("weights", "bias", "scale")
RATES = ("learning_rate", "lr", "eta", "rate_of_learning", "step_size", "learningrate", "l_rate", "step", "learn_rate")

_NUMBERS = re.compile(
    r"(?i)^(reg|regularization|reg_strength|lamb?d?a?_?|eps(ilon)?|scale|slope|alpha|negative_slope|rate|p|prob|"
    r"keep(_prob)?|drop(out)?(_prob|_rate)?|pad(ding)?|strides?|pool(_size)?|momentum|temp(erature)?|tau|delta|margin|"
    r"power|n_heads|num_heads|heads|l1|l2|l1_ratio|c|weight_decay|decay|threshold|axis|dim|k|kernel_size|size|beta1)$"
)
_SETTINGS = re.compile(
    r"(?i)(^|_)(h?param(eter)?s?|config|conf|options?|opts?|kwargs|settings?|hparams|hyper|hyperparameters|cfg)$"
)
_INTEGERS = re.compile(
    r"(?i)^(idx|ids?|ind(ex|ices)|tokens?|words?|token_ids|input_ids|labels_idx|positions?|tags|"
    r"\w+_(idx|ids?|ind(ex|ices))|\w+(Idx|Ind(ex|ices)))$"
)
_MASKS = re.compile(r"(?i)(^|_)(masks?|cond(ition)?)$")
_STATES = re.compile(
    r"(?i)^((prev|last|init)_?\w{1,6}|\w{1,6}_?(prev|last|init|0|t_1|tm1)(_\w)?|[hcs]|hidden|state|cell|hx|cx)$"
)
_BIASES = re.compile(
    r"(?i)^(b|bias(es)?|beta|b_?\w{0,3}|\w{0,3}_?bias(es)?|intercepts?_?|offsets?|sesgos?|biais|schwellen?)$"
)
_SCALES = re.compile(r"(?i)^(gamma|scale_?factor|\w{0,3}_?gain|g)$")
_WEIGHTS = re.compile(
    r"(?:(?i:^(weights?|kernels?|filters?|theta|w\w{0,4}|\w{1,4}_w|weight_\w+|\w+_weights?|coefs?_?|coefficients?|"
    r"pesos?|poids|pesi|gewichte?)$)|^[UVW]\w{0,2}$)"
)
_SIZES = {"pad": 1, "padding": 1, "stride": 1, "strides": 1, "kernel_size": 2, "pool": 2, "pool_size": 2, "size": 2,
          "heads": 1, "n_heads": 1, "num_heads": 1, "k": 2, "axis": -1, "dim": -1, "pool_height": 2, "pool_width": 2,
          "power": 3, "f": 2, "num_groups": 2, "n_groups": 2, "g": 2, "groups": 2, "seed": 0}  # fmt: skip
_SIZED = re.compile(r"(?:(size|height|width|kernel|window|filter)|stride|pad(?:ding)?)(?:_?[hwxy])?$")
_WORDS = {"mode": "train", "activation": "relu", "type": "relu", "padding_mode": "constant"}

_FRONTS = ("d", "d_", "grad", "grad_", "grads_", "gradient_", "gradient_of_", "gradients_", "dL_d", "dLd", "dL", "dl_d",
           "dJ_d", "dJd", "delta_", "delta", "nabla_", "nabla", "der_", "deriv_", "g_", "g", "_d", "dE_d",
           "abl_", "ableitung_", "derivada_", "derivee_", "derivata_", "gradiente_")  # fmt: skip
_ENDS = ("_grad", "grad", "_grads", "_gradient", "_gradients", "Grad", "_deriv", "_delta", "_d", "Gradient")


def role_of(name: str) -> str:
    """What a name stands for: "training", "settings", "target", "integers", "mask", "state", "weights", "bias",
    "scale", "number" or, where it says nothing else, "input".

    >>> role_of("prev_h"), role_of("Wx"), role_of("bn_param"), role_of("reg"), role_of("x")
    ('state', 'weights', 'settings', 'number', 'input')
    """
    if name.lower() in TRAINING:
        return "training"
    if name.lower() in TARGETS:
        return "target"
    for role, pattern in (
        ("integers", _INTEGERS), ("mask", _MASKS), ("settings", _SETTINGS), ("state", _STATES), ("bias", _BIASES),
        ("scale", _SCALES), ("number", _NUMBERS), ("weights", _WEIGHTS),
    ):  # fmt: skip
        if pattern.search(name):
            return role
    return "input"


def rank_of(name: str) -> int | None:
    """How many axes the name of an array tells.

    >>> rank_of("center_vec"), rank_of("outsideVectors"), rank_of("x")
    (1, 2, None)
    """
    found = re.search(r"(?:_|\b|(?<=[a-z]))(?:([Vv]ec(?:tor)?)|[Vv]ec(?:tor)?s|[Mm]atrix)$", name)
    return None if found is None else 1 if found[1] else 2


def attended(names: Iterable[str]) -> list[str]:
    """The queries, keys and values among names, where there are all three.

    >>> attended(["Q", "K", "V", "mask"]), attended(["k", "v"])
    (['Q', 'K', 'V'], [])
    """
    first = {
        name: name.lower().lstrip("x_")[0]
        for name in names
        if re.match(r"(?i)(x_?)?(q|k|v|query|queries|keys?|values?)$", name)
    }
    return list(first) if {"q", "k", "v"} <= {*first.values()} else []


def setting(name: str) -> object:
    """A usual value for a setting, by its name.

    >>> setting("stride"), setting("mode"), setting("reg")
    (1, 'train', 0.3)
    """
    name = name.lower()
    if name in _SIZES:
        return _SIZES[name]
    if name in _WORDS:
        return _WORDS[name]
    if name in TRAINING:
        return True
    if sized := _SIZED.search(name):
        return 2 if sized[1] else 1
    return 1e-5 if name.startswith("eps") else 0.6 if "keep" in name else 0.3


def stems(name: str) -> set[str]:
    """What a gradient of this name may be the gradient of; empty where it is no gradient's name.

    >>> "W1" in stems("dW1"), "W1" in stems("W1_grad"), stems("W1")
    (True, True, set())
    """
    found = {name.removeprefix(front) for front in _FRONTS if name.startswith(front)}
    return {each for each in found | {name.removesuffix(e) for e in _ENDS if name.endswith(e)} if each}


def is_gradient_name(name: str) -> bool:
    """Whether a name may be that of a gradient.

    >>> is_gradient_name("dW"), is_gradient_name("grads"), is_gradient_name("W")
    (True, True, False)
    """
    return name.lower() in ("grad", "grads", "gradient", "gradients", "g") or bool(stems(name))


def same_stem(gradient: str, name: str) -> bool:
    """Whether a gradient of this name belongs to an array of that name.

    >>> same_stem("dW", "W"), same_stem("W", "W"), same_stem("db", "W"), same_stem("dYPred", "y_pred")
    (True, True, False, True)
    """
    return gradient == name or _plainly(name) in {_plainly(each) for each in stems(gradient)}


def close_stem(gradient: str, name: str) -> bool:
    """Whether a gradient's name is the end of that of an array.

    >>> close_stem("dLogVar", "t_log_var"), close_stem("dMean", "t_log_var")
    (True, False)
    """
    return any(len(each) > 2 and _plainly(name).endswith(_plainly(each)) for each in stems(gradient))


def _plainly(name: str) -> str:
    return name.lower().replace("_", "")
