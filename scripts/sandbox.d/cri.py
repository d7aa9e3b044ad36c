"""The container runtime: images, pod sandboxes and containers as durable files under DIR/run/cri.

There are no real containers: a container is a process of the host. It runs with exactly the manifest's command and
flags, except that absolute paths below a declared hostPath volume are relocated under DIR, and every other absolute
path into a directory of the container's own, since a real container would not see the host's either."""
import glob
import hashlib
import os
import re
import shutil
import signal
import sys
import time

import box

PROGRAMS = {"kube-apiserver": "apiserver", "kube-controller-manager": "controllers", "kube-scheduler": "scheduler"}
RUNNING, EXITED, CREATED = "CONTAINER_RUNNING", "CONTAINER_EXITED", "CONTAINER_CREATED"
READY, NOTREADY = "SANDBOX_READY", "SANDBOX_NOTREADY"


class Missing(box.Error):
    """An image, pod or container that is not there."""


class Runtime:
    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.dir = sandbox.path("/run/cri")
        self.images_file = sandbox.path("/var/lib/containerd/images.json")

    def check_running(self):
        if os.path.exists(self.sandbox.path("/run/containerd.stopped")):
            raise box.Error("connect: connect endpoint 'unix:///run/containerd/containerd.sock', make sure you are running as root "
                            "and the endpoint has been started: context deadline exceeded")

    # ------------------------------------------------------------ images

    def images(self):
        return box.read_json(self.images_file, {})

    def add_image(self, ref, mode=""):
        """`mode` says what is wrong with it: "" (nothing), "broken" (exits 1), "never-ready"."""
        digest = "sha256:" + _hash(ref + mode)
        box.write_json(self.images_file, {**self.images(), ref: {"id": digest, "size": 30000000 + len(ref) * 1000, "mode": mode}})

    def remove_image(self, ref):
        images = self.images()
        if images.pop(ref, None):
            box.write_json(self.images_file, images)

    def pull(self, ref):
        if ref in self.images():
            return self.images()[ref]
        if not ref.startswith(box.REGISTRY + "/") or ref == self.sandbox.faults().get("missing-image", {}).get("image"):
            raise Missing(f'rpc error: code = NotFound desc = failed to pull and unpack image "{ref}": failed to resolve '
                          f'reference "{ref}": {ref}: not found')
        self.add_image(ref)
        return self.images()[ref]

    # ------------------------------------------------------------ pod sandboxes

    def _pod_file(self, pod_id):
        return f"{self.dir}/pods/{pod_id}.json"

    def pods(self):
        found = (box.read_json(p) for p in glob.glob(self.dir + "/pods/*.json"))
        return sorted((p for p in found if p), key=lambda p: -int(p["createdAt"]))

    def pod(self, pod_id):
        matches = [p for p in self.pods() if p["id"].startswith(pod_id)]
        if len(matches) != 1:
            raise Missing(f'rpc error: code = NotFound desc = an error occurred when try to find sandbox "{pod_id}": not found')
        return matches[0]

    def run_pod(self, name, namespace, uid, attempt, labels, annotations):
        self.check_running()
        pod = {"id": os.urandom(32).hex(), "metadata": {"name": name, "uid": uid, "namespace": namespace, "attempt": attempt},
               "state": READY, "createdAt": str(time.time_ns()),
               "labels": {**labels, "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.uid": uid},
               "annotations": annotations, "runtimeHandler": ""}
        box.write_json(self._pod_file(pod["id"]), pod)
        return pod

    def stop_pod(self, pod_id, grace=2):
        pod = self.pod(pod_id)
        for container in self.containers(pod=pod["id"]):
            self.stop(container["id"], grace)
        box.write_json(self._pod_file(pod["id"]), {**pod, "state": NOTREADY})

    def remove_pod(self, pod_id):
        pod = self.pod(pod_id)
        for container in self.containers(pod=pod["id"]):
            self.remove(container["id"], force=True)
        os.unlink(self._pod_file(pod["id"]))

    # ------------------------------------------------------------ containers

    def _base(self, container_id):
        return f"{self.dir}/containers/{container_id}"

    def containers(self, pod=None):
        """Newest first, each with its state, pid and exit."""
        found = (box.read_json(p) for p in glob.glob(self.dir + "/containers/*.json"))
        mine = [self._with_state(c) for c in found if c and pod in (None, c["podSandboxId"])]
        return sorted(mine, key=lambda c: -int(c["createdAt"]))

    def container(self, container_id):
        matches = [c for c in self.containers() if c["id"].startswith(container_id)]
        if len(matches) != 1:
            raise Missing(f'rpc error: code = NotFound desc = an error occurred when try to find container "{container_id}": not found')
        return matches[0]

    def _with_state(self, container):
        base = self._base(container["id"])
        end, proc = box.read_json(base + ".exit"), box.read_json(base + ".proc")
        state = EXITED if end else RUNNING if "argv" not in container else CREATED
        if proc and not end:
            if box.alive(proc) or box.alive(proc["shim"]):
                state = RUNNING
            else:  # the shim was killed, or the machine started anew
                state, end = EXITED, box.read_json(base + ".exit") or {"exitCode": 255, "finishedAt": proc["startedAt"]}
        return {**container, "state": state, "proc": proc, "exit": end}

    def start(self, pod, spec, volumes, attempt, extra_annotations):
        """Create and start the next container of a pod. Raises when the image is not there and cannot be pulled."""
        self.check_running()
        image = self.pull(spec["image"])
        record = self._record(pod, spec, attempt, image, extra_annotations)
        record["argv"] = self._argv(spec, volumes, record["rootfs"], image["mode"])
        record["env"] = {"SANDBOX_IMAGE": spec["image"], "SANDBOX_IMAGE_MODE": image["mode"]}
        os.makedirs(os.path.dirname(self.sandbox.path(record["logPath"])), exist_ok=True)
        os.makedirs(record["rootfs"])
        base = self._base(record["id"])
        box.write_json(base + ".json", record)
        self.sandbox.spawn(self.sandbox.python("shim", record["id"]), "/var/log/shim.log")
        box.until(10, lambda: os.path.exists(base + ".proc"), 0.01)
        return self._with_state(record)

    def _record(self, pod, spec, attempt, image, extra_annotations):
        name, meta, container_id = spec["name"], pod["metadata"], os.urandom(32).hex()
        return {
            "id": container_id, "podSandboxId": pod["id"], "metadata": {"name": name, "attempt": attempt},
            "image": {"image": image["id"], "annotations": {}}, "imageRef": image["id"], "imageName": spec.get("image", ""),
            "createdAt": str(time.time_ns()),
            "labels": {"io.kubernetes.container.name": name, **{k: v for k, v in pod["labels"].items() if k.startswith("io.kubernetes.pod.")}},
            "annotations": {"io.kubernetes.container.restartCount": str(attempt), **extra_annotations},
            "logPath": f"/var/log/pods/{meta['namespace']}_{meta['name']}_{meta['uid']}/{name}/{attempt}.log",
            "rootfs": f"{self.dir}/rootfs/{container_id}",
        }

    def start_record(self, pod, spec, attempt):
        """A container of which there is only the record: it runs until it is stopped."""
        self.check_running()
        record = self._record(pod, spec, attempt, {"id": "sha256:" + _hash(spec.get("image", ""))}, {})
        os.makedirs(record["rootfs"])
        box.write_json(self._base(record["id"]) + ".json", record)
        return self._with_state(record)

    def _argv(self, spec, volumes, rootfs, mode):
        command = [self._relocate(a, volumes, rootfs) for a in spec["command"] + spec.get("args", [])]
        if mode == "broken":
            return [sys.executable, "-IS", "-c", "import sys; sys.exit('broken on purpose by sandbox break')"]
        if command[0] == "etcd":
            return [self.sandbox.setting("etcd"), *command[1:]]
        if command[0] in PROGRAMS:
            return self.sandbox.python(PROGRAMS[command[0]], *command[1:])
        raise box.Error(f'failed to create containerd task: exec: "{command[0]}": executable file not found in $PATH')

    def _relocate(self, argument, volumes, rootfs):
        """`--flag=/path` or `/path`, with the path where the container's mounts have it."""
        flag, equals, value = argument.rpartition("=") if argument.startswith("--") else ("", "", argument)
        if not value.startswith("/"):
            return argument
        for mount, host in sorted(volumes.items(), key=lambda v: -len(v[0])):
            if value == mount or value.startswith(mount.rstrip("/") + "/"):
                return flag + equals + self.sandbox.path(host + value[len(mount):])
        return flag + equals + rootfs + value

    def stop(self, container_id, grace):
        """SIGTERM to the container's process, SIGKILL after `grace` seconds; returns when it is gone."""
        container = self.container(container_id)
        if container["state"] != RUNNING:
            return
        proc = container["proc"]
        if proc is None:  # a record only
            box.write_json(self._base(container["id"]) + ".exit", {"exitCode": 0, "finishedAt": time.time_ns()})
            return
        box.end_process({k: proc[k] for k in ("pid", "start", "boot")}, grace)
        box.wait_gone(proc["shim"], 5)

    def kill(self, container_id):
        """SIGKILL without waiting."""
        proc = self.container(container_id)["proc"]
        box.send(proc, signal.SIGKILL)

    def remove(self, container_id, force=False):
        container = self.container(container_id)
        if container["state"] == RUNNING:
            if not force:
                raise box.Error(f'container "{container_id}" is running, please stop it first')
            self.stop(container["id"], 0)
        base = self._base(container["id"])
        shutil.rmtree(container["rootfs"], ignore_errors=True)
        for suffix in (".json", ".proc", ".exit"):
            try:
                os.unlink(base + suffix)
            except FileNotFoundError:
                pass


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()


def hostpath_volumes(spec, container):
    """mountPath → path on the host, for one container of a pod spec."""
    sources = {v["name"]: v["hostPath"] for v in spec.get("volumes") or [] if "hostPath" in v}
    return {m["mountPath"]: sources[m["name"]]["path"] for m in container.get("volumeMounts") or [] if m["name"] in sources}


def make_hostpaths(sandbox, spec):
    """What DirectoryOrCreate and FileOrCreate create before the container starts."""
    for volume in spec.get("volumes") or []:
        source = volume.get("hostPath") or {}
        path = sandbox.path(source.get("path", "/"))
        if source.get("type") == "DirectoryOrCreate" and not os.path.exists(path):
            os.makedirs(path, 0o755)
        elif source.get("type") == "FileOrCreate" and not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            box.write_file(path, "")


def name_matches(pattern, name):
    return re.search(pattern, name) is not None
