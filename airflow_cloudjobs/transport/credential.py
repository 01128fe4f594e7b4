# SPDX-License-Identifier: Apache-2.0
"""What a call is signed with."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """What signs a request. Its parts are only ever replaced together.

    :param key: access key id; empty for a token login.
    :param secret: the key's secret.
    :param security_token: token of a temporary key.
    :param session_token: an IAM token that stands for a login.
    :param project_id: the project that requests are for (Huawei Cloud).
    :param expires: end of its life, seconds since the epoch; None if it has none that we know.
    :param obtained: when it was got, seconds since the epoch.
    """

    key: str = ""
    secret: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    project_id: str = ""
    expires: float | None = None
    obtained: float = field(default=0.0, compare=False)

    def secrets(self) -> tuple[str, str, str]:
        """What must be in no message."""
        return self.secret, self.security_token, self.session_token
