#!/usr/bin/env python3
"""Compares what the functions' reader and Terraform say of contracts with what the contracts say of themselves.

usage: readers.py CHECK      (the example `check` of functions/contract, built)

In `contracts/refused` comments `# …` are what Terraform says, and one of them what the functions' reader
does, which stops at the first fault, unless there is a comment `#! …` for it. In `contracts/accepted` is
nothing to say.
"""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys

INFRA = pathlib.Path(__file__).resolve().parent.parent
CONTRACTS = INFRA / "tests/contracts"
SECONDS_MAX = 60


def main(check):
    refused = sorted((CONTRACTS / "refused").glob("*.yaml"))
    accepted = sorted((CONTRACTS / "accepted").glob("*.yaml"))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        faults = [fault for found in pool.map(lambda file: compared(check, file), refused + accepted) for fault in found]
    print(f"{len(refused)} contracts are refused by both")
    sys.exit("\n".join(faults) if faults else 0)


def compared(check, file):
    lines = file.read_text().splitlines()
    expected = [line[2:] for line in lines if line.startswith("# ")] if file.parent.name == "refused" else []
    found = planned(file)
    # Text that is no YAML is told by each reader in words of its own.
    if sorted(found) != sorted(expected) and not any(fault.startswith("not YAML: ") for fault in found):
        yield f"{file.name}: Terraform: found {found}, expected {expected}"
    expected = [line[3:] for line in lines if line.startswith("#! ")] or expected or [""]
    found = said(check, file)
    if not any(found.startswith(fault) and bool(found) == bool(fault) for fault in expected):
        yield f"{file.name}: found {found!r}, expected one of {expected}"


def said(check, file):
    done = subprocess.run([check, str(file)], capture_output=True, text=True, timeout=SECONDS_MAX)
    return re.sub(rf"^{re.escape(str(file))}(:\d+)?: ", "", done.stderr.strip())


def planned(file):
    """The faults of a plan of the whole module, which may be others: errors of Terraform itself."""
    command = ["terraform", f"-chdir={INFRA / 'modules/contract'}", "plan", "-json", "-input=false", "-lock=false"]
    done = subprocess.run([*command, f"-var=path={file}", "-var=packaged=missing"], capture_output=True, text=True, timeout=SECONDS_MAX)
    diagnostics = [event["diagnostic"] for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "diagnostic"]
    lines = [line for found in diagnostics if found["severity"] == "error" for line in found["detail"].splitlines()]
    return [line.removeprefix(f"  {file.name}: ") for line in lines if line != "The contract is refused."]


if __name__ == "__main__":
    main(*sys.argv[1:])
