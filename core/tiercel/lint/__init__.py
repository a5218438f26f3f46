"""Lint: what loads and is hardly meant. One module for each kind of finding; `tiercel.lint.linter` has the list of all checks."""
