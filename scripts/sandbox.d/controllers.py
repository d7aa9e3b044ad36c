"""Stand-in for kube-controller-manager: holds its lease, makes the pods of workloads and says that they are ready.

Pods are kubelet's; what it says of them makes a workload ready."""
import hashlib
import json
import os
import time

import box
import leader
from box import now

APPS = "/apis/apps/v1"


def owner(obj, kind, version="apps/v1"):
    meta = obj["metadata"]
    return {"apiVersion": version, "kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True, "blockOwnerDeletion": True}


def template_hash(workload):
    return hashlib.sha256(json.dumps(workload["spec"]["template"], sort_keys=True).encode()).hexdigest()[:10]


def pod_of(workload, kind, owner_ref, name, extra_labels):
    template = workload["spec"]["template"]
    labels = {**(template.get("metadata", {}).get("labels") or {}), **extra_labels}
    return {"metadata": {"name": name, "labels": labels, "ownerReferences": [owner_ref]},
            "spec": {**template["spec"], **({"nodeName": box.NODE} if kind == "DaemonSet" else {})}}


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


class Controllers:
    def __init__(self, sandbox):
        self.sandbox, self.node_seen, self.node_seen_at, self.node_looked = sandbox, None, time.monotonic(), time.monotonic()

    def work(self, client):
        self.client, self.changed = client, False
        self.pods = client.items("/api/v1/pods")
        owners = self._owners()
        for pod in self.pods:
            self._collect(pod, owners)
        for kind, workloads in self.workloads.items():
            for workload in workloads:
                (self._daemonset if kind == "DaemonSet" else self._replicated)(workload, kind)
        self._budgets()
        self._node()
        return self.changed

    def _budgets(self):
        for budget in self.client.items("/apis/policy/v1/poddisruptionbudgets"):
            meta, spec = budget["metadata"], budget["spec"]
            wanted = (spec.get("selector") or {}).get("matchLabels") or {}
            pods = [p for p in self.pods if p["metadata"]["namespace"] == meta["namespace"] and wanted.items() <= (p["metadata"].get("labels") or {}).items()]
            healthy = sum(map(is_ready, pods))
            floor = spec["minAvailable"] if isinstance(spec.get("minAvailable"), int) else len(pods) - int(spec.get("maxUnavailable", 0))
            status = {"currentHealthy": healthy, "desiredHealthy": floor, "expectedPods": len(pods), "disruptionsAllowed": max(0, healthy - floor),
                      "observedGeneration": meta.get("generation", 1)}
            if budget.get("status") != status:
                self.client.replace(f"/apis/policy/v1/namespaces/{meta['namespace']}/poddisruptionbudgets/{meta['name']}/status", {**budget, "status": status})

    def _owners(self):
        """uids of the workloads that may own pods."""
        self.workloads = {kind: self.client.items(f"{APPS}/{kind.lower()}s") for kind in ("Deployment", "DaemonSet", "StatefulSet")}
        self.replicasets = self.client.items(APPS + "/replicasets")
        deployments = {d["metadata"]["uid"] for d in self.workloads["Deployment"]}
        for one in list(self.replicasets):
            owner_refs = one["metadata"].get("ownerReferences") or []
            if any(o["kind"] == "Deployment" and o["uid"] not in deployments for o in owner_refs):
                self.client.delete(f"{APPS}/namespaces/{one['metadata']['namespace']}/replicasets/{one['metadata']['name']}")
                self.replicasets.remove(one)
        return {w["metadata"]["uid"] for ws in (*self.workloads.values(), self.replicasets) for w in ws}

    def _collect(self, pod, owners):
        refs = pod["metadata"].get("ownerReferences") or []
        if any(o["kind"] in ("ReplicaSet", "DaemonSet", "StatefulSet") and o["uid"] not in owners for o in refs):
            self._delete_pod(pod)

    def _path(self, pod):
        return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"

    def _delete_pod(self, pod):
        self.client.delete(self._path(pod))
        self.pods = [p for p in self.pods if p is not pod]

    def _mine(self, ref):
        return [p for p in self.pods if any(o["uid"] == ref["uid"] for o in p["metadata"].get("ownerReferences") or [])]

    def _make(self, workload, kind, ref, name, labels):
        namespace, self.changed = workload["metadata"]["namespace"], True
        self.client.create(f"/api/v1/namespaces/{namespace}/pods", pod_of(workload, kind, ref, name, labels))

    def _replicated(self, workload, kind):
        meta, replicas = workload["metadata"], workload["spec"].get("replicas", 1)
        revision = template_hash(workload)
        if kind == "Deployment":
            current = self._replicaset(workload, revision, replicas)
            if current is None:
                return
            ref, labels, base = owner(current, "ReplicaSet"), {"pod-template-hash": revision}, f"{meta['name']}-{revision}"
            self._scale_down_others(workload, current)
        else:
            ref, labels, base = owner(workload, kind), {"controller-revision-hash": revision}, meta["name"]
        pods = self._mine(ref)
        for index in range(len(pods), replicas):
            self._make(workload, kind, ref, f"{base}-{index if kind == 'StatefulSet' else os.urandom(3).hex()[:5]}", labels)
        for pod in pods[replicas:]:
            self._delete_pod(pod)
        ready = sum(map(is_ready, pods))
        available = "True" if ready >= replicas else "False"
        condition = {"type": "Available", "status": available, "reason": "MinimumReplicasAvailable" if available == "True" else "MinimumReplicasUnavailable"}
        status = {"observedGeneration": meta.get("generation", 1), "replicas": len(pods), "readyReplicas": ready, "updatedReplicas": len(pods),
                  "availableReplicas": ready, "unavailableReplicas": max(0, replicas - ready), "conditions": [condition]}
        self._set_status(workload, kind, status)

    def _replicaset(self, deployment, revision, replicas):
        meta = deployment["metadata"]
        name = f"{meta['name']}-{revision}"
        for one in self.replicasets:
            if (one["metadata"]["namespace"], one["metadata"]["name"]) == (meta["namespace"], name):
                return one
        labels = {**(deployment["spec"]["template"].get("metadata", {}).get("labels") or {}), "pod-template-hash": revision}
        status, made = self.client.create(f"{APPS}/namespaces/{meta['namespace']}/replicasets", {
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner(deployment, "Deployment")]},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": deployment["spec"]["template"]}})
        return made if status == 201 else None

    def _scale_down_others(self, deployment, current):
        for one in self.replicasets:
            mine = any(o["uid"] == deployment["metadata"]["uid"] for o in one["metadata"].get("ownerReferences") or [])
            if mine and one["metadata"]["uid"] != current["metadata"]["uid"]:
                for pod in self._mine(owner(one, "ReplicaSet")):
                    self._delete_pod(pod)

    def _daemonset(self, workload, kind):
        meta, ref, revision = workload["metadata"], owner(workload, kind), template_hash(workload)
        pods = self._mine(ref)
        for pod in pods:
            if pod["metadata"]["labels"].get("controller-revision-hash") != revision:
                self._delete_pod(pod)
        pods = self._mine(ref)
        if not pods:
            self._make(workload, kind, ref, f"{meta['name']}-{os.urandom(3).hex()[:5]}", {"controller-revision-hash": revision})
        ready = sum(map(is_ready, pods))
        self._set_status(workload, kind, {"observedGeneration": meta.get("generation", 1), "currentNumberScheduled": len(pods), "desiredNumberScheduled": 1,
                                          "numberReady": ready, "numberAvailable": ready, "updatedNumberScheduled": len(pods), "numberMisscheduled": 0})

    def _set_status(self, workload, kind, status):
        if workload.get("status") == status:
            return
        meta, self.changed = workload["metadata"], True
        self.client.replace(f"{APPS}/namespaces/{meta['namespace']}/{kind.lower()}s/{meta['name']}/status", {**workload, "status": status})

    def _node(self):
        """A node whose lease is not renewed is not ready. Time without an API server does not count: kubelet could not renew it either."""
        lease = self.client.read(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{box.NODE}")
        renewed = lease and lease["spec"].get("renewTime")
        before, self.node_looked = self.node_looked, time.monotonic()
        if renewed != self.node_seen or self.node_looked - before > 2 * leader.RENEW:
            self.node_seen, self.node_seen_at = renewed, self.node_looked
        if time.monotonic() - self.node_seen_at < self.sandbox.setting("node_grace"):
            return
        node = self.client.read(f"/api/v1/nodes/{box.NODE}")
        ready = next((c for c in (node or {}).get("status", {}).get("conditions", []) if c["type"] == "Ready"), None)
        if ready and ready["status"] == "True":
            ready.update(status="Unknown", reason="NodeStatusUnknown", message="Kubelet stopped posting node status.",
                         lastTransitionTime=now())
            self.client.replace(f"/api/v1/nodes/{box.NODE}/status", node)


def main(sandbox, args):
    leader.run(sandbox, args, "kube-controller-manager", Controllers(sandbox).work)
