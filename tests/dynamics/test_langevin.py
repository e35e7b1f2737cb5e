"""Oracle: Gaussian laws in closed form, AR(1) processes, integrals on a grid, stuck chains."""

import jax
import numpy as np
import pytest
from scipy import stats

import unified as un
from tests.dynamics.nets import rng
from unified.base import arviz_data
from unified.base.errors import ConvergenceError, InputError
from unified.dynamics.equilibrium import STATUS
from unified.dynamics.mixing import effective_size, mixed, split_rhat

LEVEL = 1e-3  # of all tests of one call together


def size_of(x):
    """The effective size of draws (chains, draws, ...), in double precision."""
    with jax.enable_x64(True):
        return np.asarray(effective_size(x))


def refuted(x, mean):
    """Whether draws (chains, draws, ...) refute these means: z with Bonferroni."""
    flat = x.reshape(*x.shape[:2], -1)
    error = flat.std(axis=(0, 1), ddof=1) / np.sqrt(size_of(flat))
    z = (flat.mean(axis=(0, 1)) - np.ravel(mean)) / error
    return bool(np.min(2 * stats.norm.sf(np.abs(z))) * z.size < LEVEL)


def products(s, centre):
    """(s − m)(s − m)ᵀ of every draw, upper triangle."""
    d = s - centre
    i, j = np.triu_indices(s.shape[-1])
    return d[..., i] * d[..., j]


def upper(matrix):
    return matrix[np.triu_indices(len(matrix))]


# --- the diagnostics ------------------------------------------------------------------------
def ar1(phi, chains=4, draws=4000, seed=0):
    """Stationary AR(1) chains with autocorrelation phi^t."""
    noise = rng(seed).normal(size=(chains, draws))
    x = np.empty_like(noise)
    x[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for t in range(1, draws):
        x[:, t] = phi * x[:, t - 1] + noise[:, t]
    return x


@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.5, 0.9])
def test_effective_size_of_a_known_process(phi):
    """An effective size twice too large makes every error bar √2 too small."""
    x = np.stack([ar1(phi, seed=k) for k in range(8)], axis=-1)
    found = size_of(x)
    assert np.mean(found) == pytest.approx(16000 * (1 - phi) / (1 + phi), rel=0.1)
    assert np.std(found) < 0.2 * np.mean(found)


def test_rhat_is_its_definition_and_sees_drift():
    """R-hat of whole chains calls chains that drift together well mixed."""
    x = ar1(0.3, draws=101)
    parts = np.concatenate([x[:, :50], x[:, 51:]])
    within, means = parts.var(axis=1, ddof=1).mean(), parts.mean(axis=1)
    byhand = np.sqrt((49 / 50 * within + means.var(ddof=1)) / within)
    with jax.enable_x64(True):
        assert float(split_rhat(x)) == pytest.approx(byhand, rel=1e-12)
        assert float(split_rhat(x + np.linspace(-3, 3, 101))) > 1.5
        apart = x + np.array([[-3.0], [3.0], [-3.0], [3.0]])
        assert float(split_rhat(apart)) > 1.5
        assert float(effective_size(apart)) < 20 < 100 < float(effective_size(x))


def test_what_does_not_move_is_not_mixed():
    """A chain that accepts nothing has no variance between chains either: 0/0 must not pass."""
    with jax.enable_x64(True):
        rhat, size = split_rhat(np.ones((4, 100))), effective_size(np.ones((4, 100)))
        assert np.isnan(rhat) and np.isnan(size)
        good = np.array([[1.0, 1.0], [1.0, np.nan], [1.009, 1.0], [1.011, 1.0]])
        assert mixed(good, np.full((4, 2), 400.0)).tolist() == [True, False, True, False]
        assert not mixed(good[:1], np.array([[399.0, 4000.0]]))[0]


def test_diagnostics_agree_with_arviz():
    """Two implementations that share no line may still share a misreading of the paper."""
    az = arviz_data.arviz()
    for phi in (-0.4, 0.0, 0.8):
        x = ar1(phi, draws=1000)
        with jax.enable_x64(True):
            rhat = float(split_rhat(x))
        assert rhat == pytest.approx(float(az.rhat(x, method="split")), rel=1e-10)
        assert size_of(x) == pytest.approx(float(az.ess(x, method="mean")), rel=0.05)


# --- Gaussian laws --------------------------------------------------------------------------
HEAT = 0.5


@pytest.fixture(scope="module")
def bell(gaussian):
    """A linear-Gaussian net: program, parameters, data, and the law of every sample."""
    r = rng(3)
    a = r.normal(size=(4, 4))
    params = {"A": a @ a.T / 4 + np.eye(4), "b": r.normal(size=4), "U": r.normal(size=(4, 3))}
    x = r.normal(size=(3, 3))
    mean = np.linalg.solve(params["A"], (params["b"] + x @ params["U"].T).T).T
    return gaussian, params, x, mean, HEAT * np.linalg.inv(params["A"])


