#!/usr/bin/env python3
"""Zips files so that the same content always makes the same bytes.

usage: zip.py OUT MAX_BYTES FILE[=NAME]...

Fails where the zip is larger than it may be. A file's mode is 0755 where it is executable, else 0644.
"""
import os
import sys
import zipfile

# The oldest time that a zip can hold.
TIME = (1980, 1, 1, 0, 0, 0)


def main(out, limit, *files):
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in files:
            path, _, name = file.partition("=")
            entry = zipfile.ZipInfo(name or os.path.basename(path), TIME)
            entry.create_system = 3  # Unix, or the mode would not count.
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with open(path, "rb") as content:
                archive.writestr(entry, content.read())
    size = os.path.getsize(out)
    print(f"{out}  {size:,} bytes")
    if size > int(limit):
        sys.exit(f"{out}: found {size:,} bytes, expected at most {int(limit):,}")


if __name__ == "__main__":
    main(*sys.argv[1:])
