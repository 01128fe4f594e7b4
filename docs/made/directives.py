# SPDX-License-Identifier: Apache-2.0
"""The directives of :data:`made.markdown.MAKERS`, for Sphinx."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from made.markdown import MAKERS


class Made(SphinxDirective):
    """Markdown that is made by the function of the directive's name."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """What the page gets."""
        text = MAKERS[self.name](self.arguments[0] if self.arguments else "")
        node = nodes.Element()
        node.document = self.state.document
        self.state.nested_parse(StringList(text.splitlines(), self.get_source_info()[0]), 0, node, match_titles=True)
        return node.children


def setup(app: Any) -> dict[str, Any]:
    """Register them."""
    for name in MAKERS:
        app.add_directive(name, Made)
    return {"parallel_read_safe": True}
