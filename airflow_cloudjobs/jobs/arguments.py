# SPDX-License-Identifier: Apache-2.0
"""Checks of what a DAG author wrote, made twice with the same words: when the DAG is parsed, for every
value that is already known, and before anything is sent, for those that a template has made since. (Airflow makes no
task of a mapped operator when the DAG is parsed, so its arguments are checked the second time only.)"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.request import as_text

_WHOLE = re.compile(r"-?[0-9]+")

_SURROGATE = re.compile(r"[\ud800-\udfff]")

_KEY = re.compile(r"[^\s,\[\]{}\"']+")
"""What several keys in one text, or a structure made text, is not."""


class InvalidArgument(ValueError):
    """An argument that cannot work.

    :param owner: who was given it (the task's class).
    :param argument: its name.
    :param problem: what is wrong and what is allowed.
    """

    def __init__(self, owner: str, argument: str, problem: str) -> None:
        super().__init__(f"{owner}: argument {argument!r} {problem}")
        self.owner = owner
        self.argument = argument
        self.problem = problem


def is_template(value: Any) -> bool:
    """True if the value will be another one once Airflow has rendered it (Jinja text, XCom, or inside)."""
    return _holds(value, _is_rendered)


def needs_a_worker(value: Any) -> bool:
    """True if something in the value, be it deep inside, is an XCom: only a worker can ask for one."""
    return _holds(value, _is_pulled)


def _holds(value: Any, is_one: Callable[[Any], bool]) -> bool:
    """True if the value, or something deep inside of it, is such a one."""
    if isinstance(value, Mapping):
        return any(_holds(item, is_one) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_holds(item, is_one) for item in value)
    return is_one(value)


def _is_broken(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_broken(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_is_broken, value))
    return isinstance(value, str) and _SURROGATE.search(value) is not None


def _is_rendered(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    return _is_deferred(value)


def _is_pulled(value: Any) -> bool:
    return "xcom_pull" in value if isinstance(value, str) else _is_deferred(value)


def _is_deferred(value: Any) -> bool:
    """True for Airflow's own deferred values (XComArg and its kin), which are known by their methods; a path resolves
    too, to a path."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def as_text_was(written: Any, rendered: Any, paths: tuple[str, ...]) -> Any:
    """What was rendered, with each text that held no template as it was written: native rendering makes numbers and
    other values of them too (``"20260101"``).

    :param written: the value in the DAG.
    :param rendered: what it was rendered to.
    :param paths: the endings of texts that name a file with a template.
    """
    if isinstance(written, Mapping) and type(rendered) is dict:
        return {name: as_text_was(written.get(name), item, paths) for name, item in rendered.items()}
    if isinstance(written, (list, tuple)) and type(rendered) in (list, tuple) and len(written) == len(rendered):
        return type(rendered)(as_text_was(old, new, paths) for old, new in zip(written, rendered, strict=True))
    if isinstance(written, str) and not _is_rendered(written) and not written.endswith(paths):
        return written.removesuffix("\n")  # as Jinja does
    return rendered


NO_XCOM = "came as None from a template; was there no such XCom?"


def is_gone(written: Any, rendered: Any) -> bool:
    """True if a template, or an XCom, gave no value at all: None, which an argument that is not needed may be."""
    return rendered is None and written is not None and _is_rendered(written)


def became_none(written: Any, rendered: Any) -> bool:
    """True if a template, be it deep inside, has given the text ``None``: what it asked for was not there.

    :param written: the value in the DAG.
    :param rendered: what it was rendered to.
    """
    if isinstance(written, Mapping) and isinstance(rendered, Mapping):
        return any(became_none(item, rendered.get(name)) for name, item in written.items())
    if isinstance(written, (list, tuple)) and isinstance(rendered, (list, tuple)):
        return any(map(became_none, written, rendered))
    if isinstance(written, (set, frozenset)) and isinstance(rendered, (set, frozenset)):
        return "None" in rendered and "None" not in written
    # A literal is rendered too, to what is written.
    return rendered == "None" and _is_rendered(written) and (isinstance(written, str) or any(written.iter_references()))


class Arguments:
    """The arguments of one task, and which of them can be judged now.

    :param owner: the task's class, for messages.
    :param values: the arguments by name; None means not given.
    :param rendered: True when templates have been rendered, so that every value is final.
    """

    def __init__(self, owner: str, values: Mapping[str, Any], *, rendered: bool) -> None:
        self.owner = owner
        self.values = values
        self.rendered = rendered

    def known(self, name: str) -> bool:
        """True if the argument is given and final."""
        return self.given(name) and (self.rendered or not is_template(self.values[name]))

    def given(self, name: str) -> bool:
        """True if the argument is given at all, be it as a template."""
        return self.values.get(name) is not None

    def refuse(self, name: str, problem: str) -> InvalidArgument:
        """The error to raise for an argument."""
        return InvalidArgument(self.owner, name, problem)

    def is_unicode(self, *names: str) -> None:
        """Each, if given, must hold only what can be sent: no half of a pair of surrogates, be it deep inside."""
        for name in names:
            if self.known(name) and _is_broken(self.values[name]):
                raise self.refuse(name, "holds a lone surrogate: half of a sign, as of a file in another encoding")

    def exactly_one(self, *names: str) -> str:
        """The one of these that is given; having none or several is an error."""
        present = [name for name in names if self.given(name)]
        choice = " or ".join(repr(name) for name in names)
        if not present:
            raise self.refuse(names[0], f"is missing: give {choice}")
        if len(present) > 1:
            others = " and ".join(repr(name) for name in present)
            raise self.refuse(present[0], f"cannot be combined: give only one of {choice}, not {others}")
        return present[0]

    def required(self, *names: str) -> None:
        """Each must be given and not be empty."""
        for name in names:
            if not self.given(name):
                raise self.refuse(name, "is missing")
            self.not_empty(name)

    def not_empty(self, *names: str) -> None:
        """Each, if given, must hold something."""
        for name in names:
            if self.known(name) and not str(self.values[name]).strip():
                raise self.refuse(name, "is empty")

    def adopts(self, key: str, needed: Sequence[str], others: Sequence[str] = ()) -> bool:
        """True if the task is for a job that exists; False if it has what a new one needs.

        :param key: the argument that names an existing job.
        :param needed: the arguments without which there is no new job.
        :param others: further arguments that only a new job takes.
        """
        new = [name for name in (*needed, *others) if self.given(name)]
        if self.given(key):
            self.keys(key)
            if new:
                raise self.refuse(key, f"names a job that exists, so {new[0]!r} cannot be given too")
            return True
        if not new:
            words = ", ".join(map(repr, needed))
            raise self.refuse(needed[0], f"is missing: give {words} for a new job, or {key!r} for one that exists")
        self.required(*needed)
        return False

    def one_of(self, name: str, allowed: Collection[str]) -> None:
        """The value must be one of a documented few."""
        if self.known(name) and self.values[name] not in allowed:
            words = ", ".join(repr(word) for word in allowed)
            raise self.refuse(name, f"is {self.values[name]!r}; allowed are {words}")

    def each_one_of(self, name: str, allowed: Collection[str]) -> None:
        """Every item of a list must be one of a documented few."""
        if self.known(name):
            for item in as_list(self.values[name]):
                if item not in allowed:
                    words = ", ".join(repr(word) for word in allowed)
                    raise self.refuse(name, f"holds {item!r}; allowed are {words}")

    def ends_with(self, name: str, endings: Sequence[str]) -> None:
        """A file's name must have one of these endings."""
        if self.known(name) and not str(self.values[name]).lower().endswith(tuple(endings)):
            raise self.refuse(name, f"is {self.values[name]!r}; it must end with {' or '.join(endings)}")

    def is_text(self, *names: str) -> None:
        """Each, if given, must be one text; a list of templates never becomes one."""
        for name in names:
            value = self.values.get(name)
            if value is not None and not isinstance(value, str) and (self.rendered or not _is_deferred(value)):
                cause = (
                    "; templates make such of texts with render_template_as_native_obj=True" if self.rendered else ""
                )
                raise self.refuse(name, f"must be text, not {_a_kind(value)}{cause}")

    def is_switch(self, *names: str) -> None:
        """Each, if given, must be True or False: a text is neither, and ``"False"`` would count as true."""
        for name in names:
            if self.given(name) and not isinstance(self.values[name], bool):
                raise self.refuse(name, f"is {self.values[name]!r}; allowed are True and False, and no template")

    def is_url(self, name: str) -> None:
        """One or several addresses, each of http or https."""
        if self.known(name):
            urls = as_list(self.values[name])
            if not urls:
                raise self.refuse(name, "is an empty list")
            for url in urls:
                # The address itself may carry a signature, so the message does not repeat it.
                if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
                    raise self.refuse(name, "must be an address that begins with http:// or https://")
                if url != url.strip() or re.search(r"[\r\n]|,\s*https?://", url, re.IGNORECASE):
                    raise self.refuse(
                        name, "has several addresses, or a line break, in one text; give several as a list"
                    )
                try:
                    host = urlsplit(url).hostname
                except ValueError:
                    host = None
                if not host:
                    raise self.refuse(name, "is an address without a host")
            if len(set(urls)) < len(urls):
                raise self.refuse(name, "holds the same address twice")

    def is_number(self, *names: str) -> None:
        """Each, if given, must be a whole number (a text of digits is one)."""
        for name in names:
            if self.known(name) and not _is_whole(self.values[name]):
                raise self.refuse(name, f"is {self.values[name]!r}; it must be a whole number")

    def each_number(self, name: str) -> None:
        """Every item of a list must be a whole number (a text of digits is one)."""
        if self.known(name):
            for item in as_list(self.values[name]):
                if not _is_whole(item):
                    raise self.refuse(name, f"holds {item!r}; it must hold whole numbers")

    def seconds(self, name: str, default: float | None) -> Any:
        """A span of time, a number of seconds or a timedelta, in seconds; the default if it is not given."""
        value = self.values[name]
        if value is None:
            return default
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not (number and seconds > 0 and math.isfinite(seconds)):
            raise self.refuse(name, f"is {value!r}; it must be a number of seconds, more than 0")
        return float(seconds)

    def is_list(self, name: str, *, most: int | None = None) -> None:
        """A list, with no more than ``most`` items."""
        if self.known(name):
            value = self.values[name]
            if not is_sequence(value):
                raise self.refuse(name, f"must be a list, not {_a_kind(value)}")
            if not value:
                raise self.refuse(name, "is an empty list")
            if most is not None and len(value) > most:
                raise self.refuse(name, f"has {len(value)} items; allowed are {most} at most")

    def has_fields(self, name: str, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """A mapping with just the API's own field names."""
        if self.known(name):
            self.check_fields(name, self.values[name], required, optional)

    def check_fields(self, name: str, value: Any, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """As :meth:`has_fields`, for a value inside of an argument; it must be such as JSON can hold."""
        allowed = [*required, *optional]
        if not isinstance(value, Mapping):
            raise self.refuse(name, f"must be a mapping with {', '.join(allowed)}")
        for field in required:
            if not value.get(field):
                raise self.refuse(name, f"lacks {field!r}; needed are {', '.join(required)}")
        for field in value:
            if field not in allowed:
                raise self.refuse(name, f"has an unknown field {field!r}; allowed are {', '.join(allowed)}")
        try:
            as_text(value)
        except TypeError as error:
            raise self.refuse(name, f"cannot be sent as JSON: {error}") from None

    def keys(self, name: str) -> None:
        """One key of a job, or a list of them without gaps."""
        if self.known(name):
            keys = as_list(self.values[name])
            if not keys:
                raise self.refuse(name, "is an empty list")
            for key in keys:
                self._check_key(name, key)
            if len(set(map(str, keys))) < len(keys):
                raise self.refuse(name, "holds the same key twice")

    def _check_key(self, name: str, key: Any) -> None:
        if key is None or key == "None" or (isinstance(key, str) and not key.strip()):
            raise self.refuse(
                name, "holds an empty key" if key == "" else "holds an empty key; was there no such XCom?"
            )
        if isinstance(key, Mapping):
            raise self.refuse(name, "holds a mapping; of a task's result give its 'job_key'")
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            # Where templates make Python values, a key of digits and an "e" has become another number.
            raise self.refuse(name, f"holds {key!r}; a key is text, not {_a_kind(key)}")
        if not _KEY.fullmatch(str(key)):
            raise self.refuse(
                name,
                f"holds {key!r}; a key has no blanks, commas, brackets or quotes: give several as a list (a template "
                "makes one only with render_template_as_native_obj=True)",
            )


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and _WHOLE.fullmatch(str(value)) is not None


def _a_kind(value: Any) -> str:
    return f"a {type(value).__name__}" if value is not None else "None"
