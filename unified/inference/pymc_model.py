"""The same law as a PyMC model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program, emit
from unified.dynamics.chains import positive_number
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.draws import layout
from unified.inference.gaussian import gaussian_law
from unified.inference.problem import Problem
from unified.inference.proper import require_proper

if TYPE_CHECKING:
    import pymc as pm

FORMS = ("auto", "potential", "gaussian")


def to_pymc(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any], x: Any = None,
    y: Any = None, *, beta: float = 1.0, temperature: float = 1.0, reference: Any = None,
    form: str = "auto",
) -> pm.Model:  # fmt: skip
    """A PyMC model of the law p(s | x, y) ∝ exp(−(E + βC)/T), one variable per state.

    Equation: log p = −(E + βC)/T up to a constant, in every form:
      "potential": `pm.Flat` states and one `pm.Potential` named "minus_F_over_T";
      "gaussian" (E quadratic and proper): states drawn one after the other from the conditionals
      of N(A⁻¹b, T·A⁻¹), the prior ∝ exp(−E/T), and a potential "minus_beta_C_over_T";
      "auto": "gaussian" where it exists and no `reference` is given, else "potential".
    `reference` is a normal prior q: a scale, or (mean, cov) over the stacked states, cov (N, N) or
    variances (N,). The potential is then −F/T − log q, so that the law stays the same. That is
    what prior sampling and `pm.sample_smc` need, which raises potentials to the power φ from 0 to
    1 and the prior to 1: it goes from q to the law, and its log marginal likelihood is
    log ∫exp(−F/T)ds. In the gaussian form it goes from the prior exp(−E/T), and the marginal
    likelihood is that of theory D4, log(Z_β/Z_0). Flat states cannot be sampled from.
    Shapes: every state has its own; dims are "<state>_<axis>" with coordinates 0, 1, ...; β and T
    are `pm.Data` named "beta" and "temperature": `pm.set_data` moves them without a new compile
    (without a cost there is no β; that the law stays proper is checked here, not then).
    Raises: InputError for an improper law (naming the direction), T ≤ 0, a form that the energy
    does not have, or a reference that does not fit.
    Reference: theory page D1–D3; Salvatier, Wiecki, Fonnesbeck (2016), PeerJ CS 2:e55.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    require_proper(problem)
    taken = {"beta", "temperature", "minus_F_over_T", "minus_beta_C_over_T"} & set(problem.shapes)
    if taken:
        raise bad_input("energy", "states of other names than those of the model", min(taken),
                        "rename the state")  # fmt: skip
    if form not in FORMS:
        raise bad_input("form", f"one of {', '.join(FORMS)}", repr(form), "choose one")
    if form == "gaussian" and reference is not None:
        raise bad_input("reference", "none for form='gaussian', whose prior is exp(-E/T)", "one",
                        "leave it out, or use form='potential'")  # fmt: skip
    prior = None
    if form != "potential" and reference is None:
        prior = _own_prior(problem, required=form == "gaussian")
    return build(problem, reference, prior)


def _own_prior(problem: Problem, required: bool) -> Any:
    """The normal prior exp(−E/T) at T = 1, or None where E is not that of one."""
    bare = problem.at(0.0)
    vectors = all(s.ndim == 1 for s in problem.program.model.states)
    own = emit(problem.program.model)
    if not required and not (own.kernels.quadratic and vectors):
        return None
    if required and not vectors:
        raise bad_input("form", "'potential' for states that are not vectors", "'gaussian'",
                        "use form='potential'")  # fmt: skip
    alone = Problem(own, bare.params, bare.x, None, 0.0, 1.0)
    try:
        return gaussian_law(alone)
    except ValueError:
        if required:
            raise
        return None  # an improper prior; the cost makes the posterior proper


