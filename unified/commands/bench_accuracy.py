"""Bars on accuracy in float64, against the implicit gradient, on real images."""

from __future__ import annotations

from typing import Any


def accuracies() -> list[dict[str, Any]]:
    """Centered and holomorphic errors, and the slopes of log error against log β."""
    from unified import data
    from unified.codegen import emit
    from unified.commands.bench import bar
    from unified.energies import costs, hopfield
    from unified.learning import (
        Centered,
        Holomorphic,
        Implicit,
        OneSided,
        measure_order,
        relative_error,
    )  # fmt: skip

    d = data.load("digits")
    x, y = d.x_train[:16], d.y_train[:16]
    program = emit(hopfield([64, 128, 10]), costs.squared())
    params = program.init(0)
    exact = Implicit()(program, params, x, y).grad
    centered = Centered(1e-3)(program, params, x, y).grad
    circle = Holomorphic(0.04, 8)(program, params, x, y).grad
    found = [
        bar("centered 1e-3", "relative error to Implicit", relative_error(centered, exact), 1e-6),
        bar("holomorphic N=8", "relative error to Implicit", relative_error(circle, exact), 1e-9),
    ]
    families: list[tuple[Any, list[float], str]] = [
        (OneSided, [1e-3, 2e-3, 4e-3], "one-sided"),
        (Centered, [3e-3, 1e-2, 3e-2], "centered"),
        (lambda r: Holomorphic(r, 4), [0.05, 0.1, 0.2], "holomorphic N=4"),
        (lambda r: Holomorphic(r, 8), [0.15, 0.2, 0.25, 0.3], "holomorphic N=8"),
    ]
    for family, betas, name in families:
        order = measure_order(family, betas, exact, program, params, x, y)
        gap = abs(order.slope - float(order.declared or 0))
        found.append(
            bar(f"slope {name}", "|slope - declared order|", gap, 0.1, slope=order.slope,
                declared=order.declared)
        )  # fmt: skip
    return found
