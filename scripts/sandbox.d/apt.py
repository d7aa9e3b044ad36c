"""Stand-ins for apt-get, apt-cache, apt-mark, dpkg and dpkg-query: they know Kubernetes' packages, in the versions of `up`.

Package files are real ones, made and read by the machine's dpkg-deb. A package has one file, usr/lib/kubernetes/NAME.version."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import box

PACKAGES = ("kubeadm", "kubelet", "kubectl", "cri-tools")
COMMANDS = ("apt-get", "apt-cache", "apt-mark", "dpkg", "dpkg-query")
REVISION = "-1.1"
ARCHITECTURE = "amd64"


class Refused(Exception):
    """What apt says, with exit code 100."""


def numbers(version):
    return [int(n) for n in re.findall(r"\d+", version)]


def file_name(name, version):
    return f"{name}_{version}_{ARCHITECTURE}.deb"


class Dpkg:
    def __init__(self, sandbox):
        self.sandbox, self.file = sandbox, sandbox.path("/var/lib/dpkg/sandbox.json")
        self.archives = sandbox.path("/var/cache/apt/archives")

    def state(self):
        return box.read_json(self.file) or {"held": []}

    def offered(self, name="kubeadm"):
        """Newest first."""
        marker = self.sandbox.marker()
        versions = {marker["version"], marker["kubeadm"]}
        if "old-packages" in self.sandbox.faults():
            versions -= {marker["version"]}
        if name == "cri-tools":  # one a minor version
            versions = {re.sub(r"\.\d+$", ".0", v) for v in versions}
        return sorted((v.lstrip("v") + REVISION for v in versions), key=numbers, reverse=True)

    def installed(self, package):
        return self.sandbox.installed(package).lstrip("v") + REVISION

    def held(self):
        return self.state()["held"]

    def hold(self, names):
        box.write_json(self.file, {"held": sorted(set(self.held()) | set(names))})

    def unhold(self, names):
        box.write_json(self.file, {"held": sorted(set(self.held()) - set(names))})

    def control(self, name, version):
        return (f"Package: {name}\nVersion: {version}\nArchitecture: {ARCHITECTURE}\nMaintainer: kguard's sandbox <sandbox@localhost>\n"
                f"Description: {name} of kguard's sandbox\n a stand-in\n")

    def build(self, name, version, directory):
        """The package file as the repository has it."""
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(top + "/DEBIAN")
            os.makedirs(top + "/usr/lib/kubernetes")
            for path in (top, top + "/DEBIAN", top + "/usr", top + "/usr/lib", top + "/usr/lib/kubernetes"):
                os.chmod(path, 0o755)
            box.write_file(top + "/DEBIAN/control", self.control(name, version))
            box.write_file(f"{top}/usr/lib/kubernetes/{name}.version", "v" + version.removesuffix(REVISION) + "\n")
            subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", top, f"{directory}/{file_name(name, version)}"],
                           check=True, stdout=subprocess.DEVNULL)

    def fetch(self, name, version):
        """Into apt's cache, where it is not there yet; its path."""
        path = f"{self.archives}/{file_name(name, version)}"
        if not os.path.exists(path):
            if "repository" in self.sandbox.faults():
                raise Refused(f"E: Failed to fetch https://pkgs.k8s.io/{file_name(name, version)}  503  Service Unavailable")
            os.makedirs(self.archives, exist_ok=True)
            self.build(name, version, self.archives)
        return path

    def unpack(self, path):
        """Files and all: the name and version that it says."""
        said = subprocess.run(["dpkg-deb", "-W", "--showformat=${Package} ${Version}", path], capture_output=True, text=True, check=True).stdout
        name, version = said.split()
        if name not in PACKAGES:
            raise Refused(f"dpkg: the sandbox does not know the package {name}")
        print(f"Unpacking {name} ({version}) over ({self.installed(name)}) ...\nSetting up {name} ({version}) ...", flush=True)
        subprocess.run(["dpkg-deb", "-x", path, self.sandbox.root], check=True)
        return name


