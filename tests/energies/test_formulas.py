"""Oracle: what each energy is for, computed in NumPy from the textbook formula."""

import numpy as np
import pytest
from scipy.special import expit, softmax

import unified as un
from tests.energies.nets import data_of, params_of
from tests.tolerances import TOL

TIGHT = TOL["float64"].exact


def numpy_program(energy, seed=0):
    """A NumPy program (nothing to compile), its parameters, one input, random states."""
    program = un.emit(energy, un.costs.squared(), backend="numpy")
    params = params_of(program, seed)
    x = {k: v[0] for k, v in data_of(program, seed)[0].items()}
    rng = np.random.default_rng(seed + 2)
    state = {s.name: rng.normal(size=energy.sizes[s.axes[0]]) for s in energy.states}
    return program, params, x, state


LAWS = {
    "tanh": (np.tanh, lambda s: 1 - np.tanh(s) ** 2),
    "sigmoid": (expit, lambda s: expit(s) * (1 - expit(s))),
    "atan": (np.arctan, lambda s: 1 / (1 + s * s)),
    "identity": (lambda s: s, np.ones_like),
}  # fmt: skip


def cohen_grossberg_field(params, x, state, rho):
    """-s + W rho(s) + b of the layered net with one skip from the input to the top."""
    r1, r2 = rho(state["s1"]), rho(state["s2"])
    below = x @ params["W1"] + params["W2"] @ r2 + params["b1"]
    return {
        "s1": below - state["s1"],
        "s2": r1 @ params["W2"] + x @ params["W0_2"] + params["b2"] - state["s2"],
    }


@pytest.mark.parametrize("name", LAWS)
def test_the_cohen_grossberg_force_is_its_field_times_the_slope(name):
    """Without the exact integral term the net would learn from an energy it does not descend."""
    rho, slope = LAWS[name]
    energy = un.energies.cohen_grossberg([3, 4, 2], name, skip=[(0, 2)])
    program, params, x, state = numpy_program(energy)
    force = program.force(state, params, un.Phase.free(x))
    field = cohen_grossberg_field(params, x["x"], state, rho)
    for k, f in field.items():
        np.testing.assert_allclose(force[k], slope(state[k]) * f, rtol=TIGHT, atol=TIGHT)


def test_the_cohen_grossberg_energy_falls_as_the_theorem_says():
    """dE/dt = -Σ ρ' ṡ² is why the net has rest points at all."""
    energy = un.energies.cohen_grossberg([3, 4, 2], skip=[(0, 2)])
    program, params, x, state = numpy_program(energy)
    phase = un.Phase.free(x)
    field = cohen_grossberg_field(params, x["x"], state, np.tanh)
    want = -sum(np.sum((1 - np.tanh(state[k]) ** 2) * f * f) for k, f in field.items())
    h = 1e-5
    ends = [program.energy({k: state[k] + e * h * f for k, f in field.items()}, params, phase)
            for e in (1, -1)]  # fmt: skip
    assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(want, rel=1e-8)


def test_the_integral_term_is_what_its_name_says():
    """Σ∫^{ρ(s)}ρ⁻¹ by quadrature of the inverse function itself."""
    energy = un.energies.cohen_grossberg([1, 1], "sigmoid")
    program = un.emit(energy, backend="numpy")
    params = {"W1": np.zeros((1, 1)), "b1": np.zeros(1)}
    for s in (-1.3, 0.4, 2.5):
        nodes, weights = np.polynomial.legendre.leggauss(60)
        half = (expit(s) - 0.5) / 2
        u = 0.5 + half * (1 + nodes)
        want = half * np.sum(weights * np.log(u / (1 - u)))
        found = program.energy({"s1": np.array([s])}, params, un.Phase.free(np.zeros(1)))
        assert found == pytest.approx(want, rel=1e-10)


def test_the_step_of_the_dense_memory_is_softmax_attention():
    """Attention is the claim people know this energy by."""
    program, params, x, state = numpy_program(un.energies.dense_memory(5, 7, 3))
    recall = softmax(params["kappa"] * params["Xi"] @ state["s"]) @ params["Xi"]
    force = program.force(state, params, un.Phase.free(x))["s"]
    np.testing.assert_allclose(force, recall + params["U"] @ x["x"] - state["s"], rtol=TIGHT,
                               atol=TIGHT)  # fmt: skip
    fixed = un.emit(un.energies.dense_memory(5, 7, 3, kappa=float(params["kappa"])),
                    backend="numpy")  # fmt: skip
    rest = {k: v for k, v in params.items() if k != "kappa"}
    np.testing.assert_allclose(fixed.force(state, rest, un.Phase.free(x))["s"], force, rtol=1e-12)


