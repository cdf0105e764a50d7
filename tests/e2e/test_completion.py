# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The completions know the commands and words of tailnetctl, all of them and no others."""
import os
import re
import shutil
import subprocess

import pytest
from harness import BIN, ROOT

DIR = os.path.join(ROOT, "contrib", "completions")
COMPLETE = """
. "$1"; shift
COMP_WORDS=("$@" ''); COMP_CWORD=$#
_tailnetctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(*words, cwd=None):
    """What is offered behind these words."""
    p = subprocess.run(["bash", "-c", COMPLETE, "bash", os.path.join(DIR, "tailnetctl.bash"), *words],
                       stdout=subprocess.PIPE,
                       check=True, text=True, cwd=cwd)
    return set(p.stdout.split())


def usage():
    """{command: words of its arguments}, from the list that tailnetctl is made from."""
    with open(os.path.join(ROOT, "common", "lists", "commands.h")) as f:
        text = f.read().split("#define COMMANDS(", 1)[1].replace("\\\n", "")
    rows = re.findall(r'\b[CT]\(((?:[^()"]|"[^"]*")*)\)', text)
    rows = [re.findall(r'"([^"]*)"', re.sub(r'"\s+"', "", row)) for row in rows]
    return {row[0]: set(re.findall(r"(?<![\w-])(?:--?)?[a-z][a-z-]*=?", row[-3])) for row in rows}


def test_table(programs):
    """The table that is read here is what the program says."""
    p = subprocess.run([os.path.join(BIN, "tailnetctl")], stderr=subprocess.PIPE, text=True)
    assert set(re.findall(r"^  ([a-z-]+)  ", p.stderr, re.M)) == set(usage())
    assert {"--check"} == usage()["status"] and {"limit=", "after="} == usage()["peers"]


def test_bash(tmp_path):
    assert {w for w in bash("tailnetctl") if not w.startswith("-")} == set(usage())
    for command, words in usage().items():
        offered = bash("tailnetctl", "-j", "-s", "/x", command)
        for w in set(offered):
            offered |= bash("tailnetctl", command, w, cwd=tmp_path)
        assert offered - {"-"} == words, command


@pytest.mark.parametrize("option", ["-s", "metrics -o", "login --auth-key-file"])
def test_bash_files(option, tmp_path):
    (tmp_path / "one").touch()
    assert bash("tailnetctl", *option.split(), cwd=tmp_path) == {"one"}


def zsh_words(text):
    """Words of a line of the zsh completion without the explanations."""
    return set(re.findall(r"(?<![\w-])(?:--?)?[a-z][a-z-]*", re.sub(r"\[[^]]*\]|:[a-z]+:(?!\()|:_files", " ", text)))


def test_zsh():
    with open(os.path.join(DIR, "_tailnetctl")) as f:
        text = f.read()
    assert set(re.search(r"'1:command:\((.*?)\)'", text).group(1).split()) == set(usage())
    for command, words in usage().items():
        m = re.search(r"^\t%s\) (.*?) ;;" % command, text, re.M | re.S)
        assert {w.rstrip("=") for w in words} <= (zsh_words(m.group(1)) if m else set()), command
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", os.path.join(DIR, "_tailnetctl")], check=True)
