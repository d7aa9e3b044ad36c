"""Stand-in for crictl: the commands, filters and JSON of the real one over the sandbox's runtime."""
import json
import re
import sys
import time

import box
import cri

USAGE = """usage: crictl [-r ENDPOINT] COMMAND
  info | version | ps | inspect ID… | stop [-t SECONDS] ID… | rm [-f] ID… | logs ID
  pods | inspectp ID… | stopp ID… | rmp [-f] ID…
  images [NAME] | inspecti NAME… | pull NAME… | rmi NAME…
filters: -a, --name REGEXP, --state S, --label K=V, --namespace N, -p POD; output: -q, -o json|table, --no-trunc"""
VALUED = {"-r": "runtime-endpoint", "-i": "image-endpoint", "-t": "timeout", "-s": "state", "-o": "output", "-p": "pod", "-c": "config",
          "--name": "name", "--label": "label", "--namespace": "namespace", "--tail": "tail"}
FLAGS = {"-a": "all", "-q": "quiet", "-f": "force", "-D": "debug", "--no-trunc": "no-trunc", "-h": "help", "--help": "help", "--version": "version"}


def parse(args):
    valued = {**VALUED, **{"--" + v: v for v in VALUED.values()}}
    flags = {**FLAGS, **{"--" + v: v for v in FLAGS.values()}}
    options, words, args = {}, [], list(args)
    while args:
        arg = args.pop(0)
        name, equals, value = arg.partition("=")
        if not arg.startswith("-"):
            words.append(arg)
        elif name in flags:
            options[flags[name]] = True
        elif name not in valued:
            raise box.Error(f"flag provided but not defined: {arg}")
        elif not equals and not args:
            raise box.Error(f"flag needs an argument: {arg}")
        else:
            options[valued[name]] = value if equals else args.pop(0)
    return options, words


def show(value):
    print(json.dumps(value, indent=2))


