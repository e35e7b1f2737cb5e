"""The bar on a whole learning step: a gradient against the matrix products it cannot avoid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unified.base.errors import ConvergenceError
from unified.commands.timing import timed

TOL = 1e-4
BETA = 0.1
LIMIT = 3.0


def enlarged() -> tuple[Any, Any]:
    """The digits on 28×28 pixels (each pixel 3×3, a margin of 2), float32."""
    import numpy as np

    from unified import data

    d = data.load("digits")
    big = np.kron(d.x_train.reshape(-1, 8, 8), np.ones((3, 3)))
    x = np.pad(big, ((0, 0), (2, 2), (2, 2))).reshape(len(big), -1)
    return x.astype(np.float32), d.y_train.astype(np.float32)


def gradient_ratios() -> list[dict[str, Any]]:
    """Hopfield nets by centered EP, PC nets by nudged PC; batch 64, float32, residual 1e-4.

    The floor is one forward and one gradient product with every matrix between wide layers, which
    no exact method avoids: xW₁ and xᵀΔ with one hidden layer, also those with W₂ with two. A deep
    Hopfield net is at rest only after several products with W₂: `krylov_floor` is the ratio below
    which no method that multiplies by the weights can be, counted in the net linearised at rest.
    """
    import optax

    from unified.codegen import emit
    from unified.dynamics import FixedPoint, GaussNewton
    from unified.energies import costs, hopfield, predictive
    from unified.learning import Centered, PredictiveCoding, fit

    def ep(**more: Any) -> Any:
        return Centered(BETA, method=FixedPoint(), **more)

    def pc(**more: Any) -> Any:
        return PredictiveCoding(BETA, method=GaussNewton(), **more)

    x, y = enlarged()
    found = []
    for family, estimator, name, epochs in (
        (hopfield, ep, "ep gradient", (10, 3)), (predictive, pc, "pc gradient", (10, 3)),
    ):  # fmt: skip
        for sizes, passes in zip(([784, 512, 10], [784, 512, 512, 10]), epochs, strict=True):
            energy = family(sizes)
            program = emit(energy, costs.squared(), dtype="float32")
            fitted = fit(program, estimator(tol=TOL, certify=False), x, y, key=0, epochs=passes,
                         optimizer=optax.adam(1e-3))  # fmt: skip
            depth = "" if len(sizes) == 3 else " deep"
            for told, params in (("random", program.init(0)), ("trained", fitted.params)):
                found.append(
                    _measure(program, estimator, f"{name}{depth} {told}", params, x[:64], y[:64])
                )
    return found


def _measure(
    program: Any, estimator: Callable[..., Any], name: str, params: Any, x: Any, y: Any
) -> dict[str, Any]:
    """One learning step against its floor; every phase is tested against its residual."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from unified.commands.bench import bar
    from unified.dynamics import Phase
    from unified.dynamics.relax import phase_values

    bare, full = estimator(tol=TOL, certify=False), estimator(tol=TOL)
    with program.precision:
        checked, _ = phase_values(program, params, Phase(x, y))
        values = {k: jnp.asarray(v) for k, v in checked.items()}
        step = jax.jit(lambda v: bare.core(program, v))
        certified = jax.jit(lambda v: full.core(program, v))
        raw = step(values)
        residuals = [float(np.max(r.residual)) for r in raw.rests]
        if max(residuals) > TOL:
            raise ConvergenceError(f"bench: expected every phase at {TOL}, got {residuals}.")
        pairs = _products(program, values)
        every = jax.jit(lambda p: [(a @ w, a.T @ d) for a, w, d in p])
        runs: dict[str, Callable[[], Any]] = {
            "floor": lambda: every(pairs), "first": lambda: every(pairs[:1]),
            "step": lambda: step(values),
        }  # fmt: skip
        if len(pairs) == 1:  # else minima are certified by Lanczos, far above any such floor
            runs["certified"] = lambda: certified(values)
        times = timed(runs, repeats=40)
    certified_ratio = times.ratio("certified", "floor") if len(pairs) == 1 else None
    errors = _errors(program, estimator, params, x, y)
    if len(pairs) > 1 and name.startswith("ep"):
        errors |= _krylov_floor(program, params, x, y, times)
    told = f"{2 * len(pairs)} products; error <= {errors['error_bound']:.1e}"
    if "krylov_floor" in errors:
        told = f"{2 * len(pairs)} products (Krylov floor {errors['krylov_floor']:.2f}); error <= " \
            f"{errors['error_bound']:.1e}"  # fmt: skip
    return bar(
        name, f"/ {told} (is {errors['unsettled']:.1e}; to exact {errors['to_implicit']:.1e}, "
        f"|grad| {errors['size']:.1e})", times.ratio("step", "floor"), LIMIT,
        floor_seconds=times.median("floor"), seconds=times.median("step"),
        input_products_ratio=times.ratio("step", "first"),
        certified_ratio=certified_ratio, residuals=residuals,
        sweeps=[int(np.max(r.steps)) for r in raw.rests], **errors,
    )  # fmt: skip


