"""One static pod of kubelet's: starts its containers, restarts them with backoff, probes them, and ends them."""
import threading
import time
import traceback

import box
import cri
from probes import Health


class PodWorker(threading.Thread):
    """Lives from the manifest's appearance (or a pod left behind) until the pod's last container is gone."""

    def __init__(self, kubelet, uid, full_name, pod):
        super().__init__(daemon=True)
        self.kubelet, self.uid, self.full_name, self.pod = kubelet, uid, full_name, pod
        self.runtime, self.settings = kubelet.runtime, kubelet.settings
        self.wanted, self.wake = pod is not None, threading.Event()
        self.sandbox, self.health, self.waiting = None, {}, {}
        self.backoff = {}  # container → the record that ended, when the next may start, the delay after that
        self.retry = {}    # container → when a start that failed is tried again
        self.snapshot = None  # what the status says: (sandbox, {container: (newest record, previous record)})

    def run(self):
        while True:
            try:
                if not self.wanted:
                    self._end()
                    return
                if self.kubelet.turn(self):
                    self._sync()
            except (box.Error, OSError) as error:
                self.kubelet.say(f"Error syncing pod {self.full_name}: {error}")
            except Exception:  # noqa: BLE001 - a pod that fails must not be given up
                self.kubelet.say(f"Error syncing pod {self.full_name}:\n{traceback.format_exc()}")
            self.wake.wait(0.5)
            self.wake.clear()

    def drop(self):
        self.wanted = False
        self.wake.set()

    # ------------------------------------------------------------ the pod as it should be

    def _sync(self):
        self._ensure_sandbox()
        records = self.runtime.containers(pod=self.sandbox["id"])
        for spec in self.pod["spec"]["containers"]:
            mine = [c for c in records if c["metadata"]["name"] == spec["name"]]
            self._sync_container(spec, mine)
            if not self.wanted:
                return
        self._publish()

    def _ensure_sandbox(self):
        pods = [p for p in self.runtime.pods() if p["metadata"]["uid"] == self.uid]
        ready = [p for p in pods if p["state"] == cri.READY]
        if ready:
            self.sandbox = ready[0]
            return
        meta = self.pod["metadata"]
        cri.make_hostpaths(self.kubelet.sandbox, self.pod["spec"])
        attempt = pods[0]["metadata"]["attempt"] + 1 if pods else 0
        self.sandbox = self.runtime.run_pod(meta["name"], meta["namespace"], self.uid, attempt, meta.get("labels") or {}, meta["annotations"])
        for old in pods:
            self.runtime.remove_pod(old["id"])

    def _sync_container(self, spec, records):
        name, newest = spec["name"], records[0] if records else None
        if newest and newest["state"] == cri.RUNNING:
            health = self.health.get(newest["id"])
            if not health:
                health = self.health[newest["id"]] = Health(spec, self.settings["probe_period"])
            self.waiting.pop(name, None)
            if not health.check():
                self.kubelet.say(f"Container {name} of {self.full_name} failed its probe, will be restarted")
                self.runtime.stop(newest["id"], self._grace())
            return
        if newest and newest["state"] == cri.CREATED and time.time_ns() - int(newest["createdAt"]) < 10**10:
            return
        if self._held_back(name, newest):
            return
        self._start(spec, records)

    def _held_back(self, name, newest):
        """The first restart is at once, the next ones after 1, 2, 4… seconds."""
        now = time.monotonic()
        if newest is None or now < self.retry.get(name, 0):
            return now < self.retry.get(name, 0)
        entry = self.backoff.get(name)
        if not entry or entry["of"] != newest["id"]:
            delay = entry["next"] if entry and not self._ran_long(newest) else 0
            longest = self.settings["backoff_max"]
            entry = self.backoff[name] = {"of": newest["id"], "until": now + delay, "next": min(2 * delay or 1, longest)}
            if delay:
                message = f"back-off {delay}s restarting failed container={name} pod={self.full_name}"
                self.waiting[name] = {"reason": "CrashLoopBackOff", "message": message}
                self.kubelet.say(message)
        return now < entry["until"]

    def _ran_long(self, record):
        started = (record["proc"] or {}).get("startedAt", int(record["createdAt"]))
        return bool(record["exit"]) and record["exit"]["finishedAt"] - started > 2e9 * self.settings["backoff_max"]

    def _start(self, spec, records):
        name = spec["name"]
        attempt = records[0]["metadata"]["attempt"] + 1 if records else 0
        notes = {"io.kubernetes.container.hash": self.uid[:8], "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
                 "io.kubernetes.pod.terminationGracePeriod": str(self._grace())}
        try:
            volumes = cri.hostpath_volumes(self.pod["spec"], spec)
            record = self.runtime.start(self.sandbox, spec, volumes, attempt, notes)
        except box.Error as error:
            reason = "ErrImagePull" if isinstance(error, cri.Missing) else "CreateContainerError"
            self.waiting[name] = {"reason": reason, "message": str(error)}
            self.retry[name] = time.monotonic() + 2
            self.kubelet.say(f"Failed to start container {name} of {self.full_name}: {error}")
            return
        self.waiting.pop(name, None)
        self.kubelet.say(f"Started container {name} of {self.full_name}, attempt {attempt}, id {record['id'][:13]}")
        for old in records[1:]:
            self.runtime.remove(old["id"])

    def _grace(self):
        return self.pod["spec"].get("terminationGracePeriodSeconds", self.settings["stop_grace"]) if self.pod else self.settings["stop_grace"]

    # ------------------------------------------------------------ its end

    def _end(self):
        for pod in self.runtime.pods():
            if pod["metadata"]["uid"] != self.uid:
                continue
            for container in self.runtime.containers(pod=pod["id"]):
                if container["state"] == cri.RUNNING:
                    self.kubelet.say(f"Killing container {container['metadata']['name']} of {self.full_name}, id {container['id'][:13]}")
                    self.runtime.stop(container["id"], self._grace())
            self.runtime.stop_pod(pod["id"])
            self.runtime.remove_pod(pod["id"])
        self.kubelet.ended(self)

    # ------------------------------------------------------------ its status

    def _publish(self):
        state = {}
        for spec in self.pod["spec"]["containers"]:
            mine = [c for c in self.runtime.containers(pod=self.sandbox["id"]) if c["metadata"]["name"] == spec["name"]]
            health = self.health.get(mine[0]["id"]) if mine else None
            state[spec["name"]] = (mine[:2], bool(health and health.ready), bool(health and health.started), self.waiting.get(spec["name"]))
        facts = repr([(n, [(c["id"], c["state"]) for c in m], r, s, w) for n, (m, r, s, w) in state.items()])
        if self.snapshot is None or self.snapshot[0] != facts:
            self.snapshot = (facts, self.sandbox, state)
            self.kubelet.status_changed.set()
