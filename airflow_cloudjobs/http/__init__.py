# SPDX-License-Identifier: Apache-2.0
"""How a request travels: one sans-I/O exchange per call, one blocking and one asyncio driver for it."""
