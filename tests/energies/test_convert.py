"""Oracle: the round trip, the rest points and the gradients of both readings of one energy."""

import itertools

import numpy as np
import pytest

import unified as un
from tests.energies.nets import params_of
from unified.base.errors import InputError

SIZES = [3, 4, 5, 2]
TIGHT = dict(rtol=0, atol=1e-12)


def chain(precision="full", seed=0, sizes=SIZES):
    """A linear predictive chain with random biases and precisions far from the identity."""
    energy = un.energies.predictive(sizes, "identity", precision)
    return energy, params_of(un.emit(energy, backend="numpy"), seed)


def quadratic(seed=0, sizes=SIZES):
    """Any block-tridiagonal positive definite matrix, not made from a chain."""
    rng = np.random.default_rng(seed)
    total = sum(sizes[1:])
    m = rng.normal(size=(total, total)) / np.sqrt(total)
    edges = np.cumsum([0, *sizes[1:]])
    blocks = [slice(a, b) for a, b in itertools.pairwise(edges)]
    a = m @ m.T + 0.3 * np.eye(total)
    params = {f"A{k + 1}": a[s, s] for k, s in enumerate(blocks)}
    params |= {f"W{k + 2}": 0.3 * a[blocks[k], blocks[k + 1]] for k in range(len(blocks) - 1)}
    params["W1"] = rng.normal(size=(sizes[0], sizes[1]))
    params |= {f"b{k + 1}": rng.normal(size=n) for k, n in enumerate(sizes[1:])}
    return un.energies.quadratic_chain(sizes), params


@pytest.mark.parametrize("precision", ["identity", "diagonal", "full"])
def test_a_chain_comes_back_as_it_was(precision):
    """Biases included: a net trained as one and run as the other must be the same net."""
    energy, params = chain(precision)
    there = un.convert.to_hopfield(energy, params)
    back = un.convert.to_predictive(there.energy, there.params).params
    for k, v in params.items():
        want = np.diag(v) if k[0] == "P" and v.ndim == 1 else v
        np.testing.assert_allclose(back[k], want, **TIGHT)
    if precision == "identity":
        np.testing.assert_allclose(back["P2"], np.eye(5), **TIGHT)


def test_a_quadratic_net_comes_back_as_it_was():
    """The other way round, from a matrix that no chain was used to make."""
    energy, params = quadratic()
    there = un.convert.to_predictive(energy, params)
    back = un.convert.to_hopfield(there.energy, there.params).params
    for k, v in params.items():
        np.testing.assert_allclose(back[k], v, **TIGHT)


def test_a_linear_hopfield_net_is_such_a_quadratic_net():
    """The library's own Hopfield energy has A = 1: it converts, and its A comes back as 1."""
    energy = un.energies.hopfield([3, 4, 2], "identity")
    params = un.emit(energy, backend="numpy").init(1)
    there = un.convert.to_predictive(energy, params)
    back = un.convert.to_hopfield(there.energy, there.params).params
    for k, v in {**params, "A1": np.eye(4), "A2": np.eye(2)}.items():
        np.testing.assert_allclose(back[k], v, **TIGHT)


@pytest.mark.parametrize("make", [chain, quadratic, lambda: chain("diagonal")])
def test_the_energies_differ_by_the_stated_constant(make):
    """Everything else follows from this: one constant, whatever the states are."""
    energy, params = make()
    to = un.convert.to_hopfield if energy.layers else un.convert.to_predictive
    there = to(energy, params)
    ours, theirs = (un.emit(e, backend="numpy") for e in (energy, there.energy))
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 3))
    s = [rng.normal(size=(6, n)) for n in SIZES[1:]]
    a, b = (dict(zip([v.name for v in e.states], s, strict=True)) for e in (energy, there.energy))
    gap = ours.energy(a, params, un.Phase.free(x)) - theirs.energy(
        b, there.params, un.Phase.free(x))  # fmt: skip
    np.testing.assert_allclose(gap, there.constant(x), rtol=1e-11)
    assert there.constant(x[0]) == pytest.approx(there.constant(x)[0], rel=1e-13)


@pytest.fixture(scope="module")
def pair():
    """A chain and its Hopfield net as programs, with data."""
    sizes = [3, 4, 3, 2]
    energy, params = chain(sizes=sizes)
    there = un.convert.to_hopfield(energy, params)
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    programs = [un.emit(e, un.costs.squared()) for e in (energy, there.energy)]
    return programs, params, there, x, y


def test_both_rest_at_the_same_states_in_every_phase(pair):
    """Equal energies up to a constant rest alike, free and nudged; otherwise one is not the other.
    """
    (pc, hop), params, there, x, y = pair
    for phase in (un.Phase.free(x), un.Phase.nudged(x, y, 0.7), un.Phase.nudged(x, y, -0.1)):
        ours = un.relax(pc, params, phase, tol=1e-12).state
        theirs = un.relax(hop, there.params, phase, tol=1e-12).state
        for k in "123":
            np.testing.assert_allclose(ours[f"z{k}"], theirs[f"s{k}"], atol=1e-10)


def test_a_contrast_of_the_hopfield_net_is_the_chains_gradient(pair):
    """Measure on one machine, learn on the other: the promise of the whole conversion."""
    (pc, hop), params, there, x, y = pair
    estimator = un.Centered(0.1, certify=False)
    ours = estimator(pc, params, x, y).grad
    mapped = there.map_gradient(estimator(hop, there.params, x, y).grad)
    assert mapped.keys() == ours.keys()
    for k, v in ours.items():
        np.testing.assert_allclose(mapped[k], v, atol=1e-9)


