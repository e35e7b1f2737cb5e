"""Oracle: the same sums whole, in one piece, in double precision, or on one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified.base.errors import InputError
from unified.commands.bench_meanfield import SMALLER, D, M, N, plain_force
from unified.meanfield import ParticleMeasure
from unified.meanfield.memory import Memory, check_fits, memory_needed
from unified.meanfield.networks import TwoLayer
from unified.meanfield.risk import Risk
from unified.meanfield.scale import add_compensated, wide_map, wide_sum

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("chunk", [1, 7, 10, 64, 100, 1000])
def test_chunks_of_any_size_change_nothing(chunk):
    """A last chunk that overlaps must neither count twice nor be left out."""
    rng = np.random.default_rng(0)
    theta, weight = rng.standard_normal((100, 3)), rng.random(100)
    with jax.enable_x64(True):
        total = wide_sum(lambda t, w: w @ t, jnp.asarray(theta), jnp.asarray(weight), chunk)
        mapped = wide_map(lambda t: t * t, jnp.asarray(theta), chunk)
    np.testing.assert_allclose(total, weight @ theta, rtol=1e-12)
    np.testing.assert_array_equal(mapped, theta * theta)


def test_single_precision_sums_are_compensated():
    """At 10⁷ neurons a plain running sum in single precision has lost four digits."""
    terms = np.full(200_000, 0.1, np.float32)
    exact = float(terms.astype(np.float64).sum())

    def step(carry, v):
        total, lost, plain = carry
        return (*add_compensated(total, lost, v), plain + v), None

    zero = jnp.float32(0)
    (total, lost, plain), _ = jax.lax.scan(step, (zero, zero, zero), jnp.asarray(terms))
    assert abs(float(total + lost) - exact) <= 1e-7 * exact
    assert abs(float(plain) - exact) > 1e-4 * exact  # control: the uncompensated sum


def test_single_precision_outputs_of_many_neurons():
    """Outputs cancel: positive and negative neurons; their error must stay at rounding size."""
    net = TwoLayer(3, "tanh")
    rng = np.random.default_rng(0)
    x, theta = rng.standard_normal((4, 3)), net.draw(300_000, seed=1)
    risk = Risk(net, (x, np.zeros(4)), chunk_size=256)
    single = risk.outputs(ParticleMeasure(theta.astype(np.float32)))
    double = risk.outputs(ParticleMeasure(theta.astype(np.float32).astype(np.float64)))
    scale = np.mean(np.abs(theta[:, 0]))  # of one neuron; the mean of all is far smaller
    assert np.max(np.abs(single - double)) < 1e-7 * scale
    assert np.max(np.abs(double)) < 1e-2 * scale


SHARDED = """
import json, sys
import numpy as np, jax
from unified.meanfield import ParticleMeasure, solve_flow
from unified.meanfield.networks import TwoLayer
from unified.meanfield.risk import Risk
mesh = jax.make_mesh((8,), ("neurons",))
rng = np.random.default_rng(0)
x, y = rng.standard_normal((12, 3)), rng.standard_normal(12)
net, out = TwoLayer(3, "tanh"), {}
theta = net.draw(72, seed=1)
for credit in ("bp", "ep"):
    risk = Risk(net, (x, y), credit)
    whole = risk.velocity_at(ParticleMeasure(theta))
    split = risk.on_mesh(mesh).velocity_at(ParticleMeasure(theta), 2 if credit == "ep" else None)
    out[credit] = float(np.max(np.abs(split - whole)))
start = ParticleMeasure(theta[:64])
risk = Risk(net, (x, y))
runs = [solve_flow(risk, start, 0.2, dt=0.05, saves=1, mesh=m, chunk_size=c).measures[-1].x
        for m, c in ((None, None), (mesh, 3))]
out["flow"] = max(float(np.max(np.abs(r - runs[0]))) for r in runs)
out["moved"] = float(np.max(np.abs(runs[0] - theta[:64])))
with jax.enable_x64(True):
    text = jax.jit(risk.on_mesh(mesh).velocity).lower(theta[:64], start.w).compile().as_text()
out["reductions"] = sum("all-reduce(" in line for line in text.splitlines())
out["gathers"] = sum("all-gather(" in line for line in text.splitlines())
out["devices"] = jax.device_count()
print(json.dumps(out))
"""


def test_eight_devices_give_what_one_gives_with_one_all_reduce():
    """A result that depends on the machine is not reproducible; more traffic does not scale."""
    flags = "--xla_force_host_platform_device_count=8"
    there = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", SHARDED], env=there, capture_output=True,
                          text=True, cwd=ROOT)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    out = json.loads(done.stdout.splitlines()[-1])
    assert out["devices"] == 8
    assert max(out[k] for k in ("bp", "ep", "flow")) < 1e-12
    assert out["moved"] > 1e-2
    assert out["reductions"] == 1 and out["gathers"] == 0


def test_temporaries_are_a_hundredth_of_a_plain_force():
    """The headline on memory, from the compiler, nothing run."""
    shape = jax.ShapeDtypeStruct
    net = TwoLayer(D, "tanh")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((M, D)), rng.standard_normal(M)
    theta, weight = shape((N, D + 1), jnp.float32), shape((N,), jnp.float32)
    ours = jax.jit(Risk(net, (x, y)).velocity).lower(theta, weight).compile()
    plain = jax.jit(plain_force(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)))
    theirs = plain.lower(theta).compile().memory_analysis()
    used = ours.memory_analysis()
    assert used.temp_size_in_bytes <= theirs.temp_size_in_bytes / SMALLER
    said = memory_needed(net, N, M)
    assert used.temp_size_in_bytes <= said.temporary <= 4 * used.temp_size_in_bytes
    held = used.argument_size_in_bytes + used.output_size_in_bytes
    assert held <= said.particles + said.data <= 4 * held


def test_a_run_that_cannot_fit_is_refused_with_the_number(monkeypatch):
    """Otherwise the machine swaps, or kills the run, hours later."""
    net = TwoLayer(3)
    needed = memory_needed(net, 10**12, 10)
    assert 5e13 < needed.total < 1e14
    with pytest.raises(InputError, match=r"memory: expected a run within the 1 GB .* 80 TB"):
        check_fits(needed, 10**9, "10^12 particles")
    with pytest.raises(InputError, match="lower chunk_size"):
        check_fits(Memory(10, 10, 10**10), 10**9, "few particles")
    check_fits(needed, None, "what cannot be known is not refused")
    risk = Risk(net, (np.zeros((2, 3)), np.zeros(2)))
    monkeypatch.setattr("unified.meanfield.risk.memory_free", lambda mesh: 100)
    with pytest.raises(InputError, match="memory: expected a run within the 100 B"):
        risk.check(ParticleMeasure(net.draw(10, seed=0)))


@pytest.mark.parametrize("chunk", [0, -3, 2.5, True, "all"])
def test_bad_chunk_sizes_are_one_sentence(chunk):
    """A chunk of zero loops for ever."""
    with pytest.raises(InputError, match="chunk_size: expected a whole number"):
        Risk(TwoLayer(2), (np.zeros((2, 2)), np.zeros(2)), chunk_size=chunk)


def test_a_mesh_that_is_none_is_one_sentence():
    """A list of devices is not a mesh, and JAX's message would not say what is."""
    risk = Risk(TwoLayer(2), (np.zeros((2, 2)), np.zeros(2)), mesh=jax.devices())
    with pytest.raises(InputError, match=r"mesh: expected a jax\.sharding\.Mesh"):
        risk.velocity(np.zeros((3, 3), np.float32), np.ones(3, np.float32))
