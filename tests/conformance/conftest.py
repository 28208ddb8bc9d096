"""Lets the tests find the second implementation of the wire.

SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "system"), str(ROOT / "tests" / "conformance")]
