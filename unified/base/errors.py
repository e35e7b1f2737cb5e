"""Errors that say, in one sentence, the argument, what was expected, what came, and the remedy."""

from collections.abc import Sequence

_LONGEST = 120


class UnifiedError(ValueError):
    """Any error this library raises on purpose; its text is one sentence."""


class InputError(UnifiedError):
    """An argument, a file or a name that cannot be used as it is."""


class AxisError(InputError):
    """Two array axes that do not match; the sentence names both."""


class ConvergenceError(UnifiedError):
    """A phase that did not reach a usable equilibrium.

    Attributes:
        status: one status per sample of the batch, as text.
    """

    def __init__(self, message: str, status: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = list(status)


class CacheWarning(UserWarning):
    """A cached file could not be used and was made again."""


def describe(value: object) -> str:
    """Say ``value`` in a few words: text as it is, arrays by shape and dtype, else a short repr."""
    if isinstance(value, str):
        text = value
    elif getattr(value, "shape", ()) != () and hasattr(value, "dtype"):
        array: object = value
        text = f"an array of shape {array.shape} and dtype {array.dtype}"  # type: ignore[attr-defined]
    else:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def bad_input(
    argument: str,
    expected: str,
    got: object,
    remedy: str,
    kind: type[InputError] = InputError,
) -> InputError:
    """Build the error to raise for an argument that cannot be used.

    Args:
        argument: its name, as the caller wrote it (``"beta"``, ``"--out"``, a file name).
        expected: what would have been accepted.
        got: what came: text (kept as it is), an array (its shape and dtype are said), or a value.
        remedy: what to do, as a clause without a full stop.
        kind: the class of the error.

    >>> print(bad_input("beta", "a non-zero number", 0, "use e.g. beta=0.01"))
    beta: expected a non-zero number, got 0; use e.g. beta=0.01.
    """
    return kind(f"{argument}: expected {expected}, got {describe(got)}; {remedy.rstrip('. ')}.")
