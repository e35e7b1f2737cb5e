"""Random energies for hypothesis: smooth, bounded in growth, with every kind of node."""

import sympy
from hypothesis import strategies as st

import unified as un
from unified.symbolic import Axis, Expr
from unified.symbolic.nodes import Einsum, walk

SMOOTH = ("tanh", "sin", "sigmoid", "softplus", "atan", "erf")
_VECTORS = (
    "leaf", "map", "times", "add", "matmul", "scaled", "softmax", "solve", "diagonal",
)  # fmt: skip
_SCALARS = ("sq", "dot", "form", "total", "lse", "logdet", "trace", "map", "product")


class Pool:
    """The variables a random energy is made of."""

    def __init__(self) -> None:
        self.n, self.m = un.axes("n m")
        n, m = self.n, self.m
        self.states = [un.var("s", n), un.var("t", m)]
        self.params = [
            un.var("W", n, m), un.var("V", n, n, symmetric=True), un.var("U", m, m),
            un.var("b", n), un.var("d", m), un.scalar("c"),
        ]  # fmt: skip
        self.inputs = [un.var("x", n)]
        self.all = [*self.states, *self.params, *self.inputs]

    def over(self, *axs: Axis) -> list[Expr]:
        """The variables with these axes."""
        return [v for v in self.all if v.axes == axs]


def _vector(draw, pool: Pool, a: Axis, depth: int) -> Expr:
    if depth == 0:
        return draw(st.sampled_from(pool.over(a)))

    def vector(axis: Axis = a) -> Expr:
        return _vector(draw, pool, axis, depth - 1)

    kind = draw(st.sampled_from(_VECTORS))
    if kind == "map":
        return un.fn(draw(st.sampled_from(SMOOTH)))(vector())
    if kind == "times":
        return vector() * vector()
    if kind == "add":
        return vector() - draw(st.sampled_from([1, 0.5, -2])) * vector()
    if kind == "matmul":
        inner = draw(st.sampled_from([pool.n, pool.m]))
        return _matrix(draw, pool, a, inner, depth - 1) @ vector(inner)
    if kind == "scaled":
        return un.tanh(_scalar(draw, pool, depth - 1)) * vector()
    if kind == "softmax":
        return un.softmax(vector())
    if kind == "solve":
        u = draw(st.sampled_from(pool.over(a)))
        return un.inv(un.eye(a) + un.outer(u, u)) @ vector()
    if kind == "diagonal":
        return un.einsum("ii->i", _matrix(draw, pool, a, a, depth - 1))
    return _vector(draw, pool, a, 0)


def _matrix(draw, pool: Pool, a: Axis, b: Axis, depth: int) -> Expr:
    straight, turned = pool.over(a, b), [v.T for v in pool.over(b, a)]
    leaf = draw(st.sampled_from(straight + turned))
    kind = draw(st.sampled_from(["leaf", "leaf", "outer", "hadamard", "add", "map"]))
    if kind == "leaf" or depth == 0:
        return leaf
    if kind == "map":
        return un.fn(draw(st.sampled_from(SMOOTH)))(leaf)
    other = un.outer(_vector(draw, pool, a, 0), _vector(draw, pool, b, depth - 1))
    if kind == "outer":
        return other
    return leaf * other if kind == "hadamard" else leaf + other


def _scalar(draw, pool: Pool, depth: int) -> Expr:
    if depth == 0:
        return un.scalar("c")
    a = draw(st.sampled_from([pool.n, pool.m]))
    kind = draw(st.sampled_from(_SCALARS))
    if kind == "product":
        return un.tanh(_scalar(draw, pool, depth - 1)) * _scalar(draw, pool, depth - 1)
    if kind == "map":
        return un.fn(draw(st.sampled_from(SMOOTH)))(_scalar(draw, pool, depth - 1))
    if kind == "trace":
        b = draw(st.sampled_from([pool.n, pool.m]))
        one, two = (_matrix(draw, pool, a, b, depth - 1) for _ in range(2))
        return un.einsum("ij,ij->", one, two)
    v = _vector(draw, pool, a, depth - 1)
    if kind == "sq":
        return 0.5 * v.sq()
    if kind == "dot":
        return v @ _vector(draw, pool, a, depth - 1)
    if kind == "form":
        b = draw(st.sampled_from([pool.n, pool.m]))
        return v @ _matrix(draw, pool, a, b, depth - 1) @ _vector(draw, pool, b, depth - 1)
    if kind == "lse":
        return un.logsumexp(v)
    if kind == "logdet":
        u = draw(st.sampled_from(pool.over(a)))
        return un.logdet(un.eye(a) + un.outer(u, u)) * 0.5
    return v.sum()


@st.composite
def energies(draw, depth: int = 3, largest: int = 3):
    """A random energy and the sizes of its axes: (unified.Energy, {"n": 2, "m": 3}).

    Equation: E = ½|s|² + a few random terms; every declared variable occurs in it. All values
    stay moderate for entries in [-1, 1]; inverses and determinants are of 1 + uuᵀ, so safe.
    """
    pool = Pool()
    expr = 0.5 * pool.states[0].sq()
    for _ in range(draw(st.integers(1, 3))):
        expr = expr + draw(st.sampled_from([1, -1, 0.5])) * _scalar(draw, pool, depth)
    if pool.states[0] not in expr.free:  # the terms cancelled the first one
        expr = expr + 2 * pool.states[0].sq()
    dims = {"n": draw(st.integers(1, largest)), "m": draw(st.integers(1, largest))}
    energy = un.Energy(
        expr,
        [v for v in pool.states if v in expr.free],
        [v for v in pool.params if v in expr.free],
        [v for v in pool.inputs if v in expr.free],
    )
    axes = {a.name for v in energy.variables.values() for a in v.axes}
    axes |= {str(s) for s in _sizes(expr)}
    axes |= {a.name for node in walk(expr) for a in node.axes}  # a constant inside a logsumexp
    return energy, {k: v for k, v in dims.items() if k in axes}


def _sizes(expr: Expr) -> set[sympy.Symbol]:
    return set().union(*(n.coef.free_symbols for n in walk(expr) if isinstance(n, Einsum)))
