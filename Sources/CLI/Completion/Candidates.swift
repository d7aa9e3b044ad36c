internal import Bundles
internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// What can stand at the cursor, for the shells: a line of flags, then a word and its meaning on each line.
///
/// - `ids`: people type the end of these, so a word may match anywhere.
/// - `files`, `directories`: the shell's own names of these fit as well.
struct Candidates: Sendable {
  var flags: Set<Flag> = []
  var words: [(word: String, meaning: String)] = []

  enum Flag: String, Sendable { case ids, files, directories }

  /// The first argument of `kguard __complete WORD…`, where the scripts ask.
  static let argument = "__complete"

  /// Prints what can stand there. It changes nothing, waits for nobody, and is silent where something is wrong.
  static func complete(_ words: [String]) -> Int32 {
    let found = Candidates(CompletionRequest(words, root: Commands.root))
    var text = found.flags.map(\.rawValue).sorted().joined(separator: " ") + "\n"
    for (word, meaning) in found.words where isPlain(word) {
      text += word + (meaning.isEmpty ? "" : "\t" + printable(meaning)) + "\n"
    }
    Terminal.write(text, to: .output)
    return ExitStatus.done.rawValue
  }

  /// Each word is a line, and a shell puts it on a command line.
  private static func isPlain(_ word: String) -> Bool {
    !word.isEmpty && word.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !#"'"\$`;&|<>()*?[]{}!"#.utf8.contains($0) }
  }

  init(_ request: CompletionRequest) {
    switch request.wanted {
    case .commands(let commands): words = commands.map { ($0.name, $0.summary) }
    case .options(let options):
      words = options.flatMap { option in ([option.name] + [option.short].compactMap { $0 }).map { ($0, option.summary) } }
    case .value(let kind):
      // Where the journal is damaged or not for this user, there is nothing to offer.
      try? add(kind, request.invocation)
    }
  }

  private mutating func add(_ kind: Completes, _ invocation: Invocation) throws(Failure) {
    switch kind {
    case .nothing: break
    case .words(let choice): words = choice.map { ($0, "") }
    case .file: flags = [.files]
    case .directory: flags = [.directories]
    case .check: words = PreflightCheck.all.map { ($0.name, $0.meaning) }
    case .playbook:
      flags = [.files]
      words = try Session(invocation).library().list().map { ($0.name, $0.description) }
    case .version: words = offeredVersions(try Session(invocation).machine).map { ($0, "") }
    case .target: words = try Session(invocation).configuration().offsite.map { ($0.url, "") }
    case .run(let which): try addRuns(which, Session(invocation))
    case .step: try addSteps(Session(invocation))
    case .bundle(let which, let orPath): try addBundles(which, orPath: orPath, Session(invocation))
    case .resource:
      let newest = try Session(invocation).glance()?.bundles().first { $0.removed == nil }
      words = (newest?.manifest.at("snapshot", "objects")?.object?.pairs ?? []).map { ($0.key, "\($0.value.int ?? 0) objects") }
    }
  }

  private mutating func addRuns(_ which: Completes.Runs, _ session: Session) throws(Failure) {
    flags = [.ids]
    for run in try session.glance()?.history(limit: 50) ?? [] {
      switch which {
      case .all: break
      case .parents: if run.parent != nil { continue }
      case .unfinished: if run.parent != nil || run.state.isFinal { continue }
      }
      let pairs = run.inputs.object?.pairs ?? []
      let values = Words.inputs(Dictionary(pairs.map { ($0.key, $0.value.string ?? "") }) { $1 })
      let what = ([run.playbook] + (run.parent.map { ["of \($0)"] } ?? values)).joined(separator: " ")
      words.append((run.id.text, "\(what), \(run.state.rawValue), \(localTime(run.created, "%Y-%m-%d %H:%M:%S"))"))
    }
  }

  private mutating func addSteps(_ session: Session) throws(Failure) {
    guard let journal = try session.glance(), let run = try? session.findRun(session.invocation.arguments["RUN"], in: journal) else {
      return
    }
    words = try journal.steps(run.id).map { ($0.id, "\($0.action), \($0.state.rawValue)") }
  }

  private mutating func addBundles(_ which: Completes.Bundles, orPath: Bool, _ session: Session) throws(Failure) {
    flags = orPath ? [.ids, .files] : [.ids]
    words =
      try session.glance()?.bundles().filter { which == .anywhere || $0.removed == nil }.prefix(50).map { bundle in
        let etcd = bundle.manifest.at("snapshot", "revision")?.int.map { ", revision \($0)" } ?? ""
        let drilled = bundle.drilled == nil ? "not drilled" : "drilled"
        return (bundle.id, "\(localTime(bundle.created, "%Y-%m-%d %H:%M:%S"))\(etcd), \(drilled)")
      } ?? []
  }
}

extension Session {
  /// The journal as it is, for a look that must not wait, lock or leave anything behind.
  fileprivate func glance() throws(Failure) -> RunJournal? { try RunJournal.glance(in: state.path) }
}
