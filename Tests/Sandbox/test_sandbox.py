"""The sandbox against real clients: etcdctl, curl and openssl. Run: python3 -m unittest discover -s Tests/Sandbox"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SANDBOX = os.path.join(HERE, "../../scripts/sandbox")
sys.path.insert(0, os.path.join(HERE, "../../scripts/sandbox.d"))
sys.dont_write_bytecode = True

import box  # noqa: E402
import controllers  # noqa: E402
import yamlreader  # noqa: E402
from apiclient import Client, Unreachable  # noqa: E402

BARE = {"PATH": "/usr/bin:/bin"}


def run(*argv, code=0, **more):
    """Run a command; its output. The test fails when it exits with another code (None: any)."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=80, cwd="/", **more)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{argv}: exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


class Case(unittest.TestCase):
    """One sandbox for the tests of a class, which run in the order of their names."""
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.parent = tempfile.mkdtemp(prefix="sandbox-test-")
        cls.root = cls.parent + "/node"
        cls.box = box.Box(cls.root)
        cls.addClassCleanup(cls.clean)
        run(SANDBOX, "up", cls.root, *cls.options)
        cls.api = Client(cls.root + "/etc/kubernetes/admin.conf")

    @classmethod
    def clean(cls):
        if cls.box.is_sandbox():
            run(SANDBOX, "down", cls.root)
        shutil.rmtree(cls.parent)

    def tool(self, name, *args, code=0):
        return run(self.root + "/usr/bin/" + name, *args, code=code, env={})

    def etcdctl(self, *args):
        pki = self.root + "/etc/kubernetes/pki/etcd"
        return run("etcdctl", "--endpoints", f"https://127.0.0.1:{self.box.ports['etcd']}", "--cacert", pki + "/ca.crt", "--cert", pki + "/healthcheck-client.crt",
                   "--key", pki + "/healthcheck-client.key", *args, env={**BARE, "ETCDCTL_API": "3"})

    def curl(self, path, *args):
        return run("curl", "-sS", "--cacert", self.root + "/etc/kubernetes/pki/ca.crt", "-w", " %{http_code}", *args, self.box.server + path, env=BARE)

    def containers(self, *args):
        found = json.loads(self.tool("crictl", "ps", "-o", "json", *args))["containers"]
        return {c["metadata"]["name"]: c for c in found if c["state"] == "CONTAINER_RUNNING" and c["metadata"]["name"] in ("etcd", *box.COMPONENTS)}

    def eventually(self, test, what, seconds=20):
        self.assertTrue(box.until(seconds, test, 0.1), f"{what}: not within {seconds} s")

    def ready(self):
        return subprocess.run([SANDBOX, "status", self.root], capture_output=True, check=False).returncode == 0

    def manifest(self, component):
        return self.root + f"/etc/kubernetes/manifests/{component}.yaml"

    def renew_time(self, name):
        try:
            return (self.api.read("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/" + name) or {}).get("spec", {}).get("renewTime")
        except Unreachable:
            return None

    def assert_leases_renew(self):
        for name in ("kube-controller-manager", "kube-scheduler"):
            first = self.renew_time(name)
            self.eventually(lambda: self.renew_time(name) not in (None, first), f"lease {name} is renewed")


