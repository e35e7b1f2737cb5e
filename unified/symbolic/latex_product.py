"""From labels to matrix notation: eliminate the summed labels of a product one by one."""

from __future__ import annotations

from collections.abc import Sequence

from unified.symbolic.latex_scalar import ATOM, HADAMARD, POWER, PRODUCT, Tex, bracket

# A chain is a matrix product, left to right; True marks a transposed link.  A vector is a chain
# that ends in a column, so its transpose starts with a row.
Link = tuple[Tex, bool]
Chain = tuple[Link, ...]
Part = tuple[Tex, tuple[int, ...]]

ONES = Tex(r"\mathbf{1}", key=(-1, ""))
IDENTITY = Tex("I", symmetric=True, key=(9, ""))


class Stuck(Exception):
    """The product has no matrix notation."""


def flip(chain: Chain) -> Chain:
    """The transpose of a chain."""
    return tuple((t, not turned and not t.symmetric) for t, turned in reversed(chain))


def show(chain: Chain) -> Tex:
    """The chain as one piece of LaTeX."""
    if len(chain) == 1:
        t, turned = chain[0]
        return Tex(_transposed(t), POWER, key=t.key) if turned else t
    text = " ".join(_transposed(t) if turned else t.at(POWER) for t, turned in chain)
    return Tex(text, PRODUCT, key=(3, text))


def _transposed(t: Tex) -> str:
    return t.turned or t.at(ATOM) + r"^\top"


def hadamard(chains: Sequence[Chain]) -> Chain:
    """The entrywise product of vectors, or of matrices, as a chain of one link."""
    if len(chains) == 1:
        return chains[0]
    shown = sorted((show(c) for c in chains), key=lambda t: t.key)
    text = r" \odot ".join(t.text if t.level == HADAMARD else t.at(POWER) for t in shown)
    symmetric = all(len(c) == 1 and c[0][0].symmetric for c in chains)
    return ((Tex(text, HADAMARD, symmetric, key=(4, text)), False),)


def diag(chain: Chain, vector: bool = False) -> Chain:
    """diag(·): the diagonal matrix of a vector, or (`vector`) the diagonal of a matrix."""
    t = show(chain)
    text = rf"\operatorname{{diag}}{bracket(t.text)}"
    return ((Tex(text, symmetric=not vector, key=t.key), False),)


def _turns(chain: Chain) -> int:
    return sum(turned for _, turned in chain)


def dot(u: Chain, v: Chain) -> Tex:
    """The inner product of two vectors, in the direction that transposes least."""
    if u == v:
        return Tex(rf"\lVert {show(u).text} \rVert^{{2}}", POWER, key=(0, show(u).key[1]))
    ways = [flip(u) + v, flip(v) + u]
    return show(min(ways, key=lambda c: (_turns(c), c[0][0].key)))


def trace(chain: Chain) -> Tex:
    """The trace of a matrix; tr AᵀA is the squared Frobenius norm."""
    half = len(chain) // 2
    left, right = flip(chain[:half]), chain[half:]
    if half and left == right:
        inner = show(min(right, flip(right), key=_turns))
        return Tex(rf"\lVert {inner.text} \rVert_{{F}}^{{2}}", POWER, key=(0, inner.key[1]))
    turned = [c[k:] + c[:k] for c in (chain, flip(chain)) for k in range(len(c))]
    best = min(turned, key=lambda c: (_turns(c), not c[0][1], show(c).text))
    return Tex(rf"\operatorname{{tr}}{bracket(show(best).text)}", key=(3, show(best).text))


