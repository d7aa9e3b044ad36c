"""The first inputs of a fuzz target, from real programs: an etcd of its own, age and zstd.

usage: seeds.py snapshot|records|rpc|age DIRECTORY
"""
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench.d"))
from etcdload import Objects, end, field, free_ports  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def run(*argv, given=None, **more):
    return subprocess.run(argv, input=given, stdout=subprocess.PIPE, check=True, timeout=60, **more).stdout


class Etcd:
    """One member on loopback, with some keys of every kind."""

    def __init__(self, directory):
        self.directory = directory
        port, peer = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        peers = f"http://127.0.0.1:{peer}"
        with open(directory + "/etcd.log", "wb") as log:
            self.process = subprocess.Popen(
                ["etcd", "--name", "seed", "--data-dir", directory + "/data", "--listen-client-urls", self.url, "--advertise-client-urls",
                 self.url, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "seed=" + peers],
                stdout=log, stderr=log)
        for _ in range(600):
            try:
                self.call("Maintenance/Status", b"")
                return
            except subprocess.CalledProcessError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        end(self.process)
        sys.exit("scripts/fuzz: etcd does not start")

    def call(self, method, message):
        """The answer as it comes: gRPC's frames."""
        frame = b"\0" + len(message).to_bytes(4, "big") + message
        return run(
            "curl", "-sf", "--http2-prior-knowledge", "--max-time", "10", "-H", "content-type: application/grpc", "-H", "te: trailers",
            "--data-binary", "@-", f"{self.url}/etcdserverpb.{method}", given=frame)

    def ctl(self, *arguments, given=None):
        return run("etcdctl", "--endpoints", self.url, *arguments, given=given, env={**os.environ, "ETCDCTL_API": "3"})

    def fill(self, count=40):
        objects, native = Objects(), 0
        for number in range(count):
            key, value = objects.next()
            self.ctl("put", key.decode(), given=value[:3000])
        self.ctl("put", "/registry/secrets/default/sealed", given=b"k8s:enc:aescbc:v1:key1:" + bytes(range(64)))
        self.ctl("put", "/registry/services/specs/default/kubernetes", "{}")
        self.ctl("put", "/registry/services/endpoints/default/kubernetes", "{}")
        self.ctl("put", "other", "")
        lease = self.ctl("lease", "grant", "600").split()[1].decode()
        self.ctl("put", "--lease", lease, "/registry/masterleases/10.0.0.1", "x")
        self.ctl("put", "/registry/minions/gone", "x")
        self.ctl("del", "/registry/minions/gone")


def messages(stream):
    while stream:
        size = int.from_bytes(stream[1:5], "big")
        yield stream[5:5 + size]
        stream = stream[5 + size:]


def fields(message):
    """The length-delimited fields of a message of protobuf, and no others."""
    at = 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = varint()
        if tag & 7 == 2:
            size = varint()
            yield tag >> 3, message[at:at + size]
            at += size
        else:
            varint()


def from_etcd(target, etcd):
    everything = field(1, b"\0") + field(2, b"\0")
    if target == "snapshot":
        etcd.ctl("snapshot", "save", etcd.directory + "/snapshot.db")
        with open(etcd.directory + "/snapshot.db", "rb") as file:
            yield file.read()
    elif target == "records":
        for message in messages(etcd.call("KV/Range", everything)):
            for number, record in fields(message):
                if number == 2:
                    yield record
                    for part, content in fields(record):
                        if part in (1, 5):
                            yield content
    else:
        yield b"\0" + etcd.call("Maintenance/Status", b"")
        members = etcd.call("Cluster/MemberList", b"")
        yield b"\1" + members
        for message in messages(members):
            for number, member in fields(message):
                if number == 2:
                    yield b"\1\0" + len(member).to_bytes(4, "big") + member
        yield b"\2" + etcd.call("Maintenance/Alarm", b"")
        yield b"\2\0\0\0\0\4\x08\1\x10\1"
        yield b"\3" + etcd.call("Maintenance/HashKV", b"")
        yield b"\4" + etcd.call("KV/Range", everything + b"\x40\1")  # keys only
        yield b"\4" + etcd.call("KV/Range", everything + b"\x48\1")  # their count
        yield b"\4" + etcd.call("KV/Range", field(1, "/registry/") + field(2, "/registry0") + b"\x18\2")
        yield b"\5\0\0\0\0\x0detcd%20is%C3%A9"


def sealed(directory):
    with open(TOP + "/Tests/BundlesTests/SealInput.swift") as file:
        secret = re.search(r"AGE-SECRET-KEY-1[0-9A-Z]+", file.read()).group()
    key = directory + "/key.txt"
    with open(key, "w") as file:
        file.write(f"# a key\n\n{secret}\n")
    recipient = run("age-keygen", "-y", key).decode().strip()
    plain = json.dumps({"kguard": "bundle", "id": "06fawbkzs", "files": [{"name": "snapshot.db"}] * 40}).encode()
    streams = [
        run("zstd", "-q", f"-{level}", *more, given=text)
        for text in (b"", b"x", plain, plain * 200, os.urandom(3000), bytes(200_000))
        for level, more in ((1, []), (19, ["--no-check"]), (3, ["--check"]))]
    streams += [streams[3] + streams[9], b"\x50\x2a\x4d\x18\4\0\0\0skip" + streams[6]]
    for stream in streams:
        yield b"\1" + stream
        yield b"\2" + stream
        yield b"\0" + run("age", "-r", recipient, given=stream)
    other = run("age-keygen", "-y", "-", given=run("age-keygen", stderr=subprocess.DEVNULL)).decode().strip()
    two = run("age", "-r", other, "-r", recipient, given=streams[6])
    yield b"\0" + two
    stanza = two.split(b"\n-> ")[1]
    yield b"\3-> " + stanza + b"\n"
    yield b"\x83-> " + stanza + b"\n"
    yield b"\3-> ssh-ed25519 abcd\n" + base64.b64encode(bytes(32)).rstrip(b"=") + b"\n"
    yield b"\3-> grease-thing a b c\n" + b"A" * 64 + b"\n\n"
    with open(key, "rb") as file:
        yield b"\4" + file.read()
    yield b"\4" + recipient.encode()


def main():
    target, directory = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="kguard-fuzz-") as work:
        if target == "age":
            seeds = list(sealed(work))
        else:
            etcd = Etcd(work)
            try:
                etcd.fill()
                seeds = list(from_etcd(target, etcd))
            finally:
                end(etcd.process)
    for seed in seeds:
        with open(f"{directory}/{hashlib.sha1(seed).hexdigest()}", "wb") as file:
            file.write(seed)
    print(f"{len(seeds)} seeds for {target}")


main()
