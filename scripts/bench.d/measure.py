"""What every bench uses: programs that are run and measured, and the table of their figures."""
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
KGUARD = os.path.abspath(os.environ.get("KGUARD", os.path.join(TOP, ".build/kguard")))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}


class Table:
    """The figures of one bench. A row with a goal is met or missed."""

    def __init__(self, title, *columns):
        self.title, self.rows, self.missed = title, [columns], 0

    def row(self, *cells, goal=None, met=True):
        verdict = "" if goal is None else f"{goal}: {'met' if met else 'MISSED'}"
        self.missed += not met
        self.rows.append((*cells, verdict))

    def print(self):
        print(f"\n{self.title}")
        width = max(len(row) for row in self.rows)
        rows = [[str(cell) for cell in row] + [""] * (width - len(row)) for row in self.rows]
        widths = [max(len(row[n]) for row in rows) for n in range(width)]
        for row in rows:
            print("  " + "  ".join(cell.ljust(widths[n]) for n, cell in enumerate(row)).rstrip(), flush=True)


class Measured:
    """One run of a program: seconds on the wall, seconds of processors, and in MiB the peak of resident memory of it and its children.
    With `watch` also the peak of their anonymous memory, added up and sampled: resident memory counts what is mapped of a file too."""

    def __init__(self, argv, cwd=None, environment=None, watch=False, expected=0):
        with tempfile.TemporaryFile() as errors:
            self.began = time.time()
            begin = time.perf_counter()
            child = subprocess.Popen(argv, cwd=cwd, env=ENVIRONMENT | (environment or {}), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=errors)
            ended, self.anonymous = threading.Event(), 0
            sampler = threading.Thread(target=self._sample, args=(child.pid, ended)) if watch else None
            if sampler:
                sampler.start()
            _, status, usage = os.wait4(child.pid, 0)
            self.seconds = time.perf_counter() - begin
            ended.set()
            if sampler:
                sampler.join()
            child.returncode = os.waitstatus_to_exitcode(status)
            self.processors = usage.ru_utime + usage.ru_stime
            self.memory = usage.ru_maxrss / 1024
            if child.returncode != expected:
                errors.seek(0)
                sys.exit(f"scripts/bench: {' '.join(argv)} ended with {child.returncode}\n{errors.read().decode(errors='replace')[-2000:]}")

    def _sample(self, pid, ended):
        while not ended.wait(0.020):
            self.anonymous = max(self.anonymous, anonymous(pid))


def anonymous(pid):
    """MiB of anonymous memory of a process and all below it. The counter of /proc/PID/status: smaps_rollup would walk the page tables
    of a mapped gibibyte under the process's own lock each time."""
    total = 0
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                total += sum(anonymous(int(child)) for child in children.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has just ended
    return total


def number(name, default):
    return int(os.environ.get(name, default))


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


def median_seconds(argv, times):
    return statistics.median(Measured(argv).seconds for _ in range(times))


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path
