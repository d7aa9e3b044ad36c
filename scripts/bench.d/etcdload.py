"""An etcd with TLS of a bench's own, laid out as on a kubeadm node below a root, and filled with objects like Kubernetes'."""
import base64
import http.client
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import time

from measure import ENVIRONMENT, write

KINDS = [  # resource, API version, kind, weight
    ("pods", "v1", "Pod", 5), ("secrets", "v1", "Secret", 2), ("configmaps", "v1", "ConfigMap", 2), ("events", "v1", "Event", 3),
    ("deployments", "apps/v1", "Deployment", 1), ("replicasets", "apps/v1", "ReplicaSet", 2), ("services/specs", "v1", "Service", 1),
    ("example.com/widgets", "example.com/v1", "Widget", 2),
]


class Objects:
    """Keys and values like Kubernetes': protobuf for its own kinds, JSON for custom ones; 1-20 KB, about one in a thousand of 1 MB."""

    def __init__(self, kinds=KINDS, as_json=False):
        self.random = random.Random(7)
        self.text = self._text(32 << 20)
        self.choices = [kind for kind in kinds for _ in range(kind[3])]
        self.as_json = as_json
        self.count = 0

    def next(self):
        resource, version, kind, _ = self.random.choice(self.choices)
        size = 1_000_000 if self.random.random() < 0.0008 else self.random.randrange(1000, 20000)
        namespace, name = f"ns-{self.random.randrange(40)}", f"{kind.lower()}-{self.count}"
        self.count += 1
        value = self.make(version, kind, namespace, name, size)
        return f"/registry/{resource}/{namespace}/{name}".encode(), value

    def make(self, version, kind, namespace, name, size):
        """In protobuf what Kubernetes knows, unless all is wanted as JSON."""
        return (self.custom if "." in version or self.as_json else self.native)(version, kind, namespace, name, size)

    def native(self, version, kind, namespace, name, size):
        uid = f"{self.random.getrandbits(32):08x}-0000-4000-8000-{self.random.getrandbits(48):012x}"
        meta = field(1, name) + (field(3, namespace) if namespace else b"") + field(5, uid) + field(11, field(1, "app") + field(2, "web"))
        kinds = field(1, version) + field(2, kind)
        return b"k8s\0" + field(1, kinds) + field(2, field(1, meta) + field(2, self.filler(size))) + b'\x1a\0"\0'

    def custom(self, version, kind, namespace, name, size):
        meta = {"name": name, "namespace": namespace, "uid": f"{self.random.getrandbits(128):032x}"}
        data = base64.b64encode(self.filler(size * 3 // 4)).decode()
        return json.dumps({"apiVersion": version, "kind": kind, "metadata": meta, "spec": {"data": data}}).encode()

    def filler(self, size):
        """Partly words, partly noise: zstd makes about half of it."""
        at = self.random.randrange(len(self.text) - size)
        return self.text[at:at + size]

    def _text(self, length):
        """Long beside zstd's window, so that objects do not become copies of each other."""
        noise, pieces, total = self.random.randbytes(4 << 20), [], 0
        words = [f"app-{n}.example.com/{self.random.choice(['web', 'db', 'cache', 'queue'])} ".encode() for n in range(500)]
        while total < length:
            if self.random.random() < 0.3:
                at = self.random.randrange(len(noise) - 64)
                piece = noise[at:at + 48]
            else:
                piece = self.random.choice(words)
            pieces.append(piece)
            total += len(piece)
        return b"".join(pieces)


def field(tag, content):
    """A length-delimited field of protobuf."""
    content = content.encode() if isinstance(content, str) else content
    head, length = bytes([tag << 3 | 2]), len(content)
    while length > 127:
        head, length = head + bytes([length & 127 | 128]), length >> 7
    return head + bytes([length]) + content


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_port(port, process, name):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit(f"scripts/bench: {name} ended with {process.returncode}")
            time.sleep(0.05)
    sys.exit(f"scripts/bench: {name} does not listen")


def load(port, pki, bytes_wanted, objects, most=4 << 20):
    """Fills an etcd through its JSON gateway, with at most so many bytes a request."""
    context = ssl.create_default_context(cafile=pki + "/ca.crt")
    context.load_cert_chain(pki + "/healthcheck-client.crt", pki + "/healthcheck-client.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)

    def call(path, body):
        connection.request("POST", "/v3/kv/" + path, json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"scripts/bench: etcd answered {answer.status}: {text.decode(errors='replace')}")

    def put(key, value):
        return {"requestPut": {"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode()}}

    again = []
    for n in range(40):
        call("txn", {"success": [put(f"/registry/namespaces/ns-{n}".encode(), objects.make("v1", "Namespace", "", f"ns-{n}", 100))]})
    written, batch, pending = 0, [], 0
    while written < bytes_wanted:
        key, value = objects.next()
        if batch and (pending + len(value) > most or len(batch) == most >> 13):
            call("txn", {"success": batch})
            batch, pending = [], 0
        batch.append(put(key, value))
        written, pending = written + len(value), pending + len(value)
        if objects.random.random() < 0.05:
            again.append((key, value))
    if batch:
        call("txn", {"success": batch})
    # Some history: older revisions, and tombstones.
    for n, (key, value) in enumerate(again):
        if n % 4 < 2:
            call("put", put(key, value[:2000] if len(value) < 4000 else value)["requestPut"])
        elif n % 4 == 2:
            call("deleterange", {"key": base64.b64encode(key).decode()})
    connection.close()


class Etcd:
    """One member with mutual TLS, whose root looks like a kubeadm node's: manifest, certificates, data."""

    def __init__(self, root, mebibytes):
        self.root = root
        self.pki, self.data = root + "/etc/kubernetes/pki/etcd", root + "/var/lib/etcd"
        self.port, self.peer = free_ports(2)
        self.process = None
        for directory in (self.pki, root + "/etc/kubernetes/manifests", root + "/var/lib"):
            os.makedirs(directory)
        self._certificates()
        self._manifest()
        self.start("--unsafe-no-fsync")
        try:
            load(self.port, self.pki, mebibytes << 20, Objects())
        finally:
            self.stop()
        self.start()

    def client(self):
        """What etcdctl needs to talk to it, as its environment."""
        return {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": f"https://127.0.0.1:{self.port}", "ETCDCTL_CACERT": self.pki + "/ca.crt",
                "ETCDCTL_CERT": self.pki + "/healthcheck-client.crt", "ETCDCTL_KEY": self.pki + "/healthcheck-client.key"}

    def start(self, *more):
        with open(self.root + "/etcd.log", "ab") as log:
            self.process = subprocess.Popen(["etcd", *self._flags(self.root), "--log-level=error", *more], env=ENVIRONMENT, stdout=log, stderr=log)
        await_port(self.port, self.process, "etcd")
        for _ in range(12):  # each waits 5 s
            healthy = subprocess.run(["etcdctl", "endpoint", "health"], env=ENVIRONMENT | self.client(), capture_output=True, check=False)
            if healthy.returncode == 0:
                return
        sys.exit(f"scripts/bench: etcd is not healthy: {healthy.stderr.decode()}")

    def stop(self):
        if self.process:
            end(self.process)

    def _flags(self, root):
        peer, client, pki = f"https://127.0.0.1:{self.peer}", f"https://127.0.0.1:{self.port}", root + "/etc/kubernetes/pki/etcd"
        return [
            "--name=bench", f"--data-dir={root}/var/lib/etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=bench={peer}",
            f"--cert-file={pki}/server.crt", f"--key-file={pki}/server.key", f"--trusted-ca-file={pki}/ca.crt", "--client-cert-auth=true",
            f"--peer-cert-file={pki}/peer.crt", f"--peer-key-file={pki}/peer.key", f"--peer-trusted-ca-file={pki}/ca.crt",
            "--peer-client-cert-auth=true", "--snapshot-count=2000", f"--quota-backend-bytes={8 << 30}", "--max-txn-ops=4096",
            f"--max-request-bytes={32 << 20}"]

    def _manifest(self):
        flags = "\n".join("    - " + flag for flag in self._flags(""))
        mounts = "\n".join(f"    - {{mountPath: {path}, name: n{n}}}" for n, path in enumerate(("/var/lib/etcd", "/etc/kubernetes/pki/etcd")))
        volumes = "\n".join(f"  - {{hostPath: {{path: {path}}}, name: n{n}}}" for n, path in enumerate(("/var/lib/etcd", "/etc/kubernetes/pki/etcd")))
        write(self.root + "/etc/kubernetes/manifests/etcd.yaml",
              "apiVersion: v1\nkind: Pod\nmetadata: {name: etcd, namespace: kube-system}\nspec:\n  containers:\n  - name: etcd\n"
              f"    image: registry.k8s.io/etcd:3.4\n    command:\n    - etcd\n{flags}\n    volumeMounts:\n{mounts}\n  hostNetwork: true\n  volumes:\n{volumes}\n")

    def _certificates(self):
        usages = {"server": "serverAuth,clientAuth", "peer": "serverAuth,clientAuth", "healthcheck-client": "clientAuth"}
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        authority = ["-subj", "/CN=etcd-ca", "-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.crt"]
        subprocess.run(make + authority, cwd=self.pki, check=True, capture_output=True)
        for name, usage in usages.items():
            subprocess.run(make + [
                "-CA", "ca.crt", "-CAkey", "ca.key", "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:FALSE", "-addext",
                "extendedKeyUsage=" + usage, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", name + ".key", "-out",
                name + ".crt"], cwd=self.pki, check=True, capture_output=True)

    def size(self):
        return os.path.getsize(self.data + "/member/snap/db")

    def remove(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
