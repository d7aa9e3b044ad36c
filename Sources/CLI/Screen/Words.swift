internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// The sentences that both views of a run share.
enum Words {
  /// Inputs as a person would say them: those that are set.
  static func inputs(_ values: [String: String]) -> [String] {
    values.filter { !["", "false"].contains($0.value) }.sorted { $0.key < $1.key }.map {
      $0.key == "version" ? $0.value : "\($0.key)=\($0.value)"
    }
  }

  static func heading(_ playbook: Playbook, _ inputs: [String: String], parent: RunID?, isResume: Bool) -> String {
    let defaults = Dictionary(playbook.inputs.map { ($0.name, $0.defaultValue ?? "") }) { $1 }
    let values = inputs.filter { defaults[$0.key] != $0.value }.sorted { $0.key < $1.key }.map {
      $0.key == "version" ? $0.value : "\($0.key)=\($0.value)"
    }
    let what = ([playbook.name] + values).joined(separator: " ")
    let whose = parent.map { ", rolls back run \($0)" } ?? ""
    return what + whose + (isResume ? ", resumed" : "")
  }

  static func settledBefore(_ done: Int, of all: Int) -> String { "\(done) of \(all) steps were done before" }

  /// What an action says about its own evidence, in a few words.
  static func summary(_ evidence: JSON?) -> String { printable(evidence?["summary"]?.string ?? "") }

  /// How a run ended, in a sentence. `putBack`: what a rollback of it has put back.
  static func ending(_ result: RunResult, putBack: String, _ style: Style) -> String {
    let run = "run \(result.run)"
    switch result.state {
    case .succeeded: return style.paint("done:", .green) + " \(run) succeeded\n"
    case .rolledBack where result.failure == nil:
      return style.paint("done:", .green) + " \(run) is rolled back, and \(putBack) is as it was before it\n"
    case .failed where result.exit == .done && result.failure != nil:
      return style.paint("done:", .green) + " \(run) is given up\n\(style.paint("hint:", .bold)) \(result.failure?.next ?? "")\n"
    case .failed where result.failure == nil:
      return style.paint("done:", .green) + " \(run) had changed nothing of the cluster\n"
    case .rolledBack:
      return style.paint("rolled back:", .yellow) + " \(run) failed, and \(putBack) is as it was\n" + cause(result, style)
    case .interrupted, .rollingBack, .failed, .needsOperator, .pending, .running:
      return result.failure.map(style.failure) ?? "\(run) is \(result.state.rawValue)\n"
    }
  }

  private static func cause(_ result: RunResult, _ style: Style) -> String {
    guard let failure = result.failure else { return "" }
    return
      "cause: \(printableLines(failure.description))\n\(style.paint("hint:", .bold)) `kguard show \(result.run)` tells the whole story\n"
  }
}
