internal import Engine
internal import Glibc
internal import Host
internal import Model

/// The end of what a container said before it crashed: a rollback removes the container, and with it the cause.
struct CrashLog: Equatable {
  let component: String
  /// Of the container, as crictl knows it.
  let container: String
  let text: String

  static let lines = 40
  private static let most = 16 << 10

  /// Asks the container runtime; nil where it cannot tell. Nothing depends on it.
  static func read(_ machine: any Machine, _ component: String) -> CrashLog? {
    let runtime = ContainerRuntime(machine)
    guard let all = try? runtime.containers() else { return nil }
    // The runtime may remove one meanwhile: then the one before it is asked.
    for container in newestExited(all, component).prefix(2) {
      guard let text = try? runtime.log(of: container.id, lines: lines), !text.allSatisfy(\.isWhitespace) else { continue }
      return CrashLog(component: component, container: container.id, text: String(text.suffix(most)))
    }
    return nil
  }

  /// Those of the pod that was made last: an earlier pod ran another version.
  static func newestExited(_ containers: [ContainerRuntime.Container], _ component: String) -> [ContainerRuntime.Container] {
    let own = containers.filter { $0.name == component && $0.namespace == "kube-system" }.sorted { $0.created > $1.created }
    return own.filter { $0.state == .exited && $0.podUID == own.first?.podUID }
  }

  /// The line that says why, as near as that can be told: the last error; else the last line with anything in it.
  var lastWords: String? {
    let lines = text.split(whereSeparator: \.isNewline).map(\.trimmed).filter { !$0.isEmpty }
    let line = lines.last(where: Self.isError) ?? lines.last
    return line.map { String(Self.withoutHeader($0).prefix(300)) }
  }

  private static func isError(_ line: String) -> Bool {
    if ["panic:", "fatal error:", "Error:", "error:"].contains(where: line.hasPrefix) { return true }
    return isHeaded(line) && "EF".contains(line.prefix(1))
  }

  /// klog's: `E0816 12:00:00.123456       1 run.go:74] "command failed" err="…"`.
  private static func isHeaded(_ line: String) -> Bool {
    "IWEF".contains(line.prefix(1)) && line.utf8.dropFirst().prefix(4).allSatisfy { (48...57).contains($0) } && line.contains("] ")
  }

  private static func withoutHeader(_ line: String) -> Substring {
    guard isHeaded(line), let end = line.firstIndex(of: "]") else { return line[...] }
    return line[line.index(after: end)...].drop { $0 == " " }
  }

  /// Appends it to the attempt's log, which `kguard logs` and the report show.
  func keep(_ context: StepContext) {
    let title = "==> the end of the log of \(component), which crashes (container \(container.prefix(13)))"
    let path = context.state.log(of: context.run, step: context.step, attempt: context.attempt)
    guard let file = try? OpenFile(path, O_WRONLY | O_CREAT | O_APPEND) else { return }
    try? file.write(Array("\n\(title)\n\(text)\(text.last?.isNewline == true ? "" : "\n")".utf8))
    try? file.close()
  }
}
