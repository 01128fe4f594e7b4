# SPDX-License-Identifier: Apache-2.0
"""What all commands say, and where: a result on stdout, everything else on stderr, and an exit code for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from airflow_cloudjobs.jobs.outcome import JobResult, Outcome

SUCCEEDED, FAILED, UNTOLD, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: every job succeeded, or what was asked for was done; one failed or was cancelled, or the cloud refused;
that was not told, or the command line was wrong; Ctrl-C."""

EXIT_CODES = """\
exit codes:
  0  every job has succeeded
  1  one has failed or was cancelled
  2  not told (it goes on, or could not be read), or a mistake in the command line
"""
"""The same in the help of the commands that tell how jobs are."""


class Problem(Exception):
    """Why a command cannot do its work, for the person who called it; no defect of ours, so no traceback.

    :param message: what was wrong, and what is allowed.
    :param code: the exit code.
    :param next_step: a line on what to do about it; empty if the message says that.
    """

    def __init__(self, message: str, code: int = UNTOLD, next_step: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.next_step = next_step


def say(text: str) -> None:
    """Tell a person something that is no result."""
    print(text, file=sys.stderr, flush=True)


def show_json(value: Any, out: TextIO) -> None:
    """Print a result for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2), file=out, flush=True)


def exit_code(results: Sequence[JobResult]) -> int:
    """What the ends of jobs come to.

    :param results: what was found out about each.
    """
    outcomes = {result.outcome for result in results}
    if outcomes & {Outcome.FAILED, Outcome.CANCELLED}:
        return FAILED
    return SUCCEEDED if outcomes == {Outcome.SUCCEEDED} else UNTOLD


def result_line(result: JobResult, progress: str = "") -> str:
    """What was found out about a job, in a line.

    :param result: what was found out.
    :param progress: how far it is; empty if that is not known, or of no interest any more.
    """
    outcome = "in_progress" if result.outcome is Outcome.SUBMITTED else result.outcome.value
    words = f"{result.key} {outcome} {result.status}".rstrip()
    request = f" (request id {result.request_id})" if result.request_id else ""
    return f"{words}{progress and f', {progress}'}{result.reason and f': {result.reason}'}{request}"
