"""Every numerical tolerance of the tests, by dtype: relative unless the test says otherwise."""

from typing import NamedTuple


class Tolerance(NamedTuple):
    """How far two computations of the same number may differ.

    exact: the same formula in another order of operations; derived: a derivative or a solved
    system; finite: against central finite differences.
    """

    exact: float
    derived: float
    finite: float


TOL: dict[str, Tolerance] = {
    "float32": Tolerance(exact=2e-5, derived=2e-4, finite=2e-2),
    "float64": Tolerance(exact=1e-12, derived=1e-10, finite=1e-6),
}
