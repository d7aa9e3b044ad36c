import Glibc
import Host
import Model
import Testing

@Suite struct `Completion` {
  @Test(arguments: [
    (["upg"], "upgrade"), ([""], "bundle"), (["bundle", ""], "verify"), (["playbook", ""], "graph"), (["playbook", "show", ""], "upgrade"),
    (["upgrade", "-"], "--ignore-check"), (["upgrade", "v1.28.0", "--ignore-check", ""], "etcd-members"), (["-o", ""], "json"),
    (["--output=j"], "json"), (["status", "-wo", ""], "text"), (["rollback", "--etcd", ""], "always"), (["completion", ""], "fish"),
    (["playbook", "graph", "--format", ""], "dot"), (["--state", "/elsewhere", "playbook", "show", ""], "rollback"),
  ])
  func `offers what the grammar knows`(words: [String], expected: String) throws {
    #expect(try TypingBench(runs: 0).complete(words).words.map(\.0).contains(expected))
  }

  @Test func `offers nothing where nothing can stand, and no hidden command`() throws {
    let typing = try TypingBench(runs: 0)
    #expect(try typing.complete(["version", ""]).words.isEmpty)
    #expect(try typing.complete(["history", "--limit", ""]).words.isEmpty)
    #expect(try typing.complete(["nonsense", ""]).words.isEmpty)
    #expect(try !typing.complete(["--", "-"]).words.contains { $0.0.hasPrefix("-") })
    #expect(try !typing.complete([""]).words.map(\.0).contains("docs"))
    #expect(try !typing.complete(["status", "-w", "--wa"]).words.map(\.0).contains("--watch"))
    #expect(try typing.complete([]).words.map(\.0).contains("upgrade"))
  }

  @Test func `knows files and directories`() throws {
    let typing = try TypingBench(runs: 0)
    #expect(try typing.complete(["--config", ""]).flags == "files")
    #expect(try typing.complete(["--root="]).flags == "directories")
    #expect(try typing.complete(["playbook", "run", ""]).flags == "files")
    #expect(try typing.complete(["bundle", "verify", ""]).flags == "files ids")
  }

  @Test func `offers runs with what they were, newest first, and the steps of one`() throws {
    let typing = try TypingBench()
    let found = try typing.complete(["show", ""])
    #expect(found.flags == "ids")
    #expect(found.words.map(\.0) == typing.runs.reversed())
    #expect(found.words.first?.1.hasPrefix("sample word=w1, succeeded, 20") == true)
    #expect(try typing.complete(["logs", typing.runs[0], ""]).words.map(\.0) == ["first", "second"])
    #expect(try typing.complete(["logs", "last", ""]).words.map(\.0) == ["first", "second"])
    #expect(try typing.complete(["resume", ""]).words.isEmpty)
    try typing.sql("UPDATE runs SET state = 'interrupted', ended = NULL WHERE id = '\(typing.runs[0])'")
    #expect(try typing.complete(["resume", ""]).words.map(\.0) == [typing.runs[0]])
  }

  @Test func `offers bundles, what they hold, off-site stores and versions`() throws {
    let typing = try TypingBench(runs: 1)
    try typing.addBundle("20261121-aaaa")
    #expect(try typing.complete(["drill", ""]).words.map(\.0) == ["20261121-aaaa"])
    #expect(try typing.complete(["drill", ""]).words.first?.1 == "2023-11-14 22:13:20, revision 62, not drilled")
    #expect(try typing.complete(["bundle", "objects", "-r", ""]).words.map(\.0) == ["configmaps", "pods"])
    try typing.sql("UPDATE bundles SET removed = 1700000001000")
    #expect(try typing.complete(["drill", ""]).words.isEmpty)
    #expect(try typing.complete(["bundle", "pull", ""]).words.map(\.0) == ["20261121-aaaa"])
    let config = try typing.bench.write("config.yaml", "offsite: [\"s3://backups/prod\"]\nencryption: none\n")
    #expect(try typing.complete(["bundle", "list", "--config", config, "--from", ""]).words.map(\.0) == ["s3://backups/prod"])
    let lists = typing.bench.path + "/root/var/lib/apt/lists"
    try Files.makeDirectory(lists)
    let packages =
      "Package: kubeadm\nVersion: 1.28.2-1.1\n\nPackage: kubelet\nVersion: 1.99.0-1.1\n\nPackage: kubeadm\nVersion: 1.28.10-1.1\n"
    try Files.replace(lists + "/pkgs.k8s.io_core_stable_v1.28_deb_Packages", with: Array(packages.utf8))
    #expect(try typing.complete(["upgrade", "--root", typing.bench.path + "/root", ""]).words.map(\.0) == ["v1.28.10", "v1.28.2"])
  }

