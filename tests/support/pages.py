# SPDX-License-Identifier: Apache-2.0
"""The Markdown that users read, and the blocks of code in it.

A line before a block says what becomes of it in the tests: ``<!-- run -->`` (a shell runs it), ``<!-- run:
background -->`` (it serves until the page is done), ``<!-- file: NAME -->`` (it is written there), or why it
is not run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: What a reader may come to; those of the root, of ``docs`` and of ``skills``.
PAGES = sorted(
    (*ROOT.glob("README*.md"), ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "skills").rglob("*.md"))
)

BLOCK = re.compile(r"(?:^<!-- (?P<mark>.*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code.

    :param language: ``bash``, ``python``, ...
    :param text: the code.
    :param mark: what the line before says of it; empty if there is none.
    """

    language: str
    text: str
    mark: str


def name_of(page: Path) -> str:
    """A page's name, as tests show it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str = "") -> list[Block]:
    """The blocks of a page, in order.

    :param page: the page.
    :param language: only those of this language.
    """
    found = [Block(each["language"], each["text"], each["mark"] or "") for each in BLOCK.finditer(page.read_text())]
    return [block for block in found if not language or block.language == language]
