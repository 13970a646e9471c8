"""`HA_VENV=... python -m tests.home_assistant`: the tests here, with what Home Assistant shows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if "HA_VENV" not in os.environ:
    sys.exit(f"HA_VENV is not set; {Path(__file__).with_name('__init__.py')} says how to make it")
sys.exit(pytest.main([str(Path(__file__).parent), "-v", "-s", *sys.argv[1:]]))
