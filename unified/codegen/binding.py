"""Checking what a user hands to a program, and putting it on the phase and batch axes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unified.base.errors import InputError, bad_input
from unified.energies.energy import Energy
from unified.symbolic.axis import Axis
from unified.symbolic.convolution import fitted, windows_of
from unified.symbolic.nodes import Var

Sizes = dict[Axis, tuple[int, str]]


def traced(*values: Any) -> bool:
    """True if any array is traced by JAX or a PyTensor variable: its entries cannot be seen."""
    flat: list[Any] = []
    for v in values:
        flat.extend(v.values() if isinstance(v, Mapping) else [v])
    # nothing can be of a library before it is loaded
    jax, symbolic = sys.modules.get("jax"), sys.modules.get("pytensor.graph")
    kinds: tuple[type, ...] = () if jax is None else (jax.core.Tracer,)
    kinds += () if symbolic is None else (symbolic.Variable,)
    return any(isinstance(v, kinds) for v in flat)


def _shape(name: str, value: Any, axs: Sequence[Axis], sizes: Sizes, lead: int) -> None:
    got = tuple(np.shape(value))[lead:]
    want = "(" + ", ".join(a.name for a in axs) + ")"
    if len(got) != len(axs):
        raise bad_input(
            name, f"{len(axs)} axes {want}", f"shape {tuple(np.shape(value))}", "reshape it"
        )
    for axis, n in zip(axs, got, strict=True):
        if n == 0:
            raise bad_input(name, f"a size of at least 1 on axis {axis.name}", "0", "pass data")
        known, where = sizes.setdefault(axis, (n, name))
        if known != n:
            raise bad_input(
                name, f"axis {axis.name} of size {known} as in {where}", f"size {n}",
                "transpose it or use arrays of one network",
            )  # fmt: skip


def _finite(name: str, value: Any) -> None:
    if not np.all(np.isfinite(value)):
        bad = int(np.size(value) - np.count_nonzero(np.isfinite(value)))
        raise bad_input(
            name, "finite numbers", f"{bad} NaN or infinite entries", "clean it before the call"
        )


def _symmetric(array: Any) -> bool:
    """Whether A = Aᵀ but for rounding. Most are so exactly, which is seen ten times faster."""
    exact = np.array_equal(array, array.T)
    return exact or np.allclose(array, array.T, rtol=1e-6, atol=1e-12)


def bind(members: Sequence[Var], values: Mapping[str, Any], what: str, sizes: Sizes, dtype: Any,
         lead: int = 0) -> dict[str, Any]:  # fmt: skip
    """The arrays of some variables, checked: all there, none extra, right axes, finite.

    Raises: InputError naming the variable, what was expected, what came and the remedy.
    """
    if not isinstance(values, Mapping):
        raise bad_input(what, "a dict of arrays by name", type(values).__name__, "pass a dict")
    names = [v.name for v in members]
    for name in values:
        if name not in names:
            listed = ", ".join(names) or "none"
            raise bad_input(what, f"names among {listed}", repr(name), "drop or rename it")
    found = {}
    for v in members:
        if values.get(v.name) is None:
            raise bad_input(what, f"an array for '{v.name}'", "none", "add it to the dict")
        value = values[v.name]
        if traced(value):
            found[v.name] = value
            continue
        try:
            free = what not in ("params", "data")  # only states may leave the real line
            kind = np.result_type(dtype, np.complex64) if np.iscomplexobj(value) else dtype
            if kind != dtype and not free:
                raise bad_input(v.name, "real numbers", "complex ones", "pass the real part")
            array = np.asarray(value, dtype=kind)
        except InputError:
            raise
        except (TypeError, ValueError) as err:
            kind = type(value).__name__
            raise bad_input(v.name, "an array of numbers", kind, "convert it") from err
        _shape(v.name, array, v.axes, sizes, lead)
        _finite(v.name, array)
        if v.symmetric and not _symmetric(array):
            gap = float(np.max(np.abs(array - array.T)))
            raise bad_input(
                v.name, "a symmetric matrix, as the energy declares",
                f"|{v.name} - {v.name}.T| up to {gap:.3g}", f"use ({v.name} + {v.name}.T)/2",
            )  # fmt: skip
        found[v.name] = array
    return found


def check_positive(model: Energy, params: Mapping[str, Any]) -> None:
    """Raise InputError if a precision, or what else must be, is not positive (definite)."""
    for v in sorted(model.positive, key=lambda v: v.name):
        value = params[v.name]
        if traced(value):
            continue
        if v.ndim < 2:
            least = float(np.min(value))
            if not least > 0:
                raise bad_input(v.name, "positive entries", f"{least:.3g}", "raise them above 0")
            continue
        exact = np.asarray(value, dtype=np.float64)
        try:
            np.linalg.cholesky((exact + exact.T) / 2)
        except np.linalg.LinAlgError:
            least = float(np.linalg.eigvalsh((exact + exact.T) / 2)[0])
            raise bad_input(
                v.name, "a positive definite matrix", f"one with eigenvalue {least:.3g}",
                "add a multiple of the identity",
            ) from None  # fmt: skip


def data_arrays(
    model: Energy, target: Var | None, x: Any, y: Any, sizes: Sizes, dtype: Any
) -> tuple[dict[str, Any], int | None]:
    """Inputs and target on the batch axis: arrays by name, and the batch size (None: one sample).

    Raises: InputError for a missing target, an empty batch, or arrays that do not fit.
    """
    members = list(model.inputs)
    if x is None:
        values: dict[str, Any] = {}
    elif isinstance(x, Mapping):
        values = dict(x)
    elif len(members) == 1:
        values = {members[0].name: x}
    else:
        raise bad_input("x", f"a dict with {', '.join(v.name for v in members)}", "one array",
                        "pass inputs by name")  # fmt: skip
    if target is not None:
        members.append(target)
        if y is None:
            raise bad_input("y", f"a target '{target.name}'", "none", "pass y or use a free phase")
        values[target.name] = y
    batch: int | None = None
    single: str = ""
    for v in members:
        value = values.get(v.name)
        if value is None:
            continue  # `bind` says what is missing
        try:
            ndim = np.ndim(value)
        except ValueError as err:
            raise bad_input(v.name, "rows of equal length", "ragged ones", "pad them") from err
        if ndim == v.ndim + 1:
            n = int(np.shape(value)[0])
            if n == 0:
                raise bad_input(v.name, "at least one sample", "an empty batch", "pass data")
            if batch is not None and batch != n:
                other = f"{batch} samples as in the other data"
                raise bad_input(v.name, other, str(n), "align them")
            batch = n
        else:
            single = v.name
    if batch is not None and single:
        raise bad_input(
            single, f"a batch axis ({batch} samples) as on the other data",
            f"shape {np.shape(values[single])}", "add the axis; labels are given one-hot",
        )  # fmt: skip
    lifted = values if batch is not None else {
        k: v if v is None else _lift(v) for k, v in values.items()
    }  # fmt: skip
    return bind(members, lifted, "data", sizes, dtype, lead=1), batch


def _lift(value: Any) -> Any:
    return value[None] if hasattr(value, "shape") else np.asarray(value)[None]


def check_sizes(model: Energy, sizes: Sizes) -> None:
    """Raise InputError if arrays have other sizes than the energy was declared with."""
    fitted(windows_of(model.expr), {axis: n for axis, (n, _) in sizes.items()})
    for axis, n in model.sizes.items():
        if axis in sizes and sizes[axis][0] != n:
            got, where = sizes[axis]
            raise bad_input(
                where, f"size {n} on axis {axis.name}, as the energy declares", str(got),
                "pass data of the declared width or declare the energy for this one",
            )  # fmt: skip
