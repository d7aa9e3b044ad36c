internal import Model

/// Pictures of a playbook: its steps in order, and where failures lead.
public enum Graph {
  private enum Edge { case next, failure(String) }

  private struct Drawing {
    var nodes: [(id: String, lines: [String], isEnd: Bool)] = []
    var edges: [(from: String, to: String, edge: Edge)] = []
  }

  /// For Mermaid, as GitHub and GitLab show it in a page.
  public static func mermaid(_ playbook: Playbook) -> String {
    let drawing = draw(playbook)
    var out = "flowchart TD\n"
    for node in drawing.nodes {
      let label = "\"" + node.lines.map(escapedForMermaid).joined(separator: "<br/>") + "\""
      out += "  \(node.id)" + (node.isEnd ? "([\(label)])" : "[\(label)]") + "\n"
    }
    for edge in drawing.edges {
      switch edge.edge {
      case .next: out += "  \(edge.from) --> \(edge.to)\n"
      case .failure(let label): out += "  \(edge.from) -. \"\(escapedForMermaid(label))\" .-> \(edge.to)\n"
      }
    }
    return out
  }

  /// For Graphviz.
  public static func dot(_ playbook: Playbook) -> String {
    let drawing = draw(playbook)
    var out = "digraph \"\(escapedForDot(playbook.name))\" {\n  node [shape=box, style=rounded];\n"
    for node in drawing.nodes {
      let label = node.lines.map(escapedForDot).joined(separator: "\\n")
      out += "  \(node.id) [label=\"\(label)\"" + (node.isEnd ? ", shape=oval" : "") + "];\n"
    }
    for edge in drawing.edges {
      switch edge.edge {
      case .next: out += "  \(edge.from) -> \(edge.to);\n"
      case .failure(let label): out += "  \(edge.from) -> \(edge.to) [style=dashed, label=\"\(escapedForDot(label))\"];\n"
      }
    }
    return out + "}\n"
  }

  private static func draw(_ playbook: Playbook) -> Drawing {
    var drawing = Drawing()
    drawing.nodes.append(("begin", [playbook.name], true))
    var last = "begin"
    for (index, step) in playbook.steps.enumerated() {
      let id = "step\(index + 1)"
      drawing.nodes.append((id, lines(step), false))
      drawing.edges.append((last, id, .next))
      last = id
    }
    drawing.nodes.append(("done", ["done"], true))
    drawing.edges.append((last, "done", .next))
    if let rollback = playbook.rollback { drawing.nodes.append(("back", [rollback], true)) }
    for (index, step) in playbook.steps.enumerated() {
      let next = index + 1 < playbook.steps.count ? "step\(index + 2)" : "done"
      switch step.onFailure {
      case .rollback: drawing.edges.append(("step\(index + 1)", "back", .failure("on failure")))
      case .continue: drawing.edges.append(("step\(index + 1)", next, .failure("on failure, too")))
      case .stop: break
      }
    }
    return drawing
  }

  private static func lines(_ step: Step) -> [String] {
    var lines = [step.id]
    switch step.work {
    case .action(let path): lines.append(path)
    case .run(let arguments): lines.append("run: " + short(arguments.map(\.source).joined(separator: " ")))
    case .shell(let script): lines.append("shell: " + short(script))
    }
    if let when = step.when { lines.append("when " + short(when.source)) }
    if step.retries.max > 0 { lines.append(step.retries.max == 1 ? "1 retry" : "\(step.retries.max) retries") }
    if let timeout = step.timeout { lines.append("timeout \(timeout.forFiles)") }
    return lines
  }

  private static func short(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    return line.count > 60 || line.utf8.count + 1 < text.utf8.count ? line.prefix(59) + "…" : line
  }

  private static func escapedForMermaid(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"", "#", "<", ">", "&", "`", "\\", ";", "{", "}", "[", "]", "(", ")", "|": "#\(scalar.value);"
      case _ where scalar.value < 0x20: " "
      default: String(scalar)
      }
    }.joined()
  }

  private static func escapedForDot(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"", "\\": "\\\(scalar)"
      case _ where scalar.value < 0x20: " "
      default: String(scalar)
      }
    }.joined()
  }
}
