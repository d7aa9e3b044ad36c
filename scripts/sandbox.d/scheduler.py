"""Stand-in for kube-scheduler: holds its lease and places pods that name no node, if the node takes them."""
import box
import leader

NODE_PATH = f"/api/v1/nodes/{box.NODE}"


def place(client):
    waiting = client.items("/api/v1/pods?fieldSelector=spec.nodeName%3D")
    if not waiting:
        return False
    node = client.read(NODE_PATH)
    if not node or node["spec"].get("unschedulable"):
        return False
    for pod in waiting:
        meta = pod["metadata"]
        client.merge(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", {"spec": {"nodeName": box.NODE}})
    return True


def main(sandbox, args):
    leader.run(sandbox, args, "kube-scheduler", place)
