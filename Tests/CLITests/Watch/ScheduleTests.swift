import Glibc
import Host
import Model
import Testing
import YAML

/// What `kguard schedule` writes, judged by those who will read it.
@Suite struct `Schedules` {
  let bench = Bench()
  static let analyze = try? LocalMachine().find(program: "systemd-analyze")

  func files(_ kind: String, _ more: String...) throws -> (directory: String, names: [String]) {
    let directory = bench.path + "/out"
    try Files.makeDirectory(directory)
    let result = try runCaptured(Bench.binary, bench.command(["schedule", kind, "--to", directory] + more))
    #expect(result.end.isSuccess, "\(result.errorText)")
    return (directory, try Files.list(directory))
  }

  func text(_ path: String) throws -> String { try #require(try Files.textIfPresent(path)) }

  // MARK: - systemd

  @Test(
    .enabled(if: analyze != nil, "systemd-analyze is not installed"),
    arguments: [[], ["--no-drill", "--no-offsite"], ["--playbook", "drill"], ["--at", "Mon..Fri 01:00"]])
  func `a service and a timer pass systemd's own checks`(arguments: [String]) throws {
    let directory = bench.path + "/out"
    try Files.makeDirectory(directory)
    let made = try runCaptured(Bench.binary, bench.command(["schedule", "systemd", "--to", directory] + arguments))
    #expect(made.end.isSuccess, "\(made.errorText)")
    let names = try Files.list(directory)
    #expect(names.count == 2)
    let verified = try runCaptured(
      try #require(Self.analyze), Command(["systemd-analyze", "verify", "--man=no"] + names.map { directory + "/" + $0 }))
    let said = verified.errorText.split(separator: "\n").filter { $0.contains("kguard") }
    #expect(verified.end.isSuccess && said.isEmpty, "\(verified.errorText)")

    let service = try #require(names.first { $0.hasSuffix(".service") })
    let limit = arguments.contains("--no-drill") ? "25" : "40"
    let judged = try runCaptured(
      try #require(Self.analyze),
      Command(["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=\(limit)", directory + "/" + service]))
    #expect(judged.end.isSuccess, "\(judged.lastWords)")
  }

  @Test(.enabled(if: analyze != nil, "systemd-analyze is not installed"))
  func `the paths in force are carried over, whatever they look like`() throws {
    let config = bench.path + "/my $config%.yaml"
    let text = "offsite: [file:///srv/off $site]\nencryption: none\nmetrics: {textfile: /var/lib/node_exporter}\n"
    try Files.replace(config, with: Array(text.utf8))
    let (directory, names) = try files("systemd", "--config", config)
    #expect(names == ["kguard-backup.service", "kguard-backup.timer"])
    let service = try self.text(directory + "/kguard-backup.service")
    let binary = try #require(Files.real(Bench.binary))
    #expect(
      service.contains("ExecStart=\(binary) backup --resume --state \(bench.state) --config \"\(bench.path)/my $$config%%.yaml\"\n"),
      "\(service)")
    for path in [bench.state, "-\"/srv/off $site\"", "-/var/lib/node_exporter", "-/var/lib"] {
      #expect(service.contains("ReadWritePaths=\(path)\n"), "\(path)")
    }
    let verified = try runCaptured(
      try #require(Self.analyze), Command(["systemd-analyze", "verify", "--man=no", directory + "/kguard-backup.service"]))
    #expect(verified.end.isSuccess && !verified.errorText.contains("kguard-backup"), "\(verified.errorText)")
    #expect(try self.text(directory + "/kguard-backup.timer").contains("OnCalendar=*-*-* 02:30:00\n"))
  }

  @Test func `without --state systemd makes the usual directory`() throws {
    let result = try runCaptured(Bench.binary, Command(["kguard", "schedule", "systemd"], environment: bench.command([]).environment))
    #expect(result.text.contains("\nStateDirectory=kguard\nStateDirectoryMode=0700\n"))
    #expect(!result.text.contains("--state"))
  }

  @Test(
    .enabled(if: analyze != nil, "systemd-analyze is not installed"))
  func `a time that systemd does not understand is refused, in its words`() throws {
    let wrong = try bench.kguard("schedule", "systemd", "--at", "every now and then")
    #expect(wrong.exit == 2)
    #expect(wrong.errors.contains("cannot understand `--at every now and then`: systemd says"), "\(wrong.errors)")
  }

  @Test func `a file of somebody else is not written over, an own one is`() throws {
    let (directory, _) = try files("systemd")
    _ = try files("systemd", "--at", "03:00")
    #expect(try text(directory + "/kguard-backup.timer").contains("03:00:00"))
    try Files.replace(directory + "/kguard-backup.service", with: Array("[Service]\n".utf8))
    let refused = try bench.kguard("schedule", "systemd", "--to", directory)
    #expect(refused.exit == 2 && refused.errors.contains("kguard did not write it"))
  }

  // MARK: - cron

  @Test(arguments: ["dash", "bash"])
  func `a cron line runs kguard, and says something only where it fails, whichever shell is sh`(shell: String) throws {
    let sh = try #require(try LocalMachine().find(program: shell))
    let (directory, names) = try files("cron", "--at", "Sun 04:05", "--no-offsite")
    #expect(names == ["kguard-backup"])
    let line = try #require(try text(directory + "/kguard-backup").split(separator: "\n").last)
    #expect(line.hasPrefix("5 4 * * 0 root "))
    // As cron does: a percent sign that is not escaped would be a new line.
    let command = line.dropFirst("5 4 * * 0 root ".count).split(separator: "\\%", omittingEmptySubsequences: false).joined(separator: "%")
    #expect(!line.split(separator: "\\%").joined().contains("%"))
    // There is no etcd here, so it fails, and says so.
    let root = bench.path + "/empty"
    try Files.makeDirectory(root)
    let result = try runCaptured(
      sh, Command(["sh", "-c", command], environment: ["KGUARD_ROOT": root, "KGUARD_CONFIG": "", "LC_ALL": "C.UTF-8"]))
    #expect(result.text.contains(" ended with exit 2\n") && result.text.contains("cannot find etcd"), "\(result.text)")
    let fine = command.split(separator: " backup ", maxSplits: 1).joined(separator: " version # ")
    let quiet = try runCaptured(sh, Command(["sh", "-c", String(fine.prefix { $0 != "#" }) + ") || echo bad"]))
    #expect(quiet.text == "" && quiet.end.isSuccess, "\(quiet.text)\(quiet.errorText)")
  }

  @Test(arguments: [
    ("30 2 * * *", true), ("*/15 0-5 1,15 jan-jun mon", true), ("@weekly", true), ("25:00", false), ("61 2 * * *", false),
    ("30 2 * *", false), ("5-1 2 * * *", false), ("*/0 * * * *", false), ("a b c d e", false), ("1 2 3 4 5\n6", false), ("@reboot", false),
  ])
  func `times of cron are checked`(time: String, isGood: Bool) throws {
    let result = try bench.kguard("schedule", "cron", "--at", time)
    #expect(result.exit == (isGood ? 0 : 2), "\(result.errors)")
    if isGood { #expect(result.output.contains("\n\(time) root ")) }
  }

  // MARK: - Kubernetes

  func manifest(_ arguments: String...) throws -> Node {
    let result = try runCaptured(
      Bench.binary, bench.command(["schedule", "cronjob", "--image", "registry.example/kguard:1", "--node", "cp1"] + arguments))
    #expect(result.end.isSuccess, "\(result.errorText)")
    return try Node.load(result.text, file: "cronjob.yaml")
  }

  @Test func `a CronJob has what a backup needs, on the node that has the record`() throws {
    let job = try manifest()
    #expect(job["apiVersion"]?.text == "batch/v1" && job["kind"]?.text == "CronJob")
    #expect(job["spec"]?["schedule"]?.text == "30 2 * * *" && job["spec"]?["concurrencyPolicy"]?.text == "Forbid")
    let pod = try #require(job["spec"]?["jobTemplate"]?["spec"]?["template"]?["spec"])
    #expect(pod["hostNetwork"]?.bool == true && pod["restartPolicy"]?.text == "Never")
    #expect(pod["nodeSelector"]?["kubernetes.io/hostname"]?.text == "cp1")
    #expect(
      pod["tolerations"]?.list?.compactMap { $0["key"]?.text } == [
        "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master",
      ])
    let container = try #require(pod["containers"]?.list?.first)
    #expect(container["args"]?.list?.compactMap(\.text) == ["backup", "--resume", "--state", bench.state])
    #expect(container["securityContext"]?["allowPrivilegeEscalation"]?.bool == false)
    let mounts = try #require(container["volumeMounts"]?.list)
    let volumes = try #require(pod["volumes"]?.list)
    #expect(mounts.compactMap { $0["name"]?.text } == volumes.compactMap { $0["name"]?.text })
    #expect(mounts.compactMap { $0["mountPath"]?.text } == ["/etc/kubernetes", "/etc/kguard", bench.state, "/var/lib/etcd", "/tmp"])
    #expect(mounts.first?["readOnly"]?.bool == true)
  }

  @Test func `an older cluster gets an older version, and a backup without a drill less of the node`() throws {
    let job = try manifest("--api-version", "batch/v1beta1", "--no-drill", "--namespace", "ops")
    #expect(job["apiVersion"]?.text == "batch/v1beta1" && job["metadata"]?["namespace"]?.text == "ops")
    let pod = try #require(job["spec"]?["jobTemplate"]?["spec"]?["template"]?["spec"])
    #expect(pod["volumes"]?.list?.compactMap { $0["name"]?.text } == ["kubernetes", "config", "state", "tmp"])
    #expect(try bench.kguard("schedule", "cronjob", "--node", "cp1").errors.contains("`--image IMAGE` is missing"))
    #expect(try bench.kguard("schedule", "cronjob", "--image", "x", "--root", bench.path).errors.contains("say --node NAME"))
  }

  @Test func `a CronJob sees the encryption configuration wherever it lies, for the archive of the node`() throws {
    for (path, isMounted) in [("/etc/keys/encryption.yaml", true), ("/etc/kubernetes/enc/encryption.yaml", false)] {
      let root = bench.path + "/root"
      try Files.makeDirectory(root + "/etc/kubernetes/manifests")
      let pod = """
        {apiVersion: v1, kind: Pod, metadata: {name: kube-apiserver, namespace: kube-system}, spec: {containers: [
          {name: kube-apiserver, image: x, command: [kube-apiserver, --encryption-provider-config=\(path)]}]}}
        """
      try Files.replace(root + "/etc/kubernetes/manifests/kube-apiserver.yaml", with: Array(pod.utf8))
      for (job, wants) in [("backup", isMounted), ("drill", false)] {
        let spec = try manifest("--root", root, "--playbook", job)["spec"]?["jobTemplate"]?["spec"]?["template"]?["spec"]
        let mounts = spec?["containers"]?.list?.first?["volumeMounts"]?.list?.filter { $0["mountPath"]?.text == root + "/etc/keys" } ?? []
        #expect(mounts.count == (wants ? 1 : 0), "\(job) \(path)")
        if let mount = mounts.first { #expect(mount["readOnly"]?.bool == true) }
      }
    }
  }

  @Test func `an upgrade is nothing that runs by itself`() throws {
    let refused = try bench.kguard("schedule", "systemd", "--playbook", "upgrade")
    #expect(refused.exit == 2 && refused.errors.contains("an upgrade wants a person"))
  }

  @Test func `as JSON the files are texts`() throws {
    let json = try JSON(parsing: try bench.kguard("schedule", "systemd", "-o", "json").output)
    #expect(json["files"]?.array?.compactMap { $0["name"]?.string } == ["kguard-backup.service", "kguard-backup.timer"])
  }
}
