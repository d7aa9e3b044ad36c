"""Stand-in for kube-apiserver: the generic REST of Kubernetes over a real etcd, with the flags of its manifest."""
import base64
import copy
import json
import os
import signal
import sys
import threading
import time
import uuid
from urllib.parse import parse_qs, unquote, urlsplit

import apiresources as res
import box
from box import now
from apistore import Conflict, Store, with_revision
from etcdkv import Etcd, EtcdError
from tlsserver import Handler, Server, parse_flags

JSON = "application/json"
REASONS = {400: "BadRequest", 401: "Unauthorized", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict", 415: "UnsupportedMediaType",
           422: "Invalid", 429: "TooManyRequests", 500: "InternalError"}
PUBLIC = ("/livez", "/readyz", "/healthz", "/version")


class Failure(Exception):
    def __init__(self, code, message, reason=""):
        super().__init__(message)
        self.code, self.reason = code, reason or REASONS.get(code, "InternalError")

    def status(self):
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self), "reason": self.reason, "code": self.code}


def merge(base, patch):
    """JSON merge patch; strategic merge patches are taken for one."""
    if not isinstance(patch, dict):
        return patch
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


def matches(obj, labels, fields):
    have = obj["metadata"].get("labels") or {}
    for term in filter(None, labels.split(",")):
        key, operator, value = term.partition("!=" if "!=" in term else "=")
        if not operator and key not in have:
            return False
        if operator and (have.get(key) == value.lstrip("=")) != (operator == "="):
            return False
    for term in filter(None, fields.split(",")):
        path, operator, value = term.partition("!=" if "!=" in term else "=")
        found = obj
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if (str(found if found is not None else "") == value.lstrip("=")) != (operator == "="):
            return False
    return True


