# SPDX-License-Identifier: Apache-2.0
"""From a job API that is data to the spec that everything which waits is written against.

All that can be looked at once is looked at here, so that a poll costs what one by hand-written code does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from airflow_cloudjobs.jobs import paths
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.finder import Finder, Unclear
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.job_api import CONSOLES, HOOKS_OF_CALLS, KEY, KEYS, MARKER, PROJECT, TOKEN, Call, JobApi
from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.placeholders import (
    ABSENT,
    HOLE,
    Fill,
    NotGiven,
    Unfit,
    filler,
    header_text,
    path_part,
    text_filler,
)
from airflow_cloudjobs.jobs.redact import text_without_signatures
from airflow_cloudjobs.jobs.request import ApiRequest, as_text
from airflow_cloudjobs.jobs.spec import Explain, JobSpec, Record, Scope, StateMap, request_id_of

TOKEN_ARGUMENT = "{token}"  # noqa: S105 - the name of an argument, which no parameter of an API can have
"""The argument of a submit that holds its token."""

REQUEST_IDS = frozenset({"RequestId", "request_id", "requestId"})
"""Fields of an answer that are none of the job's."""