  @Test func `leaves no trace, whatever state the journal is in`() throws {
    let none = try TypingBench(runs: 0)
    #expect(try none.complete(["show", ""]).words.isEmpty)
    #expect(try !Files.exists(none.bench.state))

    let typing = try TypingBench(runs: 1)
    let journal = typing.bench.state + "/kguard.db"
    let files = try Files.list(typing.bench.state).sorted()
    let bytes = try Files.read(journal)
    #expect(try typing.complete(["show", ""]).words.count == 1)
    #expect(try Files.list(typing.bench.state).sorted() == files)
    #expect(try Files.read(journal) == bytes)

    // Damaged, of a newer kguard, no journal at all.
    try typing.sql("PRAGMA user_version = 999")
    #expect(try typing.complete(["show", ""]).words.isEmpty)
    try Files.replace(journal, with: Array(bytes.prefix(5000)))
    _ = try typing.complete(["show", ""])
    try Files.replace(journal, with: Array("nonsense".utf8))
    #expect(try typing.complete(["show", ""]).words.isEmpty)
    #expect(try typing.complete(["bundle", "list", "--config", "/nowhere.yaml", "--from", ""]).words.isEmpty)
    #expect(try typing.complete(["playbook", "show", "--root", "/nowhere", ""]).words.isEmpty)
  }

  @Test func `sees the run of a kguard that was killed, and leaves its files as they are`() throws {
    let typing = try TypingBench(runs: 1)
    let sample = typing.bench.path + "/sample.yaml"
    #expect(try typing.bench.kguard("playbook", "run", sample, environment: ["KGUARD_FAILPOINT": "first/start.after=crash"]).wasKilled)
    let journal = typing.bench.state + "/kguard.db"
    let files = try Files.list(typing.bench.state).sorted()
    let bytes = try [journal, journal + "-wal"].map { try Files.read($0) }
    #expect(try typing.complete(["resume", ""]).words.count == 1)
    #expect(try typing.complete(["show", ""]).words.count == 2)
    #expect(try Files.list(typing.bench.state).sorted() == files)
    #expect(try [journal, journal + "-wal"].map { try Files.read($0) } == bytes)
  }

  @Test func `waits for nobody who keeps the journal locked`() throws {
    let typing = try TypingBench(runs: 1)
    let answer = typing.bench.path + "/answer"
    let ask = try typing.bench.write("ask.sh", "\(Bench.binary) __complete show '' > \(answer)")
    let script = """
      PRAGMA locking_mode = EXCLUSIVE;
      BEGIN EXCLUSIVE;
      UPDATE runs SET playbook = 'other';
      .shell sh \(ask)
      ROLLBACK;
      """
    let file = try typing.bench.write("lock.sql", script)
    // kguard itself would wait five seconds.
    let start = monotonicNow()
    let result = try runCaptured(
      "/bin/sh", Command(["sh", "-c", "sqlite3 \"$KGUARD_STATE/kguard.db\" < \(file)"], environment: ["KGUARD_STATE": typing.bench.state]))
    #expect(result.errorText == "")
    #expect(String(decoding: try Files.read(answer), as: UTF8.self).hasPrefix("ids\n"))
    #expect(monotonicNow() - start < .seconds(4))
  }

