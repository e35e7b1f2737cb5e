"""Converters between predictive coding and Hopfield nets: one quadratic energy, two readings.

A linear predictive chain, multiplied out, is a layered quadratic energy; block LDLᵀ from the
output end gives the chain back from any such energy that is positive definite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.energies.chain_maps import (
    ChainArrays,
    QuadraticArrays,
    chain_pullback,
    constant,
    constant_slope,
    from_chain,
    quadratic_pullback,
    to_chain,
)  # fmt: skip
from unified.energies.chain_read import Reading, read_chain, read_quadratic
from unified.energies.energy import Energy
from unified.energies.predictive import predictive
from unified.energies.quadratic import quadratic_chain

__all__ = ["Conversion", "to_hopfield", "to_predictive"]
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Conversion:
    """An energy in its other form: `energy` with `params` has the same rest points.

    Equation: `constant(x)` is (energy converted from) − (energy converted to), which depends on the
    parameters and on x, not on the states. Both forms therefore rest at the same states in every
    phase, and the contrast of two phases maps by the chain rule (`map_gradient`). A rule of one
    phase does not: it lacks `constant_gradient(x)`.
    """

    energy: Energy
    params: Arrays
    _source: Reading = field(repr=False)
    _back: bool = field(repr=False)

    def map_gradient(self, grad: Mapping[str, Any]) -> Arrays:
        """A gradient in `params`, pulled back to the parameters that were converted.

        Equation: Σ_A (∂L/∂A) ∂A/∂θ. Shapes: as the params on either side.
        Raises: InputError if a parameter is missing. Reference: theory page D2.
        """
        for name, value in self.params.items():
            if name not in grad or np.shape(grad[name]) != value.shape:
                got = "none" if name not in grad else f"shape {np.shape(grad[name])}"
                raise bad_input("grad", f"an array of shape {value.shape} for '{name}'", got,
                                "pass the gradient of the converted energy")  # fmt: skip
        if self._back:
            pulled = quadratic_pullback(self._source.quadratic, _chain_of(grad))
            return self._source.gradient_of(pulled)
        return self._source.gradient_of(chain_pullback(self._source.chain, _quadratic_of(grad)))

    def constant(self, x: Any) -> Any:
        """(Energy converted from) − (energy converted to) at an input, per sample.

        Equation: ½(W_1x + b_1)ᵀΠ_1(W_1x + b_1) + ½Σ_{l≥2} b_lᵀΠ_l b_l − ½Σ_l log det Π_l for the
        chain minus its quadratic form. Shapes: x (n0) or (batch, n0).
        """
        sign = -1.0 if self._back else 1.0
        return sign * constant(self._chain, np.asarray(x, dtype=float))

    def constant_gradient(self, x: Any) -> Arrays:
        """The gradient of the batch mean of `constant`, in the parameters converted from.

        Equation: what a rule of one phase misses when it is mapped. Shapes: x (batch, n0).
        """
        slope = constant_slope(self._chain, np.atleast_2d(np.asarray(x, dtype=float)))
        if not self._back:
            return self._source.gradient_of(slope)
        pulled = self._source.gradient_of(quadratic_pullback(self._source.quadratic, slope))
        return {k: -v for k, v in pulled.items()}

    def __repr__(self) -> str:
        return f"Conversion({self._source.energy.name} -> {self.energy.name} {self._source.sizes})"

    @property
    def _chain(self) -> ChainArrays:
        return _chain_of(self.params) if self._back else self._source.chain


def to_hopfield(energy: Energy, params: Mapping[str, Any]) -> Conversion:
    """A linear predictive chain as a layered quadratic Hopfield energy.

    Equation: A_l = Π_l + W_{l+1}ᵀΠ_{l+1}W_{l+1}, W^H_l = W_lᵀΠ_l, b^H_l = Π_l b_l −
    W_{l+1}ᵀΠ_{l+1}b_{l+1}; the result is a `quadratic_chain`, because `hopfield` has A_l = 1.
    Shapes: `params` as the energy's.
    Raises: InputError for a nonlinear energy, one that is no chain, or a precision that is not
    positive definite, each naming the layer.
    Reference: theory page D2; Rue & Held (2005), Gaussian Markov Random Fields, chapter 2.
    """
    source = read_chain(energy, params)
    made = from_chain(source.chain)
    return Conversion(quadratic_chain(source.sizes), _named("AWb", made), source, False)


def to_predictive(energy: Energy, params: Mapping[str, Any]) -> Conversion:
    """A layered quadratic energy as a linear predictive chain with full precisions.

    Equation: from the output end Π_L = A_L, W_l = Π_l⁻¹W^H_lᵀ, Π_{l-1} = A_{l-1} − W_lᵀΠ_lW_l and
    b_l = Π_l⁻¹(b^H_l + W^H_{l+1}b_{l+1}): block LDLᵀ, whose pivots are the precisions.
    Shapes: `params` as the energy's.
    Raises: InputError for a nonlinear energy, a coupling beside neighbouring layers, or a block
    matrix that is not positive definite, naming the layer.
    Reference: theory page D2.
    """
    source = read_quadratic(energy, params)
    made = to_chain(source.quadratic)
    chain = predictive(source.sizes, f="identity", precision="full")
    return Conversion(chain, _named("PWb", made), source, True)


def _named(letters: str, made: ChainArrays | QuadraticArrays) -> Arrays:
    groups = (made.own, made.weights, made.biases)
    return {
        f"{letter}{k}": value
        for letter, group in zip(letters, groups, strict=True) for k, value in enumerate(group, 1)
    }  # fmt: skip


def _of(letters: str, arrays: Mapping[str, Any]) -> list[list[Any]]:
    depth = sum(name[0] == "W" for name in arrays)
    return [[np.asarray(arrays[f"{c}{k}"]) for k in range(1, depth + 1)] for c in letters]


def _chain_of(arrays: Mapping[str, Any]) -> ChainArrays:
    return ChainArrays(*_of("PWb", arrays))


def _quadratic_of(arrays: Mapping[str, Any]) -> QuadraticArrays:
    return QuadraticArrays(*_of("AWb", arrays))
