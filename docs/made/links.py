# SPDX-License-Identifier: Apache-2.0
"""Files of the repository's root that are pages too: their links, as they are among the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGES = {
    "README.md": "/index.md",
    "README.zh-CN.md": "/zh/index.md",
    "ARCHITECTURE.md": "/architecture.md",
    "CONTRIBUTING.md": "/contributing.md",
    "CHANGELOG.md": "/changelog.md",
    "SECURITY.md": "/security-policy.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)")


def among_pages(text: str) -> str:
    """A text of the root with its links as a page has them; what is no page is named without a link.

    :param text: its Markdown.
    """

    def changed(link: re.Match[str]) -> str:
        mark, title, target, place = link.groups()
        page = PAGES.get(target) or (f"/{target.removeprefix('docs/')}" if target.startswith("docs/") else "")
        return f"{mark}[{title}]({page}{place or ''})" if page else f"`{target}`"

    return LINK.sub(changed, text)


def _included(app: Any, path: Path, parent: str, text: list[str]) -> None:
    if path.parent.name == ".." or path.parts[:-1] == ("..",):
        text[0] = among_pages(text[0])


def setup(app: Any) -> dict[str, Any]:
    """Change what is included."""
    app.connect("include-read", _included)
    return {"parallel_read_safe": True}
