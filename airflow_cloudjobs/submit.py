# SPDX-License-Identifier: Apache-2.0
"""Submitting once: a job per task and clear, whatever crashes, as far as Airflow and the API let us.

Before the request an intent is stored, after it the jobs' keys, in the task's store (``state_path.py``). The
next attempt goes on with what it finds there. The gap between the request and the keys is closed by looking the
job up, where the API lets us find our own; where it does not, a person is asked instead of submitting twice.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow_cloudjobs import compat, task_state
from airflow_cloudjobs.exceptions import LookUpFailed, SubmitFailed, SubmitOutcomeUnknown, TaskRefused
from airflow_cloudjobs.hook import CALL_PATIENCE, CloudHook
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.finder import Unclear
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import JobSpec, Observation, Scope, fields_in
from airflow_cloudjobs.jobs.submission import Step, Submission, first_step
from airflow_cloudjobs.state_path import StateFiles, StatePathWrong, StateTrouble, StateUnclear, task_store

log = logging.getLogger(__name__)

STORED = "cloudjobs_submission"
"""The key in the task's store."""

STORED_FOLLOWING = "cloudjobs_following"
"""The key of the submit of a job that follows the task's own."""

RETENTION = timedelta(days=365)
"""For how long a submission is kept; the longest time between two attempts that still submits once."""

LOOKS = (0.0, 2.0, 5.0, 15.0)
"""Seconds before each look for a job that may have been submitted a moment ago; a slow cloud lists it late too."""
# A table and no Backoff: it answers no trouble, but looks at once and then until a job must be listed, so what counts
# is the sum, which must not be drawn.

SUBMITS = 3
"""How often a submit without an answer is made at most, where each is looked up before the next."""


TOKEN_LIFE = 1200.0
"""Seconds for which a token is trusted after the first submit with it. The vendors' pages do not say for how long the
clouds know one; after a day a repeat may well be a second job."""

TAKEN_BEFORE = "Idempotent"
"""How the codes begin that refuse a submit since one with the same token is there (``IdempotentParameterMismatch``)."""

NOTHING_SHOWN = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID, ErrorKind.UNKNOWN})
"""Refusals of the look before a submit that do not stop it. The API's pages do not say what is answered before the
first job, "no such job" maybe; if it is trouble, the answer to the submit says so. What is refused for the key or the
permission would hide the job's end too. What may pass is left to a retry: an earlier job's end, if there was one, would
be taken for that of ours."""


def abandon(store: Any, records: Sequence[str] = (STORED,)) -> None:
    """Have the next attempt submit anew instead of going on with what was submitted.

    :param store: the task's store.
    :param records: the keys in it.
    """
    for record in records:
        if submission := Submission.from_dict(store.get(record)):
            store.set(record, replace(submission, abandoned=True).as_dict(), retention=RETENTION)