def age(nanoseconds):
    seconds = max(0, int(time.time() - int(nanoseconds) / 1e9))
    return f"{seconds} seconds ago" if seconds < 60 else f"{seconds // 60} minutes ago" if seconds < 3600 else f"{seconds // 3600} hours ago"


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("   ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


class Crictl:
    def __init__(self, sandbox, options):
        self.sandbox, self.options, self.runtime = sandbox, options, cri.Runtime(sandbox)
        self.json = options.get("output") == "json"
        self.quiet = "quiet" in options

    def short(self, text):
        text = text.removeprefix("sha256:")
        return text if "no-trunc" in self.options else text[:13]

    def labelled(self, item):
        key, _, value = self.options.get("label", "").partition("=")
        return not key or item["labels"].get(key) == value

    # ------------------------------------------------------------ containers

    def ps(self, _):
        state = self.options.get("state", "" if "all" in self.options else "running").upper()
        if state not in ("", "CREATED", "RUNNING", "EXITED", "UNKNOWN"):
            raise box.Error("--state should be one of created, running, exited or unknown")
        found = [c for c in self.runtime.containers() if (not state or c["state"] == "CONTAINER_" + state) and self.labelled(c)
                 and cri.name_matches(self.options.get("name", ""), c["metadata"]["name"])
                 and c["podSandboxId"].startswith(self.options.get("pod", ""))]
        keys = ("id", "podSandboxId", "metadata", "image", "imageRef", "state", "createdAt", "labels", "annotations")
        if self.json:
            show({"containers": [{k: c[k] for k in keys} for c in found]})
        elif self.quiet:
            print("".join(c["id"] + "\n" for c in found), end="")
        else:
            table([("CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD")] + [
                (self.short(c["id"]), self.short(c["imageRef"]), age(c["createdAt"]), c["state"].removeprefix("CONTAINER_").capitalize(), c["metadata"]["name"],
                 c["metadata"]["attempt"], self.short(c["podSandboxId"]), c["labels"]["io.kubernetes.pod.name"]) for c in found])

    def inspect(self, words):
        for word in words:
            c = self.runtime.container(word)
            end, proc = c["exit"], c["proc"]
            reason = "" if not end else "Completed" if end["exitCode"] == 0 else "Error"
            status = {"id": c["id"], "metadata": c["metadata"], "state": c["state"], "createdAt": box.time_of(int(c["createdAt"])),
                      "startedAt": box.time_of(proc["startedAt"] if proc else int(c["createdAt"])),
                      "finishedAt": box.time_of(end["finishedAt"]) if end else "0001-01-01T00:00:00Z", "exitCode": end["exitCode"] if end else 0,
                      "image": {"annotations": {}, "image": c["imageName"]}, "imageRef": c["imageRef"], "reason": reason, "message": "",
                      "labels": c["labels"], "annotations": c["annotations"], "mounts": [], "logPath": c["logPath"]}
            show({"status": status, "info": {"sandboxID": c["podSandboxId"], "pid": proc["pid"] if proc and not end else 0, "config": {"metadata": c["metadata"]},
                                             "runtimeSpec": {"process": {"args": c.get("argv", [])}}}})

    def stop(self, words):
        grace = int(str(self.options.get("timeout", "0")).removesuffix("s"))
        for word in words:
            self.runtime.stop(word, grace)
            print(word)

    def rm(self, words):
        for word in words:
            self.runtime.remove(word, "force" in self.options)
            print(word)

    def logs(self, words):
        with open(self.sandbox.path(self.runtime.container(words[0])["logPath"]), encoding="utf-8", errors="replace") as f:
            lines = f.readlines()
        sys.stdout.writelines(lines[-int(self.options["tail"]):] if "tail" in self.options else lines)

    # ------------------------------------------------------------ pods

    def pods(self, _):
        state = {"": "", "ready": cri.READY, "notready": cri.NOTREADY}[self.options.get("state", "").lower()]
        found = [p for p in self.runtime.pods() if (not state or p["state"] == state) and self.labelled(p)
                 and cri.name_matches(self.options.get("name", ""), p["metadata"]["name"])
                 and self.options.get("namespace", p["metadata"]["namespace"]) == p["metadata"]["namespace"]]
        if self.json:
            show({"items": found})
        elif self.quiet:
            print("".join(p["id"] + "\n" for p in found), end="")
        else:
            table([("POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME")] + [
                (self.short(p["id"]), age(p["createdAt"]), "Ready" if p["state"] == cri.READY else "NotReady", p["metadata"]["name"],
                 p["metadata"]["namespace"], p["metadata"]["attempt"], "(default)") for p in found])

    def inspectp(self, words):
        for word in words:
            pod = self.runtime.pod(word)
            show({"status": {**pod, "createdAt": box.time_of(int(pod["createdAt"])), "network": {"additionalIps": [], "ip": ""}}, "info": {}})

    def stopp(self, words):
        for word in words:
            self.runtime.stop_pod(word)
            print("Stopped sandbox", word)

    def rmp(self, words):
        for word in words:
            if "force" in self.options:
                self.runtime.stop_pod(word)
            elif self.runtime.pod(word)["state"] == cri.READY:
                raise box.Error(f'removing the pod sandbox "{word}": sandbox is ready, please stop it first')
            self.runtime.remove_pod(word)
            print("Removed sandbox", word)

    # ------------------------------------------------------------ images

    def _images(self):
        return [{"id": v["id"], "repoTags": [ref], "repoDigests": [f"{ref.rpartition(':')[0]}@{v['id']}"], "size": str(v["size"]), "uid": None,
                 "username": "", "spec": None, "pinned": False} for ref, v in sorted(self.runtime.images().items())]

    def images(self, words):
        found = [i for i in self._images() if not words or words[0] in (i["id"], i["repoTags"][0], i["repoTags"][0].rpartition(":")[0])]
        if self.json:
            show({"images": found})
        elif self.quiet:
            print("".join(i["id"] + "\n" for i in found), end="")
        else:
            table([("IMAGE", "TAG", "IMAGE ID", "SIZE")] + [(*i["repoTags"][0].rsplit(":", 1), self.short(i["id"]), f"{int(i['size']) / 1e6:.1f}MB") for i in found])

    def inspecti(self, words):
        for word in words:
            found = [i for i in self._images() if word in (i["id"], i["repoTags"][0])]
            if not found:
                raise box.Error(f'no such image "{word}" present')
            show({"status": found[0], "info": {}})

    def pull(self, words):
        for word in words:
            print("Image is up to date for", self.runtime.pull(word)["id"])

    def rmi(self, words):
        for word in words:
            self.runtime.remove_image(word)
            print("Deleted:", word)

    # ------------------------------------------------------------ the runtime

    def version(self, _):
        print("Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  1.6.20 (sandbox)\nRuntimeApiVersion:  v1")

    def info(self, _):
        conditions = [{"type": "RuntimeReady", "status": True, "reason": "", "message": ""}, {"type": "NetworkReady", "status": True, "reason": "", "message": ""}]
        show({"status": {"conditions": conditions}, "config": {"containerdRootDir": "/var/lib/containerd"}})


NEED_WORDS = ("inspect", "stop", "rm", "logs", "inspectp", "stopp", "rmp", "inspecti", "pull", "rmi")


def main(sandbox, args):
    try:
        options, words = parse(args)
        if "version" in options:
            print("crictl version v1.27.0 (sandbox)")
            return 0
        if not words or "help" in options:
            print(USAGE)
            return 0 if "help" in options else 1
        command = {"ls": "ps", "image": "images", "img": "images"}.get(words[0], words[0])
        tool = Crictl(sandbox, options)
        if command not in (*NEED_WORDS, "ps", "pods", "images", "version", "info"):
            raise box.Error(f"No help topic for '{words[0]}'")
        if command in NEED_WORDS and not words[1:]:
            raise box.Error("ID cannot be empty")
        tool.runtime.check_running()
        getattr(tool, command)(words[1:])
        return 0
    except (box.Error, KeyError, ValueError, re.error, OSError) as error:
        print(f"FATA[0000] {error}", file=sys.stderr)
        return 1
