"""Stand-in for kubectl: `version --client` and `get --raw PATH`; for the rest there is `sandbox get`."""
import json
import os
import sys

import apiclient


def main(sandbox, args):
    words = [a for a in args if not a.startswith("-")]
    if words[:1] == ["version"]:
        version = sandbox.installed("kubectl")
        if "-o=json" in args or "json" in args:
            print(json.dumps({"clientVersion": {"gitVersion": version}}))
        else:
            print(f"Client Version: {version}")
        return 0
    if words[:1] == ["get"] and "--raw" in args:
        client = apiclient.Client(os.environ.get("KUBECONFIG") or sandbox.path("/etc/kubernetes/admin.conf"))
        try:
            status, body = client.get(words[1])
        except apiclient.Unreachable as error:
            print(f"The connection to the server was refused: {error}", file=sys.stderr)
            return 1
        print(json.dumps(body) if isinstance(body, dict) else body)
        return 0 if status == 200 else 1
    print(f"kubectl of the sandbox knows only 'version --client' and 'get --raw PATH'; use: sandbox get {sandbox.root} PATH", file=sys.stderr)
    return 1
