"""Rules for C++: layers, namespaces, headers, and calls with a better replacement."""

import fnmatch
import pathlib
import re

from tidy_files import Finding

# docs/ARCHITECTURE.md: a folder of src/ may include only folders of lower layers. The number is the
# layer.
LAYERS = {
    "base": 1,
    "pg": 2, "http": 2, "crypto": 2, "spool": 2,
    "jobs": 3, "audit": 3, "directory": 3, "clerk": 3, "supabase": 3,
    "webhooks": 4, "sync": 4, "mirror": 4, "privacy": 4, "alerts": 4, "gate": 4, "admin": 4,
    "sim": 4,
    "cli": 5,
}

# rule: (pattern, folders where it is no matter, what to use instead). Single files that need one of
# them stand in tidy_exceptions.py, with the reason.
TESTS = ("tests/*", "*_test.cpp", "*_test.hpp", "bench/*")
BANNED = {
    "banned-rand": (r"\bstd::rand\b|(?<![\w.>:])s?rand\s*\(", (),
                    "rollcall::Random (base/random.hpp)"),
    "banned-clock": (r"\bsystem_clock::now\b|\bgettimeofday\b|"
                     r"(?<![\w.>:])time\s*\(\s*(?:NULL|nullptr|0|&\w+)\s*\)", TESTS,
                     "rollcall::Clock (base/clock.hpp)"),
    "banned-getenv": (r"\b(?:std::|secure_)?getenv\s*\(", ("src/cli/*", "tests/*", "bench/*"),
                      "a value from cli/config"),
    "banned-thread": (r"\bstd::(?:thread|jthread|async)\b|\bpthread_create\b", ("bench/*",),
                      "a Task on the event loop (base/task.hpp)"),
    "banned-mutex": (r"\bstd::(?:recursive_|shared_)?mutex\b|\bstd::condition_variable\b",
                     ("bench/*",), "nothing: one event loop has one thread"),
    "banned-sleep": (r"\bsleep_for\b|\bsleep_until\b|\busleep\s*\(|\bnanosleep\s*\(|"
                     r"::sleep\s*\(\s*\d|(?<![\w.>:])sleep\s*\(\s*\d+\s*\)", ("bench/*",),
                     "rollcall::sleep (base/task.hpp); in tests a wait for a condition"),
    "banned-print": (r"(?<![\w.>])(?:std::)?(?:f|s|v|d|vf|vs)?n?printf\s*\(|\bfmt::print\b|"
                     r"\bstd::(?:cout|cerr|clog)\b|"
                     r"(?<![\w.>:])(?:std::)?(?:puts|fputs|putchar)\s*\(",
                     ("src/cli/*", "fuzz/*", *TESTS),
                     "rollcall::log (base/log.hpp); only cli/ talks to a terminal"),
    "banned-c-string": (r"\b(?:strcpy|strcat|gets|strtok|alloca)\s*\(", (), "std::string"),
    "banned-number": (r"(?<![\w.>:])(?:std::)?(?:ato(?:i|l|ll|f)|sto(?:i|l|ll|ul|ull|d|f))\s*\(",
                      TESTS, "std::from_chars, which says when it is no number"),
    "banned-exit": (r"(?<![\w.>:])(?:std::)?(?:exit|_exit|quick_exit)\s*\(", ("src/cli/*", *TESTS),
                    "a return value, or ensure() for a bug"),
    "banned-assert": (r"(?<![\w.>:])assert\s*\(", (),
                      "ensure() (base/result.hpp), which stays on in release"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)"|'
    r'"(?:[^"\\\n]|\\.)*"|(?<![0-9A-Za-z_])\'(?:[^\'\\\n]|\\.)+\'', re.S)


def code_only(text):
    """`text` with comments and literals blanked, every line still in its place."""
    def blank(match):
        return '""' + "\n" * match[0].count("\n") if match[0][0] in "\"R" else \
            "\n" * match[0].count("\n")
    return TOKENS.sub(blank, text)


def sources(tree, *patterns):
    for path in tree.matching(*(patterns or ("*.cpp", "*.hpp"))):
        text = tree.text(path)
        if text is not None:
            yield path, text


def folder_of(path):
    """The layer folder of `path`: "jobs" for src/jobs/x.cpp, "" for src/main.cpp."""
    parts = pathlib.PurePath(path).parts
    return parts[1] if len(parts) > 2 and parts[0] == "src" else ""


