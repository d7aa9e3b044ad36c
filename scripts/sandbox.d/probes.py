"""kubelet's probes: one HTTP GET each, and the state of a container's startup, liveness and readiness."""
import http.client
import ssl
import time

_CONTEXT = ssl.create_default_context()
_CONTEXT.check_hostname = False
_CONTEXT.verify_mode = ssl.CERT_NONE


def http_get(probe, timeout=2):
    """True when the probe's URL answers 200…399."""
    get = probe["httpGet"]
    host, port = get.get("host", "127.0.0.1"), int(get["port"])
    if get.get("scheme", "HTTP") == "HTTPS":
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=_CONTEXT)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", get.get("path", "/"))
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Health:
    """Of one running container. The manifest's periods are those of a real node; here `period` replaces them."""

    def __init__(self, spec, period):
        self.spec, self.period = spec, period
        self.started = "startupProbe" not in spec
        self.ready = self.started and "readinessProbe" not in spec
        self.failures = self.startup_failures = 0
        self.next_live = self.next_ready = self.next_start = 0.0

    def check(self):
        """Probe what is due. False when the container must be restarted."""
        now = time.monotonic()
        if not self.started:
            return self._startup(now)
        if "readinessProbe" in self.spec and now >= self.next_ready:
            self.ready = http_get(self.spec["readinessProbe"])
            self.next_ready = now + (self.period if self.ready else 0.5)
        elif "readinessProbe" not in self.spec:
            self.ready = True
        if "livenessProbe" in self.spec and now >= self.next_live:
            probe = self.spec["livenessProbe"]
            self.failures = 0 if http_get(probe) else self.failures + 1
            self.next_live = now + self.period
            return self.failures < probe.get("failureThreshold", 3)
        return True

    def _startup(self, now):
        """Ten times as often as on a real node at first, so that a start takes no longer than it must."""
        if now < self.next_start:
            return True
        probe = self.spec["startupProbe"]
        self.started = http_get(probe)
        if self.started:
            self.next_live = now + self.period
            return self.check()
        self.startup_failures += 1
        self.next_start = now + 0.3
        return self.startup_failures * 0.3 < probe.get("failureThreshold", 3) * self.period
