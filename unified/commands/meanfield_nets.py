"""Part 3 of `unified meanfield`: a two-layer net as a flow of neurons, by bp, EP, PC and FA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unified.commands.meanfield_study import Study, order, slope
from unified.meanfield import ParticleMeasure, Risk, TwoLayer, linear_net_flow, solve_flow
from unified.meanfield.closed_nets import feedback_moments, linear_moments
from unified.meanfield.conic import features
from unified.meanfield.teachers import whitened_inputs
from unified.report import Check

TEACHER = np.array([1.0, -0.5, 0.8])
SAMPLES, END, NEURONS = 12, 3.0, 40
GAMMA, BETA = 2.0, 1e-3  # Nγ_h/γ_o of PC; the nudge of EP
CLOSED = 1e-10  # between particles and their closed equations
DISSIPATED = 1e-6
RELAXED = 1e-9  # between relaxed and eliminated activities, relative
TOLD_APART = 1e-3  # that a wrong equation or a flow of no gradient must exceed
CREDITS: dict[str, dict[str, Any]] = {
    "bp": {}, "ep": {"beta": BETA}, "pc": {"precision": GAMMA}, "fa": {},
}  # fmt: skip
CIRCLE = np.array([[1.0, 0.2], [-0.5, 1.0], [-0.3, -1.0]])  # input weights of the ReLU teacher,
CARRIED = np.array([1.0, -1.0, 1.0])  # and its output weights
SMALL = 0.2  # weights at the start: small, so that directions are found first
FINE = 0.003  # Heun's steps across the kinks of ReLU, so that the identity holds to DISSIPATED


def _data() -> tuple[Any, Any]:
    x = whitened_inputs(SAMPLES, len(TEACHER), seed=0)
    return x, x @ TEACHER


def particle_flow(credit: str, neurons: int, seed: int) -> dict[str, Any]:
    """A linear net's particles under one credit, and the closed equations at the same times."""
    net = TwoLayer(len(TEACHER), "linear")
    risk = Risk(net, _data(), credit, **CREDITS[credit])
    theta = net.draw(neurons, seed=seed, scale=0.6)
    theta = risk.with_feedback(theta, seed=seed + 1) if credit == "fa" else theta
    flow = solve_flow(risk, risk.particles(theta), END, saves=15, tol=1e-12)
    moments = feedback_moments if credit == "fa" else linear_moments
    kind = "bp" if credit == "ep" else credit
    more = {"gamma": GAMMA} if credit == "pc" else {}
    start = moments(theta)
    closed = linear_net_flow(start, TEACHER, flow.ts, kind, **more)
    dense = np.linspace(0.0, END, 121)
    got = [moments(m.x) for m in flow.measures]
    apart = max(float(np.max(np.abs(m[k] - closed.moments[k][i])))
                for i, m in enumerate(got) for k in start)  # fmt: skip
    return {"flow": flow, "apart": apart, "moments": got, "dense": dense,
            "risk": np.array([risk.risk(m) for m in flow.measures]), "closed": closed,
            "curve": linear_net_flow(start, TEACHER, dense, kind, **more).risk}  # fmt: skip


def closed_check(credit: str, found: dict[str, Any]) -> Check:
    """The check of a `particle_flow` against its closed equations; EP's is of order β²."""
    if credit == "ep":
        return Check.at_most(
            "nets.ep.closed", f"ep, β = {BETA:g}, centered: against backprop's closed equations, "
            "largest difference, of order β²", found["apart"], 100 * BETA**2)  # fmt: skip
    return Check.at_most(
        f"nets.{credit}.closed", f"{credit}: {NEURONS} particles against the closed equations "
        "of their moments, largest difference", found["apart"], CLOSED)  # fmt: skip


def _velocity(net: TwoLayer, theta: Any, credit: str = "bp", **options: Any) -> Any:
    x = _data()[0]
    return Risk(net, (x, np.tanh(x @ TEACHER)), credit, **options).velocity_at(
        ParticleMeasure(theta)
    )


def _far(found: Any, exact: Any) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def nudge_orders(
    neurons: Sequence[int], seed: int, betas: Sequence[float] = (0.005, 0.01, 0.02)
) -> tuple[list[dict[str, Any]], list[Check]]:  # fmt: skip
    """EP's velocity against backprop's: orders in β at several widths."""
    net, rows, checks = TwoLayer(len(TEACHER), "tanh"), [], []
    for n in neurons:
        theta = net.draw(n, seed=seed)
        exact = _velocity(net, theta)
        for scheme, declared in (("one-sided", 1), ("centered", 2)):
            errors = [_far(_velocity(net, theta, "ep", beta=b, scheme=scheme), exact)
                      for b in betas]  # fmt: skip
            found = slope(betas, errors)
            rows.append({"neurons": n, "scheme": scheme, "betas": betas, "errors": errors,
                         "order": found})  # fmt: skip
            checks.append(order(f"nets.ep.{scheme}.{n}", f"{n} neurons: EP's velocity tends to "
                                f"backprop's, {scheme}, with order", found, declared,
                                0.05))  # fmt: skip
    return rows, checks


