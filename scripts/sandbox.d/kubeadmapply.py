"""`kubeadm upgrade apply`: what the real one does, in its order, with its exit codes and its way of rolling back."""
import datetime
import os
import re
import shutil
import signal
import sys
import time

import box
import cluster
import cri
import manifests
from apiclient import Unreachable
from etcdkv import EtcdError
from pki import Pki

LIMIT = "5m0s"  # what the messages say; the sandbox waits for its setting kubeadm_limit
CERTIFICATES = {"etcd": ("etcd/server", "etcd/peer", "etcd/healthcheck-client"),
                "kube-apiserver": ("apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client"),
                "kube-controller-manager": ("controller-manager.conf",), "kube-scheduler": ("scheduler.conf",)}
HASH = "kubernetes.io/config.hash"


class Fatal(Exception):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


def say(*lines):
    for line in lines:
        print(line, flush=True)


def minor(version):
    return tuple(int(n) for n in version.lstrip("v").split(".")[:2])


def numbers(version):
    return tuple(int(n) for n in version.lstrip("v").split("."))


def version_errors(target, current, kubeadm):
    """Why this version cannot be applied, as kubeadm says it."""
    out = []
    if numbers(target) > numbers(kubeadm):
        out.append(f'Specified version to upgrade to "{target}" is higher than the kubeadm version "{kubeadm}". Upgrade kubeadm first using the tool you used to install kubeadm')
    if minor(target)[1] - minor(current)[1] > 1:
        out.append(f'Specified version to upgrade to "{target}" is too high; kubeadm can upgrade only 1 minor version at a time')
    if minor(kubeadm)[1] - minor(target)[1] > 1 or minor(current)[1] - minor(target)[1] > 1:
        out.append(f'Specified version to upgrade to "{target}" is too low; kubeadm "{kubeadm}" handles its own minor version and the one before')
    return out


def copy_if_there(source, target):
    """etcd lives on while its directory is copied: a file may be gone by now."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        pass


def check_cluster(sandbox, client):
    """The cluster's version from kubeadm-config."""
    found = client.read("/api/v1/namespaces/kube-system/configmaps/kubeadm-config")
    match = re.search(r"^kubernetesVersion: (\S+)$", (found or {}).get("data", {}).get("ClusterConfiguration", ""), re.M)
    if not match:
        raise Fatal('[upgrade/config] FATAL: failed to get config map: configmaps "kubeadm-config" not found', 1)
    return match.group(1)


