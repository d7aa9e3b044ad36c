"""kubelet's unit: starts DIR/usr/bin/kubelet, and starts it again after a moment when it ends (Restart=always)."""
import os
import shlex
import signal
import subprocess
import threading
import time

import box


def arguments(sandbox):
    """The command line that kubeadm's drop-in makes, with KUBELET_KUBEADM_ARGS of kubeadm-flags.env."""
    argv = [sandbox.path("/usr/bin/kubelet"), "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
            "--kubeconfig=/etc/kubernetes/kubelet.conf", "--config=/var/lib/kubelet/config.yaml"]
    try:
        with open(sandbox.path("/var/lib/kubelet/kubeadm-flags.env"), encoding="utf-8") as f:
            for line in f:
                name, _, value = line.strip().partition("=")
                if name == "KUBELET_KUBEADM_ARGS":
                    argv += shlex.split("".join(shlex.split(value)))
    except OSError:
        pass
    return argv


def main(sandbox, args):
    box.name_process("kubelet-unit")
    sandbox.register("kubelet-unit")
    stopping, child = threading.Event(), None

    def stop(*_):
        stopping.set()
        if child and child.poll() is None:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    while not stopping.is_set():
        child = subprocess.Popen(arguments(sandbox), env=sandbox.child_env(), cwd="/")
        if stopping.is_set():
            child.terminate()
        code = child.wait()
        print(f"{box.micro_time()} kubelet ended with {code}", flush=True)
        end = time.monotonic() + sandbox.setting("kubelet_restart")
        while not stopping.is_set() and time.monotonic() < end:
            stopping.wait(0.2)
    sandbox.forget("kubelet")
    sandbox.forget("kubelet-unit")
    os._exit(0)
