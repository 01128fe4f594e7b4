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
    # "Success" is how the sample of the page of ShowSparkJobStatus (dli_02_0127) writes it.
    "dli.spark_batch": Vocabulary(
        running=(("starting", 0.3), ("running", 0.7)),
        success="success",
        failure="dead",
        cancelled="dead",
        breaks_in="running",
        ends=frozenset({"success", "Success", "dead"}),
        other_successes=frozenset({"Success"}),
        reason="User class threw exception: org.apache.spark.SparkException: Job aborted due to stage failure",
        missing="User class threw exception: java.io.FileNotFoundException: {thing}",
    ),
    "mrs.job": Vocabulary(
        running=(("UNDEFINED", 1.0),),
        success="SUCCEEDED",
        failure="FAILED",
        cancelled="KILLED",
        breaks_in="UNDEFINED",
        ends=frozenset({"SUCCEEDED", "FAILED", "KILLED"}),
        reason="the job failed",
        missing="the file {thing} does not exist",
    ),
}
