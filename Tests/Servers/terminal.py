#!/usr/bin/env python3
"""terminal.py COLUMNS ROWS -- PROGRAM ARG…: runs a program on a terminal of its own, and prints as JSON what a person would have seen:
{"screens": […], "last": "…", "wrapped": N, "erased": N, "exit": N}; `erased` counts what it drew over.

The terminal knows what kguard uses: line feeds, carriage returns, cursor up, erase below and to the end of the line, colours.
"""
import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios


class Screen:
    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column, self.wrapped, self.erased = columns, [""], 0, 0, 0, 0

    def put(self, character):
        if self.column >= self.columns:
            self.wrapped += 1
            self.feed()
            self.column = 0
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
        self.column += 1

    def feed(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    def write(self, text):
        for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\s\S]", text):
            if piece == "\n":
                self.feed()
                self.column = 0
            elif piece == "\r":
                self.column = 0
            elif piece.startswith("\x1b["):
                number, code = piece[2:-1], piece[-1]
                self.erased += code != "m"
                if code == "A":
                    self.row = max(0, self.row - int(number or 1))
                elif code == "J":
                    self.lines[self.row] = self.lines[self.row][: self.column]
                    del self.lines[self.row + 1 :]
                elif code == "K":
                    self.lines[self.row] = self.lines[self.row][: self.column]
                elif code != "m":
                    raise SystemExit(f"terminal.py does not know {piece!r}")
            else:
                self.put(piece)

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)


def set_size(descriptor, columns, rows):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    split = sys.argv.index("--")
    options, argv = sys.argv[1:split], sys.argv[split + 1 :]
    columns, rows = int(options[0]), int(options[1])
    pid, master = pty.fork()
    if pid == 0:
        # The program starts when its terminal has its size.
        sys.stdin.readline()
        os.execv(argv[0], argv)
    set_size(master, columns, rows)
    attributes = termios.tcgetattr(master)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(master, termios.TCSANOW, attributes)
    os.write(master, b"\n")
    screen, screens, raw = Screen(columns), [], b""
    while True:
        if select.select([master], [], [], 0.05)[0]:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            raw += chunk
            text = raw.decode("utf-8", "ignore")
            if len(text.encode()) == len(raw):
                screen.write(text)
                raw = b""
            shown = screen.text()
            if (not screens or screens[-1] != shown) and len(screens) < 500:
                screens.append(shown)
    status = os.waitpid(pid, 0)[1]
    seen = {"screens": screens, "last": screen.text(), "wrapped": screen.wrapped, "erased": screen.erased}
    print(json.dumps({**seen, "exit": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main()
