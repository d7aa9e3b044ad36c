"""The sandbox's directory: where things are, its settings and faults, and the identity of processes."""
import datetime
import json
import os
import signal
import subprocess
import sys
import time

MARKER = ".kguard-sandbox"
PART = "KGUARD_SANDBOX_PART"  # in the environment of every process that a sandbox starts: its directory
NODE = "sandbox-node"
REGISTRY = "registry.k8s.io"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")

# What DIR/etc/sandbox.json may set. Times are seconds; the comment gives what they are on a real node.
DEFAULTS = {
    "etcd": "/usr/bin/etcd",        # the program behind the etcd image
    "kubeadm_limit": 6,             # 300: how long kubeadm waits for a component
    "kubelet_restart": 1,           # 10: RestartSec of kubelet's unit
    "backoff_max": 30,              # 300: the longest CrashLoopBackOff
    "probe_period": 3,              # 10: between two liveness probes
    "lease_seconds": 5,             # 15: how long a leader's lease lasts without renewal
    "node_grace": 6,                # 40: node lease older than this: NotReady
    "apiserver_shutdown": 0.5,      # up to 30: API server between SIGTERM and its end
    "stop_grace": 10,               # 30: SIGTERM to SIGKILL where the manifest names no grace period
}


class Error(Exception):
    """What failed, why, and what to do next: shown to the person, exit code 1."""


def read_json(path, default=None):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return default


def write_file(path, data, mode=0o644):
    """Replace a file at once and durably; readers see the old or the new one."""
    if isinstance(data, str):
        data = data.encode()
    part = f"{path}.{os.getpid()}.{time.monotonic_ns()}.new"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(fd, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view):]
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(part, path)


def write_json(path, value, mode=0o644):
    write_file(path, json.dumps(value, indent=2) + "\n", mode)


# ---------------------------------------------------------------- processes

def boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        return f.read().strip()


def stat_of(pid):
    """(state, parent, start time) of a process, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0].decode(), int(fields[1]), int(fields[19])


def identity(pid):
    """What tells this process from a later one with the same pid."""
    stat = stat_of(pid)
    return stat and {"pid": pid, "start": stat[2], "boot": boot_id()}


def alive(ident):
    if not ident or ident.get("boot") != boot_id():
        return False
    stat = stat_of(ident["pid"])
    return stat is not None and stat[0] not in "ZX" and stat[2] == ident["start"]


def send(ident, sig):
    """Signal the process that `ident` names, never another one."""
    if not alive(ident):
        return False
    try:
        os.kill(ident["pid"], sig)
        return True
    except ProcessLookupError:
        return False


def wait_gone(ident, seconds):
    end = time.monotonic() + seconds
    while alive(ident):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True


def end_process(ident, grace):
    """SIGTERM, then SIGKILL after `grace` seconds. True when it went by itself."""
    if grace > 0 and send(ident, signal.SIGTERM) and wait_gone(ident, grace):
        return True
    if send(ident, signal.SIGKILL):
        wait_gone(ident, 10)
        return False
    return True


def name_process(name):
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as f:
            f.write(name[:15])
    except OSError:
        pass


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_time():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_of(nanoseconds):
    return datetime.datetime.fromtimestamp(nanoseconds / 1e9, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def until(seconds, test, step=0.1):
    """Call `test` until it is true or the time is over; its last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = test()
        if answer or time.monotonic() >= end:
            return answer
        time.sleep(step)


# ---------------------------------------------------------------- the directory

class Box:
    def __init__(self, root):
        self.root = os.path.abspath(root)

    def path(self, host_path):
        """Where a path of the host is in this sandbox."""
        return self.root + "/" + host_path.lstrip("/")

    @property
    def lib(self):
        return self.path("/usr/lib/kguard-sandbox")

    def is_sandbox(self):
        return os.path.isfile(self.path(MARKER))

    def marker(self):
        marker = read_json(self.path(MARKER))
        if marker is None:
            raise Error(f"{self.root} is not a sandbox: it has no {MARKER}. Make one with: sandbox up {self.root}")
        return marker

    @property
    def ports(self):
        return self.marker()["ports"]

    @property
    def server(self):
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    def settings_file(self):
        return self.path("/etc/sandbox.json")

    def settings(self):
        return {**DEFAULTS, **(read_json(self.settings_file()) or {})}

    def setting(self, name):
        return self.settings()[name]

    def faults(self):
        return self.settings().get("faults", {})

    def set_faults(self, faults):
        write_json(self.settings_file(), {**self.settings(), "faults": faults})

    def installed(self, tool):
        """The version of an installed package: kubeadm, kubelet or kubectl."""
        with open(self.path(f"/usr/lib/kubernetes/{tool}.version"), encoding="ascii") as f:
            return f.read().strip()

    def install(self, tool, version):
        write_file(self.path(f"/usr/lib/kubernetes/{tool}.version"), version + "\n")

    def target(self):
        """The version that an upgrade goes to: the installed kubeadm's, or what the package manager offers."""
        marker, installed = self.marker(), self.installed("kubeadm")
        return marker["kubeadm"] if installed == marker["version"] else installed

    def etcd_tag(self):
        """The etcd image tag that the installed kubeadm wants."""
        marker = self.marker()
        return marker["etcd_target_tag"] if self.installed("kubeadm") != marker["version"] else marker["etcd_tag"]

    def python(self, module, *args):
        """The argv that runs one of the sandbox's modules."""
        return [sys.executable, "-IS", f"{self.lib}/launch.py", self.root, module, *args]

    def spawn(self, argv, log):
        """Start a process that outlives the caller: own session, no inherited descriptor."""
        with open(self.path(log), "ab") as out:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/",
                                     start_new_session=True, env=self.child_env())
        return child

    def child_env(self):
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", PART: self.root}

    def pid_file(self, name):
        return self.path(f"/run/{name}.pid.json")

    def register(self, name, pid=None):
        write_json(self.pid_file(name), identity(pid or os.getpid()))

    def registered(self, name):
        """The identity of a registered process that still runs, or None."""
        ident = read_json(self.pid_file(name))
        return ident if alive(ident) else None

    def forget(self, name):
        try:
            os.unlink(self.pid_file(name))
        except FileNotFoundError:
            pass
