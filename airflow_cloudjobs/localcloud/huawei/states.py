# SPDX-License-Identifier: Apache-2.0
"""The states of the job APIs of Huawei Cloud, from the vendor's pages and SDK packages."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_cloudjobs.localcloud.vocabulary import Vocabulary

STATES: Mapping[str, Vocabulary] = {
    "dli.sql_job": Vocabulary(
        running=(("LAUNCHING", 0.2), ("SCALING", 0.15), ("RUNNING", 0.65)),
        success="FINISHED",
        failure="FAILED",
        cancelled="CANCELLED",
        breaks_in="RUNNING",
        ends=frozenset({"FINISHED", "FAILED", "CANCELLED"}),
        reason="Job aborted due to stage failure: Task 3 in stage 1.0 failed 4 times",
        missing="Table or view not found: {thing}; line 1 pos 14",
    ),
    "drs.object_template": Vocabulary(
        running=((None, 1.0),),
        success="success",
        failure="failed",
        cancelled="failed",
        breaks_in=None,
        ends=frozenset({"success", "failed"}),
        reason="row 2: the source table does not exist",
        missing="the file {thing} names an object that does not exist in the source database",
    ),
}
