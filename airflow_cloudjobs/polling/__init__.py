# SPDX-License-Identifier: Apache-2.0
"""Asking for many jobs on one event loop: when, together with which, and how fast. Knows no cloud and no HTTP."""
