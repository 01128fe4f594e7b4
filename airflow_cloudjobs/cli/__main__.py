# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_cloudjobs.cli``: the command ``cloudjobs`` where it is not on the path."""

from __future__ import annotations

import sys

from airflow_cloudjobs.cli import main

sys.exit(main())
