"""etcd through its JSON gateway (/v3/kv/*, /v3/watch), over mutual TLS."""
import base64
import http.client
import json
import ssl
import threading
from urllib.parse import urlsplit


class EtcdError(Exception):
    pass


def encode(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def decode(text):
    return base64.b64decode(text)


def prefix_end(prefix):
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


class Etcd:
    def __init__(self, servers, ca=None, cert=None, key=None, timeout=5):
        self.servers, self.timeout = servers, timeout
        self.context = None
        if servers[0].startswith("https:"):
            self.context = ssl.create_default_context(cafile=ca)
            self.context.load_cert_chain(cert, key)
        self.idle, self.lock = [], threading.Lock()

    def connect(self, timeout=None):
        error = None
        for server in self.servers:
            url = urlsplit(server)
            if self.context:
                connection = http.client.HTTPSConnection(url.hostname, url.port, context=self.context, timeout=timeout or self.timeout)
            else:
                connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout or self.timeout)
            try:
                connection.connect()
                return connection
            except OSError as e:
                error = e
        raise EtcdError(f"etcd does not answer: {error}")

    def call(self, path, body):
        data = json.dumps(body).encode()
        with self.lock:
            connection = self.idle.pop() if self.idle else None
        used = connection is not None
        while True:
            try:
                connection = connection or self.connect()
                connection.request("POST", path, data)
                answer = connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                if connection:
                    connection.close()
                if not used:
                    raise EtcdError(f"etcd: {path}: {error or type(error).__name__}") from error
                connection, used = None, False  # the kept connection was stale: once more with a new one
        with self.lock:
            self.idle.append(connection)
        value = json.loads(text)
        if answer.status != 200:
            raise EtcdError(f"etcd: {path}: {value.get('error') or value.get('message') or text}")
        return value

    def load(self, prefix, page=1000):
        """(revision, [(key, value, mod revision)]) of all keys below a prefix, at one revision."""
        revision, start, out = 0, prefix, []
        while True:
            body = {"key": encode(start), "range_end": encode(prefix_end(prefix)), "limit": str(page)}
            if revision:
                body["revision"] = str(revision)
            answer = self.call("/v3/kv/range", body)
            revision = revision or int(answer["header"]["revision"])
            kvs = answer.get("kvs", [])
            out += [(decode(kv["key"]).decode(), decode(kv.get("value", "")), int(kv["mod_revision"])) for kv in kvs]
            if not answer.get("more"):
                return revision, out
            start = out[-1][0] + "\0"

    def healthy(self):
        self.call("/v3/kv/range", {"key": encode("/registry/health"), "limit": "1"})

    def write(self, key, value, expected):
        """Put (or delete, when value is None) if the key's mod revision is `expected` (0: absent; None: whatever).

        Returns the new revision, or None when the key is at another one."""
        name = encode(key)
        request = {"request_delete_range": {"key": name}} if value is None else {"request_put": {"key": name, "value": encode(value)}}
        compare = [] if expected is None else [{"key": name, "target": "MOD", "result": "EQUAL", "mod_revision": str(expected)}]
        answer = self.call("/v3/kv/txn", {"compare": compare, "success": [request], "failure": []})
        return int(answer["header"]["revision"]) if answer.get("succeeded") else None

    def put_many(self, pairs, batch=100):
        pairs = list(pairs)
        for at in range(0, len(pairs), batch):
            puts = [{"request_put": {"key": encode(k), "value": encode(v)}} for k, v in pairs[at:at + batch]]
            self.call("/v3/kv/txn", {"compare": [], "success": puts, "failure": []})

    def watch(self, prefix, revision):
        """Yield (revision, [(key, value or None, mod revision)]) from `revision` on, until the connection ends.

        Raises Compacted when the revision is no longer there."""
        connection = self.connect(timeout=None)
        try:
            connection.sock.settimeout(None)
            body = {"create_request": {"key": encode(prefix), "range_end": encode(prefix_end(prefix)), "start_revision": str(revision)}}
            connection.request("POST", "/v3/watch", json.dumps(body).encode())
            answer = connection.getresponse()
            for line in iter(answer.readline, b""):
                result = json.loads(line).get("result")
                if result is None:
                    raise EtcdError(f"etcd: watch: {line.decode().strip()}")
                if result.get("canceled"):
                    raise Compacted(result.get("cancel_reason") or "compacted")
                yield int(result["header"]["revision"]), [_event(e) for e in result.get("events", [])]
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EtcdError(f"etcd: watch: {error}") from error
        finally:
            connection.close()


def _event(event):
    kv = event["kv"]
    value = None if event.get("type") == "DELETE" else decode(kv.get("value", ""))
    return decode(kv["key"]).decode(), value, int(kv["mod_revision"])


class Compacted(EtcdError):
    pass
