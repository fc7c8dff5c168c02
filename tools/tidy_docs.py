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


def actions(tree):
    """The actions of the audit log, which may be called like a setting: `sync.manual`."""
    rows = (tree.text("docs/audit.md") or "").split("\n")
    return {name for row in rows if row.startswith("| `")
            for name in re.findall(r"`([a-z]+\.[a-z_]+)`", row.split("|")[1])}


def configuration(tree):
    """docs/configuration.md is what rollcall.toml says, and no document names other keys."""
    source = tree.text("rollcall.toml")
    keys = settings(source)
    if keys and tree.text("docs/configuration.md") != config_docs.page(source):
        yield Finding("docs/configuration.md", 1, "stale", "run tools/config_docs.py")
    sections = {key.split(".")[0] for key in keys if "." in key}
    others = actions(tree)
    for path, body in documents(tree):
        if path.startswith("docs/decisions/"):
            continue
        for number, line in enumerate(body.split("\n"), 1):
            for name in re.findall(r"`([a-z]+\.[a-z_]+)`", line):
                if name.split(".")[0] in sections and name not in keys | others and \
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


def failpoints(tree):
    """Fail points stand in one place each, can be armed, and are explained in docs/testing.md."""
    program = "tests/support/failpoint_on.cpp"
    page = "\n".join(re.findall(r"^\|([^|\n]*)\|", tree.text("docs/testing.md"), re.M))
    lists = {
        program: set(re.findall(r'^ +"([a-z_]+\.[a-z_]+)",', tree.text(program), re.M)),
        "docs/testing.md": set(re.findall(r"`([a-z_]+\.[a-z_]+)`", page)),
    }
    used = set()
    for path, text in sources(tree, "src/*.cpp"):
        for number, line in enumerate(text.split("\n"), 1):
            for name in re.findall(r'\bfailpoint\("([^"]*)"\)', line):
                if name in used:
                    yield Finding(path, number, "failpoint", f"{name} stands in another place too")
                used.add(name)
                for other, names in lists.items():
                    if name not in names:
                        yield Finding(path, number, "failpoint", f"{name} is not in {other}")
    for other, names in lists.items():
        for name in sorted(names - used):
            yield Finding(other, 1, "failpoint", f"nothing in src/ comes to {name}")


def faults(tree):
    """Each fault of the table in docs/testing.md stands where the table says, and nowhere else."""
    page = "docs/testing.md"
    text = tree.text(page)
    said, marked, rows = {}, {}, {}
    in_table = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("## "):
            in_table = line == "## Faults"
        row = re.match(r"\| (\d+) \|[^|]*\|([^|]*)\|", line)
        if not in_table or not row:
            continue
        fault = int(row[1])
        if fault in rows:
            yield Finding(page, number, "fault", f"{fault} stands here twice")
        rows[fault] = number
        files = re.findall(r"`([^`]+)`", row[2])
        if not files and not row[2].strip().startswith("cannot: "):
            yield Finding(page, number, "fault", f"{fault} has no test, and no reason why not")
        said.update({(fault, file): number for file in files})
    for path in tree.matching("tests/*", "src/*_test.cpp"):
        for number, line in enumerate((tree.text(path) or "").split("\n"), 1):
            mark = re.match(r" *// fault (\d+(?:, \d+)*)$", line)
            for fault in re.findall(r"\d+", mark[1]) if mark else ():
                name = pathlib.PurePath(path).name
                marked[int(fault), name] = (path, number)
    for fault in range(1, max(rows, default=0)):
        if fault not in rows:
            yield Finding(page, 1, "fault", f"{fault} is not in the table")
    for key in sorted(set(marked) - set(said)):
        yield Finding(*marked[key], "fault", f"the table in {page} has no {key[0]} here")
    for fault, file in sorted(set(said) - set(marked)):
        yield Finding(page, said[fault, file], "fault", f"no line '// fault {fault}' in {file}")


RULES = [titles, decisions, architecture, changelog]
TREE_RULES = [links, configuration, metrics, commands, failpoints, faults]
