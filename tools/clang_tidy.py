#!/usr/bin/env python3
"""Runs clang-tidy over the sources of src/, several at once, each only when it has changed.

    tools/clang_tidy.py --build build/dev [--jobs N] [FILE...]

What passed is remembered in build/clang-tidy, one empty file for the hash of all that decides it:
clang-tidy's version, .clang-tidy, the compile command, and the file with every file of the project
that it includes. Prints what clang-tidy says, then how many files were looked at; exits 1 when one
did not pass.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLANG_TIDY = "clang-tidy-19"
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)


@functools.cache
def includes(path, folders):
    """(content, files of the project that `path` includes directly)."""
    content = path.read_bytes()
    found = []
    for name in INCLUDE.findall(content):
        for folder in folders:
            there = folder / name.decode()
            if there.is_file():
                found.append(there)
                break
    return content, tuple(found)


def fingerprint(entry, folders, settings):
    digest = hashlib.sha256(settings)
    digest.update((entry.get("command") or " ".join(entry["arguments"])).encode())
    waiting, seen = [pathlib.Path(entry["file"])], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        content, inner = includes(path, folders)
        digest.update(hashlib.sha256(content).digest())
        waiting.extend(inner)
    return digest.hexdigest()


def look(path, build):
    """What clang-tidy says of `path`; "" when it is content."""
    command = [CLANG_TIDY, "--quiet", "-p", str(build), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("files", nargs="*", help="all sources of src/ when none is named")
    options = parser.parse_args()

    build = (ROOT / options.build).resolve()
    wanted = {str((pathlib.Path.cwd() / name).resolve()) for name in options.files}
    entries = [entry for entry in json.loads((build / "compile_commands.json").read_text())
               if (entry["file"] in wanted if wanted else
                   entry["file"].startswith(str(ROOT / "src") + "/"))]
    unknown = wanted - {entry["file"] for entry in entries}
    if unknown or not entries:
        print("clang-tidy: no compile command for:", *sorted(unknown or ["src/"]), file=sys.stderr)
        return 2

    folders = (ROOT / "src", ROOT / "tests", build / "generated")
    version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, check=True).stdout
    settings = version + (ROOT / ".clang-tidy").read_bytes()
    remembered = ROOT / "build" / "clang-tidy"
    remembered.mkdir(parents=True, exist_ok=True)

    marks = {entry["file"]: remembered / fingerprint(entry, folders, settings) for entry in entries}
    due = [file for file in sorted(marks) if not marks[file].exists()]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for file, said in zip(due, pool.map(lambda file: look(file, build), due)):
            if said:
                failed += 1
                print(said, flush=True)
            else:
                marks[file].touch()
    print(f"clang-tidy: {len(marks)} files, {len(due)} looked at, {failed} not in order")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
