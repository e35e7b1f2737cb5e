"""Oracle: F of the JAX program, SciPy's normal densities, and draws of the prior."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import unified as un
from tests.inference.cases import (
    CHAIN,
    SQUARED,
    deep_linear,
    hopfield,
    linear_gaussian,
)  # fmt: skip
from unified.base.errors import InputError
from unified.base.pymc_versions import interpreted
from unified.inference.problem import Problem


@pytest.fixture(autouse=True)
def quick():
    """PyTensor without a C compiler: the same graph, run operation by operation."""
    with interpreted():
        yield


def kinds(model):
    return [type(v.owner.op).__name__ for v in model.free_RVs]


def points(problem, count=4):
    return np.random.default_rng(0).standard_normal((count, problem.size))


def log_density(model, problem, vectors):
    run = model.compile_logp()
    return np.array([float(run(problem.unstack(v))) for v in vectors])


CASES = {
    "gaussian": (linear_gaussian(), {}, ["MvNormalRV"]),
    "gaussian, flat": (linear_gaussian(), {"form": "potential"}, ["FlatRV"]),
    "chain": (deep_linear(), {}, ["MvNormalRV"] * 3),
    "chain, scale": (deep_linear(), {"reference": 2.0}, ["NormalRV"] * 3),
    "hopfield": (hopfield(), {}, ["FlatRV"] * 2),
    "hopfield, normal": (hopfield(), {"reference": (np.ones(5), np.eye(5) + 0.3)},
                         ["MvNormalRV"] * 2),
    "hopfield, variances": (hopfield(), {"reference": (np.ones(5), np.arange(1.0, 6))},
                            ["NormalRV"] * 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_log_density_is_minus_f_over_t_in_every_form_and_follows_beta_and_t(name):
    """A sampler would draw from another law than the one that relaxation finds the mode of."""
    case, options, kind = CASES[name]
    model = un.inference.to_pymc(*case.given, **case.settings, **options)
    assert kinds(model) == kind and [v.name for v in model.free_RVs] == list(case.problem.shapes)
    rows = points(case.problem)
    run = model.compile_logp()
    for beta, heat in ((0.7, 0.5), (0.3, 2.0)):
        with model:
            pm.set_data({"beta": beta, "temperature": heat})
        problem = Problem.of(*case.given, beta=beta, temperature=heat)
        energies = problem.evaluate("energy", rows)["F"]
        logs = np.array([float(run(problem.unstack(v))) for v in rows])
        gap = logs + energies / heat
        np.testing.assert_allclose(gap, gap[0], rtol=0, atol=1e-11)
        if "MvNormalRV" not in kind or "reference" in options:
            np.testing.assert_allclose(gap, 0, atol=1e-11)


def test_a_wrong_temperature_is_noticed():
    """Negative control of the test above: F/T at another T is no constant away."""
    case = hopfield()
    model = un.inference.to_pymc(*case.given, beta=0.7, temperature=0.5)
    rows = points(case.problem)
    gap = log_density(model, case.problem, rows) + case.problem.evaluate("energy", rows)["F"] / 0.6
    assert np.ptp(gap) > 0.1


def test_gradients_agree_with_the_force():
    """NUTS follows them."""
    case = hopfield()
    model = un.inference.to_pymc(*case.given, **case.settings)
    run = model.compile_dlogp()
    for v in points(case.problem, 2):
        want = case.problem.force(v) / case.settings["temperature"]
        np.testing.assert_allclose(run(case.problem.unstack(v)), want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", [linear_gaussian(), deep_linear()], ids=["one state", "chain"])
def test_the_structured_prior_is_the_normal_law_of_the_energy(case):
    """SMC starts from it, and its evidence is read as log(Z_β/Z_0): it must be normalised."""
    model = un.inference.to_pymc(*case.given, **case.settings)
    heat = case.settings["temperature"]
    prior = Problem.of(*case.given[:2], *case.given[2:], beta=0.0, temperature=heat)
    law = un.inference.gaussian_law(prior)
    own, likelihood = model.compile_fn([model.varlogp, model.datalogp], point_fn=True), []
    for v in points(prior):
        found = own(prior.unstack(v))
        want = stats.multivariate_normal(law.mean, law.cov).logpdf(v)
        assert float(found[0]) == pytest.approx(want, abs=1e-10)
        likelihood.append(float(found[1]))
    costs = prior.evaluate("cost", points(prior))["C"]
    np.testing.assert_allclose(likelihood, -case.settings["beta"] * costs / heat, rtol=1e-12)
    drawn = pm.draw([model[n] for n in prior.shapes], draws=4000, random_seed=1)
    drawn = prior.stack(dict(zip(prior.shapes, drawn, strict=True)))
    z = (drawn.mean(axis=0) - law.mean) / np.sqrt(np.diagonal(law.cov) / 4000)
    assert np.max(np.abs(z)) < 4.5
    off = np.abs(np.cov(drawn.T) - law.cov)
    sd = np.sqrt(np.diagonal(law.cov))
    assert np.max(off / np.outer(sd, sd)) < 4.5 * np.sqrt(2 / 4000)


def test_a_reference_prior_is_proper_and_leaves_the_law_alone():
    """Without the correction by −log q the posterior would shrink to the reference."""
    case = hopfield()
    mean, cov = np.linspace(-1, 1, 5), np.eye(5) + 0.3
    model = un.inference.to_pymc(*case.given, **case.settings, reference=(mean, cov))
    run = model.compile_fn([model.varlogp, model.datalogp], point_fn=True)
    rows = points(case.problem)
    heat = case.settings["temperature"]
    for v, f in zip(rows, case.problem.evaluate("energy", rows)["F"], strict=True):
        prior, rest = map(float, run(case.problem.unstack(v)))
        want = stats.multivariate_normal(mean, cov).logpdf(v)
        assert prior == pytest.approx(want, abs=1e-10)
        assert rest == pytest.approx(-f / heat - want, abs=1e-10)


def test_dims_and_coords_are_named():
    """Draws without names are matched to units by guesswork."""
    model = un.inference.to_pymc(*deep_linear().given)
    assert model.named_vars_to_dims == {"z1": ("z1_n1",), "z2": ("z2_n2",), "z3": ("z3_n3",)}
    assert [len(model.coords[d]) for d in ("z1_n1", "z2_n2", "z3_n3")] == [4, 3, 2]
    assert set(model.named_vars) >= {"beta", "temperature", "minus_beta_C_over_T"}
    bare = un.inference.to_pymc(CHAIN, None, deep_linear().given[2], deep_linear().given[3])
    assert "beta" not in bare.named_vars and kinds(bare) == ["MvNormalRV"] * 3


def test_an_improper_prior_with_a_confining_cost_stays_flat():
    """`auto` must not fail where only the posterior is proper."""
    case = linear_gaussian()
    params = {**case.given[2], "A": np.zeros((5, 5))}
    given = (*case.given[:2], params, *case.given[3:])
    assert kinds(un.inference.to_pymc(*given, beta=1.0)) == ["FlatRV"]
    with pytest.raises(InputError, match="positive definite"):
        un.inference.to_pymc(*given, beta=1.0, form="gaussian")


def test_images_are_states_too():
    """Convolutions carry states with several axes; a flattened one has lost its meaning."""
    energy = un.energies.conv_hopfield((3, 3, 1), [2], classes=2)
    program = un.emit(energy, SQUARED)
    x, y = np.random.default_rng(0).standard_normal((3, 3, 1)), np.ones(2)
    model = un.inference.to_pymc(energy, SQUARED, program.init(0), x, y, reference=3.0)
    problem = Problem.of(energy, SQUARED, program.init(0), x, y)
    rows = points(problem, 2)
    energies = problem.evaluate("energy", rows)["F"]
    np.testing.assert_allclose(log_density(model, problem, rows), -energies, rtol=1e-11)
    assert model.named_vars_to_dims["s1"] == ("s1_h1", "s1_w1", "s1_c1")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"form": "normal"}, "form: expected one of auto"),
        ({"form": "gaussian"}, "quadratic in the states"),
        ({"form": "gaussian", "reference": 1.0}, "reference: expected none"),
        ({"reference": -1.0}, "reference: expected a finite number above 0"),
        ({"reference": (np.zeros(4), np.eye(4))}, "over 5 stacked units"),
        ({"reference": (np.zeros(5), -np.eye(5))}, "positive definite covariance"),
        ({"reference": (np.zeros(5), np.zeros(5))}, "positive definite covariance"),
    ],
)
def test_bad_options_are_one_sentence(options, word):
    """PyMC would say it in a page, or sample something else."""
    with pytest.raises(InputError, match=word):
        un.inference.to_pymc(*hopfield().given, **options)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyMC's own, about few chains
def test_smc_from_a_reference_finds_the_normalising_constant():
    """Its marginal likelihood is told to be log ∫exp(−F/T)ds; here it is known."""
    case = linear_gaussian()
    law = un.inference.gaussian_law(case.problem)
    heat = case.settings["temperature"]
    least = float(case.problem.evaluate("energy", law.mean[None])["F"][0])
    volume = 0.5 * 5 * np.log(2 * np.pi * heat) - 0.5 * law.logdet
    with un.inference.to_pymc(*case.given, **case.settings, reference=2.0):
        data = pm.sample_smc(draws=1000, chains=4, cores=1, random_seed=1, progressbar=False)
    logs = data["sample_stats"]["log_marginal_likelihood"].values
    last = np.array([[v for v in np.ravel(np.asarray(c, object)[-1])][-1] for c in logs], float)
    error = max(np.std(last, ddof=1) / 2, 0.01)
    assert abs(np.mean(last) - (volume - least / heat)) < 4 * error
