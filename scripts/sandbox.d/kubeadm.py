"""Stand-in for kubeadm: version, config images, upgrade plan|apply|node|diff, certs check-expiration."""
import base64
import difflib
import glob
import json
import os
import re
import sys

import box
import cri
import manifests
import pki
import yamlreader
from apiclient import Client, Unreachable
from kubeadmapply import Apply, Fatal, check_cluster, say

USAGE = """usage: kubeadm COMMAND
  version [-o short|json]
  config images list|pull [--kubernetes-version V]
  upgrade plan [V] | apply V [-y] [--dry-run] [--etcd-upgrade=false] [--certificate-renewal=false] [-f] | node | diff V
  certs check-expiration"""
VALUED = ("o", "output", "kubernetes-version", "config", "kubeconfig", "v", "patches", "ignore-preflight-errors", "cri-socket", "feature-gates")


def parse(args):
    """(options, words); an option that may take its value from the next argument is in VALUED."""
    options, words, args = {}, [], list(args)
    while args:
        arg = args.pop(0)
        name, equals, value = arg.lstrip("-").partition("=")
        if not arg.startswith("-"):
            words.append(arg)
        elif equals:
            options[name] = value
        elif name in VALUED and args:
            options[name] = args.pop(0)
        else:
            options[name] = "true"
    return options, words


class Kubeadm:
    def __init__(self, sandbox, options):
        self.sandbox, self.options = sandbox, options
        self.version = sandbox.installed("kubeadm")
        self.client = Client(sandbox.path("/etc/kubernetes/admin.conf"))

    def show_version(self, _):
        form = self.options.get("o") or self.options.get("output")
        major, minor, _ = self.version.lstrip("v").split(".")
        if form == "short":
            print(self.version)
        elif form == "json":
            print(json.dumps({"clientVersion": {"major": major, "minor": minor, "gitVersion": self.version, "gitCommit": "sandbox", "gitTreeState": "clean",
                                                "buildDate": "1970-01-01T00:00:00Z", "goVersion": "sandbox", "compiler": "sandbox", "platform": "linux/amd64"}}, indent=2))
        else:
            print(f'kubeadm version: &version.Info{{Major:"{major}", Minor:"{minor}", GitVersion:"{self.version}", Platform:"linux/amd64"}}')

    # ------------------------------------------------------------ images

    def _images(self):
        return manifests.images(self.options.get("kubernetes-version", self.version), self.sandbox.etcd_tag())

    def images_list(self, _):
        if "json" in (self.options.get("o"), self.options.get("output")):
            print(json.dumps({"kind": "Images", "apiVersion": "output.kubeadm.k8s.io/v1alpha2", "images": self._images()}, indent=4))
        else:
            print("\n".join(self._images()))

    def images_pull(self, _):
        runtime = cri.Runtime(self.sandbox)
        for ref in self._images():
            try:
                runtime.pull(ref)
            except box.Error as error:
                raise Fatal(f'failed to pull image "{ref}": output: FATA[0000] pulling image: {error}\n, error: exit status 1', 1) from None
            print(f"[config/images] Pulled {ref}")

    # ------------------------------------------------------------ upgrade

    def plan(self, words):
        say("[upgrade/config] Making sure the configuration is correct:", "[upgrade/config] Reading configuration from the cluster...")
        current = check_cluster(self.sandbox, self.client)
        target = words[0] if words else self.version
        say("[preflight] Running pre-flight checks.", "[upgrade] Running cluster health checks", "[upgrade] Fetching available versions to upgrade to",
            f"[upgrade/versions] Cluster version: {current}", f"[upgrade/versions] kubeadm version: {self.version}",
            f"[upgrade/versions] Target version: {target}", "")
        kubelet = self.sandbox.installed("kubelet")
        if current == target:
            say("You are already on that version: there is nothing to upgrade to.")
            return
        rows = [(c, current, target) for c in manifests.CONTROL_PLANE] + [("kube-proxy", current, target), ("CoreDNS", "v1.10.1", "v1.10.1"),
                ("etcd", self._current_etcd(), self.sandbox.etcd_tag())]
        say("Components that must be upgraded manually after you have upgraded the control plane with 'kubeadm upgrade apply':", "COMPONENT   CURRENT       TARGET",
            f"kubelet     1 x {kubelet}   {target}", "", "Upgrade to the latest stable version:", "", "COMPONENT                 CURRENT    TARGET",
            *(f"{name:<25} {have:<10} {want}" for name, have, want in rows), "", "You can now apply the upgrade by executing the following command:", "",
            f"\tkubeadm upgrade apply {target}", "", "_" * 69, "")

    def _current_etcd(self):
        with open(self.sandbox.path("/etc/kubernetes/manifests/etcd.yaml"), encoding="utf-8") as f:
            return yamlreader.load(f.read())["spec"]["containers"][0]["image"].rpartition(":")[2]

    def apply(self, words):
        if len(words) != 1 and "config" not in self.options:
            raise Fatal("missing one or more required arguments. Required arguments: [version]", 1)
        self.sandbox.register(f"kubeadm-{os.getpid()}")
        try:
            Apply(self.sandbox, self.client, self.options, words[0]).run()
        finally:
            self.sandbox.forget(f"kubeadm-{os.getpid()}")

    def node(self, _):
        say("[upgrade] Reading configuration from the cluster...",
            "[upgrade] FYI: You can look at this config file with 'kubectl -n kube-system get cm kubeadm-config -o yaml'", "[preflight] Running pre-flight checks",
            "[preflight] Pulling images required for setting up a Kubernetes cluster")
        apply = Apply(self.sandbox, self.client, self.options, check_cluster(self.sandbox, self.client))
        say("[upgrade] Upgrading your Static Pod-hosted control plane instance to version "
            f'"{apply.target}"...')
        apply.control_plane()
        say("[upgrade] The control plane instance for this node was successfully updated!")
        apply.kubelet_config()
        say("[upgrade] The configuration for this node was successfully updated!", "[upgrade] Now you should go ahead and upgrade the kubelet package using your package manager.")

    def diff(self, words):
        target = words[0] if words else self.version
        apply = Apply(self.sandbox, self.client, self.options, target)
        for component in manifests.CONTROL_PLANE:
            path = f"/etc/kubernetes/manifests/{component}.yaml"
            with open(self.sandbox.path(path), encoding="utf-8") as f:
                old = f.read()
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), apply.manifest(component).splitlines(True), path, "new manifest"))

    # ------------------------------------------------------------ certificates

    def check_expiration(self, _):
        say("[check-expiration] Reading configuration from the cluster...",
            "[check-expiration] FYI: You can look at this config file with 'kubectl -n kube-system get cm kubeadm-config -o yaml'", "",
            f"{'CERTIFICATE':<27}{'EXPIRES':<25}{'CERTIFICATE AUTHORITY':<26}EXTERNALLY MANAGED")
        directory = self.sandbox.path("/etc/kubernetes")
        for conf in ("admin.conf", "controller-manager.conf", "scheduler.conf"):
            with open(f"{directory}/{conf}", encoding="utf-8") as f:
                data = re.search(r"client-certificate-data: (\S+)", f.read()).group(1)
            say(f"{conf:<27}{self._date(base64.b64decode(data)):<25}{'ca':<26}no")
        for path in sorted(glob.glob(directory + "/pki/**/*.crt", recursive=True)):
            name = os.path.relpath(path, directory + "/pki").removesuffix(".crt").replace("/", "-")
            if not name.endswith("ca"):
                authority = "etcd-ca" if "etcd" in name else "front-proxy-ca" if "front" in name else "ca"
                say(f"{name:<27}{self._date(path):<25}{authority:<26}no")

    @staticmethod
    def _date(certificate):
        month, day, clock, year, _ = pki.expiry(certificate).split()
        return f"{month} {int(day):02}, {year} {clock[:5]} UTC"


