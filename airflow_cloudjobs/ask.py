# SPDX-License-Identifier: Apache-2.0
"""Asking a person what became of a submit of unknown fate, where the API cannot be asked: Airflow's human in the loop.

No worker is held meanwhile. What Airflow keeps of a question (:func:`~airflow_cloudjobs.compat.put_question`) is shown
again if the same task asks again, so its text says where the latest news is: in the log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_cloudjobs import compat
from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.redact import text_without_signatures, without_signatures
from airflow_cloudjobs.jobs.spec import JobSpec
from airflow_cloudjobs.jobs.submission import Submission

CHOICES = ("fail", "ask")
"""What a task may do about a submit of unknown fate."""

ADOPT = "Wait for the job with this key"
ADOPT_KNOWN = "Wait for the job"
"""The same where the task knows the key: the API gives the job none of its own."""
ANEW = "Submit anew"
FAIL = "Fail"

KEY_FIELD = "job_key"
"""The field in which a person types the key."""

SHOWN = 300
"""Characters of one argument that are shown; the task's rendered fields have it in full."""


def check(arguments: Arguments, spec: JobSpec) -> None:
    """Refuse an ``on_unknown_submit`` that cannot be meant, or not be done here.

    :param arguments: the task's arguments.
    :param spec: its API.
    :raises InvalidArgument: naming the argument.
    """
    arguments.required("on_unknown_submit")
    arguments.one_of("on_unknown_submit", CHOICES)
    if arguments.values["on_unknown_submit"] != "ask":
        return
    if spec.finder:
        problem = f"'ask' is not for {spec.api}: its jobs can be looked up, and the task does that; leave it out"
        raise arguments.refuse("on_unknown_submit", problem)
    if not compat.can_ask():
        raise arguments.refuse("on_unknown_submit", "'ask' needs Airflow 3.1 or newer; 'fail' works with all")


@dataclass(frozen=True)
class Doubt:
    """A submit of unknown fate.

    :param submission: what is remembered of it.
    :param why: why its fate is unknown.
    :param try_number: the attempt that asks.
    """

    submission: Submission
    why: str
    try_number: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {"submission": self.submission.as_dict(), "why": self.why, "try_number": self.try_number}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Doubt:
        """The inverse of :meth:`as_dict`."""
        submission = Submission.from_dict(data["submission"])
        if submission is None:
            raise ValueError(f"no submission is in {data!r}")
        return cls(submission, str(data["why"]), int(data["try_number"]))


@dataclass(frozen=True)
class Answer:
    """What a person has answered.

    :param doubt: about what.
    :param choice: the option.
    :param key: the key that was typed; empty if none was.
    :param who: the person.
    """

    doubt: Doubt
    choice: str
    key: str
    who: str

    @property
    def adopts(self) -> bool:
        """True if the task is to wait for the job."""
        return self.choice in (ADOPT, ADOPT_KNOWN)

    @classmethod
    def of(cls, doubt: Doubt, event: Mapping[str, Any]) -> Answer:
        """The answer in an event; one that chooses nothing, as when nobody has answered in time, fails."""
        options, fields = event.get("chosen_options") or (), event.get("params_input") or {}
        who = (event.get("responded_by_user") or {}).get("name")
        return cls(
            doubt,
            choice=str(options[0]) if options else FAIL,
            key=str(fields.get(KEY_FIELD) or "").strip(),
            who=str(who or "somebody"),
        )


def is_answer(event: Mapping[str, Any] | None) -> bool:
    """True for an event that is a person's answer, and not about the end of a job."""
    return "chosen_options" in (event or {})


