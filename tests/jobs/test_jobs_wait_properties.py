# SPDX-License-Identifier: Apache-2.0
"""The wait by property: whatever is seen, in whatever order and at whatever pace, the promises hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from wait_driving import START, Answer, handed_over, through_json

from airflow_cloudjobs.apis import SPECS, spec_of
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.spec import JobSpec, Observation
from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan

property_of_waits = settings(deadline=None, max_examples=70)

PASSING = (ErrorKind.TRANSIENT, ErrorKind.THROTTLED)
FINAL = (ErrorKind.DENIED, ErrorKind.INVALID, ErrorKind.EXPIRED, ErrorKind.CLOCK)

specs = st.sampled_from([spec_of(api) for api in SPECS])


def words_of(spec: JobSpec) -> list[str]:
    states = spec.states
    return sorted(states.in_progress | states.succeeded | states.failed | states.cancelled)


def statuses(spec: JobSpec) -> st.SearchStrategy[str]:
    """Listed ones, mostly in progress so that histories grow long; odd case, unlisted, empty."""
    listed = st.sampled_from(words_of(spec))
    going = st.sampled_from(sorted(spec.states.in_progress))
    odd = listed.map(str.swapcase) | listed.map(str.title) | listed.map(lambda word: f" {word}")
    return st.one_of(going, going, going, listed, odd, st.sampled_from(["", "HUH", "null"]), st.text(max_size=4))


def observations(spec: JobSpec) -> st.SearchStrategy[Observation]:
    return st.builds(
        lambda status, number: Observation(status, {spec.status: status, "n": number}, f"r{number}"),
        statuses(spec),
        st.integers(0, 1),
    )


api_errors = st.builds(
    CloudApiError,
    st.just("m"),
    kind=st.sampled_from([*PASSING, *PASSING, *PASSING, *ErrorKind]),
    retry_after=st.none() | st.floats(0, 500),
    ambiguous=st.booleans(),
    http_status=st.sampled_from([0, 0, 503]),
)
#: What a request meets that reaches nobody.
unreached = st.builds(CloudApiError, st.just("m"), kind=st.just(ErrorKind.TRANSIENT), misdirected=st.booleans())


def answers(spec: JobSpec, errors: bool = True) -> st.SearchStrategy[Answer]:
    seen = observations(spec)
    return st.one_of(seen, seen, api_errors) if errors else seen


times = st.floats(0, 2000)


@st.composite
def plans(draw: st.DrawFn, spec: JobSpec) -> WaitPlan:
    earlier = draw(st.none() | observations(spec).map(lambda look: dict(look.record)))
    return WaitPlan(
        START,
        draw(st.floats(0.1, 600)),
        draw(st.none() | st.floats(0, 5000).map(lambda limit: START + limit)),
        not_found_until=START + draw(times),
        baseline=earlier,
        trusted_after=START + draw(times) if earlier is not None else 0.0,
    )


@dataclass
class Step:
    """One look: when it was asked and answered, and what came."""

    asked: float
    now: float
    answers: dict[str, Answer]
    notes: list[LogLine]
    pause: float


@dataclass
class Run:
    """A wait driven to its end or to the end of its script."""

    wait: Wait
    steps: list[Step] = field(default_factory=list)

    def of(self, key: str) -> list[tuple[float, Answer]]:
        return [(step.now, step.answers[key]) for step in self.steps if key in step.answers]

    def end_of(self, key: str) -> JobResult | None:
        return next((end for end in self.wait.results if end.key == key), None)


@st.composite
def runs(draw: st.DrawFn, *, errors: bool = True, most_keys: int = 3, polite: bool = False) -> Run:
    """A random plan and a random history, looked at when the wait says so (or, if impolite, a bit later).

    :param errors: False for answers that are all readable.
    :param most_keys: how many jobs at most.
    :param polite: answers come at once and nobody oversleeps.
    """
    spec = draw(specs)
    keys = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=most_keys, unique=True))
    source = random.Random(draw(st.integers(0, 2**16)))
    wait = Wait(spec, keys, draw(plans(spec)), random=source.random)
    run = Run(wait)
    late = st.just(0.0) if polite else st.sampled_from([0.0, 0.0, 0.0, 0.5, 20.0, 700.0])
    now = START
    for _ in range(draw(st.integers(1, 30))):
        if wait.over:
            break
        now += wait.pause(now) + draw(late)
        asked = now
        due = wait.due(now)
        now += draw(late)
        order = draw(st.permutations(due))
        came = {key: draw(answers(spec, errors)) for key in order}
        notes = wait.take(came, now)
        run.steps.append(Step(asked, now, came, notes, wait.pause(now)))
    return run


def is_success(spec: JobSpec, answer: Answer) -> bool:
    if not isinstance(answer, Observation):
        return False
    listed = spec.states.succeeded
    if spec.states.ignore_case:
        return answer.status.upper() in {word.upper() for word in listed}
    return answer.status in listed


@property_of_waits
@given(runs())
def test_only_a_listed_success_is_success(run: Run) -> None:
    for key in run.wait.keys:
        end = run.end_of(key)
        if end is None or end.outcome is not Outcome.SUCCEEDED:
            continue
        now, last = run.of(key)[-1]
        assert is_success(run.wait.spec, last)
        assert isinstance(last, Observation)
        assert (end.status, end.record) == (last.status, last.record)
        plan = run.wait.plan
        if plan.baseline is not None and now < plan.trusted_after and dict(last.record) == plan.baseline:
            before = [look for _, look in run.of(key)[:-1] if isinstance(look, Observation)]
            assert any(dict(look.record) != plan.baseline for look in before) or any(
                at >= plan.trusted_after for at, _ in run.of(key)
            )


@property_of_waits
@given(runs())
def test_ends_tell_what_was_seen_last(run: Run) -> None:
    spec = run.wait.spec
    for end in run.wait.results:
        looks = [look for _, look in run.of(end.key) if isinstance(look, Observation)]
        assert end.status == (looks[-1].status if looks else "")
        outcome = spec.states.outcome(end.status) if looks else None
        if end.outcome in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED):
            assert outcome is end.outcome
            assert end.error is None
        if end.outcome is Outcome.UNREADABLE:
            assert not spec.states.knows(end.status)
        if end.outcome is Outcome.ERROR:
            assert end.error is not None


@property_of_waits
@given(runs())
def test_nothing_is_waited_for_beyond_the_deadline(run: Run) -> None:
    deadline = run.wait.plan.deadline
    for step in run.steps:
        if deadline is not None and step.asked >= deadline:
            assert run.wait.over
            assert step is run.steps[-1]
        if deadline is not None and step.now >= deadline:
            assert all(run.end_of(key) is not None for key in step.answers)
            assert step.pause == 0
    for end in run.wait.results:
        if end.outcome is Outcome.TIMED_OUT:
            assert deadline is not None
            assert run.steps[-1].now >= deadline


@property_of_waits
@given(runs())
def test_pauses_are_never_negative_and_never_pass_the_deadline(run: Run) -> None:
    deadline = run.wait.plan.deadline
    for step in run.steps:
        assert step.pause >= 0
        if deadline is not None and step.now < deadline:
            assert step.now + step.pause <= deadline


@property_of_waits
@given(runs(errors=False))
def test_without_errors_pauses_grow_from_a_second_to_the_interval(run: Run) -> None:
    plan = run.wait.plan
    for step in run.steps:
        waited = step.now - START
        wanted = min(plan.interval, max(1.0, 0.1 * waited))
        assert step.pause <= plan.interval
        if run.wait.over and step is run.steps[-1]:
            continue
        capped = plan.deadline is not None and step.now + step.pause >= plan.deadline - 1e-6
        assert capped or 0.8 * wanted - 1e-6 <= step.pause <= wanted + 1e-6


@property_of_waits
@given(runs(errors=False, polite=True))
def test_an_end_is_seen_soon(run: Run) -> None:
    """Between two looks lie two seconds, or a tenth of the time until then; so an end is seen that soon."""
    for before, after in zip(run.steps, run.steps[1:], strict=False):
        assert after.asked - before.now <= max(2.0, 0.1 * (before.now - START)) + 1e-6


def patience_of(plan: WaitPlan) -> float:
    return min(600.0, 10 * plan.interval)


@property_of_waits
@given(runs())
def test_doubt_ends_after_the_patience_and_not_before(run: Run) -> None:
    """The time in which nothing could be read does not count."""
    plan, spec, patience = run.wait.plan, run.wait.spec, patience_of(run.wait.plan)
    for key in run.wait.keys:
        since: float | None = None
        blind: float | None = None
        end = run.end_of(key)
        history = run.of(key)
        for place, (now, answer) in enumerate(history):
            last = end is not None and place == len(history) - 1
            unlisted = isinstance(answer, Observation) and not spec.states.knows(answer.status)
            refused = isinstance(answer, CloudApiError) and answer.kind is ErrorKind.UNKNOWN
            missing = isinstance(answer, CloudApiError) and answer.kind is ErrorKind.NOT_FOUND
            gone = (
                missing
                and now >= plan.not_found_until
                and any(isinstance(one, Observation) for _, one in history[:place])
            )
            if (isinstance(answer, CloudApiError) and answer.retryable) or (missing and now < plan.not_found_until):
                blind = now if blind is None else blind
            elif blind is not None:
                since, blind = (None if since is None else since + (now - blind)), None
            if isinstance(answer, Observation) and not unlisted:
                since = None
            if not (unlisted or refused or gone):
                if last:
                    assert end is not None
                    assert end.outcome is not Outcome.UNREADABLE
                continue
            since = now if since is None else since
            tired = now > since and now - since >= patience
            if last:
                assert end is not None
                doubting = {Outcome.UNREADABLE} if unlisted else {Outcome.ERROR}
                assert end.outcome in (doubting if tired else {Outcome.TIMED_OUT})
            else:
                assert not tired


@property_of_waits
@given(runs())
def test_final_errors_end_at_once_and_passing_ones_never(run: Run) -> None:
    plan = run.wait.plan
    for key in run.wait.keys:
        end = run.end_of(key)
        history = run.of(key)
        for place, (now, answer) in enumerate(history):
            if not isinstance(answer, CloudApiError):
                continue
            last = end is not None and place == len(history) - 1
            missing = answer.kind is ErrorKind.NOT_FOUND
            seen = any(isinstance(before, Observation) for _, before in history[:place])
            final = answer.kind in FINAL or (missing and not seen and now >= plan.not_found_until)
            if final:
                assert last
                assert end is not None
                assert end.outcome is Outcome.ERROR
                assert end.error is answer
            elif last and answer.kind is not ErrorKind.UNKNOWN and not (missing and seen):
                assert end is not None
                assert end.outcome is Outcome.TIMED_OUT
                assert plan.deadline is not None
                assert now >= plan.deadline


@property_of_waits
@given(runs(most_keys=1))
def test_retry_after_is_respected(run: Run) -> None:
    deadline = run.wait.plan.deadline
    for step in run.steps:
        for answer in step.answers.values():
            if isinstance(answer, CloudApiError) and answer.retry_after and not run.wait.over:
                left = float("inf") if deadline is None else deadline - step.now
                # An hour of clock readings is exact to a millionth of a second.
                assert step.pause >= min(answer.retry_after, left) - 1e-6


@property_of_waits
@given(runs(most_keys=1))
def test_the_log_has_a_line_for_each_change_and_seldom_one_more(run: Run) -> None:
    [key] = run.wait.keys
    looks = [look for _, look in run.of(key) if isinstance(look, Observation)]
    changes = sum(1 for n, look in enumerate(looks) if n == 0 or looks[n - 1].status != look.status)
    told = [note for step in run.steps for note in step.notes]
    arrows = [note for note in told if "still" not in note.text and " after " in note.text and note.level == 20]
    arrows = [note for note in arrows if "readable again" not in note.text]
    assert len(arrows) == changes
    waited = run.steps[-1].now - START if run.steps else 0.0
    runs_of_errors = sum(
        1
        for n, (_, answer) in enumerate(run.of(key))
        if isinstance(answer, CloudApiError) and (n == 0 or not isinstance(run.of(key)[n - 1][1], CloudApiError))
    )
    doubts = sum(1 for _, answer in run.of(key) if isinstance(answer, Observation))
    assert len(told) - changes <= waited / 300 + 3 * runs_of_errors + doubts


@settings(deadline=None, max_examples=200)
@given(
    specs,
    st.lists(st.tuples(st.floats(0.1, 400), st.one_of(unreached, unreached, unreached, api_errors)), max_size=25),
    st.booleans(),
)
def test_only_a_host_that_never_answered_and_is_none_for_minutes_ends_a_wait(
    spec: JobSpec, history: list[tuple[float, CloudApiError]], answered: bool
) -> None:
    """And such a one always does. What the cloud says itself ends waits by other rules."""
    wait = Wait(spec, ["k"], WaitPlan(START, 10.0, answered=answered), random=lambda: 0.5)
    now, since = START, None
    for gap, error in history:
        now += gap
        if not (error.retryable or error.misdirected):
            continue
        answered = answered or bool(error.http_status)
        since = (since or now) if error.misdirected and not answered else None
        wait.take({"k": error}, now)
        assert wait.over == (since is not None and now - since >= 300)
        if wait.over:
            return


@property_of_waits
@given(specs.flatmap(plans))
def test_a_plan_survives_json(plan: WaitPlan) -> None:
    assert WaitPlan.from_dict(through_json(plan.as_dict())) == plan
    assert WaitPlan.from_dict({**through_json(plan.as_dict()), "of tomorrow": [1]}) == plan


@property_of_waits
@given(runs())
def test_an_end_survives_json(run: Run) -> None:
    for end in run.wait.results:
        again = JobResult.from_dict({**through_json(end.as_dict()), "of tomorrow": [1]})
        assert again.as_dict() == end.as_dict()


@st.composite
def histories(draw: st.DrawFn) -> tuple[JobSpec, WaitPlan, list[tuple[float, Answer]], int]:
    """What one job's looks show, when, and where the wait is cut."""
    spec = draw(specs)
    plan = draw(plans(spec))
    gaps = draw(st.lists(st.floats(0.5, 400), min_size=2, max_size=12))
    now, history = START, []
    for gap in gaps:
        now += gap
        history.append((now, draw(answers(spec))))
    return spec, plan, history, draw(st.integers(1, len(gaps) - 1))


