# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage is told of a task: its jobs, its SQL, what they read and what they write.

Nothing is imported of this, nor of OpenLineage, before OpenLineage asks a task; it does so when the task starts and
when it ends. Datasets are named as its specification names those of its kind: the place where they are, and their name
there. Source: https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from openlineage.client.event_v2 import Dataset
from openlineage.client.facet_v2 import JobFacet, RunFacet, external_query_run, extraction_error_run, sql_job
from openlineage.common.sql import parse

from airflow_cloudjobs.jobs.hidden import digest
from airflow_cloudjobs.jobs.many import is_sequence

DIALECT = "hive"
"""Of the dialects that the parser knows the nearest to Spark's; it reads HetuEngine's statements too."""

_FORMAT = re.compile(r"(\bcreate\s+table\b.*?)\susing\s+\w+(?:\s+options\s*\([^)]*\))?", re.IGNORECASE | re.DOTALL)
"""How Spark has a new table's format, which the parser does not know (1.54)."""

_BUCKET = re.compile(r"([a-z0-9][a-z0-9.-]*)\.(oss|obs)[.-][a-z0-9.-]+\.(?:aliyuncs|myhuaweicloud)\.[a-z.]+")
"""The host of a bucket of either cloud, by which an object has an address too."""


class Place(NamedTuple):
    """Where a dataset is, and its name there: OpenLineage's ``namespace`` and ``name``."""

    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a task.

    :param keys: its jobs, as far as they are known.
    :param source: the address that the cloud was asked at.
    :param sql: its statements.
    :param shows_sql: False has them told by their digests.
    :param tables: the namespace of the tables in them; empty where they are not to be looked for.
    :param within: what a table's name lacks if a statement does not say it: its catalog, and its database.
    :param reads: addresses and paths of what the jobs read, objects of OSS as DMS has them; lists too.
    :param writes: the same of what they write.
    :param made: what they have made where the cloud names it.
    :param inlets: what the DAG says of the task's inputs.
    :param outlets: what it says of its outputs.
    """

    keys: Sequence[str]
    source: str
    sql: Sequence[str]
    shows_sql: bool
    tables: str
    within: Sequence[str | None]
    reads: Sequence[Any]
    writes: Sequence[Any]
    made: Sequence[Place]
    inlets: Sequence[Any]
    outlets: Sequence[Any]


def lineage_of(facts: Facts) -> OperatorLineage[Any, Any]:
    """What is known of a task, as OpenLineage has it."""
    read, written, unread = _tables(facts)
    inputs = [*_places(facts.reads), *read]
    outputs = [*_places(facts.writes), *written, *facts.made]
    run_facets: dict[str, RunFacet] = {}
    if facts.keys:
        # The facet has room for one id; several jobs of a task are one query for whoever reads it.
        run_facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(",".join(facts.keys), facts.source)
    if unread:
        run_facets["extractionError"] = extraction_error_run.ExtractionErrorRunFacet(
            totalTasks=len(facts.sql), failedTasks=len(unread), errors=unread
        )
    job_facets: dict[str, JobFacet] = {}
    if facts.sql:
        job_facets["sql"] = sql_job.SQLJobFacet(";\n".join(_shown(text, facts.shows_sql) for text in facts.sql))
    # What the DAG says is read by OpenLineage itself only where there is nothing of ours.
    declared = bool(inputs or outputs)
    return OperatorLineage(
        inputs=_datasets(inputs, facts.inlets if declared else ()),
        outputs=_datasets(outputs, facts.outlets if declared else ()),
        run_facets=run_facets,
        job_facets=job_facets,
    )


def _datasets(places: Iterable[Place], declared: Iterable[Any]) -> list[Dataset]:
    """Each once, with those that a DAG declares."""
    found = {place: Dataset(*place) for place in places}
    for dataset in map(ExtractorManager.convert_to_ol_dataset, declared):
        if dataset:
            found.setdefault(Place(dataset.namespace, dataset.name), dataset)
    return list(found.values())


def _shown(sql: str, shows_sql: bool) -> str:
    return sql.strip() if shows_sql else digest(sql)


def _tables(facts: Facts) -> tuple[list[Place], list[Place], list[extraction_error_run.Error]]:
    """The tables that the statements read, those that they write, and what could not be read of the statements.

    They are parsed here, and nobody is asked: a name stands for a table or a view that may not be there.
    """
    read: list[Place] = []
    written: list[Place] = []
    unread: list[extraction_error_run.Error] = []
    for number, sql in enumerate(facts.sql if facts.tables else ()):
        found = parse([_FORMAT.sub(r"\1", sql, count=1)], dialect=DIALECT)
        if found is None:
            continue
        read += [Place(facts.tables, _full_name(table, facts.within)) for table in found.in_tables]
        written += [Place(facts.tables, _full_name(table, facts.within)) for table in found.out_tables]
        for error in found.errors:
            # The parser's words repeat some of the statement.
            words = error.message if facts.shows_sql else "the statement could not be parsed"
            unread.append(extraction_error_run.Error(words, None, _shown(sql, facts.shows_sql), number))
    return read, written, unread


def _full_name(table: Any, within: Sequence[str | None]) -> str:
    """A table's name, with as much of database and catalog as is known; Spark and Hive keep names in lower case."""
    parts = [part for part in (table.database, table.schema, table.name) if part]
    for outer in [*reversed(within)][len(parts) - 1 :]:
        if not outer:
            break
        parts.insert(0, outer)
    return ".".join(parts).lower()


def _places(values: Iterable[Any]) -> Iterator[Place]:
    """Where the things are that some arguments name."""
    for value in values:
        if is_sequence(value):
            yield from _places(value)
        elif isinstance(value, Mapping):
            if value.get("BucketName"):
                yield Place(f"oss://{value['BucketName']}", str(value.get("ObjectName") or "/"))
        elif value and (place := place_of(str(value))):
            yield place


def place_of(address: str) -> Place | None:
    """A dataset by its address; logins and queries, which may be signed, are no part of it.

    :param address: an address, or a path on the worker. An object of OSS or OBS is named so by its http address too.
    :return: None for what is no address.
    """
    try:
        parts = urlsplit(address)
        host = _host(parts)
    except ValueError:
        return None
    if parts.scheme in ("", "file"):
        return Place("file", parts.path if parts.scheme else address)
    if bucket := _BUCKET.fullmatch(host):
        return Place(f"{bucket[2]}://{bucket[1]}", unquote(parts.path).lstrip("/") or "/")
    return Place(f"{parts.scheme}://{host}", parts.path.lstrip("/") or "/")


def _host(parts: SplitResult) -> str:
    """Host and port; as written where the name of a bucket may have capitals."""
    return parts.netloc.rpartition("@")[2]
