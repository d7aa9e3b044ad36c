internal import Engine
internal import Model
internal import Playbooks

/// `kubeadm/plan`: kubeadm's own opinion of the upgrade.
struct KubeadmPlan: Action {
  static let signature = ActionSignature(
    "kubeadm/plan", summary: "ask kubeadm whether it would upgrade to the version, and what would change",
    inputs: [.version("the version to upgrade to")])

  let version: KubernetesVersion

  init(_ inputs: ActionInputs) throws(Failure) { version = try inputs.requireVersion("version") }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    Intentions(["runs `\(argv.joined(separator: " "))`"])
  }

  func perform(_ context: StepContext) throws(Failure) {
    try context.superviseToSuccess(argv)
  }

  private var argv: [String] { ["kubeadm", "upgrade", "plan", version.description] }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let changes = Self.changes(context.output())
    var members = JSON.Members()
    for change in changes { members[change.component] = ["current": .string(change.current), "target": .string(change.target)] }
    let moving = changes.filter { $0.current != $0.target }.map { "\($0.component) \($0.current) → \($0.target)" }
    return [
      "components": .object(members),
      "summary": .string(moving.isEmpty ? "kubeadm has nothing to upgrade" : moving.joined(separator: ", ")),
    ]
  }

  struct Change: Equatable {
    let component: String
    let current: String
    let target: String
  }

  /// The rows of the plan's table: a name, where it is (kubelet: how many of them), the present version, the target.
  static func changes(_ text: String) -> [Change] {
    var found: [Change] = []
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      guard words.count >= 3, let name = words.first, name.first?.isLetter == true, isVersion(words[words.count - 1]),
        isVersion(words[words.count - 2]), !found.contains(where: { $0.component == name })
      else { continue }
      found.append(Change(component: name, current: words[words.count - 2], target: words[words.count - 1]))
    }
    return found
  }

  private static func isVersion(_ word: String) -> Bool {
    let digits = word.hasPrefix("v") ? word.dropFirst() : word[...]
    return digits.first?.isNumber == true && digits.split(separator: ".").count >= 3
  }
}
