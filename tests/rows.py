#!/usr/bin/python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Which behaviour rows have a test that names them.

    tests/rows.py [-v] [--require LIST]...

Rows are defined in the tables of docs/*.md; tests/rows.txt has one line for each: the row and words that say what is
demanded.  A test names its rows in @pytest.mark.rows("KEY-01"), or in C and Go in a comment `rows: KEY-01 DEL-02` right
above its function.  What counts is what runs: Python's tests are those that pytest collects and does not skip in any
case, those in C are in a table of cmocka's, those in Go are called Test...  LIST is a file of rows, a group (KEY) or
a row (KEY-01); without it, tests/rows.required is the list.  -v prints each row with its words and its tests.

Exit 1 if a required row has no test, if something names a row that is not there or names rows without being a test, if
a row has no words, or if the documents and tests/rows.txt do not have the same rows.
"""
import contextlib
import glob
import io
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROW = re.compile(r"\b[A-Z][A-Z0-9]*-\d\d\b")
DEFINITION = re.compile(r"(?m)^\| ([A-Z][A-Z0-9]*-\d\d)!? \|")
COMMENT = re.compile(r"(?:/\*|//|^ \*) *rows:(.*)")
FUNCTION = {".c": re.compile(r"^(\w+)\("), ".go": re.compile(r"^func (\w+)\(")}
TABLE = re.compile(r"\bstruct CMUnitTest \w+\[\] = \{(.*?)\};", re.S)
TEST = {".c": lambda name, text: any(re.search(r"\b%s\b" % name, t) for t in TABLE.findall(text)),
        ".go": lambda name, text: name.startswith("Test")}


def python_tests():
    """(row, test) of each."""
    try:
        import pytest
    except ImportError:
        sys.exit("rows.py: no pytest: sudo make deps")
    found = set()

    class Collector:
        @pytest.hookimpl(tryfirst=True)  # before conftest.py marks what needs root
        def pytest_collection_modifyitems(self, items):
            for item in items:
                if item.get_closest_marker("skip") is None:
                    # The cases of a parametrized test are one test.
                    where = "%s:%s" % (os.path.relpath(item.path, HERE), item.name.split("[")[0])
                    found.update((row, where) for m in item.iter_markers("rows") for row in m.args)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", os.path.join(HERE, "e2e")],
                           plugins=[Collector()])
    if code != 0:
        sys.exit("rows.py: pytest cannot collect the tests:\n" + said.getvalue())
    return sorted(found, key=lambda x: x[1])


def commented_tests(path):
    """Yields (row, function, whether that is a test)."""
    suffix = os.path.splitext(path)[1]
    with open(path, encoding="utf-8") as f:
        text = f.read()
    lines = text.splitlines()
    for i, line in enumerate(lines):
        m = COMMENT.search(line)
        if m is None:
            continue
        name = next((f.group(1) for f in map(FUNCTION[suffix].match, lines[i + 1:i + 4]) if f), "")
        where = "%s:%s" % (os.path.relpath(path, HERE), name or i + 1)
        for row in ROW.findall(m.group(1)):
            yield row, where, bool(name) and TEST[suffix](name, text)


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


def defined_rows():
    """{row: document} of docs/, and complaints."""
    rows, wrong = {}, []
    for path in sorted(glob.glob(os.path.join(HERE, "../docs/*.md"))):
        with open(path, encoding="utf-8") as f:
            for row in DEFINITION.findall(f.read()):
                if row in rows:
                    wrong.append("%s defines %s, which %s has already" % (os.path.basename(path), row, rows[row]))
                rows.setdefault(row, os.path.basename(path))
    return rows, wrong


def rows_with_words():
    """{row: words} of rows.txt, and what is wrong with it."""
    defined, wrong = defined_rows()
    words = {}
    with open(os.path.join(HERE, "rows.txt"), encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            row, _, text = line.split("#")[0].strip().partition(" ")
            if not row:
                continue
            if ROW.fullmatch(row) is None:
                wrong.append("rows.txt:%d: %s is no row" % (n, row))
                continue
            if row in words:
                wrong.append("rows.txt:%d: %s is there twice" % (n, row))
            if len(text.split()) < 3:
                wrong.append("rows.txt:%d: %s has no words that say what is demanded" % (n, row))
            words[row] = text.strip()
    wrong += ["%s of %s is not in rows.txt" % (r, d) for r, d in defined.items() if r not in words]
    wrong += ["%s of rows.txt is in no document" % r for r in words if r not in defined]
    return words, wrong


def main(argv):
    words, wrong = rows_with_words()
    known = list(words)
    verbose, wanted = "-v" in argv, []
    for i, a in enumerate(argv):
        if a == "--require":
            rest = argv[i + 1:]
            stop = next((k for k, x in enumerate(rest) if x.startswith("-")), len(rest))
            wanted += rest[:stop]
    required = expand(wanted or [os.path.join(HERE, "rows.required")], known)
    tests = {r: [] for r in known}
    found = [(row, test, True) for row, test in python_tests()]
    for path in sorted(glob.glob(os.path.join(HERE, "unit/*/*.c")) +
                       glob.glob(os.path.join(HERE, "interop/**/*.go"), recursive=True)):
        found += commented_tests(path)
    for row, test, runs in found:
        if not runs:
            wrong.append("%s names %s and is no test" % (test, row))
        elif row not in tests:
            wrong.append("%s names %s: no such row" % (test, row))
        elif test not in tests[row]:
            tests[row].append(test)
    for row in known:
        if verbose:
            print("%-9s %s\n%9s %s" % (row, words[row], "", " ".join(tests[row]) or "-"))
    missing = [r for r in required if not tests[r]]
    open_rows = [r for r in known if not tests[r]]
    print("rows: %d of %d have a test, %d required" % (len(known) - len(open_rows), len(known), len(required)))
    if open_rows:
        print("rows: no test names " + " ".join(open_rows))
    for w in wrong:
        print("rows: " + w)
    if missing:
        print("rows: MISSING " + " ".join(missing))
    return 1 if missing or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
