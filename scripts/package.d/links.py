#!/usr/bin/env python3
"""links.py DIR…: says which links and pictures of the Markdown pages below DIR lead nowhere, and fails then."""
import pathlib
import re
import sys

dead, seen = [], 0
for root in map(pathlib.Path, sys.argv[1:]):
    for page in sorted(root.rglob("*.md")):
        text = page.read_text()
        for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text):
            path = target.split("#")[0]
            if not path or "://" in path:
                continue
            seen += 1
            place = (page.parent / path).resolve()
            if not place.exists() or not place.is_relative_to(root.resolve()):
                dead.append(f"{page}: {target}")
print("\n".join(dead), file=sys.stderr)
sys.exit(bool(dead) or seen == 0)
