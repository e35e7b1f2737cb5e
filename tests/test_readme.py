"""The README's session is run in a fresh process and must print what the README says."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
RUNNER = """
import doctest, sys
session = sys.stdin.read()
test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
result = doctest.DocTestRunner().run(test)
print(result.attempted, "run", result.failed, "failed")
sys.exit(result.failed > 0)
"""


def blocks():
    """The Python blocks of the README, as text."""
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def run(session):
    words = [sys.executable, "-c", RUNNER]
    return subprocess.run(words, input=session, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("number", range(len(blocks())))
def test_the_session_prints_what_it_says(number):
    """The first thing anyone tries; if it fails or lies, nothing else is believed."""
    done = run(blocks()[number])
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stdout.startswith("0 run")


def test_control_a_wrong_output_is_noticed():
    """A comparison that accepts anything would let the README drift."""
    assert run(">>> 1 + 1\n3\n").returncode == 1


def test_the_first_screen_has_the_two_commands_and_ten_lines():
    """What to type has to be seen without scrolling."""
    screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:40])
    assert "make demo" in screen and "make test" in screen and "pip install" in screen
    examples = doctest.DocTestParser().get_examples(blocks()[0])
    assert len(examples) == 10 and blocks()[0] in screen + "\n"
