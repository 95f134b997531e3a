"""What to think about where a wrong gradient is none of an exercise's own mistakes: gently, and more plainly.

None of these sentences says what to write: the names are those of `chainrule.checking`'s mistakes.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CHECKED", "RELATED", "Words"]


class Words(NamedTuple):
    """A hint, and the next stronger one."""

    hint: str
    more: str


_SIGN = Words(
    "The sizes are right, the direction is not.",
    "If what you differentiate by rises a little, does the loss rise or fall? Follow the minus signs.",
)
_SAMPLES = Words(
    "It is off by a factor that grows with the batch.",
    "How often is the number of samples in it: never, once, twice? Only the loss takes a mean.",
)
_UPSTREAM = Words(
    "It is right when all that comes from behind is 1, and only then.",
    "The slope of this step alone is not yet the gradient of the loss. Which link of the chain is missing?",
)
_PRODUCT = Words(
    "The two arrays are the right ones, or one of them is; how they are put together is not right.",
    "Write the shapes below each other. The index that vanishes is the one that is summed over.",
)
_LOCAL = Words(
    "What comes from behind arrives in front unchanged.",
    "How much does the output move when this moves a little? That slope is missing.",
)

# By how the numbers received are related to those that are right.
RELATED: dict[str, Words] = {
    "shape": Words(
        "Its shape is not the one that stands beside its line.",
        "A gradient has the shape of what it is the gradient of. Which axis is too many, and which is missing?",
    ),
    "transposed": Words("The numbers are right, and rows and columns are swapped.", "Which index should come first?"),
    "sign": _SIGN,
    "factor": Words(
        "All its numbers are off by the same factor.", "Differentiate once more on paper, and look for a constant."
    ),
    "batch": _SAMPLES,
    "factor_too_many": Words(
        "There is one factor too many in it.",
        "Each link of the chain is there once. Which of the arrays that you were given is multiplied in for no reason?",
    ),
    "factor_missing": Words(
        "A factor is missing in it.",
        "One of the things that you were given never enters this line, or not as often as it should.",
    ),
    "zero": Words(
        "It is zero throughout.", "Does a small change of it really leave the result as it is? Try it with numbers."
    ),
    "not finite": Words("It holds numbers that are not finite.", "Look for a division by zero, or a logarithm of it."),
}

CHECKED: dict[str, Words] = {
    "wrong_sign": _SIGN,
    "batch_mean_missing": _SAMPLES,
    "batch_mean_doubled": _SAMPLES,
    "mean_for_sum": _SAMPLES,
    "missing_upstream": _UPSTREAM,
    "upstream_twice": Words("What comes from behind is in it twice.", "How does it change when dvalues is doubled?"),
    "missing_local_derivative": _LOCAL,
    "gate_missing": _LOCAL,
    "missing_transpose": _PRODUCT,
    "transposed_product": _PRODUCT,
    "wrong_product": _PRODUCT,
    "branch_missing": Words(
        "One of several roads to the loss is missing.", "What is used twice gets a share from each of its uses."
    ),
    "dvalues_overwritten": Words(
        "Your function changes the array that it was handed.", "Whoever called you may still need it. Work on your own."
    ),
    "inputs_overwritten": Words(
        "Your function changes the array that it was handed.", "Whoever called you may still need it. Work on your own."
    ),
    "stale_cache": Words(
        "It remembers something of an earlier call.", "What is kept from one batch to the next, and should not be?"
    ),
}
