#!/usr/bin/python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Which behaviour rows have a test that names them.

    tests/rows.py [-v] [--require LIST]...

Rows are those of tests/rows.txt.  A test names its rows in a comment `rows: KEY-01 DEL-02` or in @pytest.mark.rows("KEY-01"); in
Python a marker need not stand directly above the function.  LIST is a file of rows, a group (KEY) or a row (KEY-01); without it,
tests/rows.required is the list.  Exit 1 if a required row has no test, or a test names a row that is not there.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROW = re.compile(r"\b[A-Z][A-Z0-9]*-\d\d\b")
COMMENT = re.compile(r"(?:/\*|//|#|\*)\s*rows:(.*)")
MARK = re.compile(r"mark\.rows\(")
NAME = {".c": re.compile(r"^(\w+)\(void \*\*|^static void\s+(\w+)\("), ".go": re.compile(r"^func (?:\([^)]*\) )?(\w+)"),
        ".py": re.compile(r"^\s*def (\w+)")}


def name_after(lines, i, suffix):
    """The first function below line i."""
    for line in lines[i:i + 60]:
        m = NAME[suffix].match(line)
        if m:
            return next(g for g in m.groups() if g)
    return "line %d" % (i + 1)


def string_rows(lines, i):
    """The rows inside the parentheses of a marker that begins in line i."""
    text = "".join(lines[i:i + 6])
    text = text[MARK.search(text).end():]
    return ROW.findall(text.split(")", 1)[0])


def table_rows(text):
    """test_delta.py names its rows in a table: the first string of each case."""
    return re.findall(r'^    "[\w-]+": \("([A-Z0-9 -]+)",', text, re.M)


def scan(path):
    """Yields (row, test)."""
    suffix = os.path.splitext(path)[1]
    with open(path, encoding="utf-8", errors="replace") as f:
        lines = f.readlines()
    short = os.path.relpath(path, HERE)
    for i, line in enumerate(lines):
        m = COMMENT.search(line)
        rows = ROW.findall(m.group(1)) if m else []
        if suffix == ".py" and MARK.search(line):
            rows = string_rows(lines, i)
        for r in rows:
            yield r, "%s:%s" % (short, name_after(lines, i, suffix))
    if suffix == ".py":
        for group in table_rows("".join(lines)):
            for r in ROW.findall(group):
                yield r, "%s: table" % short


def expand(items, known):
    out = []
    for item in items:
        if os.path.exists(item):
            with open(item) as f:
                out += expand([w for line in f for w in line.split("#")[0].split()], known)
        elif item in known:
            out.append(item)
        else:
            group = [r for r in known if r.startswith(item + "-")]
            if not group:
                sys.exit("rows.py: %s is neither a file, a group nor a row" % item)
            out += group
    return out


def main(argv):
    with open(os.path.join(HERE, "rows.txt")) as f:
        known = f.read().split()
    verbose, wanted = "-v" in argv, []
    for i, a in enumerate(argv):
        if a == "--require":
            rest = argv[i + 1:]
            stop = next((k for k, x in enumerate(rest) if x.startswith("-")), len(rest))
            wanted += rest[:stop]
    required = expand(wanted or [os.path.join(HERE, "rows.required")], known)
    tests = {r: [] for r in known}
    unknown = []
    for top, dirs, files in os.walk(HERE):
        dirs[:] = [d for d in dirs if d not in ("__pycache__", "seeds")]
        for name in sorted(files):
            path = os.path.join(top, name)
            if os.path.splitext(name)[1] in NAME and os.path.abspath(path) != os.path.abspath(__file__):
                for row, test in scan(path):
                    if row in tests:
                        if test not in tests[row]:
                            tests[row].append(test)
                    else:
                        unknown.append("%s names %s" % (test, row))
    for row in known:
        if verbose:
            print("%-9s %s" % (row, " ".join(tests[row]) or "-"))
    missing = [r for r in required if not tests[r]]
    open_rows = [r for r in known if not tests[r]]
    print("rows: %d of %d have a test, %d required" % (len(known) - len(open_rows), len(known), len(required)))
    if open_rows:
        print("rows: no test names " + " ".join(open_rows))
    for u in unknown:
        print("rows: no such row: " + u)
    if missing:
        print("rows: MISSING " + " ".join(missing))
    return 1 if missing or unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
