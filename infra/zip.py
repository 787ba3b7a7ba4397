#!/usr/bin/env python3
"""Zips files so that the same content always makes the same bytes.

usage: zip.py OUT MAX_BYTES FILE[=NAME]...

Fails where the zip is larger than it may be. A file's mode is 0755 where it is executable, else 0644.
"""
import io
import os
import sys
import zipfile

# The oldest time that a zip can hold.
TIME = (1980, 1, 1, 0, 0, 0)


def main(out, limit, *files):
    content = zipped(files)
    if len(content) > int(limit):
        sys.exit(f"{out}: found {len(content):,} bytes, expected at most {int(limit):,}")
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    with open(out, "wb") as file:
        file.write(content)
    print(f"{out}  {len(content):,} bytes")


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in files:
            path, _, name = file.partition("=")
            entry = zipfile.ZipInfo(name or os.path.basename(path), TIME)
            entry.create_system = 3  # Unix, or the mode would not count.
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with open(path, "rb") as content:
                archive.writestr(entry, content.read())
    return buffer.getvalue()


if __name__ == "__main__":
    main(*sys.argv[1:])
