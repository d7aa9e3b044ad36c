/// Text of a page. What is put into a literal by `\(…)` is escaped, unless it is HTML itself: nothing gets onto the page as markup that
/// was not written as markup in this folder.
struct HTML: ExpressibleByStringInterpolation {
  private(set) var source: String

  init(stringLiteral value: String) { source = value }
  init(stringInterpolation: Interpolation) { source = stringInterpolation.source }
  private init(source: String) { self.source = source }

  /// Words from anywhere, as text.
  static func text(_ words: String) -> HTML { HTML(source: escaped(words)) }

  /// The same with what stands in backticks as code.
  static func prose(_ words: String) -> HTML {
    let parts = words.split(separator: "`", omittingEmptySubsequences: false)
    guard parts.count % 2 == 1 else { return text(words) }
    return parts.enumerated().map { number, part in
      number % 2 == 0 ? text(String(part)) : HTML(source: "<code>\(escaped(String(part)))</code>")
    }.joined()
  }

  static func += (a: inout HTML, b: HTML) { a.source += b.source }

  struct Interpolation: StringInterpolationProtocol {
    fileprivate var source = ""

    init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(literalCapacity + interpolationCount * 16) }
    mutating func appendLiteral(_ literal: String) { source += literal }
    mutating func appendInterpolation(_ markup: HTML) { source += markup.source }
    mutating func appendInterpolation(_ text: String) { source += HTML.escaped(text) }
    mutating func appendInterpolation(_ number: Int) { source += String(number) }
  }

  fileprivate static func escaped(_ words: String) -> String {
    var out = ""
    for scalar in presentable(words).unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}

extension Sequence<HTML> {
  func joined() -> HTML { reduce(into: "") { $0 += $1 } }
}

/// What anybody may be shown in a document that is handed on: no escape sequences, nothing that turns the direction of text, no secrets.
func presentable(_ words: String) -> String {
  var kept = String.UnicodeScalarView()
  for scalar in printableLines(words).unicodeScalars {
    switch scalar.value {
    case 0x200b...0x200f, 0x202a...0x202e, 0x2060...0x2069, 0xfeff, 0xfff9...0xfffb: continue
    default: kept.append(scalar)
    }
  }
  return withoutSecrets(String(kept))
}