class SubmitOnce:
    """The submit of one task instance.

    :param spec: the API.
    :param hook: the cloud.
    :param arguments: the arguments of the spec's ``submit``.
    :param scope: what names the job beside its key.
    :param key: the key, where it is known before (the API gives the job none of its own).
    :param context: Airflow's; None or empty outside of a task.
    :param durable: False submits at every attempt, whatever was submitted before.
    :param deadline: when the task's time is up, seconds since the epoch: nothing is repeated after it; None for never.
    :param identity: whose the jobs are, where that is no task; None takes the context's task if it is to be durable.
    :param attempt: which attempt this is, from 1; None takes the context's.
    :param record: the key in the task's store.
    :param follows: for a job that follows another: which one, and where to its result goes; what was submitted for
        something else is given up.
    """

    def __init__(
        self,
        spec: JobSpec,
        hook: CloudHook,
        arguments: Mapping[str, Any],
        scope: Scope,
        *,
        key: str | None,
        context: Mapping[str, Any],
        durable: bool,
        deadline: float | None = None,
        identity: Identity | None = None,
        attempt: int | None = None,
        record: str = STORED,
        follows: str = "",
    ) -> None:
        self._spec = spec
        self._record, self._follows = record, follows
        self._deadline = deadline
        self._hook = hook
        self._scope = scope
        self._key = key
        self._attempt = attempt or compat.try_number_of(context)
        self._store = task_store(context) if durable else None
        self._before = self._stored()
        self.pending = self._before
        """The submission that was under way when its fate became unknown."""
        self._identity = identity or (self._current(task_state.identity_of(context)) if durable else None)
        self._epoch = self._identity.epoch if self._identity else 0
        self._finder = spec.finder if self._identity else None
        if self._finder and self._identity:
            arguments = self._finder.mark(arguments, self._identity)
        self._arguments = arguments
        self._own_token = secrets.token_hex(16)
        """What the cloud knows the submit by where the task has no identity, or is to submit at every attempt."""

    @property
    def _patience(self) -> float:
        """Seconds for which a call is repeated: never longer than the task has."""
        return CALL_PATIENCE if self._deadline is None else max(0.0, min(CALL_PATIENCE, self._deadline - time.time()))

    def _stored(self) -> Submission | None:
        """What an attempt before has stored.

        :raises TaskRefused: the store can never be used, and nothing was submitted before.
        :raises SubmitFailed: it cannot be asked just now, and nothing was submitted before.
        :raises LookUpFailed: it cannot be asked just now, and something may have been submitted.
        :raises SubmitOutcomeUnknown: what is stored cannot be read.
        """
        if self._store is None:
            return None
        try:
            stored = self._store.get(self._record)
        except StateUnclear as error:
            raise self._unclear(str(error)) from error
        except StateTrouble as error:
            if self._attempt > 1:
                raise LookUpFailed(
                    "an attempt before this one may have submitted a job, and what it has stored cannot be read: "
                    f"{error}"
                ) from error
            raise self._unsent(error) from error
        submission = Submission.from_dict(stored)
        if submission and submission.follows != self._follows:
            return replace(submission, abandoned=True)
        if stored is not None and submission is None:
            where = self._store.where(self._record) if isinstance(self._store, StateFiles) else "the task's store"
            raise self._unclear(f"{where} holds no submission")
        return submission

    def _unclear(self, why: str) -> SubmitOutcomeUnknown:
        return SubmitOutcomeUnknown(
            "an attempt before this one may have submitted a job, and what is stored of it does not tell: "
            f"{why}; remove that before another attempt"
        )

    def _unsent(self, error: StateTrouble) -> Exception:
        """What to raise if the submit could not be remembered, and so was not made."""
        kind = TaskRefused if isinstance(error, StatePathWrong) else SubmitFailed
        return kind(f"nothing was sent, since the submit could not be remembered: {error}")

    def _current(self, identity: Identity | None) -> Identity | None:
        """The identity, in its next generation if the jobs of the last one were abandoned."""
        before = self._before
        if identity and before and before.epoch == identity.epoch:
            return replace(identity, generation=before.generation + before.abandoned)
        return identity

    @property
    def abandoned(self) -> tuple[str, ...]:
        """Jobs of this task that no attempt will go on with: a user has cleared it since."""
        before = self._before
        if before and self._identity and (before.epoch != self._epoch or before.abandoned):
            return tuple(key for key in before.keys if key)
        return ()

    def submission(self) -> Submission:
        """Submit, or find what was submitted before.

        :return: the submission, with its keys.
        :raises TaskRefused: the cloud will not take the job.
        :raises SubmitFailed: the cloud took no job; a later attempt may work.
        :raises LookUpFailed: the cloud may have taken the job, and a later attempt can look for it.
        :raises SubmitOutcomeUnknown: the cloud may have taken the job.
        """
        before = self._before
        step = first_step(
            before,
            epoch=self._epoch,
            retried=self._attempt > 1,
            findable=self._finder is not None,
            repeatable=self._is_repeatable(before),
        )
        if step is Step.STOP:
            if before and (key := self._shown_key(before, taken_before=True)):
                return self._known(replace(before, keys=before.filled([key])))
            raise SubmitOutcomeUnknown(
                "an attempt before this one was stopped while it submitted, so the job may or may not run, and the API "
                "has no way to look it up"
            )
        draft = before if before and step is not Step.SUBMIT else self._nothing()
        if draft.open_places and not self._fits(draft):
            draft = replace(draft, keys=())
        if step is Step.LOOK_UP and (found := self._look_up(draft, LOOKS[:2], certain=before is None)):
            log.info("%s: found the job of an attempt before: %s", self._spec.api, ", ".join(found))
            draft = self._before = replace(draft, at=time.time(), keys=draft.filled(found))
            self._keep(draft)
        if draft.named:
            failed = self._failed(draft)
            if not failed:
                log.info("%s: going on with %s, submitted before", self._spec.api, ", ".join(draft.keys))
                return draft
            log.info("%s: %s of an attempt before did not succeed: submitting anew", self._spec.api, ", ".join(failed))
            draft = draft.without(failed)
            step = Step.SUBMIT
        done = self._submit(draft, repeats=step is Step.REPEAT)
        while step is Step.REPEAT and self._store is None and len(done.superseded) < self._attempt - 1:
            # Nothing is remembered of the attempts before, so their tokens are gone through until one gives a job that
            # has not failed. None of them can have used more than one.
            if not (failed := self._failed(done)):
                break
            done = self._submit(done.without(failed))
        return done

    def _is_repeatable(self, before: Submission | None) -> bool:
        """True if a submit that may have been made before may be made again without another job."""
        if not (self._spec.token and self._identity):
            return False
        return before is None or time.time() - before.at < TOKEN_LIFE

    def anew(self) -> Submission:
        """Submit, since a person has found that no job was taken; returns and raises as :meth:`submission` does."""
        self._before = None  # if nothing is taken now, the next attempt submits, and doubts no more
        return self._submit(self._nothing())

    def adopted(self, pending: Submission, key: str) -> Submission:
        """Go on with the job that a person has found, as with one whose key the cloud had answered.

        :param pending: the submission of unknown fate.
        :param key: the job's key.
        """
        return self._known(replace(pending, keys=(key,)))

    def _nothing(self) -> Submission:
        generation = self._identity.generation if self._identity else 0
        return Submission(self._epoch, time.time(), generation=generation, follows=self._follows)

    def _submit(self, draft: Submission, *, repeats: bool = False) -> Submission:
        """Submit the jobs that the draft does not name yet.

        :param repeats: True if that may have been done before, with the same token.
        """
        try:
            request = self._spec.submit(**self._wanted(draft))
        except InvalidArgument as error:
            raise TaskRefused(str(error)) from error
        baseline = self._baseline() if self._spec.stale_results else None
        draft = self._remember(replace(draft, at=draft.at if repeats else time.time(), baseline=baseline))
        try:
            keys = self._sent(request, draft, repeats)
        except (TaskRefused, SubmitFailed):
            self._quietly("forget that nothing was submitted", self._put_back)
            raise
        return self._known(replace(draft, keys=draft.filled(keys)))

    def _known(self, submission: Submission) -> Submission:
        """A submission whose jobs are known from now on."""
        done = replace(submission, at=time.time())
        self._keep(done)
        return done

    def _keep(self, submission: Submission) -> None:
        """Remember jobs that run, so that the task goes on with them even if they cannot be remembered."""
        self._quietly(
            f"remember {', '.join(submission.keys)}",
            lambda store: store.set(self._record, submission.as_dict(), retention=RETENTION),
        )

    def _put_back(self, store: Any) -> None:
        if self._before:
            store.set(self._record, self._before.as_dict(), retention=RETENTION)
        else:
            store.delete(self._record)

    def _wanted(self, draft: Submission) -> Mapping[str, Any]:
        """The arguments of a submit of what the draft does not name yet."""
        arguments = self._arguments
        if self._spec.token:
            token = self._identity.token(len(draft.superseded)) if self._identity else self._own_token
            arguments = {**arguments, self._spec.token: token}
        if not draft.open_places:
            return arguments
        items = as_list(arguments[self._spec.many])
        return {**arguments, self._spec.many: [items[place] for place in draft.open_places]}

    def _sent(self, request: ApiRequest, draft: Submission, repeats: bool) -> list[str]:
        """The keys of the job; a request without an answer is looked up before it is made again, unless the cloud takes
        it once anyway.

        :param repeats: True if the cloud may have taken this request before.
        """
        for place in range(SUBMITS):
            try:
                answer = self._hook.call(request, patience=self._patience)
                keys = self._spec.submitted(answer, self._wanted(draft))
            except CloudApiError as error:
                if key := self._shown_key(draft, taken_before=repeats):
                    return [key]
                if self._spec.token and (repeats or error.ambiguous or error.code.startswith(TAKEN_BEFORE)):
                    if not error.ambiguous or place == SUBMITS - 1:
                        raise self._taken_before(error) from error
                    log.warning("%s: the submit got no clear answer, making it again: %s", self._spec.api, error)
                    time.sleep(LOOKS[place + 1])
                    repeats = True
                    continue
                if not error.ambiguous:
                    kind = SubmitFailed if error.retryable else TaskRefused
                    raise kind("no job was started") from error
                if not self._finder:
                    raise SubmitOutcomeUnknown(
                        "the submit got no clear answer, so the job may or may not run"
                    ) from error
                log.warning("%s: the submit got no clear answer, looking for the job: %s", self._spec.api, error)
                keys = self._look_up(draft, LOOKS, certain=False)
                if keys:
                    return keys
                continue
            if keys and all(keys):
                return keys
            raise SubmitOutcomeUnknown(f"the answer to {request.operation} names no job (it has {fields_in(answer)})")
        raise SubmitOutcomeUnknown(f"{SUBMITS} submits got no clear answer, and the job cannot be found")

    def _shown_key(self, draft: Submission, *, taken_before: bool) -> str:
        """The key that we have chosen for the job, if the cloud shows a job that has it; empty if not.

        Where keys are chosen by the caller, a submit that is made again is refused: there is such a job already.

        :param taken_before: True if the cloud may have taken the job by an earlier submit.
        :raises LookUpFailed: it may have, and does not say just now.
        """
        if not self._spec.key_is_token:
            return ""
        [key] = self._spec.submitted({}, self._wanted(draft))
        seen = self._hook.fetch(self._spec, [key], self._scope)[key]
        if isinstance(seen, Observation):
            return key if self._spec.states.knows(seen.status) else ""
        if taken_before and seen.retryable:
            raise LookUpFailed(f"{key} may have been submitted, and cannot be seen") from seen
        return ""

    def _taken_before(self, error: CloudApiError) -> Exception:
        """What to raise where the cloud may have taken the job, under a token that it knows it by."""
        passing = error.ambiguous or error.retryable or error.code == "IdempotentProcessing"
        # Without an identity the next attempt has another token.
        if passing and self._identity:
            return LookUpFailed(
                "the job may have been submitted: a retry makes the same submit again, which the cloud takes once"
            )
        return SubmitOutcomeUnknown(
            "an earlier submit may have been taken, and the same one made again was refused: do its templates give "
            "another text in every attempt?"
        )

    def _look_up(self, draft: Submission, looks: Sequence[float], *, certain: bool) -> list[str]:
        """The keys, in the cloud, of the jobs that the draft does not name yet; none if they are not there.

        :param looks: seconds before each look.
        :param certain: True if a submit is right where looking is refused: nothing is known to have been submitted.
        """
        if not (self._finder and self._identity):
            return []
        arguments = self._wanted(draft)
        unclear: Unclear | None = None
        for pause in looks:
            time.sleep(pause)
            try:
                requests = self._finder.requests(arguments, self._identity)
                answers = [self._hook.call(request, patience=self._patience) for request in requests]
                if self._finder.details:
                    further = self._finder.details(answers)
                    answers = [self._hook.call(request, patience=self._patience) for request in further]
            except CloudApiError as error:
                if certain and not error.retryable:
                    log.warning("%s: cannot look for a job of the attempt before: %s", self._spec.api, error)
                    return []
                kind = LookUpFailed if error.retryable else SubmitOutcomeUnknown
                raise kind("a job may have been submitted, and could not be looked for") from error
            try:
                keys = self._finder.found(answers, arguments, self._identity, {*draft.keys, *draft.superseded})
            except Unclear as error:
                unclear = error
                continue
            unclear = None
            if keys:
                return keys
        if unclear:
            raise LookUpFailed(f"a job may have been submitted: {unclear}")
        return []

    def _failed(self, before: Submission) -> list[str]:
        """The jobs to submit anew: none as long as one goes on."""
        answers = self._hook.fetch(self._spec, before.keys, self._scope, patience=self._patience)
        records = [seen.record for seen in answers.values() if isinstance(seen, Observation)]
        remaining = before.trusted_after - time.time()
        if before.baseline in records and remaining > 0:
            time.sleep(remaining)  # it may be an earlier job's end that is still shown
            answers = self._hook.fetch(self._spec, before.keys, self._scope, patience=self._patience)
        outcomes = {
            key: self._spec.states.outcome(seen.status) if isinstance(seen, Observation) else None
            for key, seen in answers.items()
        }
        if None in outcomes.values():
            return []
        failed = [key for key, outcome in outcomes.items() if outcome is not Outcome.SUCCEEDED]
        return failed if self._fits(before) or not failed else list(before.keys)

    def _fits(self, draft: Submission) -> bool:
        """Whether its jobs stand in the places of what is to be submitted; tasks are changed between two attempts."""
        many = self._spec.many
        return bool(many) and len(as_list(self._arguments[many])) == len(draft.keys)

    def _baseline(self) -> Mapping[str, Any] | None:
        """How the poll answers before our submit; an end shown there is an earlier job's."""
        key = str(self._key)
        seen = self._hook.fetch(self._spec, [key], self._scope, patience=self._patience)[key]
        if isinstance(seen, Observation):
            return seen.record
        if seen.kind in NOTHING_SHOWN:
            log.info("%s %s: nothing is shown before the submit: %s", self._spec.api, key, seen)
            return None
        kind = SubmitFailed if seen.retryable else TaskRefused
        raise kind("no job was started") from seen

    def _remember(self, submission: Submission) -> Submission:
        """Store what is about to be sent."""
        self.pending = submission
        if self._store:
            try:
                self._store.set(self._record, submission.as_dict(), retention=RETENTION)
            except StateTrouble as error:
                self._quietly("forget what was not sent", self._put_back)  # it may have been stored all the same
                raise self._unsent(error) from error
        return submission

    def _quietly(self, what: str, use: Callable[[Any], None]) -> None:
        if self._store:
            try:
                use(self._store)
            except Exception:
                log.exception("%s: could not %s", self._spec.api, what)
