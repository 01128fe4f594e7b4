# SPDX-License-Identifier: Apache-2.0
"""What groups of processes use, seen from outside: CPU seconds, children that have ended included, and memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import psutil


class Groups:
    """Groups of processes, each with all that descends from it.

    :param roots: group -> the ids of its first processes.
    :param workers: group -> the group that descendants of its processes belong to, where that is another one: tasks of
        LocalExecutor are children of the scheduler.
    """

    def __init__(self, roots: Mapping[str, Sequence[int]], workers: Mapping[str, str]) -> None:
        self._roots = {name: [psutil.Process(pid) for pid in pids] for name, pids in roots.items()}
        self._workers = workers

    def cpu(self) -> Counter[str]:
        """CPU seconds of each group since it began; a process that nobody has waited for is lost when it ends."""
        used: Counter[str] = Counter()
        for group, process in self._members():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used[group] += times.user + times.system
                used[self._workers.get(group, group)] += times.children_user + times.children_system
        return used

    def memory(self) -> dict[str, tuple[int, int]]:
        """Bytes of each group: resident, what processes share counted for each (RSS), and once for all (PSS)."""
        held: dict[str, tuple[int, int]] = {}
        for group, process in self._members():
            with suppress(psutil.NoSuchProcess):
                full = process.memory_full_info()
                rss, pss = held.get(group, (0, 0))
                held[group] = (rss + full.rss, pss + full.pss)
        return held

    def _members(self) -> Iterator[tuple[str, psutil.Process]]:
        for group, processes in self._roots.items():
            for root in processes:
                with suppress(psutil.NoSuchProcess):
                    yield group, root
                    for process in root.children(recursive=True):
                        yield self._workers.get(group, group), process
