"""Interaction energies ½∬K dμdμ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.grid import GridMeasure
from unified.meanfield.measures import AbstractAtoms, AbstractMeasure, GaussianMeasure
from unified.meanfield.pointwise import PointFunction
from unified.meanfield.potential import Potential
from unified.symbolic.nodes import Var

BLOCK = 1 << 22  # numbers held at a time by a sum over pairs


class Interaction(AbstractFunctional):
    """An interaction energy.

    Equation: F = ½∬K dμdμ, δF/δμ(x) = ∫K_s(x, y)dμ(y) with K_s(x, y) = ½(K(x, y) + K(y, x)),
    velocity −∇_x ∫K_s(x, y)dμ(y); K(x − y) if the kernel has one point, K(x, y) if it has two.
    Shapes: an array-calculus expression in one variable, or in two given as `pair=(x, y)`; a
    callable of one point (d,), or of two with `pair=True`; or a Potential or Quadratic as K(x−y).
    `params` gives values to the other variables of an expression.
    A quadratic kernel is recognised in an expression and costs O(N); others O(N²), in chunks. On a
    grid, K(x − y) is summed by FFT (for a periodic grid: of differences less than half a period).
    Raises: InputError for a kernel that is singular where particles coincide.
    Reference: Carrillo, McCann & Villani (2003).
    """

    def __init__(self, kernel: Any, params: Mapping[str, Any] | None = None, *,
                 pair: tuple[Var, Var] | bool = False) -> None:  # fmt: skip
        self.paired = bool(pair)
        if isinstance(kernel, Potential):
            if params or pair:
                raise bad_input("params, pair", "none with a Potential as kernel", "some", "drop")
            self.function = kernel.function
        else:
            states = pair if isinstance(pair, tuple) else None
            self.function = PointFunction(kernel, params, 2 if pair else 1, "K", states)
        self.dim = self.function.dim
        self._even: dict[int, bool] = {}
        self._summed: Any = None

    # --- the kernel -------------------------------------------------------------------------
    def _symmetric(self, dim: int) -> bool:
        """Whether K(x, y) = K(y, x), looked at in a few points."""
        if dim not in self._even:
            rng = np.random.default_rng(0)
            x, y = rng.standard_normal((2, 8, dim))
            a, b = (self._numpy(x, y), self._numpy(y, x))
            self._even[dim] = bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))
        return self._even[dim]

    def _numpy(self, x: Any, y: Any) -> Any:
        return self.function.numpy("values", *((x, y) if self.paired else (x - y,)))

    def _kernel(self, x: Any, y: Any, what: str) -> Any:
        """K_s or −∇_xK_s on pairs of points (K, d), traceable."""
        ask = getattr(self.function, what)
        if self._symmetric(x.shape[1]):
            return ask(x, y) if self.paired else ask(x - y)
        if not self.paired:
            sign = -1 if what == "force" else 1
            return (ask(x - y) + sign * ask(y - x)) / 2
        if what == "values":
            return (ask(x, y) + ask(y, x)) / 2
        import jax

        def one(a: Any, b: Any) -> Any:
            return self.function.values(b[None], a[None])[0]

        return (ask(x, y) - jax.vmap(jax.grad(one))(x, y)) / 2

    def check(self, measure: AbstractMeasure) -> None:
        """Raise InputError if the kernel is singular on coincident points."""
        super().check(measure)
        at = measure.points[:64] if isinstance(measure, AbstractAtoms) else measure.mean()[None]
        with np.errstate(all="ignore"):
            for what in ("values", "force"):
                points = (at, at) if self.paired else (np.zeros((1, measure.dim)),)
                if not np.all(np.isfinite(self.function.numpy(what, *points))):
                    raise bad_input(
                        "kernel", "one that is finite, with its gradient, where particles coincide",
                        "a singular one", "regularise it, e.g. |z|² + ε² for |z|²",
                    )  # fmt: skip

    # --- sums over pairs --------------------------------------------------------------------
    def _sum(self, x: Any, y: Any, w: Any, what: str, chunk_size: int | None) -> Any:
        """Σ_j w_j k(x_i, y_j) for every i, `chunk_size` rows at a time; traceable."""
        import jax.numpy as jnp
        from jax import lax

        d = x.shape[1]
        rows = chunk_size or max(1, BLOCK // (len(y) * d))

        def row(point: Any) -> Any:
            found = self._kernel(jnp.broadcast_to(point, y.shape), y, what)
            return w @ found

        return lax.map(row, x, batch_size=min(rows, len(x)))

    def velocity(self, x: Any, w: Any, chunk_size: int | None = None) -> Any:
        """−∇∫K_s(x, y)dμ(y) at the particles."""
        import jax.numpy as jnp

        k = self.pairing(x.shape[1])
        if k is not None:
            return -(x - w @ x) @ jnp.asarray(k, x.dtype)
        return self._sum(x, x, w, "force", chunk_size)

    def _convolve(self, measure: AbstractAtoms, x: Any) -> Any:
        import jax

        with jax.enable_x64(True):
            if self._summed is None:  # kept, since JAX compiles a new function anew at every call
                self._summed = jax.jit(lambda x, y, w: self._sum(x, y, w, "values", None))
            at, y, w = (jax.numpy.asarray(np.asarray(v, np.float64))
                        for v in (x, measure.points, measure.weights))  # fmt: skip
            return np.asarray(self._summed(at, y, w))

    def value(self, measure: AbstractMeasure) -> float:
        """½∬K dμdμ; on a Gaussian in closed form for a quadratic kernel."""
        if isinstance(measure, GridMeasure):
            return float(measure.weights @ self.on_grid(measure).ravel()) / 2
        k = self.pairing(measure.dim)
        if k is not None and isinstance(measure, AbstractAtoms | GaussianMeasure):
            start = float(self._numpy(np.zeros((1, measure.dim)), np.zeros((1, measure.dim)))[0])
            return float(np.sum(k * measure.cov()) + start) / 2
        if not isinstance(measure, AbstractAtoms):
            raise bad_input("measure", f"particles or a grid, for {self!r}",
                            type(measure).__name__, "convert it")  # fmt: skip
        return float(measure.weights @ self._convolve(measure, measure.points)) / 2

    def variation(self, measure: AbstractMeasure) -> Callable[[Any], Any]:
        """x ↦ ∫K_s(x, y)dμ(y)."""
        if not isinstance(measure, AbstractAtoms):
            raise bad_input("measure", "particles or a grid", type(measure).__name__, "convert it")
        return lambda x: self._convolve(measure, x)

    def on_grid(self, measure: GridMeasure) -> Any:
        """∫K_s(x, y)dμ(y) at the cells, by FFT where K is a function of x − y."""
        if self.paired:
            return super().on_grid(measure)
        from scipy.signal import fftconvolve

        sizes = measure.density.shape
        spans = [np.arange(-(n - 1), n) * h for n, h in zip(sizes, measure.steps, strict=True)]
        mass = measure.density * measure.volume
        if measure.periodic:
            spans = [(np.arange(n) - n // 2) * h for n, h in zip(sizes, measure.steps, strict=True)]
        table = self._table(tuple(map(tuple, spans)))
        if not measure.periodic:
            return fftconvolve(table, mass, mode="valid")
        centred = np.fft.ifftshift(table)
        return np.fft.irfftn(np.fft.rfftn(centred) * np.fft.rfftn(mass), s=sizes,
                             axes=range(len(sizes)))  # fmt: skip

    def _table(self, spans: tuple[tuple[float, ...], ...]) -> Any:
        """K_s over a grid of differences, kept for the next call."""
        kept = getattr(self, "_kept", None)
        if kept is None or kept[0] != spans:
            points = np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1)
            flat = points.reshape(-1, len(spans))
            value = (self.function.numpy("values", flat) + self.function.numpy("values", -flat)) / 2
            kept = self._kept = (spans, value.reshape(points.shape[:-1]))
        return kept[1]

    def pairing(self, dim: int) -> Any:
        """K (d, d) if the kernel is a quadratic expression of x − y."""
        if self.paired or not self.function.quadratic:
            return None
        return self.function.hessian(dim)[0]

    def identity(self) -> tuple[Any, ...]:
        """Also the parameters."""
        return (*super().identity(), *self.function.params.values())

    # --- text -------------------------------------------------------------------------------
    def lines(self) -> list[str]:
        """The energy, its variation and velocity, for the kernel as derived."""
        value, force = self.function.tex()
        at = "x, y" if self.paired else "x - y"
        return [
            rf"\mathcal{{F}} &= \tfrac{{1}}{{2}} \iint K({at})\, d\mu\, d\mu, \quad K = {value}",
            rf"\frac{{\delta \mathcal{{F}}}}{{\delta \mu}} &= \int K({at})\, d\mu(y)",
            rf"v &= \int -\nabla K\, d\mu(y), \quad -\nabla K = {force}",
        ]

    def __repr__(self) -> str:
        kind = "callable" if self.function.energy is None else "derived"
        return f"Interaction({kind}, {'K(x, y)' if self.paired else 'K(x - y)'})"