def layers(tree):
    for path, text in sources(tree, "src/*.cpp", "src/*.hpp"):
        own = folder_of(path)
        test = path.endswith(("_test.cpp", "_test.hpp"))
        if own and own not in LAYERS:
            yield Finding(path, 1, "layer", f"src/{own} has no layer (LAYERS in tidy_cpp.py)")
            continue
        for number, line in enumerate(text.split("\n"), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            other = match[1].split("/")[0]
            if "/" not in match[1] or (other not in LAYERS and not test):
                yield Finding(path, number, "include-form",
                              f'"{match[1]}": write "folder/file.hpp", <...> for libraries')
            elif not test and other != own and LAYERS[other] >= LAYERS.get(own, 6):
                yield Finding(path, number, "layer",
                              f"{own} (layer {LAYERS[own]}) must not include {other} "
                              f"(layer {LAYERS[other]}): only lower layers, never sideways")


def namespaces(tree):
    """Code of src/<folder> stands in rollcall::<folder>; base in rollcall itself."""
    for path, text in sources(tree, "src/*.cpp", "src/*.hpp"):
        folder = folder_of(path)
        if not folder:
            continue
        wanted = "rollcall" if folder == "base" else f"rollcall::{folder}"
        for number, line in enumerate(code_only(text).split("\n"), 1):
            match = re.match(r"\s*(?:inline\s+)?namespace\s+(rollcall[\w:]*)\s*{", line)
            if not match:
                continue
            name = match[1]
            if folder == "base":
                inside = name.split("::")[1:2]
                wrong = bool(inside) and inside[0] in LAYERS
            else:
                wrong = name != wanted and not name.startswith(wanted + "::")
                # A forward declaration of a lower folder's class, on one line.
                wrong = wrong and not re.search(r"{\s*(?:class|struct)\s+\w+;.*}", line)
                wrong = wrong and not _forwards_only(text, number)
            if wrong:
                yield Finding(path, number, "namespace", f"{name} in src/{folder}: use {wanted}")


def _forwards_only(text, number):
    """Whether the namespace that opens at line `number` holds only forward declarations."""
    for line in text.split("\n")[number:]:
        if line.startswith("}"):
            return True
        if line.strip() and not re.match(r"\s*(?:class|struct|enum class)\s+\w+[^{]*;", line):
            return False
    return False


def headers(tree):
    for path, text in sources(tree, "*.hpp"):
        if not text.startswith("//"):
            yield Finding(path, 1, "header-comment", "begin with a comment: what it promises")
        if "\n#pragma once\n" not in text:
            yield Finding(path, 1, "pragma-once", "no #pragma once")
        for number, line in enumerate(code_only(text).split("\n"), 1):
            if path.startswith("src/") and re.search(r"\busing\s+namespace\b", line):
                yield Finding(path, number, "using-namespace", "not in a header")


def banned(tree):
    for path, text in sources(tree):
        rules = [(rule, re.compile(pattern), instead)
                 for rule, (pattern, free, instead) in BANNED.items()
                 if not any(fnmatch.fnmatch(path, glob) for glob in free)]
        for number, line in enumerate(code_only(text).split("\n"), 1):
            for rule, pattern, instead in rules:
                match = pattern.search(line)
                if match:
                    yield Finding(path, number, rule, f"{match[0].strip(' (')}: use {instead}")


def catches(tree):
    """Exceptions are caught only at the seams that tidy_exceptions.py lists."""
    for path, text in sources(tree, "src/*.cpp", "src/*.hpp"):
        if path.endswith(("_test.cpp", "_test.hpp")):
            continue
        for number, line in enumerate(code_only(text).split("\n"), 1):
            if re.search(r"\bcatch\s*\(", line):
                yield Finding(path, number, "catch", "this is no seam; return a Result")


def modules(tree):
    """Every folder of src/ is a module of CMakeLists.txt that uses only lower layers."""
    cmake = tree.text("CMakeLists.txt")
    used = {}
    for name, rest in re.findall(r"rollcall_module\(\s*(\w+)([^)]*)\)", cmake):
        uses = re.search(r"USES((?:\s+[a-z_0-9]+)*)", rest)
        used[name] = uses[1].split() if uses else []
    for folder in sorted({folder_of(path) for path in tree.matching("src/*")} - {""}):
        if folder not in used:
            yield Finding("CMakeLists.txt", 1, "module", f"src/{folder} is no rollcall_module")
    for name, uses in used.items():
        for other in uses:
            if LAYERS.get(other, 9) >= LAYERS.get(name, 0):
                yield Finding("CMakeLists.txt", 1, "layer", f"{name} must not use {other}")


def orphans(tree):
    """A header that nothing includes is dead."""
    included = set()
    for _, text in sources(tree):
        included.update(re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.M))
    for path in tree.matching("src/*.hpp"):
        if path.removeprefix("src/") not in included:
            yield Finding(path, 1, "dead-header", "nothing includes it")


RULES = [layers, namespaces, headers, banned, catches]
TREE_RULES = [modules, orphans]
