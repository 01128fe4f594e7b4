# SPDX-License-Identifier: Apache-2.0
"""A real Airflow on localhost: for ``cloudjobs demo`` and for the tests."""
