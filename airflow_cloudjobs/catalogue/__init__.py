# SPDX-License-Identifier: Apache-2.0
"""Job APIs that are data and come with the package, by cloud; :data:`airflow_cloudjobs.apis.CATALOGUE` has their ids.

Paths, parameters and words are from the vendors' own SDKs and pages, named in each entry; what they do not say stands
beside it. A word that is in none of an API's buckets is never success.
"""