def width_gaps(neurons: Sequence[int], seed: int) -> tuple[dict[str, Any], list[Check]]:
    """PC's velocity against backprop's, at fixed precisions and at fixed γ."""
    net = TwoLayer(len(TEACHER), "tanh")
    gaps: dict[str, list[float]] = {"fixed precisions": [], f"fixed γ = {GAMMA:g}": []}
    for n in neurons:
        theta = net.draw(n, seed=seed)
        exact = _velocity(net, theta)
        for label, precision in zip(gaps, ((1.0, 1.0), GAMMA), strict=True):
            gaps[label].append(_far(_velocity(net, theta, "pc", precision=precision), exact))
    fixed, kept = gaps.values()
    checks = [
        order("nets.pc.width", "PC at fixed precisions: its distance from backprop falls as a "
              "power of N,", slope(neurons, fixed), -1, 0.05),
        order("nets.pc.gamma", "PC at fixed γ: its distance from backprop stays, power of N",
              slope(neurons, kept), 0, 0.05),
    ]  # fmt: skip
    return {"neurons": list(neurons), "gap": gaps}, checks


def relaxed_velocity(seed: int) -> Check:
    """EP's velocity from activities that the library relaxes, against those eliminated by hand."""
    net = TwoLayer(len(TEACHER), "tanh")
    theta = net.draw(20, seed=seed)
    found, exact = (_velocity(net, theta, "ep", relaxation=r, **CREDITS["ep"])
                    for r in ("relaxed", "eliminated"))  # fmt: skip
    return Check.at_most(
        "nets.relaxed.ep",
        "ep: velocity from relaxed activities against that of the eliminated energy, relative",
        _far(found, exact),
        RELAXED,
    )


def relaxed_flow(seed: int) -> Check:
    """A flow under PC whose every velocity comes from relaxation, against the eliminated one."""
    net, ends = TwoLayer(len(TEACHER), "linear"), []
    theta = net.draw(8, seed=seed, scale=0.6)
    for relaxation in ("relaxed", "eliminated"):
        risk = Risk(net, _data(), "pc", precision=GAMMA, relaxation=relaxation)
        flow = solve_flow(risk, risk.particles(theta), 1.0, dt=0.05, stepper="heun", saves=1)
        ends.append(flow.measures[-1].x)
    return Check.at_most(
        "nets.relaxed.pc",
        "pc: particles after 40 velocities from relaxed "
        "activities against the eliminated ones, relative",
        _far(*ends),
        RELAXED,
    )


def circle_flow(neurons: int, saves: int) -> dict[str, Any]:
    """ReLU neurons from all round the circle that find the three of a teacher in the plane.

    |a| = |w| at the start, as the flow then keeps it: w falls to 0 with a but never gets there. A
    neuron with |a| > |w| can, and stays stuck at the kink, whatever its velocity says.
    """
    net = TwoLayer(2, "relu")
    x = np.random.default_rng(0).standard_normal((300, 2))
    risk = Risk(net, (x, np.maximum(x @ CIRCLE.T, 0) @ CARRIED))
    turn = np.repeat(4 * np.pi / neurons * np.arange(neurons // 2), 2)
    signs = np.where(np.arange(neurons) % 2, -1.0, 1.0)  # pairs that cancel
    theta = SMALL * np.stack([signs, np.cos(turn), np.sin(turn)], axis=1)
    flow = solve_flow(risk, risk.particles(theta), 24.0, dt=FINE, stepper="heun", saves=saves)
    return {"flow": flow, "features": [features(net, m.x) for m in flow.measures],
            "teacher": CIRCLE}  # fmt: skip


def circle_check(found: dict[str, Any]) -> Check:
    """The dissipation identity of a `circle_flow`."""
    return Check.at_most("dissipation.net.relu", "ReLU neurons by Heun's method: risk lost and "
                         "dissipation agree, relative", found["flow"].gap, DISSIPATED)  # fmt: skip


def train_nets(quick: bool, seed: int) -> Study:
    """The flows of the four credits, EP's order in β and PC's gap in N."""
    found = {credit: particle_flow(credit, NEURONS, seed) for credit in CREDITS}
    rows, checks = [], []
    for credit, f in found.items():
        rows.append({"credit": credit, "neurons": NEURONS, "from_closed": f["apart"],
                     "risk_start": f["risk"][0], "risk_end": f["risk"][-1],
                     "dissipation_gap": f["flow"].gap})  # fmt: skip
        checks.append(closed_check(credit, f))
    checks += [Check.at_most(f"dissipation.net.{c}", f"{c}: what it descends and the dissipation "
                             "integrated along the flow agree, relative", found[c]["flow"].gap,
                             DISSIPATED) for c in ("bp", "ep", "pc")]  # fmt: skip
    wrong = max(float(np.max(np.abs(m["u"] - found["bp"]["closed"].u[i])))
                for i, m in enumerate(found["pc"]["moments"]))  # fmt: skip
    checks += [
        _caught("control.pc", "pc's particles do not follow bp's equations: apart by", wrong),
        _caught("control.fa", "fa descends no risk along its velocity: the identity fails by",
                found["fa"]["flow"].gap),
    ]  # fmt: skip
    many = (100, 1000, 10000)
    orders, more = nudge_orders((100,), seed, (0.005, 0.01)) if quick else nudge_orders(many, seed)
    gaps, widths = width_gaps((100, 1000) if quick else many, seed)
    checks += [*more, *widths, relaxed_flow(seed)]
    if not quick:
        checks.append(relaxed_velocity(seed))
    circle = circle_flow(60 if quick else 120, 24 if quick else 48)
    checks.append(circle_check(circle))
    return Study(checks, rows, {"flows": found, "orders": orders, "gaps": gaps, "circle": circle})


def _caught(id: str, claim: str, value: float) -> Check:
    """A negative control: it must be off by more than could be overlooked."""
    told = f"{claim} (at least {TOLD_APART:g})"
    return Check(id, told, "numeric", value, None, bool(value > TOLD_APART))
