"""Stand-in for kubelet: runs the static pods of the manifests directory and tells the API server about them.

Like the real one it reads EVERY regular file there whose name does not start with a dot, whatever its suffix; a pod
whose file is gone or changed is ended before the next of the same name starts; containers go on when kubelet ends,
and a new kubelet adopts them."""
import fcntl
import hashlib
import json
import os
import signal
import stat
import sys
import threading

import box
import cri
import yamlreader
from kubeletstatus import Status
from podworker import PodWorker

MANIFESTS = "/etc/kubernetes/manifests"


def pod_uid(pod, path):
    """kubelet's config hash: of the pod as parsed and of its file's name, so that a comment changes nothing."""
    digest = hashlib.md5(json.dumps(pod, sort_keys=True).encode(), usedforsecurity=False)
    digest.update(f"host:{box.NODE}file:{path}".encode())
    return digest.hexdigest()


def read_pod(text, path):
    """A manifest as kubelet takes it: named after the node, annotated with its hash."""
    pod = yamlreader.load(text)
    if not isinstance(pod, dict) or pod.get("kind") != "Pod" or not (pod.get("spec") or {}).get("containers"):
        raise ValueError("not a Pod with containers")
    for container in pod["spec"]["containers"]:
        if not container.get("name") or not container.get("command") or not container.get("image"):
            raise ValueError("a container without name, image or command")
    uid = pod_uid(pod, path)
    meta = pod["metadata"]
    meta["name"] = f"{meta['name']}-{box.NODE}"
    meta.setdefault("namespace", "default")
    meta["annotations"] = {**(meta.get("annotations") or {}), "kubernetes.io/config.hash": uid,
                           "kubernetes.io/config.seen": box.micro_time(), "kubernetes.io/config.source": "file"}
    return uid, pod


class Kubelet:
    def __init__(self, sandbox):
        self.sandbox, self.runtime, self.settings = sandbox, cri.Runtime(sandbox), sandbox.settings()
        self.files = {}       # path → (what stat says, uid, pod)
        self.workers = {}     # uid → worker
        self.turns = {}       # full name → uids; the first one runs, the others wait for its end
        self.lock, self.status_changed, self.stopping = threading.RLock(), threading.Event(), threading.Event()

    def say(self, text):
        print(f"{box.micro_time()} {text}", flush=True)

    # ------------------------------------------------------------ the manifests directory

    def scan(self):
        """uid → pod of every readable manifest."""
        found, directory = {}, self.sandbox.path(MANIFESTS)
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            names = []
        for name in names:
            path = f"{directory}/{name}"
            try:
                info = os.stat(path)
            except OSError:
                continue
            if name.startswith(".") or not stat.S_ISREG(info.st_mode):
                continue
            found[path] = self._file(path, f"{MANIFESTS}/{name}", (info.st_mtime_ns, info.st_size, info.st_ino))
        self.files = found
        return {entry[1]: entry[2] for entry in found.values() if entry[1]}

    def _file(self, path, host_path, mark):
        known = self.files.get(path)
        if known and known[0] == mark:
            return known
        try:
            with open(path, encoding="utf-8") as f:
                uid, pod = read_pod(f.read(), host_path)
            return mark, uid, pod
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.say(f"Could not process manifest file {host_path}: {error}")
            return mark, None, None

    def tick(self):
        wanted = self.scan()
        with self.lock:
            for uid, worker in list(self.workers.items()):
                if worker.wanted and uid not in wanted:
                    self.say(f"SyncLoop REMOVE {worker.full_name} {uid}")
                    worker.drop()
            for uid, pod in wanted.items():
                if uid not in self.workers:
                    full_name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                    self.say(f"SyncLoop ADD {full_name} {uid}")
                    self._add(uid, full_name, pod)

    def _add(self, uid, full_name, pod):
        worker = self.workers[uid] = PodWorker(self, uid, full_name, pod)
        self.turns.setdefault(full_name, []).append(uid)
        worker.start()

    def adopt(self):
        """Pods that an earlier kubelet left: those still wanted come first in their queue, the others are ended."""
        wanted = self.scan()
        for pod in self.runtime.pods():
            meta = pod["metadata"]
            if meta["uid"] not in self.workers and pod["annotations"].get("kubernetes.io/config.source") == "file":
                self._add(meta["uid"], f"{meta['namespace']}/{meta['name']}", wanted.get(meta["uid"]))

    def turn(self, worker):
        with self.lock:
            return self.turns[worker.full_name][0] == worker.uid

    def ended(self, worker):
        with self.lock:
            self.turns[worker.full_name].remove(worker.uid)
            del self.workers[worker.uid]
            for uid in self.turns[worker.full_name]:
                self.workers[uid].wake.set()
        self.status_changed.set()

    def running_pods(self):
        """Workers whose pod is wanted and has a state."""
        with self.lock:
            return [w for w in self.workers.values() if w.wanted and w.snapshot]

    # ------------------------------------------------------------ its life

    def run(self):
        signal.signal(signal.SIGTERM, lambda *_: self.stopping.set())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.say(f"Kubelet version {self.sandbox.installed('kubelet')}")
        self.adopt()
        Status(self).start()
        while not self.stopping.wait(0.3):
            self.tick()
            _reap()
        self.say("Kubelet stops; its containers go on")


def _reap():
    """Shims that ended while this kubelet was their parent."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main(sandbox, args):
    if "--version" in args or "--version=true" in args:
        print(f"Kubernetes {sandbox.installed('kubelet')}")
        return 0
    if not args:
        raise box.Error("the sandbox's kubelet is started by its unit; use: systemctl start kubelet")
    box.name_process("kubelet")
    lock = os.open(sandbox.path("/run/kubelet.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("another kubelet of this sandbox runs")
    sandbox.register("kubelet")
    Kubelet(sandbox).run()
    sandbox.forget("kubelet")
    os._exit(0)
