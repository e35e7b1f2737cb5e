"""Oracle: the list of operations itself, SymPy's numbers, and closed forms."""

import ast
import inspect
import textwrap

import mpmath
import numpy as np
import pytest
import sympy

import unified as un
from tests.codegen.oracle import eager
from tests.tolerances import TOL
from unified.base.errors import InputError
from unified.base.pymc_versions import interpreted
from unified.codegen.graph import Graph
from unified.codegen.lower import FUNCTIONS
from unified.codegen.module import PRINTERS
from unified.codegen.printer import AbstractPrinter
from unified.symbolic.scalar import NAMED, X, hard_sigmoid, step

n, m = un.axes("n m")
s, t, b, d, c = un.var("s", n), un.var("t", m), un.var("b", n), un.var("d", m), un.scalar("c")
W, V = un.var("W", n, m), un.var("V", n, n)
POS = un.eye(n) + un.outer(s, s)
# One energy per operation that is hard to reach; together they exercise every one.
EXERCISES = [
    0.5 * s.sq() + un.tanh(s) @ W @ t - c * t.sum(),
    un.logdet(POS) + un.logsumexp(b * s) + un.softmax(s) @ s + b @ un.inv(POS) @ s,
    un.einsum("ii->", V @ un.outer(s, b)) + un.einsum("ii,i->", V, s) + s.sq(),
    un.fn(sympy.Lambda(sympy.Symbol("q"), sympy.sqrt(1 + sympy.Symbol("q") ** 2)))(s).sum(),
    s.sum() / n.size + t.sum() * d.sum() + (un.outer(s, t) * W).sum(),
    un.einsum("ij,ik,il->", un.outer(s, t), un.outer(s, t), un.outer(b, t)) + 3 * c * s.sum(),
    un.tanh(un.pool(un.outer(s, t), 2, stride=1)).sum() + s.sq() + t.sq() + c * s.sum(),
]


@pytest.fixture(autouse=True)
def quick():
    """PyTensor without a C compiler: the same graph, run operation by operation."""
    with interpreted():
        yield


def spelled():
    """The operations the printer has a case for."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(AbstractPrinter._spell)))
    cases = [n.pattern for n in ast.walk(tree) if isinstance(n, ast.match_case)]
    return {v.value for p in cases for v in ast.walk(p) if isinstance(v, ast.Constant)}


def energy_of(expr):
    """The energy with everything that is not s or t a parameter."""
    states = [v for v in (s, t) if v in expr.free]
    params = sorted((v for v in expr.free if v not in states), key=lambda v: v.name)
    return un.Energy(expr, states, params, sizes={n: 3, m: 2})


def test_every_operation_is_exercised_and_spelled(monkeypatch):
    """An operation met for the first time in a user's energy would crash there, not here."""
    seen = set()
    put = Graph.put

    def watched(self, op, *args, **kw):
        seen.add(op)
        return put(self, op, *args, **kw)

    monkeypatch.setattr(Graph, "put", watched)
    for expr in EXERCISES:
        un.emit(energy_of(expr), un.costs.squared(), backend="numpy", cache=False)
    assert seen == spelled()


@pytest.mark.parametrize("k", range(len(EXERCISES)))
def test_exercises_agree_between_backends_and_with_differences(k):
    """Spelling an operation is not enough: both spellings must mean the same thing."""
    energy = energy_of(EXERCISES[k])
    one = un.emit(energy, backend="numpy", cache=False)
    two = un.emit(energy, cache=False)
    three = un.emit(energy, backend="pytensor", cache=False)
    eager(two)
    rng = np.random.default_rng(k)
    sizes = {n: 3, m: 2}
    draw = {
        v.name: rng.uniform(-1, 1, tuple(sizes[a] for a in v.axes))
        for v in (*energy.states, *energy.params)
    }
    state = {v.name: draw[v.name] for v in energy.states}
    params = {v.name: draw[v.name] for v in energy.params}
    free = un.Phase.free()
    force = one.force(state, params, free)
    for name in force:
        for other in (two, three):
            np.testing.assert_allclose(
                other.force(state, params, free)[name], force[name], rtol=TOL["float64"].exact,
                atol=TOL["float64"].exact,
            )  # fmt: skip
        h = 1e-6
        for at in np.ndindex(force[name].shape):
            step_ = np.zeros(force[name].shape)
            step_[at] = h
            ends = [
                one.energy(state | {name: state[name] + e * step_}, params, free) for e in (1, -1)
            ]
            assert -(ends[0] - ends[1]) / (2 * h) == pytest.approx(
                force[name][at], rel=TOL["float64"].finite, abs=TOL["float64"].finite
            )


LAWS = {
    **{name: NAMED[name] for name in NAMED if name != "log"},
    "log1p2": sympy.Lambda(sympy.Symbol("q"), sympy.log(2 + sympy.Symbol("q"))),
    "abs": sympy.Abs, "sign": sympy.sign, "sinh": sympy.sinh, "cosh": sympy.cosh, "step": step,
    "clip": hard_sigmoid,
}  # fmt: skip


def test_every_function_is_listed():
    """A function the lowering accepts and no printer spells is a KeyError for the user."""
    spelled_here = {type(un.fn(f).law.expr).__name__ for f in LAWS.values()}
    assert spelled_here | {"exp"} == FUNCTIONS
    for printer in PRINTERS.values():
        assert set(printer.functions) == FUNCTIONS


