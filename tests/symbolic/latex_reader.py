r"""Reads LaTeX back into numbers, as a reader of the formula would: an oracle for the typesetter.

Vectors are columns, `\odot` binds loosest within a term, `1` is a number or, bold, a vector of
ones of whatever size fits.  Index notation (`\sum`) is not read.
"""

import re

import numpy as np
from scipy.special import erf, expit, logsumexp, softmax

_TOKEN = re.compile(r"\\[A-Za-z]+|\\,|[A-Za-z]|\d+|[-+^_{}()'|]|\s+")
_FUNCTIONS = {
    "\\tanh": np.tanh, "\\sin": np.sin, "\\cos": np.cos, "\\sigma": expit, "\\arctan": np.arctan,
    "\\log": np.log, "softplus": lambda x: np.log1p(np.exp(x)), "erf": erf,
    "logsumexp": lambda x: float(logsumexp(x)), "softmax": lambda x: softmax(x, axis=0),
    "tr": np.trace, "diag": lambda x: np.diag(x[:, 0]) if x.shape[1] == 1 else np.diag(x)[:, None],
}  # fmt: skip


class Ones:
    """A multiple of a vector of ones of whatever size fits; `turned` is its transpose."""

    def __init__(self, scale: float = 1.0, turned: bool = False) -> None:
        self.scale, self.turned = scale, turned


class Eye:
    """A multiple of the identity of whatever size fits."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale


class Reader:
    """Recursive descent over one formula."""

    def __init__(self, latex: str, values: dict[str, object]) -> None:
        assert "".join(_TOKEN.findall(latex)) == latex, f"unreadable characters in {latex}"
        self.tokens = [t for t in _TOKEN.findall(latex) if t.strip() and t != "\\,"]
        self.at = 0
        self.values = values

    @property
    def token(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        t = self.token
        assert not expected or t in expected, f"{t!r} at {self.at} of {self.tokens}"
        self.at += 1
        return t

    def read(self):
        """The value of the whole formula."""
        value = self.sum()
        assert not self.token, self.tokens[self.at :]
        return value.scale if isinstance(value, Ones) else value

    def sum(self):
        sign = -1.0 if self.token == "-" and self.take() else 1.0
        total = _times(sign, self.term())
        while self.token in ("+", "-"):
            sign = 1.0 if self.take() == "+" else -1.0
            total = _plus(total, _times(sign, self.term()))
        return total

    def term(self):
        value = self.product()
        while self.token == "\\odot":
            self.take()
            a, b = value, self.product()
            value = _times(b, a.scale) if isinstance(a, Ones) else _entrywise(a, b)
        return value

    def product(self):
        found = [self.factor()]
        while self.token and self.token not in ("+", "-", "\\odot", "}", "\\right", "\\rVert"):
            found.append(self.factor())
        for k in range(len(found) - 2, -1, -1):  # a row of ones takes its size from the right
            if isinstance(found[k], Ones) and found[k].turned and np.ndim(found[k + 1]) == 2:
                found[k : k + 2] = [_times(found[k], found[k + 1])]
        value = found[0]
        for other in found[1:]:
            value = _times(value, other)
        return value

    def group(self):
        self.take("{")
        value = self.sum()
        self.take("}")
        return value

    def bracketed(self):
        self.take("\\left")
        self.take("(")
        value = self.sum()
        self.take("\\right")
        self.take(")")
        return value

    def factor(self):
        value = self.atom()
        assert self.token != "_", "a second subscript"
        if self.token == "^":
            self.take()
            value = self.raised(value)
            assert self.token != "^", "a second superscript"
        return value

    def raised(self, base):
        if self.token == "\\top":
            self.take()
            return Ones(base.scale, turned=True) if isinstance(base, Ones) else base.T
        start = self.at
        if [*self.tokens[start : start + 4]] == ["{", "-", "\\top", "}"]:
            self.at += 4
            return np.linalg.inv(base).T
        exponent = self.group()
        if exponent == -1 and np.ndim(base) == 2 and base.shape[1] > 1:
            return np.linalg.inv(base)
        return base**exponent

    def atom(self):
        t = self.token
        if t == "\\left":
            return self.bracketed()
        self.take()
        if t.isdigit():
            return float(t)
        if t in ("\\tfrac", "\\frac"):
            top = self.group()
            return top / self.group()
        if t == "\\sqrt":
            return np.sqrt(self.group())
        if t == "\\pi":
            return np.pi
        if t == "e":
            self.take("^")
            return np.exp(self.group())
        if t == "\\lVert":
            return self.norm()
        if t == "\\mathbf":
            self.group()
            return Ones()
        if t == "\\log" and self.token == "\\det":
            self.take()
            return float(np.linalg.slogdet(self.factor())[1])
        if t == "\\operatorname":
            t = self.word()
        if t in _FUNCTIONS:
            return self.call(_FUNCTIONS[t])
        return self.variable(t)

    def word(self) -> str:
        self.take("{")
        letters = ""
        while self.token != "}":
            letters += self.take()
        self.take()
        return letters

    def call(self, law):
        power = None
        if self.token == "^":
            self.take()
            power = self.group()
        value = law(self.bracketed())
        return value if power is None else value**power

    def norm(self):
        inner = self.sum()
        self.take("\\rVert")
        if self.token == "_":
            self.take()
            assert self.word() == "F"
        self.take("^")
        assert self.group() == 2
        return float(np.sum(inner**2))

    def variable(self, name: str):
        if self.token == "_":
            self.take()
            self.take("{")
            name += "_"
            while self.token != "}":
                name += self.take()
            self.take()
        return Eye() if name == "I" else self.values[name]


def _plus(a, b):
    if isinstance(a, Ones) and isinstance(b, Ones):
        return Ones(a.scale + b.scale)
    a, b = (x.scale if isinstance(x, Ones) else x for x in (a, b))  # broadcasts as a number
    if isinstance(b, Eye):
        a, b = b, a
    if isinstance(a, Eye):
        return Eye(a.scale + b.scale) if isinstance(b, Eye) else a.scale * np.eye(len(b)) + b
    return a + b


def _times(a, b):
    if isinstance(a, Eye) or isinstance(b, Eye):
        eye, other = (a, b) if isinstance(a, Eye) else (b, a)
        return Eye(eye.scale * other)
    if isinstance(a, Ones) or isinstance(b, Ones):
        return _with_ones(a, b)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    value = a @ b
    return float(value[0, 0]) if value.shape == (1, 1) else value


def _entrywise(a, b):
    return a * (b.scale if isinstance(b, Ones) else b)


def _with_ones(a, b):
    if isinstance(a, Ones) and isinstance(b, Ones):
        assert b.turned and not a.turned
        return a.scale * b.scale
    ones, other = (a, b) if isinstance(a, Ones) else (b, a)
    if np.ndim(other) == 0:
        return Ones(ones.scale * other, ones.turned)
    if ones is a and ones.turned:
        value = other.sum(axis=0, keepdims=True)
    elif ones is b and not ones.turned:
        value = other.sum(axis=1, keepdims=True)
    else:  # an outer product with ones broadcasts
        assert other.shape[0 if ones is a else 1] == 1
        value = other
    value = ones.scale * value
    return float(value[0, 0]) if value.shape == (1, 1) else value
