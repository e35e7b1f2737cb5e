"""Arithmetic modulo the Mersenne prime p = 2⁶¹ − 1, and formal logarithms over it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

P = (1 << 61) - 1
_SMALL = 128  # largest numerator and denominator a coefficient of a logarithm may have


class Singular(ArithmeticError):
    """A draw at which an inverse or a quotient does not exist; the caller draws again."""


def inverse(a: int) -> int:
    """a⁻¹ mod p. Raises: Singular for 0."""
    if a % P == 0:
        raise Singular("division by zero")
    return pow(a, -1, P)


def root(a: int) -> int | None:
    """The square root of a that is itself a square, or None if a is no square.

    p ≡ 3 (mod 4), so exactly one of ±r is a square: this choice is multiplicative,
    √a√b = √(ab), as for positive reals.
    """
    r = pow(a, (P + 1) >> 2, P)
    return r if r * r % P == a % P else None


def random_element(*key: object) -> int:
    """A pseudo-random element of the field, the same for the same key in every process."""
    text = "|".join(map(str, key)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little") % P


def small_ratio(a: int) -> Fraction | None:
    """The fraction with numerator and denominator at most 128 that a stands for, if any.

    Reference: rational reconstruction, von zur Gathen & Gerhard, Modern Computer Algebra, 5.10.
    """
    r0, r1, t0, t1 = P, a % P, 0, 1
    while r1 > _SMALL:
        q = r0 // r1
        r0, r1, t0, t1 = r1, r0 - q * r1, t1, t0 - q * t1
    return Fraction(r1, t1) if 0 < abs(t1) <= _SMALL else None


class Logs:
    """A polynomial over the field in formal logarithms L(d), d a nonzero field element.

    Equation: Σ_m c_m Π_{d∈m} L(d); `terms` maps sorted tuples of the d's to the c's, () is the
    plain part.  Logarithms of multiplicatively independent functions are algebraically
    independent, so only the law Σ q_i L(d_i) = L(Π d_i^{q_i}) has to be checked, in `vanishes`.
    Reference: Rosenlicht (1972), Pacific J. Math. 42, 163, on Liouville's theorem.
    """

    __slots__ = ("terms",)

    def __init__(self, terms: dict[tuple[int, ...], int]) -> None:
        self.terms = {k: c for k, c in terms.items() if c}

    @staticmethod
    def log(d: int) -> Logs:
        """L(d). Raises: Singular for d = 0."""
        if d % P == 0:
            raise Singular("logarithm of zero")
        return Logs({(): 0} if d % P in (1, P - 1) else {(d % P,): 1})

    def __add__(self, other: Any) -> Logs:
        if isinstance(other, np.ndarray):
            return NotImplemented
        found = dict(self.terms)
        for k, c in _terms(other).items():
            found[k] = (found.get(k, 0) + c) % P
        return Logs(found)

    __radd__ = __add__

    def __neg__(self) -> Logs:
        return self * (P - 1)

    def __sub__(self, other: Any) -> Logs:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self + other * (P - 1)

    def __rsub__(self, other: Any) -> Logs:
        return self * (P - 1) + other

    def __mul__(self, other: Any) -> Logs:
        if isinstance(other, np.ndarray):
            return NotImplemented
        found: dict[tuple[int, ...], int] = {}
        for k, c in self.terms.items():
            for m, e in _terms(other).items():
                key = tuple(sorted(k + m))
                found[key] = (found.get(key, 0) + c * e) % P
        return Logs(found)

    __rmul__ = __mul__

    def __mod__(self, modulus: int) -> Any:
        return self if any(self.terms) else self.terms.get((), 0)

    def split(self) -> tuple[int, dict[int, int], bool]:
        """The plain part, the coefficient of each L(d), and whether anything else is left."""
        linear = {k[0]: c for k, c in self.terms.items() if len(k) == 1}
        return self.terms.get((), 0), linear, any(len(k) > 1 for k in self.terms)

    def vanishes(self) -> bool:
        """True if the value is zero for every interpretation of L that is a logarithm.

        The coefficients are sorted into classes of small rational ratio; a class c·Σ q_i L(d_i)
        vanishes iff Π d_i^{N q_i} = ±1 with N the common denominator.
        """
        plain, linear, more = self.split()
        if plain or more:
            return False
        classes: list[tuple[int, list[tuple[int, Fraction]]]] = []
        for d, c in linear.items():
            for head, members in classes:
                ratio = small_ratio(c * inverse(head) % P)
                if ratio is not None:
                    members.append((d, ratio))
                    break
            else:
                classes.append((c, [(d, Fraction(1))]))
        return all(_is_unit(members) for _, members in classes)

    def collapse(self, law: Callable[[int], int]) -> int:
        """A field element, each L(d) read as law(d): the logarithm uninterpreted."""
        total = 0
        for k, c in self.terms.items():
            for d in k:
                c = c * law(d) % P
            total += c
        return total % P


def _terms(value: Any) -> dict[tuple[int, ...], int]:
    return value.terms if isinstance(value, Logs) else {(): int(value) % P}


def _is_unit(members: list[tuple[int, Fraction]]) -> bool:
    common = 1
    for _, q in members:
        common = common * q.denominator // np.gcd(common, q.denominator)
    product = 1
    for d, q in members:
        product = product * pow(d, int(q * int(common)), P) % P
    return product in (1, P - 1)


def is_zero(value: Any) -> bool:
    """True for 0 and for a sum of logarithms that vanishes by the laws of the logarithm."""
    return value.vanishes() if isinstance(value, Logs) else int(value) % P == 0


def solve(matrix: np.ndarray) -> tuple[int, np.ndarray]:
    """Determinant and inverse of a square matrix of field elements, by Gauss–Jordan.

    Shapes: (n, n) object array in; an int and an (n, n) object array out.
    Raises: Singular if the determinant is 0.
    """
    n = len(matrix)
    work = np.concatenate([matrix, identity(n)], axis=1)
    det = 1
    for k in range(n):
        pivot = next((r for r in range(k, n) if work[r, k] % P), None)
        if pivot is None:
            raise Singular("singular matrix")
        if pivot != k:
            work[[k, pivot]] = work[[pivot, k]]
            det = -det
        det = det * work[k, k] % P
        work[k] = work[k] * inverse(work[k, k]) % P
        rows = work[:, k].copy()
        rows[k] = 0
        work = (work - np.multiply.outer(rows, work[k])) % P
    return det % P, work[:, n:]


def identity(n: int) -> np.ndarray:
    """The identity matrix as an object array of Python integers."""
    found = np.full((n, n), 0, dtype=object)
    for k in range(n):
        found[k, k] = 1
    return found
