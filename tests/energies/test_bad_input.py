"""What cannot be an energy is refused where it is written, in one sentence."""

import pytest
import sympy

import unified as un
from unified.base.errors import InputError

zoo = un.energies
CASES = {
    "sizes": (lambda: zoo.cohen_grossberg([3]), "sizes: expected at least 2 positive integers"),
    "sizes 0": (lambda: zoo.deep_linear([3, 0, 2]), "sizes: expected at least 2 positive integers"),
    "memory": (lambda: zoo.dense_memory(3, -1), "sizes: expected at least 2 positive integers"),
    "kappa": (lambda: zoo.dense_memory(3, 2, kappa=0), "kappa: expected a positive number, got 0;"),
    "kappa nan": (lambda: zoo.dense_memory(3, 2, kappa=float("nan")), "kappa: expected a positive"),
    "kappa inf": (lambda: zoo.dense_memory(3, 2, kappa=float("inf")), "kappa: expected a positive"),
    "steps": (lambda: zoo.linear_gaussian_chain(2, 2, 0), "steps: expected a positive integer"),
    "scaling": (lambda: zoo.deep_linear([3, 2], "mu"), "scaling: expected 'standard', 'width' or"),
    "residual": (lambda: zoo.deep_linear([3, 4, 5, 2], "depth"), "hidden layers of one size"),
    "precision": (lambda: zoo.predictive([3, 2], precision="vector"),
                  "precision: expected 'identity', 'diagonal' or 'full', got vector|'vector'"),
    "integral": (lambda: zoo.cohen_grossberg([3, 2], "softplus"), "antiderivative in closed form"),
    "abstract": (lambda: zoo.cohen_grossberg([3, 2], sympy.Function("rho")), "antiderivative"),
    "falling": (lambda: zoo.cohen_grossberg([3, 2], "sin"), "rho: expected a rising function"),
    "skip down": (lambda: zoo.hopfield([3, 4, 2], skip=[(2, 0)]), "skip: expected pairs"),
    "skip next": (lambda: zoo.predictive([3, 4, 2], skip=[(0, 1)]), "skip: expected pairs"),
    "skip far": (lambda: zoo.predictive([3, 4, 2], skip=[(0, 3)]), "skip: expected pairs"),
    "skip twice": (lambda: zoo.hopfield([3, 4, 2], skip=[(0, 2), (0, 2)]), "each once"),
    "skip shape": (lambda: zoo.hopfield([3, 4, 2], skip=[3]), "skip: expected pairs"),
    "nonlinear": (lambda: zoo.free_energy(zoo.predictive([3, 4, 4, 2])),
                  "quadratic in its hidden states, got a Hessian that depends on z1"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_one_sentence(name):
    """A user with a typo should read what to write instead, not a stack of somebody's frames."""
    make, words = CASES[name]
    with pytest.raises(InputError, match=words) as caught:
        make()
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 300
    assert ": expected " in text and "; " in text


def test_a_prediction_may_not_read_ahead():
    """A loop of predictions has no forward pass and no causal order."""
    n = un.axes("n")
    z1, z2, x = un.var("z1", n), un.var("z2", n), un.var("x", n)
    with pytest.raises(InputError, match="only states of layers before it, got also z2"):
        zoo.layered([zoo.Layer(z1, z2 + x), zoo.Layer(z2, z1 + x)], [], [x])
