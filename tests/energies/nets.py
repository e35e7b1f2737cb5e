"""The energies under test here, small, with parameters that obey what they declare."""

import numpy as np

import unified as un

zoo = un.energies
ENERGIES = {
    "cohen-grossberg": lambda: zoo.cohen_grossberg([3, 4, 2]),
    "cohen-grossberg, skips": lambda: zoo.cohen_grossberg(
        [2, 3, 2, 2], "sigmoid", skip=[(1, 3), (0, 2)]
    ),
    "hopfield, skips": lambda: zoo.hopfield([2, 3, 2, 2], skip=[(0, 2), (0, 3), (1, 3)]),
    "dense memory": lambda: zoo.dense_memory(3, 4, 2),
    "dense memory, constant": lambda: zoo.dense_memory(3, 4, 2, kappa=1.5),
    "coding, diagonal": lambda: zoo.predictive([3, 4, 2], precision="diagonal"),
    "coding, skips": lambda: zoo.predictive(
        [2, 3, 2, 2], precision="full", convention="Wf(z)", skip=[(0, 2), (1, 3)]
    ),
    "coding, skips inside": lambda: zoo.predictive([2, 3, 2, 2], skip=[(0, 3), (1, 3)]),
    "deep linear": lambda: zoo.deep_linear([3, 4, 2, 2], precision="diagonal"),
    "deep linear, width": lambda: zoo.deep_linear([3, 4, 2], "width"),
    "deep linear, depth": lambda: zoo.deep_linear([2, 3, 3, 2], "depth"),
    "quadratic chain": lambda: zoo.quadratic_chain([3, 4, 2]),
    "free energy": lambda: zoo.free_energy(zoo.predictive([2, 2, 1], "identity", "diagonal")),
    "state space": lambda: zoo.linear_gaussian_chain(2, 2, 2, 1),
}  # fmt: skip


def params_of(program, seed=0):
    """Initial parameters with noise; what must be positive (definite) stays so."""
    rng = np.random.default_rng(seed)
    found = {}
    for p in program.model.params:
        value = program.init(seed)[p.name]
        noise = 0.15 * rng.normal(size=value.shape)
        if p.symmetric:
            found[p.name] = value + noise @ noise.T
        elif p in program.model.positive:
            found[p.name] = value * np.exp(noise)
        else:
            found[p.name] = value + noise
    return found


def data_of(program, seed=0, batch=4):
    """Inputs by name, and targets that are distributions."""
    rng = np.random.default_rng(seed + 1)
    sizes = program.model.sizes
    x = {v.name: rng.normal(size=(batch, sizes[v.axes[0]])) for v in program.model.inputs}
    y = rng.uniform(0.2, 0.8, size=(batch, sizes[program.model.output.axes[0]]))
    return x, y / y.sum(1, keepdims=True)