class Node(Case):
    options = ("--seed-objects", "300")

    def test_01_files_are_as_kubeadm_writes_them(self):
        pki = self.root + "/etc/kubernetes/pki/"
        for name in ("ca", "apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-ca", "front-proxy-client",
                     "etcd/ca", "etcd/server", "etcd/peer", "etcd/healthcheck-client"):
            self.assertEqual(os.stat(f"{pki}{name}.key").st_mode & 0o777, 0o600, name)
            self.assertTrue(os.path.exists(f"{pki}{name}.crt"), name)
        text = run("openssl", "x509", "-noout", "-text", "-in", pki + "etcd/server.crt")
        for part in ("IP Address:127.0.0.1", "DNS:sandbox-node", "TLS Web Server Authentication, TLS Web Client Authentication", "Issuer: CN = etcd-ca"):
            self.assertIn(part, text)
        run("openssl", "verify", "-CAfile", pki + "ca.crt", pki + "apiserver.crt")
        self.assertIn("O = system:masters", run("openssl", "x509", "-noout", "-subject", "-in", pki + "apiserver-etcd-client.crt"))
        for component in ("etcd", *box.COMPONENTS):
            with open(self.manifest(component), encoding="utf-8") as f:
                text = f.read()
            self.assertNotIn(self.root, text)
            self.assertEqual(yamlreader.load(text)["spec"]["containers"][0]["name"], component)
        self.assertEqual(os.stat(self.root + "/var/lib/etcd").st_mode & 0o777, 0o700)

    def test_02_rest(self):
        cm = "/api/v1/namespaces/default/configmaps"
        status, made = self.api.create(cm, {"metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"k": "1"}})
        self.assertEqual(status, 201)
        self.assertEqual(self.api.create(cm, made)[0], 409)
        status, changed = self.api.merge(cm + "/a", {"data": {"k": "2"}})
        self.assertEqual((status, changed["data"]), (200, {"k": "2"}))
        status, answer = self.api.replace(cm + "/a", made)
        self.assertEqual((status, answer["reason"]), (409, "Conflict"))
        self.assertEqual([i["metadata"]["name"] for i in self.api.items(cm + "?labelSelector=x%3D1")], ["a"])
        self.assertEqual(self.api.items(cm + "?labelSelector=x%3D2"), [])
        self.assertEqual(self.api.delete(cm + "/a")[0], 200)
        self.assertEqual(self.api.get(cm + "/a")[1]["reason"], "NotFound")
        names, token = [], ""
        while True:
            page = self.api.read(f"/api/v1/namespaces/seed/configmaps?limit=128&continue={token}")
            names += [i["metadata"]["name"] for i in page["items"]]
            token = page["metadata"].get("continue")
            if not token:
                break
        self.assertEqual((len(names), names), (300, sorted(set(names))))

    def test_03_curl(self):
        self.assertIn(" 401", self.curl("/api/v1/nodes"))
        self.assertEqual(self.curl("/readyz"), "ok 200")
        self.assertIn("[+]etcd ok", self.curl("/readyz?verbose"))
        self.assertIn('"gitVersion":"v1.27.4"', self.curl("/version"))
        node = json.loads(run(SANDBOX, "get", self.root, "/api/v1/nodes/sandbox-node"))
        self.assertEqual(node["status"]["nodeInfo"]["kubeletVersion"], "v1.27.4")
        self.assertIn("deployments", [r["name"] for r in self.api.read("/apis/apps/v1")["resources"]])

    def test_04_objects_are_in_etcd(self):
        run(SANDBOX, "objects", self.root)
        keys = self.etcdctl("get", "/registry/", "--prefix", "--keys-only").split()
        for key in ("configmaps/demo/cm1", "secrets/demo/s1", "deployments/demo/web", "services/specs/demo/web", "minions/sandbox-node",
                    "pods/kube-system/etcd-sandbox-node", "leases/kube-system/kube-scheduler"):
            self.assertIn("/registry/" + key, keys)
        self.eventually(lambda: self.api.read("/apis/apps/v1/namespaces/demo/deployments/web").get("status", {}).get("readyReplicas") == 2, "web is ready")
        self.etcdctl("snapshot", "save", self.parent + "/snapshot.db")
        self.assertIn("revision", run("etcdctl", "snapshot", "status", self.parent + "/snapshot.db", "-w", "json", env={**BARE, "ETCDCTL_API": "3"}))

    def test_05_stopping_kubelet_stops_nothing(self):
        before = self.containers()
        self.tool("systemctl", "stop", "kubelet")
        self.assertEqual(self.tool("systemctl", "is-active", "kubelet", code=3).strip(), "inactive")
        self.etcdctl("put", "/test", "1")
        self.assertEqual(self.curl("/readyz"), "ok 200")
        self.tool("systemctl", "start", "kubelet")
        time.sleep(1)
        self.assertEqual({c["id"] for c in before.values()}, {c["id"] for c in self.containers().values()})

    def test_06_killed_kubelet_comes_back_and_adopts(self):
        before, pid = self.containers(), int(self.tool("systemctl", "show", "kubelet", "-p", "MainPID", "--value"))
        os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: self.tool("systemctl", "show", "kubelet", "-p", "MainPID", "--value").strip() not in ("0", str(pid)), "a new kubelet")
        time.sleep(1)
        self.assertEqual({c["id"] for c in before.values()}, {c["id"] for c in self.containers().values()})

    def test_07_crash_is_restarted_with_attempts(self):
        old = self.containers()["kube-scheduler"]
        pid = json.loads(self.tool("crictl", "inspect", old["id"]))["info"]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: self.containers().get("kube-scheduler", old)["metadata"]["attempt"] == 1, "attempt 1")
        self.assertEqual(json.loads(self.tool("crictl", "inspect", old["id"]))["status"]["exitCode"], 137)
        self.eventually(lambda: self.api.read("/api/v1/namespaces/kube-system/pods/kube-scheduler-sandbox-node")["status"]["containerStatuses"][0]["restartCount"] == 1,
                        "restartCount 1")

    def test_08_manifest_gone_container_gone(self):
        away = self.parent + "/kube-scheduler.yaml"
        shutil.move(self.manifest("kube-scheduler"), away)
        self.eventually(lambda: "kube-scheduler" not in self.containers("-a"), "the scheduler ends")
        self.eventually(lambda: self.api.read("/api/v1/namespaces/kube-system/pods/kube-scheduler-sandbox-node") is None, "its mirror pod goes")
        shutil.move(away, self.manifest("kube-scheduler"))
        self.eventually(self.ready, "ready again")

    def test_09_kubelet_runs_a_backup_file_too(self):
        stray = self.manifest("kube-scheduler") + ".backup"
        shutil.copy(self.manifest("kube-scheduler"), stray)
        time.sleep(1)
        with open(self.manifest("kube-scheduler"), "a", encoding="utf-8") as f:
            f.write("# a comment changes nothing\n")
        time.sleep(1)
        self.assertIn("kube-scheduler", self.containers())
        first = self.containers()["kube-scheduler"]["labels"]["io.kubernetes.pod.uid"]
        os.unlink(self.manifest("kube-scheduler"))
        self.eventually(lambda: self.containers().get("kube-scheduler", {"labels": {"io.kubernetes.pod.uid": first}})["labels"]["io.kubernetes.pod.uid"] != first,
                        "the backup runs")
        os.rename(stray, self.manifest("kube-scheduler"))
        self.eventually(lambda: self.containers().get("kube-scheduler", {"labels": {"io.kubernetes.pod.uid": ""}})["labels"]["io.kubernetes.pod.uid"] == first,
                        "the manifest runs again")
        self.eventually(self.ready, "ready again")

    def restore(self):
        """The snapshot of test_04 into a new directory, with the manifest's flags."""
        with open(self.manifest("etcd"), encoding="utf-8") as f:
            flags = {k: v for k, v in re.findall(r"- --(name|initial-cluster|initial-advertise-peer-urls)=(\S+)", f.read())}
        staged = self.root + "/var/lib/etcd.staged"
        run("etcdctl", "snapshot", "restore", self.parent + "/snapshot.db", "--data-dir", staged, *(f"--{k}={v}" for k, v in flags.items()),
            env={**BARE, "ETCDCTL_API": "3"})
        return staged

    def move_manifests(self, components, source, target):
        os.makedirs(target, exist_ok=True)
        for component in components:
            os.rename(f"{source}/{component}.yaml", f"{target}/{component}.yaml")

    def test_10_a_living_api_server_serves_stale_data_after_a_swap(self):
        self.api.create("/api/v1/namespaces/demo/configmaps", {"metadata": {"name": "late"}})
        staged = self.restore()
        manifests, away = os.path.dirname(self.manifest("etcd")), self.root + "/etc/kubernetes/away"
        self.move_manifests(["etcd"], manifests, away)
        self.eventually(lambda: "etcd" not in self.containers(), "etcd ends")
        os.rename(self.root + "/var/lib/etcd", self.root + "/var/lib/etcd.old")
        os.rename(staged, self.root + "/var/lib/etcd")
        self.move_manifests(["etcd"], away, manifests)
        self.eventually(lambda: self.curl("/readyz") == "ok 200", "etcd is back")
        self.assertNotIn("late", self.etcdctl("get", "/registry/configmaps/demo/", "--prefix", "--keys-only"))
        self.assertIsNotNone(self.api.read("/api/v1/namespaces/demo/configmaps/late"))
        self.tool("crictl", "stop", self.containers()["kube-apiserver"]["id"])
        self.eventually(self.ready, "ready again")
        self.assertIsNone(self.api.read("/api/v1/namespaces/demo/configmaps/late"))
        self.assert_leases_renew()

    def test_11_restore_with_everything_stopped(self):
        self.api.create("/api/v1/namespaces/demo/configmaps", {"metadata": {"name": "late"}})
        staged = self.restore()
        everything = ["etcd", *box.COMPONENTS]
        manifests, away = os.path.dirname(self.manifest("etcd")), self.root + "/etc/kubernetes/away"
        self.move_manifests(everything, manifests, away)
        self.eventually(lambda: not self.containers(), "all containers of the control plane end")
        self.assertIn("coredns", self.tool("crictl", "ps"), "those of other pods go on")
        self.tool("systemctl", "stop", "kubelet")
        os.rename(self.root + "/var/lib/etcd", self.root + "/var/lib/etcd.older")
        os.rename(staged, self.root + "/var/lib/etcd")
        self.move_manifests(everything, away, manifests)
        self.tool("systemctl", "start", "kubelet")
        self.eventually(self.ready, "ready again")
        self.assertIsNotNone(self.api.read("/api/v1/namespaces/demo/configmaps/cm1"))
        self.assertIsNone(self.api.read("/api/v1/namespaces/demo/configmaps/late"))
        self.assert_leases_renew()

    def test_12_down_ends_everything(self):
        kubelet = int(self.tool("systemctl", "show", "kubelet", "-p", "MainPID", "--value"))
        os.kill(box.read_json(self.box.pid_file("kubelet-unit"))["pid"], signal.SIGKILL)
        self.assertIsNotNone(box.identity(kubelet))
        run(SANDBOX, "down", self.root)
        left = [p for p in os.listdir("/proc") if p.isdigit() and self.root in _command_line(p)]
        self.assertEqual(left, [])
        run(SANDBOX, "status", self.root, code=1)
        run(SANDBOX, "up", self.root)
        self.assertIsNotNone(self.api.read("/api/v1/namespaces/demo/configmaps/cm1"))


