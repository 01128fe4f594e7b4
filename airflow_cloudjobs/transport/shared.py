# SPDX-License-Identifier: Apache-2.0
"""Things that all waits of one event loop use together: made once, closed when the last user leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    making: asyncio.Task[V]
    users: int = 0


class Shared(Generic[K, V]):
    """Values by key, one per event loop, counted by their users.

    :param close: closes a value; called when its last user has left.
    """

    def __init__(self, close: Callable[[V], Awaitable[None]]) -> None:
        self._close = close
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[K, _Entry[V]]] = WeakKeyDictionary()

    @asynccontextmanager
    async def use(self, key: K, make: Callable[[], Coroutine[Any, Any, V]]) -> AsyncIterator[V]:
        """The value for a key, made by the first of its users.

        :param key: what must be equal for users to share.
        :param make: makes the value; whoever cancels its wait for it does not stop it for others.
        """
        entries = self._loops.setdefault(asyncio.get_running_loop(), {})
        entry = entries.get(key)
        if entry is None:
            entry = entries[key] = _Entry(asyncio.create_task(make()))
        entry.users += 1
        try:
            yield await asyncio.shield(entry.making)
        finally:
            entry.users -= 1
            if entry.users == 0:
                if entries.get(key) is entry:
                    del entries[key]
                await self._end(entry)

    async def _end(self, entry: _Entry[V]) -> None:
        try:
            value = await entry.making
        except Exception:
            return  # its users have been told
        await self._close(value)
