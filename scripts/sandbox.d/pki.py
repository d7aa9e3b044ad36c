"""The cluster's keys, certificates and kubeconfigs, named and shaped as kubeadm's, made with the openssl command."""
import base64
import os
import subprocess
import tempfile

import box

DAYS, CA_DAYS = 365, 3650
SERVER, CLIENT, BOTH = "serverAuth", "clientAuth", "serverAuth,clientAuth"


def leaves(node, ip):
    """Certificate → (CA, subject, extended key usage, alternative names)."""
    kube = f"DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:{node}"
    local = f"DNS:localhost,DNS:{node},IP:{ip},IP:127.0.0.1,IP:::1"
    return {
        "apiserver": ("ca", "/CN=kube-apiserver", SERVER, f"{kube},IP:10.96.0.1,IP:{ip},IP:127.0.0.1"),
        "apiserver-kubelet-client": ("ca", "/O=system:masters/CN=kube-apiserver-kubelet-client", CLIENT, ""),
        "front-proxy-client": ("front-proxy-ca", "/CN=front-proxy-client", CLIENT, ""),
        "apiserver-etcd-client": ("etcd/ca", "/O=system:masters/CN=kube-apiserver-etcd-client", CLIENT, ""),
        "etcd/server": ("etcd/ca", f"/CN={node}", BOTH, local),
        "etcd/peer": ("etcd/ca", f"/CN={node}", BOTH, local),
        "etcd/healthcheck-client": ("etcd/ca", "/O=system:masters/CN=kube-etcd-healthcheck-client", CLIENT, ""),
    }


def users(node):
    """Kubeconfig → (user name in it, subject)."""
    return {
        "admin.conf": ("kubernetes-admin", "/O=system:masters/CN=kubernetes-admin"),
        "kubelet.conf": ("system:node:" + node, f"/O=system:nodes/CN=system:node:{node}"),
        "controller-manager.conf": ("system:kube-controller-manager", "/CN=system:kube-controller-manager"),
        "scheduler.conf": ("system:kube-scheduler", "/CN=system:kube-scheduler"),
    }


AUTHORITIES = {"ca": "kubernetes", "etcd/ca": "etcd-ca", "front-proxy-ca": "front-proxy-ca"}


def _openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *args], input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise box.Error(f"openssl {args[0]} failed: {done.stderr.decode().strip()}. Is the openssl package installed?")
    return done.stdout


def _key(path):
    pem = _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
    box.write_file(path, pem, 0o600)


def _sign(key, subject, usage, names, ca):
    """A leaf certificate (PEM) for `key`, signed by the CA with path prefix `ca`."""
    with tempfile.NamedTemporaryFile("w", suffix=".ext") as ext:
        ext.write(f"keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage={usage}\nbasicConstraints=critical,CA:FALSE\n"
                  "authorityKeyIdentifier=keyid\n" + (f"subjectAltName={names}\n" if names else ""))
        ext.flush()
        request = _openssl("req", "-new", "-key", key, "-subj", subject)
        return _openssl("x509", "-req", "-CA", ca + ".crt", "-CAkey", ca + ".key", "-set_serial", "0x" + os.urandom(8).hex(),
                        "-days", str(DAYS), "-sha256", "-extfile", ext.name, stdin=request)


class Pki:
    def __init__(self, sandbox, node, ip):
        self.node, self.ip, self.sandbox = node, ip, sandbox
        self.dir = sandbox.path("/etc/kubernetes/pki")

    def create(self):
        os.makedirs(self.dir + "/etcd", exist_ok=True)
        for name, common in AUTHORITIES.items():
            path = f"{self.dir}/{name}"
            _key(path + ".key")
            box.write_file(path + ".crt", _openssl(
                "req", "-x509", "-new", "-key", path + ".key", "-subj", "/CN=" + common, "-days", str(CA_DAYS),
                "-addext", "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign", "-addext", f"subjectAltName=DNS:{common}"))
        for name in leaves(self.node, self.ip):
            _key(f"{self.dir}/{name}.key")
            self.renew(name)
        _key(self.dir + "/sa.key")
        box.write_file(self.dir + "/sa.pub", _openssl("pkey", "-in", self.dir + "/sa.key", "-pubout"), 0o600)
        for conf in users(self.node):
            self.renew(conf)

    def renew(self, name):
        """A new certificate for the same key; for a kubeconfig a new key too, as kubeadm does."""
        if name.endswith(".conf"):
            return self._kubeconfig(name)
        ca, subject, usage, names = leaves(self.node, self.ip)[name]
        path = f"{self.dir}/{name}"
        return box.write_file(path + ".crt", _sign(path + ".key", subject, usage, names, f"{self.dir}/{ca}"))

    def _kubeconfig(self, conf):
        user, subject = users(self.node)[conf]
        with tempfile.NamedTemporaryFile(suffix=".key") as key:
            key.write(_openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
            key.flush()
            certificate = _sign(key.name, subject, CLIENT, "", self.dir + "/ca")
            key.seek(0)
            private = key.read()
        with open(self.dir + "/ca.crt", "rb") as f:
            authority = f.read()
        data = [base64.b64encode(x).decode() for x in (authority, certificate, private)]
        box.write_file(self.sandbox.path("/etc/kubernetes/" + conf), f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {data[0]}
    server: {self.sandbox.server}
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: {user}
  name: {user}@kubernetes
current-context: {user}@kubernetes
kind: Config
preferences: {{}}
users:
- name: {user}
  user:
    client-certificate-data: {data[1]}
    client-key-data: {data[2]}
""", 0o600)


def self_signed(path):
    """A certificate of nobody, as controller-manager and scheduler make for their health port."""
    _key(path + ".key")
    box.write_file(path + ".crt", _openssl("req", "-x509", "-new", "-key", path + ".key", "-subj", "/CN=localhost", "-days", str(DAYS)))


def expiry(pem_path_or_data):
    """notAfter as openssl prints it, e.g. "Nov 21 03:27:49 2027 GMT"."""
    data = pem_path_or_data
    if isinstance(data, str):
        with open(data, "rb") as f:
            data = f.read()
    return _openssl("x509", "-noout", "-enddate", stdin=data).decode().strip().partition("=")[2]
