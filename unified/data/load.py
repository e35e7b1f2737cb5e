"""Load a dataset by name or from a folder in the MNIST layout."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unified.base.errors import bad_input
from unified.data.dataset import Dataset, Float, one_hot
from unified.data.idx import read_idx


def load(
    name_or_dir: str | os.PathLike[str] = "digits",
    *,
    test_fraction: float = 0.2,
    seed: int = 0,
    center: bool = False,
    classes: int = 10,
) -> Dataset:
    """Load a labelled dataset; inputs in [0, 1], targets one-hot, all float64.

    Args:
        name_or_dir: ``"digits"``: the 1,797 handwritten 8 × 8 digits that ship with scikit-learn
            (64 inputs, divided by 16). Anything else: a folder with the four files of MNIST or
            Fashion-MNIST, ``train-images-idx3-ubyte`` and so on, gzipped or not, also spelled
            ``train-images.idx3-ubyte`` (bytes divided by 255, images flattened row by row).
        test_fraction: digits only: share of each class kept for the test, between 0 and 1.
            A folder brings its own test part.
        seed: digits only: which split. The same seed gives the same split, always.
        center: subtract the mean training image from every input.
        classes: folder only: how many classes the labels may name.

    Raises:
        InputError: a missing, truncated or wrong file, images and labels that do not pair,
            a label out of range, NaN, or an option out of range.
    """
    if os.fspath(name_or_dir) == "digits":
        data = _digits(test_fraction, seed)
    else:
        data = _folder(Path(name_or_dir), classes)
    if not center:
        return data
    mean = data.x_train.mean(axis=0)
    return Dataset(
        data.name, data.x_train - mean, data.y_train, data.x_test - mean, data.y_test, data.classes
    )


def _digits(test_fraction: float, seed: int) -> Dataset:
    from sklearn.datasets import load_digits  # type: ignore[import-untyped,unused-ignore]

    if not 0.0 < test_fraction < 1.0:
        raise bad_input("test_fraction", "a number between 0 and 1", test_fraction, "use 0.2")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise bad_input("seed", "a whole number of at least 0", seed, "use e.g. seed=0")
    images, labels = load_digits(return_X_y=True)
    x, y = images / 16.0, one_hot(labels, 10)
    train, test = _stratified(labels, test_fraction, seed)
    return Dataset("digits", x[train], y[train], x[test], y[test], 10)


def _stratified(
    labels: NDArray[np.integer[Any]], fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split sample numbers so that each class gives round(fraction × its size) to the test.

    The order comes from sorting raw uniform draws, so that it does not depend on the shuffling
    algorithm of a NumPy version. Both parts keep at least one sample of each class.
    """
    draws = np.random.Generator(np.random.PCG64(seed)).random((2, len(labels)))
    order = np.argsort(draws[0])
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        test[members[:count]] = True
    mixed = np.argsort(draws[1])  # `order` itself runs out of the classes one after another
    return mixed[~test[mixed]], mixed[test[mixed]]


def _folder(folder: Path, classes: int) -> Dataset:
    if not folder.is_dir():
        raise bad_input(
            "data",
            "'digits' or a folder of idx files",
            f"'{folder}', which is no folder",
            "check the path",
        )
    x_train, y_train = _part(folder, "train", classes)
    x_test, y_test = _part(folder, "t10k", classes)
    return Dataset(folder.resolve().name, x_train, y_train, x_test, y_test, classes)


def _part(folder: Path, part: str, classes: int) -> tuple[Float, Float]:
    image_file = _find(folder, f"{part}-images", "idx3-ubyte")
    label_file = _find(folder, f"{part}-labels", "idx1-ubyte")
    images, labels = read_idx(image_file, ndim=3), read_idx(label_file, ndim=1)
    if len(images) != len(labels):
        got = f"{len(labels)} labels for {len(images)} images in {image_file.name}"
        remedy = "use the two files of one download"
        raise bad_input(label_file.name, "one label per image", got, remedy)
    if images.size == 0:
        raise bad_input(image_file.name, "at least one image", "none", "get the file again")
    if labels.dtype.kind not in "iu" or images.dtype.kind == "i":
        name = label_file.name if labels.dtype.kind not in "iu" else image_file.name
        got = "labels that are fractions" if name == label_file.name else "signed integers"
        raise bad_input(name, "unsigned bytes", got, "write the file again as unsigned bytes")
    flat = images.reshape(len(images), -1).astype(np.float64)
    if not np.isfinite(flat).all():
        row = int(np.flatnonzero(~np.isfinite(flat).all(axis=1))[0])
        got = f"NaN or infinity in image {row}"
        raise bad_input(image_file.name, "finite pixels", got, "drop or repair that image")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        got = f"{labels[outside[0]]} at position {outside[0]}"
        remedy = "check the file, or say classes=..."
        raise bad_input(label_file.name, f"labels from 0 to {classes - 1}", got, remedy)
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    return flat / scale, one_hot(labels, classes)


def _find(folder: Path, stem: str, kind: str) -> Path:
    """First file of ``folder`` among the four usual spellings."""
    names = [f"{stem}{dot}{kind}{end}" for dot in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    remedy = "put the four files of MNIST or Fashion-MNIST there"
    got = f"no such file in '{folder}'"
    raise bad_input("data", f"{names[0]} or {names[1]}", got, remedy)
