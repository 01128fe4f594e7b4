# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud: its gateway with the signature, a module for each service, and of OSS the signed download."""
