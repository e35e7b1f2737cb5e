"""`unified train`: every learning rule against the exact gradient of the same net, same seeds."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from unified.base.errors import bad_input
from unified.base.files import atomic_write_text

NAME = "train"
HELP = "train nets by their own rules and by the exact gradient, and compare test errors"
POINTS = 0.5  # percentage points a rule may differ from the exact gradient
COLUMNS = ("net", "rule", "test error", "exact gradient", "difference", "seconds per fit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified train`."""
    parser.add_argument("--data", default="digits", metavar="NAME|DIR",
                        help="digits, or a folder with the four files of MNIST or Fashion-MNIST")
    parser.add_argument("--nets", metavar="A,B", help="only these nets")
    parser.add_argument("--seeds", type=int, default=5, help="independent seeds (5)")
    parser.add_argument("--epochs", type=int,
                        help="passes over the data (20; 25 from 20 000 images on)")
    parser.add_argument("--out", default="out", metavar="DIR", help="where checkpoints go")
    parser.add_argument("--json", metavar="FILE", help="also write every run to FILE")


def run(args: argparse.Namespace) -> int:
    """Train, print the table, write; exit status 0 only if every rule is close to exact."""
    from unified import data as datasets
    from unified.commands.train_nets import BIG, contests, standardised

    for name in ("seeds", "epochs"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise bad_input(f"--{name}", "at least 1", value, "raise it")
    data = datasets.load(args.data)
    nets = contests(data, args.nets.split(",") if args.nets else None)
    epochs = args.epochs or (25 if len(data.x_train) >= BIG else 20)
    x, x_test = standardised(data)
    rows: list[dict[str, Any]] = []
    for net in nets:
        inputs, tests = net.images(x), net.images(x_test)
        for rule, estimator in {**net.rules, "exact": net.exact}.items():
            for seed in range(args.seeds):
                found, resumed = _fit(net, rule, estimator, (inputs, data.y_train),
                                      (tests, data.y_test), seed, epochs,
                                      Path(args.out))  # fmt: skip
                rows.append({
                    "net": net.name, "rule": rule, "seed": seed, "epochs": epochs,
                    "test_error": float(found.test_error[-1]), "loss": float(found.loss[-1]),
                    "seconds": None if resumed else found.seconds, "estimator": str(estimator),
                })  # fmt: skip
    table = summary(rows)
    _show(table)
    if args.json:
        from unified.report.results import environment

        facts = {"data": Path(data.name).name, "table": table, "rows": rows,
                 "environment": environment()}  # fmt: skip
        atomic_write_text(Path(args.json), json.dumps(facts, indent=1))
    far = [f"{t['rule']} on {t['net']}" for t in table if not t["close"]]
    if far:
        print(f"train: expected every rule within {POINTS} points of the exact gradient, missed by "
              f"{', '.join(far)}.", file=sys.stderr)  # fmt: skip
    return 1 if far else 0


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line per net and rule: mean and s.d. of the test error in percent, and the difference.

    Shapes: the difference pairs the seeds; its half width is that of a 95 % t interval.
    """
    import numpy as np
    from scipy.stats import t as student

    found = []
    for net in dict.fromkeys(r["net"] for r in rows):
        runs = {rule: [r for r in rows if r["net"] == net and r["rule"] == rule]
                for rule in dict.fromkeys(r["rule"] for r in rows if r["net"] == net)}  # fmt: skip
        exact = 100 * np.array([r["test_error"] for r in runs["exact"]])
        for rule, mine in runs.items():
            if rule == "exact":
                continue
            own = 100 * np.array([r["test_error"] for r in mine])
            apart, n = own - exact, len(own)
            half = student.ppf(0.975, n - 1) * np.std(apart, ddof=1) / n**0.5 if n > 1 else None
            found.append({
                "net": net, "rule": rule, "seeds": n, "epochs": mine[0]["epochs"],
                "mean": float(own.mean()), "sd": _spread(own),
                "exact_mean": float(exact.mean()), "exact_sd": _spread(exact),
                "difference": float(apart.mean()), "half_width": None if half is None else
                float(half), "close": bool(abs(apart.mean()) <= POINTS),
                "seconds": _seconds(mine), "exact_seconds": _seconds(runs["exact"]),
            })  # fmt: skip
    return found


def _seconds(runs: list[dict[str, Any]]) -> float | None:
    """The median wall time of the fits made from beginning to end in one process."""
    whole = [r["seconds"] for r in runs if r["seconds"] is not None]
    return float(median(whole)) if whole else None


def _spread(values: Any) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _fit(net: Any, rule: str, estimator: Any, train: tuple[Any, Any], test: tuple[Any, Any],
         seed: int, epochs: int, out: Path) -> tuple[Any, bool]:  # fmt: skip
    """One fit, and whether it went on from its checkpoint, named by what the run depends on."""
    from unified.learning import fit

    steps = epochs * (len(train[0]) // net.batch)
    setting = repr((epochs, net.rate, net.batch, str(estimator), train[0].shape, net.drive))
    mark = hashlib.sha256(setting.encode() + train[0].tobytes()).hexdigest()[:12]
    name = f"{net.name}-{rule.replace(' ', '-')}-seed{seed}-{mark}.ckpt"
    path = out / "train" / name
    resumed = path.exists()
    found = fit(
        net.program, estimator, *train, key=seed, epochs=epochs, batch_size=net.batch,
        optimizer=optimizer(net.rate, steps), params=net.start(seed, train[0]), test=test,
        checkpoint=path, progress=True,
    )  # fmt: skip
    return found, resumed


@lru_cache
def optimizer(rate: float, steps: int) -> Any:
    """Adam, its rate falling to zero along half a cosine; one object, so one compilation."""
    import optax

    return optax.adam(optax.cosine_decay_schedule(rate, steps))


def _show(table: list[dict[str, Any]]) -> None:
    def told(mean: float, sd: float | None) -> str:
        return f"{mean:.2f} %" if sd is None else f"{mean:.2f} ± {sd:.2f} %"

    def took(seconds: float | None) -> str:
        return "resumed" if seconds is None else f"{seconds:.1f}"

    lines = [COLUMNS]
    for t in table:
        gap = f"{t['difference']:+.2f}"
        gap += "" if t["half_width"] is None else f" ± {t['half_width']:.2f}"
        lines.append((t["net"], t["rule"], told(t["mean"], t["sd"]),
                      told(t["exact_mean"], t["exact_sd"]), gap + " points",
                      f"{took(t['seconds'])} (exact {took(t['exact_seconds'])})"))  # fmt: skip
    widths = [max(len(line[k]) for line in lines) for k in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(word.ljust(w) for word, w in zip(line, widths, strict=True)).rstrip())
