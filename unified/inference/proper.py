"""Whether exp(−F/T) can be normalised, so that there is a posterior to speak of."""

from __future__ import annotations

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.relax import relax
from unified.inference.gaussian import hessian_at, require_definite, told
from unified.inference.problem import Problem

FAR = 1e4  # how far a ray goes out
RAYS = 32  # random directions looked along beside those of the units


def require_proper(problem: Problem) -> None:
    """Raise InputError where exp(−F/T) is seen to be improper, naming the direction.

    Equation: F quadratic: proper iff H ≻ 0. Else necessary conditions: relaxation finds a minimum,
    and along ± every unit and some random directions F rises by more than T log R up to R = 1e4:
    no finite number of rays proves that F confines the state.
    Raises: InputError.
    Reference: theory page, section 0 (Gibbs law).
    """
    if problem.program.kernels.quadratic:
        require_definite(problem, hessian_at(problem, np.zeros(problem.size)))
        return
    rest = relax(problem.program, problem.params, problem.phase, throw=False, certify=False)
    status = str(rest.status)
    if status in ("diverged", "non_finite"):
        raise bad_input("energy", "an energy that confines its states", f"a state that {status}",
                        "the law is improper: use smaller weights or a smaller |beta|")  # fmt: skip
    centre = problem.stack(rest.state)
    rng = np.random.default_rng(0)  # which rays are looked along is no matter of chance
    rays = np.concatenate([np.eye(problem.size), rng.standard_normal((RAYS, problem.size))])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    rays = np.concatenate([rays, -rays])
    rise = problem.evaluate("energy", np.concatenate([centre + FAR * rays, centre[None]]))["F"]
    climb = rise[:-1] - rise[-1]
    worst = int(np.argmin(np.where(np.isnan(climb), -np.inf, climb)))
    if not climb[worst] > problem.temperature * np.log(FAR):
        raise bad_input(
            "energy", "an energy that confines its states",
            f"F rising by {climb[worst]:.3g} over a distance of {FAR:g} along "
            f"{told(problem, rays[worst])}",
            "the law is improper: confine that direction, or use a smaller |beta|",
        )  # fmt: skip
