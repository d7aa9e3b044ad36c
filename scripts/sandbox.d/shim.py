"""Runs one container as a process of its own session, waits for it and notes its exit: `shim ID`.

It plays containerd's shim: neither kubelet nor the runtime is the parent of a container, so both may die."""
import os
import time

import box


def main(sandbox, args):
    base = sandbox.path(f"/run/cri/containers/{args[0]}")
    record = box.read_json(base + ".json")
    box.name_process("shim")
    started = time.time_ns()
    pid = os.fork()
    if pid == 0:
        _become(sandbox, record)
    box.write_json(base + ".proc", {**box.identity(pid), "shim": box.identity(os.getpid()), "startedAt": started})
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if os.path.exists(base + ".json"):
        box.write_json(base + ".exit", {"exitCode": 128 - code if code < 0 else code, "finishedAt": time.time_ns()})


def _become(sandbox, record):
    """The container's side: its log, a session, the program."""
    try:
        os.setsid()
        log = os.open(sandbox.path(record["logPath"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(record["rootfs"])
        os.umask(0o022)
        os.execve(record["argv"][0], record["argv"], {**sandbox.child_env(), **record["env"]})
    except OSError as error:
        os.write(2, f"cannot start the container: {error}\n".encode())
    finally:
        os._exit(128)
