"""Step 5 of the demo: both nets trained by their own rule and by the exact gradient."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unified.commands.demo_nets import Net
from unified.data import Dataset
from unified.learning import fit
from unified.learning.gradient import AbstractEstimator
from unified.report import Check

RATE = 1e-2  # Adam's, falling to zero along half a cosine
BATCH = 64
QUICK = 256  # training images of a quick run
CEILING = 0.03  # test error on the embedded digits
GAP = 0.005  # from the exact gradient, in test error
FOLDER = "checkpoints"


@dataclass(frozen=True)
class Training:
    """A row per trained net, learning curves (seed, epoch) per rule, mean ± s.d., checks."""

    rows: list[dict[str, Any]]
    curves: dict[str, Any]
    summary: list[dict[str, Any]]
    checks: list[Check]
    seeds: int
    epochs: int


def train(
    nets: Sequence[Net], data: Dataset, out: Path, seeds: int, epochs: int, *, quick: bool
) -> Training:
    """Fit every net with every seed; a run that was killed goes on from its checkpoints."""
    import optax

    images = min(len(data.x_train), QUICK) if quick else len(data.x_train)
    x, y = data.x_train[:images], data.y_train[:images]
    print(f"\n== Training on {images} images, {seeds} seed(s), {epochs} epoch(s), same budget")
    # One optimiser for all: its compiled step then serves every seed of a net.
    steps = epochs * (images // BATCH)
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, steps))
    rows: list[dict[str, Any]] = []
    curves: dict[str, Any] = {}
    for net in nets:
        for rule, estimator in ((net.short, net.rule), ("exact", net.exact)):
            errors = []
            for seed in range(seeds):
                found = _fit(net, rule, estimator, optimizer, x, y, data, out, seed, epochs)
                rows.append({
                    "rule": rule, "energy": net.name, "dataset": data.name, "seed": seed,
                    "epochs": epochs, "test_error": float(found.test_error[-1]),
                    "seconds": found.seconds, "estimator": str(estimator),
                    "loss": float(found.loss[-1]),
                })  # fmt: skip
                errors.append(found.test_error)
            curves[f"{net.name}, {rule}"] = np.stack(errors)
    summary = [_summary(name, curve) for name, curve in curves.items()]
    for line in summary:
        print(f"{line['net']:20} test error {100 * line['mean']:.2f} ± {100 * line['sd']:.2f} %"
              if line["sd"] is not None else
              f"{line['net']:20} test error {100 * line['mean']:.2f} %")  # fmt: skip
    checks = [] if quick else _checks(nets, data, curves)
    return Training(rows, curves, summary, checks, seeds, epochs)


def forget(out: Path) -> None:
    """Drop the checkpoints of a demo that has finished, so that the next one trains afresh."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def _fit(net: Net, rule: str, estimator: AbstractEstimator, optimizer: Any, x: Any, y: Any,
         data: Dataset, out: Path, seed: int, epochs: int) -> Any:  # fmt: skip
    # The name carries what the run depends on: another run's file is never in the way.
    setting = hashlib.sha256(repr((epochs, RATE, BATCH, str(estimator), x.shape)).encode())
    setting.update(np.ascontiguousarray(x).tobytes() + np.ascontiguousarray(y).tobytes())
    name = f"{net.name}-{rule}-seed{seed}-{setting.hexdigest()[:12]}.ckpt"
    return fit(
        net.program, estimator, x, y, key=seed, epochs=epochs, batch_size=BATCH,
        optimizer=optimizer,
        params=net.start(seed, data.x_train), test=(data.x_test, data.y_test),
        checkpoint=out / FOLDER / name, progress=True,
    )  # fmt: skip


def _summary(name: str, curve: Any) -> dict[str, Any]:
    last = curve[:, -1]
    return {"net": name, "mean": float(np.mean(last)), "seeds": len(last),
            "sd": float(np.std(last, ddof=1)) if len(last) > 1 else None}  # fmt: skip


def _checks(nets: Sequence[Net], data: Dataset, curves: dict[str, Any]) -> list[Check]:
    found = []
    for net in nets:
        own = float(np.mean(curves[f"{net.name}, {net.short}"][:, -1]))
        exact = float(np.mean(curves[f"{net.name}, exact"][:, -1]))
        if data.name == "digits":
            found.append(Check.at_most(
                f"training.{net.name}.error", f"{net.title} trained by {net.short}: mean "
                "test error on the digits, as a fraction", own, CEILING,
            ))  # fmt: skip
        found.append(Check.at_most(
            f"training.{net.name}.gap", f"{net.title}: mean test error of {net.short} "
            "and of the exact gradient differ by", abs(own - exact), GAP,
        ))  # fmt: skip
    return found