@dataclass(frozen=True)
class Question:
    """What a person is shown.

    :param spec: the API.
    :param doubt: the submit of unknown fate.
    :param sent: the arguments of the submit that may be shown.
    :param key_argument: the task's argument for the key.
    :param known_key: the key, where the task knows it; empty if a person has to type it.
    :param endpoint: where it was sent.
    :param region: the vendor's region.
    :param console: address of the vendor's console.
    :param deadline: until when an answer is waited for, seconds since the epoch of Unix; None for no end.
    """

    spec: JobSpec
    doubt: Doubt
    sent: Mapping[str, Any]
    key_argument: str
    known_key: str
    endpoint: str
    region: str
    console: str
    deadline: float | None

    @property
    def subject(self) -> str:
        """A line."""
        return f"{self.spec.title}: did the cloud take the job?"

    @property
    def options(self) -> list[str]:
        """What can be chosen."""
        return [ADOPT_KNOWN if self.known_key else ADOPT, ANEW, FAIL]

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """What can be typed, as arguments of Airflow's ``Param``."""
        if self.known_key:
            return {}
        text = f"As {self.key_argument} of the operator takes it. Only for '{ADOPT}'; else leave it empty."
        return {KEY_FIELD: {"default": "", "type": ["null", "string"], "title": "Key of the job", "description": text}}

    def body(self, ti: Any) -> str:
        """All that somebody on call needs to know, in Markdown.

        :param ti: the task instance that asks.
        """
        region = f", region {_code(self.region)}" if self.region else ""
        mapped = f", map index {ti.map_index}" if ti.map_index >= 0 else ""
        sent = "\n".join(f"{name}: {_shown(value)}" for name, value in self.sent.items() if value is not None)
        adopted = "Type its key below. "
        if self.known_key:
            adopted = f"Its key is {_code(self.known_key)}. "
        until = "Until somebody answers, the task waits, and holds no worker."
        if self.deadline is not None:
            until += f" At {_moment(self.deadline)} its `execution_timeout` ends, and it fails."
        return (
            f"**The job may run, or not, and the API has no way to find out.** "
            f"Look into [the console]({self.console}) for what is below, then choose.\n\n"
            f"- **Sent:** {_moment(self.doubt.submission.at)} to {_code(self.endpoint)}{region}\n"
            f"- **By:** task {_code(ti.task_id)}{mapped} of DAG {_code(ti.dag_id)}, run {_code(ti.run_id)}, "
            f"attempt {ti.try_number}\n"
            f"- **Why nobody knows:** {_code(self.doubt.why)}\n"
            f"- **What was sent:**\n\n```text\n{sent}\n```\n\n"
            f"- **{self.options[0]}**: it is there, running or ended. {adopted}The task goes on with it.\n"
            f"- **{ANEW}**: it is not there. If it is after all, it runs twice.\n"
            f"- **{FAIL}**: the task fails, without a retry. Clearing it later submits anew.\n\n"
            f"{until} If this question comes back, the task's log says why (no key, no such job, or again no answer to "
            "a submit); Airflow keeps showing this text, with the time of the first one."
        )

    def put(self, context: Mapping[str, Any]) -> None:
        """Show it in Airflow, and leave the worker; returns where a trigger has to wait for the answer.

        :param context: the task's context.
        :raises LookupError: there is nobody to ask.
        """
        ti: Any = context.get("ti")
        if getattr(ti, "id", None) is None or compat.is_run_by_hand():
            raise LookupError("the task is run by hand, without Airflow's page")
        body = compat.hidden_in(self.body(ti))
        compat.put_question(context, subject=self.subject, body=body, options=self.options, fields=self.fields)
        timeout = None if self.deadline is None else timedelta(seconds=max(0.0, self.deadline - time.time()))
        compat.wait_for_answer("answered", {"doubt": self.doubt.as_dict()}, timeout)


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _shown(value: Any) -> str:
    """An argument as one line that ends no block of code."""
    text = json.dumps(without_signatures(value), ensure_ascii=False, default=str).replace("```", "'''")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def _code(text: Any) -> str:
    """Text that Markdown leaves as it is."""
    return "`" + " ".join(text_without_signatures(str(text)).replace("`", "'").split()) + "`"
