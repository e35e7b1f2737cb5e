"""Reading a linear chain off an energy: which parameter is a weight, a bias, a precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import InputError, bad_input
from unified.energies.chain_maps import ChainArrays, QuadraticArrays, check_definite
from unified.energies.energy import Energy
from unified.symbolic.build import scale, transpose, zeros
from unified.symbolic.diff import gradients
from unified.symbolic.nodes import Delta, Expr, Var, Zero
from unified.symbolic.transform import substitute


@dataclass(frozen=True)
class Reading:
    """Parameter names by role and layer (None: an identity, or a bias that is not there)."""

    energy: Energy
    sizes: list[int]
    own: list[str | None]
    weights: list[str]
    biases: list[str | None]
    params: Mapping[str, Any]

    def _arrays(self) -> tuple[list[Any], list[Any], list[Any]]:
        own = []
        for name, n in zip(self.own, self.sizes[1:], strict=True):
            value = np.eye(n) if name is None else self.params[name]
            own.append(np.diag(value) if value.ndim == 1 else value)
        widths = self.sizes[1:]
        biases = [np.zeros(n) if b is None else self.params[b]
                  for b, n in zip(self.biases, widths, strict=True)]  # fmt: skip
        return own, [self.params[w] for w in self.weights], biases

    @cached_property
    def chain(self) -> ChainArrays:
        """The arrays of a predictive chain."""
        return ChainArrays(*self._arrays())

    @cached_property
    def quadratic(self) -> QuadraticArrays:
        """The arrays of a quadratic chain."""
        return QuadraticArrays(*self._arrays())

    def gradient_of(self, slope: ChainArrays | QuadraticArrays) -> dict[str, Any]:
        """Slopes by parameter name; those of what is no parameter are left out."""
        found: dict[str, Any] = {}
        groups = ((self.own, slope.own), (self.weights, slope.weights), (self.biases, slope.biases))
        for names, values in groups:
            for name, value in zip(names, values, strict=True):
                if name is not None:
                    diagonal = np.ndim(self.params[name]) < np.ndim(value)
                    found[name] = np.diagonal(value).copy() if diagonal else value
        return {name: found[name] for name in self.params}


def _checked(energy: Energy, params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as float64 arrays with the axes the energy declares."""
    if not isinstance(energy, Energy):
        raise bad_input("energy", "an un.Energy", type(energy).__name__, "pass program.model")
    if len(energy.inputs) != 1:
        raise bad_input("energy", "one clamped input", str(len(energy.inputs)), "use a chain")
    found: dict[str, Any] = {}
    sizes = dict(energy.sizes)
    for p in energy.params:
        value = None if params.get(p.name) is None else np.asarray(params[p.name], dtype=float)
        if value is None or value.ndim != p.ndim or not np.all(np.isfinite(value)):
            raise bad_input(p.name, f"a finite array over {p.ndim} axes", value, "pass params")
        for axis, n in zip(p.axes, value.shape, strict=True):
            if sizes.setdefault(axis, n) != n:
                raise bad_input(p.name, f"size {sizes[axis]} on axis {axis.name}", str(n),
                                "use arrays of one network")  # fmt: skip
        if p.symmetric and not np.allclose(value, value.T, rtol=1e-9, atol=1e-12):
            raise bad_input(p.name, "a symmetric matrix", value, f"use ({p.name} + its .T)/2")
        found[p.name] = value
    return found


def _sizes(energy: Energy, params: Mapping[str, Any]) -> list[int]:
    known = dict(energy.sizes)
    for p in energy.params:
        known.update(zip(p.axes, params[p.name].shape, strict=True))
    return [known[v.axes[0]] for v in (*energy.inputs, *energy.states)]


def _no(layer: str, why: str) -> InputError:
    return bad_input(
        "energy", "a linear chain of neighbouring layers, to convert", f"{layer}: {why}",
        "nonlinear nets and other graphs have no exact counterpart; see un.energies.layered",
    )  # fmt: skip


def _parameter(energy: Energy, e: Expr, axes: tuple[Any, ...]) -> str | None:
    """The name of the parameter an expression is, None if it is something else."""
    return e.name if isinstance(e, Var) and e in energy.params and e.axes == axes else None


