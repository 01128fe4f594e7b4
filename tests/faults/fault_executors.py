# SPDX-License-Identifier: Apache-2.0
"""What of the world depends on Airflow's executor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.own_postgres import Postgres
from support.own_redis import Redis

from airflow_cloudjobs.demo.local_airflow import COMPONENTS

NAMES = ("local", "celery")


@dataclass(frozen=True, slots=True)
class Executor:
    """An executor, and the processes that Airflow has with it.

    :param components: the processes.
    :param starts_tasks: the one of them from which workers are forked.
    :param tries_after_schedulers: the try in which a task goes on that was on a worker when all schedulers were lost.
    :param settings: Airflow's.
    :param redis: what the messages of Celery go through.
    """

    components: tuple[str, ...]
    starts_tasks: str
    tries_after_schedulers: int
    settings: Mapping[str, str] = field(default_factory=dict)
    redis: Redis | None = None


@contextmanager
def executor(name: str, postgres: Postgres, workers: str) -> Iterator[Executor]:
    """An executor with the servers that it needs.

    :param name: one of :data:`NAMES`; ``celery`` has two schedulers and two triggerers.
    :param postgres: Airflow's database.
    :param workers: how many tasks run at a time.
    """
    if name == "local":
        yield Executor(COMPONENTS, "scheduler", 2)
        return
    with Redis() as redis:
        settings = {
            "CORE__EXECUTOR": "CeleryExecutor",
            "CELERY__BROKER_URL": redis.url,
            "CELERY__RESULT_BACKEND": f"db+{postgres.url}",
            "CELERY__WORKER_CONCURRENCY": workers,
        }
        components = (*COMPONENTS, "scheduler:2", "triggerer:2", "celery worker")
        yield Executor(components, "celery worker", 1, settings, redis)
