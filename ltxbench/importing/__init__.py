"""Reads figures that others published: a page with profiles, or what `ltx-video generate --profile` printed."""

from ltxbench.importing.run import import_published

__all__ = ["import_published"]
