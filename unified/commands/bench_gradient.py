"""The bar on a whole learning step: a centered gradient against its two unavoidable products."""

from __future__ import annotations

from typing import Any

from unified.base.errors import ConvergenceError
from unified.commands.timing import timed

TOL = 1e-4
BETA = 0.1


def enlarged() -> tuple[Any, Any]:
    """The digits on 28×28 pixels (each pixel 3×3, a margin of 2), float32."""
    import numpy as np

    from unified import data

    d = data.load("digits")
    big = np.kron(d.x_train.reshape(-1, 8, 8), np.ones((3, 3)))
    x = np.pad(big, ((0, 0), (2, 2), (2, 2))).reshape(len(big), -1)
    return x.astype(np.float32), d.y_train.astype(np.float32)


def gradient_ratios() -> list[dict[str, Any]]:
    """Centered EP, Hopfield 784-512-10, batch 64, float32, relative residual 1e-4.

    The floor is xW₁ and xᵀΔ, the two products with the big matrix that no exact method avoids.
    """
    import optax

    from unified.codegen import emit
    from unified.dynamics import FixedPoint
    from unified.energies import costs, hopfield
    from unified.learning import Centered, fit

    program = emit(hopfield([784, 512, 10]), costs.squared(), dtype="float32")
    x, y = enlarged()
    careful = Centered(BETA, method=FixedPoint(), tol=1e-5)
    fitted = fit(program, careful, x, y, key=0, epochs=10, optimizer=optax.adam(1e-3))
    weights = {"random": program.init(0), "trained": fitted.params}
    return [_measure(program, name, params, x[:64], y[:64]) for name, params in weights.items()]


def _measure(program: Any, name: str, params: Any, x: Any, y: Any) -> dict[str, Any]:
    """One learning step against its floor; every phase is tested against its residual."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from unified.commands.bench import bar
    from unified.dynamics import FixedPoint, Phase
    from unified.dynamics.relax import phase_values
    from unified.learning import Centered, Implicit, relative_error

    bare = Centered(BETA, method=FixedPoint(), tol=TOL, certify=False)
    full = Centered(BETA, method=FixedPoint(), tol=TOL)
    reference = Implicit(tol=1e-6)(program, params, x, y).grad
    error = relative_error(full(program, params, x, y).grad, reference)
    with program.precision:
        checked, _ = phase_values(program, params, Phase(x, y))
        values = {k: jnp.asarray(v) for k, v in checked.items()}
        step = jax.jit(lambda v: bare.core(program, v))
        certified = jax.jit(lambda v: full.core(program, v))
        floor = jax.jit(lambda a, w, d: (a @ w, a.T @ d))
        noise = np.random.default_rng(1).standard_normal((64, 512))
        delta = jnp.asarray(noise.astype(np.float32))
        raw = step(values)
        residuals = [float(np.max(r.residual)) for r in raw.rests]
        if max(residuals) > TOL:
            raise ConvergenceError(f"bench: expected every phase at {TOL}, got {residuals}.")
        times = timed(
            {
                "floor": lambda: floor(values["x"], values["W1"], delta),
                "step": lambda: step(values), "certified": lambda: certified(values),
            },
            repeats=100,
        )  # fmt: skip
    return bar(
        f"ep gradient {name}", "centered EP / two matrix products", times.ratio("step", "floor"),
        3.0, floor_seconds=times.median("floor"), seconds=times.median("step"),
        certified_ratio=times.ratio("certified", "floor"), residuals=residuals,
        relative_error=error, sweeps=[int(np.max(r.steps)) for r in raw.rests],
    )  # fmt: skip
