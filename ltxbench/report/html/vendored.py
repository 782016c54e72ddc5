"""Vega's JavaScript, kept in the repository so that a page needs no network: `python -m ltxbench.report.html.vendored`.

One classic script with Vega, Vega-Lite and Vega-Embed in the versions that Altair writes for. Taken from the wheel of
vl-convert-python (extra `browser`), which Altair's own offline export uses too.
"""

from __future__ import annotations

from pathlib import Path

VENDOR = Path(__file__).with_name("vendor")
BUNDLE = VENDOR / "vega.js"
LICENCES = VENDOR / "vega-licences.txt"
GLOBALS = "window.vegaEmbed = vegaEmbed;"


def header(altair_schema: str, vega: str, vega_embed: str) -> str:
    return (
        f"/* Vega {vega}, Vega-Lite {altair_schema}, Vega-Embed {vega_embed} and what they are built on; "
        f"licences: {LICENCES.name} */\n"
    )


def refresh() -> None:
    """Writes the bundle for the installed Altair. Needs vl-convert-python."""
    import altair
    import vl_convert

    schema = altair.SCHEMA_VERSION.removeprefix("v")
    code = vl_convert.javascript_bundle(GLOBALS, vl_version=".".join(schema.split(".")[:2]))
    first = header(schema, vl_convert.get_vega_version(), vl_convert.get_vega_embed_version())
    BUNDLE.write_text(first + code.rstrip() + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    refresh()