def read_chain(energy: Energy, params: Mapping[str, Any]) -> Reading:
    """The predictive chain z_l ≈ W_l z_{l-1} + b_l with precisions, as an energy declares it.

    Raises: InputError for an energy that is no linear chain, or a precision that is not ≻ 0.
    """
    arrays = _checked(energy, params)
    if not energy.layers or [layer.state for layer in energy.layers] != list(energy.states):
        raise _no(energy.name, "not a sum of prediction errors of its states")
    own: list[str | None] = []
    weights: list[str] = []
    biases: list[str | None] = []
    below: Var = energy.inputs[0]
    for layer in energy.layers:
        z, label = layer.state, f"the prediction of {layer.state.name}"
        read = [v.name for v in layer.prediction.free if v in energy.states or v in energy.inputs]
        if read != [below.name]:
            listed = ", ".join(sorted(read)) or "nothing"
            raise _no(label, f"it reads {listed}, not {below.name} alone")
        slope = _slope(layer.prediction, below)
        if slope.free.intersection({*energy.states, *energy.inputs}):
            raise _no(label, f"it is not linear in {below.name}")
        weight = _parameter(energy, slope, (*z.axes, *below.axes))
        if weight is None:
            raise _no(label, f"its slope {slope!r} is not one weight parameter")
        rest = substitute(layer.prediction, {below: zeros(*below.axes)})
        p = layer.precision
        own.append(p if p is None else _role(energy, p, label, "precision", Delta))
        weights.append(weight)
        biases.append(_role(energy, rest, label, "bias", Zero))
        below = z
    found = _reading(energy, own, weights, biases, arrays)
    for k, p in enumerate(found.chain.own, 1):
        check_definite(p, k, "a precision has to be")
    return found


def read_quadratic(energy: Energy, params: Mapping[str, Any]) -> Reading:
    """The blocks A_l, couplings W_l and biases of a layered quadratic energy.

    Raises: InputError for a nonlinear energy or a coupling beside neighbouring layers.
    """
    arrays = _checked(energy, params)
    states, x = energy.states, energy.inputs[0]
    own: list[str | None] = []
    weights: list[str] = []
    biases: list[str | None] = []
    origin: dict[Var, Expr] = {v: zeros(*v.axes) for v in (*states, x)}
    for k, s in enumerate(states):
        label = f"layer {k + 1}"
        blocks = {v: transpose(_slope(energy.grad(s), v)) for v in (x, *states)}
        for v, block in blocks.items():
            if block.free.intersection(origin):
                raise _no(label, f"its Hessian depends on {s.name}, so the energy is not quadratic")
            if v not in (x, *states)[k : k + 3] and not isinstance(block, Zero):
                raise _no(label, f"it is coupled to {v.name}, which is no neighbour")
        below = (x, *states)[k]
        weight = _parameter(energy, scale(-1, blocks[below]), (*below.axes, *s.axes))
        if weight is None:
            raise _no(label, f"its coupling to {below.name} is not one weight parameter")
        weights.append(weight)
        own.append(_role(energy, blocks[s], label, "own block", Delta))
        bias = scale(-1, substitute(energy.grad(s), origin))
        biases.append(_role(energy, bias, label, "bias", Zero))
    return _reading(energy, own, weights, biases, arrays)


def _slope(e: Expr, v: Var) -> Expr:
    return gradients(e, [v])[0]


def _role(energy: Energy, e: Expr, label: str, what: str, none: type) -> str | None:
    """The parameter an expression is, or None for the one constant it may be instead."""
    name = _parameter(energy, e, e.axes)
    if name is None and not isinstance(e, none):
        raise _no(label, f"its {what} {e!r} is not one parameter")
    return name


def _reading(energy: Energy, own: list[str | None], weights: list[str], biases: list[str | None],
             arrays: dict[str, Any]) -> Reading:  # fmt: skip
    """The reading. Raises: InputError unless every parameter has exactly one role."""
    roles = sorted(n for n in (*own, *weights, *biases) if n is not None)
    if roles != sorted(p.name for p in energy.params):
        raise _no(energy.name, "a parameter is shared between layers or has another role")
    return Reading(energy, _sizes(energy, arrays), own, weights, biases, arrays)
