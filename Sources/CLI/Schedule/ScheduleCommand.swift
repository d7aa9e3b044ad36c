internal import Cluster
internal import Host
internal import Model

/// `kguard schedule systemd|cron|cronjob`: writes what starts a backup or a drill by itself. It installs nothing.
enum ScheduleCommand {
  private static let playbook = OptionSpec("--playbook", value: "backup|drill", "what to run (default backup)")
  private static let at = OptionSpec(
    "--at", value: "TIME", "when: `02:30`, `Sun 04:30`, an OnCalendar or five fields of cron (default: backups 02:30, drills Sun 04:30)")
  private static let to = OptionSpec("--to", value: "DIR", "write the files into DIR instead of printing them (-: print)")
  private static let image = OptionSpec("--image", value: "IMAGE", "the image of the pod, which you build; it holds kguard")
  private static let node = OptionSpec("--node", value: "NAME", "the control-plane node that the pod runs on (default: this one)")
  private static let namespace = OptionSpec("--namespace", value: "NAME", "where the CronJob lives (default kube-system)")
  private static let apiVersion = OptionSpec("--api-version", value: "VERSION", "batch/v1 (default), or batch/v1beta1 before 1.21")
  private static let common = [playbook, at, to, BackupCommands.noOffsite, BackupCommands.noDrill]

  static let spec = CommandSpec(
    name: "schedule", summary: "write what starts backups and drills by itself: a timer, a cron line, a CronJob",
    details: """
      Prints files, and installs nothing. --config and --state of this command line go into them, and so does the path of this \
      kguard. A backup that was interrupted is finished by the next one.
      """,
    examples: [
      .init("kguard schedule systemd --to /etc/systemd/system", "a service and a timer, every night"),
      .init("kguard schedule cron --playbook drill --at 'Sun 04:30'", "a line for /etc/cron.d"),
    ],
    subcommands: [
      CommandSpec(
        name: "systemd", summary: "write a hardened service and its timer", options: common,
        examples: [
          .init("kguard schedule systemd --to /etc/systemd/system", "then systemctl enable --now kguard-backup.timer"),
          .init("kguard schedule systemd --at 'Mon..Fri 01:00'", "any OnCalendar expression"),
        ],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let schedule = try schedule(session)
          if case .verbatim(let text) = schedule.time { try checkCalendar(text, session) }
          let unit = schedule.name + ".timer"
          return try deliver(
            schedule.systemd(executable: try executable(session)), session,
            next: "systemctl daemon-reload && systemctl enable --now \(unit)")
        }),
      CommandSpec(
        name: "cron", summary: "write a file for /etc/cron.d", options: common,
        examples: [.init("kguard schedule cron --to /etc/cron.d", "every night; mail only where it failed")],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let schedule = try schedule(session)
          return try deliver(
            try schedule.cron(executable: try executable(session)), session, next: "nothing: cron reads /etc/cron.d by itself")
        }),
      CommandSpec(
        name: "cronjob", summary: "write a Kubernetes CronJob for this control-plane node",
        options: common + [image, node, namespace, apiVersion],
        details: "The image is yours to build and to trust: it gets etcd's keys.",
        examples: [
          .init("kguard schedule cronjob --image registry.example/kguard:0.1.0 | kubectl apply -f -", "every night at 02:30")
        ],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let schedule = try schedule(session)
          return try deliver(try schedule.cronJob(try pod(session)), session, next: "kubectl apply -f the file")
        }),
    ])

  private static func schedule(_ session: Session) throws(Failure) -> Schedule {
    let invocation = session.invocation
    let name = invocation.value(playbook) ?? "backup"
    guard let job = Schedule.Job(rawValue: name) else {
      throw Failure(
        .usage, what: "cannot schedule `\(name)`", why: "only `backup` and `drill` run by themselves; an upgrade wants a person",
        next: "say --playbook backup, or --playbook drill")
    }
    let time = try ScheduleTime(invocation.value(at) ?? (job == .backup ? "02:30" : "Sun 04:30"))
    return try Schedule(
      session, job: job, time: time, noOffsite: invocation.has(BackupCommands.noOffsite), noDrill: invocation.has(BackupCommands.noDrill))
  }

  private static func pod(_ session: Session) throws(Failure) -> Schedule.Pod {
    let invocation = session.invocation
    guard let image = invocation.value(image) else {
      throw Failure(
        .usage, what: "cannot write the CronJob", why: "`--image IMAGE` is missing, and kguard comes with none",
        next: "build an image that holds kguard, and name it")
    }
    guard let node = invocation.value(node) ?? NodePaths.nodeName(session.machine) else {
      throw Failure(
        .usage, what: "cannot write the CronJob", why: "this is no node of a cluster, so its name is not known",
        next: "say --node NAME, as `kubectl get nodes` shows it")
    }
    let version = invocation.value(apiVersion) ?? "batch/v1"
    guard ["batch/v1", "batch/v1beta1"].contains(version) else {
      throw Failure(
        .usage, what: "cannot write a CronJob of \(version)", why: "there is no such version", next: "say batch/v1 or batch/v1beta1")
    }
    return Schedule.Pod(image: image, node: node, namespace: invocation.value(namespace) ?? "kube-system", apiVersion: version)
  }

  /// The file of this process: what is scheduled is what was tried.
  private static func executable(_ session: Session) throws(Failure) -> String {
    guard let path = ownExecutable() else {
      throw Failure(what: "cannot tell where kguard is", why: "/proc is not mounted", next: "mount /proc")
    }
    if ["/tmp/", "/var/tmp/"].contains(where: path.hasPrefix) {
      session.say("warning: \(path) is a temporary place, and a service has a /tmp of its own: install kguard first\n")
    }
    return path
  }

  /// systemd knows best what it understands.
  private static func checkCalendar(_ text: String, _ session: Session) throws(Failure) {
    guard let analyze = try LocalMachine().find(program: "systemd-analyze") else { return }
    let result = try runCaptured(analyze, Command(["systemd-analyze", "calendar", "--", text]), timeout: .seconds(10))
    guard result.end.isSuccess else { throw ScheduleTime.wrong(text, "systemd says: \(result.lastWords)") }
  }

  private static func deliver(_ parts: [Schedule.Part], _ session: Session, next: String) throws(Failure) -> ExitStatus {
    guard let directory = session.invocation.value(to), directory != "-" else {
      if session.isJSON {
        session.printJSON(["files": .array(parts.map { ["name": .string($0.name), "text": .string($0.text)] })])
      } else {
        let texts = parts.map { (parts.count > 1 ? "# ---- \($0.name)\n" : "") + $0.text }
        session.print(texts.joined(separator: "\n"))
      }
      return .done
    }
    let paths = parts.map { "\(directory)/\($0.name)" }
    for path in paths {
      guard let there = try Files.textIfPresent(path) else { continue }
      guard there.contains(Schedule.mark) else {
        throw Failure(
          .usage, what: "cannot write \(path)", why: "it is there already, and kguard did not write it",
          next: "move it away, or name another --to")
      }
    }
    for (path, part) in zip(paths, parts) { try Files.replace(path, with: Array(part.text.utf8), mode: 0o644) }
    if session.isJSON {
      session.printJSON(["files": .array(paths.map { ["name": .string(Files.name(of: $0)), "path": .string($0)] }), "next": .string(next)])
    } else {
      for path in paths { session.print(path + "\n") }
      session.say("Next: \(next)\n")
    }
    return .done
  }
}
