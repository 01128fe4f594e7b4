# SPDX-License-Identifier: Apache-2.0
"""What a task tells OpenLineage: its part of it, which is there whether or not anybody asks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from airflow_cloudjobs import compat
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.jobs.hidden import plain
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.spec import JobSpec
from airflow_cloudjobs.templates import TemplatedTask


class TracedTask(TemplatedTask):
    """A task that says what its jobs read and write."""

    spec: JobSpec
    key_argument: ClassVar[str]
    """The argument that names the job, or several jobs."""

    reads: ClassVar[tuple[str, ...]] = ()
    """The arguments that say where a job reads: addresses, paths, objects of a store."""
    writes: ClassVar[tuple[str, ...]] = ()
    """The arguments that say where it writes."""
    makes: ClassVar[str] = ""
    """The field of a job's result that names what it has made, where the service itself keeps that."""
    sql_within: ClassVar[tuple[str, ...]] = ()
    """The arguments with a statement's catalog and database; without any, no tables are looked for in SQL."""

    _known_keys: Sequence[str] = ()
    """The jobs of this task, once they are known."""
    _asked_at = ("", "")
    """The service's address, and within what its names are its own; empty where nobody is told of lineage."""
    _made: Sequence[str] = ()
    """What the jobs have made, by the service's own names."""

    @property
    @abstractmethod
    def hook(self) -> CloudHook:
        """The hook of the task's connection."""

    def _prepare_lineage(self) -> None:
        """Read what the connection says of the service.

        That is done before OpenLineage asks, since it does so from a fork, which shares the task's line to Airflow and
        may be killed in the middle of an answer.
        """
        if not compat.tells_lineage():
            return
        try:
            settings = self.hook.settings
            self._asked_at = settings.endpoint(self.spec.service), settings.namespace
        except Exception as error:
            self.log.debug("Lineage without an address: %r", error)

    def _remember_made(self, results: Sequence[JobResult]) -> None:
        """Keep the names of what jobs that have ended have made."""
        self._made = [str(one.record[self.makes]) for one in results if self.makes and one.record.get(self.makes)]

    def get_openlineage_facets_on_start(self) -> Any:
        """What OpenLineage is told of this task; it asks here at the task's end too, having found no other method.

        :return: its ``OperatorLineage``.
        """
        if not self._is_copy:
            return self._lineage()
        self._reveal()
        try:
            return self._lineage()
        finally:
            self._conceal()  # OpenLineage goes on to tell arguments, with nothing hidden in them (2.20.3)

    def _lineage(self) -> Any:
        from airflow_cloudjobs.lineage import Facts, Place, lineage_of  # by now OpenLineage is there

        source, namespace = self._asked_at
        own = f"{self.spec.api.partition('.')[0]}://{namespace}" if namespace else ""
        given = getattr(self, self.key_argument)
        facts = Facts(
            keys=self._known_keys or [str(key) for key in as_list(given) if given is not None],
            source=source or self.spec.service,
            sql=self._sql(),
            shows_sql=not self._hides_sql,
            tables=own if self.sql_within else "",
            within=[getattr(self, name) for name in self.sql_within],
            reads=[getattr(self, name, None) for name in self.reads],
            writes=[getattr(self, name, None) for name in self.writes],
            made=[Place(own, name) for name in self._made if own],
            inlets=self.inlets,
            outlets=self.outlets,
        )
        return lineage_of(facts)

    def _sql(self) -> list[str]:
        """The statements among the arguments."""
        return [plain(text) for name in self.hidden_arguments if (text := getattr(self, name))]
