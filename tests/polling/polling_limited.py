# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud with a quota: jobs run for ever, and calls over the quota are refused as the vendor does."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from aiohttp import web
from polling_simulated import Quota

from airflow_cloudjobs.localcloud.connections import alibaba_connection


class LimitedCloud:
    """A server on the running loop and its clock, as an async context manager; no signature is checked.

    :param rate: calls a second that it takes.
    :param burst: calls that it takes at once after a rest.
    """

    def __init__(self, rate: float = 1e9, burst: float = 1e9) -> None:
        self.quota = Quota(rate, burst)
        self.taken: list[float] = []
        self.refused: list[float] = []
        self.keys: set[str] = set()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    def alibaba_connection(self) -> dict[str, Any]:
        """An Airflow connection to it, in Airflow's JSON form."""
        return alibaba_connection("127.0.0.1", self.port)

    async def _answer(self, request: web.Request) -> web.Response:
        now = asyncio.get_running_loop().time()
        if not self.quota.takes(now):
            self.refused.append(now)
            refusal = {"Code": "Throttling.User", "Message": "denied due to user flow control", "RequestId": "R"}
            return web.json_response(refusal, status=400)
        self.taken.append(now)
        query, job = request.query, dict[str, Any]()
        match request.headers["x-acs-action"]:
            case "GetUserUploadFileJob":
                job = {"UploadFileJobDetail": {"JobKey": query["JobKey"], "JobStatus": "RUNNING"}}
            case "QueryDataTrackResultDownloadStatus":
                job = {"StatusResult": {"DownloadStatus": "DOWNLOADING"}}
            case "GetUrlUploadInfos":
                keys = query["JobIds"].split(",")
                self.keys.update(keys)
                job = {"URLUploadInfoList": [{"JobId": key, "Status": "UPLOADING"} for key in keys]}
        return web.json_response({"RequestId": "R", "Success": True, **job})
