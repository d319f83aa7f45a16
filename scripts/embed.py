#!/usr/bin/env python3
"""Writes the files of the page, gzipped, as the C++ table that src/watch/assets.hpp declares.

    embed.py OUTPUT FILE...

A file is served as "/" and its name; index.html is "/". The same files give the same bytes: there is no
time in them.
"""

import gzip
import sys
from pathlib import Path

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
BYTES_A_LINE = 32

TABLE = """\
// Written by scripts/embed.py.

#include "watch/assets.hpp"

namespace tally {{
namespace {{

using namespace std::string_view_literals;

constexpr Asset assets[] = {{
{rows}
}};

}}  // namespace

std::span<const Asset> page_assets() {{ return assets; }}

}}  // namespace tally
"""


def literal(data):
    """Three octal digits a byte: they never run into what follows."""
    pieces = (data[at:at + BYTES_A_LINE] for at in range(0, len(data), BYTES_A_LINE))
    return "\n".join('     "' + "".join(f"\\{byte:03o}" for byte in piece) + '"' for piece in pieces)


def row(path, file):
    data = gzip.compress(file.read_bytes(), compresslevel=9, mtime=0)
    return f'    {{"{path}", "{CONTENT_TYPES[file.suffix]}",\n{literal(data)}sv}},'


def main(output, *names):
    files = {"/" if name.endswith("index.html") else f"/{Path(name).name}": Path(name) for name in names}
    if len(files) != len(names):
        sys.exit("embed.py: two files would be served under one name")
    rows = "\n".join(row(path, files[path]) for path in sorted(files))
    Path(output).write_text(TABLE.format(rows=rows), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
