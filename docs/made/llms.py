# SPDX-License-Identifier: Apache-2.0
"""``llms.txt`` and ``llms-full.txt`` of the built pages: a list of them, and all their text, for programs that read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from made.links import among_pages
from made.markdown import MAKERS

FENCE = re.compile(r"^```\{([\w-]+)\} ?(.*?)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def plain(path: Path) -> str:
    """A page with all that the build puts into it, as Markdown.

    :param path: its source.
    """

    def replaced(fence: re.Match[str]) -> str:
        name, argument, options = fence.groups()
        if name in MAKERS:
            return MAKERS[name](argument)
        if name == "literalinclude":
            return f"```python\n{_cut((path.parent / argument).read_text(), options)}```"
        if name == "include":
            return among_pages(_cut((path.parent / argument).read_text(), options))
        return ""  # a list of pages, or what is made of docstrings, which the reference shows

    return FENCE.sub(replaced, path.read_text())


def _cut(text: str, options: str) -> str:
    """What of a file is included."""
    told = {name: value.strip('"') for name, value in re.findall(r"^:([\w-]+): (.*)$", options, re.MULTILINE)}
    if after := told.get("start-after"):
        text = text.partition(after)[2].partition("\n")[2]
    if before := told.get("end-before"):
        text = text.partition(before)[0].rpartition("\n")[0] + "\n"
    return text


def summary(text: str) -> tuple[str, str]:
    """The title and the first paragraph of a page."""
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    body = text[title.end() :] if title else text
    first = next((part for part in body.split("\n\n") if re.match(r"`\w|[^#<`|!\[\s:(-]", part.lstrip())), "")
    line = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(first.split()))
    return (title[1] if title else ""), re.split(r"(?<=[.。]) |(?<=。)", line)[0]


def sections(app: Any) -> Iterator[tuple[str, list[str]]]:
    """The lists of pages on the first page, with their captions."""
    for caption, names in re.findall(r"```\{toctree\}\n(?:.*\n)*?:caption: (.*)\n\n((?:.+\n)+?)```", _root(app)):
        yield caption, [name for name in names.split() if name in app.env.found_docs]


def _root(app: Any) -> str:
    return Path(app.env.doc2path(app.config.root_doc)).read_text()


def _write(app: Any, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    lines, whole = [f"# {app.config.project}", "", f"> {_about(app)}"], []
    for caption, names in sections(app):
        lines += ["", f"## {caption}", ""]
        for name in names:
            text = plain(Path(app.env.doc2path(name)))
            title, first = summary(text)
            lines.append(f"- [{title}]({name}.html): {first}")
            whole.append(text)
    Path(app.outdir, "llms.txt").write_text("\n".join(lines) + "\n")
    Path(app.outdir, "llms-full.txt").write_text("\n\n".join(whole))


def _about(app: Any) -> str:
    return summary(plain(Path(app.env.doc2path(app.config.root_doc))))[1]


def setup(app: Any) -> dict[str, Any]:
    """Write them when the pages are built."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True}
