"""The bars on predictive-coding inference: Gauss–Newton against backprop and an ODE solver."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

from unified.base.errors import bad_input
from unified.commands.bench_gradient import enlarged
from unified.commands.timing import timed

SIZES = [784, 512, 512, 10]
BATCH = 64
EPOCHS = 40
LEAST = 1e-12  # a residual nobody reaches in float32: only the step limit stops
REACH = ((0.999, 4.5), (0.9999, 8.0))  # drop, times one forward and one backward pass
WORST = 0.99  # least drop of any sample
FASTER = {"random": 8.0, "pc-trained": 50.0}  # than the ODE solver to the same drop
RTOLS = (1e-3, 3e-4, 1e-4, 1e-5, 1e-6)


def inference_ratios() -> list[dict[str, Any]]:
    """PC inference 784-512-512-10 tanh, output clamped, float32, from the forward pass.

    Raises: InputError if diffrax, the ODE solver it is timed against, is not installed.
    """
    if importlib.util.find_spec("diffrax") is None:
        raise bad_input("bench inference", "diffrax, to be timed against", "none installed",
                        "run pip install 'unified[bench]'")  # fmt: skip
    from unified.codegen import emit
    from unified.dynamics import GaussNewton
    from unified.energies import costs, predictive
    from unified.learning import PredictiveCoding, fit

    net = predictive(SIZES)
    program = emit(net, costs.squared(), dtype="float32")
    exact = emit(net, costs.squared(), dtype="float64").clamped
    x, y = enlarged()
    coding = PredictiveCoding(method=GaussNewton(), tol=1e-4, certify=False)
    weights = {
        "random": program.init(0),
        "backprop-trained": _backprop(program.init(0), x, y),
        "pc-trained": fit(program, coding, x, y, key=0, epochs=EPOCHS).params,
    }
    found = []
    for name, params in weights.items():
        found += _measure(program, exact, name, params, x, y)
    return found


def _forward(params: Any, x: Any) -> Any:
    """The plain net, written by hand."""
    import jax.numpy as jnp

    depth = len(SIZES) - 1
    for k in range(1, depth + 1):
        x = x @ params[f"W{k}"].T + params[f"b{k}"]
        x = jnp.tanh(x) if k < depth else x
    return x


def _loss(params: Any, x: Any, y: Any) -> Any:
    import jax.numpy as jnp

    return 0.5 * jnp.mean(jnp.sum((_forward(params, x) - y) ** 2, axis=-1))


def _backprop(params: Any, x: Any, y: Any) -> Any:
    """Weights after some epochs of backprop with Adam."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    adam = optax.adam(1e-3)

    @jax.jit
    def update(theta: Any, memory: Any, rows: Any) -> Any:
        grad = jax.grad(_loss)(theta, jnp.asarray(x)[rows], jnp.asarray(y)[rows])
        change, memory = adam.update(grad, memory)
        return optax.apply_updates(theta, change), memory

    theta = {k: jnp.asarray(v) for k, v in params.items()}
    memory = adam.init(theta)
    rng = np.random.default_rng(0)
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        for k in range(len(x) // BATCH):
            theta, memory = update(theta, memory, order[k * BATCH : (k + 1) * BATCH])
    return {k: np.asarray(v) for k, v in theta.items()}


class _Drop:
    """The fraction of the attainable energy drop a state has made, in float64, per sample.

    Equation: (F_start − F)/(F_start − F_min), F_min at a residual ≤ 1e-10.
    """

    def __init__(self, exact: Any, params: Any, x: Any, y: Any) -> None:
        from unified.dynamics import GaussNewton, Phase, relax
        from unified.dynamics.solve import start_state

        self.exact, self.params = exact, {k: v.astype("float64") for k, v in params.items()}
        self.phase = Phase.free({"x": x.astype("float64"), "y": y.astype("float64")})
        rest = relax(exact, self.params, self.phase, GaussNewton(), 1e-10, certify=False)
        self.least = rest.energy
        with exact.precision:
            start = start_state(exact, {**self.params, **self.phase.x, "beta": _zero("float64")})
        self.first = self._energy(start)

    def __call__(self, state: Any) -> Any:
        """Per sample, from a state with phase and batch axes."""
        return (self.first - self._energy(state)) / (self.first - self.least)

    def _energy(self, state: Any) -> Any:
        import numpy as np

        at = {k: np.asarray(v, "float64")[0] for k, v in state.items()}
        return self.exact.energy(at, self.params, self.phase)


def _zero(dtype: str) -> Any:
    import jax.numpy as jnp

    return jnp.zeros((1,), dtype)


def _solver(program: Any, steps: int, tol: float) -> Callable[[Any], Any]:
    """The library's own relaxation from the forward pass, compiled."""
    from unified.dynamics import GaussNewton
    from unified.dynamics.solve import relax_arrays

    method = GaussNewton(max_steps=steps)
    run: Callable[[Any], Any] = program.jit(
        ("bench", steps, tol),
        lambda v: relax_arrays(program, v, None, method, tol),
    )
    return run


def _values(params: Any, x: Any, y: Any) -> Any:
    import jax.numpy as jnp

    return {k: jnp.asarray(v) for k, v in {**params, "x": x, "y": y}.items()} | {
        "beta": _zero("float32")
    }


def _measure(program: Any, exact: Any, name: str, params: Any, x: Any, y: Any) -> list[Any]:
    """The bars for one set of weights, timed in turn."""
    import jax
    import numpy as np

    from unified.commands.bench import bar

    clamped = program.clamped
    values = _values(params, x[:BATCH], y[:BATCH])
    drop = _Drop(exact, params, x[:BATCH], y[:BATCH])
    theta = {k: values[k] for k in params}
    floor = jax.jit(jax.value_and_grad(_loss))
    runs: dict[str, Callable[[], Any]] = {"floor": lambda: floor(theta, values["x"], values["y"])}
    fractions = {}
    for steps in (1, 2, 3):
        run = partial(_solver(clamped, steps, LEAST), values)
        fractions[steps] = drop(run().state)
        runs[f"{steps} steps"] = run
    full = _solver(clamped, 60, 1e-5)
    residual = float(np.max(np.asarray(full(values).residual)))
    runs["rest"] = lambda: full(values)
    one = fractions[1]
    flows = _Flows(clamped, values, drop)
    runs["ode"] = flows.shortest("ode", REACH[0][0], WORST)
    runs["ode, same drop"] = flows.shortest("ode, same drop", one.mean(), one.min())
    times = timed(runs, repeats=20)
    found = []
    for goal, limit in REACH:
        enough = [k for k, f in fractions.items() if f.mean() >= goal and f.min() >= WORST]
        steps = enough[0] if enough else 3
        f = fractions[steps]
        ratio = times.ratio(f"{steps} steps", "floor") if enough else float("inf")
        found.append(
            bar(f"inference {name} {goal}", "time to this drop / forward + backward", ratio, limit,
                steps=steps, mean_drop=float(f.mean()), worst_drop=float(f.min()),
                floor_seconds=times.median("floor"))
        )  # fmt: skip
    found.append(
        bar(f"inference {name} residual", "force residual at rest", residual, 1e-5,
            ratio_to_floor=times.ratio("rest", "floor"), drop=float(drop(full(values).state).min()))
    )  # fmt: skip
    found.append(_batches(clamped, exact, name, params, x, y))
    found.append(
        bar(f"inference {name} / ODE", "one Gauss-Newton step / diffrax Heun to the same drop",
            times.ratio("1 steps", "ode, same drop"), 1 / FASTER.get(name, 1.0),
            one_step_drop=(float(one.mean()), float(one.min())),
            ode_to_floor=times.ratio("ode, same drop", "floor"),
            ode_to_floor_at_first_goal=times.ratio("ode", "floor"), solves=flows.how)
    )  # fmt: skip
    return found


def _batches(clamped: Any, exact: Any, name: str, params: Any, x: Any, y: Any) -> dict[str, Any]:
    """How much the drop after one step depends on the batch a sample is in."""
    from unified.commands.bench import bar

    run = _solver(clamped, 1, LEAST)
    drops = {}
    for n in (1, 8, 64, 512):
        found = _Drop(exact, params, x[:n], y[:n])(run(_values(params, x[:n], y[:n])).state)
        drops[n] = (float(found[0]), float(found.mean()), float(found.min()))
    spread = max(max(d[k] for d in drops.values()) - min(d[k] for d in drops.values())
                 for k in (0, 1))  # fmt: skip
    return bar(f"inference {name} batch", "drop over batches of 1, 8, 64, 512: largest difference",
               spread, 1e-3, mean_drops={n: d[1] for n, d in drops.items()},
               worst_drops={n: d[2] for n, d in drops.items()})  # fmt: skip


class _Flows:
    """Solves of the gradient flow that make a given drop soonest: diffrax Heun, PID step control.

    The whole batch is one system, as in public libraries, on the same generated force with
    everything fixed hoisted.  For every tolerance (relative = absolute) the horizon is multiplied
    by four until the drop is made, then cut to the first of 64 equal parts at which it is; the
    solve of fewest steps over all tolerances is the one to be timed.
    """

    def __init__(self, clamped: Any, values: Any, drop: _Drop) -> None:
        import jax

        self.clamped, self.values, self.drop = clamped, values, drop
        self.run = jax.jit(self._solve)
        self.how: dict[str, Any] = {}
        self._paths: dict[tuple[float, float], list[Any]] = {}

    def _solve(self, v: Any, times: Any, rtol: Any) -> Any:
        import diffrax

        from unified.dynamics.solve import start_state
        from unified.dynamics.system import System

        system = System(self.clamped, v)

        def force(t: Any, z: Any, _: Any) -> Any:
            return {k: -g for k, g in system.gradient(z).items()}

        return diffrax.diffeqsolve(
            diffrax.ODETerm(force), diffrax.Heun(), 0.0, times[-1], None,
            start_state(self.clamped, v), saveat=diffrax.SaveAt(ts=times), max_steps=None,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=rtol), throw=False,
        )  # fmt: skip

    def _path(self, horizon: float, rtol: float) -> list[Any]:
        """The drops at the 64 parts of a horizon."""
        import jax.numpy as jnp

        if (horizon, rtol) not in self._paths:
            found = self.run(self.values, horizon * jnp.arange(1, 65) / 64, rtol).ys
            self._paths[horizon, rtol] = [
                self.drop({n: z[k] for n, z in found.items()}) for k in range(64)
            ]
        return self._paths[horizon, rtol]

    def shortest(self, label: str, mean: float, worst: float) -> Callable[[], Any]:
        """The cheapest solve that makes this mean and worst drop, ready to be timed."""
        import jax.numpy as jnp

        best: tuple[int, float, float] | None = None
        for rtol in RTOLS:
            for horizon in (8.0, 32.0, 128.0):
                made = self._path(horizon, rtol)
                parts = [k for k, f in enumerate(made, 1) if f.mean() >= mean and f.min() >= worst]
                if parts:
                    end = horizon * parts[0] / 64
                    stats = self.run(self.values, jnp.full((1,), end), rtol).stats
                    steps = int(stats["num_steps"])
                    best = min(best or (steps, end, rtol), (steps, end, rtol))
                    break
        if best is None:
            raise bad_input("bench inference", "an ODE solve that makes the drop", "none",
                            "allow smaller RTOLS")  # fmt: skip
        self.how[label] = {"steps": best[0], "horizon": best[1], "rtol": best[2]}
        at = jnp.full((1,), best[1])
        return lambda: self.run(self.values, at, best[2]).ys
