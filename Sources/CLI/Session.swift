internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// What every command starts from: the machine, the state directory, the configuration, and how to print.
struct Session: Sendable {
  let invocation: Invocation
  let machine: LocalMachine
  let state: StateDirectory
  let style: Style

  init(_ invocation: Invocation) throws(Failure) {
    self.invocation = invocation
    machine = try LocalMachine(root: invocation.value(.root) ?? "/")
    state = StateDirectory(
      try invocation.value(.state).map { (path) throws(Failure) in try Files.absolute(path) } ?? machine.locate("/var/lib/kguard"))
    style = Style(.errors, noColor: invocation.has(.noColor))
  }

  var outputStyle: Style { Style(.output, noColor: invocation.has(.noColor)) }
  var isJSON: Bool { invocation.isJSON }
  /// Nothing is drawn over: for a screen reader, and where the terminal could not do it.
  var isPlain: Bool { invocation.has(.plain) || environment("TERM") == "dumb" }

  /// The width of the terminal that the output goes to; nil where it goes elsewhere, and is not broken.
  var columns: Int? { Terminal.size(.output).map { max(40, $0.columns) } }

  /// Data goes to standard output: on a terminal in letters that it has, elsewhere as it is.
  func print(_ text: String) { Terminal.write(readable(text), to: .output) }
  /// Prose goes to standard error.
  func say(_ text: String) { Terminal.write(style.inCharset(prose(text, .errors)), to: .errors) }

  func readable(_ text: String) -> String { isJSON || !Terminal.isTerminal(.output) ? text : outputStyle.inCharset(text) }

  func printJSON(_ json: JSON) { print(json.text(pretty: Terminal.isTerminal(.output)) + "\n") }

  func library() -> PlaybookLibrary { PlaybookLibrary(machine: machine) }

  /// The configuration: `--config`, else `/etc/kguard/config.yaml`, else the defaults.
  func configuration() throws(Failure) -> Configuration {
    let configuration = try Configuration.find(invocation.value(.config), on: machine)
    try configuration.checkSecrets(machine)
    return configuration
  }

  func readJournal() throws(Failure) -> RunJournal? { try RunJournal.open(in: state.path, .read) }

  /// The journal that is there, to be written; nil where there is none: none is made.
  func existingJournal() throws(Failure) -> RunJournal? {
    if invocation.has(.dryRun) { return try lookAtJournal() }
    return try Files.exists(state.path + "/kguard.db") ? try writeJournal() : nil
  }

  func writeJournal() throws(Failure) -> RunJournal {
    if let journal = try RunJournal.open(in: state.path, .write) { return journal }
    throw Failure(what: "cannot open the journal in \(state.path)", why: "it could not be made", next: "check the directory")
  }

  /// The run that a person means: its id, a part of it, or nothing for the newest.
  func findRun(_ text: String?, in journal: RunJournal) throws(Failure) -> RunRecord {
    guard let text, text != "last" else {
      if let newest = try journal.newestRun() { return newest }
      throw Failure(.usage, what: "there is no run yet", why: "the journal is empty", next: "start one with `kguard upgrade VERSION`")
    }
    let found = try journal.runs(matching: text)
    guard let id = found.first, let run = try journal.run(id) else {
      throw Failure(.usage, what: "there is no run `\(text)`", why: "the journal does not know it", next: "see `kguard history`")
    }
    guard found.count == 1 else {
      let ids = found.prefix(5).map(\.text).joined(separator: ", ")
      throw Failure(.usage, what: "`\(text)` means more than one run", why: "it fits \(ids)", next: "type more of the id")
    }
    return run
  }

  /// Asks a person; `--yes` answers for them. Off a terminal it is refused: nobody can answer there.
  func confirm(_ question: String) throws(Failure) -> Bool {
    if invocation.has(.yes) { return true }
    guard Terminal.inputIsTerminal, Terminal.isTerminal(.errors) else {
      throw Failure(.usage, what: "nobody can be asked here \u{201c}\(question)\u{201d}", why: "this is no terminal", next: "say --yes")
    }
    Terminal.write(style.inCharset(prose(question, .errors)) + " [y/N] ", to: .errors)
    return ["y", "yes"].contains((Terminal.readLine() ?? "").lowercased())
  }
}