class Product:
    """A product of vectors and matrices on labels, while its summed labels are eliminated."""

    def __init__(self, parts: Sequence[Part], ndim: int) -> None:
        self.ndim = ndim
        self.scalars: list[Tex] = []
        self.vectors: dict[int, list[Chain]] = {}
        self.matrices: list[tuple[int, int, Chain]] = []
        for t, labels in parts:
            if len(labels) == 0:
                self.scalars.append(t)
            elif len(labels) == 1:
                self.vectors.setdefault(labels[0], []).append(((t, False),))
            elif len(labels) == 2:
                self.matrices.append((*labels, ((t, False),)))
            else:
                raise Stuck
        self.summed = {k for _, labels in parts for k in labels if k >= ndim}

    def body(self) -> Tex | None:
        """The array part in matrix notation (None for a scalar); scalars are left in `scalars`.

        Raises: Stuck if there is none.
        """
        if self.ndim > 2:
            raise Stuck
        self._diagonals()
        while self.summed:
            self._eliminate()
            self._diagonals()
        if self.ndim == 0:
            return None
        if self.ndim == 1:
            return show(self._take(0))
        return self._matrix()

    def _take(self, label: int) -> Chain:
        found = self.vectors.pop(label, [])
        return hadamard(found) if found else ((ONES, False),)

    def _on(self, label: int) -> list[tuple[int, int, Chain]]:
        return [m for m in self.matrices if label in m[:2]]

    def _diagonals(self) -> None:
        """Matrices with both slots on one label are traces or diagonals."""
        for m in [m for m in self.matrices if m[0] == m[1]]:
            label = m[0]
            alone = label in self.summed and label not in self.vectors and len(self._on(label)) == 1
            self.matrices.remove(m)
            if alone:
                self.scalars.append(trace(m[2]))
                self.summed.discard(label)
            else:
                self.vectors.setdefault(label, []).append(diag(m[2], vector=True))

    def _eliminate(self) -> None:
        """Remove the summed label that leaves the simplest product."""
        ranks = {}
        for label in sorted(self.summed):
            degree, vectors = len(self._on(label)), self.vectors.get(label, [])
            links = sum(len(c) for c in vectors)  # short vectors first: (Wx)ᵀ(Wx), not xᵀWᵀWx
            ranks[label] = (-1 if degree == 1 and vectors else degree, links)
        label = min(ranks, key=lambda k: (*ranks[k], k))
        degree = len(self._on(label))
        if degree >= 2 and self._merge_parallel():
            return
        if degree > 2:
            raise Stuck
        self.summed.discard(label)
        if degree == 0:
            vectors = sorted(self.vectors.pop(label), key=lambda c: show(c).key)
            first = vectors[0] if len(vectors) > 1 else ((ONES, False),)
            self.scalars.append(dot(first, hadamard(vectors[1:] or vectors)))
            return
        ends = self._on(label)
        for m in ends:
            self.matrices.remove(m)
        if degree == 1:
            a, b, chain = ends[0]
            other, chain = (a, chain) if b == label else (b, flip(chain))
            self.vectors.setdefault(other, []).append(chain + self._take(label))
            return
        (a, b, left), (c, d, right) = ends
        a, left = (a, left) if b == label else (b, flip(left))
        d, right = (d, right) if c == label else (c, flip(right))
        middle = diag(self._take(label)) if label in self.vectors else ()
        self.matrices.append((a, d, left + middle + right))

    def _merge_parallel(self) -> bool:
        """Two matrices on the same two labels become one, unless they make a plain trace."""
        for k, (a, b, one) in enumerate(self.matrices):
            for m in self.matrices[k + 1 :]:
                if {a, b} != set(m[:2]):
                    continue
                lone = len(self._on(a)) == len(self._on(b)) == 2
                if lone and {a, b} <= self.summed and not {a, b} & self.vectors.keys():
                    continue
                other = m[2] if m[:2] == (a, b) else flip(m[2])
                self.matrices.remove(m)
                self.matrices[k] = (a, b, hadamard([one, other]))
                return True
        return False

    def _matrix(self) -> Tex:
        """The two output labels: a matrix between diagonals, or an outer product."""
        chains = [c if (a, b) == (0, 1) else flip(c) for a, b, c in self.matrices]
        if any(c == ((IDENTITY, False),) for c in chains):
            # an identity renames label 1 to 0, so everything else sits on its diagonal
            return show(diag(self._take(0))) if 0 in self.vectors else IDENTITY
        if not chains:
            return show(self._take(0) + flip(self._take(1)))
        left = diag(self._take(0)) if 0 in self.vectors else ()
        right = diag(self._take(1)) if 1 in self.vectors else ()
        return show(left + hadamard(chains) + right)


def join_scalars(scalars: Sequence[Tex], body: Tex | None) -> Tex:
    """Scalars times an array: juxtaposed, looser pieces bracketed."""
    pieces = sorted(scalars, key=lambda t: (t.level != ATOM, t.key))
    pieces += [body] if body is not None else []
    if len(pieces) == 1:
        return pieces[0]
    text = " ".join(t.at(POWER) for t in pieces[:-1]) + r" \, " + pieces[-1].at(HADAMARD)
    return Tex(text, PRODUCT if pieces[-1].level != HADAMARD else HADAMARD)
