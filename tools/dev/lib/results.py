#!/usr/bin/env python3
"""Counts the results of a suite of ./dev test; prints "PASSED FAILED".

results.py ctest JUNIT FOLDER   ctest's report, with GoogleTest's reports in FOLDER
results.py tap FILE             what Node's test runner wrote
results.py objects LIST FOLDER  files named in LIST that exist in FOLDER

A skipped or disabled test has failed: it was written to be run.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def gtest(file):
    """(passed, failed) of one GoogleTest program, or None when it left no readable report."""
    try:
        root = xml.parse(file).getroot()
    except (OSError, xml.ParseError):
        return None
    passed = failed = 0
    for case in root.iter("testcase"):
        ran = case.get("status") == "run" and case.get("result") == "completed"
        good = ran and case.find("failure") is None
        if not good:
            print(f"not ok  {case.get('classname')}.{case.get('name')}", file=sys.stderr)
        passed += good
        failed += not good
    return passed, failed


def ctest(junit, folder):
    """A program counts as its cases; one that fails beside them (a leak, a crash) as one more."""
    passed = failed = 0
    for test in xml.parse(junit).getroot().iter("testcase"):
        good = test.get("status") == "run"
        if not good:
            print(f"not ok  {test.get('name')} ({test.get('status')})", file=sys.stderr)
        cases = gtest(pathlib.Path(folder, test.get("name") + ".xml"))
        if cases is None:
            passed += good
            failed += not good
            continue
        passed += cases[0]
        failed += cases[1]
        if (good and sum(cases) == 0) or (not good and cases[1] == 0):
            failed += 1
    return passed, failed


def tap(file):
    """Sums of the closing lines of a TAP report; none when it was cut off."""
    totals = dict(re.findall(r"^# (\w+) (\d+)$", pathlib.Path(file).read_text("utf-8"), re.M))
    if "pass" not in totals:
        return 0, 1
    bad = sum(int(totals.get(name, 0)) for name in ("fail", "cancelled", "skipped", "todo"))
    return int(totals["pass"]), bad


def objects(listing, folder):
    names = pathlib.Path(listing).read_text("utf-8").split()
    built = sum(pathlib.Path(folder, name).is_file() for name in names)
    return built, len(names) - built


if __name__ == "__main__":
    count = {"ctest": ctest, "tap": tap, "objects": objects}[sys.argv[1]]
    print(*count(*sys.argv[2:]))
