# SPDX-License-Identifier: Apache-2.0
"""Keep what is stored small: a result that is too long is cut where it is longest, and says so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice, takewhile
from typing import Any

MAX_XCOM_BYTES = 48 * 1024
"""``[cloudjobs] max_xcom_bytes``, unless it says another."""

LEAST_BYTES = 1024
"""The smallest limit there may be: what a result has beside the vendor's fields needs some hundred bytes."""

CUT = "cut"
"""The field of a result that names what was cut; a result that is whole has none."""

MOST_NAMES = 8
"""How many fields are named in it; of more only ``result`` is."""

_SMALLEST = 32
"""Bytes that a field of an object is worth keeping for."""

_NAMED = 64
"""Bytes that the names of what was cut are taken to need in a result."""


def _as_airflow_stores(value: Any) -> dict[str, Any]:
    """What is no JSON as Airflow would about store it."""
    return {"__classname__": type(value).__qualname__, "__version__": 1, "__data__": str(value)}


_encode = json.JSONEncoder(ensure_ascii=False, default=_as_airflow_stores).encode


def size(value: Any) -> int:
    """Bytes of a value as JSON, in UTF-8."""
    return len(_encode(value).encode(errors="surrogatepass"))


def within(value: Any, most: int) -> tuple[Any, list[str]]:
    """A task's result, or a list of results, that has at most so many bytes as JSON.

    Cut are the fields of ``result``, the longest first; a text stays a text, and a list a list. What is needed to act
    (``job_key``, ``status``, …) is kept whole, so very many jobs may take more. Each result that was cut says so in
    :data:`CUT`, and in ``truncated`` where its rows were.

    :param value: what :func:`~airflow_cloudjobs.jobs.result.result_of` makes, or a list of that.
    :param most: bytes.
    :return: the value, and what was cut, for people; the value itself if it is short enough.
    """
    whole = size(value)
    if whole <= most:
        return value, []
    results: Sequence[Mapping[str, Any]] = value if isinstance(value, list) else [value]
    sizes = [size(one["result"]) for one in results]
    room = most - (whole - sum(sizes)) - _NAMED * len(results)
    while True:
        level = _level(sizes, room)
        cut = [_cut(one, level) if length > level else one for one, length in zip(results, sizes, strict=True)]
        over = size(shaped := cut if isinstance(value, list) else cut[0]) - most
        if over <= 0 or level == 0:
            break
        # The names of what was cut take room too. What was cut may be shorter than it had room for: less than it is.
        room = sum(size(one["result"]) for one in cut) - over
    names = [f"{one['job_key']}: {name}" for one in cut for name in one.get(CUT, ())]
    return shaped, names


def _cut(one: Mapping[str, Any], most: int) -> dict[str, Any]:
    """A result whose fields of the vendor have so many bytes, with what says that."""
    before = one["result"]
    after = _object(before, most)
    names = [f"result.{name}" for name in before if name not in after or after[name] is not before[name]]
    if "result.rows" in names and "rows" in after:
        after["truncated"] = True
    return {**one, "result": after, CUT: names if len(names) <= MOST_NAMES else ["result"]}


def shortened(value: Any, most: int, length: int | None = None) -> Any:
    """A value of the same form with at most so many bytes as JSON; the value itself if it has no more.

    A text loses its end, a list its last items, an object the ends of its longest fields, and its last ones where there
    are too many. What has no end that could be lost is None.

    :param value: JSON-able, or what Airflow can store.
    :param most: bytes; what is empty has two all the same.
    :param length: the bytes that it has, where they are known.
    """
    if (size(value) if length is None else length) <= most:
        return value
    if isinstance(value, str):
        return _text(value, most)
    if isinstance(value, Mapping):
        return _object(value, most)
    if isinstance(value, (list, tuple)):
        return list(value[: _fitting(map(size, value), most)])
    return None


def _text(value: str, most: int) -> str:
    """The beginning of a text; never half a character, nor half of what stands for one in JSON."""
    text = value[: max(0, most)]
    while text and (over := size(text) - most) > 0:
        # No character has more than six bytes as JSON, nor less than one.
        text = text[: -max(1, over // 6)]
    return text


def _object(value: Mapping[str, Any], most: int) -> dict[str, Any]:
    lengths: list[int] = []

    def needed() -> Iterator[int]:
        for name, item in value.items():
            lengths.append(size(item))
            yield size(str(name)) + len(": ") + min(lengths[-1], _SMALLEST)

    kept = dict(islice(value.items(), _fitting(needed(), most)))
    level = _level(lengths[: len(kept)], most - size(dict.fromkeys(kept, 0)) + len(kept))
    return {name: shortened(item, level, length) for (name, item), length in zip(kept.items(), lengths, strict=False)}


def _fitting(sizes: Iterable[int], most: int) -> int:
    """How many items, from the first on, fit into a list or an object of so many bytes."""
    totals = accumulate(length + len(", ") for length in sizes)
    return sum(1 for _ in takewhile(lambda total: total <= most, totals))


def _level(sizes: Sequence[int], room: int) -> int:
    """The most bytes that each may have so that all together have room: what is shorter stays whole."""
    left = room
    for done, length in enumerate(ordered := sorted(sizes)):
        share = left // (len(ordered) - done)
        if length > share:
            return max(0, share)
        left -= length
    return max(sizes, default=0)
