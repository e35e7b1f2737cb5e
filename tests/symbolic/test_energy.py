"""Oracle: facts of the energies known on paper, and the sentences of their checks."""

import pytest
import sympy

import unified as un
from tests.symbolic.oracle import EXACT, gradient_error
from unified.base.errors import InputError
from unified.symbolic.nodes import Zero

n, m = un.axes("n m")
s, t, x, W = un.var("s", n), un.var("t", m), un.var("x", n), un.var("W", n, m)

LIBRARY = {
    "hopfield": un.energies.hopfield([2, 3, 2], rho=sympy.Function("rho")),
    "hopfield, one layer": un.energies.hopfield([2, 2], rho="sigmoid"),
    "recurrent": un.energies.recurrent(3),
    "recurrent with inputs": un.energies.recurrent(2, 2),
    "predictive": un.energies.predictive([2, 2, 3]),
    "predictive, full": un.energies.predictive([2, 2, 2], precision="full"),
    "predictive, Wf": un.energies.predictive([2, 3, 2], convention="Wf(z)", precision="full"),
    "linear_gaussian": un.energies.linear_gaussian(3, 2),
}


def sizes_of(energy: un.Energy) -> dict[str, int]:
    return {a.name: k for a, k in energy.sizes.items()}


@pytest.mark.parametrize("name", LIBRARY)
def test_library_gradients_and_rules_agree_with_sympy(name):
    """These formulas are what the library trains with."""
    energy, dims = LIBRARY[name], sizes_of(LIBRARY[name])
    for v in energy.states:
        assert gradient_error(energy.expr, v, dims, energy.grad(v)) < EXACT
    for p in energy.params:
        assert gradient_error(energy.expr, p, dims, energy.rule(p)) < EXACT


@pytest.mark.parametrize("name", LIBRARY)
def test_library_hessians_agree_with_sympy(name):
    """The certificate of every equilibrium is read off these blocks."""
    energy, dims = LIBRARY[name], sizes_of(LIBRARY[name])
    for a in energy.states:
        for b in energy.states:
            block = energy.hessian(a, b)
            assert gradient_error(energy.grad(a), b, dims, block) < EXACT
    p, a = energy.params[0], energy.states[0]
    assert gradient_error(energy.rule(p), a, dims, energy.mixed(p, a)) < EXACT


def test_long_chain_has_88_nonzero_blocks():
    """Structural zeros lost in a chain would make its Hessian cost depth², not depth."""
    structure = un.energies.predictive([2] * 31).structure()
    assert structure.nonzero == 88 and structure.bandwidth == 1 and len(structure.kinds) == 900


def test_hopfield_blocks_are_diagonal_on_the_diagonal():
    """A layered net has no coupling inside a layer; the fast solver relies on knowing it."""
    kinds = LIBRARY["hopfield"].structure().kinds
    assert kinds["s1", "s1"] == kinds["s2", "s2"] == "diagonal"
    assert kinds["s1", "s2"] == kinds["s2", "s1"] == "dense"
    far = un.energies.hopfield([2, 2, 2, 2])
    assert isinstance(far.hessian("s1", "s3"), Zero)


FINE = s @ W @ t + s.sq() + t.sq()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: un.Energy(s.sq(), [s, t]), "'t'"),
        (lambda: un.Energy(FINE, [s, t], [W, un.var("V", n)]), "'V'"),
        (lambda: un.Energy(FINE, [s], [W]), "undeclared t"),
        (lambda: un.Energy(FINE, [s, t]), "undeclared W"),
        (lambda: un.Energy(FINE, []), "at least one state"),
        (lambda: un.Energy(s, [s]), "scalar"),
        (lambda: un.Energy(3, [s]), "scalar"),
        (lambda: un.Energy(FINE, [s, t, s], [W]), "twice"),
        (lambda: un.Energy(FINE, ["s", t], [W]), "un.var"),
        (lambda: un.Energy(s.sq() * un.scalar("beta"), [s], [un.scalar("beta")]), "beta"),
        (lambda: un.Energy(s.sq() + un.var("s", m).sq(), [s]), "another variable named s"),
        (lambda: un.Energy(FINE, [s, t], [W]).grad("z"), "'z'"),
        (lambda: un.Energy(FINE, [s, t], [W]).rule("s"), "'s'"),
        (lambda: un.Energy(FINE, [s, t], [W]).latex("forces"), "dynamics"),
        (lambda: un.Energy(s.sq(), [s]).latex("rules"), "params"),
        (lambda: un.Cost(FINE, un.var("y", n)), "target"),
        (lambda: un.energies.hopfield([3]), "sizes"),
        (lambda: un.energies.hopfield([3, 0]), "sizes"),
        (lambda: un.energies.predictive([3, 2], precision="diag"), "precision"),
        (lambda: un.energies.predictive([3, 2], convention="Wz"), "convention"),
        (lambda: un.energies.hopfield([3, 2], rho="tanhh"), "tanhh"),
    ],
)
def test_bad_energies_get_one_sentence(make, word):
    """A state the energy forgets would never move; an undeclared one would crash far away."""
    with pytest.raises(InputError) as caught:
        make()
    assert word in str(caught.value) and str(caught.value).count("\n") == 0


def test_clamping_moves_a_state_to_the_inputs():
    """Contrastive learning compares the free energy with exactly this one."""
    clamped = LIBRARY["predictive"].clamp("z2", "y")
    assert [v.name for v in clamped.states] == ["z1"]
    assert [v.name for v in clamped.inputs] == ["x", "y"]
    assert gradient_error(clamped.expr, clamped.states[0], sizes_of(clamped)) < EXACT