def setup(sandbox):
    """Held packages at the cluster's version, as kubeadm's guide leaves them; cri-tools came along and is not held."""
    os.makedirs(sandbox.path("/var/lib/dpkg"), exist_ok=True)
    version = sandbox.marker()["version"]
    for tool in PACKAGES:
        sandbox.install(tool, re.sub(r"\.\d+$", ".0", version) if tool == "cri-tools" else version)
    Dpkg(sandbox).hold(p for p in PACKAGES if p != "cri-tools")


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
    if words[:1] == ["clean"]:
        shutil.rmtree(dpkg.archives, ignore_errors=True)
        return 0
    if words[:1] not in (["install"], ["download"]):
        raise Refused(f"E: Invalid operation {' '.join(words)}")
    wanted = []
    for word in words[1:]:
        name, _, version = word.partition("=")
        if name not in PACKAGES:
            raise Refused(f"E: Unable to locate package {name}")
        version = version or dpkg.offered(name)[0]
        if version not in dpkg.offered(name):
            raise Refused(f"E: Version '{version}' for '{name}' was not found")
        wanted.append((name, version))
    if words[0] == "download":
        for name, version in wanted:
            if "repository" in dpkg.sandbox.faults():
                raise Refused(f"E: Failed to fetch https://pkgs.k8s.io/{file_name(name, version)}  503  Service Unavailable")
            dpkg.build(name, version, os.getcwd())
        return 0
    return install(dpkg, wanted, options)


def install(dpkg, wanted, options):
    # kubeadm wants cri-tools of its minor version, or newer
    for name, version in list(wanted):
        needed = ".".join(str(n) for n in numbers(version)[:2]) + ".0" + REVISION
        if name == "kubeadm" and numbers(dpkg.installed("cri-tools")) < numbers(needed) and "cri-tools" not in dict(wanted):
            wanted.append(("cri-tools", needed))
    changed = [(n, v) for n, v in wanted if dpkg.installed(n) != v]
    if {n for n, _ in changed} & set(dpkg.held()) and "--allow-change-held-packages" not in options:
        raise Refused("E: Held packages were changed and -y was used without --allow-change-held-packages.")
    older = [n for n, v in changed if numbers(v) < numbers(dpkg.installed(n))]
    if older and "--allow-downgrades" not in options:
        raise Refused("E: Packages were downgraded and -y was used without --allow-downgrades.")
    files = [dpkg.fetch(name, version) for name, version in changed]
    if "--download-only" in options:
        print("Download complete and in download only mode")
        return 0
    for path in files:
        dpkg.unpack(path)
    dpkg.unhold(n for n, _ in wanted)  # measured: apt drops the holds of what it was allowed to change
    return 0


def manage(dpkg, args):
    """dpkg itself: of files it installs, it drops the holds too."""
    words = [a for a in args if not a.startswith("--force")]
    if words[:1] in (["--audit"], ["--configure"]):
        return 0
    if words[:1] != ["-i"]:
        print("dpkg: error: need an action option", file=sys.stderr)
        return 2
    if "dpkg-lock" in dpkg.sandbox.faults():
        print("dpkg: error: dpkg frontend lock was locked by another process with pid 1", file=sys.stderr)
        return 2
    for path in words[1:]:
        dpkg.unhold([dpkg.unpack(path)])
    return 0


def cache(dpkg, args):
    if args[:1] != ["madison"]:
        raise Refused("E: Invalid operation")
    for name in args[1:]:
        for version in dpkg.offered(name) if name in PACKAGES else []:
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
    names = [a for a in args if not a.startswith("-")]
    for name in names[:1] if "--control-list" in args or "--control-show" in args else names:
        if name not in PACKAGES:
            print(f"dpkg-query: no packages found matching {name}", file=sys.stderr)
            return 1
    if "-L" in args:
        for name in names:
            print(f"/.\n/usr\n/usr/lib\n/usr/lib/kubernetes\n/usr/lib/kubernetes/{name}.version")
    elif "-s" in args:
        for name in names:
            head, rest = dpkg.control(name, dpkg.installed(name)).split("\n", 1)
            print(f"{head}\nStatus: install ok installed\n{rest}", end="")
    elif "--control-list" not in args:
        form = next((a.partition("=")[2] for a in args if a.startswith(("-f=", "--showformat="))), "${Package}\\t${Version}\\n")
        for name in names:
            values = {"db:Status-Status": "installed", "Version": dpkg.installed(name), "Package": name, "Architecture": ARCHITECTURE,
                      "db:Status-Want": "hold" if name in dpkg.held() else "install"}
            text = re.sub(r"\$\{([^}]*)\}", lambda found: values.get(found[1], ""), form)
            print(text.replace("\\n", "\n").replace("\\t", "\t"), end="")
    return 0


def main(sandbox, args):
    name = os.path.basename(sys.argv[0])
    try:
        return {"apt-get": get, "apt-cache": cache, "apt-mark": mark, "dpkg": manage, "dpkg-query": query}[name](Dpkg(sandbox), args)
    except Refused as said:
        print(said, file=sys.stderr)
        return 100