def _command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


class Upgrade(Case):
    def tearDown(self):
        run(SANDBOX, "mend", self.root)  # a fault of a test that failed does not meet the next

    def images(self):
        out = []
        for component in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            with open(self.manifest(component), encoding="utf-8") as f:
                out.append(re.search(r"image: \S+:(v\S+)", f.read()).group(1))
        return out

    def apply(self, version="v1.28.0", code=0):
        return self.tool("kubeadm", "upgrade", "apply", version, "-y", code=code)

    def back(self):
        """The old manifests and configuration, so that the next test has something to upgrade."""
        run(SANDBOX, "reset", self.root)

    def broken(self, fault, *more):
        return run(SANDBOX, "break", self.root, fault, *more)

    def test_1_refusals_change_nothing(self):
        self.assertIn("higher than the kubeadm version", self.apply("v1.29.0", code=1))
        run(SANDBOX, "install", self.root, "kubeadm", "v1.29.0")
        self.assertIn("only 1 minor version", self.apply("v1.29.0", code=1))
        run(SANDBOX, "install", self.root, "kubeadm", "v1.28.0")
        self.broken("missing-image")
        self.assertIn("ImagePull", self.apply(code=2))
        run(SANDBOX, "mend", self.root)
        self.broken("apply-early")
        self.apply(code=1)
        run(SANDBOX, "mend", self.root)
        self.assertEqual(self.images(), ["v1.27.4"] * 3)

    def test_2_broken_api_server_is_rolled_back(self):
        self.broken("apiserver-image")
        self.assertIn("did not change after 5m0s", self.apply(code=1))
        self.assertEqual(self.images(), ["v1.27.4"] * 3)
        self.eventually(self.ready, "ready again")
        run(SANDBOX, "mend", self.root)

    def test_3_killed_midway(self):
        self.broken("apply-killed")
        self.apply(code=-signal.SIGKILL)
        self.assertEqual(self.images(), ["v1.28.0", "v1.27.4", "v1.27.4"])
        run(SANDBOX, "mend", self.root)

    def test_4_hang_ends_on_sigterm(self):
        self.broken("apply-hang")
        child = subprocess.Popen([self.root + "/usr/bin/kubeadm", "upgrade", "apply", "v1.28.0", "-y"], stdout=subprocess.PIPE, text=True, env={})
        with child.stdout:
            for line in child.stdout:
                if "CoreDNS" in line:
                    break
            time.sleep(0.5)
            self.assertIsNone(child.poll())
            child.terminate()
            self.assertEqual(child.wait(5), -signal.SIGTERM)  # 143 for a shell
        run(SANDBOX, "mend", self.root)
        self.assertEqual(self.images(), ["v1.28.0"] * 3)

    def test_5_broken_controller_manager_is_a_success_for_kubeadm(self):
        self.back()
        self.broken("kcm-image")
        self.assertIn("SUCCESS", self.apply())
        self.eventually(lambda: "CrashLoopBackOff" in str(self.api.read("/api/v1/namespaces/kube-system/pods/kube-controller-manager-sandbox-node")), "CrashLoopBackOff")
        run(SANDBOX, "mend", self.root)
        self.eventually(self.ready, "ready again")

    def test_6_all_well(self):
        run(SANDBOX, "install", self.root, "kubeadm", "v1.28.1")
        self.assertIn("SUCCESS", self.apply("v1.28.1"))
        self.eventually(self.ready, "ready again")
        self.assertIn('"gitVersion":"v1.28.1"', self.curl("/version"))
        self.assertIn("skipping upgrade", self.apply("v1.28.1"))
        self.assertTrue([n for n in os.listdir(self.root + "/etc/kubernetes/tmp") if n.startswith("kubeadm-backup-etcd-")])

    def test_7_damaged_etcd(self):
        run(SANDBOX, "install", self.root, "kubeadm", "v1.28.2")
        self.broken("etcd-corrupt")
        self.assertIn("recover everything into the earlier state", self.apply("v1.28.2", code=1))
        self.assertFalse(self.ready())
        self.eventually(lambda: json.loads(self.tool("crictl", "ps", "-a", "--name", "^etcd$", "-o", "json"))["containers"][0]["metadata"]["attempt"] > 1,
                        "etcd crashes again and again")


