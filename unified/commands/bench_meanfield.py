"""The bars on wide nets: the chunked force against a plain one, its memory, time linear in N.

The plain force is what one writes first: a neuron, vmapped over neurons and samples, and autodiff;
JAX spreads it over the cores by itself. Ours has a device, hence a lane of chunks, for each core.
Run alone, on two cores: python -m unified.commands.bench_meanfield
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

N, M, D = 131072, 512, 16
FASTER, SMALLER, FLOOR = 3.0, 100.0, 2.0
LINE_M, LINE_D, LINE = 32, 2, (10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7)
OFF_LINE = 0.05


def wide_forces() -> list[dict[str, Any]]:
    """The force of 131072 tanh neurons on 512 samples of 16 inputs, float32, and N up to 10⁷.

    The force is timed on two cores, in a process of its own, where there are two.
    """
    seen = _alone() or {"cores": 1, **_measure_force()}
    return [*_force_bars(seen), _line_bar(_measure_line())]


def _force_bars(seen: dict[str, Any]) -> list[dict[str, Any]]:
    from unified.commands.bench import bar

    seconds, cores = seen["floor_seconds"], f"{seen['cores']} cores"
    least = seconds / seen["cores"] / seen["plain_seconds"]
    return [
        bar(f"meanfield force, {cores}", "chunked / plain vmap and autodiff, seconds; the floor "
            f"below is at {least:.2f}", seen["ratio"], 1 / FASTER, least_ratio=least, **seen),
        bar(f"meanfield memory, {cores}", "chunked / plain, bytes of temporaries",
            seen["chunked_bytes"] / seen["plain_bytes"], 1 / SMALLER),
        bar(f"meanfield roofline, {cores}", f"processor seconds / {seconds:.3g}, the floor: 6NMd "
            f"FLOP at {seen['peak_gflops']:.0f} GFLOP/s, 2NM tanh at {seen['peak_gtanh']:.2g} G/s",
            seen["processor_seconds"] / seconds, FLOOR),
    ]  # fmt: skip


def _line_bar(line: dict[str, Any]) -> dict[str, Any]:
    from unified.commands.bench import bar

    off = abs(line["exponent"] - 1)
    return bar("meanfield linear in N", f"|exponent of N - 1|, N up to {LINE[-1]:.0e}", off,
               OFF_LINE, **line)  # fmt: skip


def plain_force(x: Any, y: Any) -> Callable[[Any], Any]:
    """−N∇ of the loss as users would write it: one neuron, two vmaps, autodiff."""
    import jax
    import jax.numpy as jnp

    def neuron(theta: Any, sample: Any) -> Any:
        return theta[0] * jnp.tanh(theta[1:] @ sample)

    def net(thetas: Any, sample: Any) -> Any:
        return jnp.mean(jax.vmap(neuron, (0, None))(thetas, sample))

    def loss(thetas: Any) -> Any:
        return 0.5 * jnp.mean((y - jax.vmap(net, (None, 0))(thetas, x)) ** 2)

    return lambda thetas: -len(thetas) * jax.grad(loss)(thetas)


def temporaries(compiled: Any) -> int:
    """Bytes of temporaries of a compiled function, as its compiler counts them."""
    return int(compiled.memory_analysis().temp_size_in_bytes)


def _data(m: int, d: int) -> tuple[Any, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.standard_normal((m, d)) / d**0.5, rng.standard_normal(m)


def _measure_force() -> dict[str, Any]:
    """Both forces on the same particles, timed in turn; the distance to the roofline."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.sharding import NamedSharding, PartitionSpec

    from unified.commands.timing import timed
    from unified.meanfield.networks import TwoLayer
    from unified.meanfield.risk import Risk

    x, y = _data(M, D)
    net = TwoLayer(D, "tanh")
    mesh = jax.make_mesh((jax.device_count(),), ("neurons",))
    risk = Risk(net, (x, y), mesh=mesh)
    theta = jnp.asarray(net.draw(N, seed=0), jnp.float32)
    split = NamedSharding(mesh, PartitionSpec("neurons"))
    placed = jax.device_put((theta, jnp.full((N,), 1 / N, jnp.float32)), split)
    plain = jax.jit(plain_force(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)))
    ours = jax.jit(risk.velocity).lower(*placed).compile()
    theirs = plain.lower(theta).compile()
    a, b = np.asarray(ours(*placed)), np.asarray(theirs(theta))
    cpu: dict[str, list[float]] = {"chunked": [], "plain": []}

    def counted(name: str, call: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> None:
            begun = time.process_time()
            jax.block_until_ready(call())
            cpu[name].append(time.process_time() - begun)

        return run

    # Three in a row, as a flow takes them: else giving back the half gigabyte of the plain force,
    # which goes on after its answer is there, would be counted against whatever runs next.
    times = timed({"chunked": counted("chunked", lambda: ours(*placed)),
                   "plain": counted("plain", lambda: theirs(theta))},
                  repeats=20, inner=3)  # fmt: skip
    floor = _floor()
    return {
        "ratio": times.ratio("chunked", "plain"), "seconds": times.median("chunked"),
        "plain_seconds": times.median("plain"),
        "processor_seconds": float(np.median(cpu["chunked"])),
        "processor_time_ratio": float(np.median(cpu["chunked"]) / np.median(cpu["plain"])),
        "chunked_bytes": temporaries(ours), "plain_bytes": temporaries(theirs),
        "difference": float(np.max(np.abs(a - b)) / np.max(np.abs(b))),
        **floor,
        "card": str(jax.devices()[0].device_kind),
    }  # fmt: skip


def _floor() -> dict[str, Any]:
    """The roofline: 6NMd FLOP (two passes and one recomputed) at the rate of a large matrix
    product, and 2NM activations at the rate of tanh on an array in cache; all in processor time,
    which other processes disturb less."""
    import jax
    import jax.numpy as jnp

    def best(f: Callable[[Any], Any], v: Any, calls: int) -> float:
        run = jax.jit(f)
        jax.block_until_ready(run(v))
        found = []
        for _ in range(10):
            begun = time.process_time()
            for _ in range(calls):
                last = run(v)
            jax.block_until_ready(last)
            found.append((time.process_time() - begun) / calls)
        return min(found)

    big, block = jnp.ones((1024, 1024), jnp.float32), jnp.ones((512, 512), jnp.float32)
    flops = 2 * 1024**3 / best(lambda v: v @ v, big, 3)
    activations = block.size / best(jnp.tanh, block, 30)
    seconds = 6 * N * M * D / flops + 2 * N * M / activations
    return {"floor_seconds": seconds, "peak_gflops": flops / 1e9,
            "peak_gtanh": activations / 1e9}  # fmt: skip


def _measure_line() -> dict[str, Any]:
    """Processor time of one force at growing N, the least of several rounds taken in turn."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from unified.meanfield.networks import TwoLayer
    from unified.meanfield.risk import Risk

    x, y = _data(LINE_M, LINE_D)
    net = TwoLayer(LINE_D, "tanh")
    risk = Risk(net, (x, y))
    force = jax.jit(risk.velocity)
    whole = jnp.asarray(net.draw(LINE[-1], seed=0), jnp.float32)
    best = dict.fromkeys(LINE, float("inf"))
    for turn in range(4):
        for n in LINE:
            theta, weight = whole[:n], jnp.full((n,), 1 / n, jnp.float32)
            for _ in range(1 if n > 10**6 else 3):
                jax.block_until_ready((theta, weight))
                begun = time.process_time()
                jax.block_until_ready(force(theta, weight))
                if turn:  # the first round compiles
                    best[n] = min(best[n], time.process_time() - begun)
    exponent = float(np.polyfit(np.log(list(best)), np.log(list(best.values())), 1)[0])
    return {"exponent": exponent, "neurons": list(best), "seconds": list(best.values()),
            "samples": LINE_M}  # fmt: skip


def _alone() -> dict[str, Any] | None:
    """The force measured in a process of its own on two cores; None on a machine with one."""
    if (os.cpu_count() or 1) < 2:
        return None
    flags = [f for f in os.environ.get("XLA_FLAGS", "").split() if "thread" not in f]
    there = {**os.environ, "XLA_FLAGS": " ".join(flags)}
    done = subprocess.run([sys.executable, "-m", __spec__.name], env=there, check=True,
                          capture_output=True, text=True)  # fmt: skip
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(2))
    import jax

    jax.config.update("jax_num_cpu_devices", 2)
    print(json.dumps({"cores": 2, **_measure_force()}))
