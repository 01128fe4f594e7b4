# SPDX-License-Identifier: Apache-2.0
"""Placeholders in texts: ``{name}`` is filled in, ``{name?}`` is left out where it is not given, ``{name:,}`` is a
list, joined by commas. What is filled in is never looked at again for placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.request import as_text, encoded

HOLE = re.compile(r"\{([A-Za-z_][\w.-]*)(\?|:,)?\}", re.ASCII)

ABSENT: Any = object()
"""What a template gives that holds nothing but a placeholder for something not given."""

Fill = Callable[[Mapping[str, Any]], Any]
"""Makes the value of a template from what is filled in."""


class NotGiven(LookupError):
    """A placeholder that nothing is given for.

    :param name: its name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Unfit(ValueError):
    """A value that cannot stand where its placeholder does.

    :param name: the placeholder's name.
    :param problem: what is wrong and what is allowed.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name!r} {problem}")
        self.name = name
        self.problem = problem


def texts_in(template: Any) -> Iterator[str]:
    """All texts in a JSON value, the names in its objects too."""
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        for name, item in template.items():
            yield name
            yield from texts_in(item)
    elif isinstance(template, tuple):
        for item in template:
            yield from texts_in(item)


def holes_in(template: Any) -> dict[str, bool]:
    """The placeholders of a template, each with whether it must be given.

    :raises ValueError: for braces that are no placeholder.
    """
    found: dict[str, bool] = {}
    for text in texts_in(template):
        rest = HOLE.sub("", text)
        if "{" in rest or "}" in rest:
            raise ValueError(
                f"holds {text!r}, whose braces are no placeholder: write {{name}}, {{name?}} or {{name:,}}"
            )
        for match in HOLE.finditer(text):
            if match[2] == "?" and match[0] != text:
                raise ValueError(f"holds {text!r}: {match[0]} must stand alone, since it is left out if not given")
            found[match[1]] = found.get(match[1], False) or match[2] != "?"
    return found


def filler(template: Any) -> Fill:
    """What fills a template in; it is looked at once, here.

    :param template: a JSON value with placeholders.
    :return: gives the value, or :data:`ABSENT`; raises :class:`NotGiven` and :class:`Unfit`.
    """
    if not any(map(HOLE.search, texts_in(template))):
        return lambda values: template
    if isinstance(template, Mapping):
        items = [(name, filler(item)) for name, item in template.items()]
        return lambda values: {name: item for name, fill in items if (item := fill(values)) is not ABSENT}
    if isinstance(template, tuple):
        fills = [filler(item) for item in template]
        return lambda values: [item for fill in fills if (item := fill(values)) is not ABSENT]
    match = HOLE.fullmatch(template)
    if match and match[2] == "?":
        name = match[1]
        return lambda values: ABSENT if values.get(name) is None else values[name]
    if match and not match[2]:
        name = match[1]
        return lambda values: given(values, name)
    return text_filler(template)


def text_filler(
    template: str, of: Callable[[str, Any], str] | None = None, *, keep: str = ""
) -> Callable[[Mapping[str, Any]], str]:
    """What fills a text in, which stays a text.

    :param template: the text.
    :param of: makes the text of a value, given its placeholder's name; None takes the value's own.
    :param keep: a placeholder that stays, for somebody else to fill in.
    """
    pieces: list[str | tuple[str, Callable[[str, Any], str]]] = []
    done = 0
    for match in HOLE.finditer(template):
        if match[1] == keep:
            continue
        pieces += [template[done : match.start()], (match[1], of or (_joined if match[2] == ":," else _text))]
        done = match.end()
    pieces = [piece for piece in [*pieces, template[done:]] if piece]

    def fill(values: Mapping[str, Any]) -> str:
        return "".join(
            [piece if isinstance(piece, str) else piece[1](piece[0], given(values, piece[0])) for piece in pieces]
        )

    return fill


def given(values: Mapping[str, Any], name: str) -> Any:
    """What is given for a placeholder; raises :class:`NotGiven` for nothing, and for None."""
    value = values.get(name)
    if value is None:
        raise NotGiven(name)
    return value


def _text(name: str, value: Any) -> str:
    return as_text(value)


def _joined(name: str, value: Any) -> str:
    texts = [as_text(item) for item in (as_list(value) if is_sequence(value) else [value])]
    for text in texts:
        if not text or "," in text:
            raise Unfit(name, "holds an item that is empty or has a comma; the API takes them joined by commas")
    return ",".join(texts)


_PLAIN = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*", re.ASCII).fullmatch
_NO_PART = re.compile(r"[\x00-\x1f\x7f/\\?#]")


def path_part(name: str, value: Any) -> str:
    """A value as a part of a path, which it cannot change.

    :param name: its placeholder, for the error.
    :param value: the value.
    :raises Unfit: if it is no text or number, is empty or dots, or holds what parts paths.
    """
    if isinstance(value, str) and _PLAIN(value):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Unfit(name, f"is a {type(value).__name__}, and cannot stand in a path; give a text or a number")
    text = str(value)
    if not text.strip():
        raise Unfit(name, "is empty, and cannot stand in a path")
    if not text.strip(".") or _NO_PART.search(text):
        raise Unfit(name, f"is {text!r}, which cannot stand in a path: it has no '/', '\\', '?', '#', and is not '..'")
    return encoded(text)


def header_text(name: str, value: Any) -> str:
    """A value as that of a header.

    :raises Unfit: if it holds a line break, or what headers cannot hold.
    """
    text = as_text(value)
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise Unfit(name, "is for a header, which holds ASCII text in one line, without blanks at its ends")
    return text
