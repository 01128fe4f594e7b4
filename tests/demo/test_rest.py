# SPDX-License-Identifier: Apache-2.0
"""Airflow's REST API at times when it refuses; what it does when it does not is seen on a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from airflow_cloudjobs.demo.rest import AirflowRest, RestError


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[AirflowRest, list[Any]]]:
    """A server that answers with these, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses[len(asked) - 1])
            self.end_headers()
            self.wfile.write(b'{"detail": {"reason": "Database error"}}')

        def log_message(self, *about: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield AirflowRest(f"http://127.0.0.1:{server.server_port}"), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_run_is_asked_for_again_where_the_database_is_busy() -> None:
    with answering(500, 500, 200) as (airflow, asked):
        run_id = airflow.trigger("d", {"a": 1})
    assert [one["dag_run_id"] for one in asked] == [run_id] * 3
    assert asked[0] == asked[2]


@pytest.mark.parametrize("status", [404, 409, 422])
def test_another_refusal_is_told(status: int) -> None:
    with answering(status) as (airflow, asked), pytest.raises(RestError, match="Database error"):
        airflow.trigger("d")
    assert len(asked) == 1
