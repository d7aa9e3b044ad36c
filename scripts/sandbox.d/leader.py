"""Leader election as controller-manager and scheduler do it: hold a lease, renew it every two seconds, or end."""
import sys
import time
import traceback
import uuid

import box
from apiclient import Client, Unreachable
from box import micro_time
from tlsserver import Handler, Server, parse_flags

RENEW = 2


class Leader:
    def __init__(self, client, name, seconds):
        self.client, self.name, self.seconds = client, name, seconds
        self.me = f"{box.NODE}_{uuid.uuid4()}"
        self.path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
        self.seen, self.seen_at = None, 0.0

    def try_hold(self):
        """Take or renew the lease; True while it is ours."""
        lease = self.client.read(f"{self.path}/{self.name}")
        if lease is None:
            spec = {"holderIdentity": self.me, "leaseDurationSeconds": self.seconds, "acquireTime": micro_time(), "renewTime": micro_time(), "leaseTransitions": 0}
            return self.client.create(self.path, {"metadata": {"name": self.name}, "spec": spec})[0] == 201
        spec = lease["spec"]
        if spec.get("holderIdentity") != self.me:
            record = (spec.get("holderIdentity"), spec.get("renewTime"))
            if record != self.seen:  # a lease is stale by our own clock, from when we first saw it
                self.seen, self.seen_at = record, time.monotonic()
            if spec.get("holderIdentity") and time.monotonic() - self.seen_at < spec.get("leaseDurationSeconds", self.seconds):
                return False
            spec.update(holderIdentity=self.me, acquireTime=micro_time(), leaseTransitions=spec.get("leaseTransitions", 0) + 1)
        spec.update(renewTime=micro_time(), leaseDurationSeconds=self.seconds)
        return self.client.replace(f"{self.path}/{self.name}", lease)[0] == 200


def run(sandbox, args, name, work=None):
    """Elect, renew, and call `work(client)` after every renewal, sooner while it says that it is not done; exits 1 when the lease is lost."""
    box.name_process(name)
    flags = parse_flags(args)
    client = Client(flags["kubeconfig"])
    health(sandbox, flags)
    settings = sandbox.settings()
    leader = Leader(client, flags.get("leader-elect-resource-name", name), settings["lease_seconds"])
    if flags.get("leader-elect") == "false":
        leader.try_hold = lambda: bool(client.read("/api/v1/namespaces/kube-system"))
    leading, renewed, busy = False, time.monotonic(), False
    while True:
        try:
            held = leader.try_hold()
            if held:
                if not leading:
                    print(f"{micro_time()} successfully acquired lease kube-system/{name} as {leader.me}", flush=True)
                leading, renewed = True, time.monotonic()
                if work:
                    busy = _work(work, client)
        except Unreachable as error:
            print(f"{micro_time()} {error}", flush=True)
        if leading and time.monotonic() - renewed > settings["lease_seconds"]:
            print(f"{micro_time()} leaderelection lost", flush=True)
            sys.exit(1)
        time.sleep(1 if not leading else 0.3 if busy else RENEW)


def _work(work, client):
    try:
        return work(client)
    except (KeyError, TypeError, AttributeError, ValueError):  # an object that is not as it should be
        traceback.print_exc()
        return False


def health(sandbox, flags):
    class Healthz(Handler):
        def answer(self, method, path, body):
            known = path.partition("?")[0] in ("/healthz", "/livez", "/readyz")
            return (200, "text/plain; charset=utf-8", b"ok") if known else (404, "text/plain", b"404 page not found\n")
    pair = sandbox.path("/var/lib/kguard-sandbox/healthz")
    address = (flags.get("bind-address", "127.0.0.1"), int(flags["secure-port"]))
    try:
        Server(address, Healthz, pair + ".crt", pair + ".key").start()
    except OSError as error:
        sys.exit(f"failed to create listener on {address[0]}:{address[1]}: {error}")


