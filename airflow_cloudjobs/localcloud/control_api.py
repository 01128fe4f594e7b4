# SPDX-License-Identifier: Apache-2.0
"""The control API under ``/_localcloud/``: unsigned JSON over HTTP, so that any process can script the
clouds.

======== ===================== ==============================================================
method   path                  what
======== ===================== ==============================================================
POST     reset                 forget everything
GET      stats                 counters, connections, the last requests (``?tail=``)
GET POST plan                  scripts for the next jobs of an API; DELETE takes all away
GET POST faults                faults in force; DELETE (``?number=``) takes one or all away
GET POST jobs                  jobs (``?api=``, the newest ``?tail=``); POST makes one that nobody submitted
GET      jobs/{api}/{key}      one job
PATCH    jobs/{api}/{key}      set its status now, give it another script, or with ``seconds`` alone hasten its own
GET PUT  clock                 the skew of the clock shown to clients, in seconds
POST     credentials           issue temporary credentials
POST     credentials/expire    end them
POST     keys/disable          disable an access key
POST     keys/expire           end every temporary key of a cloud
POST     tokens/expire         end every IAM token
POST     id-tokens             issue a token of the identity provider that both clouds trust
POST     logins/revoke         refuse every login of a cloud from now on, and end what they gave
GET PATCH settings             the settings
======== ===================== ==============================================================
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from airflow_cloudjobs.localcloud.accounts import Cloud
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.faults import Fault
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.scripts import VOCABULARIES, ScriptOverride, cloud_of, finish, script_for
from airflow_cloudjobs.localcloud.sockets import Connections
from airflow_cloudjobs.localcloud.state import Plan, State

PREFIX = "/_localcloud"
DRS_TASK = "drs.job"
PAGE = Path(__file__).with_name("page.html")
_ONLY_OURS = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
)

Handler = Callable[[dict[str, Any], Request], Any]


def control_application(state: State, connections: Connections) -> Starlette:
    """The application that serves the control API.

    It serves the clouds' page too, at ``/``: a client of the control API in a browser.

    :param state: the clouds' memory.
    :param connections: the server's connections.
    """
    api = _ControlApi(state, connections)
    table: tuple[tuple[str, str, Handler], ...] = (
        ("POST", "reset", api.reset),
        ("GET", "stats", api.stats),
        ("GET", "plan", api.plans),
        ("POST", "plan", api.plan),
        ("DELETE", "plan", api.clear_plans),
        ("GET", "faults", api.faults),
        ("POST", "faults", api.add_fault),
        ("DELETE", "faults", api.clear_faults),
        ("GET", "jobs", api.jobs),
        ("POST", "jobs", api.create_job),
        ("GET", "jobs/{api}/{key:path}", api.job),
        ("PATCH", "jobs/{api}/{key:path}", api.change_job),
        ("GET", "clock", api.clock),
        ("PUT", "clock", api.set_clock),
        ("POST", "credentials", api.issue_credentials),
        ("POST", "credentials/expire", api.expire_credentials),
        ("POST", "keys/disable", api.disable_key),
        ("POST", "keys/expire", api.expire_keys),
        ("POST", "tokens/expire", api.expire_tokens),
        ("POST", "id-tokens", api.issue_id_token),
        ("POST", "logins/revoke", api.revoke),
        ("GET", "settings", api.settings),
        ("PATCH", "settings", api.change_settings),
    )
    routes = [Route(f"{PREFIX}/{path}", _endpoint(handler), methods=[method]) for method, path, handler in table]
    return Starlette(routes=[*routes, Route("/", _page)])


async def _page(request: Request) -> FileResponse:
    return FileResponse(PAGE, headers={"Content-Security-Policy": _ONLY_OURS, "Cache-Control": "no-cache"})


def _endpoint(handler: Handler) -> Callable[[Request], Any]:
    async def serve(request: Request) -> JSONResponse:
        try:
            body = await request.json() if await request.body() else {}
            if not isinstance(body, dict):
                raise ValueError("the body is a JSON object")
            return JSONResponse(handler(body, request))
        except LookupError as error:
            return JSONResponse({"error": f"not found: {error}"}, 404)
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return serve


class _ControlApi:
    def __init__(self, state: State, connections: Connections) -> None:
        self._state = state
        self._connections = connections

    def reset(self, body: dict[str, Any], request: Request) -> Any:
        self._state.reset()
        self._connections.forget()
        return {}

    def stats(self, body: dict[str, Any], request: Request) -> Any:
        tail = int(request.query_params.get("tail", "100"))
        return {**self._state.stats.report(tail), "connections": self._connections.report()}

    def plans(self, body: dict[str, Any], request: Request) -> Any:
        return {api: [asdict(plan) for plan in plans] for api, plans in self._state.plans.items() if plans}

    def plan(self, body: dict[str, Any], request: Request) -> Any:
        api, count, match = body.pop("api", ""), body.pop("count", 1), body.pop("match", "")
        self._state.plan(api, Plan(ScriptOverride(**body), count, match))
        return {}

    def clear_plans(self, body: dict[str, Any], request: Request) -> Any:
        self._state.plans.clear()
        return {}

    def faults(self, body: dict[str, Any], request: Request) -> Any:
        return {"faults": self._state.faults.list(self._state.clock.now())}

    def add_fault(self, body: dict[str, Any], request: Request) -> Any:
        return {"number": self._state.faults.add(Fault(**body), self._state.clock.now())}

    def clear_faults(self, body: dict[str, Any], request: Request) -> Any:
        number = request.query_params.get("number")
        self._state.faults.clear(None if number is None else int(number))
        return {}

    def jobs(self, body: dict[str, Any], request: Request) -> Any:
        api, tail = request.query_params.get("api"), request.query_params.get("tail")
        jobs = iter(self._state.jobs) if api is None else self._state.jobs.of(api)
        if tail is not None:
            jobs = iter(heapq.nlargest(int(tail), jobs, key=attrgetter("started"))[::-1])
        return {"jobs": [self._shown(job) for job in jobs]}

    def job(self, body: dict[str, Any], request: Request) -> Any:
        return self._shown(self._find(request))

    def create_job(self, body: dict[str, Any], request: Request) -> Any:
        api, fields = body.pop("api", ""), body.pop("fields", None) or {}
        numbered = api in VOCABULARIES and VOCABULARIES[api].numbered
        number = len(list(self._state.jobs)) + 1
        key = body.pop("key", None) or (str(number) if numbered else f"job-{number:06d}")
        if numbered and not (key.isdecimal() and key == str(int(key))):
            raise ValueError(f"the keys of {api} are numbers, and {key!r} is none")
        now = self._state.clock.now()
        if api == DRS_TASK:
            self._state.drs_tasks[key] = now
            return {"api": api, "key": key}
        if api not in VOCABULARIES:
            raise ValueError(f"no such API: {api!r}; there are {DRS_TASK}, {', '.join(VOCABULARIES)}")
        if api == "drs.object_template":
            self._state.drs_tasks.setdefault(key, now)
        override = ScriptOverride(**body)
        job = self._state.submit(api, key, fields, script_for(api, [override], self._state.settings.job_seconds))
        self._state.stats.submits[api] -= 1
        return self._shown(job)

    def change_job(self, body: dict[str, Any], request: Request) -> Any:
        job, now = self._find(request), self._state.clock.now()
        job.fields.update(body.pop("fields", None) or {})
        if "status" in body:
            steps = ((body.pop("status"), 0.0),)
            script = finish(job.api, steps, body.pop("reason", None), body.pop("code", None))
            if body:
                raise ValueError(f"with a status there is no {', '.join(body)}")
            job.play(script, now)
        elif body.keys() == {"seconds"}:
            job.play(job.script.within(float(body["seconds"])), now)
        elif body:
            job.play(script_for(job.api, [ScriptOverride(**body)], self._state.settings.job_seconds), now)
        return self._shown(job)

    def clock(self, body: dict[str, Any], request: Request) -> Any:
        return {"skew": self._state.clock.skew, "shown": iso(self._state.clock.shown())}

    def set_clock(self, body: dict[str, Any], request: Request) -> Any:
        self._state.clock.skew = float(body["skew"])
        return self.clock({}, request)

    def issue_credentials(self, body: dict[str, Any], request: Request) -> Any:
        cloud = _cloud(body)
        expires_at = self._state.clock.shown() + float(body.get("expires_in", 3600.0))
        key = self._state.accounts.issue_key(cloud, expires_at)
        return {
            "access_key": key.access_key,
            "secret": key.secret,
            "security_token": key.security_token,
            "expires_at": iso(expires_at),
        }

    def expire_credentials(self, body: dict[str, Any], request: Request) -> Any:
        access_key = str(body["access_key"])
        if not self._state.accounts.expire_key(access_key, self._state.clock.shown()):
            raise LookupError(f"no temporary credentials {access_key}")
        return {}

    def disable_key(self, body: dict[str, Any], request: Request) -> Any:
        self._state.accounts.disabled.add(str(body["access_key"]))
        return {}

    def expire_keys(self, body: dict[str, Any], request: Request) -> Any:
        return {"expired": self._state.accounts.expire_keys(_cloud(body), self._state.clock.shown())}

    def issue_id_token(self, body: dict[str, Any], request: Request) -> Any:
        expires_at = self._state.clock.shown() + float(body.get("expires_in", 3600.0))
        return {"token": self._state.accounts.issue_id_token(expires_at)}

    def revoke(self, body: dict[str, Any], request: Request) -> Any:
        self._state.accounts.revoke(_cloud(body), self._state.clock.shown())
        return {}

    def expire_tokens(self, body: dict[str, Any], request: Request) -> Any:
        return {"expired": self._state.accounts.expire_tokens(self._state.clock.shown())}

    def settings(self, body: dict[str, Any], request: Request) -> Any:
        return self._state.settings.as_json()

    def change_settings(self, body: dict[str, Any], request: Request) -> Any:
        self._state.settings = self._state.settings.changed(body)
        return self._state.settings.as_json()

    def _find(self, request: Request) -> Job:
        api, key = request.path_params["api"], request.path_params["key"]
        job = self._state.jobs.get(api, key)
        if job is None:
            raise LookupError(f"{api} {key}")
        return job

    def _shown(self, job: Job) -> dict[str, Any]:
        now = self._state.clock.now()
        return {
            "cloud": cloud_of(job.api),
            "api": job.api,
            "key": job.key,
            "status": job.status(now),
            "ended": job.ended(now),
            "succeeded": job.succeeded(now),
            "progress": job.progress(now),
            "started": job.started,
            "age": job.lasted(now),
            "life": job.life(now),
            **self._state.stats.of_job(job.api, job.key),
            "fields": job.fields,
        }


def _cloud(body: dict[str, Any]) -> Cloud:
    cloud = body.get("cloud")
    if cloud == "alibaba":
        return "alibaba"
    if cloud == "huawei":
        return "huawei"
    raise ValueError(f"cloud is alibaba or huawei, not {cloud!r}")
