internal import Host
internal import Model

/// The node's kubelet, as systemd runs it.
enum Kubelet {
  static func isActive(_ machine: any Machine) throws(Failure) -> Bool {
    let result = try machine.run(["systemctl", "is-active", "kubelet"], timeout: .seconds(20))
    return result.end.isSuccess && result.text.hasPrefix("active")
  }

  /// Its process; nil where it does not run.
  static func process(_ machine: any Machine) throws(Failure) -> ProcessIdentity? {
    let result = try machine.run(["systemctl", "show", "-p", "MainPID", "kubelet"], timeout: .seconds(20))
    let value = result.text.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("MainPID=") }?.dropFirst("MainPID=".count)
    guard let pid = value.flatMap({ Int32($0) }), pid > 0 else { return nil }
    return ProcessIdentity.of(pid)
  }

  /// One command of systemctl; `what` says for the failure what was being done.
  static func systemctl(_ machine: any Machine, _ arguments: [String], _ what: String) throws(Failure) {
    let result = try machine.run(["systemctl"] + arguments, timeout: .seconds(90))
    if result.end.isSuccess { return }
    throw Failure(what: what, why: "systemctl: \(result.lastWords) (\(result.end))", next: "look at `journalctl -u kubelet`")
  }
}