def test_a_rule_of_one_phase_needs_the_constant_as_well(pair):
    """Mapped alone it is wrong by the constant's gradient: the trap the theory page warns of."""
    (pc, hop), params, there, x, y = pair
    ours = un.PredictiveCoding(certify=False)(pc, params, x, y).grad
    theirs = un.PredictiveCoding(certify=False)(hop, there.params, x, y).grad
    mapped, missing = there.map_gradient(theirs), there.constant_gradient(x)
    assert un.relative_error(mapped, ours) > 0.1
    for k, v in ours.items():
        np.testing.assert_allclose(mapped[k] + missing[k], v, atol=1e-9)


@pytest.mark.parametrize("make", [
    chain, quadratic, lambda: chain("diagonal"), lambda: chain("identity"),
    lambda: (un.energies.hopfield([3, 4, 2], "identity"), un.emit(
        un.energies.hopfield([3, 4, 2], "identity"), backend="numpy").init(1)),
])  # fmt: skip
def test_the_mapped_gradient_is_the_slope_of_the_conversion(make):
    """Finite differences through the converter itself, parameter by parameter, both directions."""
    energy, params = make()
    to = un.convert.to_hopfield if energy.layers else un.convert.to_predictive
    there = to(energy, params)
    rng = np.random.default_rng(7)
    seen = {k: rng.normal(size=v.shape) for k, v in there.params.items()}
    x = rng.normal(size=(5, 3))
    mapped, drift = there.map_gradient(seen), there.constant_gradient(x)

    def along(name, d, h):
        moved = to(energy, {**params, name: params[name] + h * d})
        value = sum(np.sum(seen[k] * v) for k, v in moved.params.items())
        return np.array([value, np.mean(moved.constant(x))])

    for name, value in params.items():
        d = rng.normal(size=value.shape)
        if energy.param(name).symmetric:
            d = (d + d.T) / 2
        d /= np.linalg.norm(d)
        first, second = ((along(name, d, h) - along(name, d, -h)) / (2 * h) for h in (1e-4, 2e-4))
        want = (4 * first - second) / 3
        found = np.array([np.sum(mapped[name] * d), np.sum(drift[name] * d)])
        np.testing.assert_allclose(found, want, rtol=1e-7, atol=1e-7)


def broken(energy, params, name, value):
    return energy, {**params, name: value}


zoo = un.energies
REFUSED = {
    "tanh chain": (lambda: (zoo.predictive([3, 4, 2]), None), "to_hopfield",
                   "the prediction of z1: it is not linear in x"),
    "tanh net": (lambda: (zoo.hopfield([3, 4, 2]), None), "to_predictive",
                 "layer 1: its Hessian depends on s1, so the energy is not quadratic"),
    "no chain": (lambda: (zoo.hopfield([3, 4, 2], "identity"), None), "to_hopfield",
                 "not a sum of prediction errors"),
    "skip up": (lambda: (zoo.predictive([3, 4, 4, 2], "identity", skip=[(1, 3)]), None),
                "to_hopfield", "it reads z1, z2, not z2 alone"),
    "skip": (lambda: (zoo.hopfield([3, 4, 4, 2], "identity", skip=[(1, 3)]), None),
             "to_predictive", "layer 1: it is coupled to s3, which is no neighbour"),
    "scaled": (lambda: (zoo.deep_linear([3, 4, 2], "width"), None), "to_hopfield",
               r"its slope .* is not one weight parameter"),
    "path": (lambda: (zoo.linear_gaussian_chain(2, 2, 2), None), "to_hopfield",
             "energy: expected one clamped input, got 3"),
    "pivot": (lambda: broken(*quadratic(), "A1", -np.eye(4)), "to_predictive",
              r"layer 1: expected a positive definite precision, got one with eigenvalue -"),
    "schur": (lambda: broken(*quadratic(), "W3", 9 * np.ones((5, 2))), "to_predictive",
              r"layer 2: expected a positive definite precision, got one with eigenvalue -"),
    "precision": (lambda: broken(*chain("diagonal"), "P2", -np.ones(5)), "to_hopfield",
                  r"layer 2: expected a positive definite precision"),
    "lopsided": (lambda: broken(*quadratic(), "A2", np.triu(np.ones((5, 5)))), "to_predictive",
                 "A2: expected a symmetric matrix"),
    "shape": (lambda: broken(*chain(), "W2", np.ones((4, 5))), "to_hopfield",
              "W2: expected size 5 on axis n2, got 4"),
    "missing": (lambda: broken(*chain(), "W2", None), "to_hopfield", "W2: expected a finite array"),
    "no energy": (lambda: (3, {}), "to_hopfield", "energy: expected an un.Energy, got int"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_exact_counterpart_is_refused_with_the_place(name):
    """An approximate conversion that looks exact would poison every comparison made with it."""
    make, which, words = REFUSED[name]
    energy, params = make()
    if params is None:
        params = un.emit(energy, backend="numpy").init(0)
    with pytest.raises(InputError, match=words) as caught:
        getattr(un.convert, which)(energy, params)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_gradient_of_another_net_is_refused():
    """Names of the two forms overlap: W1 here is not W1 there."""
    energy, params = chain()
    there = un.convert.to_hopfield(energy, params)
    words = r"grad: expected an array of shape \(3, 4\) for 'W1', got"
    with pytest.raises(InputError, match=words):
        there.map_gradient({**params, **{f"A{k}": params[f"P{k}"] for k in (1, 2, 3)}})
    assert repr(there) == "Conversion(predictive -> quadratic_chain [3, 4, 5, 2])"
