"""Names that may appear in expressions and in generated code."""

from keyword import iskeyword

from unified.base.errors import bad_input

_LONGEST = 60


def check_identifier(name: object, what: str = "name") -> str:
    """Return ``name`` if it is safe in generated code, else raise.

    Safe is: a ``str``, an ASCII Python identifier, no keyword, no leading underscore (so no
    dunder), at most 60 characters. Non-ASCII letters are refused because Python folds some of
    them together, so two names that look different could be one variable.

    Args:
        name: what the user wrote.
        what: what it names, for the error (``"state"``, ``"axis"``).

    Raises:
        InputError: in every other case.
    """
    expected = "an ASCII Python identifier without a leading underscore"
    if not isinstance(name, str):
        raise bad_input(f"{what} name", expected, name, "pass a str such as 'W1'")
    shown = repr(name)
    if len(name) > _LONGEST:
        raise bad_input(
            f"{what} name", f"at most {_LONGEST} characters", f"{len(name)}", "shorten it"
        )
    if iskeyword(name):
        raise bad_input(f"{what} name", expected, f"the keyword {shown}", f"use {name + '1'!r}")
    if name.startswith("_"):
        remedy = "names with a leading underscore are reserved for generated code, drop it"
        raise bad_input(f"{what} name", expected, shown, remedy)
    if not (name.isascii() and name.isidentifier()):
        remedy = "use letters, digits and underscores, starting with a letter"
        raise bad_input(f"{what} name", expected, shown, remedy)
    return str(name)


def fresh_name(name: str, taken: set[str]) -> str:
    """`name`, with underscores added until nothing in `taken` is called so."""
    while name in taken:
        name += "_"
    return name
