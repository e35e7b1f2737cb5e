"""Small nets for gradients: what they are, their parameters, their data."""

import numpy as np

import unified as un

NETS = {
    "hopfield": lambda: un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared()),
    "recurrent": lambda: un.emit(un.energies.recurrent(4, 3), un.costs.cross_entropy()),
    "coding": lambda: un.emit(un.energies.predictive([3, 4, 2]), un.costs.cross_entropy()),
    "coding, Wf": lambda: un.emit(
        un.energies.predictive([3, 4, 2], convention="Wf(z)", precision="full"), un.costs.squared()
    ),
    "gaussian": lambda: un.emit(un.energies.linear_gaussian(3, 2), un.costs.squared()),
    "linear coding": lambda: un.emit(
        un.energies.predictive([3, 4, 2], f="identity"), un.costs.squared()
    ),
}


def params_of(program, seed=0):
    """Initial parameters with biases, and with precisions that are not the identity."""
    rng = np.random.default_rng(seed)
    found = {}
    for p in program.model.params:
        value = program.init(seed)[p.name]
        noise = 0.2 * rng.normal(size=value.shape)
        found[p.name] = value + (noise + noise.T) / 2 if p.symmetric else value + noise
    return found


def data_of(program, seed=0, batch=4):
    """Inputs, and targets that are distributions (so that every cost likes them)."""
    rng = np.random.default_rng(seed + 1)
    sizes, inputs = program.model.sizes, program.model.inputs[0]
    x = rng.normal(size=(batch, sizes[inputs.axes[0]]))
    y = np.eye(sizes[program.model.output.axes[0]])
    y = y[rng.integers(len(y), size=batch)]
    return x, 0.9 * y + 0.1 / y.shape[1]
