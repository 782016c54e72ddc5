"""What to run: a YAML matrix becomes a list of resolved cases. Imports no MLX."""

from ltxbench.matrix.case import Case, Group, Matrix, Section
from ltxbench.matrix.catalog import find
from ltxbench.matrix.reader import load
from ltxbench.matrix.selection import argument, reproduce_command, select, twin

__all__ = ["Case", "Group", "Matrix", "Section", "argument", "find", "load", "reproduce_command", "select", "twin"]
