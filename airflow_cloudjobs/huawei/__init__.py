# SPDX-License-Identifier: Apache-2.0
"""Jobs of Huawei Cloud: the hook, and one module per product."""
