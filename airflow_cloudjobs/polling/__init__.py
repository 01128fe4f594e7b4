# SPDX-License-Identifier: Apache-2.0
"""Asking for many jobs on one event loop: when, together with which, how fast, and through which client."""
