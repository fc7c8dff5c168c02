"""Rules for every file: what may be committed, its size, its text."""

import pathlib
import re
import typing


class Finding(typing.NamedTuple):
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


BLOB_MAX = 200 * 1024  # bytes

ALLOWED_SUFFIXES = {
    ".cpp", ".hpp", ".sql", ".cmake", ".txt", ".json", ".toml", ".md", ".py", ".sh", ".mjs",
    ".pem", ".sum", ".yaml", ".yml", ".service", ".env", ".http", ".jsonl", ".golden", ".prom",
    ".supp", ".ts", ".html",
}
ALLOWED_NAMES = {
    "dev", "run", "LICENSE", ".clang-format", ".clang-tidy", ".gitignore", ".npmrc", "pre-commit",
    "Containerfile", ".dockerignore", "rollcall.conf", "conffiles", "copyright", "postinst",
    "prerm", "postrm", "Caddyfile",
}

# Code that people write: held to a length of line and of file.
CODE = {".cpp", ".hpp", ".sql", ".cmake", ".py", ".sh", ".mjs"}
LINE_MAX = 100  # columns
HEADER_MAX, SOURCE_MAX, TEST_MAX = 250, 500, 800  # lines

# Seeds and recorded payloads stay as they are, to the byte.
DATA = ("fuzz/corpus/", "tests/data/", "tests/e2e/data/", "bench/data/")

# Written in pieces, so that this list does not find itself.
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SKIPS = re.compile(r"\b(GTEST_" r"SKIP|DISABLED" r"_\w+)|\b(?:test|it|describe|t)\.(sk" r"ip|on"
                   r"ly|to" r"do)\(|\b(?:sk" r"ip|on" r"ly|to" r"do): true")
HOSTS = re.compile(
    "|".join(re.escape(left + right) for left, right in (
        ("npm", "js.org"), ("npm", "js.com"), ("debian", ".org"), ("registry.", "yarnpkg"),
        ("pypi", ".org"), ("pythonhosted", ".org"), ("crates", ".io"), ("proxy.golang", ".org"))))


def is_data(path):
    return path.startswith(DATA)


def is_code(path):
    return pathlib.PurePath(path).suffix in CODE or path in ("dev", ".ci/run")


def texts(tree, wanted=lambda path: True):
    for path in tree.paths:
        if not is_data(path) and wanted(path):
            text = tree.text(path)
            if text is not None:
                yield path, text


def lines(tree, wanted=lambda path: True):
    for path, text in texts(tree, wanted):
        for number, line in enumerate(text.split("\n"), 1):
            yield path, number, line


def blobs(tree):
    for path in tree.paths:
        size = len(tree.bytes(path))
        if size > BLOB_MAX:
            yield Finding(path, 1, "blob", f"{size} bytes, the limit is {BLOB_MAX}")


def names(tree):
    for path in tree.paths:
        name = pathlib.PurePath(path)
        if path.startswith("fuzz/corpus/"):
            continue
        if name.suffix not in ALLOWED_SUFFIXES and name.name not in ALLOWED_NAMES:
            yield Finding(path, 1, "extension", "not a kind of file that this repository holds "
                          "(ALLOWED_SUFFIXES in tools/tidy_files.py)")


def encoding(tree):
    for path in tree.paths:
        if not is_data(path) and tree.text(path) is None:
            yield Finding(path, 1, "encoding", "not UTF-8")


def whitespace(tree):
    for path, text in texts(tree):
        if text and not text.endswith("\n"):
            yield Finding(path, text.count("\n") + 1, "final-newline", "the last line has no end")
        if text.endswith("\n\n"):
            yield Finding(path, text.count("\n"), "final-newline", "empty lines at the end")
    for path, number, line in lines(tree):
        if line.endswith("\r"):
            yield Finding(path, number, "line-end", "CR LF; this repository uses LF")
        elif line != line.rstrip():
            yield Finding(path, number, "trailing-space", "space at the end of the line")
        if "\t" in line:
            yield Finding(path, number, "tab", "a tab; use spaces")


def line_length(tree):
    for path, number, line in lines(tree, is_code):
        if len(line) > LINE_MAX:
            yield Finding(path, number, "line-length", f"{len(line)} columns, at most {LINE_MAX}")


def file_length(tree):
    for path, text in texts(tree, is_code):
        count = text.count("\n")
        stem = pathlib.PurePath(path).stem
        if path.endswith(".hpp"):
            limit, kind = HEADER_MAX, "header"
        elif path.startswith("tests/") or stem.endswith(("_test", ".test")):
            limit, kind = TEST_MAX, "test"
        else:
            limit, kind = SOURCE_MAX, "source"
        if count > limit:
            yield Finding(path, 1, "file-length",
                          f"{count} lines, a {kind} has at most {limit}: is a noun missing?")


def leftovers(tree):
    for path, number, line in lines(tree):
        mark = MARKS.search(line)
        if mark:
            yield Finding(path, number, "leftover", f"{mark[1]}: do it, or write down why not")
        host = HOSTS.search(line)
        if host:
            yield Finding(path, number, "registry-host",
                          "names a package registry; packages go by name")


def skipped_tests(tree):
    for path, number, line in lines(tree, lambda path: path.endswith((".cpp", ".mjs"))):
        if SKIPS.search(line):
            yield Finding(path, number, "skipped-test", "a test that does not run says nothing")


RULES = [blobs, names, encoding, whitespace, line_length, file_length, leftovers, skipped_tests]
