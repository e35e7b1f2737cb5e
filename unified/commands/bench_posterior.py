"""The bars on the bridge to PyMC: the same law, its mode and its draws, by two routes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

N, M = 20, 10
WIDE = 1000
DEPTH, WIDTH = 8, 64
BETA, HEAT = 0.7, 0.5
CHAINS, DRAWS, TUNE = 4, 1000, 500
FASTER, CLOSER, MORE = 20.0, 1e4, 100.0


def linear_gaussian_case(n: int, m: int, seed: int) -> tuple[Any, ...]:
    """(E, C, params, x, y, closed form) of a random linear-Gaussian problem, by hand.

    Equation: mean (A+β)⁻¹(b + Ux + βy), covariance T(A+β)⁻¹.
    """
    import numpy as np

    from unified.energies import costs, linear_gaussian

    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n)) / np.sqrt(n)
    a = root @ root.T + 0.1 * np.eye(n)
    params = {"A": a, "b": rng.standard_normal(n), "U": rng.standard_normal((n, m))}
    x, y = rng.standard_normal(m), rng.standard_normal(n)
    h = a + BETA * np.eye(n)
    mean = np.linalg.solve(h, params["b"] + params["U"] @ x + BETA * y)
    mean = mean + np.linalg.solve(h, params["b"] + params["U"] @ x + BETA * y - h @ mean)
    return linear_gaussian(n, m), costs.squared(), params, x, y, (mean, HEAT * np.linalg.inv(h))


def posterior_bars() -> list[dict[str, Any]]:
    """Linear-Gaussian agreement, the mode of 1000 units, and draws of a deep linear chain."""
    return [*_linear_gaussian(), *_mode(), *_chain()]


def _linear_gaussian() -> list[dict[str, Any]]:
    """Relaxation against the closed form, and PyMC's draws by the protocol."""
    import numpy as np

    from unified.commands.bench import bar
    from unified.inference import compare_posterior, map_estimate, posterior

    *given, (mean, cov) = linear_gaussian_case(N, M, 0)
    settings: dict[str, Any] = {"beta": BETA, "temperature": HEAT}
    rest = map_estimate(*given, **settings)
    error = float(np.max(np.abs(rest.state["s"] - mean)))
    draws = posterior(*given, **settings, key=0, draws=2000)
    found = compare_posterior(*given, **settings, draws=draws, reference=(mean, cov), family=1e-3)
    return [
        bar("posterior relaxation error", f"relaxation - closed form, {N} units", error, 1e-12),
        bar("posterior protocol", "PyMC's draws against the closed form: tests rejected at 1e-3",
            float(not found.agrees), 0, verdict=found.verdict, reason=found.reason,
            method=draws.attrs["method"], ess=float(np.min(found.tests.ess)),
            shift=float(np.max(np.abs(found.tests.shift))),
            scale=float(np.max(np.abs(found.tests.scale - 1)))),
    ]  # fmt: skip


def _mode() -> list[dict[str, Any]]:
    """The mode of 1000 units: relaxation against `pm.find_MAP` and its compilation.

    Ours has run once before. The minimum is certified by its factorisation; the time with λ_min,
    and that of our own first call, are told beside it. PyTensor keeps compiled code on disk: the
    bar is on a first call, in a process whose store is empty; that with a full one is told too.
    """
    import numpy as np

    from unified.commands.bench import bar
    from unified.inference import find_map_pymc, map_estimate

    *given, (mean, _) = linear_gaussian_case(WIDE, M, 1)
    settings: dict[str, Any] = {"beta": BETA, "temperature": HEAT}
    cold = _first_find_map()
    loose, warm = find_map_once()
    first = _spent(lambda: map_estimate(*given, **settings, certify=False))[1]
    runs = [_spent(lambda: map_estimate(*given, **settings, certify=False)) for _ in range(9)]
    ours, again = runs[0][0], statistics.median(seconds for _, seconds in runs)
    map_estimate(*given, **settings)
    certified = _spent(lambda: map_estimate(*given, **settings))[1]
    tight = find_map_pymc(*given, **settings, throw=False)
    error, rough, fine = (float(np.max(np.abs(v["s"] - mean)))
                          for v in (ours.state, loose, tight.state))  # fmt: skip
    return [
        bar("posterior mode time", f"relaxation / find_MAP with its compile, {WIDE} units",
            again / cold, 1 / FASTER, seconds=again, our_first_call=first,
            with_lambda_min=certified, find_map_seconds=cold, find_map_from_disk=warm,
            ratio_from_disk=again / warm),
        bar("posterior mode error", "error of relaxation / error of find_MAP at tight tolerance",
            error / fine, 1 / CLOSER, error=error, find_map_tight=fine, find_map_default=rough,
            evaluations=tight.evaluations, find_map=tight.status),
    ]  # fmt: skip


