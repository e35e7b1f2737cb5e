"""Energies quadratic in their states: at rest after one linear solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.dynamics.hessian import FactoredHessian, has_one_hessian
from unified.dynamics.methods import AbstractMethod, Newton

if TYPE_CHECKING:
    from unified.codegen.program import Program
    from unified.dynamics.system import State, System


def default_method(program: Program) -> AbstractMethod:
    """How a program relaxes unless told: by one factorisation where there is one H, else Newton."""
    return Exact() if has_one_hessian(program) else Newton()


@dataclass(frozen=True)
class Exact(AbstractMethod):
    """The rest point of an energy quadratic in its states, by factorising its Hessian.

    Equation: s ← s − H⁻¹ ∂F/∂s with H = ∂²F/∂s∂s factorised once, as a block-tridiagonal matrix;
    further steps refine the first against rounding, until the residual is met. It is the default
    where no Hessian block contains a state or data: then all samples share one factorisation.
    A phase whose H is not positive definite has no minimum and is reported as such, nothing moved.
    Raises: InputError for an energy (with its cost) that is not quadratic in its states.
    Reference: Golub & Van Loan (2013), 4.5; Higham (2002), chapter 12 (iterative refinement).
    """

    max_steps: int = 5

    def begin(self, system: System, state: State) -> Any:
        program = system.program
        if not program.kernels.quadratic or any(s.ndim != 1 for s in program.model.states):
            raise bad_input(
                "method", "an energy (and cost) quadratic in vector states, for un.Exact()",
                repr(program), "use un.Newton()",
            )  # fmt: skip
        system.factored = FactoredHessian.of(system, state)
        return ()

    def definite(self, system: System) -> Any:
        return system.factored.factor.definite

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax.numpy as jnp

        move = system.factored.solve(system, grad)
        minimum = system.factored.factor.definite[..., None]
        return {k: jnp.where(minimum, s - move[k], s) for k, s in state.items()}, memory
