"""LaTeX formulas as one line of Unicode, for terminals."""

from __future__ import annotations

import re
from collections.abc import Iterator

_GREEK = (
    "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε eta η theta θ kappa κ lambda λ mu μ "
    "nu ν xi ξ pi π rho ρ sigma σ tau τ phi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ "
    "Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω"
)
_SIGNS = (
    "top ᵀ odot ⊙ otimes ⊗ cdot · times × partial ∂ nabla ∇ sum Σ prod Π int ∫ infty ∞ leq ≤ geq ≥ "
    "le ≤ ge ≥ neq ≠ ne ≠ to → quad ␣ qquad ␣ langle ⟨ rangle ⟩ lVert ‖ rVert ‖ lvert | rvert | "
    "in ∈ succ ≻ prec ≺ succeq ⪰ preceq ⪯ approx ≈ equiv ≡ propto ∝ pm ± cdots ⋯ dots … ldots … "
    "star ⋆ circ ∘ log log det det exp exp tr tr cos cos sin sin tan tan cot cot min min max max "
    "tanh tanh cosh cosh sinh sinh lim lim sup sup inf inf ln ln arg arg Re Re Im Im ll ≪ gg ≫ "
    "Rightarrow ⇒ iff ⇔ mapsto ↦ forall ∀ mid | ast * dag † ell ℓ"
)
_WORDS = {
    k: v.replace("␣", "  ")
    for pair in (_GREEK, _SIGNS)
    for k, v in zip(pair.split()[::2], pair.split()[1::2], strict=True)
}
_NAMED = {"log", "det", "exp", "tr", "cos", "sin", "tan", "cot", "min", "max", "tanh", "lim", "arg"}
_UP = dict(zip("0123456789+-=()n ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ ", strict=True)) | {"ᵀ": "ᵀ", "−": "⁻"}
_DOWN = dict(zip("0123456789+-=()aeijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_DROPPED = {"left", "right", "displaystyle", "limits", "big", "Big", "bigl", "bigr", "Bigl",
            "Bigr", "biggl", "biggr", "textstyle", "nolimits"}  # fmt: skip
_KEPT = {"text", "mathrm", "operatorname", "mathbf", "mathcal", "boldsymbol", "mathit", "hat",
         "tilde", "bar", "underbrace", "overset", "dot"}  # fmt: skip
_MARK = {"dot": "\u0307", "hat": "\u0302", "tilde": "\u0303", "bar": "\u0304"}
_HALVES = {("1", "2"): "½", ("1", "3"): "⅓", ("1", "4"): "¼", ("1", "6"): "⅙"}
_TOKEN = re.compile(r"\\([A-Za-z]+)\*?|\\(.)|([\s\S])")


def plain(latex: str) -> str:
    """A formula as readable text; what is not known is kept as it was written.

    Equation: `\\tfrac{1}{2} s^\\top A s` becomes `½ sᵀ A s`.
    """
    lines = re.sub(r"\\(begin|end)\{[a-z*]+\}(\{[a-z]+\})?", "", latex).split(r"\\")
    shown = [_tidy(_read(iter(_tokens(line)))) for line in lines]
    return "\n".join(line for line in shown if line)


def _tidy(x: str) -> str:
    """Spaces where a printer would leave them: none after ∂, none between a function and its (."""
    x = re.sub(r"([∂∇⟨]) +", r"\1", re.sub(r" +", " ", x))
    return re.sub(r"\b(tanh|cosh|sinh|sin|cos|tan|cot|exp) (?=[(²⁻])", r"\1", x).strip()


def _tokens(text: str) -> list[str]:
    return [f"\\{a}" if a else f"\\{b}" if b else c for a, b, c in _TOKEN.findall(text)]


def _read(tokens: Iterator[str], stop: str = "") -> str:
    found = ""
    for token in tokens:
        if token == stop:
            break
        found = _place(found, token, tokens)
    return found


def _group(tokens: Iterator[str]) -> str:
    """The next argument: a braced group, or one token."""
    for token in tokens:
        if token.isspace():
            continue
        return _read(tokens, "}") if token == "{" else _place("", token, tokens)
    return ""


def _place(found: str, token: str, tokens: Iterator[str]) -> str:
    if token == "{":
        return found + _read(tokens, "}")
    if token in ("^", "_"):
        return found + _script(_group(tokens).strip(), token == "^")
    if token == "&":
        return found + " "
    if token == "-":
        return found + "−"
    if not token.startswith("\\"):
        return found + token
    name = token[1:]
    if name in ("frac", "tfrac", "dfrac"):
        return found + _fraction(_group(tokens).strip(), _group(tokens).strip())
    if name == "sqrt":
        return found + "√(" + _group(tokens) + ")"
    if name in _DROPPED or name in "!":
        return found
    if name in _MARK:
        return found + _group(tokens) + _MARK[name]
    if name in _KEPT:
        return found + _group(tokens) + (" " if name == "operatorname" else "")
    if name in ",;: ":
        return found + " "
    if name in "{}|%&_#$":
        return found + ("‖" if name == "|" else name)
    word = _WORDS.get(name, token)
    return found + (f" {word} " if name in _NAMED else word)


def _fraction(top: str, bottom: str) -> str:
    top, bottom = _tidy(top), _tidy(bottom)
    if (top, bottom) in _HALVES:
        return _HALVES[top, bottom]
    return f"{_wrapped(top)}/{_wrapped(bottom)}"


def _wrapped(x: str) -> str:
    whole = len(x) <= 1 or not re.search(r"[ +−·/⊙]", x)
    return x if whole else f"({x})"


def _script(x: str, up: bool) -> str:
    table = _UP if up else _DOWN
    if x in ("'", "\u2032"):
        return "'"
    if x and all(c in table for c in x):
        return "".join(table[c] for c in x)
    return ("^" if up else "_") + (x if len(x) == 1 else f"({x})")
