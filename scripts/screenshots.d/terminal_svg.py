#!/usr/bin/env python3
"""terminal_svg.py COLUMNS [TITLE]: what `tmux capture-pane -e -p` prints (standard input), as an SVG picture (standard output).

Knows what kguard uses: bold, dim, the eight colours, reset. Letters stay letters, so that the picture is small, sharp and searchable.
"""
import html
import re
import sys
import unicodedata

CELL, LINE, PAD, BAR = 8.43, 19, 16, 34
COLOURS = {31: "#ff7b72", 32: "#56c271", 33: "#e3b341", 34: "#6cb2ff", 35: "#d2a8ff", 36: "#76e3ea", 37: "#e6e9ed", 30: "#8d98a5"}


def runs(line, look):
    """Pieces of a line with one look each: (text, colour, bold, dim). `look` goes on from line to line, as tmux has it."""
    colour, bold, dim = look
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not piece.startswith("\x1b["):
            if piece:
                yield piece, colour, bold, dim
            continue
        for code in [int(n or 0) for n in piece[2:-1].split(";")]:
            if code == 0:
                colour, bold, dim = None, False, False
            elif code == 1:
                bold = True
            elif code == 2:
                dim = True
            elif code == 22:
                bold = dim = False
            elif code == 39:
                colour = None
            elif 30 <= code <= 37:
                colour = COLOURS[code]
    look[:] = colour, bold, dim


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def main():
    columns, title = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    lines = sys.stdin.read().rstrip("\n").split("\n")
    w, h = columns * CELL + 2 * PAD, len(lines) * LINE + BAR + PAD + 4
    plain = html.escape(re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines)))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0f} {h}" width="{w:.0f}" height="{h}" role="img">',
        f"<title>{html.escape(title)}</title><desc>{plain}</desc>",
        "<style>text{font:14px ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre;fill:#e6e9ed}"
        ".b{font-weight:bold}.d{fill-opacity:.62}</style>",
        f'<rect width="{w:.0f}" height="{h}" rx="9" fill="#12161b"/>',
        '<circle cx="20" cy="17" r="5.5" fill="#3a434e"/><circle cx="39" cy="17" r="5.5" fill="#3a434e"/>'
        '<circle cx="58" cy="17" r="5.5" fill="#3a434e"/>',
        f'<text x="{w / 2:.0f}" y="22" text-anchor="middle" class="d">{html.escape(title)}</text>',
    ]
    look = [None, False, False]
    for number, line in enumerate(lines):
        column, y = 0, BAR + (number + 1) * LINE - 3
        for text, colour, bold, dim in runs(line, look):
            cells = width(text)
            if text.strip():
                indent = len(text) - len(text.lstrip(" "))
                body = text.strip(" ")
                marks = " ".join(m for m, is_on in (("b", bold), ("d", dim)) if is_on)
                out.append(
                    f'<text x="{PAD + (column + indent) * CELL:.1f}" y="{y}" textLength="{width(body) * CELL:.1f}"'
                    + (f' class="{marks}"' if marks else "") + (f' style="fill:{colour}"' if colour else "")
                    + f">{html.escape(body)}</text>")
            column += cells
    out.append("</svg>\n")
    sys.stdout.write("\n".join(out))


if __name__ == "__main__":
    main()
