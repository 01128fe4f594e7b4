# SPDX-License-Identifier: Apache-2.0
"""How a request travels: each call is one flow without I/O, one blocking and one asyncio driver for it."""