@pytest.fixture(scope="module")
def drawn(bell):
    """Metropolis-adjusted draws with plain steps, some of which are refused."""
    p, params, x, *_ = bell
    return un.sample(p, params, un.Phase.free(x), HEAT, key=0, draws=4000, step=0.4,
                     precondition=False)  # fmt: skip


def test_gaussian_mean_and_covariance(bell, drawn):
    """D1: the temperature is the scale of the covariance; a factor of 2 here is a factor in all."""
    *_, mean, cov = bell
    s = drawn.state["s"]
    assert np.min(drawn.acceptance) > 0.5 and np.max(drawn.acceptance) < 0.99
    assert not refuted(s, mean)
    for k in range(3):
        assert not refuted(products(s[:, :, k], mean[k]), upper(cov))
        assert refuted(products(s[:, :, k], mean[k]), 1.2 * upper(cov))  # and it can tell


def test_preconditioned_draws_have_the_same_law_and_are_all_accepted(bell):
    """On a quadratic energy its proposals balance exactly; else the noise has a wrong size."""
    p, params, x, mean, cov = bell
    found = un.sample(p, params, un.Phase.free(x), HEAT, key=1)
    assert np.min(found.acceptance) > 1 - 1e-12
    assert min(np.min(v) for v in found.ess.values()) > 0.4 * 4000
    assert not refuted(found.state["s"], mean)
    assert not refuted(products(found.state["s"][:, :, 1], mean[1]), upper(cov))
    energy = p.energy({"s": found.state["s"][1, 7]}, params, un.Phase.free(x))
    np.testing.assert_allclose(found.energy[1, 7], energy, rtol=1e-12)
    text = repr(found)
    assert "converged 3" in text and "ESS >=" in text and "T=0.5" in text


def test_unadjusted_steps_have_their_own_law(bell):
    """E3: Σ∞ = TA⁻¹(1 − hA/2)⁻¹; what leaves the step out must be refuted by the same test."""
    p, params, x, mean, cov = bell
    h = 0.7 / np.linalg.eigvalsh(params["A"])[-1]
    biased = cov @ np.linalg.inv(np.eye(4) - h / 2 * params["A"])
    found = un.sample(p, params, un.Phase.free(x), HEAT, key=2, draws=8000, step=h,
                      precondition=False, method="ula")  # fmt: skip
    s = found.state["s"]
    assert not refuted(s, mean)
    for k in range(3):
        assert not refuted(products(s[:, :, k], mean[k]), upper(biased))
        assert refuted(products(s[:, :, k], mean[k]), upper(cov))


def test_a_sample_depends_on_nothing_but_itself(bell):
    """A result that changes with the batch around it, or its order, cannot be reproduced."""
    p, params, x, *_ = bell
    whole = un.sample(p, params, un.Phase.free(x), HEAT, key=1)
    turned = un.sample(p, params, un.Phase.free(x[::-1]), HEAT, key=1)
    alone = un.sample(p, params, un.Phase.free(x[1]), HEAT, key=1)
    other = un.sample(p, params, un.Phase.free(x), HEAT, key=2)
    np.testing.assert_allclose(turned.state["s"][:, :, ::-1], whole.state["s"], rtol=1e-9)
    np.testing.assert_allclose(alone.state["s"], whole.state["s"][:, :, 1], rtol=1e-9)
    assert alone.status.shape == () and alone.state["s"].shape == (4, 1000, 4)
    assert alone.to_xarray()["s"].dims == ("chain", "draw", "s_dim_0")
    assert whole.to_xarray()["energy"].dims == ("chain", "draw", "sample")
    assert np.abs(other.state["s"] - whole.state["s"]).min(axis=(0, 1, 2)).max() > 0
    noise = whole.state["s"] - bell[3]
    seen = np.corrcoef(noise[:, :, :2].reshape(4000, 2, 4)[..., 0].T)[0, 1]
    assert abs(seen) < 0.1  # samples do not share their noise


def test_the_output_may_be_clamped(linear_coding):
    """p(hidden | x, y) is what a clamped net samples; its mean is the clamped rest point."""
    x, y = rng(5).normal(size=(2, 3)), rng(6).normal(size=(2, 2))
    params = linear_coding.init(0)
    phase = un.Phase.clamped(x, y)
    rest = un.relax(linear_coding, params, phase)
    found = un.sample(linear_coding, params, phase, 0.3, key=0)
    assert set(found.state) == {"z1", "z2"} and found.cost is None
    assert not refuted(found.state["z1"], rest.state["z1"])
    assert not refuted(found.state["z2"], rest.state["z2"])


# --- laws that are not Gaussian -------------------------------------------------------------
GAIN = 3.0


@pytest.fixture(scope="module")
def pair():
    """A rank-one Hopfield net of two units: W = g vvᵀ, wells at ±."""
    v = np.array([1.0, 1.0]) / np.sqrt(2)
    program = un.emit(un.energies.recurrent(2))
    return program, {"W": GAIN * np.outer(v, v), "b": np.array([0.2, 0.0])}


