"""Rules as data: the strict readers of schema/operators.toml, fixes.toml and targets/*.toml."""
