#!/usr/bin/env python3
"""Checks the rules of this repository that no compiler knows.

    tools/tidy.py                 all of it: every file, then what concerns several files
    tools/tidy.py --files FILE... the rules of single files only (the pre-commit hook)

Prints one line a finding, `path:line: rule: what is wrong`, and exits 1 when there is one. A rule
is a function of tidy_files.py, tidy_cpp.py or tidy_docs.py that yields findings; what stands
all the same is in tidy_exceptions.py. tools/tidy_test.py plants a violation of each.
"""

import argparse
import fnmatch
import pathlib
import subprocess
import sys

import tidy_cpp
import tidy_docs
import tidy_files
from tidy_exceptions import EXCEPTIONS


class Tree:
    """The project's files: what git tracks or would track, as paths relative to the root."""

    def __init__(self, root, paths=None):
        self.root = pathlib.Path(root)
        self.paths = sorted(paths if paths is not None else self._listed())
        self._members = set(self.paths)
        self._texts = {}

    def _listed(self):
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                   "--exclude-standard", "--deduplicate"]
        listed = subprocess.run(command, cwd=self.root, check=True, capture_output=True)
        names = listed.stdout.decode().split("\0")
        return [name for name in names if name and (self.root / name).is_file()]

    def matching(self, *patterns):
        return [path for path in self.paths
                if any(fnmatch.fnmatch(path, pattern) for pattern in patterns)]

    def bytes(self, path):
        return (self.root / path).read_bytes()

    def text(self, path):
        """The text of `path`: "" when the tree has no such file, None when it is no UTF-8."""
        if path not in self._members:
            return ""
        if path not in self._texts:
            try:
                self._texts[path] = self.bytes(path).decode("utf-8")
            except UnicodeDecodeError:
                self._texts[path] = None
        return self._texts[path]


def findings(tree, whole):
    """All that the rules say of `tree`, exceptions not yet considered."""
    for rules in (tidy_files.RULES, tidy_cpp.RULES, tidy_docs.RULES):
        for rule in rules:
            yield from rule(tree)
    if whole:
        for rules in (tidy_cpp.TREE_RULES, tidy_docs.TREE_RULES):
            for rule in rules:
                yield from rule(tree)


def check(tree, exceptions, whole):
    """The findings that count: those no exception covers, and exceptions that cover nothing."""
    used = set()
    for finding in findings(tree, whole):
        covering = [i for i, (rule, pattern, _) in enumerate(exceptions)
                    if rule == finding.rule and fnmatch.fnmatch(finding.path, pattern)]
        used.update(covering)
        if not covering:
            yield finding
    if whole:
        for i, (rule, pattern, _) in enumerate(exceptions):
            if i not in used:
                yield tidy_files.Finding("tools/tidy_exceptions.py", 1, "needless-exception",
                                         f"nothing needs ({rule}, {pattern}) any more; delete it")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", nargs="*", help="check only these, each by itself")
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    tree = Tree(options.root, options.files)
    found = sorted(set(check(tree, EXCEPTIONS, whole=options.files is None)))
    for finding in found:
        print(finding)
    if options.files is None:
        print(f"tidy: {len(tree.paths)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
