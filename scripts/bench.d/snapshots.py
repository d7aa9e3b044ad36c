"""The benches of snapshots: kguard and what a person would type, in turn, on one etcd of Kubernetes-like objects, to one S3 server."""
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

from etcdload import KINDS, Etcd, Objects, await_port, end as end_process, free_ports, load
from measure import ENVIRONMENT, KGUARD, TOP, Measured, Table, milliseconds, number, write

TOOLS = os.environ.get("KGUARD_TOOLS", TOP + "/.build/tools")
MEMORY = 64  # MiB


class Site:
    """What the benches of one call share: the etcd, the S3 server, a key, and a bundle."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="kguard-bench-site-", dir="/var/tmp")
        self.processes, self.etcds, self.stored = [], [], None

    def etcd(self, mebibytes=None):
        wanted = mebibytes or number("KGUARD_BENCH_MIB", 1024)
        for etcd, size in self.etcds:
            if size == wanted:
                return etcd
        etcd = Etcd.__new__(Etcd)
        self.etcds.append((etcd, wanted))  # before it starts, so that it is ended whatever happens
        etcd.__init__(f"{self.directory}/node-{wanted}", wanted)
        return etcd

    def s3(self):
        """The environment in which rclone knows the server as `bench:` and kguard has its key."""
        if self.stored is None:
            (port,) = free_ports(1)
            os.makedirs(self.directory + "/buckets/bench")
            with open(self.directory + "/rclone.log", "wb") as log:
                server = subprocess.Popen(
                    [TOOLS + "/bin/rclone", "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}", "--auth-key",
                     "guard,secret", self.directory + "/buckets"], env=ENVIRONMENT, stdout=log, stderr=log)
            self.processes.append(server)
            await_port(port, server, "rclone")
            self.endpoint = f"http://127.0.0.1:{port}"
            self.stored = {
                "PATH": f"{ENVIRONMENT['PATH']}:{TOOLS}/bin", "AWS_ACCESS_KEY_ID": "guard", "AWS_SECRET_ACCESS_KEY": "secret",
                "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_BENCH_TYPE": "s3", "RCLONE_CONFIG_BENCH_PROVIDER": "Rclone",
                "RCLONE_CONFIG_BENCH_ENDPOINT": self.endpoint, "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": "guard",
                "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": "secret"}
        return self.stored

    def recipient(self):
        key = self.directory + "/key.txt"
        if not os.path.exists(key):
            subprocess.run([KGUARD, "key", "new", key], check=True, capture_output=True)
        return subprocess.run(["age-keygen", "-y", key], check=True, capture_output=True, text=True).stdout.strip()

    def configuration(self, path, target=None):
        etcd = self.etcd()
        text = (f"etcd: {{endpoints: [\"https://127.0.0.1:{etcd.port}\"], ca-file: {etcd.pki}/ca.crt, "
                f"cert-file: {etcd.pki}/healthcheck-client.crt, key-file: {etcd.pki}/healthcheck-client.key}}\n")
        if target:
            self.s3()
            text += (f"offsite: [{{url: s3://bench/{target}, endpoint: \"{self.endpoint}\", path-style: true, region: us-east-1}}]\n"
                     f"encryption: {{recipients: [{self.recipient()}]}}\n")
        return write(path, text)

    def forget(self, target):
        shutil.rmtree(f"{self.directory}/buckets/bench/{target}", ignore_errors=True)

    def end(self):
        for etcd, _ in self.etcds:
            if getattr(etcd, "process", None):
                etcd.stop()
        for process in self.processes:
            end_process(process)
        shutil.rmtree(self.directory, ignore_errors=True)


_site = []


def site():
    if not _site:
        _site.append(Site())
    return _site[0]


def end():
    while _site:
        _site.pop().end()


class Contest:
    """Runs its contestants in turn, one warm-up and then as many rounds as wanted. The first is kguard; each that is not is compared with
    the kguard above it."""

    def __init__(self, title, *contestants, goals):
        self.contestants, self.goals = contestants, goals
        self.table = Table(title, "with", "median", "fastest", "ratio, paired", "CPU", "anonymous", "load", "")

    def run(self):
        rounds, loads = [], []
        for n in range(1 + number("KGUARD_BENCH_PAIRS", 3)):
            # What was written a moment ago is the disk's business, not the next contestant's.
            measured = []
            for _, contestant in self.contestants:
                os.sync()
                measured.append(contestant(n))
            rounds.append(measured)
            loads.append(os.getloadavg()[0])
        own = max(measured[0].anonymous for measured in rounds)
        of = 0
        for n, (name, _) in enumerate(self.contestants):
            if name.startswith("kguard"):
                of = n
            seconds = [measured[n].seconds for measured in rounds[1:]]
            ratio = statistics.median(measured[of].seconds / measured[n].seconds for measured in rounds[1:])
            memory = max(measured[n].anonymous for measured in rounds)
            processors = statistics.median(measured[n].processors for measured in rounds[1:])
            goal = self.goals.get(name)
            verdict, met = (f"kguard <= {goal} of it", ratio <= goal) if goal else (None, True)
            if n == 0:
                verdict, met = f"anonymous < {MEMORY} MiB", own < MEMORY
            self.table.row(name, f"{statistics.median(seconds):.2f} s", f"{min(seconds):.2f} s", f"{ratio:.2f}" if n != of else "",
                           f"{processors:.2f} s", f"{memory:.0f} MiB", f"{statistics.median(loads):.1f}", goal=verdict, met=met)
        return self.table


def run(argv, environment=None):
    return Measured(argv, environment=environment, watch=True)


def shell(script, environment, **words):
    """A pipeline as a person would type it; it fails where any part of it does."""
    return run(["/bin/bash", "-ec", "set -o pipefail; " + script], environment | {name: str(word) for name, word in words.items()})


def sized(what, path_or_size):
    size = path_or_size if isinstance(path_or_size, int) else os.path.getsize(path_or_size)
    return f"{what}, {size / (1 << 20):.0f} MiB, median of {number('KGUARD_BENCH_PAIRS', 3)} pairs"


def take(directory, state, *more):
    """Takes a bundle into a state directory."""
    steps = "".join(f"  - {{id: {name}, action: {action}}}\n" for name, action in (("take", "etcd/snapshot"), *more))
    book = write(f"{directory}/take.yaml", "name: take\nsteps:\n" + steps)
    return run([KGUARD, "playbook", "run", book, "--yes", "--state", state, "--config", site().configuration(directory + "/take-config.yaml")])


def snapshot_file(state):
    (bundle,) = os.listdir(state + "/bundles")
    return f"{state}/bundles/{bundle}/snapshot.db"


# ---------------------------------------------------------------- the benches

def snapshot(directory):
    """`etcd/snapshot` alone, as a playbook of one step."""
    etcd = site().etcd()

    def kguard(n):
        measured = take(directory, f"{directory}/state-{n}")
        shutil.rmtree(f"{directory}/state-{n}")
        return measured

    def etcdctl(n):
        measured = run(["etcdctl", "snapshot", "save", f"{directory}/by-hand.db"], etcd.client())
        os.remove(f"{directory}/by-hand.db")
        return measured

    return Contest(sized("snapshot", etcd.size()), ("kguard, etcd/snapshot", kguard), ("etcdctl snapshot save", etcdctl),
                   goals={"etcdctl snapshot save": 0.75}).run()


def verify(directory):
    """All of a snapshot, in the page cache."""
    take(directory, directory + "/state")
    file = snapshot_file(directory + "/state")
    return Contest(
        sized("verify", file), ("kguard bundle verify", lambda n: run([KGUARD, "bundle", "verify", file, "--state", directory + "/none"])),
        ("openssl dgst -sha256", lambda n: run(["openssl", "dgst", "-sha256", file])),
        ("etcdctl snapshot status", lambda n: run(["etcdctl", "snapshot", "status", file], {"ETCDCTL_API": "3"})),
        goals={"openssl dgst -sha256": 1.2}).run()


def seal(directory):
    """Compress, encrypt, upload. kguard also reads back what it has sent: that has a row and a partner of its own."""
    state, environment, recipient = directory + "/state", site().s3(), site().recipient()
    take(directory, state, ("verify", "bundle/verify"))
    file = snapshot_file(state)
    copied, piped = {}, {}

    def kguard(n):
        target = f"kguard-{n}"
        configuration = site().configuration(directory + "/seal.yaml", target)
        copied[n] = run([KGUARD, "bundle", "copy", "--yes", "--state", state, "--config", configuration], environment)
        site().forget(target)
        with sqlite3.connect(state + "/kguard.db") as journal:
            ((sent,),) = journal.execute("SELECT sent FROM copies WHERE file = 'snapshot.db' AND target = ?", (f"s3://bench/{target}",))
        return Part(sent / 1000 - copied[n].began, copied[n])

    def by_hand(n):
        piped[n] = shell('zstd -q -3 -c "$FILE" | age -r "$RECIPIENT" | rclone rcat "bench:bench/$TARGET/snapshot.db.zst.age"', environment,
                         FILE=file, RECIPIENT=recipient, TARGET=f"hand-{n}")
        return piped[n]

    def by_hand_and_read(n):
        again = shell('rclone cat "bench:bench/$TARGET/snapshot.db.zst.age" | sha256sum', environment, TARGET=f"hand-{n}")
        site().forget(f"hand-{n}")
        return Part(piped[n].seconds + again.seconds, piped[n], again)

    return Contest(
        sized("seal and upload to S3", file), ("kguard bundle copy, until it is sent", kguard),
        ("zstd -3 | age | rclone rcat", by_hand), ("kguard bundle copy, read back too", lambda n: copied[n]),
        ("the same by hand, rclone cat | sha256sum too", by_hand_and_read), goals={"zstd -3 | age | rclone rcat": 0.8}).run()


class Part:
    """Some seconds of one run, or of several; the processors' are those of all."""

    def __init__(self, seconds, *runs):
        self.seconds = seconds
        self.processors = sum(whole.processors for whole in runs)
        self.anonymous = max(whole.anonymous for whole in runs)


