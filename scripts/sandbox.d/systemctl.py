"""Stand-in for systemctl: knows the units kubelet, which it supervises, and containerd."""
import os
import re
import sys

import box

USAGE = "usage: systemctl start|stop|restart|is-active|is-enabled|status|show [-p NAME] [--value]|daemon-reload|enable|disable kubelet|containerd"
NO_UNIT = {"status": 4, "is-active": 3, "is-enabled": 1, "show": 0}


class Unit:
    def __init__(self, sandbox, name):
        self.sandbox, self.name = sandbox, name
        self.flag = sandbox.path(f"/run/{name}.stopped")

    def state(self):
        """(ActiveState, SubState, main pid)"""
        if self.name == "containerd":
            up = os.path.exists(self.sandbox.path("/run/up")) and not os.path.exists(self.flag)
            return ("active", "running", 1) if up else ("inactive", "dead", 0)
        kubelet = self.sandbox.registered("kubelet")
        if kubelet:
            return "active", "running", kubelet["pid"]
        return ("activating", "auto-restart", 0) if self.sandbox.registered("kubelet-unit") else ("inactive", "dead", 0)

    def start(self):
        if self.name == "containerd":
            if os.path.exists(self.flag):
                os.unlink(self.flag)
            return True
        if self.sandbox.registered("kubelet-unit"):
            return True
        self._end_kubelet()  # one whose unit was killed
        self.sandbox.spawn(self.sandbox.python("supervise"), "/var/log/kubelet.log")
        return box.until(10, lambda: self.state()[0] == "active", 0.02)

    def stop(self):
        """Kubelet and its unit; the containers go on."""
        if self.name == "containerd":
            box.write_file(self.flag, "")
            return
        unit = self.sandbox.registered("kubelet-unit")
        if unit:
            box.end_process(unit, 10)
        self._end_kubelet()
        self.sandbox.forget("kubelet-unit")

    def _end_kubelet(self):
        kubelet = self.sandbox.registered("kubelet")
        if kubelet:
            box.end_process(kubelet, 10)
        self.sandbox.forget("kubelet")

    def show(self):
        active, sub, pid = self.state()
        return {"Id": self.name + ".service", "LoadState": "loaded", "ActiveState": active, "SubState": sub, "MainPID": str(pid), "UnitFileState": "enabled",
                "FragmentPath": f"/lib/systemd/system/{self.name}.service", "Restart": "always", "NRestarts": "0"}


def parse(args):
    options, words = {"properties": []}, []
    args = list(args)
    while args:
        arg = args.pop(0)
        match = re.fullmatch(r"(?:-p|--property)(?:=)?(.*)", arg)
        if match:
            options["properties"] += (match.group(1) or args.pop(0)).split(",")
        elif arg.startswith("-"):
            options[arg] = True
        else:
            words.append(arg)
    return options, words


def main(sandbox, args):
    options, words = parse(args)
    if "--version" in options or "--help" in options or not words:
        print("systemd 252 (sandbox)" if "--version" in options else USAGE)
        return 0 if options.keys() - {"properties"} else 1
    verb, names = words[0], [w.removesuffix(".service") for w in words[1:]]
    note(sandbox, verb, names)
    quiet = "-q" in options or "--quiet" in options
    say = (lambda text: None) if quiet else print
    if verb in ("daemon-reload", "reset-failed"):
        return 0
    if verb not in ("start", "stop", "restart", "try-restart", "reload-or-restart", "is-active", "is-enabled", "is-failed", "status", "show", "enable", "disable", "cat"):
        print(f"Unknown command verb {verb}.", file=sys.stderr)
        return 1
    if not names:
        print("Too few arguments.", file=sys.stderr)
        return 1
    return max(one(sandbox, verb, name, options, say) for name in names)


def one(sandbox, verb, name, options, say):
    if name not in ("kubelet", "containerd"):
        return unknown(verb, name, say, options)
    unit = Unit(sandbox, name)
    active, sub, pid = unit.state()
    if verb in ("enable", "disable"):
        return 0
    if verb == "is-enabled":
        say("enabled")
        return 0
    if verb in ("is-active", "is-failed"):
        say(active)
        return 0 if (active == "active") == (verb == "is-active") else 3 if verb == "is-active" else 1
    if verb == "status":
        say(f"* {name}.service\n     Loaded: loaded (/lib/systemd/system/{name}.service; enabled)\n     Active: {active} ({sub})\n   Main PID: {pid}")
        return 0 if active == "active" else 3
    if verb == "show":
        for key, value in unit.show().items():
            if not options["properties"] or key in options["properties"]:
                say(value if "--value" in options else f"{key}={value}")
        return 0
    if verb != "start" and (verb != "try-restart" or active != "inactive"):
        unit.stop()
    if verb == "stop" or (verb == "try-restart" and active == "inactive"):
        return 0
    if unit.start():
        return 0
    print(f"Job for {name}.service failed because the control process exited with error code.\nSee /var/log/kubelet.log of the sandbox.", file=sys.stderr)
    return 1


def unknown(verb, name, say, options):
    if verb == "is-active":
        say("inactive")
    elif verb == "is-enabled":
        print(f"Failed to get unit file state for {name}.service: No such file or directory", file=sys.stderr)
    elif verb == "show":
        for key, value in (("LoadState", "not-found"), ("ActiveState", "inactive"), ("SubState", "dead")):
            if not options["properties"] or key in options["properties"]:
                say(value if "--value" in options else f"{key}={value}")
    elif verb == "status":
        print(f"Unit {name}.service could not be found.", file=sys.stderr)
    else:
        print(f"Failed to {verb} {name}.service: Unit {name}.service not found.", file=sys.stderr)
    return NO_UNIT.get(verb, 5)


def note(sandbox, verb, names):
    with open(sandbox.path("/var/log/systemctl.log"), "a", encoding="utf-8") as f:
        f.write(f"{box.micro_time()} ppid={os.getppid()} {verb} {' '.join(names)}\n")
