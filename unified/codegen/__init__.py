"""Floor 3: generated array programs."""

from unified.codegen.program import Program, emit

__all__ = ["Program", "emit"]
