# SPDX-License-Identifier: Apache-2.0
"""What the tests of more than one folder use; imported as ``support``."""
