"""The style sheet of the report; no fonts, scripts or images from elsewhere."""

CSS = """
:root { color-scheme: light dark; --ink: #1c2024; --paper: #ffffff; --soft: #5b6570;
  --line: #d8dde2; --wash: #f4f6f8; --good: #00664a; --bad: #b3261e; --goodwash: #e5f4ee;
  --badwash: #fbe9e7; --link: #005a9c; --name: #7a3e00; --key: #005a9c; --text: #00664a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --paper: #15181b;
  --soft: #9aa4ae; --line: #363c42; --wash: #1f2327; --good: #6fd3ae; --bad: #ff9b8f;
  --goodwash: #14301f; --badwash: #3a1c19; --link: #79b8ff; --name: #ffb77a; --key: #79b8ff;
  --text: #6fd3ae; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.2rem 4rem; max-width: 54rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .8rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: 1rem;
  border-top: 1px solid var(--line); }
a { color: var(--link); }
nav { font-size: .92rem; margin: 1rem 0; }
nav a { margin-right: 1.1rem; white-space: nowrap; }
nav.long { columns: 2; column-gap: 2rem; font-size: .85rem; }
nav.long a { display: block; white-space: normal; margin: 0 0 .15rem; break-inside: avoid; }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .3rem; }
ul { margin: .3rem 0; padding-left: 1.3rem; }
.verdict { padding: .7rem 1rem; border-left: 5px solid; border-radius: 4px; font-weight: 600; }
.verdict.good { border-color: var(--good); background: var(--goodwash); }
.verdict.bad { border-color: var(--bad); background: var(--badwash); }
.caption, figcaption, caption { color: var(--soft); font-size: .92rem; text-align: left; }
caption { padding: .3rem 0; }
.scroll { overflow-x: auto; overflow-y: hidden; margin: .8rem 0; }
.formula { padding: .2rem 0; }
.formula .scroll { margin: .2rem 0 .6rem; padding: .35rem 0; }
math { font-family: "Cambria Math", "STIX Two Math", "Latin Modern Math", "Libertinus Math",
  "STIX Math", "DejaVu Math TeX Gyre", math; }
mtd[columnalign="left"] { text-align: left; } mtd[columnalign="right"] { text-align: right; }
math[display="block"] { display: inline math; math-style: normal; font-size: 1.15rem; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 4px;
  padding: .8rem 1rem; overflow-x: auto; font: 13px/1.5 ui-monospace, Menlo, Consolas,
  monospace; }
pre .k { color: var(--key); font-weight: 600; } pre .s { color: var(--text); }
pre .c { color: var(--soft); font-style: italic; } pre .d { color: var(--name); }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; border-bottom-width: 2px; }
table.checks tr > :first-child { padding-left: .5rem; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.passed { color: var(--good); font-weight: 600; white-space: nowrap; }
td.failed { color: var(--bad); font-weight: 600; white-space: nowrap; }
tr.failed td { background: var(--badwash); }
code { font: .9em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
@media print { body { max-width: none; } pre { white-space: pre-wrap; } }
"""
