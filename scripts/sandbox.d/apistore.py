"""The API server's storage: objects as JSON in etcd, and a watch cache from which every read is served.

The cache is filled once and then follows an etcd watch from the revision it has reached, as the real one does. When
etcd is swapped for an older state under a living API server, that revision lies in the future: the cache goes on
serving what it has until the API server is restarted. (The real server asks etcd for some reads; this one never
does, so that a restore which forgets the API server shows at once.)"""
import bisect
import json
import threading
import time

from etcdkv import Compacted, EtcdError

PREFIX = "/registry/"


class Conflict(Exception):
    """The object is there already, or at another resourceVersion."""


class Store:
    def __init__(self, etcd):
        self.etcd, self.lock = etcd, threading.RLock()
        self.objects, self.keys, self.seen, self.revision = {}, [], {}, 0

    def load(self):
        revision, found = self.etcd.load(PREFIX)
        objects = {}
        for key, value, mod in found:
            try:
                objects[key] = (json.loads(value), mod)
            except ValueError:
                continue  # not ours, e.g. /registry/health
        with self.lock:
            self.objects, self.keys = objects, sorted(objects)
            self.seen, self.revision = {k: v[1] for k, v in objects.items()}, revision

    def follow(self):
        """Keep the cache up to date, for ever."""
        while True:
            try:
                for revision, events in self.etcd.watch(PREFIX, self.revision + 1):
                    with self.lock:
                        for key, value, mod in events:
                            self._apply(key, value, mod)
                        self.revision = max(self.revision, revision) if events else self.revision
            except Compacted:
                self._reload()
            except EtcdError:
                pass
            time.sleep(0.3)

    def _reload(self):
        try:
            self.load()
        except EtcdError:
            pass

    def _apply(self, key, value, mod):
        """One change, in whichever order the write's answer and the watch bring it."""
        with self.lock:
            if mod <= self.seen.get(key, 0):
                return
            self.seen[key] = mod
            if value is None:
                if self.objects.pop(key, None):
                    self.keys.pop(bisect.bisect_left(self.keys, key))
                return
            try:
                parsed = json.loads(value)
            except ValueError:
                return
            if key not in self.objects:
                bisect.insort(self.keys, key)
            self.objects[key] = (parsed, mod)

    def get(self, key):
        with self.lock:
            return self.objects.get(key)

    def range(self, prefix, after=""):
        """[(key, object, mod revision)] below a prefix, in the order of keys."""
        with self.lock:
            at = bisect.bisect_right(self.keys, after) if after else bisect.bisect_left(self.keys, prefix)
            out = []
            while at < len(self.keys) and self.keys[at].startswith(prefix):
                out.append((self.keys[at], *self.objects[self.keys[at]]))
                at += 1
            return out

    def put(self, key, obj, expected):
        """Write; the new object with its resourceVersion."""
        stored = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}
        value = json.dumps(stored, separators=(",", ":")).encode()
        revision = self.etcd.write(key, value, expected)
        if revision is None:
            raise Conflict(key)
        self._apply(key, value, revision)
        return with_revision(stored, revision)

    def delete(self, key, expected):
        revision = self.etcd.write(key, None, expected)
        if revision is None:
            raise Conflict(key)
        self._apply(key, None, revision)


def with_revision(obj, revision):
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
