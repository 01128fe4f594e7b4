# SPDX-License-Identifier: Apache-2.0
"""What a job is: its API as data, the wait for its end, the errors on the way. No Airflow and no I/O here."""
