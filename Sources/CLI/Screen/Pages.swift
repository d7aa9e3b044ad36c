internal import Host
internal import Model

/// Output that may be long. On a terminal it goes through a pager where it does not fit; elsewhere it is written as it comes.
final class Pages {
  private enum Way { case undecided, straight, pager(PipedProgram), over }

  private var way: Way
  private var held: [UInt8] = []
  private var lines = 0
  private var column = 0
  private var isEscape = false
  private let size: (columns: Int, rows: Int)
  private let command: String

  init(_ session: Session) {
    let isWanted = !session.isJSON && !session.invocation.has(.noPager) && environment("TERM") != "dumb"
    command = Self.command(session)
    if isWanted, !["", "cat"].contains(command), Terminal.isTerminal(.output), let size = Terminal.size(.output) {
      self.size = size
      way = .undecided
    } else {
      size = (0, 0)
      way = .straight
    }
  }

  func write(_ text: String) { write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) {
    switch way {
    case .over: return
    case .straight: Terminal.write(bytes, to: .output)
    case .pager(let program): if !program.write(bytes) { way = .over }
    case .undecided:
      held += bytes
      count(bytes)
      // The prompt takes a line too.
      if lines >= size.rows - 1 { open() }
    }
  }

  /// The pager is closed by the person who reads.
  func finish() {
    if case .undecided = way {
      Terminal.write(held, to: .output)
      held = []
    }
    if case .pager(let program) = way { program.finish() }
    way = .over
  }

  private func open() {
    // `less` shows colours (R), goes away where all fits after all (F), and leaves the text on the screen (X).
    let usual = ["LESS": environment("LESS") ?? "FRX", "LV": environment("LV") ?? "-c"]
    if let program = try? PipedProgram(shell: command, environment: usual) {
      way = .pager(program)
    } else {
      way = .straight
    }
    let text = held
    held = []
    write(text)
  }

  /// Lines on the screen: long ones take several, and escape sequences none.
  private func count(_ bytes: [UInt8]) {
    for byte in bytes {
      switch byte {
      case 0x1b: isEscape = true
      case _ where isEscape: if (0x40...0x7e).contains(byte) && byte != UInt8(ascii: "[") { isEscape = false }
      case 0x0a:
        lines += 1
        column = 0
      case 0x80..<0xc0: break
      default:
        column += 1
        if column > size.columns {
          lines += 1
          column = 1
        }
      }
    }
  }

  private static func command(_ session: Session) -> String {
    environment("KGUARD_PAGER") ?? environment("PAGER") ?? (session.machine.find(program: "less") == nil ? "" : "less")
  }
}

extension Session {
  /// Text that may be longer than the screen.
  func page(_ text: String) {
    let pages = Pages(self)
    pages.write(readable(text))
    pages.finish()
  }
}

extension OptionSpec {
  static let noPager = OptionSpec("--no-pager", "no pager for long output on a terminal (also: KGUARD_PAGER=cat)")
}
