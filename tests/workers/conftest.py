# SPDX-License-Identifier: Apache-2.0
"""These tests start their own Airflow; nothing of the caller's is touched."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="cloudjobs-tests-"))