def test_a_skip_is_one_more_bilinear_term():
    """A skip with the wrong pair of layers, or transposed, would still run."""
    program, params, x, state = numpy_program(un.energies.hopfield([2, 3, 4, 2], skip=[(1, 3)]))
    plain = un.emit(un.energies.hopfield([2, 3, 4, 2]), backend="numpy")
    short = {k: v for k, v in params.items() if k != "W1_3"}
    phase = un.Phase.free(x)
    extra = program.energy(state, params, phase) - plain.energy(state, short, phase)
    r = {k: np.tanh(v) for k, v in state.items()}
    assert extra == pytest.approx(-(r["s1"] @ params["W1_3"] @ r["s3"]), rel=TIGHT)


def test_predictions_with_skips_are_those_of_the_formula():
    """Both conventions: where f sits decides which feedback a layer gets."""
    for convention in ("f(Wz)", "Wf(z)"):
        energy = un.energies.predictive([2, 3, 4, 2], convention=convention,
                                        skip=[(0, 2), (1, 3)], precision="diagonal")  # fmt: skip
        program, p, x, z = numpy_program(energy)
        at = {"x": x["x"], **z}
        out = {k: v if convention == "f(Wz)" or k == "x" else np.tanh(v) for k, v in at.items()}
        drive = {
            "z1": p["W1"] @ out["x"],
            "z2": p["W2"] @ out["z1"] + p["W0_2"] @ out["x"],
            "z3": p["W3"] @ out["z2"] + p["W1_3"] @ out["z1"],
        }
        total = 0.0
        for k in "123":
            mean = drive[f"z{k}"] + p[f"b{k}"]
            if convention == "f(Wz)" and k != "3":
                mean = np.tanh(mean)
            eps = z[f"z{k}"] - mean
            total += 0.5 * np.sum(p[f"P{k}"] * eps**2 - np.log(p[f"P{k}"]))
        found = program.energy(z, p, un.Phase.free(x))
        assert found == pytest.approx(total, rel=TIGHT)


MAPS = {
    "standard": lambda w, n, top, k: w,
    "width": lambda w, n, top, k: w / np.sqrt(n),
    "depth": lambda w, n, top, k: (
        w / np.sqrt(n) if k == 1 else w / n if k == top else np.eye(n) + w / np.sqrt(n * top)
    ),
}  # fmt: skip


@pytest.mark.parametrize("scaling", MAPS)
def test_a_scaled_linear_chain_is_the_plain_one_with_its_effective_weights(scaling):
    """A wrong power of the width or the depth is what these scalings exist to avoid."""
    sizes = [3, 4, 4, 4, 2]
    program, params, x, z = numpy_program(un.energies.deep_linear(sizes, scaling))
    plain = un.emit(un.energies.predictive(sizes, "identity"), backend="numpy")
    weights = {k: MAPS[scaling](w, w.shape[1], 4, int(k[1:])) for k, w in params.items()}
    biases = {f"b{k}": np.zeros(n) for k, n in enumerate(sizes) if k}
    want = plain.energy(z, weights | biases, un.Phase.free(x))
    assert program.energy(z, params, un.Phase.free(x)) == pytest.approx(want, rel=TIGHT)
    many = program.model.initial["W2"].draw(np.random.default_rng(0), (400, 400))
    assert np.std(many) == pytest.approx(0.05 if scaling == "standard" else 1.0, rel=0.01)


def test_the_depth_scaling_keeps_the_forward_map_well_conditioned():
    """Otherwise a deep net at its initial weights answers to one direction of its input only."""
    spread = {}
    for scaling in ("standard", "depth"):
        for depth in (8, 128):
            energy = un.energies.deep_linear([8] * (depth + 1), scaling)
            rng = np.random.default_rng(depth)
            forward = np.eye(8)
            for k in range(1, depth):
                w = energy.initial[f"W{k}"].draw(rng, (8, 8))
                forward = MAPS[scaling](w, 8, depth, k) @ forward
            spread[scaling, depth] = np.linalg.cond(forward)
    assert spread["depth", 128] < 3 * spread["depth", 8]
    assert spread["standard", 128] > 1e6 * spread["standard", 8]


def test_orthogonal_weights_give_the_cotangent_condition_number():
    """Theory C4: cot²(π/2L), the number that says how slowly activities settle."""
    for depth in (2, 5, 9):
        energy = un.energies.deep_linear([3] * (depth + 1)).clamp(f"z{depth}", "y")
        program = un.emit(energy, backend="numpy")
        rng = np.random.default_rng(depth)
        params = {p.name: np.linalg.qr(rng.normal(size=(3, 3)))[0] for p in energy.params}
        zero = {s.name: np.zeros(3) for s in energy.states}
        phase = un.Phase.free({"x": np.zeros(3), "y": np.zeros(3)})
        h = program.hessian(zero, params, phase)
        assert np.linalg.cond(h) == pytest.approx(1 / np.tan(np.pi / (2 * depth)) ** 2, rel=1e-9)
