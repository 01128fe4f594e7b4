# SPDX-License-Identifier: Apache-2.0
"""From an Airflow connection to a client: which fields it has, what they say, the form that asks for them."""
