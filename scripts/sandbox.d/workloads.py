"""kubelet's part in pods that the API server gives the node: a pod and containers in the runtime, and their status.

Nothing runs behind them: their containers are records only. But they are there for crictl, as on a real node, so that
a tool which waits for every container to end waits for ever here too."""
import box
import cri


def wanted_ready(pod, faults):
    """A pod whose image is broken does not get ready."""
    return not ((pod["metadata"].get("labels") or {}).get("k8s-app") == "kube-dns" and "coredns" in faults)


class Workloads:
    def __init__(self, kubelet, client):
        self.kubelet, self.client, self.runtime = kubelet, client, kubelet.runtime

    def sync(self, pods):
        """`pods`: those of this node in the API that are no mirror pods."""
        have = {p["metadata"]["uid"]: p for p in self.runtime.pods() if p["annotations"].get("kubernetes.io/config.source") == "api"}
        faults = self.kubelet.sandbox.faults()
        for pod in pods:
            ready = wanted_ready(pod, faults)
            sandbox = have.pop(pod["metadata"]["uid"], None)
            ids = self._containers(pod, sandbox, ready)
            status = self._status(pod, ready, ids)
            if status != pod.get("status"):
                path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
                self.client.replace(path, {**pod, "status": status})
        for gone in have.values():
            self.runtime.stop_pod(gone["id"])
            self.runtime.remove_pod(gone["id"])

    def _containers(self, pod, sandbox, ready):
        """The newest record of each container, made where it is missing; name → record."""
        meta = pod["metadata"]
        if sandbox is None or sandbox["state"] != cri.READY:
            if sandbox:
                self.runtime.remove_pod(sandbox["id"])
            sandbox = self.runtime.run_pod(meta["name"], meta["namespace"], meta["uid"], sandbox["metadata"]["attempt"] + 1 if sandbox else 0,
                                           meta.get("labels") or {}, {"kubernetes.io/config.source": "api"})
        records = self.runtime.containers(pod=sandbox["id"])
        out = {}
        for spec in pod["spec"].get("containers") or []:
            mine = [c for c in records if c["metadata"]["name"] == spec["name"]]
            if not mine or (ready and mine[0]["state"] != cri.RUNNING):
                attempt = mine[0]["metadata"]["attempt"] + 1 if mine else 0
                mine = [self.runtime.start_record(sandbox, spec, attempt)]
            if not ready and mine[0]["state"] == cri.RUNNING:
                self.runtime.stop(mine[0]["id"], 0)
            out[spec["name"]] = mine[0]
        return out

    def _status(self, pod, ready, records):
        old = pod.get("status") or {}
        stamp, flag = old.get("startTime") or box.now(), "True" if ready else "False"
        was = {c["type"]: c for c in old.get("conditions") or []}
        conditions = [{"type": kind, "status": value,
                       "lastTransitionTime": was[kind]["lastTransitionTime"] if was.get(kind, {}).get("status") == value else box.now()}
                      for kind, value in (("Initialized", "True"), ("Ready", flag), ("ContainersReady", flag), ("PodScheduled", "True"))]
        containers = [self._container(spec, records[spec["name"]], ready) for spec in pod["spec"].get("containers") or []]
        return {"phase": "Running", "startTime": stamp, "hostIP": self.kubelet.sandbox.marker()["node_ip"], "podIP": "10.244.0.2", "conditions": conditions,
                "containerStatuses": containers}

    @staticmethod
    def _container(spec, record, ready):
        state = {"running": {"startedAt": box.time_of(int(record["createdAt"]))}} if ready else {
            "waiting": {"reason": "CrashLoopBackOff", "message": f"back-off 10s restarting failed container={spec['name']}"}}
        return {"name": spec["name"], "image": spec.get("image", ""), "imageID": record["imageRef"], "containerID": "containerd://" + record["id"], "ready": ready,
                "started": ready, "restartCount": record["metadata"]["attempt"], "state": state}