def find_map_once() -> tuple[Any, float]:
    """What `pm.find_MAP` finds in the problem of 1000 units, and its processor seconds."""
    import pymc as pm

    from unified.inference import to_pymc

    *given, _ = linear_gaussian_case(WIDE, M, 1)
    with to_pymc(*given, beta=BETA, temperature=HEAT, form="potential"):
        return _spent(lambda: pm.find_MAP(progressbar=False))


def _first_find_map() -> float:
    """Its seconds in a process that finds no compiled code."""
    code = (
        "from unified.commands.bench_posterior import find_map_once; print(find_map_once()[1])"
    )
    with TemporaryDirectory() as folder:
        env = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={folder}"}
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=env, check=True,
                              capture_output=True, text=True)  # fmt: skip
    return float(done.stdout.split()[-1])


def _chain() -> list[dict[str, Any]]:
    """Effective samples per second of processor time: block factorisation against NUTS.

    The samplers themselves are timed, compiled before, NUTS with its warm-up; the gate, which is
    the same for both, is in the time of `posterior` as a whole, told beside it.
    """
    import numpy as np

    from unified.codegen import emit
    from unified.commands.bench import bar
    from unified.energies import costs, deep_linear
    from unified.inference import compare_posterior, posterior
    from unified.inference.exact_draws import exact_draws
    from unified.inference.nuts import nuts_draws
    from unified.inference.problem import Problem

    energy, cost = deep_linear([WIDTH] * (DEPTH + 1)), costs.squared()
    rng = np.random.default_rng(2)
    given = (energy, cost, emit(energy, cost).init(0), *rng.standard_normal((2, WIDTH)))
    settings: dict[str, Any] = {"beta": BETA, "temperature": HEAT}
    problem = Problem.of(*given, **settings)
    samplers: dict[str, Callable[[], Any]] = {
        "exact": lambda: exact_draws(problem, CHAINS, DRAWS, 1),
        "nuts": lambda: nuts_draws(problem, CHAINS, DRAWS, TUNE, 1, None),
    }
    rates, whole, laws = {}, {}, {}
    for method, run in samplers.items():
        def judged(tune: int, *, method: str = method) -> Any:
            return posterior(*given, **settings, key=1, method=method, draws=DRAWS, tune=tune,
                             chains=CHAINS, throw=False)  # fmt: skip

        judged(8)  # compilation is not counted, for either
        data, total = _spent(partial(judged, TUNE))
        laws[method] = compare_posterior(*given, **settings, draws=data)
        least = float(np.min(laws[method].tests.ess))
        rates[method] = least / min(_spent(run)[1] for _ in range(3))
        whole[method] = least / total
    return [
        bar("posterior chain rate", f"effective draws/s of NUTS / block factors, {DEPTH}x{WIDTH}",
            rates["nuts"] / rates["exact"], 1 / MORE, rates=rates, rates_with_gate=whole),
        *(bar(f"posterior chain law {k}", "the protocol: not 'agrees'", float(not v.agrees), 0,
              verdict=v.verdict, reason=v.reason, ess=float(np.min(v.tests.ess)))
          for k, v in laws.items()),
    ]  # fmt: skip


def _spent(run: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the processor seconds it took: of all threads, and of compilers started."""

    def now() -> float:
        return time.process_time() + sum(os.times()[2:4])

    begun = now()
    return run(), now() - begun
