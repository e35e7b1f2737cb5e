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
    "cohen_grossberg": (2, None, [4, 3, 2]),
    "dense_memory": (2, 3, [4, 6]),
    "predictive": (2, None, [4, 3, 2]),
    "deep_linear": (2, None, [4, 3, 2]),
    "linear_gaussian": (2, 2, [3, 2]),
    "linear_gaussian_chain": (3, 4, [2, 1, 3]),
    "quadratic_chain": (2, None, [4, 3, 2]),
    "conv_hopfield": (4, None, [6, 6, 1, 2]),
    "conv_predictive": (4, None, [6, 6, 1, 2]),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", nargs="?", help="an energy (default: list them)")
    told = "units per layer, from the input up (conv: height, width, channels, then more channels)"
    add("--sizes", metavar="N,N,...", help=told)
    add("--latex", action="store_true", help="formulas as LaTeX")
    add("--source", choices=("jax", "numpy", "pytensor"), help="print the generated code instead")


def run(args: argparse.Namespace) -> int:
    """Print; always 0 unless the input is bad."""
    from unified import energies

    makers: dict[str, Callable[..., Energy]] = {name: getattr(energies, name) for name in SIZES}
    if args.name is None:
        for name, make in makers.items():
            print(f"{name:22} {str(make.__doc__).splitlines()[0]}")
        return 0
    if args.name not in makers:
        raise bad_input("energy", "one of " + ", ".join(makers), repr(args.name), "choose one")
    sizes = parse_sizes(args.name, args.sizes)
    layered = SIZES[args.name][1] is None
    if args.name.startswith("conv_"):
        energy = makers[args.name](sizes[:3], sizes[3:])
    else:
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


def parse_sizes(name: str, text: str | None) -> list[int]:
    """Units per layer as --sizes says them. Raises: InputError if they do not fit the energy."""
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
