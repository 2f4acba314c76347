"""Runs the suite on the bad journals, in a process of its own."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def failures(tests: Iterable[str]) -> dict[str, set[str]]:
    """Class → which of these tests failed."""
    options = ["-q", "-rf", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull, "--rootdir", str(ROOT)]
    chosen = ["-k", " or ".join(tests), "--import-mode=importlib", "tests/testing/bad_journals.py"]
    command = [sys.executable, "-m", "pytest", *options, *chosen]
    environment = {**os.environ, "PYTEST_ADDOPTS": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    failed: dict[str, set[str]] = defaultdict(set)
    for name, test in re.findall(r"^FAILED \S+::(\w+)::(\w+)", done.stdout, re.MULTILINE):
        failed[name].add(test)
    return failed
