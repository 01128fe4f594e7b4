# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud: the RPC gateway with its signature, DMS, ICE, STS, and of OSS the signed download."""
