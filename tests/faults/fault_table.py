# SPDX-License-Identifier: Apache-2.0
"""The suite's table: one row a task, what was expected of it and what Airflow and the clouds say came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.table import columns

from airflow_cloudjobs.next_step import NEXT

HEAD = ("case", "api", "waits", "submits", "posts", "cancels", "state", "polls", "seconds", "verdict")


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to come of a task.

    :param submits: jobs that the cloud took for it.
    :param posts: calls of the submit that the cloud took for them, where one was made again; 0 for one each.
    :param cancels: cancels that the cloud took for them.
    :param cancels_at_most: how many it may have taken, where two may ask for the same; 0 for just that many.
    :param state: the task's state at the end.
    :param running: jobs that go on after it, because they are not its own or the API has no cancel.
    :param by_hand: True if a user ends the task, so that its state says nothing about its job.
    :param says: what its log has to tell.
    :param says_at_most: how often each of that at most.
    """

    submits: int = 1
    posts: int = 0
    cancels: int = 0
    cancels_at_most: int = 0
    state: str = "success"
    running: int = 0
    by_hand: bool = False
    says: tuple[str, ...] = ()
    says_at_most: int = 1_000

    @property
    def explains(self) -> bool:
        """Whether the task ends red by itself, so that its log has to say what is next."""
        return self.state == "failed" and not self.by_hand


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of it.

    :param submits: jobs that the cloud took.
    :param posts: calls of the submit that the cloud took; one that is made again with its token starts no other job.
    :param cancels: cancels that the cloud took.
    :param state: the task's state.
    :param polls: how often the cloud was asked for its jobs.
    :param seconds: time from the run's start to its end, as Airflow tells it.
    :param succeeded: jobs that have succeeded.
    :param running: jobs that have not ended.
    :param log: the log of all tries, where something is expected of it.
    """

    submits: int
    posts: int
    cancels: int
    state: str
    polls: int
    seconds: float
    succeeded: int
    running: int
    log: str


@dataclass(slots=True)
class Row:
    """One task of a case.

    :param case: what happens to it.
    :param api: id of its API.
    :param way: how it waits: the DAG's name after the API's.
    :param word: a word that only its jobs have in their input.
    :param expected: what has to come of it.
    :param key: a job that exists, or the DRS task its job is for.
    :param run_id: its run.
    :param tasks: how many task instances it stands for.
    """

    case: str
    api: str
    way: str
    word: str
    expected: Expected
    key: str = ""
    run_id: str = ""
    tasks: int = 1
    seen: Seen | None = None
    complaints: list[str] = field(default_factory=list)

    @property
    def dag_id(self) -> str:
        """The DAG of this API and way of waiting."""
        return f"{self.api}-{self.way}"

    def judge(self, seen: Seen) -> None:
        """Compare what came of the task with what was expected, and with what must never be.

        :param seen: what came of it.
        """
        self.seen = seen
        wanted = self.expected
        if not wanted.cancels <= seen.cancels <= max(wanted.cancels, wanted.cancels_at_most):
            self.complaints.append(f"cancels: {seen.cancels}, not {wanted.cancels}")
        if seen.posts != (posts := wanted.posts or wanted.submits):
            self.complaints.append(f"posts: {seen.posts}, not {posts}")
        for name in ("submits", "state", "running"):
            found, right = getattr(seen, name), getattr(wanted, name)
            if found != right:
                self.complaints.append(f"{name}: {found}, not {right}")
        if seen.state == "success" and not wanted.by_hand and seen.succeeded < self.tasks:
            self.complaints.append("green without a succeeded job")
        if wanted.explains and NEXT not in seen.log:
            self.complaints.append("its log does not say what is next")
        for text in wanted.says:
            if not 1 <= (times := seen.log.count(text)) <= wanted.says_at_most:
                self.complaints.append(f"its log says {text!r} {times} times")

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        seen = self.seen
        found: tuple[object, ...] = ("?",) * 6
        if seen:
            found = (seen.submits, seen.posts, seen.cancels, seen.state, seen.polls, f"{seen.seconds:.0f}")
        verdict = "; ".join(self.complaints) or ("ok" if seen else "not seen to its end")
        return tuple(str(cell) for cell in (self.case, self.api, self.way, *found, verdict))


def drawn(rows: list[Row]) -> list[str]:
    """The table as lines of text.

    :param rows: its rows.
    """
    return columns([HEAD, *(row.cells() for row in rows)])
