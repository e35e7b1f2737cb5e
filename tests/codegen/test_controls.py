"""Negative controls: the comparisons of test_against_oracles must catch what they are there for."""

import numpy as np
import pytest

import unified as un
from tests.codegen.oracle import answers, autodiff, point, truth, worst
from tests.symbolic.test_energy import sizes_of
from tests.tolerances import TOL

CLOSE = TOL["float64"].exact
ENERGY = un.energies.hopfield([3, 3, 3])


class Broken:
    """A program with some functions replaced; everything else is the program's own."""

    def __init__(self, program, **replaced):
        self._program = program
        self._replaced = replaced

    def __getattr__(self, name):
        if name in self._replaced:
            return lambda *args, **kw: self._replaced[name](self._program, *args, **kw)
        return getattr(self._program, name)


def lost_slope(program, state, params, phase):
    """The force with ρ′ dropped from the synaptic current of the first layer."""
    found = program.force(state, params, phase)
    current = (found["s1"] + state["s1"]) / (1 - np.tanh(state["s1"]) ** 2)
    return found | {"s1": -state["s1"] + current}


def rule_of_states(program, state, params, phase):
    """The rule of a net that multiplies states instead of rates: ρ dropped from the second W."""
    found = program.rule(state, params, phase)
    return found | {"W2": -np.outer(np.tanh(state["s1"]), state["s2"])}


def turned(name):
    """The function read with the second W transposed."""
    return lambda program, state, params, *more: getattr(program, name)(
        state, params | {"W2": params["W2"].T}, *more
    )


def opposite(name, key):
    """One entry of the answer with its sign changed."""

    def call(program, *args):
        found = getattr(program, name)(*args)
        return found | {key: -found[key]}

    return call


BREAKS = {
    "lost slope in the force": {"force": lost_slope},
    "lost rate in the rule": {"rule": rule_of_states},
    "W transposed in the force": {"force": turned("force")},
    "W transposed in the hessian": {"hessian": turned("hessian")},
    "W transposed in the hvp": {"hvp": turned("hvp")},
    "W transposed in the energy": {"energy": turned("energy")},
    "rule of W transposed": {
        "rule": lambda p, *a: p.rule(*a) | {"W2": p.rule(*a)["W2"].T},
    },
    "sign of the force": {"force": opposite("force", "s2")},
    "sign of the rule": {"rule": opposite("rule", "b1")},
    "sign of the nudge": {
        "force": lambda p, s, t, at: p.force(s, t, un.Phase.nudged(at.x, at.y, -at.beta)),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def sound():
    """A sound program, a point, and the two judges' answers there."""
    program = un.emit(ENERGY, un.costs.squared(), backend="numpy", cache=False)
    values = point(program, sizes_of(ENERGY), seed=5)
    twin = un.emit(ENERGY, un.costs.squared(), cache=False)
    return program, values, truth(program, sizes_of(ENERGY), values), autodiff(twin, values)


def test_the_sound_program_passes(sound):
    """A comparison that fails on everything would pass every control below."""
    program, values, *judges = sound
    for judge in judges:
        assert max(worst(answers(program, values), judge).values()) < CLOSE


@pytest.mark.parametrize("name", BREAKS)
def test_broken_programs_fail(sound, name):
    """If one of these passed, the green tests beside it would mean nothing."""
    program, values, *judges = sound
    (kind,) = BREAKS[name]
    for judge in judges:
        if kind not in judge:
            continue
        errors = worst(answers(Broken(program, **BREAKS[name]), values), judge)
        assert errors.pop(kind) > 1e-3
        assert max(errors.values()) < CLOSE
