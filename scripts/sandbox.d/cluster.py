"""The objects that a new cluster has (as `kubeadm init` leaves them), example objects, and whether all is ready."""
import json
import uuid

import box
from etcdkv import Etcd

KUBELET_CONFIG = """apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
healthzBindAddress: 127.0.0.1
healthzPort: 10248
kind: KubeletConfiguration
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
"""
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
APPS = "/apis/apps/v1/namespaces"


def cluster_configuration(sandbox, version):
    marker = sandbox.marker()
    return f"""apiServer:
  extraArgs:
    authorization-mode: Node,RBAC
    secure-port: "{marker['ports']['apiserver']}"
  timeoutForControlPlane: 4m0s
apiVersion: kubeadm.k8s.io/v1beta3
certificatesDir: /etc/kubernetes/pki
clusterName: kubernetes
controlPlaneEndpoint: 127.0.0.1:{marker['ports']['apiserver']}
controllerManager:
  extraArgs:
    secure-port: "{marker['ports']['controller_manager']}"
dns: {{}}
etcd:
  local:
    dataDir: {marker['data_dir']}
imageRepository: registry.k8s.io
kind: ClusterConfiguration
kubernetesVersion: {version}
networking:
  dnsDomain: cluster.local
  serviceSubnet: 10.96.0.0/12
scheduler:
  extraArgs:
    secure-port: "{marker['ports']['scheduler']}"
"""


def configmap(name, data, namespace="kube-system"):
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def workload(name, namespace, labels, image, replicas=None):
    """A Deployment, or a DaemonSet when there is no number of replicas."""
    spec = {"selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": image}], "restartPolicy": "Always"}}}
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": {**spec, **({} if replicas is None else {"replicas": replicas})}}


def service(name, namespace, selector, ip, port):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "selector": selector, "type": "ClusterIP",
            "ports": [{"port": port, "protocol": "TCP", "targetPort": port}]}}


def upload_config(sandbox, client, version):
    client.ensure("/api/v1/namespaces/kube-system/configmaps", configmap("kubeadm-config", {"ClusterConfiguration": cluster_configuration(sandbox, version)}))


def upload_kubelet_config(client):
    client.ensure("/api/v1/namespaces/kube-system/configmaps", configmap("kubelet-config", {"kubelet": KUBELET_CONFIG}))


def coredns(client):
    core = "/api/v1/namespaces/kube-system"
    client.ensure(core + "/configmaps", configmap("coredns", {"Corefile": ".:53 {\n    kubernetes cluster.local\n}\n"}))
    client.ensure(core + "/services", service("kube-dns", "kube-system", {"k8s-app": "kube-dns"}, "10.96.0.10", 53))
    client.ensure(APPS + "/kube-system/deployments", workload("coredns", "kube-system", {"k8s-app": "kube-dns"}, "registry.k8s.io/coredns/coredns:v1.10.1", 2))


def kube_proxy(client, version):
    client.ensure("/api/v1/namespaces/kube-system/configmaps", configmap("kube-proxy", {"config.conf": "kind: KubeProxyConfiguration\n"}))
    client.ensure(APPS + "/kube-system/daemonsets", workload("kube-proxy", "kube-system", {"k8s-app": "kube-proxy"}, f"registry.k8s.io/kube-proxy:{version}"))


def install(sandbox, client):
    """What `kubeadm init` uploads; a sandbox that starts again has it already."""
    if client.read("/api/v1/namespaces/kube-system/configmaps/kubeadm-config"):
        return
    version = sandbox.marker()["version"]
    for name in NAMESPACES:
        client.ensure("/api/v1/namespaces", {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
        client.ensure(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    client.ensure("/api/v1/namespaces/default/services", service("kubernetes", "default", None, "10.96.0.1", 443))
    client.ensure("/api/v1/namespaces/kube-public/configmaps", configmap("cluster-info", {"kubeconfig": ""}, "kube-public"))
    upload_config(sandbox, client, version)
    upload_kubelet_config(client)
    coredns(client)
    kube_proxy(client, version)


def objects(client):
    """Namespace demo with configmap cm1, secret s1, deployment and service web."""
    client.ensure("/api/v1/namespaces", {"metadata": {"name": "demo", "labels": {"kubernetes.io/metadata.name": "demo"}}})
    client.ensure("/api/v1/namespaces/demo/configmaps", configmap("cm1", {"key": "value"}, "demo"))
    client.ensure("/api/v1/namespaces/demo/secrets", {"metadata": {"name": "s1"}, "type": "Opaque", "data": {"password": "czNjcjN0"}})
    client.ensure(APPS + "/demo/deployments", workload("web", "demo", {"app": "web"}, "docker.io/library/busybox:sandbox", 2))
    client.ensure("/api/v1/namespaces/demo/services", service("web", "demo", {"app": "web"}, "10.96.0.80", 80))


def etcd_client(sandbox):
    pki = sandbox.path("/etc/kubernetes/pki")
    return Etcd([f"https://127.0.0.1:{sandbox.ports['etcd']}"], pki + "/etcd/ca.crt", pki + "/apiserver-etcd-client.crt", pki + "/apiserver-etcd-client.key")


def seed(sandbox, count):
    """`count` configmaps of about 1 KB in namespace seed, straight into etcd."""
    made = {"namespace": "seed", "creationTimestamp": box.now()}

    def value(name, **more):
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**made, "name": name, "uid": str(uuid.uuid4())}, **more})
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "seed", "uid": str(uuid.uuid4()), "creationTimestamp": box.now()},
             "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    pairs = [("/registry/namespaces/seed", json.dumps(space))]
    pairs += [(f"/registry/configmaps/seed/seed-{n:06}", value(f"seed-{n:06}", data={"text": f"{n:08} " * 100})) for n in range(count)]
    etcd_client(sandbox).put_many(pairs)


# ---------------------------------------------------------------- is it ready?

def condition(obj, kind):
    return next((c["status"] for c in (obj.get("status") or {}).get("conditions", []) if c["type"] == kind), None)


def not_ready(client):
    """What is not ready, in words; an empty list when all is well."""
    status, text = client.get("/readyz")
    if status != 200:
        return [f"API server: /readyz says {status}"]
    out = []
    node = client.read(f"/api/v1/nodes/{box.NODE}")
    if not node or condition(node, "Ready") != "True":
        out.append(f"node {box.NODE}")
    if not client.read(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{box.NODE}"):
        out.append(f"lease of {box.NODE}")
    pods = client.items("/api/v1/namespaces/kube-system/pods")
    for component in ("etcd", *box.COMPONENTS):
        if not any(p["metadata"]["name"] == f"{component}-{box.NODE}" and condition(p, "Ready") == "True" for p in pods):
            out.append(f"pod {component}-{box.NODE}")
    for name, wanted in (("kube-dns", 2), ("kube-proxy", 1)):
        ready = sum(condition(p, "Ready") == "True" for p in pods if (p["metadata"].get("labels") or {}).get("k8s-app") == name)
        if ready < wanted:
            out.append(f"{name}: {ready} of {wanted} pods")
    return out
