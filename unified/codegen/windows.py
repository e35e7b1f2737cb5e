"""Windows in a product: worked in by slices (im2col), by shifted sums (col2im), or as an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from unified.symbolic.axis import Axis
from unified.symbolic.nodes import Window

if TYPE_CHECKING:
    from unified.codegen.lower import Lowering, Operand

Placed = tuple[Window, tuple[int, ...]]  # a window and its labels: output, kernel entry, input


class Windows:
    """Turns a product of operands and windows into one of operands alone.

    A window whose input axis some operand carries, and the result does not, cuts it into patches;
    one whose input axis is made by the product sums patches up; any other is a 0/1 array.
    """

    def __init__(
        self, lowering: Lowering, windows: list[Placed], out: tuple[int, ...],
        axes: Mapping[int, Axis],
    ) -> None:  # fmt: skip
        self.lowering = lowering
        self.graph = lowering.graph
        self.left = list(windows)
        self.spatial = {k for _, (h, _, u) in windows for k in (h, u)}
        self.out = out
        self.axes = axes

    def applied(self, operands: list[Operand]) -> list[Operand]:
        """The operands with every window worked in."""
        operands = list(operands)
        while self.left:
            for way in (self._unfold_ready, self._fold_ready):
                found = way(operands)
                if found is not None:
                    operands = found
                    break
            else:
                node, labels = self.left.pop(0)
                value = self.graph.put("window", (), self._attr(node), node.axes)
                operands.append(self.lowering.repeats(value, labels))
        return self._weighted(operands)

    def _weighted(self, operands: list[Operand]) -> list[Operand]:
        """A weight along an axis that is summed over goes into the smallest array that has it.

        Then a kernel's gradient is one matrix product over phases, batch and places at once.
        """
        for weight in [o for o in operands if len(o[1]) == 1 and o[1][0] not in self.out]:
            (label,) = weight[1]
            hosts = [o for o in operands if label in o[1] and o is not weight]
            if len(hosts) > 1:
                host = min(hosts, key=lambda o: self.lowering.size(o[1], self.axes))
                operands = [o for o in operands if o is not weight and o is not host]
                operands.append(self.lowering.pair(host, weight, set(host[1]), ()))
        return operands

    def _attr(self, node: Window) -> tuple:
        sizes = self.lowering.sizes
        return (*(sizes.get(a, a) for a in node.axes), node.stride, node.padding)

    def _elsewhere(self, *mine: Placed) -> set[int]:
        return {k for w in self.left if w not in mine for k in w[1]}

    # --- patches --------------------------------------------------------------------------
    def _unfoldable(self, w: Placed, operands: list[Operand]) -> bool:
        h, i, u = w[1]
        carriers = [ls for _, ls in operands if u in ls]
        return (
            bool(carriers)
            and len({h, i, u}) == 3
            and u not in self.out
            and u not in self._elsewhere(w)
            and not any(k in ls for ls in carriers for k in (h, i))
        )

    def _unfold_ready(self, operands: list[Operand]) -> list[Operand] | None:
        """Cut patches along every input axis that is there; then drop what is not needed."""
        ready = [w for w in self.left if self._unfoldable(w, operands)]
        if not ready:
            return None

        def place(w: Placed) -> int:  # from the last axis, so that patches come in reading order
            return -max(ls.index(w[1][2]) for _, ls in operands if w[1][2] in ls)

        for w in sorted(ready, key=place):
            if not self._unfoldable(w, operands):
                continue
            carriers = [o for o in operands if w[1][2] in o[1]]
            rest = [o for o in operands if w[1][2] not in o[1]]
            operands = rest + [self._unfold(o, w) for o in self._merged(carriers)]
            self.left.remove(w)
        return self._reduced([self._trimmed(k, operands) for k in range(len(operands))])

    def _merged(self, operands: list[Operand]) -> list[Operand]:
        """Factors on the axes of a larger one are multiplied into it: one array to cut up."""
        found: list[Operand] = []
        for o in sorted(operands, key=lambda o: -len(o[1])):
            host = next((k for k, p in enumerate(found) if set(o[1]) <= set(p[1])), None)
            if host is None:
                found.append(o)
            else:
                found[host] = self.lowering.pair(found[host], o, set(found[host][1]), ())
        return found

    def _unfold(self, operand: Operand, w: Placed) -> Operand:
        (value, labels), (node, (h, i, u)) = operand, w
        at = labels.index(u)
        after = max(k for k, label in enumerate(labels) if label in self.spatial) + 1
        kernel = self._attr(node)[1]
        attr = (at - len(labels), after - len(labels) - 1, kernel, node.stride, node.padding)
        moved = [h if label == u else label for label in labels]
        axs = list(self.graph[value].axes)
        axs[at] = node.axes[0]
        moved.insert(after, i)
        axs.insert(after, node.axes[1])
        return self.graph.put("im2col", (value,), attr, tuple(axs)), tuple(moved)

    def _trimmed(self, k: int, operands: list[Operand]) -> Operand:
        others = {label for j, (_, ls) in enumerate(operands) if j != k for label in ls}
        keep = others | set(self.out) | self._elsewhere()
        value, labels = operands[k]
        return self.graph.total(value, labels, tuple(label for label in labels if label in keep))

    def _reduced(self, operands: list[Operand]) -> list[Operand]:
        """Contract kernels away before later windows make arrays larger."""
        size = self.lowering.size
        while self.left:
            for a in range(len(operands)):
                for b in range(a + 1, len(operands)):
                    rest = [o for k, o in enumerate(operands) if k not in (a, b)]
                    keep = set(self.out) | self._elsewhere() | {k for _, ls in rest for k in ls}
                    union = set(operands[a][1]) | set(operands[b][1])
                    most = max(size(operands[k][1], self.axes) for k in (a, b))
                    images = all(self.spatial & set(operands[k][1]) for k in (a, b))
                    smaller = size(union & keep, self.axes) <= most
                    if union - keep and smaller and not images:
                        operands = [*rest, self.lowering.pair(operands[a], operands[b], keep, ())]
                        break
                else:
                    continue
                break
            else:
                break
        return operands

    # --- sums of patches ------------------------------------------------------------------
    def _fold_ready(self, operands: list[Operand]) -> list[Operand] | None:
        """Make all patches at once from what they depend on; then sum them up."""
        ready = [w for w in self.left if self._foldable(w, operands)]
        while ready:
            made = {w[1][2] for w in ready}
            taps = {k for w in ready for k in w[1][:2]}
            outer = [o for o in operands if made & set(o[1])]
            good = [w for w in ready if not any(set(w[1][:2]) & set(ls) for _, ls in outer)]
            if len(good) == len(ready):
                break
            ready = good
        if not ready:
            return None
        keep = set(self.out) | {k for _, ls in outer for k in ls} | self._elsewhere()
        inner: list[Operand] = []
        reached = set(taps)
        while True:  # operands joined to the patches by an axis that is summed over
            new = (o for o in operands if o not in outer and o not in inner)
            more = [o for o in new if reached & set(o[1])]
            if not more:
                break
            inner += more
            reached |= {k for _, ls in more for k in ls if k not in keep}
        rest = [o for o in operands if o not in inner]
        keep |= taps | {k for _, ls in rest for k in ls}
        patches = self.lowering.contract(inner, self._order(inner, keep, ready), self.axes)
        for w in ready:
            patches = self._fold(patches, w)
            self.left.remove(w)
        return [*rest, patches]

    def _order(self, inner: list[Operand], keep: set[int], ready: list[Placed]) -> tuple[int, ...]:
        """The labels of the patches as the result will have them, kernel entries after places."""
        made = {u: h for _, (h, _, u) in self.left}
        found = []
        for k in self.out:
            while k in made:
                k = made[k]
            found.append(k)
        last = max((n for n, k in enumerate(found) if k in self.spatial), default=-1)
        places = sorted(ready, key=lambda w: found.index(w[1][0]) if w[1][0] in found else last)
        found[last + 1 : last + 1] = [w[1][1] for w in places]
        there = dict.fromkeys(k for _, ls in inner for k in ls if k in keep)
        return tuple(dict.fromkeys(k for k in (*found, *there) if k in there))

    def _foldable(self, w: Placed, operands: list[Operand]) -> bool:
        h, i, u = w[1]
        return (
            len({h, i, u}) == 3
            and not {h, i} & (set(self.out) | self._elsewhere(w))
            and any(h in ls for _, ls in operands)
        )

    def _fold(self, operand: Operand, w: Placed) -> Operand:
        (value, labels), (node, (h, i, u)) = operand, w
        if i not in labels:  # every kernel entry gets the same
            target = (*labels, i)
            value, labels = self.graph.aligned(value, labels, target), target
        at, tap = labels.index(h), labels.index(i)
        _, kernel, total, *_ = self._attr(node)
        n = len(labels)
        attr = (at - n, tap - n, kernel, total, node.stride, node.padding)
        axs = list(self.graph[value].axes)
        axs[at] = node.axes[2]
        axs.pop(tap)
        moved = [u if label == h else label for label in labels if label != i]
        return self.graph.put("col2im", (value,), attr, tuple(axs)), tuple(moved)
