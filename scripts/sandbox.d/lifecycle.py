"""Makes a sandbox, starts it, and ends every process that belongs to it."""
import glob
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import apt
import box
import cluster
import cri
import manifests
from apiclient import Client, Unreachable
from pki import Pki, self_signed
from systemctl import Unit

TOOLS = {"kubeadm": "kubeadm", "kubelet": "kubelet", "kubectl": "kubectl", "crictl": "crictl", "systemctl": "systemctl"}
DIRECTORIES = ("etc/kubernetes/manifests", "etc/kubernetes/tmp", "usr/bin", "usr/lib/kubernetes", "var/lib/kubelet", "var/lib/containerd", "var/lib/kguard-sandbox",
               "var/log/pods", "run/cri/pods", "run/cri/containers", "run/cri/rootfs", "tmp")
PORTS = ("apiserver", "etcd", "etcd_peer", "etcd_metrics", "controller_manager", "scheduler")
VERSION = re.compile(r"v\d+\.\d+\.\d+")


def free_ports(names):
    """Ports that nobody uses now, all different, outside the range from which the kernel gives ports to clients."""
    low = int(open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii").read().split()[0])
    ceiling = max(low, 13000)
    ports, port = {}, 12000 + int.from_bytes(os.urandom(2), "big") % (ceiling - 12000)
    for name in names:
        port = 12000 + (port + 1 - 12000) % (ceiling - 12000)
        while not is_free(port):
            port = 12000 + (port + 1 - 12000) % (ceiling - 12000)
        ports[name] = port
    return ports


def check_ports(sandbox):
    """Those of a sandbox that starts again may be taken by now."""
    for name, port in sandbox.ports.items():
        if not is_free(port):
            raise box.Error(f"port {port} ({name}) is in use. End what uses it, or choose other ports with: sandbox reset {sandbox.root}")


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("0.0.0.0", port))
            return True
        except OSError:
            return False


def node_ip(root):
    """A loopback address of the sandbox's own, in place of the node's."""
    digest = hashlib.sha256(root.encode()).digest()
    return f"127.{64 + digest[0] % 64}.{digest[1]}.{1 + digest[2] % 254}"


def etcd_version(program):
    try:
        text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise box.Error(f"{program} does not run: {error}. Install etcd (Debian: apt install etcd-server) or name another one with --etcd") from error
    return re.search(r"etcd Version: (\S+)", text).group(1)


# ---------------------------------------------------------------- up

def up(sandbox, options):
    refuse(sandbox)
    for version in (options.version, options.kubeadm):
        if not VERSION.fullmatch(version):
            raise box.Error(f"{version} is not a version such as v1.27.4")
    began = time.monotonic()
    if not sandbox.is_sandbox():
        create(sandbox, options)
    check_ports(sandbox)
    try:
        start(sandbox)
        cluster.install(sandbox, Client(sandbox.path("/etc/kubernetes/admin.conf")))
        if options.seed_objects:
            cluster.seed(sandbox, options.seed_objects)
        wait_ready(sandbox)
    except (box.Error, Unreachable) as error:
        raise box.Error(f"the sandbox does not get ready: {error}. Logs are in {sandbox.path('/var/log')}; end it with: sandbox down {sandbox.root}") from error
    return time.monotonic() - began


def refuse(sandbox):
    root = sandbox.root
    if sandbox.is_sandbox():
        if os.path.exists(sandbox.path("/run/up")) and members(sandbox):
            raise box.Error(f"{root} is up already. See: sandbox status {root}; a new one: sandbox reset {root}")
    elif os.path.exists(root) and (not os.path.isdir(root) or os.listdir(root)):
        raise box.Error(f"{root} is not empty and not a sandbox, so it is left alone. Name an empty or a new directory")
    if root.count("/") < 2:
        raise box.Error(f"{root} is too close to the root of this machine. Name a directory of its own")


