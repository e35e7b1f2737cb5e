"""Oracle: energies made to fail in one known way, sample by sample."""

import numpy as np
import pytest

import unified as un
from tests.dynamics.nets import DOT, rng, symmetric, unbounded
from unified.base import arviz_data
from unified.base.errors import ConvergenceError
from unified.dynamics.equilibrium import STATUS

METHODS = [un.Newton(), un.FixedPoint(max_steps=500), un.Flow(max_steps=2000)]
S, H = un.var("s", DOT), un.var("h", DOT)


@pytest.fixture(scope="module")
def bowl():
    """E = ½ h s² − s + s³·0: a bowl, a plain or a hill, as each sample's h says."""
    k = un.scalar("k")
    energy = un.Energy(0.5 * k * (H * S * S).sum() - S.sum(), [S], [k], [H], sizes={DOT: 1})
    return un.emit(energy, un.costs.squared())


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_one_lost_sample_does_not_touch_the_others(bowl, method):
    """One bad image in a batch of 512 must be named, and must not move the other 511."""
    h = np.array([[1.0], [-0.5], [2.0], [0.5]])
    rest = un.relax(bowl, {"k": 1.0}, un.Phase.free(h), method, throw=False)
    assert rest.status[[0, 2, 3]].tolist() == ["converged"] * 3
    assert rest.status[1] in ("diverged", "non_finite", "max_steps")
    np.testing.assert_allclose(rest.state["s"][[0, 2, 3], 0], [1.0, 0.5, 2.0], atol=1e-8)
    assert not rest.converged
    with pytest.raises(ConvergenceError, match=r"samples 1; sample 1: ") as caught:
        un.relax(bowl, {"k": 1.0}, un.Phase.free(h), method)
    assert caught.value.status == rest.status.tolist()
    assert "relax: expected every sample" in str(caught.value)
    assert str(caught.value).endswith(STATUS[rest.status[1]] + ".")
    with pytest.raises(ConvergenceError):
        rest.require()


@pytest.mark.parametrize("method", METHODS[:2], ids=lambda m: type(m).__name__)
def test_an_energy_without_a_floor_diverges(method):
    """An iterate on its way to infinity must not be taken for a slow convergence."""
    program = un.emit(unbounded())
    long = type(method)(max_steps=20000)
    rest = un.relax(program, {"k": 1.0}, un.Phase.free(np.array([[0.1]])), long, throw=False)
    assert rest.status.tolist() == ["diverged"]
    assert "unbounded" in STATUS["diverged"]


def test_overflow_is_non_finite():
    """A NaN state compares false with every threshold, so it could pass any test."""
    k = un.scalar("k")
    energy = un.Energy(-k * un.exp(S).sum() - H @ S, [S], [k], [H], sizes={DOT: 1})
    program = un.emit(energy)
    rest = un.relax(
        program, {"k": 1.0}, un.Phase.free(np.array([[1.0]])), un.FixedPoint(), throw=False
    )
    assert rest.status.tolist() == ["non_finite"]


def test_too_few_steps_are_reported_not_used(layered):
    """The last iterate of a cut-off relaxation is the commonest silent error in this field."""
    r = rng(0)
    phase = un.Phase.nudged(r.normal(size=(4, 3)), r.normal(size=(4, 2)), 0.3)
    params = layered.init(0)
    rest = un.relax(layered, params, phase, un.FixedPoint(max_steps=1), throw=False)
    assert set(rest.status) == {"max_steps"} and np.all(rest.steps == 1)
    assert np.all(rest.residual > rest.tol)
    with pytest.raises(ConvergenceError, match=r"samples 0, 1, 2, 3; .*max_steps"):
        un.relax(layered, params, phase, un.FixedPoint(max_steps=1))


@pytest.mark.parametrize("method", METHODS[:2], ids=lambda m: type(m).__name__)
def test_a_nudge_past_the_guard_is_refused(gaussian, method):
    """Past it the rest point is a saddle, and EP's gradient points uphill (cosine −0.997 seen)."""
    r = rng(2)
    a = symmetric(4, 2, 0.5) + 1.5 * np.eye(4)
    params = {"A": a, "b": r.normal(size=4), "U": r.normal(size=(4, 3))}
    x, y = r.normal(size=(3, 3)), r.normal(size=(3, 4))
    edge = np.linalg.eigvalsh(a)[0]
    fine = un.relax(gaussian, params, un.Phase.nudged(x, y, -0.98 * edge), method)
    assert np.all(fine.certificate.positive)
    for factor in (1.02, 1.5, 5.0):
        phase = un.Phase.nudged(x, y, -factor * edge)
        rest = un.relax(gaussian, params, phase, method, throw=False)
        assert set(rest.status) == {"nudge_too_negative"}
    with pytest.raises(ConvergenceError, match=r"smaller \|beta\|"):
        un.relax(gaussian, params, un.Phase.nudged(x, y, -1.02 * edge), method)


def test_without_a_certificate_nothing_is_claimed(well):
    """`certify=False` saves time; it must not leave a positive certificate behind."""
    rest = un.relax(well, {"k": 1.0}, un.Phase.free(np.array([[0.0]])), certify=False)
    assert rest.certificate.method == "none" and np.isnan(rest.certificate.lambda_min[0])
    assert not rest.certificate.positive[0]


def test_a_result_reads_in_one_line(layered):
    """People look at the printed result first; it must say what went wrong."""
    rest = un.relax(
        layered, layered.init(0), un.Phase.free(np.ones((2, 3))), un.FixedPoint(max_steps=1),
        throw=False,
    )  # fmt: skip
    for word in ("max_steps 2", "residual", "lambda_min", "FixedPoint"):
        assert word in repr(rest)


def test_an_equilibrium_becomes_labelled_data():
    """Results that cannot be stored beside draws are copied by hand, and mixed up."""
    program = un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared())
    x = np.linspace(-1, 1, 15).reshape(5, 3)
    rest = un.relax(program, program.init(0), un.Phase.free(x))
    found = rest.to_xarray()
    assert found["s1"].dims == ("sample", "s1_dim_0") and found["residual"].dims == ("sample",)
    np.testing.assert_array_equal(found["s2"], rest.state["s2"])
    assert set(found["status"].values) == {"converged"}
    one = un.relax(program, program.init(0), un.Phase.free(x[0]))
    group = arviz_data.group(one.to_arviz(), "equilibrium")
    assert group["s1"].dims == ("s1_dim_0",) and float(group["residual"]) == one.residual
