"""Fitting a program's parameters with any estimator and any optax optimiser."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.base.files import check_writable_dir
from unified.codegen.program import Program
from unified.dynamics.equilibrium import CODES, failures
from unified.dynamics.phase import Phase
from unified.dynamics.relax import phase_values
from unified.learning import checkpoint as store
from unified.learning.evaluate import error_rate
from unified.learning.gradient import AbstractEstimator, prepare

Arrays = dict[str, Any]


@dataclass(frozen=True)
class FitResult:
    """Fitted parameters and the course of the fit.

    Shapes: `loss` (epochs,) batch-mean cost over each epoch; `test_error` (epochs,) a fraction,
    NaN without test data; `seconds` of wall time in this process.
    """

    params: Arrays
    loss: Any
    test_error: Any
    epochs: int
    seconds: float

    def __repr__(self) -> str:
        end = f"loss {self.loss[-1]:.4g}, test error {self.test_error[-1]:.2%}"
        return f"FitResult({self.epochs} epochs, {end}, {self.seconds:.1f} s)"

    def to_xarray(self) -> Any:
        """The course of the fit as an xarray.Dataset over `epoch`."""
        import xarray as xr

        epoch = np.arange(1, self.epochs + 1)
        return xr.Dataset(
            {"loss": ("epoch", self.loss), "test_error": ("epoch", self.test_error)},
            coords={"epoch": epoch},
        )


def fit(
    program: Program,
    estimator: AbstractEstimator,
    x: Any,
    y: Any,
    *,
    key: int,
    epochs: int,
    batch_size: int = 64,
    optimizer: Any = None,
    params: Mapping[str, Any] | None = None,
    test: tuple[Any, Any] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> FitResult:
    """Minimise the loss with an estimator's gradient.

    Equation: θ ← optimiser(θ, estimate), minibatches drawn without replacement in an order that
    depends on `key` and the epoch only (a last partial batch is left out).
    Shapes: x (samples, n0), y (samples, ny); `optimizer` an optax transformation (Adam, 1e-3).
    `checkpoint` names a file written after every epoch; if it is there, the fit goes on from it
    and ends at bit-identical parameters. `progress` shows a bar.
    Raises: ConvergenceError if a sample of a batch does not come to rest (nothing of that epoch is
    kept); InputError for data that does not fit or a checkpoint of another run.
    Reference: optax documentation for the optimiser interface.
    """
    import jax
    import optax

    prepare(program, estimator)
    if epochs < 1 or batch_size < 1:
        raise bad_input("epochs, batch_size", "at least 1", f"{epochs}, {batch_size}", "raise it")
    if len(x) < batch_size or len(x) != len(y):
        raise bad_input("x, y", f"equally many samples, at least {batch_size}",
                        f"{len(x)} and {len(y)}", "lower batch_size or align them")  # fmt: skip
    begun = time.perf_counter()
    optimizer = optax.adam(1e-3) if optimizer is None else optimizer
    first = program.init(key) if params is None else program.params(params)
    with program.precision:
        data, _ = phase_values(program, first, Phase(x, y))
        names = [v.name for v in program.kernels.data]
        data = {k: data[k] for k in names}
        theta = {k: jax.numpy.asarray(v) for k, v in first.items()}
        carry = (theta, optimizer.init(theta))
        run = store.fingerprint(
            program.module.source, str(estimator), estimator.relaxer_for(program),
            program.dtype.name, key, estimator.tolerance(program), batch_size,
            *_behaviour(optimizer, theta), *first.values(), *data.values(),
        )  # fmt: skip
        data = {k: jax.numpy.asarray(v) for k, v in data.items()}  # once, not at every step
        history = _History([], [])
        path = None if checkpoint is None else Path(checkpoint)
        if path is not None:
            check_writable_dir(path.parent, "checkpoint")
        if path is not None and path.exists():
            carry = history.resume(path, run, carry)
        # Kept with the program: the next seed with this very optimiser need not compile again.
        step = program.jit(("fit", estimator, optimizer), _step(program, estimator, optimizer))
        bar = _Bar(progress, epochs, len(history.loss), str(estimator))
        for epoch in range(len(history.loss), epochs):
            carry, loss = _epoch(step, carry, data, key, epoch, batch_size, estimator, program)
            error = float("nan")
            if test is not None:
                here = {k: np.asarray(v) for k, v in carry[0].items()}
                error = error_rate(
                    program, here, *test, method=estimator.method, metric=estimator.metric
                )
            history.loss.append(loss)
            history.test_error.append(error)
            if path is not None:
                history.save(path, run, carry)
            bar.tell(loss, error)
        bar.close()
    found = {k: np.asarray(v) for k, v in carry[0].items()}
    spent = time.perf_counter() - begun
    return FitResult(
        found, np.array(history.loss), np.array(history.test_error), len(history.loss), spent
    )


def _behaviour(optimizer: Any, theta: Arrays) -> list[Any]:
    """What an optimiser does to a few made-up gradients: its settings cannot be read off it."""
    rng = np.random.default_rng(0)
    sample = {k: np.ravel(v)[:4].astype(v.dtype) for k, v in theta.items()}
    memory = optimizer.init(sample)
    found: list[Any] = []
    for _ in range(3):
        made = {k: rng.standard_normal(v.shape).astype(v.dtype) for k, v in sample.items()}
        change, memory = optimizer.update(made, memory, sample)
        found += [np.asarray(v) for v in change.values()]
    return found


def _step(program: Program, estimator: AbstractEstimator, optimizer: Any) -> Callable[..., Any]:
    """One update as a pure function: gather, estimate, apply."""

    def step(carry: Any, data: Arrays, rows: Any) -> Any:
        import jax.numpy as jnp
        import optax

        theta, memory = carry
        batch = {k: v[rows] for k, v in data.items()}
        raw = estimator.core(program, {**theta, **batch})
        change, memory = optimizer.update(raw.grad, memory, theta)
        sound = [jnp.where(r.code == CODES.index("truncated"), 0, r.code) for r in raw.rests]
        codes = [jnp.max(code, axis=0) for code in sound]
        residual = jnp.max(jnp.stack([jnp.max(r.residual, axis=0) for r in raw.rests]), axis=0)
        worst = jnp.max(jnp.stack(codes), axis=0)
        return (optax.apply_updates(theta, change), memory), raw.loss, worst, residual

    return step


def _epoch(step: Any, carry: Any, data: Arrays, key: int, epoch: int, size: int,
           estimator: AbstractEstimator, program: Program) -> tuple[Any, float]:  # fmt: skip
    """All batches of an epoch; any sample that did not converge ends the fit."""
    count = len(next(iter(data.values())))
    order = np.random.default_rng([key, epoch]).permutation(count)
    losses = []
    for k in range(count // size):
        rows = order[k * size : (k + 1) * size]
        carry, loss, code, residual = step(carry, data, rows)
        if np.any(np.asarray(code) != 0):
            status = np.asarray(CODES)[np.asarray(code)]
            where = f"fit, epoch {epoch + 1}, batch {k + 1}"
            failures(status, np.asarray(residual), estimator.tolerance(program), where)
        losses.append(loss)
    mean = float(np.mean(np.asarray(losses)))
    if not np.isfinite(mean):
        raise ConvergenceError(f"fit: expected a finite loss, got {mean} in epoch {epoch + 1}; "
                               "lower the learning rate.")  # fmt: skip
    return carry, mean


@dataclass
class _History:
    """Loss and test error per epoch, and their way to disk and back."""

    loss: list[float]
    test_error: list[float]

    def save(self, path: Path, run: str, carry: Any) -> None:
        import jax

        facts = {"run": run, "loss": self.loss, "test_error": self.test_error}
        store.save(path, jax.tree.leaves(carry), facts)

    def resume(self, path: Path, run: str, carry: Any) -> Any:
        import jax

        leaves, facts = store.load(path, run)
        self.loss, self.test_error = facts["loss"], facts["test_error"]
        shape = jax.tree.structure(carry)
        return jax.tree.unflatten(shape, [jax.numpy.asarray(v) for v in leaves])


class _Bar:
    """A progress bar over epochs, or silence."""

    def __init__(self, progress: bool, total: int, done: int, name: str):
        self._bar: Any = None
        if progress:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, desc=name, unit="epoch")

    def tell(self, loss: float, error: float) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {loss:.4f}, test error {error:.2%}")
            self._bar.update()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
