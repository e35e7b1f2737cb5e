"""A program: the generated functions of an energy, called on dicts of arrays by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from unified.base.errors import InputError, bad_input
from unified.codegen import cache as disk
from unified.codegen.binding import (
    Sizes,
    bind,
    check_positive,
    check_sizes,
    data_arrays,
    traced,
)  # fmt: skip
from unified.codegen.compiling import compiled
from unified.codegen.dense import assemble
from unified.codegen.kernels import Kernels
from unified.codegen.module import Module, generate, printer_for
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.energies.field import Field
from unified.symbolic.nodes import Var

Arrays = dict[str, Any]


class PhaseLike(Protocol):
    """What a program reads off a phase."""

    @property
    def x(self) -> Any: ...
    @property
    def y(self) -> Any: ...
    @property
    def beta(self) -> Any: ...
    @property
    def is_clamped(self) -> bool: ...


class Program:
    """Generated code for an energy and, if given, a cost.

    Equation: F = E + βC; force −∂F/∂s, rule ∂F/∂θ, hessian ∂²F/∂s∂s (dense, states stacked).
    Shapes: states, params and results are dicts of arrays by name; one sample, or a leading batch
    axis on states and data. Results are NumPy arrays (under a JAX transformation: traced ones; on
    the PyTensor backend, if any argument is a PyTensor variable: graphs).
    Raises: InputError for arrays that do not fit the energy.
    Reference: code from tensor expressions after Laue et al. (2018).
    """

    def __init__(
        self, kernels: Kernels, module: Module, dtype: str, field: Field | None = None
    ) -> None:
        self.field = field
        self.kernels = kernels
        self.module = module
        self.model: Energy = kernels.energy
        self.cost_model: Cost | None = kernels.cost
        self.target: Var | None = kernels.cost.target if kernels.cost else None
        self.dtype = np.dtype(dtype)
        self.backend = module.backend
        self._jitted: dict[Any, Callable[..., Any]] = {}

    # --- text -------------------------------------------------------------------------------
    @property
    def source(self) -> str:
        """The generated Python source of every function."""
        return self.module.source

    def __repr__(self) -> str:
        cost = self.cost_model.name if self.cost_model else "none"
        return f"Program({self.model.name}, cost {cost}, {self.backend}, {self.dtype.name})"

    # --- running ----------------------------------------------------------------------------
    @property
    def precision(self) -> AbstractContextManager[Any]:
        """The context in which this program's numbers live (double precision asked locally)."""
        if self.backend != "jax":
            return nullcontext()
        import jax

        return jax.enable_x64(self.dtype == np.float64)

    def core(self, name: str, values: Mapping[str, Any]) -> Arrays:
        """One generated function on arrays that already carry phase and batch axes.

        What no phase changes is computed first, unless `values` holds it already.
        """
        return self.module.call(name, {**self.drive(values), **values})

    def drive(self, values: Mapping[str, Any]) -> Arrays:
        """What stays fixed while a phase relaxes, from parameters and data."""
        if all(k in values for k in self.module.signatures["drive"].outputs):
            return {}
        known = set(values)
        if not set(self.module.signatures["drive"].args) <= known:
            return {}
        return self.module.call("drive", values)

    def jit(
        self, key: Any, function: Callable[..., Any], *, plain: bool = False
    ) -> Callable[..., Any]:
        """`function`, compiled once per key for this program (JAX only)."""
        if key not in self._jitted:
            if self.backend == "jax":
                function = compiled(function, plain=plain)
            self._jitted[key] = function
        return self._jitted[key]

    def function(self, name: str) -> Callable[[Mapping[str, Any]], Arrays]:
        """One generated function, compiled, of a dict of arrays with phase and batch axes."""
        plain = self.module.is_plain(name)
        return self.jit(name, lambda values: self.core(name, values), plain=plain)

    def dense(self, values: Mapping[str, Any]) -> Any:
        """The dense Hessian (phase, batch, N, N) on arrays with phase and batch axes, compiled."""
        plain = self.module.is_plain("hessian")
        return self.jit("dense", lambda v: assemble(self, v), plain=plain)(values)

    def values(self, state: Mapping[str, Any], params: Mapping[str, Any], phase: PhaseLike) -> Any:
        """Checked arrays on phase and batch axes, and the batch size (None: one sample)."""
        sizes: Sizes = {}
        found = self.params(params, sizes)
        if not traced(phase.beta) and np.size(phase.beta) != 1:
            raise bad_input("beta", "one number here", phase.beta, "call it once per nudge")
        states, count = self._samples(state, "state", sizes)
        y = phase.y
        if self.target is not None and y is None:
            width = self._width(self.target, sizes)
            y = np.zeros((*(() if count is None else (count,)), *width), self.dtype)
        data, batch = data_arrays(self.model, self.target, phase.x, y, sizes, self.dtype)
        if not data:
            batch = count
        if batch != count:
            raise bad_input("state", f"{_told(batch)} as in the data", _told(count), "align them")
        grow = (None, None) if batch is None else (None,)
        found |= data | {k: v[grow] for k, v in states.items()}
        check_sizes(self.model, sizes)
        found["beta"] = self.beta(phase.beta)
        return found, batch

    def _samples(self, state: Any, what: str, sizes: Sizes) -> tuple[Arrays, int | None]:
        """States checked, all with one batch axis or all without, and its size."""
        first = self.model.states[0]
        value = state.get(first.name) if isinstance(state, Mapping) else None
        try:
            lead = int(value is not None and np.ndim(value) == first.ndim + 1)
        except ValueError as err:
            raise bad_input(what, "rows of equal length", "ragged ones", "pad them") from err
        found = bind(self.model.states, state, what, sizes, self.dtype, lead=lead)
        counts = {k: int(np.shape(v)[0]) for k, v in found.items()} if lead else {}
        if len(set(counts.values())) > 1:
            raise bad_input(what, "equally many samples in every state", str(counts), "align them")
        return found, counts[first.name] if lead else None

    def _width(self, v: Var, sizes: Sizes) -> tuple[int, ...]:
        return tuple(sizes[a][0] if a in sizes else self.model.sizes[a] for a in v.axes)

    def beta(self, beta: Any) -> Any:
        """A nudge (or several) as an array on the phase axis. Raises: InputError if not finite."""
        if traced(beta):
            return beta.reshape(-1)
        array = np.atleast_1d(np.asarray(beta))
        if not np.all(np.isfinite(array)):
            raise bad_input("beta", "a finite number", repr(beta), "choose e.g. 0.01")
        kind = np.result_type(self.dtype, np.complex64) if np.iscomplexobj(array) else self.dtype
        return array.astype(kind)

    def params(self, params: Mapping[str, Any], sizes: Sizes | None = None) -> Arrays:
        """Parameters checked against the energy. Raises: InputError naming the first misfit."""
        known: Sizes = {} if sizes is None else sizes
        found = bind(self.model.params, params, "params", known, self.dtype)
        check_positive(self.model, found)
        return found

    def run(self, name: str, state: Mapping[str, Any], params: Mapping[str, Any],
            phase: PhaseLike, extra: Mapping[str, Any] | None = None) -> Arrays:  # fmt: skip
        """A generated function on user arrays; the result without phase and batch axes."""
        self._fits(phase)
        with self.precision:
            values, batch = self.values(state, params, phase)
            if extra is not None:
                along, count = self._samples(extra, "direction", {})
                if count != batch:
                    raise bad_input("direction", f"{_told(batch)} as in the state", _told(count),
                                    "align them")  # fmt: skip
                for state_name, v in along.items():
                    at = self.kernels.directions[state_name].name
                    values[at] = v[(None,) * (1 + (batch is None))]
            inner = traced(values)  # options of an inner compilation are refused, so leave it out
            found = self.core(name, values) if inner else self.function(name)(values)
        index = (0, 0) if batch is None else (0,)
        return {k: self.out(v[index]) for k, v in found.items()}

    def out(self, value: Any) -> Any:
        """A result as a NumPy array, since double precision ends with our context."""
        return value if traced(value) else np.asarray(value)

    def _fits(self, phase: PhaseLike) -> None:
        if phase.is_clamped and self.target is not None:
            raise InputError(
                "phase: expected a free or nudged phase here, got a clamped one; call the same "
                "function of program.clamped."
            )
        if traced(phase.beta):
            return
        if self.target is None and not phase.is_clamped and np.any(np.asarray(phase.beta) != 0):
            raise bad_input("phase", "a free phase", "a nudged one", "emit it with a cost")

    def energy(self, state: Arrays, params: Arrays, phase: PhaseLike) -> Any:
        """F = E + βC at a state: a number, or (batch,). Raises: InputError."""
        return self.run("energy", state, params, phase)["F"]

    def force(self, state: Arrays, params: Arrays, phase: PhaseLike) -> Arrays:
        """−∂F/∂s for every state, shaped as the states. Raises: InputError."""
        return self.run("force", state, params, phase)

    def rule(self, state: Arrays, params: Arrays, phase: PhaseLike) -> Arrays:
        """∂F/∂θ at fixed state for every parameter, per sample. Raises: InputError."""
        if not self.model.params:
            return {}
        return self.run("rule", state, params, phase)

    def cost(self, state: Arrays, params: Arrays, phase: PhaseLike) -> Any:
        """C at a state: a number, or (batch,). Raises: InputError if the program has no cost."""
        if self.target is None:
            raise bad_input("cost", "a program emitted with a cost", "none", "emit it with a cost")
        return self.run("cost", state, params, phase)["C"]

    def hvp(self, state: Arrays, params: Arrays, phase: PhaseLike, direction: Arrays) -> Arrays:
        """∂²F/∂s∂s · v, with v shaped as the states. Raises: InputError."""
        return self.run("hvp", state, params, phase, extra=direction)

    def hessian(self, state: Arrays, params: Arrays, phase: PhaseLike) -> Any:
        """∂²F/∂s∂s, dense over the stacked states: (N, N) or (batch, N, N). Raises: InputError."""
        self._fits(phase)
        for s in self.model.states:
            if s.ndim == 0:
                raise bad_input(f"state {s.name}", "a vector or larger, for a dense Hessian",
                                "a number", "use hvp")  # fmt: skip
        with self.precision:
            values, batch = self.values(state, params, phase)
            if traced(values) and self.backend == "pytensor":
                raise bad_input("state", "numbers, for a dense Hessian", "PyTensor variables",
                                "use hvp")  # fmt: skip
            found = assemble(self, values) if traced(values) else self.dense(values)
        return self.out(found[(0, 0) if batch is None else (0,)])

    # --- relatives --------------------------------------------------------------------------
    @cached_property
    def clamped(self) -> Program:
        """The program whose output state is held at the target (an input of the same name)."""
        if self.field is not None:
            raise bad_input("phase", "a free or nudged phase of a field", "a clamped one",
                            "use un.Phase.nudged, or field.least_squares()")  # fmt: skip
        name = self.target.name if self.target else "y"
        return emit(self.model.clamp(self.model.output, name), backend=self.backend,
                    dtype=self.dtype.name)  # fmt: skip

    def init(self, key: Any) -> Arrays:
        """Random parameters by the energy's initial laws; `key` is an integer or a JAX key.

        Raises: InputError if the energy was declared without sizes.
        """
        if isinstance(key, float | str | None):
            raise bad_input("key", "an integer or a JAX key", key, "use e.g. 0")
        seed = np.asarray(key) if np.ndim(key) or isinstance(key, int | np.integer) else _bits(key)
        rng = np.random.default_rng(np.atleast_1d(seed).astype(np.uint64))
        found = {}
        for p in self.model.params:
            missing = [a.name for a in p.axes if a not in self.model.sizes]
            if missing:
                raise bad_input(
                    "energy", f"a size for axis {missing[0]}", "none",
                    "pass sizes={axis: n} to un.Energy",
                )  # fmt: skip
            shape = tuple(self.model.sizes[a] for a in p.axes)
            found[p.name] = self.model.initial[p.name].draw(rng, shape).astype(self.dtype)
        return found


