"""`unified energies`: what the zoo holds, and what follows from one of its energies."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from unified.base.errors import bad_input

if TYPE_CHECKING:
    from unified.energies import Energy

NAME = "energies"
HELP = "list the energies of the library, or print all that is derived from one"
# Name -> how many sizes it takes (a pair: at least, at most; None: any number) and a default.
SIZES: dict[str, tuple[int, int | None, list[int]]] = {
    "hopfield": (2, None, [4, 3, 2]),
    "recurrent": (1, 2, [4, 3]),
    "predictive": (2, None, [4, 3, 2]),
    "linear_gaussian": (2, 2, [3, 2]),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", nargs="?", help="an energy (default: list them)")
    add("--sizes", metavar="N,N,...", help="units per layer, from the input up")
    add("--latex", action="store_true", help="formulas as LaTeX")
    add("--source", choices=("jax", "numpy"), help="print the generated code instead")


def run(args: argparse.Namespace) -> int:
    """Print; always 0 unless the input is bad."""
    from unified import energies

    makers: dict[str, Callable[..., Energy]] = {name: getattr(energies, name) for name in SIZES}
    if args.name is None:
        for name, make in makers.items():
            print(f"{name:16} {str(make.__doc__).splitlines()[0]}")
        return 0
    if args.name not in makers:
        raise bad_input("energy", "one of " + ", ".join(makers), repr(args.name), "choose one")
    sizes = _sizes(args.name, args.sizes)
    layered = SIZES[args.name][1] is None
    energy = makers[args.name](sizes) if layered else makers[args.name](*sizes)
    if args.source:
        from unified.codegen import emit
        from unified.energies import costs

        print(emit(energy, costs.squared(), backend=args.source).source, end="")
    elif args.latex:
        for what in ("energy", "dynamics", "rules", "hessian"):
            print(energy.latex(what))
    else:
        from unified.energies.show import energy_text

        print(energy_text(energy))
    return 0


def _sizes(name: str, text: str | None) -> list[int]:
    least, most, default = SIZES[name]
    if text is None:
        return default
    words = [w.strip() for w in text.split(",")]
    count = least <= len(words) and (most is None or len(words) <= most)
    if not count or not all(w.isascii() and w.isdigit() and int(w) > 0 for w in words):
        upper = "" if most == least else " or more" if most is None else f" to {most}"
        many = f"{least}{upper}"
        raise bad_input("--sizes", f"{many} positive whole numbers", repr(text),
                        f"use e.g. --sizes {','.join(map(str, default))}")  # fmt: skip
    return [int(w) for w in words]
