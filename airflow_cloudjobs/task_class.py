# SPDX-License-Identifier: Apache-2.0
"""What a task class need not say, because the signature of its constructor and its API say it.

A class names its API (``spec``), the argument that holds the job's key, and its arguments, each once: as a keyword of
its constructor. Which of them are templates, which go into the submit, when they are checked and which belong to a new
job only follows from that. A class that does not fit its API is refused when it is made, not by a task at night.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from airflow_cloudjobs.apis import is_registered
from airflow_cloudjobs.jobs.spec import JobSpec


def own_arguments(of: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The keywords that a class's constructor names itself.

    :param of: the class, or its constructor.
    """
    return {name: one for name, one in inspect.signature(of).parameters.items() if one.kind is one.KEYWORD_ONLY}


def refuse_misfit(cls: type, spec: JobSpec, needed: Mapping[str, str]) -> None:
    """Refuse a class whose tasks could not work.

    :param cls: a class that names its API.
    :param spec: the API.
    :param needed: the arguments that it must have, with what each is for.
    :raises TypeError: naming the class, the API and the argument.
    """
    own, api = own_arguments(cls), spec.api
    for name, purpose in needed.items():
        if name not in own:
            raise TypeError(f"{cls.__name__}: needs an argument {name!r}, which is {purpose} of {api}")
    if "__init__" in vars(cls) and (taken := sorted(own.keys() & _inherited(cls))):
        raise TypeError(
            f"{cls.__name__}: argument {taken[0]!r} is one that all tasks have already; name it otherwise and "
            "send it by the API's name"
        )
    if not is_registered(spec):
        raise TypeError(f"{cls.__name__}: no trigger would find {api!r}; name its spec in airflow_cloudjobs.apis.SPECS")


def _inherited(cls: type) -> set[str]:
    """The arguments of the classes above: Airflow gives several a meaning of its own (``queue``, ``pool``)."""
    return set().union(*map(_arguments_in, cls.__mro__[1:]))


KEY_WORDS = ("job_key", "key", "job_id", "job_ids", "download_key_id")
"""What the key's argument is called: by one API or another, and in results."""


def refuse_unknown(cls: Any, given: Mapping[str, Any]) -> None:
    """Refuse an argument that no constructor takes, with the one that is likely meant.

    :param cls: the class of a task. One whose constructor is not ours may take what it does not name.
    :param given: the arguments of a task.
    :raises TypeError: naming the class, the task, the argument and those that there are.
    """
    if not _is_ours(inspect.unwrap(cls.__init__)):
        return
    known = _arguments_of(cls)
    for name in given.keys() - known.keys():
        if name.startswith("_"):
            continue  # Airflow's own
        near = [cls.key_argument] if name in KEY_WORDS else get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        own = ", ".join(each for each, is_ours in known.items() if is_ours)
        raise TypeError(
            f"{cls.__name__} {given.get('task_id')!r}: there is no argument {name!r}{hint} Allowed are {own}, and "
            "those that every task of Airflow has"
        )


@functools.cache
def _arguments_of(cls: type) -> Mapping[str, bool]:
    """The arguments of a class and of those above it, each with whether it is of ours."""
    known: dict[str, bool] = {}
    for base in cls.__mro__:
        for name in _arguments_in(base):
            known.setdefault(name, _is_ours(base))
    return known


def _arguments_in(cls: type) -> list[str]:
    """The arguments that a class itself names."""
    if "__init__" not in vars(cls):
        return []
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = inspect.signature(vars(cls)["__init__"]).parameters.items()
    return [name for name, one in own if one.kind in named and name != "self"]


def templated(cls: type, inherited: Collection[str]) -> tuple[str, ...]:
    """The template fields of a class: all of its arguments but switches, and those of the classes above."""
    own = (name for name, one in own_arguments(cls).items() if not _is_switch(one))
    return tuple(dict.fromkeys((*own, *inherited)))


def _is_switch(one: inspect.Parameter) -> bool:
    return isinstance(one.default, bool) or "bool" in str(one.annotation)


@functools.cache
def switches(cls: type) -> tuple[str, ...]:
    """The arguments of a class, and of our classes above it, that are true or false."""
    inits = [vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base) and _is_ours(base)]
    return tuple(name for init in inits for name, one in own_arguments(init).items() if _is_switch(one))


def _is_ours(what: Any) -> bool:
    """True for a class or a function of this package."""
    return str(what.__module__).split(".")[0] == __name__.split(".")[0]


def completed(init: Callable[..., None], built: Callable[[Any], None]) -> Callable[..., None]:
    """A constructor that ends with what every class does once all arguments are set.

    :param init: the constructor.
    :param built: what to do with the object in the end.
    """
    names = tuple(own_arguments(init))

    @functools.wraps(init)
    def complete(self: object, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        for name in names:
            if not hasattr(self, name):
                raise TypeError(f"{type(self).__name__}: its constructor does not keep argument {name!r}")
        built(self)

    return complete
