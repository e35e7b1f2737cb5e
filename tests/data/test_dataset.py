"""Oracle: scikit-learn's own arrays, and counts done by hand."""

import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_digits

from unified.base.errors import InputError
from unified.data import Dataset, load, one_hot


def test_digits_are_the_scikit_learn_images_in_a_stratified_split():
    """A leak between parts, or a lost image, would make every reported test error wrong."""
    data = load()
    images, labels = load_digits(return_X_y=True)
    together = np.concatenate([data.x_train, data.x_test]) * 16
    classes = np.concatenate([data.y_train, data.y_test]).argmax(axis=1)
    got = np.column_stack([together, classes])
    want = np.column_stack([images, labels])
    assert np.array_equal(got[np.lexsort(got.T)], want[np.lexsort(want.T)])
    per_class = np.bincount(labels)
    assert np.array_equal(data.y_test.sum(axis=0), np.round(0.2 * per_class))
    assert data.x_train.dtype == np.float64 and data.classes == 10 and data.inputs == 64


def test_split_depends_on_the_seed_only():
    """Results could not be repeated, or all seeds would share one split."""
    first, again, other = load(seed=3), load(seed=3), load(seed=4)
    assert np.array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


def test_split_is_fixed_for_ever():
    """Numbers in the README and in checkpoints refer to this very split."""
    data = load()
    assert data.y_train[:12].argmax(axis=1).tolist() == [5, 4, 2, 1, 9, 8, 0, 4, 1, 6, 3, 5]
    assert data.y_test[:12].argmax(axis=1).tolist() == [5, 3, 1, 4, 9, 1, 0, 3, 9, 8, 9, 2]


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_mixed(seed):
    """A first batch of one class would be no sample of the data."""
    data = load(seed=seed)
    assert data.y_train[:64].any(axis=0).all() and data.y_test[:64].any(axis=0).all()


def test_centering_uses_the_training_mean_only():
    """Using test images for the mean leaks them."""
    plain, centered = load(), load(center=True)
    mean = plain.x_train.mean(axis=0)
    np.testing.assert_allclose(centered.x_train.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_array_equal(centered.x_test, plain.x_test - mean)


def test_dataset_is_frozen():
    """A training loop that scales in place would change the next run's data."""
    data = load()
    with pytest.raises(ValueError, match="read-only"):
        data.x_train[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "x"
    assert "1438 train + 359 test" in repr(data)


@pytest.mark.parametrize("option", [{"test_fraction": 0.0}, {"test_fraction": 1.5}, {"seed": -1}])
def test_options_out_of_range(option):
    """An empty part would turn the test error into NaN."""
    with pytest.raises(InputError):
        load(**option)


def test_one_hot():
    """Wrong targets train the wrong net without a sign of it."""
    assert np.array_equal(one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [0.0, 1.0], [[0], [1]], ["a"], [True]])
def test_one_hot_refuses(labels):
    """-1 would silently mark the last class."""
    with pytest.raises(InputError, match="labels: expected"):
        one_hot(labels, 3)


def parts(**change):
    base = {"x_train": np.ones((4, 2)), "y_train": np.ones((4, 3))}
    base |= {"x_test": np.ones((1, 2)), "y_test": np.ones((1, 3))}
    return base | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": np.full((4, 2), np.nan)}, "x_train.*NaN or infinity in sample 0"),
        ({"y_test": np.array([[0, np.inf, 0]])}, "y_test.*finite"),
        ({"x_train": np.ones((5, 2))}, "5 inputs and 4 targets"),
        ({"x_test": np.ones((1, 7))}, "width 7"),
        ({"y_train": np.ones((4, 2))}, "width 3"),
        ({"x_test": np.ones((0, 2))}, "non-empty"),
        ({"x_train": np.ones(4)}, "shape"),
    ],
)
def test_bad_arrays_are_refused(change, message):
    """Later these would fail deep inside a solver, or not at all."""
    assert Dataset("good", **parts(), classes=3).inputs == 2
    with pytest.raises(InputError, match=message):
        Dataset("bad", **parts(**change), classes=3)
