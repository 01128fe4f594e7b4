# SPDX-License-Identifier: Apache-2.0
"""Airflow's connections: how they are read, and how clients are made of them."""