def build(problem: Problem, reference: Any, prior: Any) -> pm.Model:
    """The model of a checked problem; `prior` is the normal law of E at T = 1 or None."""
    import pymc as pm
    import pytensor.tensor as pt

    shapes = problem.shapes
    dims, coords = layout(problem)
    with pm.Model(coords=coords) as model:
        beta = pm.Data("beta", problem.beta) if problem.program.target is not None else None
        heat = pm.Data("temperature", problem.temperature)
        if prior is not None:
            state = _chained(problem, prior.mean, prior.cov, pt.sqrt(heat), dims)
        elif reference is not None:
            state = _reference(problem, reference, dims)
        else:
            state = {k: pm.Flat(k, dims=dims[k]) for k in shapes}
        if prior is None:
            total = -graph(problem, "energy", state, beta) / heat
            if reference is not None:
                own = [pm.logp(model[k], model[k]).sum() for k in shapes]
                total = total - pt.add(*own) if len(own) > 1 else total - own[0]
            pm.Potential("minus_F_over_T", total)
        elif beta is not None:
            pm.Potential("minus_beta_C_over_T", -beta * graph(problem, "cost", state, beta) / heat)
    return model


def graph(problem: Problem, name: str, state: Mapping[str, Any], beta: Any) -> Any:
    """F ("energy") or C ("cost") as a PyTensor scalar of the states and β.

    Parameters and data enter as constants, and what no state changes is computed beforehand.
    """
    import pytensor.tensor as pt

    program: Program = emit(problem.program.model, problem.program.cost_model, backend="pytensor")
    values = {**problem.values, **problem.numeric.drive(problem.values)}
    lifted = {
        k: pt.specify_shape(v, problem.shapes[k])[(None, None)] for k, v in state.items()
    }
    nudge = pt.zeros((1,)) if beta is None else pt.atleast_1d(beta.astype("float64"))
    found = program.core(name, {**values, **lifted, "beta": nudge})
    (value,) = found.values()
    return value[0, 0]


def _chained(problem: Problem, mean: Any, cov: Any, scale: Any, dims: Mapping[str, Any]) -> Any:
    """Vector states from N(mean, scale²·cov), each given those before it: exact for any cov."""
    import pymc as pm
    import pytensor.tensor as pt

    found: dict[str, Any] = {}
    before: list[Any] = []
    at = 0
    for name, (width,) in problem.shapes.items():
        here, past = slice(at, at + width), slice(0, at)
        gain = np.linalg.solve(cov[past, past], cov[past, here]).T
        own = cov[here, here] - gain @ cov[past, here]
        centre: Any = mean[here] - gain @ mean[past]
        if before:
            centre = centre + gain @ pt.concatenate(before)
        chol = scale * np.linalg.cholesky((own + own.T) / 2)
        found[name] = pm.MvNormal(name, mu=centre, chol=chol, dims=dims[name])
        before.append(found[name])
        at += width
    return found


def _reference(problem: Problem, reference: Any, dims: Mapping[str, Any]) -> Any:
    """States from the normal reference prior."""
    import pymc as pm

    if not isinstance(reference, tuple | list):
        positive_number("reference", reference, "use a scale, or (mean, cov)")
        return {k: pm.Normal(k, 0.0, float(reference), dims=dims[k]) for k in problem.shapes}
    n = problem.size
    try:
        mean, cov = (np.asarray(v, float) for v in reference)
        good = mean.shape == (n,) and cov.shape in ((n,), (n, n))
        good = good and bool(np.all(np.isfinite(mean)) and np.all(np.isfinite(cov)))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise bad_input("reference", f"a scale, or (mean, cov) over {n} stacked units",
                        f"{[np.shape(v) for v in reference]}", "give finite numbers")  # fmt: skip
    least = np.min(cov) if cov.ndim == 1 else np.linalg.eigvalsh((cov + cov.T) / 2)[0]
    if not least > 0:
        raise bad_input("reference", "a positive definite covariance", f"one with {least:.3g}",
                        "add a multiple of the identity")  # fmt: skip
    if cov.ndim == 1:
        means, sds = problem.unstack(mean), problem.unstack(np.sqrt(cov))
        return {k: pm.Normal(k, means[k], sds[k], dims=dims[k]) for k in problem.shapes}
    if any(len(shape) != 1 for shape in problem.shapes.values()):
        raise bad_input("reference", "variances (N,) for states that are not vectors",
                        "a covariance matrix", "pass its diagonal")  # fmt: skip
    return _chained(problem, mean, (cov + cov.T) / 2, 1.0, dims)