@pytest.mark.parametrize("backend", PRINTERS)
def test_every_function_has_sympys_value(backend):
    """`atan` spelled as `arcsinh` would pass a test that only differentiates what it printed."""
    at = np.array([-1.75, -0.5, 0.25, 1.5])
    for name, law in LAWS.items():
        rho = un.fn(law)
        energy = un.Energy(rho(s).sum() + s.sq(), [s])
        program = un.emit(energy, backend=backend, cache=False)
        eager(program)
        with mpmath.workdps(30):
            values = [rho.law.expr.subs(X, sympy.Rational(v)) for v in at.tolist()]
            exact = sum(mpmath.mpf(sympy.N(v, 30)) for v in values)
        found = program.energy({"s": at}, {}, un.Phase.free())
        assert float(found) == pytest.approx(float(exact) + at @ at, rel=1e-14), name


@pytest.mark.parametrize("backend", PRINTERS)
def test_sums_over_broadcast_axes_count_every_entry(backend):
    """log-sum-exp of a constant vector once read one entry: its log n was silently missing."""
    expr = s.sq() + un.logsumexp(c * un.ones(n)) + un.logsumexp(s - s) * s.sum()
    expr = expr + un.logdet(un.outer(s, s) * 0 + (2 + c * c) * un.eye(n))
    program = un.emit(un.Energy(expr, [s], [c]), backend=backend, cache=False)
    v = np.array([0.5, -0.25, 1.0])
    found = program.energy({"s": v}, {"c": 0.75}, un.Phase.free())
    exact = v @ v + 0.75 + np.log(3) + np.log(3) * v.sum() + 3 * np.log(2 + 0.75**2)
    assert float(found) == pytest.approx(exact, rel=1e-14)


def function_text(source, name):
    """The text of one generated function."""
    (found,) = [f for f in source.split("\n\n\n") if f.startswith(f"def {name}(")]
    return found


def test_the_clamped_drive_is_outside_the_loop():
    """x @ W1 at every step costs more than all the rest of a relaxation step together."""
    source = un.emit(un.energies.hopfield([64, 128, 10]), un.costs.squared(), cache=False).source
    assert "x @ W1" in function_text(source, "drive")
    for name in ("force", "energy", "grad_s1", "hessian", "hvp"):
        assert "x" not in function_text(source, name).split("(")[1].split(")")[0].split(", ")
        assert "x @ W1" not in function_text(source, name)


def test_names_of_the_library_and_of_arguments_are_kept_apart():
    """A parameter called `jnp` would replace the array library inside the generated code."""
    clash = un.var("jnp", n)
    energy = un.Energy(s.sq() - clash @ un.tanh(s), [s], [clash])
    with pytest.raises(InputError, match="'jnp'"):
        un.emit(energy, cache=False)
    un.emit(energy, backend="numpy", cache=False)


def test_names_like_those_of_temporaries_do_not_clash():
    """A user's `c0`, `t0` or `tanh_s` overwritten by an intermediate value is a silent error."""
    c0, t0, u = un.var("c0", n, n), un.var("t0", n), un.var("tanh_s", n)
    v = un.var("v_s", n)
    expr = 0.5 * s.sq() - un.tanh(s) @ c0 @ un.tanh(s) - t0 @ s - u @ un.tanh(s) - v @ s
    renamed = 0.5 * s.sq() - un.tanh(s) @ V @ un.tanh(s) - b @ s
    odd = un.emit(un.Energy(expr, [s], [c0, t0, u, v]), backend="numpy", cache=False)
    plain = un.emit(un.Energy(renamed, [s], [V, b]), backend="numpy", cache=False)
    rng = np.random.default_rng(0)
    big, at, vec = rng.normal(size=(3, 3)), {"s": rng.normal(size=3)}, rng.normal(size=3)
    free, zero = un.Phase.free(), np.zeros(3)
    odd_params = {"c0": big, "t0": vec, "tanh_s": zero, "v_s": zero}
    one, two = odd.force(at, odd_params, free), plain.force(at, {"V": big, "b": vec}, free)
    np.testing.assert_allclose(one["s"], two["s"], rtol=1e-14)
    along = {"s": np.ones(3)}
    one = odd.hvp(at, odd_params, free, along)
    np.testing.assert_allclose(
        one["s"], plain.hvp(at, {"V": big, "b": vec}, free, along)["s"], rtol=1e-13
    )


@pytest.mark.parametrize("name", ["import", "__import__", "a b", "s;x", "lambda", "é", "_s", ""])
def test_unsafe_identifiers_never_reach_generated_code(name):
    """Generated code is executed: a name is the one place where text of a user enters it."""
    with pytest.raises(InputError, match="name"):
        un.var(name, n)
    with pytest.raises(InputError, match="name"):
        un.axes(name if " " not in name else "a-b")


def test_an_abstract_function_cannot_be_run():
    """A KeyError from deep inside would not tell that rho was never given a formula."""
    with pytest.raises(InputError, match="abstract"):
        un.emit(un.energies.hopfield([2, 2], rho=sympy.Function("rho")), cache=False)