  /// Nothing that a playbook or a file name holds reaches the shell as a command.
  @Test func `gives shells only plain words`() throws {
    let typing = try TypingBench(runs: 0)
    let config = try typing.bench.write("config.yaml", "offsite: [\"file:///srv/$(touch x)\", \"file:///srv/good\"]\nencryption: none\n")
    #expect(try typing.complete(["bundle", "list", "--config", config, "--from", ""]).words.map(\.0) == ["file:///srv/good"])
  }
}

@Suite struct `Completion in bash` {
  @Test func `completes commands, options, values, runs and files`() throws {
    let typing = try TypingBench()
    try typing.addBundle("20261121-aaaa")
    #expect(try typing.bash("kguard upg", ["kguard", "upg"]) == ["upgrade"])
    #expect(try typing.bash("kguard playbook ", ["kguard", "playbook", ""]).contains("graph"))
    #expect(try typing.bash("kguard upgrade --dry", ["kguard", "upgrade", "--dry"]) == ["--dry-run"])
    #expect(try typing.bash("kguard status --output=j", ["kguard", "status", "--output", "=", "j"]) == ["json"])
    #expect(try typing.bash("kguard status --output=", ["kguard", "status", "--output", "="]) == ["text", "json"])
    #expect(try typing.bash("kguard   show  ", ["kguard", "show", ""]) == typing.runs.reversed())
    #expect(try typing.bash("kguard show '\(typing.runs[0])", ["kguard", "show", "'" + typing.runs[0]]) == [typing.runs[0]])
    // The end of an id is what people type.
    let end = String(typing.runs[1].suffix(3))
    #expect(try typing.bash("kguard show \(end)", ["kguard", "show", end]) == [typing.runs[1]])
    #expect(try typing.bash("kguard playbook check sam", ["kguard", "playbook", "check", "sam"]) == ["sample.yaml"])
    #expect(try typing.bash("kguard --state=st", ["kguard", "--state", "=", "st"]) == ["state"])
    #expect(try typing.bash("kguard drill 2026", ["kguard", "drill", "2026"]) == ["20261121-aaaa"])
  }

  @Test func `keeps the part before a colon, where bash cuts words`() throws {
    let typing = try TypingBench(runs: 0)
    let config = try typing.bench.write("config.yaml", "offsite: [\"s3://backups/prod\"]\nencryption: none\n")
    let words = ["kguard", "bundle", "list", "--config", config, "--from"]
    let line = words.joined(separator: " ") + " s3:"
    #expect(try typing.bash(line + "//b", words + ["s3", ":", "//b"]) == ["//backups/prod"])
  }
}

@Suite struct `Completion in zsh` {
  @Test func `completes commands, options, values and runs, and tells what they are`() throws {
    let typing = try TypingBench()
    #expect(try typing.zsh("kguard upg").line == "kguard upgrade ")
    #expect(try typing.zsh("kguard upgrade --dry").line == "kguard upgrade --dry-run ")
    #expect(try typing.zsh("kguard status --output=j").line == "kguard status --output=json ")
    let listed = try typing.zsh("kguard show ", tabs: 2)
    #expect(listed.screen.contains("sample word=w0, succeeded"), "\(listed.screen)")
    #expect(try typing.zsh("kguard show \(typing.runs[1].suffix(3))").line == "kguard show \(typing.runs[1]) ")
    #expect(try typing.zsh("kguard playbook check sam").line == "kguard playbook check sample.yaml ")
  }
}

@Suite struct `Completion in fish` {
  @Test func `completes commands, options, values and runs, and tells what they are`() throws {
    let typing = try TypingBench()
    #expect(try typing.fish("kguard upg") == ["upgrade\tupgrade this control-plane node, or put it back"])
    #expect(try typing.fish("kguard upgrade --dry") == ["--dry-run\tsay what would happen, and change nothing"])
    #expect(try typing.fish("kguard status --output=j") == ["--output=json"])
    let runs = try typing.fish("kguard show ")
    #expect(runs.count == 2)
    #expect(runs.allSatisfy { $0.contains("\tsample word=w") && $0.contains(", succeeded, ") })
    #expect(try typing.fish("kguard playbook check sam").contains { $0.hasPrefix("sample.yaml") })
    #expect(try typing.fish("kguard --state=st").contains { $0.hasPrefix("--state=state/") })
  }
}
