"""Packs the programs of a directory into a docker archive of one layer, below /usr/local/bin.

usage: image.py DIRECTORY ARCHIVE REFERENCE
"""
import hashlib, io, json, os, sys, tarfile

source, archive, reference = sys.argv[1:]
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as layer:
    for name in ("etcd", "etcdctl", "etcdutl"):
        if os.path.exists(os.path.join(source, name)):
            layer.add(os.path.join(source, name), "usr/local/bin/" + name)
layer = buffer.getvalue()
digest = "sha256:" + hashlib.sha256(layer).hexdigest()
config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest]}}
config = json.dumps(config).encode()
name = hashlib.sha256(config).hexdigest() + ".json"
manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]).encode()
with tarfile.open(archive, "w") as out:
    for path, content in ((name, config), ("layer.tar", layer), ("manifest.json", manifest)):
        info = tarfile.TarInfo(path)
        info.size = len(content)
        out.addfile(info, io.BytesIO(content))
