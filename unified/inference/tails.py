"""How heavy the tail of importance weights is: whether their mean can be trusted at all."""

from __future__ import annotations

from typing import Any

import numpy as np

TAIL = 0.7  # from which averages over weights converge too slowly for their scatter to tell
FLAT = 1e-9  # a tail that rises by less has no shape


def pareto_tail(log_weights: Any) -> float:
    """The index k of the generalised Pareto law of the largest weights.

    Equation: the largest min(S/5, 3√S) of S weights, less the next one, fitted by the posterior
    mean of Zhang & Stephens, with a weak prior at ½; moments of order 1/k and above are infinite.
    −inf for weights that do not differ, NaN unless all are finite or −inf.
    Shapes: log w of any shape.
    Reference: Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25, 72; Zhang & Stephens (2009),
    Technometrics 51, 316.
    """
    logs = np.sort(np.ravel(log_weights))
    if np.any(np.isnan(logs)) or not np.isfinite(logs[-1]):
        return float("nan")
    count = min(logs.size // 5, int(3 * np.sqrt(logs.size)))
    floor, *rest = np.exp(logs[-count - 1 :] - logs[-1])
    x = np.asarray(rest) - floor
    x = x[x > 0]
    if x.size < 5 or x[-1] < FLAT:
        return float("-inf")
    n, m = x.size, 30 + int(np.sqrt(x.size))
    slope = (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * x[int(n / 4 + 0.5) - 1])
    slope = slope + 1 / x[-1]
    index = np.mean(np.log1p(-slope[:, None] * x), axis=1)
    fit = n * (np.log(-slope / index) - index - 1)
    share = np.exp(fit - np.max(fit))
    middle = share @ slope / np.sum(share)
    k = float(np.mean(np.log1p(-middle * x)))
    return (n * k + 5) / (n + 10)
