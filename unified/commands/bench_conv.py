"""Bars on generated convolutions: against JAX's derivatives of a hand-written conv energy."""

from __future__ import annotations

from typing import Any

from unified.commands.timing import timed

SHAPE, CLASSES = (28, 28, 1), 10


def conv_ratios() -> list[dict[str, Any]]:
    """Generated force and learning rule over JAX's of `lax.conv`, float32, batch 64."""
    return [found for channels in ([16], [16, 32]) for found in _ratios(channels)]


def _ratios(channels: list[int]) -> list[dict[str, Any]]:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    from unified.codegen import emit
    from unified.commands.bench import bar
    from unified.energies import conv_hopfield, costs

    energy = conv_hopfield(SHAPE, channels, classes=CLASSES)
    program = emit(energy, costs.squared(), dtype="float32")
    rng = np.random.default_rng(0)
    names = [s.name for s in energy.states]

    def total(s: Any, p: Any, x: Any, y: Any, beta: Any) -> Any:
        below, found = x, 0.5 * beta * jnp.sum((s[names[-1]] - y) ** 2)
        for k, name in enumerate(names, start=1):
            rate = jnp.tanh(s[name])
            if name != names[-1]:
                drive = lax.conv_general_dilated(
                    below, p[f"K{k}"], (2, 2), [(1, 1), (1, 1)],
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )  # fmt: skip
            else:
                drive = below.reshape(len(below), -1) @ p[f"W{k}"].reshape(-1, CLASSES)
            found += 0.5 * jnp.sum(s[name] ** 2) - jnp.sum(rate * (drive + p[f"b{k}"]))
            below = rate
        return found

    with program.precision:
        params = {k: jnp.asarray(v) for k, v in program.init(0).items()}
        x = jnp.asarray(rng.random((64, *SHAPE)), jnp.float32)
        y = jnp.eye(CLASSES, dtype=jnp.float32)[rng.integers(0, CLASSES, 64)]
        beta = jnp.asarray([0.1], jnp.float32)
        state = {
            v.name: jnp.asarray(rng.normal(size=(1, 64, *(energy.sizes[a] for a in v.axes))),
                                jnp.float32) for v in energy.states
        }  # fmt: skip
        own = {k: v[0] for k, v in state.items()}
        at = {**params, **state, "x": x, "y": y, "beta": beta, "weight": jnp.ones(1, jnp.float32)}
        force, rule = program.function("force"), program.function("contrast")
        # The drive by the clamped input is computed once per phase; it is part of what is timed.
        their_force = jax.jit(jax.grad(total))
        their_rule = jax.jit(jax.grad(lambda p, s: total(s, p, x, y, 0.1) / 64))
        for mine, theirs, sign in (
            (force(at), their_force(own, params, x, y, 0.1), -1.0),
            (rule(at), their_rule(params, own), 1.0),
        ):
            for name, value in theirs.items():
                got = np.asarray(mine[name]).reshape(value.shape)
                np.testing.assert_allclose(sign * got, value, rtol=1e-3, atol=1e-4)
        label = f"conv {'-'.join(map(str, channels))}"
        pairs: dict[str, tuple[Any, Any]] = {
            "gradient": (lambda: force(at), lambda: their_force(own, params, x, y, 0.1)),
            "rule": (lambda: rule(at), lambda: their_rule(params, own)),
        }
        found = []
        for what, (mine, other) in pairs.items():
            times = timed({"ours": mine, "theirs": other}, repeats=30, inner=5)
            found.append(
                bar(f"{what} {label}", "generated / jax.grad of lax.conv",
                    times.ratio("ours", "theirs"), 1.5, seconds=times.median("ours"))
            )  # fmt: skip
    return found
