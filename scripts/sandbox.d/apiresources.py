"""The resources that the API server stand-in knows: where they are in the API, and where in etcd."""
from collections import namedtuple

Resource = namedtuple("Resource", "group version plural kind namespaced key short")

_TABLE = """
              v1 namespaces               Namespace                no  namespaces              ns
              v1 nodes                    Node                     no  minions                 no
              v1 pods                     Pod                      yes pods                    po
              v1 services                 Service                  yes services/specs          svc
              v1 endpoints                Endpoints                yes services/endpoints      ep
              v1 configmaps               ConfigMap                yes configmaps              cm
              v1 secrets                  Secret                   yes secrets                 -
              v1 serviceaccounts          ServiceAccount           yes serviceaccounts         sa
              v1 events                   Event                    yes events                  ev
apps          v1 deployments              Deployment               yes deployments             deploy
apps          v1 replicasets              ReplicaSet               yes replicasets             rs
apps          v1 daemonsets               DaemonSet                yes daemonsets              ds
apps          v1 statefulsets             StatefulSet              yes statefulsets            sts
batch         v1 jobs                     Job                      yes jobs                    -
policy        v1 poddisruptionbudgets     PodDisruptionBudget      yes poddisruptionbudgets    pdb
coordination.k8s.io  v1 leases            Lease                    yes leases                  -
apiextensions.k8s.io v1 customresourcedefinitions CustomResourceDefinition no apiextensions.k8s.io/customresourcedefinitions crd
"""


def _parse():
    for line in _TABLE.strip("\n").splitlines():
        fields = line.split()
        group = "" if line.startswith(" ") else fields.pop(0)
        version, plural, kind, namespaced, key, short = fields
        yield Resource(group, version, plural, kind, namespaced == "yes", key, "" if short == "-" else short)


RESOURCES = list(_parse())
BY_PLACE = {(r.group, r.plural): r for r in RESOURCES}
VERBS = ["create", "delete", "get", "list", "patch", "update"]


def group_version(resource):
    return f"{resource.group}/{resource.version}" if resource.group else resource.version


def etcd_key(resource, namespace, name=""):
    return f"/registry/{resource.key}/" + (f"{namespace}/" if resource.namespaced and namespace else "") + name


def discovery(path):
    """The answer for /api, /apis and below, or None."""
    parts = path.strip("/").split("/")
    groups = sorted({(r.group, r.version) for r in RESOURCES if r.group})
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g, v) for g, v in groups]}
    if len(parts) == 2 and parts[0] == "apis":
        return next((_group(g, v) for g, v in groups if g == parts[1]), None)
    group = "" if parts == ["api", "v1"] else parts[1] if len(parts) == 3 and parts[0] == "apis" and parts[2] == "v1" else None
    found = [r for r in RESOURCES if r.group == group]
    if not found:
        return None
    listed = [{"name": r.plural, "singularName": r.kind.lower(), "namespaced": r.namespaced, "kind": r.kind, "verbs": VERBS,
               **({"shortNames": [r.short]} if r.short else {})} for r in found]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version(found[0]), "resources": listed}


def _group(name, version):
    one = {"groupVersion": f"{name}/{version}", "version": version}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": [one], "preferredVersion": one}


Target = namedtuple("Target", "resource namespace name sub")


def target(path):
    """What a path of the API names, or None."""
    parts = [p for p in path.split("/") if p]
    if parts[:2] == ["api", "v1"]:
        group, rest = "", parts[2:]
    elif len(parts) > 2 and parts[0] == "apis" and parts[2] == "v1":
        group, rest = parts[1], parts[3:]
    else:
        return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and (group, rest[2]) in BY_PLACE:
        namespace, rest = rest[1], rest[2:]
    resource = BY_PLACE.get((group, rest[0])) if rest else None
    if not resource or len(rest) > 3 or (namespace and not resource.namespaced):
        return None
    return Target(resource, namespace, rest[1] if len(rest) > 1 else "", rest[2] if len(rest) > 2 else "")
