# SPDX-License-Identifier: Apache-2.0
"""A job API as a value, for DAG files: see docs/declare-an-api.md. Importing this loads nothing of Airflow."""

from __future__ import annotations

from airflow_cloudjobs.jobs.job_api import Call, Find, InvalidJobApi, JobApi

__all__ = ["Call", "Find", "InvalidJobApi", "JobApi"]
