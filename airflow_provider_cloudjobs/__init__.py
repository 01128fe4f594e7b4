# SPDX-License-Identifier: Apache-2.0
"""The module that Airflow takes for this provider by its package's name; it looks for ``example_dags`` in it.

Airflow 3.3 does so with ``[core] load_examples``. All else of the provider is in ``airflow_cloudjobs``.
"""
