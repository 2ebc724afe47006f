"""Records of measured figures, their text table, and the file ``out/bench.json``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One figure and its reference, both of the same run.

    name: area/figure/case.
    reference: meaning of the reference value.
    """

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float


class BrokenPromiseError(Exception):
    """A violation of what the node promises; the text names it, and how to reproduce it.

    records: figures to keep all the same.
    """

    def __init__(self, text: str, records: Iterable[Record]) -> None:
        super().__init__(text)
        self.records = tuple(records)


def table(records: Iterable[Record]) -> str:
    """Return the records as aligned text."""
    rows = [
        (r.name, f"{r.value:.4g} {r.unit}", f"{r.reference_value:.4g} {r.unit}", r.reference)
        for r in records
    ]
    rows.insert(0, ("figure", "value", "reference", "which is"))
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    return "\n".join(
        f"{name:{widths[0]}}  {value:>{widths[1]}}  {reference:>{widths[2]}}  {what}"
        for name, value, reference, what in rows
    )


def keep(path: Path, records: Iterable[Record]) -> None:
    """Write records into a file; those of the same names are replaced, the others stay."""
    kept = {}
    if path.exists():
        kept = {entry["name"]: entry for entry in json.loads(path.read_text())}
    kept |= {record.name: dataclasses.asdict(record) for record in records}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([kept[name] for name in sorted(kept)], indent=1) + "\n")
