"""A scalar function of points, from an array-calculus expression or a callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program, emit
from unified.energies.energy import Energy
from unified.symbolic.nodes import Expr, Var


class PointFunction:
    """V(z) and −∇V for a batch of points, both traceable by JAX.

    Equation: for an expression, −∇V is derived by the array calculus and lowered to JAX; a
    callable is differentiated by JAX.
    Shapes: `values` (K, d) to (K,), `force` (K, d) to (K, d).
    `states` are the variables that are points (one, or two for a pair kernel, of which the first
    is differentiated); every other variable takes its value from `params`.
    """

    def __init__(self, source: Any, params: Mapping[str, Any] | None, points: int,
                 what: str, states: tuple[Var, ...] | None = None) -> None:  # fmt: skip
        self.points = points
        self.what = what
        self._kept: dict[str, tuple[list[Any], Any]] = {}
        self.callable: Callable[..., Any] | None = None
        self.energy: Energy | None = None
        self.params = {k: np.asarray(v, np.float64) for k, v in (params or {}).items()}
        if isinstance(source, Energy):
            self._from_expr(source.expr, states or source.states[:points])
        elif isinstance(source, Expr):
            self._from_expr(source, states)
        elif callable(source):
            if params:
                raise bad_input("params", "none with a callable", "some", "close over them")
            self.callable = source
        else:
            raise bad_input(what, "an array expression or a callable", type(source).__name__,
                            "write it in un.var, or as a function of one point")  # fmt: skip

    def _from_expr(self, expr: Expr, states: tuple[Var, ...] | None) -> None:
        if states is None:
            free = sorted((v for v in expr.free if v.name not in self.params), key=lambda v: v.name)
            states = tuple(free)
        if len(states) != self.points:
            names = ", ".join(v.name for v in states) or "none"
            raise bad_input(self.what, f"an expression of {self.points} free variable(s)",
                            names, "give the others values in params={name: array}")  # fmt: skip
        if len({v.axes for v in states}) > 1 or states[0].ndim > 1:
            raise bad_input(self.what, "vectors over one axis (or scalars) as its points",
                            str([v.axes for v in states]), "declare them so")  # fmt: skip
        rest = sorted((v for v in expr.free if v not in states), key=lambda v: v.name)
        self.states = states
        self.energy = Energy(expr, states[:1], rest, states[1:], name=self.what)
        self.params = self.program.params(self.params)

    @cached_property
    def program(self) -> Program:
        """The generated code."""
        assert self.energy is not None
        return emit(self.energy)

    @cached_property
    def dim(self) -> int | None:
        """d, where the expression or its parameters fix it."""
        if self.energy is None:
            return None
        if self.states[0].ndim == 0:
            return 1
        axis = self.states[0].axes[0]
        found = dict(self.energy.sizes)
        for p in self.energy.params:
            found |= dict(zip(p.axes, np.shape(self.params[p.name]), strict=True))
        return found.get(axis)

    @cached_property
    def quadratic(self) -> bool:
        """True if the expression's second derivative holds no point (never told of callables)."""
        if self.energy is None:
            return False
        name = self.states[0].name
        return self.energy.hessian(name, name).free.isdisjoint(self.states)

    def _values(self, points: tuple[Any, ...]) -> dict[str, Any]:
        import jax.numpy as jnp

        scalar = self.states[0].ndim == 0
        given = [p[:, 0] if scalar else p for p in points]
        found = {k: jnp.asarray(v, points[0].dtype) for k, v in self.params.items()}
        found[self.states[0].name] = given[0][None]
        found |= {v.name: p for v, p in zip(self.states[1:], given[1:], strict=True)}
        return found

    def values(self, *points: Any) -> Any:
        """V, (K,)."""
        import jax

        if self.callable is not None:
            found = jax.vmap(self.callable)(*points)
            if found.shape != points[0].shape[:1]:
                raise bad_input(self.what, "a function of one point (d,) that returns a number",
                                f"one that returns shape {found.shape[1:]}", "sum it")  # fmt: skip
            return found
        return self.program.core("energy", self._values(points))["F"][0]

    def force(self, *points: Any) -> Any:
        """−∇V with respect to the first point, (K, d)."""
        import jax

        if self.callable is not None:
            slope = jax.vmap(jax.grad(self._one))(*points)
            return -slope
        found = self.program.core("force", self._values(points))[self.states[0].name][0]
        return found[:, None] if self.states[0].ndim == 0 else found

    def _one(self, *points: Any) -> Any:
        return self.values(*(p[None] for p in points))[0]

    def numpy(self, what: str, *points: Any) -> Any:
        """`values` or `force` in double precision, as NumPy, even while JAX is tracing.

        The last answer is kept: a grid asks for the same points again and again.
        """
        import jax

        arrays = [np.atleast_2d(np.asarray(p, np.float64)) for p in points]
        kept, found = self._kept.get(what, ([], None))
        if len(kept) == len(arrays) and all(map(np.array_equal, kept, arrays)):
            return found
        with jax.enable_x64(True), jax.ensure_compile_time_eval():
            found = np.asarray(getattr(self, what)(*map(jax.numpy.asarray, arrays)))
        self._kept[what] = ([a.copy() for a in arrays], found)
        return found

    def hessian(self, dim: int) -> Any:
        """∇²V at the origin, (d, d), and −∇V there, (d,); all of a quadratic function."""
        eye = np.eye(dim)
        start = self.numpy("force", np.zeros((1, dim)))[0]
        return -(self.numpy("force", eye) - start), start

    def tex(self, names: Mapping[str, str] | None = None) -> tuple[str, str]:
        """LaTeX of the function and of −∇V; a name for both if it is a callable."""
        if self.energy is None:
            return f"{self.what}(\\theta)", rf"-\nabla {self.what}(\theta)"
        from unified.symbolic.build import scale
        from unified.symbolic.latex import latex

        slope = self.energy.grad(self.states[0].name)
        return latex(self.energy.expr), latex(scale(-1, slope))
