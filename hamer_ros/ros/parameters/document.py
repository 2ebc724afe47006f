"""The table of all parameters for the documentation, made from their declaration.

``python -m hamer_ros.ros.parameters.document`` prints it.
"""

from __future__ import annotations

import dataclasses
import json

from hamer_ros.ros.parameters.table import Parameters


def table_text() -> str:
    """Return the table as Markdown, as the documentation holds it; ``*`` marks live parameters."""
    rows = [_row(field) for field in dataclasses.fields(Parameters)]
    lines = ["| parameter | default | range or choices | meaning |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def _row(field: dataclasses.Field) -> tuple[str, str, str, str]:
    meta = field.metadata
    default = meta["default"]
    return (
        f"`{field.name}`" + (" *" if meta["live"] else ""),
        f"`{default}`" if default and isinstance(default, str) else f"`{json.dumps(default)}`",
        _values(field),
        meta["description"],
    )


def _values(field: dataclasses.Field) -> str:
    """Return the range or choices of a parameter; empty where its description names them."""
    meta = field.metadata
    if meta["choices"]:
        return ", ".join(f"`{choice}`" for choice in meta["choices"])
    if meta["limits"] is not None:
        low, high = meta["limits"]
        return f"{low:g} to {high:g} {meta['unit']}".rstrip()
    return "`true`, `false`" if isinstance(meta["default"], bool) else ""


if __name__ == "__main__":
    print(table_text(), end="")
