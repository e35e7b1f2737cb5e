"""Convolutional Hopfield and predictive-coding energies: image-like layers, a dense readout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.hopfield import _settled
from unified.energies.initial import Initial
from unified.energies.layered import Layer, layered
from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.build import add, var
from unified.symbolic.contract import contract
from unified.symbolic.convolution import conv, fitted, pool, windows_of
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import fn

PerLayer = int | Sequence[int]


@dataclass(frozen=True)
class ConvNet:
    """A clamped image x, image-like states 1..L, a dense readout L+1, and what couples them."""

    x: Var
    states: list[Var]
    kernels: list[Var]
    readout: Var
    biases: list[Var]
    strides: list[int]
    paddings: list[int]
    pool: int | None
    sizes: dict[Axis, int]

    @property
    def params(self) -> list[Var]:
        """All parameters: kernels, readout, biases."""
        return [*self.kernels, self.readout, *self.biases]

    def drive(self, layer: int, below: Expr) -> Expr:
        """What a layer receives from the signal below it, without its bias.

        Equation: conv(p(below), K_l), p the mean over windows (l > 1); the readout W · p(below).
        """
        axs = [Axis(f"{a}{layer - 1}") for a in "pq"]
        signal = pool(below, self.pool, axes=axs) if self.pool and layer > 1 else below
        if layer <= len(self.kernels):
            k, (*out, _) = layer - 1, self.states[layer - 1].axes
            return conv(signal, self.kernels[k], self.strides[k], self.paddings[k], axes=out)
        ix, o = indices(signal.axes), Index(self.readout.axes[-1])
        return contract(1, [(signal, ix), (self.readout, (*ix, o))], (o,))

    def bias(self, layer: int) -> Expr:
        """The bias of a layer, the same at every place."""
        ix = indices(self.states[layer - 1].axes)
        return contract(1, [(self.biases[layer - 1], ix[-1:])], ix)

    def scale(self, gain: float, fan_in: float, fan_out: float | None = None) -> Initial:
        """Entries of standard deviation gain/√fan_in, or gain/(√fan_in + √fan_out)."""
        return Initial("entries", gain / (math.sqrt(fan_in) + math.sqrt(fan_out or 0)))

    def initial(self, inner: float | None) -> dict[str, Initial]:
        """How weights are drawn: outputs of unit variance, or inner layers of norm `inner`."""
        found = {}
        for w in (*self.kernels, self.readout):
            *fan, last = (self.sizes[a] for a in w.axes)
            given = inner is None or w is self.kernels[0]
            taps = math.prod(fan[:2]) if w is not self.readout else 1
            gain, out = (1.0, None) if given or inner is None else (inner, taps * last)
            found[w.name] = self.scale(gain, math.prod(fan), out)
        return found


def _per_layer(name: str, value: PerLayer, count: int, least: int) -> list[int]:
    many = [value] * count if isinstance(value, int) else list(value)
    if len(many) != count or not all(type(v) is int and v >= least for v in many):
        raise bad_input(
            name, f"a whole number of at least {least}, or {count} of them", repr(value),
            "give one for all image-like layers or one for each",
        )  # fmt: skip
    return many


def conv_net(
    shape: Sequence[int], channels: Sequence[int], kernel: PerLayer, stride: PerLayer,
    padding: PerLayer, classes: int, pooled: int | None, letter: str,
) -> ConvNet:  # fmt: skip
    """The net of these layers, all sizes worked out.

    Raises: InputError for bad sizes, and for a layer whose kernel or pooling does not fit.
    """
    whole = [type(n) is int and n > 0 for n in (*shape, *channels, classes)]
    if len(shape) != 3 or not channels or not all(whole):
        raise bad_input(
            "shape, channels, classes", "(height, width, channels), one or more channel counts, a "
            "number of classes", f"{shape!r}, {channels!r}, {classes!r}", "e.g. (28, 28, 1), [16], "
            "10",
        )  # fmt: skip
    top = len(channels)
    kernels = _per_layer("kernel", kernel, top, 1)
    if pooled is not None:
        _per_layer("pool", pooled, 1, 1)
    image = [[Axis(f"{a}{k}") for a in "hwc"] for k in range(top + 1)]
    sizes = dict(zip(image[0], shape, strict=True))
    sizes |= {axs[2]: n for axs, n in zip(image[1:], channels, strict=True)}
    made = []
    for k, size in enumerate(kernels, start=1):
        taps = [Axis(f"i{k}"), Axis(f"j{k}")]
        sizes |= dict.fromkeys(taps, size)
        made.append(var(f"K{k}", *taps, image[k - 1][2], image[k][2]))
    out = Axis(f"n{top + 1}")
    sizes[out] = classes
    last = [*(Axis(f"{a}{top}") for a in "pq"), image[-1][2]] if pooled else image[-1]
    states = [var(f"{letter}{k}", *axs) for k, axs in enumerate(image) if k]
    states.append(var(f"{letter}{top + 1}", out))
    biases = [var(f"b{k}", s.axes[-1]) for k, s in enumerate(states, start=1)]
    net = ConvNet(
        var("x", *image[0]), states, made, var(f"W{top + 1}", *last, out), biases,
        _per_layer("stride", stride, top, 1), _per_layer("padding", padding, top, 0),
        pooled, sizes,
    )  # fmt: skip
    below: Expr = net.x
    for k, s in enumerate(states, start=1):
        net.sizes.update(fitted(windows_of(net.drive(k, below)), net.sizes))
        below = s
    return net


def conv_hopfield(
    shape: Sequence[int], channels: Sequence[int], kernel: PerLayer = 3, stride: PerLayer = 2,
    padding: PerLayer = 1, classes: int = 10, rho: Any = "tanh", pool: int | None = None,
) -> Energy:  # fmt: skip
    """The layered Hopfield energy whose image-like layers are coupled by convolutions.

    Equation: E = Σ_l ½|s_l|² − Σ_l ⟨ρ(s_l), conv(p(ρ(s_{l-1})), K_l) + b_l⟩, ρ(s_0) := x; the last
    layer is dense: −Σ W p(ρ(s_L)) ρ(s_{L+1}); p is the mean over `pool`×`pool` windows of a layer
    (the input excepted), left out unless `pool` is given.
    Shapes: `shape` (height, width, channels) of x; s_l (h_l, w_l, c_l) with c_l out of `channels`
    and h_l = ⌊(h_{l-1} + 2·padding − kernel)/stride⌋ + 1; K_l (kernel, kernel, c_{l-1}, c_l), b_l
    (c_l), W (h_L, w_L, c_L, classes); kernel, stride and padding per layer or for all.
    Raises: InputError for bad sizes, or a kernel or pooling that does not fit its layer.
    Relaxation starts from a forward pass, as that of `hopfield`.
    Reference: Laborieux et al. (2021), arXiv:2006.03824.
    """
    net = conv_net(shape, channels, kernel, stride, padding, classes, pool, "s")
    law = fn(rho)
    below: Expr = net.x
    forward: Expr = net.x
    terms: list[Expr] = []
    start: dict[str, Expr] = {}
    for k, s in enumerate(net.states, start=1):
        rate = law(s)
        terms += [0.5 * s.sq(), -rate.dot(net.drive(k, below)), -rate.dot(net.bias(k))]
        start[s.name] = _settled(law, net.drive(k, forward) + net.bias(k))
        below, forward = rate, law(start[s.name])
    return Energy(
        add(*terms), net.states, net.params, [net.x], sizes=net.sizes, initial=net.initial(0.5),
        start=start, name="conv_hopfield",
    )  # fmt: skip


def conv_predictive(
    shape: Sequence[int], channels: Sequence[int], kernel: PerLayer = 3, stride: PerLayer = 2,
    padding: PerLayer = 1, classes: int = 10, f: Any = "tanh", pool: int | None = None,
) -> Energy:  # fmt: skip
    """The predictive-coding energy whose image-like layers are predicted by convolutions.

    Equation: E = Σ_l ½|z_l − μ_l|², μ_l = f(conv(p(z_{l-1}), K_l) + b_l), the last one dense and
    linear: μ_{L+1} = W p(z_L) + b_{L+1}; p and all shapes as in `conv_hopfield`.
    Shapes: as `conv_hopfield`, with z for s.
    Raises: InputError for bad sizes, or a kernel or pooling that does not fit its layer.
    Reference: Rao & Ballard (1999); Whittington & Bogacz (2017), Neural Computation 29, 1229.
    """
    net = conv_net(shape, channels, kernel, stride, padding, classes, pool, "z")
    law = fn(f)
    layers = []
    below: Expr = net.x
    for k, z in enumerate(net.states, start=1):
        drive = net.drive(k, below) + net.bias(k)
        layers.append(Layer(z, drive if k == len(net.states) else law(drive)))
        below = z
    return layered(
        layers, net.params, [net.x], sizes=net.sizes, initial=net.initial(None),
        name="conv_predictive",
    )  # fmt: skip