def create(sandbox, options):
    os.makedirs(sandbox.root, exist_ok=True)
    ip = node_ip(sandbox.root)
    tag = etcd_version(options.etcd) + "-0"
    target_tag = tag[:-1] + "1" if options.etcd_upgrade else tag
    marker = {"node": box.NODE, "node_ip": ip, "ports": free_ports(PORTS), "version": options.version, "kubeadm": options.kubeadm,
              "etcd_tag": tag, "etcd_target_tag": target_tag, "data_dir": options.data_dir, "options": vars(options), "made": box.now()}
    box.write_json(sandbox.path(box.MARKER), marker)
    for directory in DIRECTORIES:
        os.makedirs(sandbox.path(directory), exist_ok=True)
    os.makedirs(sandbox.path(options.data_dir), 0o700)
    os.chmod(sandbox.path(options.data_dir), 0o700)
    box.write_json(sandbox.settings_file(), {**box.DEFAULTS, "etcd": options.etcd, "faults": {}})
    sandbox.packages = getattr(options, "packages", "none")
    install_tools(sandbox)
    for tool, version in (("kubeadm", options.kubeadm), ("kubelet", options.version), ("kubectl", options.version)):
        sandbox.install(tool, version)
    if sandbox.packages == "apt":
        apt.setup(sandbox)
    Pki(sandbox, box.NODE, ip).create()
    self_signed(sandbox.path("/var/lib/kguard-sandbox/healthz"))
    runtime = cri.Runtime(sandbox)
    for ref in manifests.images(options.version, tag):
        runtime.add_image(ref)
    write_node_files(sandbox, marker)


def write_node_files(sandbox, marker):
    for component in ("etcd", *box.COMPONENTS):
        image = manifests.image(component, marker["version"], marker["etcd_tag"])
        text = manifests.render(component, box.NODE, marker["node_ip"], marker["ports"], image, marker["data_dir"])
        box.write_file(sandbox.path(f"/etc/kubernetes/manifests/{component}.yaml"), text, 0o600)
    box.write_file(sandbox.path("/var/lib/kubelet/config.yaml"), cluster.KUBELET_CONFIG, 0o644)
    flags = "--container-runtime-endpoint=unix:///var/run/containerd/containerd.sock --pod-infra-container-image=registry.k8s.io/pause:3.9"
    box.write_file(sandbox.path("/var/lib/kubelet/kubeadm-flags.env"), f'KUBELET_KUBEADM_ARGS="{flags}"\n', 0o644)


def install_tools(sandbox):
    """The stand-ins' own copy in DIR, and the commands that run them."""
    source = os.path.dirname(os.path.abspath(__file__))
    if source != sandbox.lib:
        shutil.rmtree(sandbox.lib, ignore_errors=True)
        shutil.copytree(source, sandbox.lib, ignore=shutil.ignore_patterns("__pycache__"))
    packages = getattr(sandbox, "packages", "none")
    for command, module in {**TOOLS, **({c: "apt" for c in apt.COMMANDS} if packages == "apt" else {})}.items():
        box.write_file(sandbox.path(f"/usr/bin/{command}"), f"""#!{sys.executable} -IS
import os, sys
root = os.path.realpath(__file__).rsplit("/", 3)[0]
sys.path.insert(0, root + "/usr/lib/kguard-sandbox")
import launch
launch.run("{module}", root)
""", 0o755)


def start(sandbox):
    for flag in ("containerd", "kubelet"):
        if os.path.exists(sandbox.path(f"/run/{flag}.stopped")):
            os.unlink(sandbox.path(f"/run/{flag}.stopped"))
    box.write_file(sandbox.path("/run/up"), "")
    if not Unit(sandbox, "kubelet").start():
        raise box.Error("kubelet does not start; see var/log/kubelet.log")
    client = Client(sandbox.path("/etc/kubernetes/admin.conf"))
    if not box.until(60, lambda: answers(client), 0.05):
        raise box.Error("the API server does not get ready in 60 s")


def answers(client, path="/readyz"):
    try:
        return client.get(path)[0] == 200
    except Unreachable:
        return False


