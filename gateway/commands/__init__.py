"""The commands of `ampacity`, a module each: `add_arguments(parser)`, `run(args) -> int`, the docstring as help."""
