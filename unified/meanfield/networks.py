"""Wide two-layer networks in the mean-field scaling: a neuron is a particle."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.functions import array_functions
from unified.codegen.module import Module
from unified.symbolic.axis import Axis
from unified.symbolic.build import einsum, scalar, var
from unified.symbolic.diff import derivative
from unified.symbolic.latex import latex
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import ScalarFn, X, fn

ACTIVATIONS = {"linear": "identity", "relu": "relu", "tanh": "tanh", "erf": "erf",
               "quadratic": ScalarFn(X**2)}  # fmt: skip
HOMOGENEOUS = ("linear", "relu", "quadratic")  # of degree 2 in the whole particle
BLOCK = 512  # guess at neurons and samples met at once, by which products are ordered


class Neuron(NamedTuple):
    """One neuron, symbolically: what it adds to the output, and its derivatives."""

    output: Expr
    by_a: Expr | None
    by_w: Expr


class TwoLayer:
    """A two-layer network as a functional of the law μ of its neurons.

    Equation: f_μ(x) = α∫a σ(w·x)dμ(a, w), so (α/N)Σ_i a_iσ(w_i·x) with N equal neurons;
    "quadratic": f_μ(x) = α∫(w·x)²dμ(w), without a. Large α is the lazy regime: from a start where
    f vanishes, weights need to move by O(1/α) only.
    Shapes: a particle is (a, w): `outputs` + d numbers (d if quadratic); x (M, d); f (M,), or
    (M, outputs) if `outputs` > 1.
    Raises: InputError for an unknown activation, sizes below 1, or α that is not positive.
    Reference: Mei, Montanari & Nguyen (2018), arXiv:1804.06561; Chizat, Oyallon & Bach (2019),
    arXiv:1812.07956, for α.
    """

    def __init__(
        self, d: int, activation: str = "tanh", alpha: float = 1.0, *, outputs: int = 1
    ) -> None:
        if activation not in ACTIVATIONS:
            raise bad_input("activation", f"one of {', '.join(ACTIVATIONS)}", repr(activation),
                            "choose one")  # fmt: skip
        for name, size in (("d", d), ("outputs", outputs)):
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
                raise bad_input(name, "a whole number of at least 1", size, "use e.g. 2")
        if activation == "quadratic" and outputs > 1:
            raise bad_input("outputs", "1 for a quadratic net, which has no output weights",
                            outputs, "use another activation")  # fmt: skip
        if not (isinstance(alpha, int | float | np.number) and 0 < alpha < np.inf):
            raise bad_input("alpha", "a positive number", alpha, "use 1.0 for mean-field scaling")
        self.d, self.outputs = int(d), int(outputs)
        self.activation, self.alpha = activation, float(alpha)

    @property
    def has_output_weights(self) -> bool:
        """False for the quadratic net, whose neurons all count alike."""
        return self.activation != "quadratic"

    @property
    def head(self) -> int:
        """How many numbers of a particle are output weights; they come first."""
        return self.outputs if self.has_output_weights else 0

    @property
    def dim(self) -> int:
        """The numbers of one particle."""
        return self.head + self.d

    @property
    def is_homogeneous(self) -> bool:
        """True if a neuron is homogeneous of degree 2 in its particle, as conic ones must be."""
        return self.activation in HOMOGENEOUS

    def __repr__(self) -> str:
        more = f", outputs={self.outputs}" if self.outputs > 1 else ""
        return f"TwoLayer(d={self.d}, {self.activation}, alpha={self.alpha:g}{more})"

    # --- derivations ------------------------------------------------------------------------
    @cached_property
    def neuron(self) -> Neuron:
        """a σ(w·x) and its derivatives in a and w, by the array calculus."""
        d = Axis("d")
        a, w, x = scalar("a"), var("w", d), var("x", d)
        hidden = fn(ACTIVATIONS[self.activation])(w @ x)
        if not self.has_output_weights:
            return Neuron(hidden, None, derivative(hidden, w))
        out = a * hidden
        return Neuron(out, derivative(out, a), derivative(out, w))

    @cached_property
    def code(self) -> Module:
        """The generated functions `outputs` and `pull` of a block of neurons."""
        return _code(self.activation, self.outputs > 1)

    @property
    def source(self) -> str:
        """The generated Python source."""
        return self.code.source

    def latex(self) -> str:
        r"""The net, and its neuron with its derivatives, as lines of LaTeX."""
        n = self.neuron
        particle = "(a,w)" if self.has_output_weights else "(w)"
        lines = [rf"f_\mu(x) = \alpha\int \varphi(x;\theta)\,d\mu(\theta),\quad \theta={particle}",
                 rf"\varphi = {latex(n.output)}"]  # fmt: skip
        if n.by_a is not None:
            lines.append(rf"\partial_a\varphi = {latex(n.by_a)}")
        return r" \\ ".join([*lines, rf"\partial_w\varphi = {latex(n.by_w)}"])

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    # --- on blocks of particles, under JAX --------------------------------------------------
    def split(self, theta: Any) -> dict[str, Any]:
        """Output and input weights of particles (N, dim), by the names of the generated code."""
        found = {"W": theta[:, self.head : self.head + self.d]}
        if self.has_output_weights:
            found["a"] = theta[:, : self.head] if self.outputs > 1 else theta[:, 0]
        return found

    def sums(self, theta: Any, weight: Any, x: Any) -> Any:
        """Σ_i w_i φ(x; θ_i) over a block of particles: (M,) or (M, outputs), without α."""
        import jax.numpy as jnp

        parts = self.split(theta)
        if self.has_output_weights:
            a = parts["a"]
            parts["a"] = a * (weight[:, None] if a.ndim == 2 else weight)
        else:
            parts["weight"] = jnp.asarray(weight, theta.dtype)
        return self.code.call("outputs", {**parts, "X": x})["f"]

    def pull(self, theta: Any, x: Any, r: Any, back: Any = None) -> Any:
        """Σ_m r_m·∇φ(x_m; θ_i) per particle, (N, dim); `back` stands for a in the pull on w."""
        import jax.numpy as jnp

        parts = self.split(theta)
        if back is not None:
            parts["a"] = back if self.outputs > 1 else back[:, 0]
        found = self.code.call("pull", {**parts, "X": x, "r": r})
        head = [found["a"].reshape(len(theta), -1)] if self.has_output_weights else []
        return jnp.concatenate([*head, found["W"]], axis=1)

    # --- for users --------------------------------------------------------------------------
    def predict(self, theta: Any, x: Any, weight: Any = None) -> Any:
        """f_μ(x) of particles (N, dim), equal ones unless weighted; NumPy (M,) or (M, outputs).

        Raises: InputError for shapes that do not fit.
        """
        import jax

        theta, x = self.check_particles(theta), np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.d:
            raise bad_input("x", f"shape (M, {self.d})", f"{x.shape}", "one sample per row")
        weight = np.full(len(theta), 1 / len(theta)) if weight is None else np.asarray(weight)
        with jax.enable_x64(theta.dtype == np.float64):
            found = self.sums(theta, weight.astype(theta.dtype), x.astype(theta.dtype))
            return self.alpha * np.asarray(found)

    def check_particles(self, theta: Any, extra: int = 0) -> Any:
        """Particles as an array (N, dim + extra). Raises: InputError for another shape."""
        theta = np.asarray(theta)
        want = self.dim + extra
        if theta.ndim != 2 or theta.shape[1] != want or not len(theta):
            raise bad_input("particles", f"shape (N, {want}), for {self!r}", f"{theta.shape}",
                            "one particle per row: output weights, then input weights")  # fmt: skip
        if theta.dtype.kind != "f":
            theta = theta.astype(np.float64)
        return theta

    def draw(self, n: int, *, seed: int, scale: float = 1.0, paired: bool = False) -> Any:
        """n standard normal particles times `scale`, (n, dim); each n-prefix is the same.

        `paired` gives every second neuron the weights of the one before it and minus its a, so
        that f = 0 at the start at every α.
        Raises: InputError for n below 1, an odd n or no output weights where pairs are asked for.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise bad_input("n", "a whole number of at least 1", n, "use e.g. 100")
        rng = np.random.default_rng(seed)
        if not paired:
            return scale * rng.standard_normal((n, self.dim))
        if n % 2 or not self.has_output_weights:
            raise bad_input("paired", "an even n and a net with output weights", f"n={n}, {self!r}",
                            "use paired=False")  # fmt: skip
        theta = np.repeat(scale * rng.standard_normal((n // 2, self.dim)), 2, axis=0)
        theta[1::2, : self.head] *= -1
        return theta


@cache
def _code(activation: str, many: bool) -> Module:
    """Outputs and vector-Jacobian products of a block of neurons, derived and generated."""
    n, m, d, k = (Axis(name) for name in "nmdk")
    W, x = var("W", n, d), var("X", m, d)
    a = var("a", n, k) if many else var("a", n)
    r = var("r", m, k) if many else var("r", m)
    h = fn(ACTIVATIONS[activation])(W @ x.T)
    sizes = {n: BLOCK, m: BLOCK, d: 16, k: 10}
    if activation == "quadratic":
        weight = var("weight", n)
        pulled = derivative(einsum("m,nm->", r, h), W)
        return array_functions({"outputs": {"f": weight @ h}, "pull": {"W": pulled}},
                               [weight, W, x, r], sizes=sizes)  # fmt: skip
    out = h.T @ a
    paired: Expr = (r * out).sum()
    inputs: list[Var] = [a, W, x, r]
    return array_functions(
        {"outputs": {"f": out}, "pull": {"a": derivative(paired, a), "W": derivative(paired, W)}},
        inputs, sizes=sizes,
    )  # fmt: skip
