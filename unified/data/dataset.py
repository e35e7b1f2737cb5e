"""A labelled dataset whose arrays have been checked once, when it was made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unified.base.errors import bad_input

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and one-hot targets, split into a training and a test part.

    Attributes:
        name: where it came from.
        x_train: inputs, shape (samples, inputs), float64.
        y_train: one-hot targets, shape (samples, classes), float64.
        x_test: as ``x_train``.
        y_test: as ``y_train``.
        classes: number of classes.

    The arrays are copied and read-only.

    Raises:
        InputError: an empty part, a wrong number of dimensions or width, rows that do not match,
            or values that are not finite.
    """

    name: str
    x_train: Float
    y_train: Float
    x_test: Float
    y_test: Float
    classes: int

    def __post_init__(self) -> None:
        for field in ("x_train", "y_train", "x_test", "y_test"):
            array = np.array(getattr(self, field), dtype=np.float64)
            _check_matrix(field, array)
            array.flags.writeable = False
            object.__setattr__(self, field, array)
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if len(x) != len(y):
                got = f"{len(x)} inputs and {len(y)} targets"
                raise bad_input(f"y_{part}", "one target per input", got, "pair them one to one")
            if y.shape[1] != self.classes:
                raise bad_input(
                    f"y_{part}",
                    f"width {self.classes} (the number of classes)",
                    f"width {y.shape[1]}",
                    "use one_hot(labels, classes)",
                )
        if self.x_train.shape[1] != self.x_test.shape[1]:
            raise bad_input(
                "x_test",
                f"width {self.x_train.shape[1]} as in x_train",
                f"width {self.x_test.shape[1]}",
                "use test images of the same size",
            )

    @property
    def inputs(self) -> int:
        """Width of one input."""
        return int(self.x_train.shape[1])

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}: {len(self.x_train)} train + {len(self.x_test)} test, "
            f"{self.inputs} inputs, {self.classes} classes)"
        )


def one_hot(labels: ArrayLike, classes: int) -> Float:
    """Turn class labels into rows of zeros with a single one.

    Args:
        labels: integers in 0 .. classes-1, shape (samples,).
        classes: how many there are.

    Returns:
        Array of shape (samples, classes), float64; row i is 1 at ``labels[i]``.

    Raises:
        InputError: labels that are not whole numbers, not one-dimensional, or out of range.
    """
    if isinstance(classes, bool) or not isinstance(classes, int | np.integer) or classes < 1:
        raise bad_input("classes", "a whole number of at least 1", classes, "use e.g. classes=10")
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        remedy = "pass one whole number per sample, e.g. labels.astype(int).ravel()"
        raise bad_input("labels", "a one-dimensional array of whole numbers", array, remedy)
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if wrong.size:
        raise bad_input(
            "labels",
            f"values from 0 to {classes - 1}",
            f"{array[wrong[0]]} at position {wrong[0]}",
            f"correct it or raise classes above {array.max()}"
            if array.min() >= 0
            else "correct it",
        )
    return np.eye(classes, dtype=np.float64)[array]


def _check_matrix(field: str, array: Float) -> None:
    if array.ndim != 2 or array.size == 0:
        got = f"shape {array.shape}"
        raise bad_input(field, "a non-empty array of shape (samples, width)", got, "add samples")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        remedy = "drop or repair that sample"
        raise bad_input(field, "finite numbers", f"NaN or infinity in sample {row}", remedy)
