# SPDX-License-Identifier: Apache-2.0
"""Airflow operators and deferrable sensors for jobs on Alibaba Cloud and Huawei Cloud."""

__version__ = "0.1.0"
