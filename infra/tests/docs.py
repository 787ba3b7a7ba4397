#!/usr/bin/env python3
"""Checks that every variable and output is described, used, and in the README's tables.

usage: docs.py [--write]      --write: writes the tables of infra/README.md
"""
import pathlib
import re
import sys

INFRA = pathlib.Path(__file__).resolve().parent.parent
README = INFRA / "README.md"
HEAD = re.compile(r'^\s*(variable|output)\s+"?(\w+)"?\s*\{', re.M)
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.M | re.S)
DESCRIPTION = re.compile(r'^  description = (?:"((?:[^"\\]|\\.)*)"|<<-EOT\n(.*?)\n  EOT)$', re.M | re.S)
TABLES = re.compile(r"(<!-- (variables|outputs) -->\n).*?(<!-- end -->)", re.S)


def main(write):
    faults = []
    folders = {path.parent for path in INFRA.rglob("*.tf") if ".terraform" not in path.parts}
    for folder in sorted(folders):
        text = "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))
        blocks = BLOCK.findall(text)
        for kind, name in set(HEAD.findall(text)) - {(kind, name) for kind, name, _ in blocks}:
            faults.append(f"{folder.relative_to(INFRA)}: {kind} {name} is not written over several lines, where it is looked at")
        for kind, name, body in blocks:
            where = f"{folder.relative_to(INFRA)}: {kind} {name}"
            if not described(body):
                faults.append(f"{where} has no description")
            if kind == "variable" and "\n  type " not in f"\n{body}":
                faults.append(f"{where} has no type")
            if kind == "variable" and not re.search(rf"\bvar\.{name}\b", text.replace(body, without_validations(body))):
                faults.append(f"{where} is not used")
        for name in re.findall(r"^  (\w+) += ", "\n".join(re.findall(r"^locals \{\n(.*?)^\}", text, re.M | re.S)), re.M):
            if not re.search(rf"\blocal\.{name}\b", text):
                faults.append(f"{folder.relative_to(INFRA)}: local {name} is not used")
    readme = README.read_text()
    expected = TABLES.sub(lambda m: m[1] + table(m[2]) + m[3], readme)
    if write:
        README.write_text(expected)
    elif readme != expected:
        faults.append("README.md: its tables are not those of variables.tf and outputs.tf: run infra/tests/docs.py --write")
    if len(TABLES.findall(readme)) != 2:
        faults.append("README.md: has not the two tables `variables` and `outputs`")
    sys.exit("\n".join(faults) if faults else 0)


def table(kind):
    blocks = BLOCK.findall((INFRA / f"{kind}.tf").read_text())
    if kind == "outputs":
        return "| output | meaning |\n| --- | --- |\n" + "".join(f"| `{name}` | {described(body)} |\n" for _, name, body in blocks)
    rows = "".join(f"| `{name}` | {described(body)} | {default(body)} |\n" for _, name, body in blocks)
    return "| variable | meaning | default |\n| --- | --- | --- |\n" + rows


def described(body):
    found = DESCRIPTION.search(body)
    if not found:
        return ""
    text = found[1] if found[1] is not None else "<br>".join(line.strip() for line in found[2].splitlines())
    return text.replace("|", "\\|")


def default(body):
    found = re.search(r"^  default\s+= (.*?)(?=^  \w|^\n|\Z)", body, re.M | re.S)
    if not found:
        return "required"
    value = " ".join(found[1].split())
    return "none" if value in ("null", "{}", "[]") else f"`{value}`"


def without_validations(text):
    return re.sub(r"^  validation \{\n.*?^  \}", "", text, flags=re.M | re.S)


if __name__ == "__main__":
    main("--write" in sys.argv[1:])