class Api:
    """The requests, without the transport."""

    def __init__(self, store, mode):
        self.store, self.mode, self.stopping = store, mode, False

    # ------------------------------------------------------------ requests

    def handle(self, method, target, query, body, content):
        if target.name == "":
            if method == "GET":
                return 200, self.list(target, query)
            if method == "POST":
                return 201, self.create(target, body)
        elif (target.resource.plural, target.sub) == ("pods", "eviction") and method == "POST":
            return 201, self.evict(target)
        elif target.sub in ("", "status"):
            if method == "GET":
                return 200, self.present(self.need(target)[1:], target.resource)
            if method == "PUT":
                return 200, self.update(target, body)
            if method == "PATCH":
                return 200, self.patch(target, body, content)
            if method == "DELETE" and not target.sub:
                return 200, self.delete(target)
        raise Failure(405, "the server does not allow this method on the requested resource")

    def need(self, target):
        key = res.etcd_key(target.resource, target.namespace, target.name)
        found = self.store.get(key)
        if not found:
            group = f".{target.resource.group}" if target.resource.group else ""
            raise Failure(404, f'{target.resource.plural}{group} "{target.name}" not found')
        return key, *found

    @staticmethod
    def present(found, resource):
        obj, revision = found
        return with_revision({"kind": resource.kind, "apiVersion": res.group_version(resource), **obj}, revision)

    def list(self, target, query):
        resource, limit = target.resource, int(query.get("limit") or 0)
        after, version = "", self.store.revision
        if query.get("continue"):
            after, version = json.loads(base64.urlsafe_b64decode(query["continue"]))
        items, token = [], ""
        for key, obj, revision in self.store.range(res.etcd_key(resource, target.namespace), after):
            if limit and len(items) == limit:
                token = base64.urlsafe_b64encode(json.dumps([last, version]).encode()).decode()
                break
            if matches(obj, query.get("labelSelector", ""), query.get("fieldSelector", "")):
                items.append(with_revision(obj, revision))
                last = key
        meta = {"resourceVersion": str(version), **({"continue": token} if token else {})}
        return {"kind": resource.kind + "List", "apiVersion": res.group_version(resource), "metadata": meta, "items": items}

    def create(self, target, obj):
        resource, meta = target.resource, obj.setdefault("metadata", {})
        if not meta.get("name"):
            if not meta.get("generateName"):
                raise Failure(422, f"{resource.kind} is invalid: metadata.name: Required value: name or generateName is required")
            meta["name"] = meta["generateName"] + os.urandom(3).hex()[:5]
        namespace = target.namespace or meta.get("namespace", "default")
        if resource.namespaced:
            meta["namespace"] = namespace
            if not self.store.get(f"/registry/namespaces/{namespace}"):
                raise Failure(404, f'namespaces "{namespace}" not found')
        obj = {"kind": resource.kind, "apiVersion": res.group_version(resource), **obj}
        meta.pop("resourceVersion", None)
        meta.update(uid=str(uuid.uuid4()), creationTimestamp=now(), **({"generation": 1} if "spec" in obj else {}))
        if resource.plural == "namespaces":
            obj = merge({"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}, obj)
        if resource.plural == "pods":
            obj = merge({"status": {"phase": "Pending"}}, obj)
        if resource.plural == "secrets" and "stringData" in obj:
            obj["data"] = {**obj.get("data", {}), **{k: base64.b64encode(v.encode()).decode() for k, v in obj.pop("stringData").items()}}
        try:
            return self.store.put(res.etcd_key(resource, namespace, meta["name"]), obj, 0)
        except Conflict:
            raise Failure(409, f'{resource.plural} "{meta["name"]}" already exists', "AlreadyExists") from None

    def update(self, target, obj):
        key, old, revision = self.need(target)
        meta = obj.get("metadata", {})
        if meta.get("name", target.name) != target.name:
            raise Failure(400, f"the name of the object ({meta['name']}) does not match the name on the URL ({target.name})")
        expected = int(meta.get("resourceVersion") or revision)
        return self.write(target, key, old, expected, obj)

    def write(self, target, key, old, expected, obj):
        if target.sub == "status":
            obj = {**old, "status": obj.get("status", {})}
        else:
            obj = {**obj, "metadata": {**obj.get("metadata", {}), **{k: old["metadata"][k] for k in ("name", "namespace", "uid", "creationTimestamp", "generation")
                                                                     if k in old["metadata"]}}}
            if "status" in old:
                obj.setdefault("status", old["status"])
            if obj.get("spec") != old.get("spec") and "generation" in old["metadata"]:
                obj["metadata"]["generation"] = old["metadata"]["generation"] + 1
        obj = {"kind": target.resource.kind, "apiVersion": res.group_version(target.resource), **obj}
        try:
            return self.store.put(key, obj, expected)
        except Conflict:
            group = f".{target.resource.group}" if target.resource.group else ""
            raise Failure(409, f'Operation cannot be fulfilled on {target.resource.plural}{group} "{target.name}": the object has been modified; '
                               "please apply your changes to the latest version and try again") from None

    def patch(self, target, patch, content):
        if content.partition(";")[0] not in ("application/merge-patch+json", "application/strategic-merge-patch+json"):
            raise Failure(415, f"the body of the request was in an unknown format - accepted media types include: application/merge-patch+json ({content})")
        named = int(patch.get("metadata", {}).get("resourceVersion") or 0)
        for attempt in range(5):
            key, old, revision = self.need(target)
            try:
                return self.write(target, key, old, named or revision, merge(copy.deepcopy(old), patch))
            except Failure as failure:
                if failure.code != 409 or named or attempt == 4:
                    raise
                time.sleep(0.05)

    def delete(self, target):
        key, old, _ = self.need(target)
        self.store.delete(key, None)
        if target.resource.plural == "namespaces":
            for resource in res.RESOURCES:
                for inner, _, _ in self.store.range(res.etcd_key(resource, target.name)) if resource.namespaced else []:
                    self.store.delete(inner, None)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": target.name, "kind": target.resource.plural, "uid": old["metadata"].get("uid", "")}}

    def evict(self, target):
        _, pod, _ = self.need(target)
        labels = pod["metadata"].get("labels") or {}
        for _, budget, _ in self.store.range(f"/registry/poddisruptionbudgets/{target.namespace}/"):
            wanted = (budget["spec"].get("selector") or {}).get("matchLabels") or {}
            if wanted.items() <= labels.items() and budget.get("status", {}).get("disruptionsAllowed", 0) < 1:
                raise Failure(429, "Cannot evict pod as it would violate the pod's disruption budget.")
        self.delete(target._replace(sub=""))
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    # ------------------------------------------------------------ health

    def health(self, path, query):
        name = path.strip("/")
        checks = {"ping": "", "log": "", "etcd": self._etcd_error()}
        if name == "readyz":
            checks |= {"informer-sync": "", "poststarthook/start-kube-apiserver-admission-initializer":
                       "not finished" if self.mode == "never-ready" else "", "shutdown": "process is shutting down" if self.stopping else ""}
        bad = [c for c, error in checks.items() if error]
        lines = [f"[-]{c} failed: {'reason withheld'}" if error else f"[+]{c} ok" for c, error in checks.items()]
        if bad:
            return 500, "\n".join([*lines, f"{name} check failed", ""])
        return 200, "\n".join([*lines, f"{name} check passed", ""]) if "verbose" in query else "ok"

    def _etcd_error(self):
        try:
            self.store.etcd.healthy()
            return ""
        except EtcdError as error:
            return str(error)


def handler(api, version):
    class ApiHandler(Handler):
        def answer(self, method, path, body):
            url = urlsplit(path)
            query = {k: v[-1] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
            if url.path.rstrip("/") in PUBLIC[:3] and method == "GET":
                code, text = api.health(url.path, query)
                return code, "text/plain; charset=utf-8", text.encode()
            try:
                code, value = self._route(method, unquote(url.path), query, body)
            except Failure as failure:
                code, value = failure.code, failure.status()
            except EtcdError as error:
                code, value = 500, Failure(500, str(error)).status()
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                code, value = 400, Failure(400, f"the object or the query is not understood: {error!r}").status()
            return code, JSON, json.dumps(value, separators=(",", ":")).encode()

        def _route(self, method, path, query, body):
            if path.rstrip("/") == "/version":
                major, minor, _ = version.lstrip("v").split(".", 2)
                return 200, {"major": major, "minor": minor, "gitVersion": version, "gitTreeState": "clean", "platform": "linux/amd64",
                             "goVersion": "sandbox", "compiler": "sandbox", "gitCommit": "sandbox", "buildDate": "1970-01-01T00:00:00Z"}
            if not self.connection.getpeercert():
                raise Failure(401, "Unauthorized")
            target = res.target(path)
            if target:
                if "watch" in query and query["watch"] not in ("0", "false"):
                    raise Failure(405, "this API server of a sandbox has no watches: list instead")
                return api.handle(method, target, query, json.loads(body) if body else {}, self.headers.get("Content-Type", ""))
            found = res.discovery(path) if method == "GET" else None
            if found is None:
                raise Failure(404, "the server could not find the requested resource")
            return 200, found
    return ApiHandler


def main(sandbox, args):
    box.name_process("kube-apiserver")
    flags = parse_flags(args)
    etcd = Etcd(flags["etcd-servers"].split(","), flags["etcd-cafile"], flags["etcd-certfile"], flags["etcd-keyfile"])
    store = Store(etcd)
    if not box.until(10, lambda: _loaded(store), 0.1):
        sys.exit("F run: unable to create storage backend: etcd does not answer: context deadline exceeded")
    version = os.environ.get("SANDBOX_IMAGE", ":v0.0.0").rpartition(":")[2]
    api = Api(store, os.environ.get("SANDBOX_IMAGE_MODE", ""))
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    threading.Thread(target=store.follow, daemon=True).start()
    for address in dict.fromkeys(("127.0.0.1", flags.get("advertise-address", "127.0.0.1"))):
        Server((address, int(flags["secure-port"])), handler(api, version), flags["tls-cert-file"], flags["tls-private-key-file"], flags["client-ca-file"]).start()
    print(f"{now()} kube-apiserver {version} serves on port {flags['secure-port']}", flush=True)
    done.wait()
    api.stopping = True
    time.sleep(sandbox.setting("apiserver_shutdown"))
    os._exit(0)


def _loaded(store):
    try:
        store.load()
        return True
    except EtcdError as error:
        print(error, flush=True)
        return False