def wait_ready(sandbox):
    client = Client(sandbox.path("/etc/kubernetes/admin.conf"))
    if not box.until(60, lambda: not cluster.not_ready(client), 0.1):
        raise box.Error("not ready after 60 s: " + ", ".join(cluster.not_ready(client)))


# ---------------------------------------------------------------- down

def ancestors():
    out, pid = set(), os.getpid()
    while pid > 1:
        out.add(pid)
        stat = box.stat_of(pid)
        pid = stat[1] if stat else 0
    return out


def members(sandbox):
    """Identities of every process of this sandbox: by its environment, or by a recorded pid."""
    mark = f"{box.PART}={sandbox.root}".encode()
    found, mine = {}, ancestors()
    for path in glob.glob("/proc/[0-9]*/environ"):
        pid = int(path.split("/")[2])
        try:
            with open(path, "rb") as f:
                if mark in f.read().split(b"\0"):
                    found[pid] = box.identity(pid)
        except OSError:
            continue
    for path in glob.glob(sandbox.path("/run/*.pid.json")) + glob.glob(sandbox.path("/run/cri/containers/*.proc")):
        ident = box.read_json(path)
        for one in (ident, (ident or {}).get("shim")):
            if box.alive(one):
                found[one["pid"]] = {k: one[k] for k in ("pid", "start", "boot")}
    return [ident for pid, ident in found.items() if pid not in mine and box.alive(ident)]


def down(sandbox, delete=False):
    """Kubelet first, so that nothing is started again; then everything else at once; then by force. The number of processes ended."""
    sandbox.marker()
    count = len(members(sandbox))
    Unit(sandbox, "kubelet").stop()
    for sig, seconds in ((signal.SIGTERM, 4), (signal.SIGKILL, 4)):
        for ident in members(sandbox):
            box.send(ident, sig)
        if box.until(seconds, lambda: not members(sandbox), 0.05):
            break
    left = members(sandbox)
    if left:
        raise box.Error("these processes do not end: " + ", ".join(str(i["pid"]) for i in left))
    for name in ("run/up", *(os.path.relpath(p, sandbox.root) for p in glob.glob(sandbox.path("/run/*.pid.json")))):
        if os.path.exists(sandbox.path(name)):
            os.unlink(sandbox.path(name))
    for pattern in ("pods", "containers", "rootfs"):
        shutil.rmtree(sandbox.path(f"/run/cri/{pattern}"))
        os.makedirs(sandbox.path(f"/run/cri/{pattern}"))
    if delete:
        shutil.rmtree(sandbox.root)
    return count


def reset(sandbox):
    """The sandbox as `up` first made it, with the same options."""
    options = sandbox.marker()["options"]
    down(sandbox)
    for name in os.listdir(sandbox.root):
        path = sandbox.path(name)
        if name != box.MARKER:
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    os.unlink(sandbox.path(box.MARKER))
    return up(sandbox, types.SimpleNamespace(**options))


def status(sandbox):
    marker = sandbox.marker()
    client = Client(sandbox.path("/etc/kubernetes/admin.conf"), timeout=3)
    running = os.path.exists(sandbox.path("/run/up"))
    containers = [{"name": c["metadata"]["name"], "id": c["id"][:13], "state": c["state"].removeprefix("CONTAINER_").lower(), "attempt": c["metadata"]["attempt"],
                   "image": c["imageName"], "pid": c["proc"]["pid"] if c["proc"] and not c["exit"] else 0} for c in cri.Runtime(sandbox).containers()]
    problems = ["down"]
    if running:
        try:
            problems = cluster.not_ready(client)
        except Unreachable as error:
            problems = [str(error)]
    return {"root": sandbox.root, "ready": running and not problems, "problems": problems, "node": marker["node"], "node_ip": marker["node_ip"], "server": sandbox.server,
            "ports": marker["ports"], "versions": {t: sandbox.installed(t) for t in ("kubeadm", "kubelet", "kubectl")}, "etcd": f"https://127.0.0.1:{marker['ports']['etcd']}",
            "kubelet": Unit(sandbox, "kubelet").state()[0], "containers": containers, "faults": sandbox.faults(), "processes": len(members(sandbox))}


