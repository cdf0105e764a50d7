# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""For tests/lint: each health code of common/lists/health_codes.h is in tailnetd(8) with its severity and its remedy,
in the table of docs/interface.md 4 with its severity, and in docs/schema/status.json; and these name no other one."""
import json
import re
import subprocess

with open("common/lists/health_codes.h") as f:
    text = f.read().split("#define HEALTH_CODES", 1)[1].replace("\\\n", " ")
text = re.sub(r'"\s+"', "", text)
rows = re.findall(r'H\(([A-Z_]+), "([a-z-]+)", "(high|medium|low)",\s+(NULL|"[^"]*"),\s+"([^"]+)"\)', text)
if len(rows) != len(re.findall(r"\bH\([A-Z]", text)) or len(rows) < 10:
    print("health_codes.h: a row that cannot be read: H(ID, \"code\", \"severity\", \"sentence\" or NULL, \"remedy\")")
with open("docs/interface.md") as f:
    section = f.read().split("## 4. ", 1)[1].split("\n## ", 1)[0]
table = dict(re.findall(r"^\| `([a-z-]+)` \| (high|medium|low) \| \S", section, re.M))
with open("docs/schema/status.json") as f:
    health = json.load(f)["properties"]["health"]["items"]["properties"]
man = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=900", "tailnetd/tailnetd.8"], stdout=subprocess.PIPE,
                     text=True, check=True).stdout
man = re.sub(r".\x08", "", man).split("\nHEALTH\n", 1)[1].split("\nFILES\n", 1)[0]
items = dict((code, (sev, " ".join(body.split()))) for code, sev, body in
             re.findall(r"^ +([a-z-]+) \((high|medium|low)\)\n?(.*?)(?=^ +[a-z-]+ \((?:high|medium|low)\)|\Z)", man,
                        re.M | re.S))
for _, code, severity, _, remedy in rows:
    if table.get(code) != severity:
        print("docs/interface.md 4: no row with `%s` and %s" % (code, severity))
    if code not in health["code"]["enum"] or severity not in health["severity"]["enum"]:
        print("docs/schema/status.json: no %s, or no severity %s" % (code, severity))
    sev, body = items.get(code, ("", ""))
    if sev != severity or "Remedy: " + remedy.replace("`", "") + "." not in body:
        print("tailnetd.8, HEALTH: not `%s (%s) .. Remedy: %s.`" % (code, severity, remedy.replace("`", "")))
known = set(r[1] for r in rows)
for where, names in (("docs/interface.md 4", table), ("docs/schema/status.json", health["code"]["enum"]),
                     ("tailnetd.8, HEALTH", items)):
    for name in sorted(set(names) - known):
        print("%s: %s is no health code" % (where, name))
