internal import Model

/// Prometheus' text format, as node_exporter's textfile collector reads it.
struct MetricText {
  private(set) var text = ""

  struct Sample {
    let labels: [(String, String)]
    let value: Double
    init(_ labels: [(String, String)] = [], _ value: Double) {
      self.labels = labels
      self.value = value
    }
    init(_ labels: [(String, String)] = [], _ time: Timestamp) { self.init(labels, Double(time.milliseconds) / 1000) }
  }

  /// A gauge with all its samples; nothing where there are none.
  mutating func gauge(_ name: String, _ help: String, _ samples: [Sample]) {
    if samples.isEmpty { return }
    text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) gauge\n"
    for sample in samples {
      let labels = sample.labels.map { "\($0.0)=\"\(Self.escaped($0.1, quotes: true))\"" }.joined(separator: ",")
      text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(Self.number(sample.value))\n"
    }
  }

  /// A whole number without a fraction, so that a revision or a size can be read.
  static func number(_ value: Double) -> String {
    Int64(exactly: value).map(String.init) ?? String(value)
  }

  static func escaped(_ text: String, quotes: Bool) -> String {
    var out = ""
    for character in text.unicodeScalars {
      switch character {
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\"" where quotes: out += "\\\""
      default: out.unicodeScalars.append(character)
      }
    }
    return out
  }
}
