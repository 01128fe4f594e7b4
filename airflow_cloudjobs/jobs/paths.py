# SPDX-License-Identifier: Apache-2.0
"""Where something stands in an answer: ``a.b``; ``list[].b`` is that of each item; ``list[id]`` is the item with a
job's key in its ``id``. No expression language: what cannot be said so is code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_cloudjobs.jobs.many import is_sequence

Every = Callable[[Any], list[Any]]
"""What reads all values at a path."""

_PATH = re.compile(r"[^\s.\[\]{}]+(?:\[\])?(?:\.[^\s.\[\]{}]+(?:\[\])?)*")
_CHOICE = re.compile(r"(?P<list>[^\[\]{}]*(?:\[\][^\[\]{}]*)*)\[(?P<by>[^\s\[\]{}]+)\]")


def check_path(path: str, *, several: bool) -> None:
    """Refuse what is no path.

    :param path: the path.
    :param several: whether it may find more than one value.
    :raises ValueError: with what is wrong.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no path; write names with dots between them, e.g. 'data.status'")
    if "[]" in path and not several:
        raise ValueError(f"{path!r} may find several values; write a path without []")


def choice(path: str) -> tuple[str, str] | None:
    """The two parts of ``list[id]``; None for another path.

    :raises ValueError: if one of them is no path.
    """
    match = _CHOICE.fullmatch(path)
    if not match:
        return None
    check_path(match["list"], several=True)
    check_path(match["by"], several=False)
    return match["list"], match["by"]


def one(path: str) -> Callable[[Any], Any]:
    """What reads the value at a path without ``[]``: None if it is not there.

    The reader raises TypeError where something else than an object stands on the way.
    """
    names = path.split(".") if path else []
    if len(names) == 1:
        name = names[0]
        return lambda value: _member(value, name)

    def read(value: Any) -> Any:
        for name in names:
            if value is None:
                return None
            value = _member(value, name)
        return value

    return read


def _member(value: Any, name: str) -> Any:
    if type(value) is not dict and not isinstance(value, Mapping):  # the latter costs five times as much
        raise TypeError(f"{name!r} is looked for in a {type(value).__name__}")
    return value.get(name)


def every(path: str) -> Every:
    """What reads all values at a path; none of what it finds is None."""
    steps = [(part.removesuffix("[]"), part.endswith("[]")) for part in path.split(".")] if path else []

    def read(value: Any) -> list[Any]:
        found = [value]
        for name, each in steps:
            found = [item[name] for item in found if isinstance(item, Mapping) and item.get(name) is not None]
            if each:
                found = [item for items in found for item in _items(items, name)]
        return found

    return read


def _items(value: Any, name: str) -> Sequence[Any]:
    if not is_sequence(value):
        raise TypeError(f"{name!r} is a {type(value).__name__}, not a list")
    return [item for item in value if item is not None]


def listed(path: str) -> Callable[[Any], list[Any]]:
    """What reads the items of a list that must be there, be it empty or null.

    The reader raises TypeError where it is not: an answer of another form says nothing of what it does not hold.
    """
    parent, _, name = path.rpartition(".")
    holders, each = every(parent), name.endswith("[]")
    name = name.removesuffix("[]")

    def read(value: Any) -> list[Any]:
        found = holders(value)
        if not found or not all(isinstance(holder, Mapping) and name in holder for holder in found):
            raise TypeError(f"{path!r} is not there")
        items = [item for holder in found if holder[name] is not None for item in _items(holder[name], name)]
        if each:
            items = [inner for item in items for inner in _items(item, name)]
        if not all(isinstance(item, Mapping) for item in items):
            raise TypeError(f"{path!r} does not hold objects")
        return items

    return read


def word(value: Any) -> str:
    """A status or an id as text; empty for none.

    :raises TypeError: for what is neither text nor number nor boolean.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise TypeError(f"a {type(value).__name__} stands where a text or a number must")
