#!/usr/bin/env python3
"""Writes docs/configuration.md from rollcall.toml, so that the two never disagree.

A comment behind a key, and the comment lines right under it, become the key's explanation. tidy.py
fails when the page is not what this would write.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

HEAD = """# Configuration

Written by `tools/config_docs.py` from [rollcall.toml](../rollcall.toml); change it there.

Flags go over the environment, the environment over the file, the file over the defaults below. A
file is read only when `--config` or `ROLLCALL_CONFIG` names it. An unknown key, a wrong type or a
contradiction ends the start with exit code 78 and a message that names file, line and key, and what
was probably meant. `rollcall config print` shows every value and where it came from, secrets
masked.

Any key is also `ROLLCALL_<SECTION>_<KEY>` in the environment, lists separated by spaces; where a
key has a name of its own, the last words of its explanation are that name. A secret is better kept
out of the file: `<NAME>_FILE` in the environment, or `<key>_file` in the file, is a path to read it
from. Under systemd a secret may also be a credential with the variable's name in lower case
(`LoadCredential=clerk_secret_key:…`); it stands between environment and file. An empty variable or
credential counts as absent, so `""` can only be said in the file. A variable of a section below
with a key that is not there is refused too. Any other name with the prefix (`ROLLCALL_ROLES`) may
be another program's: `serve` warns of it at the start (`environment_not_understood`), and so does
`rollcall doctor`, with the nearest name there is. What Kubernetes writes for a service called
rollcall (`ROLLCALL_SERVICE_HOST`, `ROLLCALL_PORT_8080_TCP`) is neither refused nor told of.
"""


def entries(text):
    """(section, key, default, explanation) of every key, in order."""
    section, found = "", []
    for line in text.split("\n"):
        header = re.fullmatch(r"\[([\w.]+)\]\s*(?:#\s*(.*))?", line)
        entry = re.fullmatch(r"(\w+)\s*=\s*(\"[^\"]*\"|\[[^\]]*\]|[^#\s]+)\s*(?:#\s*(.*))?", line)
        more = re.fullmatch(r"\s+#\s*(.*)", line)
        if header:
            section = header[1]
        elif entry:
            found.append([section, entry[1], entry[2], entry[3] or ""])
        elif more and found:
            found[-1][3] += " " + more[1]
    return found


def page(text):
    out, current = [HEAD], None
    for section, key, default, explanation in entries(text):
        if section != current:
            out.append(f"\n## [{section}]\n\n| key | default | |\n| --- | --- | --- |\n")
            current = section
        explanation = explanation.replace("|", "\\|").replace("<", "&lt;")
        out.append(f"| `{section}.{key}` | `{default}` | {explanation} |\n")
    return "".join(out)


if __name__ == "__main__":
    source = (ROOT / "rollcall.toml").read_text("utf-8")
    (ROOT / "docs" / "configuration.md").write_text(page(source), "utf-8")
    sys.exit(0)
