"""The commands of scripts/sandbox."""
import argparse
import json
import os
import shlex
import sys

import box
import cluster
import faults
import lifecycle
from apiclient import Client, Unreachable

DESCRIPTION = """A throw-away kubeadm-like node under a directory: real etcd with TLS, stand-ins for kubelet, API server,
controller-manager, scheduler, kubeadm, crictl and systemctl. DIR is laid out as the root of a host:
kguard --root DIR works on it. Logs are in DIR/var/log, settings in DIR/etc/sandbox.json."""


def parser():
    top = argparse.ArgumentParser(prog="sandbox", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, text, directory=True):
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if directory:
            command.add_argument("dir", metavar="DIR")
        return command

    up = add("up", "make a sandbox in DIR and start it, or start the one that is there")
    up.add_argument("--version", default="v1.27.4", help="version of the cluster (default %(default)s)")
    up.add_argument("--kubeadm", default="v1.28.0", help="version of the installed kubeadm, the target (default %(default)s)")
    up.add_argument("--seed-objects", type=int, default=0, metavar="N", help="put N configmaps of 1 KB into namespace seed")
    up.add_argument("--etcd", default="/usr/bin/etcd", metavar="FILE", help="the etcd to run (default %(default)s)")
    up.add_argument("--etcd-upgrade", action="store_true", help="kubeadm moves etcd to another image tag (the program stays the same)")
    up.add_argument("--data-dir", default="/var/lib/etcd", metavar="PATH", help="etcd's data directory on the node (default %(default)s)")
    up.add_argument("--packages", choices=("none", "apt"), default="none", help="apt: kubeadm, kubelet and kubectl are held packages of the cluster's version (default %(default)s)")
    add("down", "end every process of the sandbox; its files stay").add_argument("--delete", action="store_true", help="delete DIR too")
    add("reset", "end the sandbox and make it anew with the options of its `up`")
    add("status", "what runs, and whether it is ready (exit 0) or not (exit 1)").add_argument("--output", choices=("text", "json"), default="text")
    broken = add("break", "give the sandbox a fault; `sandbox faults` lists them")
    broken.add_argument("fault", metavar="FAULT")
    broken.add_argument("--for", dest="seconds", metavar="X", default="10", help="seconds, for slow-apply (default %(default)s)")
    add("mend", "take one fault back, or all of them").add_argument("fault", metavar="FAULT", nargs="?")
    add("faults", "list the faults", directory=False)
    add("env", "print exports (PATH, KUBECONFIG) for a shell: eval \"$(sandbox env DIR)\"")
    add("objects", "add namespace demo with configmap cm1, secret s1, deployment and service web")
    add("get", "GET a path of the API with the admin certificate and print the JSON").add_argument("path", metavar="PATH")
    install = add("install", "install another version of kubeadm, kubelet or kubectl, as a package manager would")
    install.add_argument("tool", choices=("kubeadm", "kubelet", "kubectl"))
    install.add_argument("version", metavar="VERSION")
    return top


class Commands:
    def __init__(self, options):
        self.options = options
        self.sandbox = box.Box(os.path.realpath(options.dir)) if "dir" in options else None
        if options.command not in ("up", "faults"):
            self.sandbox.marker()

    def client(self):
        return Client(self.sandbox.path("/etc/kubernetes/admin.conf"))

    def up(self):
        seconds = lifecycle.up(self.sandbox, self.options)
        print(f"up in {seconds:.1f} s: {self.sandbox.root}, API server {self.sandbox.server}")

    def down(self):
        count = lifecycle.down(self.sandbox, self.options.delete)
        print(f"down: {count} processes ended" + (f", {self.sandbox.root} deleted" if self.options.delete else ""))

    def reset(self):
        print(f"up again in {lifecycle.reset(self.sandbox):.1f} s: {self.sandbox.root}, API server {self.sandbox.server}")

    def status(self):
        state = lifecycle.status(self.sandbox)
        if self.options.output == "json":
            print(json.dumps(state, indent=2))
        else:
            print(f"{state['root']}: " + ("ready" if state["ready"] else "not ready: " + ", ".join(state["problems"])))
            print(f"server {state['server']}, etcd {state['etcd']}, node {state['node']} ({state['node_ip']}), kubelet {state['kubelet']}, {state['processes']} processes")
            print("installed: " + ", ".join(f"{t} {v}" for t, v in state["versions"].items()))
            for c in state["containers"]:
                print(f"  {c['name']:24} {c['state']:8} attempt {c['attempt']}  pid {c['pid']:<7} {c['image']}")
            print("faults: " + (", ".join(state["faults"]) or "none"))
        return 0 if state["ready"] else 1

    def faults(self):
        for name, text in faults.FAULTS.items():
            print(f"{name:17} {text}")

    def env(self):
        path = f"{self.sandbox.path('/usr/bin')}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        print(f"export PATH={shlex.quote(path)}\nexport KUBECONFIG={shlex.quote(self.sandbox.path('/etc/kubernetes/admin.conf'))}")

    def objects(self):
        cluster.objects(self.client())

    def get(self):
        status, body = self.client().get(self.options.path)
        print(json.dumps(body, indent=2) if isinstance(body, dict) else body)
        return 0 if status == 200 else 1

    def install(self):
        if not lifecycle.VERSION.fullmatch(self.options.version):
            raise box.Error(f"{self.options.version} is not a version such as v1.28.0")
        self.sandbox.install(self.options.tool, self.options.version)

    def breaks(self):
        print(faults.break_it(self.sandbox, self.options.fault, self.options.seconds))

    def mend(self):
        print(faults.mend(self.sandbox, self.options.fault))


def main(args):
    options = parser().parse_args(args)
    try:
        return getattr(Commands(options), {"break": "breaks"}.get(options.command, options.command))() or 0
    except box.Error as error:
        print(f"sandbox {options.command}: {error}", file=sys.stderr)
    except Unreachable as error:
        print(f"sandbox {options.command}: the API server does not answer: {error}. See: sandbox status {options.dir}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 1
