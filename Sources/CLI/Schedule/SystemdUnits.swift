internal import Host
internal import Model

/// A service that may do what a backup needs and little else, and the timer that starts it.
extension Schedule {
  func systemd(executable: String) -> [Part] {
    [Part(name: name + ".service", text: service(executable)), Part(name: name + ".timer", text: timer)]
  }

  private func service(_ executable: String) -> String {
    let command = ([executable] + arguments).map { Self.unitWord($0, isCommand: true) }.joined(separator: " ")
    return """
      # \(Self.mark) systemd`. Change it with `systemctl edit \(name).service`.
      [Unit]
      Description=kguard: \(title)
      Wants=network-online.target
      After=network-online.target containerd.service crio.service kubelet.service

      [Service]
      Type=oneshot
      ExecStart=\(command)
      # Credentials of off-site stores, if they come from the environment; only root may read it.
      EnvironmentFile=-/etc/kguard/environment
      # root, so that HOME is set: ssh and the usual credential files are looked for there.
      User=root

      # SIGTERM to kguard alone: it stops at once and exits 7. The next start goes on with the same run (--resume).
      KillMode=mixed
      TimeoutStopSec=2min
      SuccessExitStatus=7
      # Every step has a time limit of its own.
      TimeoutStartSec=infinity

      # etcd comes first.
      Nice=10
      CPUWeight=20
      IOWeight=20
      IOSchedulingClass=best-effort
      IOSchedulingPriority=7

      # What it may write: its own state\(written.isEmpty ? "" : ", what the configuration names")\(drills ? ", and beside etcd's data, where a drill restores" : "").
      ProtectSystem=strict
      \(writable.joined(separator: "\n"))
      ProtectHome=read-only
      PrivateTmp=yes
      PrivateMounts=yes
      UMask=0077

      # root without its powers. It reads files of root and etcd's user\(drills ? ", and gives a restored directory to etcd's owner" : "").
      NoNewPrivileges=yes
      CapabilityBoundingSet=\(capabilities.joined(separator: " "))
      AmbientCapabilities=
      RestrictSUIDSGID=yes
      PrivateDevices=yes
      DevicePolicy=closed
      ProtectClock=yes
      ProtectControlGroups=yes
      ProtectHostname=yes
      ProtectKernelLogs=yes
      ProtectKernelModules=yes
      ProtectKernelTunables=yes
      RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
      RestrictNamespaces=yes
      RestrictRealtime=yes
      LockPersonality=yes
      MemoryDenyWriteExecute=yes
      RemoveIPC=yes
      KeyringMode=private
      SystemCallArchitectures=native
      SystemCallFilter=@system-service\(drills ? " @mount" : "")
      SystemCallErrorNumber=EPERM

      """
  }

  private var capabilities: [String] {
    // CAP_SYS_ADMIN: `ctr images mount`, where etcd's programs are only in the node's own etcd image.
    ["CAP_DAC_OVERRIDE"] + (drills ? ["CAP_CHOWN", "CAP_FOWNER", "CAP_SYS_ADMIN"] : [])
  }

  private var writable: [String] {
    var lines: [String] = []
    if state == "/var/lib/kguard" {
      lines = ["StateDirectory=kguard", "StateDirectoryMode=0700"]
    } else {
      lines = ["ReadWritePaths=\(Self.unitWord(state))"]
    }
    // A restore stands beside the data directory, so that a rollback could be a rename.
    let beside = (drills && etcd.isEmpty ? ["/var/lib/etcd"] : etcd).map { Files.directory(of: $0) == "/" ? $0 : Files.directory(of: $0) }
    var seen: Set<String> = []
    for path in written + beside where seen.insert(path).inserted { lines.append("ReadWritePaths=-\(Self.unitWord(path))") }
    return lines
  }

  private var timer: String {
    """
    # \(Self.mark) systemd`. Change it with `systemctl edit \(name).timer`.
    [Unit]
    Description=kguard: when to \(title)

    [Timer]
    OnCalendar=\(time.onCalendar.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%%"))
    # Many nodes, one store: not all at once.
    RandomizedDelaySec=30min
    AccuracySec=1min
    # A machine that was off makes up for it when it is on again.
    Persistent=yes

    [Install]
    WantedBy=timers.target

    """
  }

  /// A word of a unit file: `%` means nothing, blanks and quotes are kept. Only a command has variables.
  static func unitWord(_ text: String, isCommand: Bool = false) -> String {
    var out = ""
    var needsQuotes = text.isEmpty
    for scalar in text.unicodeScalars {
      switch scalar {
      case "%": out += "%%"
      case "$" where isCommand: out += "$$"
      case "\\", "\"":
        out += "\\\(scalar)"
        needsQuotes = true
      case " ", "'", ";", "\t":
        out.unicodeScalars.append(scalar)
        needsQuotes = true
      case "\n":
        out += "\\n"
        needsQuotes = true
      default: out.unicodeScalars.append(scalar)
      }
    }
    return needsQuotes ? "\"\(out)\"" : out
  }
}
