# SPDX-License-Identifier: Apache-2.0
"""An Airflow connection: which fields it has, what they say, and the form that asks for them."""
