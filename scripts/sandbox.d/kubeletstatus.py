"""What kubelet tells the API server: mirror pods and their status, the Node, and the node's Lease."""
import os
import threading
import time
import traceback

import box
import cri
from apiclient import Client, Unreachable
from workloads import Workloads

PODS = "/api/v1/namespaces/{}/pods"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
MIRROR, HASH = "kubernetes.io/config.mirror", "kubernetes.io/config.hash"
PERIOD = 1


class Status(threading.Thread):
    def __init__(self, kubelet):
        super().__init__(daemon=True)
        self.kubelet, self.sandbox = kubelet, kubelet.sandbox
        self.client = Client(self.sandbox.path("/etc/kubernetes/kubelet.conf"), timeout=3)
        self.boot = box.boot_id()
        self.workloads, self.renewed = Workloads(kubelet, self.client), 0.0

    def run(self):
        wait = 0.0
        while True:
            self.kubelet.status_changed.wait(wait)
            self.kubelet.status_changed.clear()
            try:
                self._node()
                self._pods()
                wait = PERIOD
            except Unreachable as error:
                if wait == PERIOD:
                    self.kubelet.say(f"Failed to update node and pods: {error}")
                wait = 0.3
                time.sleep(0.1)
            except Exception:  # noqa: BLE001 - one odd object must not end kubelet's reports
                self.kubelet.say("Failed to update node and pods:\n" + traceback.format_exc())
                wait = PERIOD

    # ------------------------------------------------------------ mirror pods

    def _pods(self):
        listed = self.client.items(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{box.NODE}")
        there = {(p["metadata"]["namespace"], p["metadata"]["name"]): p for p in listed if MIRROR in (p["metadata"].get("annotations") or {})}
        wanted, stuck = set(), "mirror-stuck" in self.sandbox.faults()
        for worker in self.kubelet.running_pods():
            meta = worker.pod["metadata"]
            name = (meta["namespace"], meta["name"])
            if self.kubelet.turn(worker):
                wanted.add(name)
                if not stuck:
                    self._mirror(worker, there.get(name))
        waiting = {w.full_name for w in list(self.kubelet.workers.values()) if w.wanted}
        for namespace, name in there.keys() - wanted:
            if f"{namespace}/{name}" not in waiting:
                self.client.delete(f"{PODS.format(namespace)}/{name}")
        self.workloads.sync([p for p in listed if MIRROR not in (p["metadata"].get("annotations") or {})])

    def _mirror(self, worker, mirror):
        meta = worker.pod["metadata"]
        path = PODS.format(meta["namespace"])
        if mirror and mirror["metadata"]["annotations"].get(MIRROR) != worker.uid:
            self.client.delete(f"{path}/{meta['name']}")
            mirror = None
        if mirror is None:
            status, mirror = self.client.create(path, self._mirror_pod(worker))
            if status != 201:
                self.kubelet.say(f"Failed creating a mirror pod for {worker.full_name}: {mirror.get('message') if isinstance(mirror, dict) else mirror}")
                return
        status = self._pod_status(worker, mirror)
        if mirror.get("status") != status:
            self.client.replace(f"{path}/{meta['name']}/status", {**mirror, "status": status})

    def _mirror_pod(self, worker):
        node = self.client.read(f"{NODES}/{box.NODE}") or {"metadata": {"uid": ""}}
        meta = worker.pod["metadata"]
        return {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": meta["name"], "namespace": meta["namespace"], "labels": meta.get("labels") or {},
                             "annotations": {**meta["annotations"], MIRROR: worker.uid},
                             "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": box.NODE, "uid": node["metadata"]["uid"], "controller": True}]},
                "spec": {**worker.pod["spec"], "nodeName": box.NODE, "restartPolicy": "Always"}}

    def _pod_status(self, worker, mirror):
        _, sandbox, states = worker.snapshot
        images = self.kubelet.runtime.images()
        specs = {c["name"]: c for c in worker.pod["spec"]["containers"]}
        containers = [self._container(specs[name], *state, images) for name, state in states.items()]
        ready = all(c["ready"] for c in containers)
        started = any("containerID" in c for c in containers)
        flag = "True" if ready else "False"
        old = {c["type"]: c for c in (mirror.get("status") or {}).get("conditions", [])}
        conditions = [{"type": kind, "status": value,
                       "lastTransitionTime": old[kind]["lastTransitionTime"] if old.get(kind, {}).get("status") == value else box.now()}
                      for kind, value in (("Initialized", "True"), ("Ready", flag), ("ContainersReady", flag), ("PodScheduled", "True"))]
        ip = self.sandbox.marker()["node_ip"]
        return {"phase": "Running" if started else "Pending", "conditions": conditions, "hostIP": ip, "podIP": ip, "podIPs": [{"ip": ip}],
                "startTime": box.time_of(int(sandbox["createdAt"])), "containerStatuses": containers, "qosClass": "Burstable"}

    @staticmethod
    def _container(spec, records, ready, started, waiting, images):
        image = images.get(spec["image"], {"id": ""})
        name = spec["image"].rpartition(":")[0]
        out = {"name": spec["name"], "image": spec["image"], "imageID": f"{name}@{image['id']}" if image["id"] else "", "ready": False,
               "restartCount": records[0]["metadata"]["attempt"] if records else 0, "started": False, "lastState": {}}
        if records:
            out["containerID"] = "containerd://" + records[0]["id"]
        ends = [_terminated(r) for r in records if r["state"] == cri.EXITED]
        if waiting:
            out["state"] = {"waiting": {k: waiting[k] for k in ("reason", "message")}}
        elif records and records[0]["state"] == cri.RUNNING:
            out.update(state={"running": {"startedAt": box.time_of(records[0]["proc"]["startedAt"])}}, ready=ready, started=started)
        elif ends:
            out["state"] = {"terminated": ends.pop(0)}
        else:
            out["state"] = {"waiting": {"reason": "ContainerCreating"}}
        if ends:
            out["lastState"] = {"terminated": ends[0]}
        return out

    # ------------------------------------------------------------ node and lease

    def _node(self):
        self._lease()
        node = self.client.read(f"{NODES}/{box.NODE}")
        if node is None:
            _, node = self.client.create(NODES, self._new_node())
        status = self._node_status(node.get("status") or {})
        if node.get("status") != status:
            self.client.replace(f"{NODES}/{box.NODE}/status", {**node, "status": status})

    @staticmethod
    def _new_node():
        labels = {"beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": box.NODE,
                  "kubernetes.io/os": "linux", "node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
        return {"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": box.NODE, "labels": labels,
                             "annotations": {"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock"}},
                "spec": {"podCIDR": "10.244.0.0/24", "taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}}

    def _node_status(self, old):
        version = self.sandbox.installed("kubelet")
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
        was = next((c for c in old.get("conditions", []) if c["type"] == "Ready"), {})
        ready["lastTransitionTime"] = was.get("lastTransitionTime") if was.get("status") == "True" else box.now()
        conditions = [ready] + [{"type": t, "status": "False", "lastTransitionTime": box_time(old, t)} for t in ("MemoryPressure", "DiskPressure", "PIDPressure")]
        ip = self.sandbox.marker()["node_ip"]
        capacity = {"cpu": "2", "memory": "4Gi", "pods": "110", "ephemeral-storage": "50Gi"}
        return {"addresses": [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": box.NODE}], "capacity": capacity, "allocatable": capacity,
                "conditions": conditions, "nodeInfo": {
                    "kubeletVersion": version, "kubeProxyVersion": version, "containerRuntimeVersion": "containerd://1.6.20", "osImage": "sandbox",
                    "kernelVersion": os.uname().release, "operatingSystem": "linux", "architecture": "amd64", "bootID": self.boot, "machineID": "", "systemUUID": ""}}

    def _lease(self):
        if time.monotonic() - self.renewed < 2:
            return
        lease = self.client.read(f"{LEASES}/{box.NODE}")
        spec = {"holderIdentity": box.NODE, "leaseDurationSeconds": 40, "renewTime": box.micro_time()}
        if lease is None:
            self.client.create(LEASES, {"metadata": {"name": box.NODE}, "spec": spec})
        else:
            self.client.replace(f"{LEASES}/{box.NODE}", {**lease, "spec": spec})
        self.renewed = time.monotonic()


def box_time(old, kind):
    """When a condition last changed, as the API has it, or now."""
    return next((c["lastTransitionTime"] for c in old.get("conditions", []) if c["type"] == kind), None) or box.now()


def _terminated(record):
    code = record["exit"]["exitCode"]
    return {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "containerID": "containerd://" + record["id"],
            "startedAt": box.time_of((record["proc"] or {}).get("startedAt", int(record["createdAt"]))), "finishedAt": box.time_of(record["exit"]["finishedAt"])}
