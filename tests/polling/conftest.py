# SPDX-License-Identifier: Apache-2.0
"""A home of their own for the tests of this folder, so that nobody's Airflow is touched."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

if "airflow" not in sys.modules:
    _home = tempfile.mkdtemp(prefix="cloudjobs-tests-")
    atexit.register(shutil.rmtree, _home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = _home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
