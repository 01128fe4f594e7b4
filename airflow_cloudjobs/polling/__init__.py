# SPDX-License-Identifier: Apache-2.0
"""What the waits of an event loop share: clients of connections, and polls that ask for many jobs together."""
