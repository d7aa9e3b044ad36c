internal import Engine
internal import Host
internal import Model

/// The whole program but for `exit`: understands the command line, runs the command, and says what went wrong.
public func kguard(_ argv: [String]) -> Int32 {
  if argv.first == SupervisorProcess.argument, argv.count == 2 { return SupervisorProcess.main(state: argv[1]) }
  if argv.first == Candidates.argument { return Candidates.complete(Array(argv.dropFirst())) }
  Signals.block()
  let style = Style(.errors, noColor: argv.contains(OptionSpec.noColor.name))
  do throws(Failure) {
    let parsed = try Parser(root: Commands.root).parse(inOurWords(argv))
    if parsed.wantsHelp {
      let columns = Terminal.size(.output)?.columns
      let help = Help(spec: parsed.spec, path: parsed.invocation.command, width: min(78, max(40, columns ?? 79) - 1))
      Terminal.write(style.inCharset(help.text), to: .output)
      try Terminal.requireOutput()
      return ExitStatus.done.rawValue
    }
    guard let run = parsed.spec.run else { return ExitStatus.usage.rawValue }
    let status = try run(parsed.invocation)
    if status == .done, parsed.spec.isForItsOutput(parsed.invocation) { try Terminal.requireOutput() }
    return status.rawValue
  } catch {
    Terminal.write(style.inCharset(prose(style.failure(error), .errors)), to: .errors)
    if wantsJSON(argv) {
      let line: JSON = ["type": "error", "error": error.json, "exit": .int(Int64(error.exit.rawValue))]
      Terminal.write(line.text() + "\n", to: .output)
    }
    return error.exit.rawValue
  }
}

/// `--version`, as people type it out of habit.
private func inOurWords(_ argv: [String]) -> [String] { argv.first == "--version" ? ["version"] + argv.dropFirst() : argv }

/// How errors are to be told, also where the command line itself could not be understood.
private func wantsJSON(_ argv: [String]) -> Bool {
  var said = environment("KGUARD_OUTPUT")
  for (number, word) in argv.enumerated() {
    switch word {
    case "--": return said == "json"
    case "--output", "-o": said = number + 1 < argv.count ? argv[number + 1] : said
    case _ where word.hasPrefix("--output="): said = String(word.dropFirst(9))
    case _ where word.hasPrefix("-o") && !word.hasPrefix("--"): said = String(word.dropFirst(2))
    default: break
    }
  }
  return said == "json"
}
