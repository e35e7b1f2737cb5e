"""Bars on derivation and generated code: against JAX's own derivatives of the same energy."""

from __future__ import annotations

import time
from typing import Any

from unified.commands.timing import timed


def _library() -> dict[str, Any]:
    from unified import energies

    return {
        "hopfield": lambda: energies.hopfield([784, 512, 10]),
        "recurrent": lambda: energies.recurrent(50, 20),
        "predictive f(Wz)": lambda: energies.predictive([784, 512, 10]),
        "predictive Wf(z)": lambda: energies.predictive([784, 512, 10], convention="Wf(z)"),
        "predictive full": lambda: energies.predictive([64, 32, 16, 10], precision="full"),
        "linear_gaussian": lambda: energies.linear_gaussian(20, 10),
    }


def emit_times() -> list[dict[str, Any]]:
    """Seconds to derive and generate every library energy, nothing cached."""
    from unified import energies
    from unified.codegen import emit
    from unified.commands.bench import bar
    from unified.energies import costs

    emit(_library()["recurrent"](), costs.squared(), cache=False)  # imports
    found = []
    for name, build in _library().items():
        times = []
        for _ in range(20):
            begun = time.perf_counter()
            emit(build(), costs.squared(), cache=False)
            times.append(time.perf_counter() - begun)
        middle = sorted(times)[10]
        found.append(bar(f"emit {name}", "derive and generate, seconds", middle, 1.0))
    times = []
    for _ in range(20):
        chain = energies.predictive([10 + k for k in range(31)])
        begun = time.perf_counter()
        count = chain.structure().nonzero
        times.append(time.perf_counter() - begun)
    found.append(bar("structure of 30 layers", "whole Hessian structure of a predictive chain, "
                     "seconds", sorted(times)[10], 0.5, nonzero_blocks=count))  # fmt: skip
    return found


def code_ratios() -> list[dict[str, Any]]:
    """Generated gradient, HVP and dense Hessian over those JAX derives from the energy."""
    from unified.energies import hopfield, predictive

    sizes = [256, 128, 10]
    # With f(Wz), one hidden layer and a linear readout the energy is quadratic: its Hessian is one
    # constant that both sides merely copy, so the other convention is the one to measure.
    nets = {"hopfield": hopfield(sizes), "predictive": predictive(sizes, convention="Wf(z)")}
    return [found for label, energy in nets.items() for found in _ratios(label, energy, sizes)]


def _ratios(label: str, energy: Any, sizes: list[int]) -> list[dict[str, Any]]:
    """The three ratios of one net: batch 64 for products, 8 for dense Hessians, float64."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from unified.codegen import emit
    from unified.commands.bench import bar
    from unified.energies import costs

    program = emit(energy, costs.squared())
    rng = np.random.default_rng(0)
    names = [s.name for s in program.model.states]
    cuts = np.cumsum(sizes[1:])[:-1]

    def total(s: Any, fixed: Any) -> Any:
        return program.core("energy", {**fixed, **s})["F"].sum()

    def their_product(s: Any, v: Any, fixed: Any) -> Any:
        return jax.jvp(lambda q: jax.grad(total)(q, fixed), (s,), (v,))[1]

    def flat_energy(z: Any, x: Any, y: Any, fixed: Any) -> Any:
        here = {**fixed, "x": x[None], "y": y[None]}
        parts = zip(names, jnp.split(z, cuts), strict=True)
        return total({n: p[None, None] for n, p in parts}, here)

    with program.precision:
        fixed = {k: jnp.asarray(v) for k, v in program.init(0).items()}
        fixed |= {"x": jnp.asarray(rng.random((64, sizes[0])))}
        fixed |= {"y": jnp.asarray(rng.random((64, sizes[-1]))), "beta": jnp.asarray([0.1])}
        state = {n: jnp.asarray(rng.standard_normal((1, 64, w)))
                 for n, w in zip(names, sizes[1:], strict=True)}  # fmt: skip
        along = {n: jnp.asarray(rng.standard_normal(v.shape)) for n, v in state.items()}
        where = {program.kernels.directions[n].name: a for n, a in along.items()}
        at = {**fixed, **state}
        along_at = {**at, **where}
        block = {k: v[:8] if k in ("x", "y") else v for k, v in fixed.items()}
        block |= {n: v[:, :8] for n, v in state.items()}
        z = jnp.concatenate([block[n][0] for n in names], axis=-1)
        force, their_force = program.function("force"), jax.jit(jax.grad(total))
        product, their_hvp = program.function("hvp"), jax.jit(their_product)
        their_hessian = jax.jit(jax.vmap(jax.hessian(flat_energy), (0, 0, 0, None)))
        theirs = (z, block["x"], block["y"], fixed)
        _agree(force(at), their_force(state, fixed), -1.0)
        _agree(product(along_at), their_hvp(state, along, fixed), 1.0)
        np.testing.assert_allclose(
            program.dense(block)[0], their_hessian(*theirs), rtol=1e-9, atol=1e-11
        )
        pairs: dict[str, tuple[Any, Any, str, float]] = {
            "gradient": (lambda: force(at), lambda: their_force(state, fixed), "jax.grad", 1.1),
            "hvp": (lambda: product(along_at), lambda: their_hvp(state, along, fixed),
                    "jvp(grad)", 1.1),
            "hessian": (lambda: program.dense(block), lambda: their_hessian(*theirs),
                        "jax.hessian", 0.4),
        }  # fmt: skip
        found = []
        for what, (mine, other, name, limit) in pairs.items():
            times = timed({"ours": mine, "theirs": other}, repeats=100, inner=10)
            found.append(
                bar(f"{what} {label}", f"generated / {name}", times.ratio("ours", "theirs"), limit,
                    seconds=times.median("ours"))
            )  # fmt: skip
    return found


def _agree(ours: dict[str, Any], theirs: dict[str, Any], sign: float) -> None:
    """Nothing is timed that is not right."""
    import numpy as np

    for name, value in theirs.items():
        np.testing.assert_allclose(sign * ours[name], value, rtol=1e-9, atol=1e-11)
