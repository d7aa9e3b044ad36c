"""Stand-ins for apt-get, apt-cache, apt-mark and dpkg-query: they know kubeadm, kubelet and kubectl, in the versions of `up`."""
import os
import re
import sys

import box

PACKAGES = ("kubeadm", "kubelet", "kubectl")
COMMANDS = ("apt-get", "apt-cache", "apt-mark", "dpkg-query")
REVISION = "-1.1"


class Dpkg:
    def __init__(self, sandbox):
        self.sandbox, self.file = sandbox, sandbox.path("/var/lib/dpkg/sandbox.json")

    def state(self):
        return box.read_json(self.file) or {"held": []}

    def offered(self):
        """Newest first."""
        marker = self.sandbox.marker()
        versions = {marker["version"], marker["kubeadm"]}
        return sorted((v.lstrip("v") + REVISION for v in versions), key=lambda v: [int(n) for n in re.findall(r"\d+", v)], reverse=True)

    def installed(self, package):
        return self.sandbox.installed(package).lstrip("v") + REVISION

    def held(self):
        return self.state()["held"]

    def hold(self, names):
        box.write_json(self.file, {"held": sorted(set(self.held()) | set(names))})

    def unhold(self, names):
        box.write_json(self.file, {"held": sorted(set(self.held()) - set(names))})


def setup(sandbox):
    """Held packages at the cluster's version, as kubeadm's guide leaves them."""
    os.makedirs(sandbox.path("/var/lib/dpkg"), exist_ok=True)
    for tool in PACKAGES:
        sandbox.install(tool, sandbox.marker()["version"])
    Dpkg(sandbox).hold(PACKAGES)


def get(dpkg, args):
    words, options = [], []
    args = list(args)
    while args:
        arg = args.pop(0)
        if arg == "-o":
            args.pop(0)
        elif arg.startswith("-"):
            options.append(arg)
        else:
            words.append(arg)
    if words[:1] == ["update"]:
        print("Hit:1 sandbox InRelease\nReading package lists...")
        return 0
    if words[:1] != ["install"]:
        print(f"E: Invalid operation {' '.join(words)}", file=sys.stderr)
        return 100
    wanted = []
    for word in words[1:]:
        name, _, version = word.partition("=")
        if name not in PACKAGES:
            print(f"E: Unable to locate package {name}", file=sys.stderr)
            return 100
        version = version or dpkg.offered()[0]
        if version not in dpkg.offered():
            print(f"E: Version '{version}' for '{name}' was not found", file=sys.stderr)
            return 100
        wanted.append((name, version))
    changed = [(n, v) for n, v in wanted if dpkg.installed(n) != v]
    if {n for n, _ in changed} & set(dpkg.held()) and "--allow-change-held-packages" not in options:
        print("E: Held packages were changed and -y was used without --allow-change-held-packages.", file=sys.stderr)
        return 100
    older = [n for n, v in changed if dpkg.offered().index(v) > dpkg.offered().index(dpkg.installed(n))]
    if older and "--allow-downgrades" not in options:
        print("E: Packages were downgraded and -y was used without --allow-downgrades.", file=sys.stderr)
        return 100
    for name, version in changed:
        print(f"Setting up {name} ({version}) ...", flush=True)
        dpkg.sandbox.install(name, "v" + version.removesuffix(REVISION))
    dpkg.unhold(n for n, _ in wanted)  # measured: apt drops the holds of what it was allowed to change
    return 0


def cache(dpkg, args):
    if args[:1] != ["madison"]:
        print("E: Invalid operation", file=sys.stderr)
        return 100
    for name in args[1:]:
        for version in dpkg.offered() if name in PACKAGES else []:
            print(f"{name:>10} | {version:>10} | https://pkgs.k8s.io/core:/stable:/sandbox  Packages")
    return 0


def mark(dpkg, args):
    names = [a for a in args[1:] if a in PACKAGES]
    if args[:1] == ["showhold"]:
        print("".join(n + "\n" for n in dpkg.held()), end="")
    elif args[:1] in (["hold"], ["unhold"]):
        (dpkg.hold if args[0] == "hold" else dpkg.unhold)(names)
        for name in names:
            print(f"{name} set on hold." if args[0] == "hold" else f"Canceled hold on {name}.")
    else:
        return 100
    return 0


def query(dpkg, args):
    form = next((a.partition("=")[2] for a in args if a.startswith(("-f=", "--showformat="))), "${Package}\\t${Version}\\n")
    code = 0
    for name in (a for a in args if not a.startswith("-")):
        if name not in PACKAGES:
            print(f"dpkg-query: no packages found matching {name}", file=sys.stderr)
            code = 1
            continue
        text = form.replace("${db:Status-Status}", "installed").replace("${Version}", dpkg.installed(name)).replace("${Package}", name)
        print(text.replace("\\n", "\n").replace("\\t", "\t"), end="")
    return code


def main(sandbox, args):
    name = os.path.basename(sys.argv[0])
    return {"apt-get": get, "apt-cache": cache, "apt-mark": mark, "dpkg-query": query}[name](Dpkg(sandbox), args)
