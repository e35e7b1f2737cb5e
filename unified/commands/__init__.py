"""Floor 8: what `unified NAME` does, one module per command.

Each module has `NAME`, `HELP`, `add_arguments(parser)` and `run(args) -> exit status`, and imports
nothing heavy before `run`, so that `unified --help` answers at once.
"""
