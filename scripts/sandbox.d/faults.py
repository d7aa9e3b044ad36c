"""The faults: how each is given and taken back. They concern the target: the version of the installed kubeadm, or what apt offers."""
import box
import cri
import manifests
from apiclient import Client, Unreachable
from cluster import condition
from systemctl import Unit

FAULTS = {
    "apply-early": "kubeadm upgrade apply exits 1 before it changes anything",
    "apply-late": "the control plane is upgraded, then apply exits 1 in the addons",
    "apply-hang": "silent hang after 'Applied essential addon: CoreDNS'; SIGTERM ends it (143)",
    "apply-killed": "kubeadm is killed (SIGKILL) with the API server's manifest new, the controller-manager's old",
    "apiserver-image": "the target kube-apiserver exits 1: apply waits, rolls its manifest back, exits 1",
    "kcm-image": "the target kube-controller-manager exits 1: apply says SUCCESS and exits 0",
    "scheduler-image": "the target kube-scheduler exits 1: apply says SUCCESS and exits 0",
    "missing-image": "the target kube-apiserver image is absent: apply exits 2 at once",
    "coredns": "CoreDNS is not ready, 0 of 2: apply hangs as with apply-hang",
    "node-notready": "kubelet stopped, the node is NotReady: apply exits 1 at once",
    "api-never-ready": "the target kube-apiserver runs and answers, but its /readyz stays 500: apply says SUCCESS and exits 0",
    "etcd-corrupt": "etcd's db is damaged and etcd killed when apply reaches the API server: apply waits, rolls its manifest back, exits 1",
    "mirror-stuck": "kubelet runs all pods but never updates their mirror pods: apply waits, rolls its manifest back, exits 1",
    "old-packages": "apt offers the target's packages only: those of the cluster's version are gone from the repository",
    "repository": "the repository answers 503: apt has only what lies in its cache",
    "dpkg-lock": "another process holds dpkg's lock: dpkg -i fails",
    "slow-apply": "apply takes --for seconds more after the API server, one line a second",
}
IMAGES = {"apiserver-image": ("kube-apiserver", "broken"), "kcm-image": ("kube-controller-manager", "broken"),
          "scheduler-image": ("kube-scheduler", "broken"), "api-never-ready": ("kube-apiserver", "never-ready")}


def check(name):
    if name not in FAULTS:
        raise box.Error(f"there is no fault {name}. There are: {', '.join(FAULTS)}")


def break_it(sandbox, name, seconds):
    check(name)
    entry, runtime = {"since": box.now()}, cri.Runtime(sandbox)
    if name in IMAGES:
        component, mode = IMAGES[name]
        entry["image"] = manifests.image(component, sandbox.target(), "")
        runtime.add_image(entry["image"], mode)
    elif name == "missing-image":
        entry["image"] = manifests.image("kube-apiserver", sandbox.target(), "")
        runtime.remove_image(entry["image"])
    elif name == "slow-apply":
        try:
            entry["seconds"] = float(str(seconds).removesuffix("s"))
        except ValueError:
            raise box.Error(f"--for {seconds}: not a number of seconds") from None
    sandbox.set_faults({**sandbox.faults(), name: entry})
    if name == "node-notready":
        Unit(sandbox, "kubelet").stop()
        wait_node(sandbox, "Unknown")
    if name == "coredns":
        wait_coredns(sandbox, 0)
    return f"{name}: {FAULTS[name]}"


def mend(sandbox, name=None):
    if name:
        check(name)
    given = sandbox.faults()
    names = [name] if name else list(given)
    if name and name not in given:
        raise box.Error(f"the sandbox does not have the fault {name}; it has: {', '.join(given) or 'none'}")
    sandbox.set_faults({n: e for n, e in given.items() if n not in names})
    runtime = cri.Runtime(sandbox)
    for one in names:
        if one in IMAGES:
            runtime.add_image(given[one]["image"])
        if one == "api-never-ready":
            for container in runtime.containers():
                if container["imageName"] == given[one]["image"]:
                    runtime.stop(container["id"], 5)
        if one == "node-notready":
            Unit(sandbox, "kubelet").start()
            wait_node(sandbox, "True")
        if one == "coredns":
            wait_coredns(sandbox, 2)
    done = "mended: " + (", ".join(names) or "there was nothing to mend")
    return done + (". What it damaged stays damaged: restore a snapshot, or: sandbox reset" if "etcd-corrupt" in names else "")


def wait_node(sandbox, wanted):
    client = Client(sandbox.path("/etc/kubernetes/admin.conf"))

    def now():
        try:
            return condition(client.read(f"/api/v1/nodes/{box.NODE}") or {}, "Ready") == wanted
        except Unreachable:
            return False
    if not box.until(30, now, 0.2):
        raise box.Error(f"the node's condition Ready did not become {wanted} in 30 s; see: sandbox status {sandbox.root}")


def wait_coredns(sandbox, wanted):
    client = Client(sandbox.path("/etc/kubernetes/admin.conf"))

    def now():
        try:
            found = client.read("/apis/apps/v1/namespaces/kube-system/deployments/coredns") or {}
            return (found.get("status") or {}).get("readyReplicas") == wanted
        except Unreachable:
            return False
    if not box.until(20, now, 0.2):
        raise box.Error(f"CoreDNS did not get to {wanted} ready pods in 20 s; see: sandbox status {sandbox.root}")
