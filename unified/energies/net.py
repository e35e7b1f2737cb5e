"""The layered net that bilinear energies share: axes, variables, couplings, a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unified.base.errors import bad_input
from unified.energies.initial import Initial
from unified.symbolic.axis import Axis
from unified.symbolic.build import add, var
from unified.symbolic.nodes import Expr, Var

Skips = Sequence[tuple[int, int]]
Law = Callable[[Expr], Expr]


def layer_axes(sizes: Sequence[int], least: int = 2) -> list[Axis]:
    """One axis per layer, numbered up from the input. Raises: InputError for bad sizes."""
    good = len(sizes) >= least and all(isinstance(n, int) and n > 0 for n in sizes)
    if not good:
        raise bad_input("sizes", f"at least {least} positive integers", repr(sizes), "e.g. [4, 3]")
    return [Axis(f"n{k}") for k in range(len(sizes))]


def check_skips(skip: Skips, top: int) -> list[tuple[int, int]]:
    """The skips of a net with layers 0..top, sorted.

    Raises: InputError for a pair that does not lead up over at least one layer, or comes twice.
    """
    found = []
    for pair in skip:
        whole = isinstance(pair, tuple | list) and [type(k) for k in pair] == [int, int]
        if not whole or not 0 <= pair[0] < pair[1] - 1 < top or tuple(pair) in found:
            raise bad_input(
                "skip", f"pairs (from, to), each once, with 0 <= from, from + 2 <= to <= {top}",
                repr(pair), "a skip leads up over at least one layer",
            )  # fmt: skip
        found.append((pair[0], pair[1]))
    return sorted(found)


@dataclass(frozen=True)
class LayerNet:
    """A clamped input x, states s_1..s_L, biases, and a weight for every coupled pair of layers."""

    x: Var
    states: list[Var]
    biases: list[Var]
    weights: Mapping[tuple[int, int], Var]
    sizes: Mapping[Axis, int]

    @property
    def params(self) -> list[Var]:
        """All parameters: weights of neighbours, weights of skips, biases."""
        return [*self.weights.values(), *self.biases]

    @property
    def initial(self) -> dict[str, Initial]:
        """Weights from the input have outputs of unit variance; the rest is left as it is."""
        from_input = (w for (a, _), w in self.weights.items() if a == 0)
        return {w.name: Initial("normal", 1.0, fan=0) for w in from_input}

    def drives(self, rates: Sequence[Expr], layer: int) -> Expr:
        """What a layer receives from below: Σ_k r_k W_{k,l} + b_l."""
        pairs = [(a, w) for (a, b), w in self.weights.items() if b == layer]
        return add(*(rates[a] @ w for a, w in pairs), self.biases[layer - 1])

    def coupling(self, law: Law) -> list[Expr]:
        """The terms −ρ(s_k)ᵀW_{k,l}ρ(s_l) and −b_lᵀρ(s_l)."""
        rates = [self.x, *(law(s) for s in self.states)]
        bilinear = [-(rates[a] @ w @ rates[b]) for (a, b), w in self.weights.items()]
        return [*bilinear, *(-(b @ r) for b, r in zip(self.biases, rates[1:], strict=True))]

    def forward(self, law: Law, settle: Law) -> dict[str, Expr]:
        """A first value for every state: what `settle` makes of its drive from below."""
        rates: list[Expr] = [self.x]
        start = {}
        for k, s in enumerate(self.states, start=1):
            start[s.name] = settle(self.drives(rates, k))
            rates.append(law(start[s.name]))
        return start


def layer_net(sizes: Sequence[int], skip: Skips = ()) -> LayerNet:
    """The net of these sizes: W_l (n_{l-1}, n_l), and W_{k,l} (n_k, n_l) for every skip.

    Raises: InputError for bad sizes or skips.
    """
    axs = layer_axes(sizes)
    top = len(axs) - 1
    weights = {(k - 1, k): var(f"W{k}", axs[k - 1], axs[k]) for k in range(1, top + 1)}
    weights |= {(a, b): var(f"W{a}_{b}", axs[a], axs[b]) for a, b in check_skips(skip, top)}
    return LayerNet(
        var("x", axs[0]), [var(f"s{k}", axs[k]) for k in range(1, top + 1)],
        [var(f"b{k}", axs[k]) for k in range(1, top + 1)], weights,
        dict(zip(axs, sizes, strict=True)),
    )  # fmt: skip