class Lifecycle(unittest.TestCase):
    """The node's condition as the controller-manager's stand-in sets it, with an API of one node and one lease."""

    class Api:
        def __init__(self):
            self.ready = "True"

        def read(self, path):
            return {"spec": {"renewTime": "then"}} if "/leases/" in path else {"status": {"conditions": [{"type": "Ready", "status": self.ready}]}}

        def replace(self, path, node):
            self.ready = node["status"]["conditions"][0]["status"]

    def condition(self, looked):
        """After ten seconds without a new renewal, the last look of which was `looked` seconds ago."""
        with tempfile.TemporaryDirectory() as root:
            it = controllers.Controllers(box.Box(root))
            it.client = self.Api()
            it.node_seen, it.node_seen_at, it.node_looked = "then", time.monotonic() - 10, time.monotonic() - looked
            it._node()
            return it.client.ready

    def test_a_lease_that_is_not_renewed_makes_the_node_unknown(self):
        self.assertEqual(self.condition(looked=2), "Unknown")

    def test_an_outage_of_the_api_does_not(self):
        self.assertEqual(self.condition(looked=8), "True")


class Command(unittest.TestCase):
    def test_a_directory_of_somebody_else_is_refused(self):
        with tempfile.TemporaryDirectory() as root:
            with open(root + "/precious", "w", encoding="utf-8"):
                pass
            self.assertIn("not empty and not a sandbox", run(SANDBOX, "up", root, code=1))
            self.assertIn("is not a sandbox", run(SANDBOX, "down", root, "--delete", code=1))
            self.assertEqual(os.listdir(root), ["precious"])

    def test_help(self):
        self.assertIn("COMMAND", run(SANDBOX, "--help"))
        self.assertIn("apply-hang", run(SANDBOX, "faults"))
        for command in ("up", "break"):
            self.assertIn("usage:", run(SANDBOX, command, "--help"))


class Yaml(unittest.TestCase):
    def test_what_kubeadm_writes(self):
        text = "# note\na:\n- b: 'x'\n  c: \"y\\n\"  # end\n- d\n- - 1\ne:\n  f: {}\n  g: true\n  h: null\n  i: a=b:c\n  j: -1\n"
        self.assertEqual(yamlreader.load(text), {"a": [{"b": "x", "c": "y\n"}, "d", [1]], "e": {"f": {}, "g": True, "h": None, "i": "a=b:c", "j": -1}})

    def test_the_rest_is_refused(self):
        for text in ("a: |\n  x", "a: [1]", "a: &x b", "\ta: 1", "a: 1\na: 2", "a:\n  b: 1\n c: 2", "a: b: c", "a: 1\n---\nb: 1", "a: 'x", "just text\nmore"):
            with self.assertRaises(yamlreader.YamlError, msg=text):
                yamlreader.load(text)


if __name__ == "__main__":
    unittest.main()