class Apply:
    def __init__(self, sandbox, client, options, target):
        self.sandbox, self.client, self.options, self.target = sandbox, client, options, target
        self.marker, self.faults, self.limit = sandbox.marker(), sandbox.faults(), sandbox.setting("kubeadm_limit")
        self.runtime = cri.Runtime(sandbox)
        self.stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S")
        self.backup = None
        self.renew = options.get("certificate-renewal", "true") != "false"

    def run(self):
        self.preflight()
        if "dry-run" in self.options:
            self.dry_run()
            return
        self.prepull()
        say(f'[upgrade/apply] Upgrading your Static Pod-hosted control plane to version "{self.target}" (timeout: {LIMIT})...')
        self.control_plane()
        self.addons()
        say("", f'[upgrade/successful] SUCCESS! Your cluster was upgraded to "{self.target}". Enjoy!', "",
            "[upgrade/kubelet] Now that your control plane is upgraded, please proceed with upgrading your kubelets if you haven't already done so.")

    # ------------------------------------------------------------ before anything is changed

    def preflight(self):
        say("[upgrade/config] Making sure the configuration is correct:", "[upgrade/config] Reading configuration from the cluster...",
            "[upgrade/config] FYI: You can look at this config file with 'kubectl -n kube-system get cm kubeadm-config -o yaml'")
        current = check_cluster(self.sandbox, self.client)
        say("[preflight] Running pre-flight checks.")
        if "apply-early" in self.faults:
            raise Fatal("error execution phase preflight: [preflight] Some fatal errors occurred:\n\t[ERROR SandboxFault]: broken on purpose by sandbox break\n"
                        "[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`", 1)
        say("[upgrade] Running cluster health checks")
        self.health()
        kubeadm = self.sandbox.installed("kubeadm")
        say(f'[upgrade/version] You have chosen to change the cluster version to "{self.target}"', f"[upgrade/versions] Cluster version: {current}",
            f"[upgrade/versions] kubeadm version: {kubeadm}")
        if not re.fullmatch(r"v\d+\.\d+\.\d+", self.target):
            raise Fatal(f"[upgrade/version] FATAL: the version argument is invalid: couldn't parse {self.target}", 1)
        errors = version_errors(self.target, current, kubeadm)
        if errors:
            raise Fatal("[upgrade/version] FATAL: the version argument is invalid due to these fatal errors:\n\n" + "".join(f"\t- {e}\n" for e in errors)
                        + "\nPlease fix the misalignments highlighted above and try upgrading again", 1)
        if not {"y", "yes", "f", "force", "dry-run"} & self.options.keys():
            print("[upgrade] Are you sure you want to proceed? [y/N]: ", end="", flush=True)
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                raise Fatal("won't proceed; the user didn't answer (Y|y) in order to continue", 1)

    def health(self):
        """The API server's, the nodes', the manifests', and a Job that is made and deleted, as kubeadm does."""
        errors = []
        try:
            if self.client.get("/healthz")[0] != 200:
                errors.append("[ERROR ControlPlaneNodesReady]: the API Server is unhealthy; /healthz didn't return \"ok\"")
            for node in self.client.items("/api/v1/nodes"):
                if cluster.condition(node, "Ready") != "True":
                    errors.append(f"[ERROR ControlPlaneNodesReady]: there are NotReady control-planes in the cluster: [{node['metadata']['name']}]")
            path = "/apis/batch/v1/namespaces/kube-system/jobs"
            _, job = self.client.create(path, {"metadata": {"generateName": "upgrade-health-check-", "namespace": "kube-system"}, "spec": {"template": {}}})
            self.client.delete(f"{path}/{job['metadata']['name']}")
        except Unreachable as error:
            errors.append(f"[ERROR CreateJob]: {error}")
        for component in manifests.CONTROL_PLANE:
            if not os.path.exists(self.file(component)):
                errors.append(f"[ERROR StaticPodManifest]: The control plane seems to be Static Pod-hosted, but some of the manifests don't seem to exist on disk: {component}.yaml")
        if errors:
            raise Fatal("[upgrade/health] FATAL: [preflight] Some fatal errors occurred:\n" + "".join(f"\t{e}\n" for e in errors)
                        + "[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`", 1)

    def prepull(self):
        say("[upgrade/prepull] Pulling images required for setting up a Kubernetes cluster",
            "[upgrade/prepull] This might take a minute or two, depending on the speed of your internet connection",
            "[upgrade/prepull] You can also perform this action in beforehand using 'kubeadm config images pull'")
        for ref in manifests.images(self.target, self.sandbox.etcd_tag()):
            try:
                self.runtime.pull(ref)
            except box.Error as error:
                raise Fatal(f"[preflight] Some fatal errors occurred:\n\t[ERROR ImagePull]: failed to pull image {ref}: output: {error}\n, error: exit status 1\n"
                            "[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`", 2) from None

    def dry_run(self):
        directory = self.tmp(f"kubeadm-upgrade-dryrun{time.time_ns() % 10**9}")
        say("[upgrade/prepull] Would pull the required images (like 'kubeadm config images pull')",
            f'[upgrade/apply] Would upgrade your Static Pod-hosted control plane to version "{self.target}"...',
            f'[dryrun] Wrote certificates, kubeconfig files and control plane manifests to the "{directory}" directory')
        for component in manifests.CONTROL_PLANE:
            box.write_file(self.sandbox.path(f"{directory}/{component}.yaml"), self.manifest(component), 0o600)
        say("[upgrade/successful] SUCCESS! The dry run is done: nothing was changed.")

    # ------------------------------------------------------------ the static pods

    def file(self, component):
        return self.sandbox.path(f"/etc/kubernetes/manifests/{component}.yaml")

    def tmp(self, name):
        path = f"/etc/kubernetes/tmp/{name}"
        os.makedirs(self.sandbox.path(path), 0o700, exist_ok=True)
        return path

    def manifest(self, component):
        image = manifests.image(component, self.target, self.sandbox.etcd_tag())
        return manifests.render(component, self.marker["node"], self.marker["node_ip"], self.marker["ports"], image, self.marker["data_dir"])

    def control_plane(self):
        self.new = self.tmp(f"kubeadm-upgraded-manifests{time.time_ns() % 10**9}")
        self.backup = self.tmp(f"kubeadm-backup-manifests-{self.stamp}")
        self.moved = []
        if self.options.get("etcd-upgrade", "true") != "false":
            self.etcd()
        say(f'[upgrade/staticpods] Writing new Static Pod manifests to "{self.new}"')
        for component in manifests.CONTROL_PLANE:
            if component == "kube-apiserver" and "etcd-corrupt" in self.faults:
                self.corrupt_etcd()
            self.component(component)
            if component == "kube-apiserver":
                self.after_apiserver()
        if self.renew:
            say("[upgrade/staticpods] Renewing admin.conf certificate")
            self.pki().renew("admin.conf")

    def pki(self):
        return Pki(self.sandbox, self.marker["node"], self.marker["node_ip"])

    def etcd(self):
        say('[upgrade/etcd] Upgrading to TLS for etcd')
        copy = self.sandbox.path(f"/etc/kubernetes/tmp/kubeadm-backup-etcd-{self.stamp}/etcd")
        shutil.copytree(self.sandbox.path(self.marker["data_dir"]), copy, copy_function=copy_if_there, dirs_exist_ok=True)
        with open(self.file("etcd"), encoding="utf-8") as f:
            have = re.search(r"^    image: (\S+)$", f.read(), re.M).group(1).rpartition(":")[2]
        if have == self.sandbox.etcd_tag():
            say(f'[upgrade/etcd] Non fatal issue encountered during upgrade: the desired etcd version "{have}" is not newer than the currently installed "{have}". '
                "Skipping etcd upgrade")
            return
        self.component("etcd")
        say("[upgrade/etcd] Waiting for etcd to become available")
        if not box.until(self.limit, self._etcd_answers, 0.1):
            self.rollback("etcd", "timeout waiting for etcd cluster to be available")

    def _etcd_answers(self):
        try:
            cluster.etcd_client(self.sandbox).healthy()
            return True
        except (OSError, EtcdError):
            return False

    def component(self, component):
        say(f'[upgrade/staticpods] Preparing for "{component}" upgrade')
        before = self.mirror(component)
        box.write_file(self.sandbox.path(f"{self.new}/{component}.yaml"), self.manifest(component), 0o600)
        with open(self.file(component), encoding="utf-8") as f:
            old = f.read()
        if old == self.manifest(component):
            say(f'[upgrade/staticpods] Current and new manifests of {component} are equal, skipping upgrade')
            return
        for name in CERTIFICATES[component] if self.renew else ():
            say(f"[upgrade/staticpods] Renewing {name.replace('/', '-')} certificate")
            self.pki().renew(name)
        os.rename(self.file(component), self.sandbox.path(f"{self.backup}/{component}.yaml"))
        self.moved.append(component)
        os.rename(self.sandbox.path(f"{self.new}/{component}.yaml"), self.file(component))
        say(f'[upgrade/staticpods] Moved new manifest to "/etc/kubernetes/manifests/{component}.yaml" and backed up old manifest to "{self.backup}/{component}.yaml"',
            "[upgrade/staticpods] Waiting for the kubelet to restart the component",
            f"[upgrade/staticpods] This might take a minute or longer depending on the component/version gap (timeout {LIMIT})")
        self.wait(component, before)
        say(f'[upgrade/staticpods] Component "{component}" upgraded successfully!')

    def mirror(self, component):
        """(config hash, phase) of the component's mirror pod; ("", "") while the API does not say."""
        try:
            pod = self.client.read(f"/api/v1/namespaces/kube-system/pods/{component}-{box.NODE}")
        except Unreachable:
            return "", ""
        return (pod["metadata"]["annotations"][HASH], pod["status"].get("phase")) if pod else ("", "")

    def wait(self, component, before):
        if not box.until(self.limit, lambda: self.mirror(component)[0] not in ("", before[0]), 0.1):
            self.rollback(component, f"static Pod hash for component {component} on Node {box.NODE} did not change after {LIMIT}: timed out waiting for the condition")
        say(f"[apiclient] Found 1 Pods for label selector component={component}")
        if not box.until(self.limit, lambda: self.mirror(component)[1] == "Running", 0.1):
            self.rollback(component, f"timed out waiting for the pods of component {component} to run")

    def rollback(self, component, why):
        """The old manifests of all that was moved come back; certificates that were renewed stay."""
        for name in self.moved:
            os.rename(self.sandbox.path(f"{self.backup}/{name}.yaml"), self.file(name))
        raise Fatal("[upgrade/apply] FATAL: couldn't upgrade control plane. kubeadm has tried to recover everything into the earlier state. "
                    f"Errors faced: {why}", 1)

    # ------------------------------------------------------------ faults in the middle

    def after_apiserver(self):
        if "apply-killed" in self.faults:
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow-apply" in self.faults:
            seconds = self.faults["slow-apply"]["seconds"]
            for second in range(1, int(seconds) + 1):
                time.sleep(1)
                say(f"[upgrade/staticpods] Still waiting for the kubelet to restart the component ({second} of {seconds:g} s)")

    def corrupt_etcd(self):
        """Both of the db's meta pages and a few of its first data pages, and etcd killed before it writes them again."""
        container = next(c for c in self.runtime.containers() if c["metadata"]["name"] == "etcd" and c["state"] == cri.RUNNING)
        with open(self.sandbox.path(self.marker["data_dir"] + "/member/snap/db"), "r+b") as db:
            for offset in range(0, 8 * 4096, 4096):
                db.seek(offset + 16)
                db.write(b"\xa5" * 64)
            db.flush()
            os.fsync(db.fileno())
        self.runtime.kill(container["id"])

    # ------------------------------------------------------------ what follows the control plane

    def addons(self):
        core = "in the \"kube-system\" Namespace"
        say(f'[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" {core}')
        cluster.upload_config(self.sandbox, self.client, self.target)
        say('[kubelet] Creating a ConfigMap "kubelet-config" in namespace kube-system with the configuration for the kubelets in the cluster')
        cluster.upload_kubelet_config(self.client)
        self.kubelet_config()
        say("[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to get nodes",
            "[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to post CSRs in order for nodes to get long term certificate credentials",
            "[bootstrap-token] Configured RBAC rules to allow the csrapprover controller automatically approve CSRs from a Node Bootstrap Token",
            "[bootstrap-token] Configured RBAC rules to allow certificate rotation for all node client certificates in the cluster")
        if "apply-late" in self.faults:
            raise Fatal("[upgrade/postupgrade] FATAL post-upgrade error: unable to create/update the DNS service: broken on purpose by sandbox break", 1)
        cluster.coredns(self.client)
        say("[addons] Applied essential addon: CoreDNS")
        if {"apply-hang", "coredns"} & self.faults.keys():
            while True:
                time.sleep(60)
        cluster.kube_proxy(self.client, self.target)
        say("[addons] Applied essential addon: kube-proxy")

    def kubelet_config(self):
        directory = self.tmp(f"kubeadm-kubelet-config{time.time_ns() % 10**9}")
        say(f"[upgrade] Backing up kubelet config file to {directory}/config.yaml")
        path = self.sandbox.path("/var/lib/kubelet/config.yaml")
        shutil.copy2(path, self.sandbox.path(f"{directory}/config.yaml"))
        say('[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"')
        box.write_file(path, cluster.KUBELET_CONFIG, 0o644)
