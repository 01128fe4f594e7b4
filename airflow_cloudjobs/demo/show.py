# SPDX-License-Identifier: Apache-2.0
"""``cloudjobs demo``: every example DAG on a real Airflow against the two clouds on localhost.

No cloud account is needed and nothing stays behind: the clouds are part of this process, Airflow lives in a
temporary folder.
"""

from __future__ import annotations

import argparse
import signal
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

import airflow_provider_cloudjobs
from airflow_cloudjobs.demo.account import account
from airflow_cloudjobs.demo.chaos import ENVIRONMENT, Chaos
from airflow_cloudjobs.demo.expectation import Run, Surprise, Task, expected_in, surprises
from airflow_cloudjobs.demo.local_airflow import ENDED_RUN, LocalAirflow, dag_files
from airflow_cloudjobs.demo.rest import AirflowProblem, RestError
from airflow_cloudjobs.demo.screen import Progress, Screen
from airflow_cloudjobs.demo.watch import watch
from airflow_cloudjobs.localcloud.control import Control

#: The example DAGs, where Airflow too looks for them.
EXAMPLES = Path(airflow_provider_cloudjobs.__file__).parent / "example_dags"

#: Seconds within which every run must have ended.
RUN_LIMIT = 300.0

#: Exit code of a program that was ended by Ctrl-C.
_INTERRUPTED = 128 + signal.SIGINT

_HEAD = ("dag", "task", "api", "job key", "status", "seconds")

#: What is open after the runs, until Ctrl-C.
_LOOK_AT = """
Open until Ctrl-C:
  {airflow}/dags/failure_handled      a job that fails: the log of 'query' says why, and what to do
  {airflow}/dags/sql_job              one that succeeds: XCom has its result, its details link to the cloud's console
  {airflow}/connections               both connections: press Test
  {clouds}                           the clouds: start a DAG again, and fail, stall or trouble its job there"""

