# SPDX-License-Identifier: Apache-2.0
"""What the pages hold that is made of the code when they are built, so that it stands once."""
