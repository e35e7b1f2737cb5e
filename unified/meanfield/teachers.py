"""Data for wide nets: teachers, exact Gaussian averages, digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from unified.base.errors import bad_input


class Samples(NamedTuple):
    """Inputs x (M, d), targets y (M,) or (M, k), and weights q (M,) that sum to 1."""

    x: Any
    y: Any
    q: Any


def read_samples(data: Any, d: int, outputs: int) -> Samples:
    """Check (x, y) or (x, y, weights); weights default to 1/M.

    Raises: InputError for shapes that do not fit, numbers that are not finite, or weights that
    are negative or do not sum to 1.
    """
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise bad_input("data", "a tuple (x, y), or (x, y, weights)", type(data).__name__,
                        "pass arrays x (M, d) and y (M,)")  # fmt: skip
    x, y = (np.asarray(v, dtype=np.float64) for v in data[:2])
    if x.ndim != 2 or x.shape[1] != d or not len(x):
        raise bad_input("x", f"shape (M, {d}), as the net wants", f"{x.shape}",
                        "one sample per row")  # fmt: skip
    want = f"({len(x)},)" if outputs == 1 else f"({len(x)}, {outputs})"
    if y.shape == (len(x), 1) and outputs == 1:
        y = y[:, 0]
    if y.shape != ((len(x),) if outputs == 1 else (len(x), outputs)):
        raise bad_input("y", f"shape {want}, one target per sample", f"{y.shape}",
                        "or set outputs= of the net")  # fmt: skip
    q = np.full(len(x), 1 / len(x)) if len(data) == 2 else np.asarray(data[2], dtype=np.float64)
    if q.shape != (len(x),) or np.any(q < 0) or abs(float(q.sum()) - 1) > 1e-9:
        got = f"shape {q.shape}, sum {float(np.sum(q)):.6g}"
        raise bad_input("weights", f"({len(x)},) numbers that are not negative and sum to 1", got,
                        "divide by their sum")  # fmt: skip
    for name, v in (("x", x), ("y", y)):
        if not np.all(np.isfinite(v)):
            raise bad_input(name, "finite numbers", "NaN or infinity", "drop that sample")
    return Samples(x, y, q)


def gaussian_inputs(d: int, nodes: int = 4) -> tuple[Any, Any]:
    """Points (nodes^d, d) and weights that average polynomials over N(0, I) exactly.

    Equation: Gauss–Hermite in every direction, exact to degree 2·nodes − 1 in each.
    Raises: InputError if there would be more than 10⁶ points.
    Reference: Davis & Rabinowitz (1984), Methods of Numerical Integration, 5.1.
    """
    if d < 1 or nodes < 1 or nodes**d > 10**6:
        raise bad_input("d", "at most 10⁶ points nodes^d", f"{nodes}^{d}", "draw samples instead")
    at, weight = np.polynomial.hermite_e.hermegauss(nodes)
    weight = weight / weight.sum()
    grids = np.meshgrid(*[at] * d, indexing="ij")
    sizes = np.meshgrid(*[weight] * d, indexing="ij")
    return np.stack([g.ravel() for g in grids], axis=1), np.prod([s.ravel() for s in sizes], axis=0)


def whitened_inputs(m: int, d: int, *, seed: int) -> Any:
    """m inputs (m, d) whose second moment is the identity exactly, as the closed flows want.

    Raises: InputError for fewer samples than dimensions.
    """
    if m < d:
        raise bad_input("m", f"at least d = {d} samples", m, "draw more")
    x = np.random.default_rng(seed).standard_normal((m, d))
    return np.linalg.qr(x)[0] * np.sqrt(m)


def teacher_data(
    teacher: Callable[[Any], Any], m: int, d: int, *, seed: int, noise: float = 0.0
) -> Samples:
    """m standard normal inputs with targets from a teacher, a function (m, d) to (m,) or (m, k).

    `noise` is the standard deviation of what is added to targets.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((m, d))
    y = np.asarray(teacher(x))
    return Samples(x, y + noise * rng.standard_normal(y.shape), np.full(m, 1 / m))


def digits(*, seed: int = 0, count: int | None = None) -> tuple[Samples, Samples]:
    """Training and test part of the embedded digits, inputs centred, targets one-hot minus 1/10.

    A net for them is TwoLayer(64, outputs=10).
    """
    from unified.data import load

    data = load("digits", seed=seed, center=True)
    parts = []
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        x, y = x[:count], y[:count]
        parts.append(Samples(x, y - 0.1, np.full(len(x), 1 / len(x))))
    return parts[0], parts[1]