@settings(deadline=None, max_examples=150)
@given(histories())
def test_a_wait_cut_in_two_has_no_success_that_the_whole_has_not(
    case: tuple[JobSpec, WaitPlan, list[tuple[float, Answer]], int],
) -> None:
    spec, plan, history, cut = case
    draw: Callable[[], float] = lambda: 0.5  # noqa: E731 - a name for a constant
    whole = Wait(spec, ["k"], plan, random=draw)
    for now, answer in history:
        whole.take({"k": answer}, now)
    first = Wait(spec, ["k"], plan, random=draw)
    for now, answer in history[:cut]:
        first.take({"k": answer}, now)
    if first.over:
        return
    rest = handed_over(first, history[cut - 1][0])
    for now, answer in history[cut:]:
        rest.take({"k": answer}, now)
    if rest.over and rest.results[0].outcome is Outcome.SUCCEEDED:
        assert whole.over
        assert whole.results[0].outcome is Outcome.SUCCEEDED


def test_a_wait_cut_in_two_does_not_lose_a_failure() -> None:
    """The import before failed; ours was seen under way and failed in the same words; much later one succeeds."""
    spec = spec_of("drs.object_template")
    failed = Observation("failed", {"process_status": "failed"})
    plan = WaitPlan(START, 10.0, baseline=dict(failed.record), trusted_after=START + 30)
    first = Wait(spec, ["k"], plan, random=lambda: 0.0)
    first.take({"k": Observation("", {})}, START)
    rest = handed_over(first, START + 1)
    rest.take({"k": failed}, START + 2)
    rest.take({"k": Observation("success", {"process_status": "success"})}, START + 20)
    assert rest.over
    assert rest.results[0].outcome is Outcome.FAILED
