# SPDX-License-Identifier: Apache-2.0
"""Every test of the matrix, on this Airflow."""

from tasks.test_matrix import *  # noqa: F403
