"""Expansions in a small parameter, also along a branch that an equation defines."""

from __future__ import annotations

from unified.base.errors import AxisError, bad_input
from unified.symbolic.axis import Index, indices
from unified.symbolic.build import add, inv, zeros
from unified.symbolic.contract import contract
from unified.symbolic.diff import derivative
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.transform import substitute


def branch_derivative(q: Expr, beta: Var, state: Var, field: Expr) -> Expr:
    """dq/dβ along the branch s(β) on which `field`(s, β) = 0.

    Equation: dq/dβ = ∂q/∂β + (∂q/∂s) ds/dβ with ds/dβ = −(∂field/∂s)⁻¹ ∂field/∂β, at any (s, β).
    Shapes: s (n), field (n), q any axes, β a scalar; the result has the axes of q.
    Raises: AxisError if `field` does not have the axis of the state.
    Reference: implicit function theorem; Dieudonné (1969), Foundations, 10.2.
    """
    (a,) = state.axes if state.ndim == 1 else (None,)
    if a is None or field.axes != state.axes:
        raise AxisError(
            f"branch: expected a vector state and an equation with its axis, got {state.axes} and "
            f"{field.axes}; stack the states into one vector."
        )
    i, j = Index(a), Index(a)
    slope = inv(derivative(field, state))
    speed = contract(-1, [(slope, (i, j)), (derivative(field, beta), (j,))], (i,))
    ix = indices(q.axes)
    k = Index(a)
    moved = contract(1, [(derivative(q, state), (*ix, k)), (speed, (k,))], ix)
    return add(derivative(q, beta), moved, flatten=False)


def coefficients(
    q: Expr, beta: Var, order: int, branch: tuple[Var, Expr] | None = None
) -> list[Expr]:
    """The derivatives dᵏq/dβᵏ at β = 0 for k = 0..order, as expressions of the state at β = 0.

    Equation: q(β) = Σ_k q_k βᵏ/k! + O(β^{order+1}), q_k the returned expressions.
    Shapes: each has the axes of q.
    `branch` is (state, field): the state then follows field(s, β) = 0; without it only the
    explicit β counts.
    Raises: InputError if β is not a scalar or the order is not a small whole number.
    Reference: Taylor; repeated implicit differentiation.
    """
    if not isinstance(beta, Var) or beta.axes:
        raise bad_input("beta", "a scalar variable", repr(beta), "use un.scalar('beta')")
    if not isinstance(order, int) or not 0 <= order <= 6:
        raise bad_input("order", "a whole number from 0 to 6", repr(order), "lower the order")
    found = [q]
    for _ in range(order):
        last = found[-1]
        if branch is None:
            found.append(derivative(last, beta))
        else:
            found.append(branch_derivative(last, beta, *branch))
    return [substitute(d, {beta: zeros()}) for d in found]