COMMANDS = {("version",): "show_version", ("config", "images", "list"): "images_list", ("config", "images", "pull"): "images_pull", ("upgrade", "plan"): "plan",
            ("upgrade", "apply"): "apply", ("upgrade", "node"): "node", ("upgrade", "diff"): "diff", ("certs", "check-expiration"): "check_expiration"}


def main(sandbox, args):
    options, words = parse(args)
    if "help" in options or "h" in options or not words:
        print(USAGE)
        return 0
    for command, method in COMMANDS.items():
        if tuple(words[:len(command)]) == command:
            try:
                getattr(Kubeadm(sandbox, options), method)(words[len(command):])
                return 0
            except Fatal as fatal:
                print(f"{fatal}\nTo see the stack trace of this error execute with --v=5 or higher", file=sys.stderr)
                return fatal.code
            except OSError as error:
                print(f"error execution phase: {error}\nTo see the stack trace of this error execute with --v=5 or higher", file=sys.stderr)
                return 1
            except Unreachable as error:
                print(f"[upgrade/config] FATAL: failed to get config map: {error}\nTo see the stack trace of this error execute with --v=5 or higher", file=sys.stderr)
                return 1
    print(f"unknown command {' '.join(words)!r} for \"kubeadm\"\n{USAGE}", file=sys.stderr)
    return 1