#: Last lines of a task's log that are shown when the task surprises.
_LOG_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``cloudjobs demo`` to a parser."""
    parser.add_argument("--ui", action="store_true", help="keep Airflow's web page open afterwards, until Ctrl-C")
    parser.add_argument(
        "--chaos",
        action="store_true",
        help="kill a worker and the triggerer meanwhile, and take the clouds away; two minutes",
    )
    parser.add_argument(
        "--job-seconds",
        type=float,
        default=4.0,
        metavar="S",
        help="how long a job of the local clouds takes (default: %(default)s)",
    )
    parser.add_argument(
        "--dags",
        type=Path,
        default=EXAMPLES,
        metavar="FOLDER",
        help="folder with the DAG files (default: the examples)",
    )


def main(args: argparse.Namespace) -> int:
    """Run ``cloudjobs demo``.

    :param args: what a parser with :func:`add_arguments` gave
    :return: exit code, see :func:`run_demo`; 2 if there is no such folder, or no DAG in it
    """
    if not args.dags.is_dir() or not dag_files(args.dags):
        print(f"cloudjobs demo: --dags: {args.dags} is not a folder with DAG files", file=sys.stderr)
        return 2
    with _termination_as_exit():
        return run_demo(args.dags, ui=args.ui, chaos=args.chaos, job_seconds=args.job_seconds, out=sys.stdout)


def run_demo(
    dags_folder: Path,
    *,
    ui: bool = False,
    chaos: bool = False,
    job_seconds: float,
    out: TextIO,
    run_limit: float = RUN_LIMIT,
) -> int:
    """Run every DAG of a folder once and tell how each job ended.

    :param dags_folder: folder with the DAG files; they find both clouds under the default connection ids
    :param ui: keep Airflow's web page open afterwards, until Ctrl-C
    :param chaos: do meanwhile what :mod:`airflow_cloudjobs.demo.chaos` has, and close with the account of the jobs
    :param job_seconds: how long a job of the local clouds takes
    :param out: where to write
    :param run_limit: seconds within which every run must have ended, twice as many with chaos
    :return: 0 if every run ended as expected (see :mod:`airflow_cloudjobs.demo.expectation`) and, after chaos, the
        account is right; 1 if not, or if Airflow failed; 130 after Ctrl-C
    """
    # The local clouds need the package's extra of that name; the parser of the command line does not.
    from airflow_cloudjobs.localcloud import LocalCloud

    screen = Screen(out)
    try:
        screen.step("starting Alibaba Cloud and Huawei Cloud on localhost")
        with LocalCloud(job_seconds=job_seconds) as cloud:
            screen.step(f"their page: {cloud.url}")
            with LocalAirflow(dags_folder, env=_environment(dags_folder, chaos), progress=screen.step) as airflow:
                # Where its web page shows them, and can try them.
                airflow.create_connection("alibabacloud_default", cloud.alibaba_connection())
                airflow.create_connection("huaweicloud_default", cloud.huawei_connection(conn_type="huawei_dli"))
                if ui:
                    screen.step(f"Airflow's page: {airflow.url}")
                limit, control = (2 * run_limit, cloud.control) if chaos else (run_limit, None)
                code = run_all(airflow, screen, limit, control=control)
                if ui:
                    _keep_open(airflow, cloud.url, screen)
                return code
    except AirflowProblem as error:
        screen.line(f"\nThe demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        screen.line("\ninterrupted; everything is stopped")
        return _INTERRUPTED


def _environment(dags_folder: Path, chaos: bool) -> dict[str, str]:
    env = {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled", **(ENVIRONMENT if chaos else {})}
    if any(b"Asset(" in path.read_bytes() for path in dags_folder.rglob("*.py")):
        # Otherwise Airflow begins no run by itself, so that each DAG runs once.
        env["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "True"
    return env


def run_all(
    airflow: LocalAirflow, screen: Screen, run_limit: float = RUN_LIMIT, *, control: Control | None = None
) -> int:
    """Run every DAG of an Airflow once, all at the same time, and print progress, table and surprises.

    A DAG that is scheduled by an asset is not started here: the asset has to.

    :param airflow: a running Airflow
    :param screen: where to print
    :param run_limit: seconds within which every run must have ended
    :param control: that of the clouds, for chaos; None leaves all in peace
    :return: 0 if every run ended as expected and, after chaos, the account is right, else 1
    """
    dag_ids = airflow.wait_for_dags()
    expected = expected_in(airflow.dags_folder)
    follow = {dag["dag_id"] for dag in airflow.dags() if dag["timetable_summary"] == "Asset"}
    screen.step(f"running {', '.join(dag_ids)}")
    chaos = Chaos(airflow, control, screen.step) if control else None
    first = chaos.kill_a_worker(dag_ids) if chaos else {}
    started = {dag_id: "" if dag_id in follow else first.get(dag_id) or airflow.trigger(dag_id) for dag_id in dag_ids}
    with screen.progress() as progress:
        seen = _both(progress, chaos) if chaos else progress
        runs = watch(airflow, started, seen, run_limit)

    results = {
        task: _results(airflow.xcom(*_where(task), map_index=task.map_index)) for run in runs for task in run.tasks
    }
    screen.line()
    screen.table(_HEAD, [row for task, found in results.items() if (row := _row(airflow, task, found))])
    screen.line()

    found: list[Surprise] = []
    for run in runs:
        ended = run.state in ENDED_RUN
        found += surprises(run, expected.get(run.dag_id, {})) if ended else _unended(run, run_limit)
    if chaos and not chaos.is_over:
        found.append(Surprise("the runs have ended before all was done to them"))
    for surprise in found:
        screen.line(surprise.text)
        if surprise.task:
            screen.line(textwrap.indent(_log_tail(airflow, surprise.task), "    "))
    if not found:
        screen.step("every run ended as expected")
    well = not found
    if control:
        events = [event for run in runs for event in airflow.events(None, run.dag_id, run.run_id)]
        closing = account(results, control.jobs(), sum(control.stats(0)["submits"].values()), events)
        screen.step(str(closing))
        well = well and closing.is_right
    return 0 if well else 1


def _both(first: Progress, second: Progress) -> Progress:
    def show(runs: Sequence[Run]) -> None:
        first(runs)
        second(runs)

    return show


def _unended(run: Run, limit: float) -> Iterator[Surprise]:
    yield Surprise(f"{run.dag_id}: the run has not ended within {limit:.0f} s, it is {run.state}")
    for task in run.tasks:
        if task.state not in ("success", "skipped"):
            yield Surprise(f"{task.dag_id}.{task.label} is {task.state}", task)


def _where(task: Task) -> tuple[str, str, str]:
    return (task.dag_id, task.run_id, task.task_id)


def _row(airflow: LocalAirflow, task: Task, results: Sequence[Mapping[str, Any]]) -> Sequence[str] | None:
    """Make the table's row of a task that ran a cloud job; other tasks have none."""
    seconds = "" if task.seconds is None else f"{task.seconds:.1f}"
    if results:
        api = _listed([each["api"] for each in results])
        keys = _listed([each["job_key"] for each in results])
        ends = _listed([_end(each) for each in results])
    else:
        key = airflow.xcom(*_where(task), key="job_key", map_index=task.map_index)
        if key is None:
            return None
        api, keys, ends = f"({task.operator})", _listed(key if isinstance(key, list) else [key]), "no result"
    return (task.dag_id, task.label, api, keys, f"{ends}, task {task.state}", seconds)


def _end(result: Mapping[str, Any]) -> str:
    """Write how a job ended: the outcome and, where it was asked for, the API's own status."""
    return f"{result['outcome']} ({result['status']})" if result["status"] else str(result["outcome"])


def _listed(values: Sequence[Any]) -> str:
    """Write values with commas between, each once."""
    return ", ".join(dict.fromkeys(map(str, values)))


def _results(value: Any) -> Sequence[Mapping[str, Any]]:
    """Give the job results in an XCom: one, several, or none if it holds something else."""
    values = value if isinstance(value, list) else [value]
    known = {"api", "job_key", "outcome", "status"}
    return values if all(isinstance(each, dict) and known <= each.keys() for each in values) else ()


def _log_tail(airflow: LocalAirflow, task: Task) -> str:
    try:
        text = airflow.log(task.dag_id, task.run_id, task.task_id, task.try_number, task.map_index)
    except RestError as error:
        text = f"no log: {error}"
    return "\n".join(text.splitlines()[-_LOG_LINES:])


def _keep_open(airflow: LocalAirflow, clouds: str, screen: Screen) -> None:
    screen.line(_LOOK_AT.format(airflow=airflow.url, clouds=clouds))
    try:
        while True:
            airflow.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        screen.line()


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave through the context managers, which clean up, and not on the spot."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    # A shell starts what it puts into the background with SIGINT ignored; who sends it all the same means it.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