def _krylov_floor(program: Any, params: Any, x: Any, y: Any, times: Any) -> dict[str, Any]:
    """The least a step can cost, in floors: its products with W₁, its iterations, its contrast.

    An iteration is a product with W₂ and one with its transpose; the free phase and one response
    for both nudges are solved, and the contrast of two phases is two products with W₂.
    """
    import numpy as np

    from unified.codegen import emit
    from unified.commands.bench_floor import krylov_counts

    double = emit(program.model, program.cost_model)
    exact = {k: np.asarray(v, dtype=float) for k, v in params.items()}
    width = params["W2"].shape[0]
    counts = krylov_counts(double, exact, x[:16], y[:16], BETA, TOL, width)
    inner = (times.median("floor") - times.median("first")) / 2  # one product with W₂
    least = times.median("first") + 2 * inner * (counts["free"] + counts["nudged"] + 1)
    return {"krylov_iterations": counts, "krylov_floor": least / times.median("floor")}


def _products(program: Any, values: Any) -> list[tuple[Any, Any, Any]]:
    """(activities below, W, errors above) for every matrix between wide layers, batch 64."""
    import jax.numpy as jnp
    import numpy as np

    rng = np.random.default_rng(1)
    below, found = values["x"], []
    for name in sorted(k for k in values if k.startswith("W")):
        w = values[name] if values[name].shape[0] == below.shape[1] else values[name].T
        if min(w.shape) < 100:
            continue
        above = jnp.asarray(rng.standard_normal((len(below), w.shape[1])).astype(np.float32))
        found.append((below, w, above))
        below = above
    return found


def _errors(
    program: Any, estimator: Callable[..., Any], params: Any, x: Any, y: Any
) -> dict[str, float]:
    """2-norms over all entries: the bound of B8, the error it bounds, and that to the gradient.

    The references rest at 1e-9 in float64.
    """
    import numpy as np

    from unified.codegen import emit
    from unified.learning import Implicit

    def norm(a: dict[str, Any], b: dict[str, Any] | None = None) -> float:
        parts = [a[k] - (0 if b is None else b[k]) for k in a]
        return float(np.sqrt(sum(float(np.sum(np.square(p))) for p in parts)))

    double = emit(program.model, program.cost_model)
    exact = {k: np.asarray(v, dtype=float) for k, v in params.items()}
    found = estimator(tol=TOL)(program, params, x, y)
    settled = estimator(tol=1e-9)(double, exact, x, y).grad
    reference = Implicit(tol=1e-9)(double, exact, x, y).grad
    return {
        "error_bound": found.error_bound, "unsettled": norm(found.grad, settled),
        "to_implicit": norm(found.grad, reference), "size": norm(reference),
    }  # fmt: skip