def _told(count: int | None) -> str:
    return "one sample without a batch axis" if count is None else f"{count} samples"


def _bits(key: Any) -> Any:
    import jax

    return np.asarray(jax.random.key_data(key))


def emit(
    energy: Energy | Field,
    cost: Cost | CostFamily | None = None,
    backend: str = "jax",
    *,
    dtype: str = "float64",
    cache: bool = True,
) -> Program:
    """Generate the program of an energy.

    Equation: all functions of F = E + βC; β and every parameter are arguments of the code. For a
    field E is its Lagrangian, and the program's `field` tells which.
    `dtype` is float64 or float32; `cache` reuses the generated text from disk.
    Raises: InputError for an unknown backend or dtype, or an energy that cannot be evaluated.
    Reference: Laue, Mitterreiter, Giesen (2020), arXiv:2002.08247 is the nearest relative.
    """
    field = energy if isinstance(energy, Field) else None
    if isinstance(energy, Field):
        energy = energy.lagrangian
    if not isinstance(energy, Energy):
        raise bad_input("energy", "an un.Energy", type(energy).__name__, "wrap the expression")
    if str(dtype) not in ("float64", "float32"):
        raise bad_input("dtype", "'float64' or 'float32'", repr(dtype), "choose one")
    if backend == "pytensor" and str(dtype) != "float64":
        raise bad_input("dtype", "'float64' for PyTensor", repr(dtype), "leave it out")
    printer_for(backend)
    bound = cost.bind(energy) if cost is not None else None
    kernels = Kernels(energy, bound)
    key = disk.cache_key(kernels, backend, str(dtype), energy.sizes)
    module = disk.read(key) if cache else None
    if module is None:
        module = generate(kernels, backend, energy.sizes)
        if cache:
            disk.write(key, module)
    return Program(kernels, module, str(dtype), field)