def on_a_grid(params, heat, of):
    """⟨of(s1, s2)⟩ under exp(−E/T) by the trapezoidal rule (spectrally accurate here)."""
    u = np.linspace(-9, 9, 361)
    s1, s2 = np.meshgrid(u, u, indexing="ij")
    r1, r2 = np.tanh(s1), np.tanh(s2)
    w, b = params["W"], params["b"]
    energy = 0.5 * (s1**2 + s2**2) - b[0] * r1 - b[1] * r2
    energy -= 0.5 * (w[0, 0] * r1**2 + 2 * w[0, 1] * r1 * r2 + w[1, 1] * r2**2)
    p = np.exp(-(energy - energy.min()) / heat)
    return np.array([np.sum(f * p) / np.sum(p) for f in of(s1, s2)])


def both_wells(chains, cross=True):
    """First states: chains in turn in either well, or all in one."""
    sign = np.where(np.arange(chains) % 2 == 0, 1.0, -1.0 if cross else 1.0)
    return {"s": sign[:, None] * np.ones((chains, 2))}


def test_a_law_with_two_wells_that_mix(pair):
    """Hot enough, chains cross; moments by an integral that shares no line with the sampler."""
    found = un.sample(*pair, un.Phase.free(), 1.0, key=0, draws=8000, start=both_wells(4))
    s = found.state["s"]
    want = on_a_grid(pair[1], 1.0, lambda a, b: (a, b, a * a, a * b, np.tanh(a) ** 2))
    a, b = s[..., 0], s[..., 1]
    assert not refuted(np.stack([a, b, a * a, a * b, np.tanh(a) ** 2], axis=-1), want)
    far = on_a_grid(pair[1], 1.3, lambda a, b: (a, b, a * a, a * b, np.tanh(a) ** 2))
    assert refuted(np.stack([a, b, a * a, a * b, np.tanh(a) ** 2], axis=-1), far)


def test_stuck_chains_are_gated(pair):
    """Each chain looks perfect by itself; only the gate sees that they sit in different wells."""
    where = dict(key=0, draws=8000)
    found = un.sample(*pair, un.Phase.free(), 0.06, start=both_wells(4), throw=False, **where)
    assert found.status == "unmixed" and not found.converged
    assert np.max(found.rhat["s"]) > 2 and np.min(found.ess["s"]) < 20
    signs = np.sign(found.state["s"].sum(axis=-1))
    assert np.all(signs == signs[:, :1])  # no chain ever crossed
    with pytest.raises(ConvergenceError, match=r"sample: expected R-hat < 1\.01 .*mixed") as caught:
        un.sample(*pair, un.Phase.free(), 0.06, start=both_wells(4), **where)
    assert str(caught.value).endswith(STATUS["unmixed"] + ".")
    # What no diagnostic can see: chains that all began in one well, of the two there are.
    blind = un.sample(*pair, un.Phase.free(), 0.06, start=both_wells(4, cross=False), **where)
    assert blind.converged and np.all(blind.state["s"].mean(axis=(0, 1)) > 0.5)


def test_too_few_draws_are_gated(bell):
    """Fifty draws have a mean too, and error bars nobody should believe."""
    p, params, x, *_ = bell
    with pytest.raises(ConvergenceError, match="effective sample size down to"):
        un.sample(p, params, un.Phase.free(x), HEAT, key=0, draws=50)


def test_bad_input(bell):
    """Every refusal names the argument, what was expected, what came and a remedy."""
    p, params, x, *_ = bell
    at = (p, params, un.Phase.free(x))
    for heat in (0.0, -1.0, np.nan, "hot"):
        with pytest.raises(InputError, match=r"temperature: expected a finite number above 0"):
            un.sample(*at, heat, key=0)
    for bad, name in (({"draws": 3}, "draws"), ({"chains": 1}, "chains"), ({"step": 2.5}, "step"),
                      ({"method": "hmc"}, "method"), ({"warmup": -1}, "warmup"),
                      ({"spread": 0}, "spread")):  # fmt: skip
        with pytest.raises(InputError, match=f"^{name}: expected"):
            un.sample(*at, HEAT, key=0, **bad)
    for key in (-1, 0.5, True):
        with pytest.raises(InputError, match="key: expected"):
            un.sample(*at, HEAT, key=key)
    with pytest.raises(InputError, match="start s: expected leading axes"):
        un.sample(*at, HEAT, key=0, start={"s": np.zeros((2, 3, 4))})
    with pytest.raises(InputError, match="one real beta"):
        un.sample(p, params, un.Phase.nudged(x, np.zeros((3, 4)), 0.1j), HEAT, key=0)
    plain = un.emit(un.energies.linear_gaussian(4, 3), backend="numpy")
    with pytest.raises(InputError, match="backend='jax'"):
        un.sample(plain, params, un.Phase.free(x), HEAT, key=0)
