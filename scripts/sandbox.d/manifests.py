"""The four static-pod manifests, written as kubeadm writes them (v1.27 and v1.28), and kubeadm's own names of images."""
import box

PKI = "/etc/kubernetes/pki"
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def image(component, version, etcd_tag):
    return f"{box.REGISTRY}/{component}:{etcd_tag if component == 'etcd' else version}"


def images(version, etcd_tag):
    """As `kubeadm config images list` prints them."""
    names = [f"{box.REGISTRY}/{c}:{version}" for c in (*CONTROL_PLANE, "kube-proxy")]
    return names + [f"{box.REGISTRY}/pause:3.9", f"{box.REGISTRY}/etcd:{etcd_tag}", f"{box.REGISTRY}/coredns/coredns:v1.10.1"]


def etcd_flags(node, ip, ports, data_dir):
    peer, client = f"https://{ip}:{ports['etcd_peer']}", f"https://{ip}:{ports['etcd']}"
    return [
        f"--advertise-client-urls={client}",
        f"--cert-file={PKI}/etcd/server.crt",
        "--client-cert-auth=true",
        f"--data-dir={data_dir}",
        "--experimental-initial-corrupt-check=true",
        "--experimental-watch-progress-notify-interval=5s",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={node}={peer}",
        f"--key-file={PKI}/etcd/server.key",
        f"--listen-client-urls=https://127.0.0.1:{ports['etcd']},{client}",
        f"--listen-metrics-urls=http://127.0.0.1:{ports['etcd_metrics']}",
        f"--listen-peer-urls={peer}",
        f"--name={node}",
        f"--peer-cert-file={PKI}/etcd/peer.crt",
        "--peer-client-cert-auth=true",
        f"--peer-key-file={PKI}/etcd/peer.key",
        f"--peer-trusted-ca-file={PKI}/etcd/ca.crt",
        "--snapshot-count=10000",
        f"--trusted-ca-file={PKI}/etcd/ca.crt",
    ]


def apiserver_flags(ip, ports):
    return [
        f"--advertise-address={ip}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        f"--client-ca-file={PKI}/ca.crt",
        "--enable-admission-plugins=NodeRestriction",
        "--enable-bootstrap-token-auth=true",
        f"--etcd-cafile={PKI}/etcd/ca.crt",
        f"--etcd-certfile={PKI}/apiserver-etcd-client.crt",
        f"--etcd-keyfile={PKI}/apiserver-etcd-client.key",
        f"--etcd-servers=https://127.0.0.1:{ports['etcd']}",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
        f"--proxy-client-cert-file={PKI}/front-proxy-client.crt",
        f"--proxy-client-key-file={PKI}/front-proxy-client.key",
        "--requestheader-allowed-names=front-proxy-client",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--secure-port={ports['apiserver']}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={PKI}/sa.pub",
        f"--service-account-signing-key-file={PKI}/sa.key",
        "--service-cluster-ip-range=10.96.0.0/12",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
    ]


def controller_manager_flags(ports):
    conf = "/etc/kubernetes/controller-manager.conf"
    return [
        f"--authentication-kubeconfig={conf}",
        f"--authorization-kubeconfig={conf}",
        "--bind-address=127.0.0.1",
        f"--client-ca-file={PKI}/ca.crt",
        "--cluster-name=kubernetes",
        f"--cluster-signing-cert-file={PKI}/ca.crt",
        f"--cluster-signing-key-file={PKI}/ca.key",
        "--controllers=*,bootstrapsigner,tokencleaner",
        f"--kubeconfig={conf}",
        "--leader-elect=true",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        f"--root-ca-file={PKI}/ca.crt",
        f"--secure-port={ports['controller_manager']}",
        f"--service-account-private-key-file={PKI}/sa.key",
        "--use-service-account-credentials=true",
    ]


def scheduler_flags(ports):
    conf = "/etc/kubernetes/scheduler.conf"
    return [
        f"--authentication-kubeconfig={conf}",
        f"--authorization-kubeconfig={conf}",
        "--bind-address=127.0.0.1",
        f"--kubeconfig={conf}",
        "--leader-elect=true",
        f"--secure-port={ports['scheduler']}",
    ]


CERTIFICATES = [  # directories of the host that hold certificate authorities: name, path, how they are made
    ("ca-certs", "/etc/ssl/certs", "DirectoryOrCreate"),
    ("etc-ca-certificates", "/etc/ca-certificates", "DirectoryOrCreate"),
    ("k8s-certs", PKI, "DirectoryOrCreate"),
    ("usr-local-share-ca-certificates", "/usr/local/share/ca-certificates", "DirectoryOrCreate"),
    ("usr-share-ca-certificates", "/usr/share/ca-certificates", "DirectoryOrCreate"),
]


