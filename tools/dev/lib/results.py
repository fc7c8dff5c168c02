#!/usr/bin/env python3
"""Counts the results of a suite of ./dev test; prints "PASSED FAILED".

results.py ctest JUNIT FOLDER   ctest's report, with GoogleTest's reports in FOLDER
results.py tap FILE             what Node's test runner wrote
results.py objects LIST FOLDER  files named in LIST that exist in FOLDER

A skipped or disabled test has failed: it was written to be run. What failed, and what it said, is
added to the file that FAILURES names, for the end of the run: a log is often kept by its tail.
"""

import os
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def failed_one(name, said=""):
    lines = said.strip().splitlines()
    kept = lines[:30] + ["..."] * (len(lines) > 30)
    with open(os.environ["FAILURES"], "a", encoding="utf-8") as file:
        print(f"not ok  {name}", *("    " + line[:300] for line in kept), sep="\n", file=file)


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
            said = "\n".join(failure.text or "" for failure in case.iter("failure"))
            failed_one(f"{case.get('classname')}.{case.get('name')}", said)
        passed += good
        failed += not good
    return passed, failed


def ctest(junit, folder):
    """A program counts as its cases; one that fails beside them (a leak, a crash) as one more."""
    passed = failed = 0
    for test in xml.parse(junit).getroot().iter("testcase"):
        good = test.get("status") == "run"
        if not good:
            said = (test.findtext("system-out") or "").splitlines()
            failed_one(f"{test.get('name')} ({test.get('status')})", "\n".join(said[-30:]))
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
    report = pathlib.Path(file).read_text("utf-8")
    for name in re.findall(r"^ *ok \d+ - (.* # [A-Z]+.*)$", report, re.M):
        failed_one(name)
    bad = r"^ *not ok \d+ - (.*)\n *---\n((?:.*\n)*?) *\.\.\.$"
    for name, said in re.findall(bad, report, re.M):
        if "failureType: 'subtestsFailed'" not in said:
            failed_one(name, said)
    totals = dict(re.findall(r"^# (\w+) (\d+)$", report, re.M))
    if "pass" not in totals:
        return 0, 1
    kinds = ("fail", "cancelled", "skipped", "todo")
    return int(totals["pass"]), sum(int(totals.get(kind, 0)) for kind in kinds)


def objects(listing, folder):
    names = pathlib.Path(listing).read_text("utf-8").split()
    missing = [name for name in names if not pathlib.Path(folder, name).is_file()]
    for name in missing:
        failed_one(name)
    return len(names) - len(missing), len(missing)


if __name__ == "__main__":
    count = {"ctest": ctest, "tap": tap, "objects": objects}[sys.argv[1]]
    print(*count(*sys.argv[2:]))
