# SPDX-License-Identifier: Apache-2.0
"""How hosts are reached; imported with every DAG file, so by itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """How to reach the hosts of one connection. Equal ones share sockets.

    :param connect_timeout: seconds to wait for a TCP and TLS connection.
    :param read_timeout: seconds to wait for an answer; on an event loop for all of it, connecting included.
    :param proxy: address of a proxy for all requests; None takes the environment's.
    :param ca_bundle: path of a PEM file to trust instead of the system's certificates.
    :param verify: False turns the check of certificates off.
    """

    connect_timeout: float = 5.0
    read_timeout: float = 20.0
    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    verify: bool = True
