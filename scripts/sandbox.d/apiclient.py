"""A client of the API server: reads a kubeconfig, keeps one connection, answers (HTTP status, object)."""
import base64
import http.client
import json
import os
import re
import ssl
import tempfile
import threading


class Unreachable(Exception):
    """No answer from the API server."""


def _field(text, name):
    match = re.search(rf"^\s*{name}:\s*(\S+)\s*$", text, re.M)
    if not match:
        raise Unreachable(f"the kubeconfig has no {name}")
    return match.group(1)


class Client:
    def __init__(self, kubeconfig, timeout=5):
        self.kubeconfig, self.timeout = kubeconfig, timeout
        self.lock, self.connection = threading.Lock(), None

    def _connect(self):
        try:
            with open(self.kubeconfig, encoding="utf-8") as f:
                text = f.read()
        except OSError as error:
            raise Unreachable(str(error)) from error
        data = {n: base64.b64decode(_field(text, n)) for n in ("certificate-authority-data", "client-certificate-data", "client-key-data")}
        context = ssl.create_default_context(cadata=data["certificate-authority-data"].decode())
        fd, path = tempfile.mkstemp()
        try:
            os.write(fd, data["client-certificate-data"] + data["client-key-data"])
            context.load_cert_chain(path)
        finally:
            os.close(fd)
            os.unlink(path)
        host, _, port = _field(text, "server").rpartition("//")[2].partition(":")
        return http.client.HTTPSConnection(host, int(port or 443), context=context, timeout=self.timeout)

    def call(self, method, path, body=None, content="application/json"):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content} if data else {}
        with self.lock:
            for fresh in (False, True):
                old = self.connection is not None and not fresh
                try:
                    self.connection = self.connection or self._connect()
                    self.connection.request(method, path, data, headers)
                    answer = self.connection.getresponse()
                    text = answer.read()
                    break
                except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                    if self.connection:
                        self.connection.close()
                    self.connection = None
                    if not old:
                        raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def get(self, path):
        return self.call("GET", path)

    def read(self, path):
        """The object, or None when it is not there."""
        status, body = self.get(path)
        if status == 404:
            return None
        if status != 200:
            raise Unreachable(f"GET {path}: HTTP {status}: {body.get('message') if isinstance(body, dict) else body}")
        return body

    def items(self, path):
        return (self.read(path) or {"items": []})["items"]

    def create(self, path, body):
        return self.call("POST", path, body)

    def replace(self, path, body):
        return self.call("PUT", path, body)

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path):
        return self.call("DELETE", path)

    def ensure(self, path, body):
        """Create the object in the collection `path`, or replace what is there."""
        status, answer = self.create(path, body)
        if status == 409:
            name = f"{path}/{body['metadata']['name']}"
            status, answer = self.replace(name, body)
        if status not in (200, 201):
            raise Unreachable(f"{path}: HTTP {status}: {answer}")
        return answer
