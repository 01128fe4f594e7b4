# SPDX-License-Identifier: Apache-2.0
"""How a job of ours is found again in the cloud, when it is not known whether a submit got through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.request import ApiRequest


@dataclass(frozen=True, slots=True)
class Finder:
    """How a job of ours can be found again, where an API lets us.

    :param mark: the submit arguments with the identity put into them.
    :param requests: the requests that list the jobs that could be it, given submit arguments and identity.
    :param found: the keys of our newest submit in the answers, given these, what was asked with, and the keys of
        earlier submits; none if it is not there. Raises :class:`Unclear` if it cannot be told whether it is.
    :param details: the requests for the listed jobs, given the lists, where these do not show whose a job is; their
        answers go into ``found`` then. None where the lists show it.
    """

    mark: Callable[[Mapping[str, Any], Identity], dict[str, Any]]
    requests: Callable[[Mapping[str, Any], Identity], list[ApiRequest]]
    found: Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any], Identity, Collection[str]], list[str]]
    details: Callable[[Sequence[Mapping[str, Any]]], list[ApiRequest]] | None = None


class Unclear(Exception):
    """What the cloud lists neither shows the whole of our submit nor that there is none."""
