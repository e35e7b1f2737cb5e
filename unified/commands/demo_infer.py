"""The section of the demo on inference: relaxation against PyMC and closed forms, short chains."""

from __future__ import annotations

from pathlib import Path

from unified.commands import infer
from unified.commands.demo_part import Part
from unified.commands.infer_net import make_subject
from unified.commands.infer_study import Study, tried
from unified.data import Dataset, load
from unified.report import Report

TITLE = "Relaxation as inference, checked in PyMC"


def run(out: Path, data: Dataset, quick: bool) -> Part:
    """The quick study of `unified infer`; a quick demo has its linear twin only.

    It is always about the embedded digits: its net has to be small.
    """
    digits = data if data.name == "digits" else load("digits", center=True)
    subject = make_subject(digits)
    print(f"\n== {TITLE}\n{infer.told(subject)}")
    study = Study(subject, out, seed=0, whole=False)
    findings = []
    for step in infer.steps(whole=False):
        if quick and step.__name__ != "twin":
            continue
        findings.append(tried(step, study))
        infer.show(findings[-1])

    def write(page: Report) -> None:
        page.section(TITLE)
        infer.introduce(page, subject)
        for finding in findings:
            page.part(finding.title)
            finding.write(page)

    return Part(
        TITLE, [c for f in findings for c in f.checks],
        {"image": subject.number, "label": subject.label, "quick": quick,
         "steps": {f.title: f.facts for f in findings}},
        [name for f in findings for name in f.figures], write,
    )  # fmt: skip
