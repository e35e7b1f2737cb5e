"""The bar on exact inference in a deep linear chain: one block factorisation against dense ones."""

from __future__ import annotations

from typing import Any

DEPTH, WIDTH, BATCH, BETA = 16, 128, 64, 0.5
AT_LEAST, ERROR = 20.0, 1e-10


def exact_inference() -> list[dict[str, Any]]:
    """Deep linear PC, 16 layers of 128 units, batch 64, float64, output clamped or nudged.

    The rivals start from the assembled Hessian and the right sides: its inverse times these
    (the bar), and a dense Cholesky solve (for information). Ours starts from weights and data,
    and ends with its residual measured. The reference is refined in extended precision.
    """
    import numpy as np

    from unified.codegen import emit
    from unified.dynamics import Phase
    from unified.energies import costs, deep_linear

    program = emit(deep_linear([WIDTH] * (DEPTH + 1)), costs.squared())
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, BATCH, WIDTH))
    params = program.init(0)
    phases: dict[str, Any] = {
        "clamped": lambda x, y: Phase({"x": x, "y": y}),
        "nudged": lambda x, y: Phase.nudged(x, y, BETA),
    }
    found: list[dict[str, Any]] = []
    for name, held in phases.items():
        which = program.clamped if name == "clamped" else program
        found += _measure(name, which, params, held, x, y)
    return found


def _measure(name: str, program: Any, params: Any, held: Any, x: Any, y: Any) -> Any:
    """One phase: the time of the rest point against dense ones, and its error."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from scipy.linalg import cho_factor, cho_solve

    from unified.commands.bench import bar
    from unified.commands.timing import timed
    from unified.dynamics import Exact
    from unified.dynamics.relax import phase_values
    from unified.dynamics.solve import relax_arrays, start_state

    with program.precision:
        checked, _ = phase_values(program, params, held(x, y))
        values = {k: jnp.asarray(v) for k, v in checked.items()}
        run = jax.jit(lambda v: relax_arrays(program, v, start_state(program, v), Exact(), 1e-12))
        rest = run(values)
        state = {s.name: np.asarray(rest.state[s.name])[0] for s in program.model.states}
        first = {k: v[0] for k, v in state.items()}
        hessian = program.hessian(first, params, held(x[0], y[0]))
        factor = cho_factor(hessian)
        beta = BETA if name == "nudged" else None
        exact = _refined(list(state.values()), params, x, y, beta, factor)
        right = hessian @ np.concatenate(exact, axis=1).T.astype(float)
        times = timed(
            {
                "block": lambda: run(values), "inverse": lambda: np.linalg.inv(hessian) @ right,
                "cholesky": lambda: cho_solve(cho_factor(hessian), right),
            },
            repeats=20,
        )  # fmt: skip
    error = max(float(np.max(np.abs(a - b))) for a, b in zip(state.values(), exact, strict=True))
    size = max(float(np.max(np.abs(b))) for b in exact)
    spectrum = np.linalg.eigvalsh(hessian)
    return [
        bar(
            f"exact chain {name}", f"block solve / dense inverse of {len(hessian)} units",
            times.ratio("block", "inverse"), 1 / AT_LEAST, seconds=times.median("block"),
            inverse_seconds=times.median("inverse"), cholesky_seconds=times.median("cholesky"),
            ratio_to_cholesky=times.ratio("block", "cholesky"),
            steps=int(np.max(np.asarray(rest.steps))),
            # As NumPy: outside its context JAX would round a double to single precision.
            residual=float(np.max(np.asarray(rest.residual))),
            condition=float(spectrum[-1] / spectrum[0]),
        ),
        bar(f"exact chain {name} error", "largest error / largest activity", error / size, ERROR),
    ]  # fmt: skip


def _refined(state: Any, params: Any, x: Any, y: Any, beta: float | None, factor: Any) -> Any:
    """The rest point in extended precision: residuals written out by hand, a dense Cholesky."""
    import numpy as np
    from scipy.linalg import cho_solve

    weights = [params[f"W{k + 1}"].astype(np.longdouble) for k in range(DEPTH)]
    z = [np.asarray(s, np.longdouble) for s in state]
    stops = np.cumsum([s.shape[1] for s in state])[:-1]
    for _ in range(5):
        whole = [x, *z, *([y] if beta is None else [])]
        errors = [b - a @ w.T for w, a, b in zip(weights, whole, whole[1:], strict=False)]
        force = [errors[k] - (errors[k + 1] @ weights[k + 1] if k + 1 < DEPTH else 0)
                 for k in range(len(z))]  # fmt: skip
        if beta is not None:
            force[-1] = force[-1] + beta * (z[-1] - y)
        move = cho_solve(factor, np.concatenate(force, axis=1).astype(float).T).T
        z = [a - b for a, b in zip(z, np.split(move, stops, axis=1), strict=True)]
    return z
