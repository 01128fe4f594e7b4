# SPDX-License-Identifier: Apache-2.0
"""Airflow's executors: the processes that it has with each, its settings, and the servers that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_cloudjobs.demo.local_airflow import COMPONENTS
from support.own_postgres import Postgres
from support.own_redis import Redis

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
    settings: Mapping[str, str]
    redis: Redis | None = None


@contextmanager
def executor(name: str, postgres: Postgres, workers: int) -> Iterator[Executor]:
    """An executor with the servers that it needs.

    :param name: one of :data:`NAMES`; ``celery`` has two schedulers and two triggerers.
    :param postgres: Airflow's database.
    :param workers: how many tasks run at a time.
    """
    if name == "local":
        yield Executor(COMPONENTS, "scheduler", 2, {"CORE__PARALLELISM": str(workers)})
        return
    with Redis() as redis:
        settings = {
            "CORE__EXECUTOR": "CeleryExecutor",
            "CORE__PARALLELISM": str(workers),
            "CELERY__BROKER_URL": redis.url,
            "CELERY__RESULT_BACKEND": f"db+{postgres.url}",
            "CELERY__WORKER_CONCURRENCY": str(workers),
        }
        components = (*COMPONENTS, "scheduler:2", "triggerer:2", "celery worker")
        yield Executor(components, "celery worker", 1, settings, redis)
