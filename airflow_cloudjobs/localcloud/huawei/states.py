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
        running=(("starting", 0.25), ("running", 0.75)),
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
    # The vendor's SDK has no word for a run that was stopped: STOPPED is what apache-airflow-providers-huawei reads.
    "cdm.job": Vocabulary(
        running=(("BOOTING", 0.25), ("RUNNING", 0.75)),
        success="SUCCEEDED",
        failure="FAILED",
        cancelled="STOPPED",
        breaks_in="RUNNING",
        ends=frozenset({"SUCCEEDED", "FAILED", "FAILURE_ON_SUBMIT", "STOPPED"}),
        reason="Failed to write data to the destination",
        missing="the file {thing} does not exist",
        numbered=True,
    ),
    "dataarts.job": Vocabulary(
        running=(("waiting", 0.25), ("running", 0.75)),
        success="success",
        failure="fail",
        cancelled="manual-stop",
        breaks_in="running",
        ends=frozenset({"success", "forceSuccess", "ignoreSuccess", "fail", "skip-by-depend", "manual-stop"}),
        other_successes=frozenset({"forceSuccess"}),
        reason="a node has failed",
        missing="a node has failed: {thing} does not exist",
        numbered=True,
    ),
    "modelarts.training": Vocabulary(
        running=(("Creating", 0.25), ("Pending", 0.25), ("Running", 0.5)),
        success="Completed",
        failure="Failed",
        cancelled="Terminated",
        breaks_in="Running",
        ends=frozenset({"Completed", "Failed", "Terminated", "Abnormal"}),
        reason="the process exited with code 1: RuntimeError: CUDA out of memory",
        missing="the process exited with code 1: FileNotFoundError: {thing}",
        cancelling="Terminating",
    ),
    "oms.task": Vocabulary(
        running=((1, 0.25), (2, 0.75)),
        success=5,
        failure=4,
        cancelled=3,
        breaks_in=2,
        ends=frozenset({3, 4, 5}),
        reason="Failed to verify the task parameters. Ensure that there are objects for the selected migration method.",
        missing="The object list file does not exist or cannot be obtained: {thing}.",
        code="TRF.0012",
        missing_code="TRF.0013",
        cancelling=7,
        numbered=True,
    ),
    # A task that was ended by hand shows RELEASE_RESOURCE_COMPLETE too, so that this is no success.
    "drs.migration": Vocabulary(
        running=(("STARTJOBING", 0.25), ("FULL_TRANSFER_STARTED", 0.75)),
        success="FULL_TRANSFER_COMPLETE",
        failure="FULL_TRANSFER_FAILED",
        cancelled="PAUSING",
        breaks_in="FULL_TRANSFER_STARTED",
        ends=frozenset(
            {
                "CREATE_FAILED",
                "START_JOB_FAILED",
                "FULL_TRANSFER_COMPLETE",
                "FULL_TRANSFER_FAILED",
                "INCRE_TRANSFER_FAILED",
                "PAUSING",
                "RELEASE_RESOURCE_COMPLETE",
                "RELEASE_RESOURCE_FAILED",
                "DELETED",
            }
        ),
        reason="the source database refused the connection",
        missing="the object {thing} does not exist in the source database",
        code="DRS.M00202",
        missing_code="DRS.M00202",
    ),
    "functiongraph.async": Vocabulary(
        running=(("WAIT", 0.25), ("RUNNING", 0.75)),
        success="SUCCESS",
        failure="FAIL",
        cancelled="FAIL",
        breaks_in="RUNNING",
        ends=frozenset({"SUCCESS", "FAIL", "DISCARD"}),
        reason="the function raised an exception",
        missing="the function raised an exception: {thing} does not exist",
        code="500",
        missing_code="500",
    ),
}
