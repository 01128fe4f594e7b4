# SPDX-License-Identifier: Apache-2.0
"""JSON values that cannot be changed, so that what was checked when it was made stays true."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from airflow_cloudjobs.jobs.many import as_list, is_sequence


class FrozenDict(dict[str, Any]):
    """A JSON object that does not change; being a dict, it can be sent and shown as one."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("this value is frozen; make another one")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: Any) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


def frozen(value: Any) -> Any:
    """A JSON value as one that does not change: objects as :class:`FrozenDict`, lists as tuples.

    :param value: what JSON can hold.
    :raises TypeError: for what it cannot, with what that is.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise TypeError("a text with a lone surrogate, which cannot be sent") from None
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{value}, which JSON does not have")
        return value
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"the name {name!r}, which is no text")
        return FrozenDict({frozen(name): frozen(item) for name, item in value.items()})
    if is_sequence(value):
        return tuple(map(frozen, as_list(value)))
    raise TypeError(f"a {type(value).__name__}; allowed are texts, numbers, booleans, None, lists and mappings")


def thawed(value: Any) -> Any:
    """The inverse of :func:`frozen`: with plain dicts and lists, as JSON text is read to."""
    if isinstance(value, Mapping):
        return {name: thawed(item) for name, item in value.items()}
    return [thawed(item) for item in value] if isinstance(value, tuple) else value
