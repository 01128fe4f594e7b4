# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_cloudjobs.localcloud``: the local clouds from a shell."""

from __future__ import annotations

import argparse
import sys

from airflow_cloudjobs.localcloud.command import add_arguments, main

parser = argparse.ArgumentParser(prog="python -m airflow_cloudjobs.localcloud", description=__doc__)
add_arguments(parser)
sys.exit(main(parser.parse_args()))
