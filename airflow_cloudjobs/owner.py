# SPDX-License-Identifier: Apache-2.0
"""Whose a job is: a task sees to the jobs that it has submitted, so that none runs on that nobody waits for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from airflow_cloudjobs import compat, next_step, task_state
from airflow_cloudjobs.cancel import cancel, has_ended
from airflow_cloudjobs.compat import AirflowTaskTimeout, TaskAwaitingInput, TaskDeferred
from airflow_cloudjobs.exceptions import SubmitOutcomeUnknown
from airflow_cloudjobs.state_path import StateFiles, task_store
from airflow_cloudjobs.submit import STORED, abandon
from airflow_cloudjobs.task import CloudJobTask

CANCEL_PATIENCE = 10.0
"""Seconds for which a worker tries to cancel one job."""


class JobOwner(CloudJobTask):
    """A task that is answerable for jobs: those it has submitted, and adopted ones where it is told to cancel them."""

    cancel_on_kill: bool | None
    durable: bool

    _jobs: Sequence[str] = ()
    """The jobs that this task sees to, unless somebody else goes on with them."""
    _may_run: Sequence[str] = ()
    """The jobs that may still run, whosever they are."""
    _cancelled: Sequence[str] = ()
    """The jobs that this attempt has cancelled."""
    _context: Mapping[str, Any] = MappingProxyType({})
    _submitting = False
    _killed = False
    """True once it was told to stop while it submitted."""
    _stopped = False

    @property
    def _records(self) -> tuple[str, ...]:
        """Where the task's store has what it has submitted, the submit of the jobs that it sees to now last."""
        return (STORED,)

    @property
    def _adopts(self) -> bool:
        return getattr(self, self.key_argument) is not None

    def _conceal(self) -> None:
        super()._conceal()
        self._context = MappingProxyType({})  # OpenLineage would follow it, to everything there is

    def _may_cancel(self) -> bool:
        wanted = not self._adopts if self.cancel_on_kill is None else self.cancel_on_kill
        return wanted and self.spec.cancel is not None

    def _answer_for(self, keys: Sequence[str]) -> None:
        """From here on these jobs are this task's to see to, if it made them or was told to."""
        self._may_run = self._known_keys = list(keys)
        self._jobs = list(keys) if not self._adopts or self._may_cancel() else []

    @property
    def _to_cancel(self) -> Sequence[str]:
        return self._jobs if self._may_cancel() else []

    def _is_back(self) -> None:
        """Take away what told the trigger on which jobs this task was deferred: people see it among the XComs."""
        if not self._may_cancel():
            return
        try:
            compat.delete_plain_xcom(self._context, task_state.OWNER)
        except Exception as error:
            self.log.debug("XCom %r is left: %r", task_state.OWNER, error)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Have no job run on that nobody waits for, however this task is left."""
        try:
            yield
        except (TaskDeferred, TaskAwaitingInput, AirflowTaskTimeout):
            raise  # a triggerer, or a person, goes on; and Airflow calls ``on_kill`` for the last
        except BaseException as error:
            self._leave(error)
            if isinstance(error, Exception):
                self._say_what_is_next(error, self._context)  # which depends on what is left running
            raise

    def _leave(self, error: BaseException) -> None:
        """See to the jobs of a task that ends with an error before they have ended."""
        if self._submitting and not isinstance(error, Exception):
            stopped = SubmitOutcomeUnknown("stopped in the middle of the submit, so the job may or may not run")
            self._say_what_is_next(stopped, self._context)
        if not self._jobs or self._stopped:
            return
        jobs = ", ".join(self._jobs)
        if self._is_gone_on_with(error):
            self.log.info("Not cancelling %s: the next attempt goes on with it", jobs)
        elif not self._may_cancel():
            self.log.error("%s may still run, and nobody waits for it any more. Console: %s", jobs, self._console_url)
        else:
            self.log.info("Cancelling %s, since nobody waits for it any more", jobs)
            self._end_attempt(self._jobs)
        self._jobs = []  # and not before: what strikes a cancel may call on_kill, which then cancels

    def _is_gone_on_with(self, error: BaseException) -> bool:
        """True if Airflow makes another attempt after an error, and that finds the jobs of this one."""
        if not self._is_retried(error, self._context):
            return False
        if self._adopts:
            return True
        findable = bool(self.spec.finder or self.spec.token)
        return self.durable and (findable or task_store(self._context) is not None)

    def on_kill(self) -> None:
        """Cancel the jobs that this task is answerable for; called by Airflow when it stops the task.

        It does so for a user who has ended or cleared the task, and also when only the worker is replaced. In the
        latter case the next attempt goes on with the jobs, so they are left alone; where that cannot be found out, too.
        """
        if self._submitting:
            self._killed = True  # the answer to the submit says what there is to cancel
            return
        self._stopped = True
        # Where Airflow has no store, it does not tell the next attempt of a clear while this one ran, either.
        to_abandon = self._jobs if isinstance(task_store(self._context), StateFiles) else []
        if isinstance(error := sys.exc_info()[1], AirflowTaskTimeout):
            self._end_attempt(self._to_cancel)
            self._say_what_is_next(error, self._context)
            return
        jobs = ", ".join(self._to_cancel or to_abandon or self._may_run)
        if not jobs:
            return
        by_hand = next_step.end_by_hand("it", self._console_url)
        try:
            wanted = bool(self._to_cancel or to_abandon) and self.durable and not task_state.is_given_up(self._context)
        except Exception as error:
            self.log.error("Not known whether the task was ended, so %s is not cancelled: %r. %s", jobs, error, by_hand)
            return
        if wanted:
            self.log.info("Not cancelling %s: the next attempt goes on with it", jobs)
            return
        if to_abandon:
            self._abandon(to_abandon, self._records)
        if self._to_cancel:
            self._cancel(self._to_cancel)
        else:
            self.log.warning("Not cancelling %s. %s", jobs, by_hand)

    def _end_attempt(self, late: Sequence[str]) -> None:
        """This attempt ends before its jobs: cancel what may be, and have the next one submit anew.

        What cannot be cancelled runs on, and the next attempt goes on with it. What is cancelled may still be shown as
        running for a while, so that has to be remembered.
        """
        if self._cancel(late):
            self._abandon(late, self._records[-1:])

    def _abandon(self, keys: Sequence[str], records: Sequence[str]) -> None:
        """Have the next attempt submit anew what these records are of."""
        if self.durable and (store := task_store(self._context)):
            try:
                task_state.run_in_thread(lambda: abandon(store, records), patience=2.0)
            except Exception as error:
                self.log.warning("Could not remember that %s is given up: %r", ", ".join(keys), error)

    def _cancel(self, keys: Sequence[str]) -> bool:
        """Ask the cloud to cancel jobs; that one has ended already is no trouble.

        :return: whether there were any, and all of them are cancelled or ended.
        """
        done = bool(keys)
        for key in keys:
            result = cancel(self.hook, self.spec, key, self._scope, deadline=time.monotonic() + CANCEL_PATIENCE)
            self._log_line(result.log_line(self._console_url))
            done = done and result.done
            if result.done:
                self._may_run = [each for each in self._may_run if each != key]
                self._cancelled = [*self._cancelled, key]
        return done

    def _left_as(self, keys: Sequence[str]) -> str:
        it = "it" if len(keys) == 1 else "they"
        if keys and set(keys) <= set(self._cancelled):
            return f"; {it} {'was' if it == 'it' else 'were'} cancelled"
        return f"; {it} may still run" if set(keys) & set(self._may_run) else ""

    def _keys_of(self, error: BaseException) -> list[str]:
        return super()._keys_of(error) or [*self._cancelled, *self._may_run]

    def _has_ended(self, key: str) -> bool:
        return has_ended(self.spec, self.hook.fetch(self.spec, [key], self._scope)[key])
