# SPDX-License-Identifier: Apache-2.0
"""What a task that ends red says: what happened, what to do next, and where to look.

In its log that is three lines before any trace, broken where Airflow's page would cut them off; in its exception the
same as one text, since callbacks and mails show nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_cloudjobs.exceptions import WithNextStep
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.next_step import NEXT

WIDTH = 80
"""Columns of a line. Airflow's log page keeps line breaks and makes none; of a line it shows 86 columns where the
window is 1280 pixels wide (3.3.2, Chromium), and a few less with another font."""

LONGEST = 4 * WIDTH
"""Columns of what happened to one job that a log shows before any trace; the exception has all of it."""

MOST_JOBS = 3
"""Jobs that a log names before any trace; the exception has all of them."""

_WORD = re.compile(r"\S*`[^`]+`\S*|\S+")


@dataclass(frozen=True, slots=True)
class Failure:
    """All there is to say of a task that ends red.

    :param what: what happened, the vendor's reason first; a line for each job.
    :param where: API and jobs, call and request: what the vendor's support asks for.
    :param console: the address of the vendor's console.
    :param step: what to do next.
    """

    what: Sequence[str]
    where: Sequence[str]
    console: str
    step: str

    @property
    def lines(self) -> tuple[str, str, str]:
        """What the log begins with, no line wider than Airflow's page; an address is never broken."""
        what = "\n".join(wrapped(_cut(each)) for each in shortened(self.what))
        return what, wrapped(NEXT + self.step), f"{_filled(self.where, ', ')}\n{self.console}"

    @property
    def summary(self) -> str:
        """One line, for where there is no room for more."""
        others = f" and {len(self.what) - 1} more" if len(self.what) > 1 else ""
        return f"{self.what[0]}{others} ({', '.join(self.where)})"

    def tell(self, error: WithNextStep) -> None:
        """Have an exception say all of it; the next step is the last line that is read of it.

        :param error: the exception.
        """
        error.next_step = self.step
        where = f"{', '.join(self.where)}. Console: {self.console}"
        error.args = ("\n".join([*self.what, where, NEXT + self.step]),)
        error.__cause__ = None  # its words are in the text; Airflow would show them once more, below the last line


def what_happened(error: BaseException) -> str:
    """An error that is about no job in particular, the vendor's reason first."""
    cause = error.__cause__
    if not isinstance(error, WithNextStep):
        words = str(error).strip().splitlines()
        return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
    if isinstance(cause, CloudApiError):
        return f"{cause.reason}; {error}"
    return str(error)


def summary_of(error: BaseException) -> str:
    """One line of an error that is about no job in particular, with what the vendor's support asks for."""
    cause = error.__cause__
    facts = facts_of(cause if isinstance(cause, CloudApiError) else None)
    return f"{what_happened(error)} ({', '.join(facts)})" if facts else what_happened(error)


def facts_of(error: CloudApiError | None) -> list[str]:
    """What the vendor's support asks for about a call that did not work."""
    if error is None:
        return []
    facts = [error.operation, error.http_status and f"HTTP {error.http_status}", request(error.request_id)]
    return [str(fact) for fact in facts if fact]


def request(request_id: str) -> str:
    """How a request is named; empty if it has no id."""
    return f"request id {request_id}" if request_id else ""


def shortened(items: Sequence[str]) -> list[str]:
    """The first of many, and how many more there are."""
    if len(items) <= MOST_JOBS + 1:
        return list(items)
    return [*items[:MOST_JOBS], f"and {len(items) - MOST_JOBS} more"]


def wrapped(text: str) -> str:
    """A text in lines of :data:`WIDTH` columns.

    :param text: words, and commands in backticks that count as one; one that is too long is broken, but no address.
    """
    return _filled([piece for word in _WORD.findall(text) for piece in _pieces(word)], " ")


def columns(text: str) -> int:
    """How wide a text is in a font of one width; Chinese characters are as wide as two others."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _filled(pieces: Sequence[str], between: str) -> str:
    """Lines of as many pieces as there is room for."""
    lines: list[str] = []
    for piece in pieces:
        if lines and columns(f"{lines[-1]}{between}{piece}") <= WIDTH:
            lines[-1] += between + piece
        else:
            lines.append(piece)
    return f"{between.rstrip()}\n".join(lines)


def _pieces(word: str) -> Iterator[str]:
    while columns(word) > WIDTH and "://" not in word:
        piece = _head(word, WIDTH)
        yield piece
        word = word[len(piece) :]
    yield word


def _cut(text: str) -> str:
    return text if columns(text) <= LONGEST else f"{_head(text, LONGEST - 2)} …"


def _head(text: str, width: int) -> str:
    """As much of a text as is that wide."""
    used = 0
    for place, each in enumerate(text):
        used += columns(each)
        if used > width:
            return text[:place]
    return text