def chain(directory):
    """Snapshot, verify, seal, copy, read back."""
    etcd, environment, recipient = site().etcd(), site().s3(), site().recipient()

    def kguard(n):
        target, state = f"chain-{n}", f"{directory}/state-{n}"
        measured = run([KGUARD, "backup", "--no-drill", "--yes", "--state", state, "--config",
                        site().configuration(directory + "/chain.yaml", target)], environment)
        site().forget(target)
        shutil.rmtree(state)
        return measured

    def by_hand(n):
        os.makedirs(directory + "/hand/out")
        measured = shell(
            'etcdctl snapshot save "$D/snapshot.db" && etcdctl snapshot status "$D/snapshot.db" && '
            'zstd -q -3 -c "$D/snapshot.db" | age -r "$RECIPIENT" >"$D/out/snapshot.db.zst.age" && '
            'rclone copy "$D/out" "bench:bench/$TARGET" && rclone check --download "$D/out" "bench:bench/$TARGET"',
            environment | etcd.client(), D=directory + "/hand", RECIPIENT=recipient, TARGET=f"by-hand-{n}")
        site().forget(f"by-hand-{n}")
        shutil.rmtree(directory + "/hand")
        return measured

    return Contest(
        sized("the whole chain", etcd.size()), ("kguard backup --no-drill", kguard),
        ("etcdctl save && status && zstd | age && rclone copy && check --download", by_hand),
        goals={"etcdctl save && status && zstd | age && rclone copy && check --download": 0.6}).run()


