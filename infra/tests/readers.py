#!/usr/bin/env python3
"""Compares what the functions' reader says of contracts with what the contracts say of themselves.

usage: readers.py CHECK      (the example `check` of functions/contract, built)

In `contracts/refused` a comment `# …` is what Terraform says, and the functions' reader too, unless
there is a comment `#! …` for it; it stops at the first fault. In `contracts/accepted` is nothing to say.
"""
import pathlib
import re
import subprocess
import sys

CONTRACTS = pathlib.Path(__file__).resolve().parent / "contracts"


def main(check):
    faults = []
    refused = sorted((CONTRACTS / "refused").glob("*.yaml"))
    for file in refused:
        lines = file.read_text().splitlines()
        expected = [line[3:] for line in lines if line.startswith("#! ")] or [line[2:] for line in lines if line.startswith("# ")]
        found = said(check, file)
        if not any(found.startswith(fault) for fault in expected):
            faults.append(f"{file.name}: found {found!r}, expected one of {expected}")
    for file in sorted((CONTRACTS / "accepted").glob("*.yaml")):
        if found := said(check, file):
            faults.append(f"{file.name}: found {found!r}, expected nothing")
    print(f"{len(refused)} contracts are refused by both")
    sys.exit("\n".join(faults) if faults else 0)


def said(check, file):
    done = subprocess.run([check, str(file)], capture_output=True, text=True, timeout=60)
    return re.sub(rf"^{re.escape(str(file))}(:\d+)?: ", "", done.stderr.strip())


if __name__ == "__main__":
    main(*sys.argv[1:])
