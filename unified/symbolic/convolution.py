"""Convolution and pooling: products with windows, whose sizes must fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import sympy

from unified.base.errors import AxisError, bad_input
from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.build import as_expr
from unified.symbolic.contract import Part, contract
from unified.symbolic.nodes import Einsum, Expr, Window, walk


def conv(
    x: Any, kernel: Any, stride: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, *,
    axes: Sequence[Axis] | None = None,
) -> Expr:  # fmt: skip
    """The convolution (cross-correlation) of an image-like array with a kernel, channels last.

    Equation: y[h, w, o] = Σ_ijc x[h·stride + i − padding, w·stride + j − padding, c] K[i, j, c, o],
    x read as 0 outside; in one direction without w and j.
    Shapes: x (u, v, c), K (i, j, c, o), y (h, w, o) with h = ⌊(u + 2·padding − i)/stride⌋ + 1;
    `axes` are the output axes of the directions, made from the input's unless given.
    Raises: AxisError if the axes do not fit; InputError for a bad stride or padding, and, once
    sizes are known, for sizes that do not fit.
    Reference: Dumoulin & Visin (2016), arXiv:1603.07285.
    """
    x, kernel = as_expr(x), as_expr(kernel)
    d = kernel.ndim - 2
    if d < 1 or x.ndim != d + 1:
        raise AxisError(
            f"conv: expected x of axes (u, c) and a kernel (i, c, o), or (u, v, c) and "
            f"(i, j, c, o), got {_names(x.axes)} and {_names(kernel.axes)}; reorder their axes."
        )
    if x.axes[-1] is not kernel.axes[-2]:
        raise AxisError(
            f"conv: expected equal channel axes, got '{x.axes[-1].name}' of x {_names(x.axes)} and "
            f"'{kernel.axes[-2].name}' of the kernel {_names(kernel.axes)}; declare both over one."
        )
    windows = _windows(x.axes[:d], kernel.axes[:d], stride, padding, axes)
    ins, taps, (c, o) = indices(x.axes[:d]), indices(kernel.axes[:d]), indices(kernel.axes[-2:])
    outs = tuple(Index(w.axes[0]) for w in windows)
    parts: list[Part] = [(x, (*ins, c)), (kernel, (*taps, c, o))]
    parts += zip(windows, zip(outs, taps, ins, strict=True), strict=True)
    return contract(1, parts, (*outs, o))


def pool(
    x: Any, size: int, stride: int | None = None, *, axes: Sequence[Axis] | None = None
) -> Expr:
    """The mean over windows of `size` entries in every direction, channel by channel.

    Equation: y[h, w, c] = Σ_ij x[h·stride + i, w·stride + j, c]/size², i, j < size.
    Shapes: x (u, v, c) or (u, c); `stride` is `size` unless given; `axes` as in `conv`.
    Raises: as `conv`.
    Reference: LeCun et al. (1998), Proceedings of the IEEE 86, 2278.
    """
    x = as_expr(x)
    d = x.ndim - 1
    if d < 1:
        raise AxisError(f"pool: expected axes (u, c) or (u, v, c), got {_names(x.axes)}; add one.")
    _whole("pool size", size, 1)
    tap = Axis(f"pool{size}")
    step = size if stride is None else stride
    windows = _windows(x.axes[:d], (tap,) * d, step, 0, axes, size)
    ins, taps, c = indices(x.axes[:d]), indices((tap,) * d), Index(x.axes[-1])
    outs = tuple(Index(w.axes[0]) for w in windows)
    parts: list[Part] = [(x, (*ins, c))]
    parts += zip(windows, zip(outs, taps, ins, strict=True), strict=True)
    return contract(sympy.Rational(1, size**d), parts, (*outs, c))


def _names(axs: Sequence[Axis]) -> str:
    return "(" + ", ".join(a.name for a in axs) + ")"


def _whole(name: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise bad_input(name, f"a whole number of at least {least}", repr(value), "use e.g. 1")
    return value


def _each(name: str, value: int | Sequence[int], d: int, least: int) -> tuple[int, ...]:
    """One number per direction."""
    many = (value,) * d if isinstance(value, int) else tuple(value)
    if len(many) != d:
        raise bad_input(name, f"one number or {d}", repr(value), "give one per direction")
    return tuple(_whole(name, v, least) for v in many)


def _windows(
    ins: Sequence[Axis], taps: Sequence[Axis], stride: int | Sequence[int],
    padding: int | Sequence[int], outs: Sequence[Axis] | None, width: int | None = None,
) -> list[Window]:  # fmt: skip
    d = len(ins)
    strides, pads = _each("conv stride", stride, d, 1), _each("conv padding", padding, d, 0)
    if outs is None:
        outs = [_made(*each) for each in zip(ins, taps, strides, pads, strict=True)]
    if len(outs) != d or not all(isinstance(a, Axis) for a in outs):
        raise bad_input("conv axes", f"{d} output axes", repr(outs), "declare them with un.axes")
    found = []
    for h, i, u, s, p in zip(outs, taps, ins, strides, pads, strict=True):
        if i in (h, u) or (h is u and s != 1):
            raise AxisError(
                f"conv: expected an axis of its own for output, kernel and input, got ({h.name}, "
                f"{i.name}, {u.name}) at stride {s}; declare another one."
            )
        found.append(Window.make((h, i, u), s, p, width))
    return found


def _made(u: Axis, i: Axis, stride: int, padding: int) -> Axis:
    """The output axis of a direction, the same for the same input, kernel, stride and padding."""
    step = f"_s{stride}" if stride > 1 else ""
    return Axis(f"{u.name}_{i.name}{step}" + (f"_p{padding}" if padding else ""))


# --- sizes ------------------------------------------------------------------------------------
@lru_cache(maxsize=256)
def windows_of(*roots: Expr) -> tuple[Window, ...]:
    """The windows inside expressions, inputs before what is made of them."""
    found: dict[Window, None] = {}
    for node in walk(*roots):
        if isinstance(node, Einsum):
            found |= {f: None for f in node.factors if isinstance(f, Window)}
        elif isinstance(node, Window):
            found[node] = None
    left, ordered = list(found), []
    while left:
        waiting = {w.axes[0] for w in left}
        ready = [w for w in left if w.axes[2] not in waiting or w.axes[2] is w.axes[0]] or left
        ordered += ready
        left = [w for w in left if w not in ready]
    return tuple(ordered)


def fitted(windows: Iterable[Window], sizes: Mapping[Axis, int]) -> dict[Axis, int]:
    """The sizes with those that windows determine: of output axes, and of fixed kernels.

    Equation: h = ⌊(u + 2·padding − i)/stride⌋ + 1; an axis convolved to itself has i = 2·padding+1.
    Raises: InputError if a kernel is larger than the padded input, or a given size is another one.
    """
    known = dict(sizes)

    def put(axis: Axis, size: int, why: str) -> None:
        if known.setdefault(axis, size) != size:
            raise bad_input(f"conv axis {axis.name}", f"size {size} = {why}", str(known[axis]),
                            "change this size, the kernel, stride or padding")  # fmt: skip

    for w in windows:
        h, i, u = w.axes
        if w.width is not None:
            put(i, w.width, "the pooling size")
        if h is u:
            put(i, 2 * w.padding + 1, f"2*{w.padding} + 1, as {h.name} is kept")
        if i in known and u in known:
            room = known[u] + 2 * w.padding
            if known[i] > room:
                raise bad_input(
                    f"conv kernel axis {i.name}",
                    f"at most {room}, the padded size of input axis {u.name}", str(known[i]),
                    "use a smaller kernel or more padding",
                )  # fmt: skip
            count = (room - known[i]) // w.stride + 1
            put(h, count, f"({room} - {known[i]})//{w.stride} + 1 of input axis {u.name}")
    return known
