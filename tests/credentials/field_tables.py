# SPDX-License-Identifier: Apache-2.0
"""The tables of fields in docs/connections.md: ``python tests/credentials/field_tables.py`` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_cloudjobs.connection.fields import TABLES, Field, FieldTable, table_of

PAGE = Path(__file__).parents[2] / "docs" / "connections.md"

HEAD = "| field | meaning | if empty | modes (`auth`); **bold** ones need it |\n|---|---|---|---|\n"


def markdown(table: FieldTable) -> str:
    """A cloud's fields as a table."""
    return HEAD + "".join(f"| {' | '.join(_cells(each))} |\n" for each in table.fields)


def _cells(field: Field) -> tuple[str, str, str, str]:
    name = field.name if field.own else f"`{field.name}`"
    words = f": {', '.join(f'`{word}`' for word in field.choices)}" if field.kind == "choice" else ""
    modes = [f"**`{mode}`**" for mode in field.needed] + [f"`{mode}`" for mode in field.taken]
    return name, field.meaning + words, field.fallback, ", ".join(modes) or "all"


def with_tables(text: str) -> str:
    """The page with its tables as they should be, each between two comments that name its cloud."""
    for cloud in TABLES:
        begin, end = f"<!-- fields of {cloud} -->\n", f"<!-- end of fields of {cloud} -->\n"
        table = f"{begin}\n{markdown(table_of(cloud))}\n{end}"
        text, found = re.subn(f"{begin}.*?{end}", lambda _, table=table: table, text, flags=re.DOTALL)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"{PAGE} has {found} places for the fields of {cloud}")
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