def _volumes(component, data_dir):
    """(name, path, type, read only) in kubeadm's order."""
    if component == "etcd":
        return [("etcd-data", data_dir, "DirectoryOrCreate", False), ("etcd-certs", PKI + "/etcd", "DirectoryOrCreate", False)]
    if component == "kube-scheduler":
        return [("kubeconfig", "/etc/kubernetes/scheduler.conf", "FileOrCreate", True)]
    out = [(*c, True) for c in CERTIFICATES]
    if component == "kube-controller-manager":
        out.append(("flexvolume-dir", "/usr/libexec/kubernetes/kubelet-plugins/volume/exec", "DirectoryOrCreate", False))
        out.append(("kubeconfig", "/etc/kubernetes/controller-manager.conf", "FileOrCreate", True))
    return sorted(out)


def _probe(kind, host, path, port, scheme, delay=10, failures=8, period=10, timeout=15):
    delay_line = f"      initialDelaySeconds: {delay}\n" if delay else ""
    return (f"    {kind}:\n      failureThreshold: {failures}\n      httpGet:\n        host: {host}\n        path: {path}\n"
            f"        port: {port}\n        scheme: {scheme}\n{delay_line}      periodSeconds: {period}\n      timeoutSeconds: {timeout}\n")


def _probes(component, ip, ports):
    """liveness, readiness, startup"""
    if component == "kube-apiserver":
        where = (ip, "/livez", ports["apiserver"], "HTTPS")
        return (_probe("livenessProbe", *where), _probe("readinessProbe", ip, "/readyz", ports["apiserver"], "HTTPS", 0, 3, 1),
                _probe("startupProbe", *where, failures=24))
    if component == "etcd":
        port = ports["etcd_metrics"]
        return (_probe("livenessProbe", "127.0.0.1", "/health?exclude=NOSPACE&serializable=true", port, "HTTP"), "",
                _probe("startupProbe", "127.0.0.1", "/health?serializable=false", port, "HTTP", failures=24))
    port = ports["controller_manager" if component == "kube-controller-manager" else "scheduler"]
    where = ("127.0.0.1", "/healthz", port, "HTTPS")
    return _probe("livenessProbe", *where), "", _probe("startupProbe", *where, failures=24)


def render(component, node, ip, ports, image_name, data_dir="/var/lib/etcd"):
    """One manifest, as `kubeadm init` writes it."""
    flags = {"etcd": lambda: etcd_flags(node, ip, ports, data_dir), "kube-apiserver": lambda: apiserver_flags(ip, ports),
             "kube-controller-manager": lambda: controller_manager_flags(ports), "kube-scheduler": lambda: scheduler_flags(ports)}[component]()
    annotations = {"etcd": f"    kubeadm.kubernetes.io/etcd.advertise-client-urls: https://{ip}:{ports['etcd']}\n",
                   "kube-apiserver": f"    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: {ip}:{ports['apiserver']}\n"}
    note = "  annotations:\n" + annotations[component] if component in annotations else ""
    liveness, readiness, startup = _probes(component, ip, ports)
    cpu, memory = {"etcd": ("100m", "        memory: 100Mi\n"), "kube-apiserver": ("250m", ""), "kube-controller-manager": ("200m", ""), "kube-scheduler": ("100m", "")}[component]
    volumes = _volumes(component, data_dir)
    mounts = "".join(f"    - mountPath: {path}\n      name: {name}\n" + ("      readOnly: true\n" if ro else "") for name, path, _, ro in volumes)
    if component == "etcd":
        volumes = volumes[::-1]
    sources = "".join(f"  - hostPath:\n      path: {path}\n      type: {kind}\n    name: {name}\n" for name, path, kind, _ in volumes)
    return f"""apiVersion: v1
kind: Pod
metadata:
{note}  creationTimestamp: null
  labels:
    component: {component}
    tier: control-plane
  name: {component}
  namespace: kube-system
spec:
  containers:
  - command:
    - {component}
{''.join(f'    - {flag}' + chr(10) for flag in flags)}    image: {image_name}
    imagePullPolicy: IfNotPresent
{liveness}    name: {component}
{readiness}    resources:
      requests:
        cpu: {cpu}
{memory}{startup}    volumeMounts:
{mounts}  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  volumes:
{sources}status: {{}}
"""
