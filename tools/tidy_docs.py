"""Rules for documents: that they are reachable, in form, and name what the code has."""

import pathlib
import re
import tomllib

import config_docs
from tidy_cpp import sources
from tidy_files import Finding

ARCHITECTURE_WORDS_MAX = 1500
DECISION_LINES_MAX = 40
CHANGELOG_SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

METRIC = re.compile(r'"(rollcall_[a-z0-9_]*(?:_total|_seconds|_bytes|_ratio|_info|_timestamp|_count'
                    r'|_jobs|_size|_state|_connections|_active|_open|_up))"')


def documents(tree):
    for path in tree.matching("*.md"):
        yield path, tree.text(path) or ""


def prose(text):
    """`text` without fenced code, its lines still in their places."""
    return re.sub(r"^```.*?^```", lambda match: "\n" * match[0].count("\n"), text,
                  flags=re.S | re.M)


def titles(tree):
    for path, text in documents(tree):
        if not text.startswith("# "):
            yield Finding(path, 1, "markdown-title", "begin with a title: # ...")
        extra = [number for number, line in enumerate(prose(text).split("\n"), 1)
                 if number > 1 and line.startswith("# ")]
        for number in extra:
            yield Finding(path, number, "markdown-title", "a second title; use ##")


def anchors(text):
    for line in prose(text).split("\n"):
        match = re.match(r"#+ (.*)", line)
        if match:
            yield re.sub(r"[^\w\- ]", "", match[1].lower()).strip().replace(" ", "-")


def links(tree):
    known = set(tree.paths)
    folders = {str(parent) for path in tree.paths for parent in pathlib.PurePath(path).parents}
    for path, text in documents(tree):
        for number, line in enumerate(prose(text).split("\n"), 1):
            line = re.sub(r"`[^`]*`", "", line)
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = target.partition("#")
                there = path
                if file:
                    there = str(normal(pathlib.PurePath(path).parent / file))
                if not (tree.root / there).exists():
                    yield Finding(path, number, "dead-link", f"{target} is not there")
                elif there in known and there.endswith(".md") and anchor and \
                        anchor not in anchors(tree.text(there) or ""):
                    yield Finding(path, number, "dead-link", f"{target}: no such heading")
                elif there not in known and there not in folders:
                    yield Finding(path, number, "dead-link", f"{target} is no file of the project")


def normal(path):
    parts = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return pathlib.PurePath(*parts)


def decisions(tree):
    for path in tree.matching("docs/decisions/*.md"):
        text = tree.text(path) or ""
        if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", pathlib.PurePath(path).name):
            yield Finding(path, 1, "decision", "its name is NNNN-title.md")
        if text.count("\n") > DECISION_LINES_MAX:
            yield Finding(path, 1, "decision", f"at most {DECISION_LINES_MAX} lines")
        for heading in ("## Context", "## Decision", "## Consequences"):
            if f"\n{heading}\n" not in text:
                yield Finding(path, 1, "decision", f"no '{heading}'")


def architecture(tree):
    for path in tree.matching("docs/ARCHITECTURE.md"):
        words = len((tree.text(path) or "").split())
        if words > ARCHITECTURE_WORDS_MAX:
            yield Finding(path, 1, "architecture", f"{words} words, at most "
                          f"{ARCHITECTURE_WORDS_MAX}")


def changelog(tree):
    """Keep a Changelog: newest version first, dated, what users see under its six headings."""
    for path in tree.matching("CHANGELOG.md"):
        release = section = None
        entries = 0
        for number, line in enumerate((tree.text(path) or "").split("\n"), 1):
            wrong = None
            if line.startswith("## "):
                release = line
                if line != "## [Unreleased]" and \
                        not re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line):
                    wrong = "a version is '## [Unreleased]' or '## [1.2.3] - 2026-01-31'"
            elif line.startswith("### "):
                section = line[4:]
                if release is None or section not in CHANGELOG_SECTIONS:
                    wrong = f"a section is one of {', '.join(sorted(CHANGELOG_SECTIONS))}"
            elif line.startswith("- "):
                entries += 1
                if section is None:
                    wrong = "an entry stands in a section"
            if wrong:
                yield Finding(path, number, "changelog", wrong)
        if release is None or not entries:
            yield Finding(path, 1, "changelog", "no version with an entry")


def settings(text):
    """`section.key` of every key in a TOML text."""
    def walk(table, prefix):
        for key, value in table.items():
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{key}.")
            else:
                yield prefix + key
    return set(walk(tomllib.loads(text), ""))


def manual(tree):
    """All that is written for users and operators."""
    return "\n".join(text for path, text in documents(tree)
                     if path == "README.md" or
                     (path.startswith("docs/") and not path.startswith("docs/decisions/")))


def configuration(tree):
    """docs/configuration.md is what rollcall.toml says, and no document names other keys."""
    source = tree.text("rollcall.toml")
    keys = settings(source)
    if keys and tree.text("docs/configuration.md") != config_docs.page(source):
        yield Finding("docs/configuration.md", 1, "stale", "run tools/config_docs.py")
    sections = {key.split(".")[0] for key in keys if "." in key}
    for path, body in documents(tree):
        if path.startswith("docs/decisions/"):
            continue
        for number, line in enumerate(body.split("\n"), 1):
            for name in re.findall(r"`([a-z]+\.[a-z_]+)`", line):
                if name.split(".")[0] in sections and name not in keys and \
                        not name.endswith((".hpp", ".cpp", ".sql", ".toml", ".md")):
                    yield Finding(path, number, "unknown-setting",
                                  f"{name} is no key of rollcall.toml")


def metrics(tree):
    """Every metric is explained in docs/metrics.md, and that page names no others."""
    page = tree.text("docs/metrics.md")
    code = {}
    named = set()  # in any string: a name need not end in a unit
    for path, text in sources(tree, "src/*.cpp", "src/*.hpp"):
        if path.endswith("_test.cpp"):
            continue
        named.update(re.findall(r"\brollcall_[a-z0-9_]+", " ".join(re.findall(r'"[^"\n]*"', text))))
        for number, line in enumerate(text.split("\n"), 1):
            for name in METRIC.findall(line):
                code.setdefault(name, (path, number))
    for name, (path, number) in sorted(code.items()):
        if not re.search(rf"\b{name}\b", page):
            yield Finding(path, number, "undocumented", f"{name} is not in docs/metrics.md")
    for number, line in enumerate(page.split("\n"), 1):
        for name in re.findall(r"`(rollcall_[a-z0-9_]+)", line):
            if name not in named:
                yield Finding("docs/metrics.md", number, "unknown-metric",
                              f"nothing in src/ makes {name}")


def commands(tree):
    """Every command of the program is shown in the manual."""
    text = manual(tree)
    for path, code in sources(tree, "src/cli/*.cpp"):
        if path.endswith("_test.cpp"):
            continue
        for match in re.finditer(r'add_subcommand\(\s*"([a-z-]+)"', code):
            if not re.search(rf"\brollcall(?: [a-z-]+)? (?:[a-z-]+\\?\|)*{match[1]}\b", text):
                number = code[:match.start()].count("\n") + 1
                yield Finding(path, number, "undocumented",
                              f"the command '{match[1]}' is not in README.md or docs/")


RULES = [titles, decisions, architecture, changelog]
TREE_RULES = [links, configuration, metrics, commands]
