# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud: the API gateway with its two ways to authenticate, IAM, and one module for each service."""
