"""The data sets inside the package."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import datasets
from chainrule.errors import UnknownNameError


@pytest.mark.parametrize("name", datasets.SHIPPED)
def test_a_shipped_set_is_what_its_description_says(name: str) -> None:
    data, description = datasets.load(name), datasets.SHIPPED[name]
    assert len(data.X_train) + len(data.X_test) == description.samples
    assert data.X_train.shape[1:] == data.X_test.shape[1:] == (description.features,)
    assert data.X_train.dtype == np.float32
    assert np.isfinite(data.X_train).all()
    assert np.isfinite(data.X_test).all()
    assert description.source
    assert description.licence


@pytest.mark.parametrize("name", datasets.SHIPPED)
def test_the_part_held_out_is_a_fifth_of_every_class_and_of_no_training_sample(name: str) -> None:
    data = datasets.load(name)
    for label in range(len(data.description.class_names)):
        held_out, rest = np.sum(data.y_test == label), np.sum(data.y_train == label)
        assert abs(held_out - (held_out + rest) / 5) <= 1
    assert abs(len(data.X_test) - data.description.samples / 5) <= 1


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no data set named 'digit'\. Did you mean 'digits'\?"):
        datasets.load("digit")
