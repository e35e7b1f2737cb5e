"""What `+ - * / @ ** .T .sum() .sq()` mean on array expressions: NumPy's reading, axes checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unified.symbolic.nodes import Expr


class Operators:
    """Arithmetic of expressions; `@` contracts as in NumPy, `*` is elementwise."""

    __slots__ = ()
    __array_ufunc__ = None  # let `ndarray + expr` reach us instead of looping over entries

    def __add__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.add(build.as_expr(self), build.as_expr(other))

    def __radd__(self, other: Any) -> Expr:
        return self.__add__(other)

    def __neg__(self) -> Expr:
        from unified.symbolic import build

        return build.scale(-1, build.as_expr(self))

    def __sub__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.add(build.as_expr(self), build.scale(-1, build.as_expr(other)))

    def __rsub__(self, other: Any) -> Expr:
        return self.__neg__() + other

    def __mul__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.multiply(build.as_expr(self), build.as_expr(other))

    def __rmul__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.multiply(build.as_expr(other), build.as_expr(self))

    def __truediv__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.multiply(build.as_expr(self), build.power(build.as_expr(other), -1))

    def __rtruediv__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.multiply(build.as_expr(other), build.power(build.as_expr(self), -1))

    def __pow__(self, exponent: Any) -> Expr:
        from unified.symbolic import build

        return build.power(build.as_expr(self), exponent)

    def __matmul__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.matmul(build.as_expr(self), build.as_expr(other))

    def __rmatmul__(self, other: Any) -> Expr:
        from unified.symbolic import build

        return build.matmul(build.as_expr(other), build.as_expr(self))

    @property
    def T(self) -> Expr:
        """The transpose: the axes in reverse order."""
        from unified.symbolic import build

        return build.transpose(build.as_expr(self))

    def sum(self) -> Expr:
        """The sum over all entries, a scalar."""
        from unified.symbolic import build

        return build.total(build.as_expr(self))

    def sq(self) -> Expr:
        """The squared Euclidean norm Σ x_i², a scalar (for entrywise squares write x*x)."""
        from unified.symbolic import build

        return build.total(build.multiply(build.as_expr(self), build.as_expr(self)))

    def dot(self, other: Any) -> Expr:
        """The full inner product Σ x_i y_i of two arrays of the same axes."""
        from unified.symbolic import build

        return build.total(build.multiply(build.as_expr(self), build.as_expr(other)))
