"""Debian's changelog, on standard output, from CHANGELOG.md: changelog.py FILE VERSION REVISION MAINTAINER EPOCH"""

import email.utils
import re
import sys
import textwrap
from datetime import datetime, timezone

path, version, revision, maintainer, epoch = sys.argv[1:]

entries = []
for line in open(path, encoding="utf-8"):
    if heading := re.match(r"## (\d\S*)(?: \((.*)\))?", line):
        entries.append((heading[1], heading[2] or "", []))
    elif entries and line.startswith("- "):
        entries[-1][2].append(line[2:].strip())
    elif entries and line.startswith("  ") and entries[-1][2]:
        entries[-1][2][-1] += " " + line.strip()

if not entries or entries[0][0] != version:
    sys.exit(f"scripts/package: the first entry of {path} is not about version {version}")

for number, (name, date, changes) in enumerate(entries):
    try:
        when = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:  # not released yet: the commit's time
        when = int(epoch)
    print(f"kguard ({name}-{revision if number == 0 else 1}) unstable; urgency=medium\n")
    for change in changes:
        print(textwrap.fill(change.replace("`", ""), 78, initial_indent="  * ", subsequent_indent="    ", break_on_hyphens=False))
    print(f"\n -- {maintainer}  {email.utils.formatdate(when)}\n")
