# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the pages: ``make docs``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

if "airflow" not in sys.modules:  # nobody's own Airflow is touched
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="cloudjobs-docs-")

from airflow_cloudjobs import __version__  # noqa: E402

project = "airflow-provider-cloudjobs"
author = copyright = "The airflow-provider-cloudjobs authors"
version = release = __version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "made.directives", "made.links", "made.llms"]
exclude_patterns = ["made"]
root_doc = "index"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings tell
add_module_names = False

html_theme = "furo"
html_title = f"cloudjobs {__version__}"
html_show_sphinx = False
html_copy_source = False
