# SPDX-License-Identifier: Apache-2.0
"""The states of the job APIs of Alibaba Cloud, from the vendor's pages and SDK packages."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_cloudjobs.localcloud.vocabulary import Vocabulary

STATES: Mapping[str, Vocabulary] = {
    "dms.file_upload": Vocabulary(
        running=(("INIT", 0.08), ("PENDING", 0.12), ("BE_SCHEDULED", 0.15), ("RUNNING", 0.65)),
        success="SUCCESS",
        failure="FAIL",
        cancelled="FAIL",
        breaks_in="RUNNING",
        ends=frozenset({"SUCCESS", "FAIL"}),
        reason="failed to read the file: connection closed by the source",
        missing="file not found (HTTP 404): {thing}",
    ),
    "dms.data_track_export": Vocabulary(
        running=(("INIT", 0.15), ("LISTING", 0.25), ("DOWNLOADING", 0.6)),
        success="DOWNLOAD_SUCCESS",
        failure="DOWNLOAD_FAIL",
        cancelled="DOWNLOAD_FAIL",
        breaks_in="DOWNLOADING",
        ends=frozenset({"DOWNLOAD_SUCCESS", "DOWNLOAD_FAIL"}),
        reason="failed to parse the logs: binlog file purged",
        missing="table not found in the tracked logs: {thing}",
    ),
    "ice.url_upload": Vocabulary(
        running=(
            ("PENDING", 0.15),
            ("PROCESSING", 0.1),
            ("DOWNLOADING", 0.35),
            ("DOWNLOAD_SUCCESS", 0.05),
            ("UPLOADING", 0.25),
            ("UPLOAD_SUCCESS", 0.1),
        ),
        success="SUCCESS",
        failure="DOWNLOAD_FAIL",
        cancelled="CANCELLED",
        breaks_in="DOWNLOADING",
        ends=frozenset({"SUCCESS", "DOWNLOAD_FAIL", "UPLOAD_FAIL", "Normal"}),
        reason="The source file could not be fetched: connection reset by peer",
        missing="The source URL answered HTTP 404: {thing}",
        code="URLDownloadError",
        missing_code="URLInvalidError",
        other_successes=frozenset({"Normal"}),  # how the sample on ICE's page shows a finished upload
    ),
}
