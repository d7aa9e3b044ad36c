internal import Engine
internal import Host
internal import Model
internal import Playbooks

extension ActionInputs {
  /// A version of Kubernetes; nil where the input is not given or empty.
  func version(_ name: String) throws(Failure) -> KubernetesVersion? {
    guard let text = self[name], !text.isEmpty else { return nil }
    if let version = KubernetesVersion(text) { return version }
    throw Failure(.usage, what: "cannot use the input `\(name)`", why: "`\(text)` is not a version", next: "write it as v1.28.0")
  }

  func requireVersion(_ name: String) throws(Failure) -> KubernetesVersion {
    if let version = try version(name) { return version }
    throw Failure(.usage, what: "the step has no input `\(name)`", why: "its action needs it", next: "add it under `with:`")
  }

  func isTrue(_ name: String) -> Bool { self[name] == "true" }
}

extension ActionInput {
  static func version(_ description: String, isRequired: Bool = true) -> ActionInput {
    ActionInput("version", isRequired: isRequired, description: description)
  }
}

extension StepContext {
  /// The log of this attempt's command; only its end where it is long.
  func output() -> String {
    let path = state.log(of: run, step: step, attempt: attempt)
    guard let size = try? Files.info(path)?.size, let bytes = try? Files.read(path, from: max(0, size - (1 << 20)), upTo: 1 << 20) else {
      return ""
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Runs a long command and throws where it does not end well. `each` sees its lines.
  func superviseToSuccess(_ argv: [String], each: (String) -> Void = { _ in }) throws(Failure) {
    let end = try supervise(argv, each: each)
    if let failure = end.failure(of: argv.prefix(3).joined(separator: " "), self) { throw failure }
  }

  /// Asks again and again until `body` says yes. Nil where the time is up; what it threw last is given back.
  func wait(_ limit: Duration, every interval: Duration = .milliseconds(500), until body: () throws(Failure) -> Bool) throws(Failure)
    -> Bool
  {
    let end = monotonicNow() + limit
    while true {
      var problem: Failure?
      do throws(Failure) { if try body() { return true } } catch { problem = error }
      if let problem, problem.exit == .interrupted || problem.exit == .held { throw problem }
      if monotonicNow() >= end { return false }
      try sleep(interval)
    }
  }
}