def rollback_swap(directory):
    """The moment a rollback exchanges etcd's data, for two sizes: kguard's two renames, beside a restore by etcdctl at that moment."""
    large = number("KGUARD_BENCH_MIB", 1024)
    table = Table("rollback by staged rename, once each", "etcd", "kguard etcd/swap", "etcdctl snapshot restore && mv && mv", "load", "")
    swaps = []
    for mebibytes in (max(4, large // 16), large):
        etcd = site().etcd(mebibytes)
        size, state = etcd.size() >> 20, f"{directory}/state-{mebibytes}"
        books = etcd.root + "/etc/kguard/playbooks"
        os.makedirs(books, exist_ok=True)
        write(books + "/bench-back.yaml",
              "name: bench-back\nsteps:\n  - {id: stage, action: etcd/stage}\n  - {id: swap, action: etcd/swap}\n")
        book = write(directory + "/swap.yaml",
                     "name: bench\nrollback: bench-back\nsteps:\n  - {id: take, action: etcd/snapshot}\n  - {id: verify, action: bundle/verify}\n"
                     "  - {id: drill, action: etcd/drill}\n  - {id: change, run: [\"true\"], on-failure: rollback}\n")
        common = ["--yes", "--root", etcd.root, "--state", state]
        Measured([KGUARD, "playbook", "run", book, *common])
        # Beside kguard's, from the same snapshot, onto the same filesystem.
        aside = f"{directory}/restored-{mebibytes}"
        os.makedirs(aside + "/live")
        by_hand = shell('etcdctl snapshot restore "$FILE" --data-dir "$D/new" --skip-hash-check=false && mv "$D/live" "$D/old" && '
                        'mv "$D/new" "$D/live"', {"ETCDCTL_API": "3"}, FILE=snapshot_file(state), D=aside)
        shutil.rmtree(aside)
        etcd.stop()
        Measured([KGUARD, "rollback", *common], expected=4)  # rolled back
        with sqlite3.connect(state + "/kguard.db") as journal:
            ((text,),) = journal.execute("SELECT data FROM events WHERE type = 'etcd-swapped'")
        swaps.append(json.loads(text)["microseconds"] / 1e6)
        # It starts as it did before, from what has come in.
        etcd.start()
        more = swaps[-1] - swaps[0]
        table.row(f"{size} MiB", milliseconds(swaps[-1]), f"{by_hand.seconds:.2f} s", f"{os.getloadavg()[0]:.1f}",
                  goal="< 100 ms more than for a 16th of it" if len(swaps) > 1 else None, met=more < 0.1)
    return table


def rollback(directory):
    """A whole rollback of a sandbox node, etcd included: how long the API is away, and where the time goes."""
    large = number("KGUARD_BENCH_MIB", 1024)
    table = Table("rollback of a sandbox node, once each", "etcd", "stop", "swap", "files", "start", "verify", "API away", "load", "")
    for mebibytes in (0, large):
        node, state = f"{directory}/node-{mebibytes}", f"{directory}/state-{mebibytes}"
        sandbox = lambda command, *more: subprocess.run([TOP + "/scripts/sandbox", command, node, *more], check=True, capture_output=True)
        try:
            sandbox("up")
            sandbox("objects")
            # Custom objects, since the stand-in of the API server reads the others; requests as large as etcd takes them by itself.
            with open(node + "/.kguard-sandbox") as settings:
                port = json.load(settings)["ports"]["etcd"]
            load(port, node + "/etc/kubernetes/pki/etcd", mebibytes << 20, Objects([kind for kind in KINDS if "." in kind[0]], as_json=True),
                 most=1 << 20)
            book = write(directory + "/rollback.yaml", "name: bench\nrollback: rollback\nsteps:\n" + "".join(
                f"  - {{id: {name}, action: {action}}}\n" for name, action in (
                    ("baseline", "cluster/baseline"), ("archive", "node/archive"), ("take", "etcd/snapshot"), ("verify", "bundle/verify"),
                    ("drill", "etcd/drill"))) + "  - {id: change, run: [\"true\"], on-failure: rollback}\n")
            common = ["--yes", "--root", node, "--state", state]
            Measured([KGUARD, "playbook", "run", book, *common])
            Measured([KGUARD, "rollback", "--etcd", "always", *common])
            with sqlite3.connect(state + "/kguard.db") as journal:
                ((text,),) = journal.execute("SELECT evidence FROM steps WHERE action = 'cluster/verify-restored'")
            took = json.loads(text)["milliseconds"]
            size = os.path.getsize(node + "/var/lib/etcd/member/snap/db") >> 20
            # Where every file is as it was, none is put back.
            phases = ("stop", "swap", "files", "start", "verify", "outage")
            table.row(f"{size} MiB", *(milliseconds(took.get(phase, 0) / 1000) for phase in phases),
                      f"{os.getloadavg()[0]:.1f}", goal="swap < 1 s", met=took["swap"] < 1000)
        finally:
            sandbox("down", "--delete")
    return table


BENCHES = {"snapshot": snapshot, "verify": verify, "seal": seal, "chain": chain, "rollback-swap": rollback_swap, "rollback": rollback}
