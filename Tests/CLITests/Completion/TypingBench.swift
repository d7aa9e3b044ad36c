import Glibc
import Host
import Model

/// A state directory with runs and bundles, and the three shells to type in.
final class TypingBench: Sendable {
  let bench = Bench()
  /// Finished, newest last.
  let runs: [String]

  init(runs count: Int = 2) throws {
    let playbook = try bench.write(
      "sample.yaml",
      "name: sample\ninputs: {word: {default: \"\"}}\nsteps:\n  - {id: first, run: [\"true\"]}\n  - {id: second, run: [\"true\"]}\n")
    for number in 0..<count { try bench.kguard("playbook", "run", playbook, "--set", "word=w\(number)") }
    runs = try bench.kguard("history", "-o", "json").output.split(separator: "\n").map {
      try JSON(parsing: String($0))["run"]?.string ?? ""
    }
    .reversed()
    try Files.makeDirectory(bench.path + "/bin")
    guard symlink(Bench.binary, bench.path + "/bin/kguard") == 0 else {
      throw Failure(what: "cannot link", why: errorText(errno), next: "")
    }
    for shell in ["bash", "zsh", "fish"] { _ = try bench.write("kguard.\(shell)", try bench.kguard("completion", shell).output) }
  }

  func sql(_ text: String) throws {
    let result = try runCaptured("/usr/bin/sqlite3", Command(["sqlite3", bench.state + "/kguard.db", text]))
    guard result.end == .exited(0) else { throw Failure(what: "sqlite3 failed", why: result.errorText, next: "") }
  }

  func addBundle(_ id: String) throws {
    try sql(
      """
      INSERT INTO bundles (id, run, directory, created, manifest, verified)
      VALUES ('\(id)', NULL, '/nowhere', 1700000000000, '{"snapshot":{"revision":62,"objects":{"configmaps":3,"pods":9}}}', 1700000000000)
      """)
  }

  /// What kguard itself answers: flags, then words with what they mean.
  func complete(_ words: [String], environment: [String: String] = [:]) throws -> (flags: String, words: [(String, String)]) {
    var all = ["LC_ALL": "C.UTF-8", "KGUARD_ROOT": "", "KGUARD_CONFIG": "", "KGUARD_STATE": bench.state, "TZ": "UTC"]
    all.merge(environment) { $1 }
    let result = try runCaptured(
      Bench.binary, Command(["kguard", "__complete"] + words, environment: all, directory: bench.path), timeout: .seconds(20))
    guard result.end == .exited(0), result.errorText.isEmpty else {
      throw Failure(what: "kguard __complete failed", why: "\(result.end) \(result.errorText)", next: "")
    }
    let lines = result.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    let rest = lines.dropFirst().map { line in
      let parts = line.split(separator: "\t", maxSplits: 1).map(String.init)
      return (parts[0], parts.count > 1 ? parts[1] : "")
    }
    return (lines.first ?? "", rest)
  }

  /// Runs a shell on a script, with kguard in its PATH.
  private func shell(_ argv: [String]) throws -> String {
    let path = bench.path + "/bin:/usr/bin:/bin"
    let result = try runCaptured(
      "/usr/bin/env",
      Command(
        ["env", "-i", "PATH=\(path)", "HOME=\(bench.path)", "LC_ALL=C.UTF-8", "TZ=UTC", "TERM=xterm", "KGUARD_STATE=\(bench.state)"] + argv,
        directory: bench.path), timeout: .seconds(30))
    guard result.end == .exited(0), result.errorText.isEmpty else {
      throw Failure(what: "\(argv[0]) failed", why: "\(result.end): \(result.errorText)\(result.text)", next: "")
    }
    return result.text
  }

  /// bash's own words (it cuts at `=` and `:`), the last one at the cursor, and the line that they came from.
  func bash(_ line: String, _ words: [String]) throws -> [String] {
    let script = try bench.write(
      "type.bash",
      """
      source "$1"
      line=$2
      shift 2
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$line COMP_POINT=${#line}
      _kguard
      ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
      """)
    return try shell(["bash", "--norc", script, bench.path + "/kguard.bash", line] + words).split(separator: "\n").map(String.init)
  }

  /// In a terminal: types the line and tabs, and tells what then stands on the line and what was listed.
  func zsh(_ line: String, tabs: Int = 1) throws -> (line: String, screen: String) {
    let script = try bench.write(
      "type.zsh",
      #"""
      zmodload zsh/zpty
      zpty typing zsh -f -i
      await() { local part; screen=; while [[ $screen != *$1* ]] && zpty -r typing part; do screen+=$part; done; }
      zpty -w typing 'PS1= PS2=; stty columns 160; unsetopt zle_bracketed_paste beep 2>/dev/null'
      zpty -w typing "autoload -Uz compinit; compinit -u -d $PWD/zcompdump; source $1"
      zpty -w typing 'told() { zle -I; print -r -- "LINE<$BUFFER>EN""D"; BUFFER=; }; zle -N told; bindkey "^G" told; print REA""DY'
      await READY
      zpty -w -n typing "$2"$'\C-G'
      await '>END'
      print -r -- "$screen"
      zpty -d typing
      """#)
    let text = try shell(["zsh", "-f", script, bench.path + "/kguard.zsh", line + String(repeating: "\t", count: tabs)])
    let at = text.split(separator: "LINE<", omittingEmptySubsequences: false)
    let buffer = at.last?.split(separator: ">END", omittingEmptySubsequences: false).first.map(String.init) ?? ""
    return (buffer, at.dropLast().joined())
  }

  func fish(_ line: String) throws -> [String] {
    try shell(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", "--", bench.path + "/kguard.fish", line])
      .split(separator: "\n").map(String.init)
  }
}
