"""Oracle: the per-sample expression, written out once per sample."""

import sympy
from hypothesis import HealthCheck, given, settings

import unified as un
from tests.strategies import energies
from tests.symbolic.oracle import EXACT, distance, flat, written
from unified.symbolic import Expr, Var
from unified.symbolic.instance import symbols_of
from unified.symbolic.transform import batched

K, R = un.axes("batch phase")
n, m = un.axes("n m")
SIZES = {"batch": 2, "phase": 2}


def samples(y: Expr, batch: dict[Var, Var], dims: dict[str, int], axs) -> list[sympy.Expr]:
    """y of every point of the batch axes, by renaming symbols: no tensor code involved."""
    batch = {v: b for v, b in batch.items() if v in y.free}
    used = [a for a in axs if any(a in b.axes for b in batch.values())]
    single = flat(written(y, dims))
    out = []
    for point in [dict(zip(used, p, strict=True)) for p in _points([SIZES[a.name] for a in used])]:
        swap = {}
        for v, b in batch.items():
            lead = tuple(point[a] for a in b.axes[: b.ndim - v.ndim])
            need = {a.name: {**dims, **SIZES}[a.name] for a in b.axes}
            theirs = symbols_of(b, need)
            ours = symbols_of(v, {k: dims[k] for k in (a.name for a in v.axes)})
            for slot in _points([dims[a.name] for a in v.axes]):
                old = ours[slot] if slot else ours
                swap[old] = theirs[lead + slot] if lead + slot else theirs
        out += [e.xreplace(swap) for e in single]
    return out


def _points(shape: list[int]) -> list[tuple[int, ...]]:
    points: list[tuple[int, ...]] = [()]
    for size in shape:
        points = [(*p, i) for p in points for i in range(size)]
    return points


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(energies(depth=2, largest=2))
def test_batching_is_per_sample_evaluation(made):
    """A batch axis that leaks into a contraction would mix samples: results depend on the batch."""
    energy, dims = made
    data = [*energy.states, *energy.inputs]
    batch = {v: un.var(f"{v.name}B", K, *v.axes) for v in data}
    for y in (energy.expr, *energy.gradient.values(), *energy.rules.values()):
        ours = batched(y, batch, (K,))
        assert distance(
            flat(written(ours, {**dims, **SIZES})), samples(y, batch, dims, (K,))
        ) < EXACT  # fmt: skip


def test_two_batch_axes_shared_by_some():
    """Free and nudged phases share the data but not the states: axes must not be confused."""
    s, x, W = un.var("s", n), un.var("x", m), un.var("W", n, m)
    batch = {s: un.var("sB", K, R, n), x: un.var("xB", K, m)}
    dims = {"n": 2, "m": 2}
    for y in (
        un.tanh(s) * (W @ x) + s, un.logsumexp(W.T @ s), un.softmax(s * s.sq()), W @ x, s.sum() * x,
        un.inv(un.eye(n) + un.outer(s, s)) @ s, un.logdet(un.eye(m) + un.outer(x, x)) * s.sq(),
        un.outer(s, un.tanh(x)), un.ones(n) + s, un.einsum("i,ij->ij", s, un.eye(n)),
    ):  # fmt: skip
        ours = batched(y, batch, (K, R))
        theirs = samples(y, batch, dims, (K, R))
        assert distance(flat(written(ours, {**dims, **SIZES})), theirs) < EXACT, y


def test_what_does_not_vary_is_not_batched():
    """The drive of clamped inputs is computed once per phase only if it keeps no phase axis."""
    s, x, W = un.var("s", n), un.var("x", m), un.var("W", n, m)
    ours = batched(s @ W @ x, {s: un.var("sB", R, n)}, (K, R))
    assert ours.axes == (R,)
    assert batched(W @ x, {s: un.var("sB", R, n)}, (K, R)) is W @ x
