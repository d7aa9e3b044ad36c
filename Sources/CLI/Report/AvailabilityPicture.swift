internal import Cluster
internal import Host
internal import Model

/// When the API server answered, as SVG: a line that is high while it does and low while it does not, the outages shaded.
struct AvailabilityPicture {
  private let record: AvailabilityRecord
  private let scale: TimeScale

  /// What a picture can tell apart.
  private static let finest = 0.0015
  private static let mostRows = 12

  init(_ record: AvailabilityRecord) {
    self.record = record
    scale = TimeScale(
      record.spans.filter { $0.answer != .unobserved }.map { $0.from.milliseconds...max($0.from.milliseconds, $0.to.milliseconds) })
  }

  var html: HTML {
    var out: HTML = """
      <svg class="availability" role="img" aria-labelledby="av-title av-desc" height="96">
      <title id="av-title">Availability of the API server</title>
      <desc id="av-desc">From \(localTime(scale.begin)) to \(localTime(scale.end)). \(Story.words(record))</desc>

      """
    for tick in scale.ticks {
      out += "<line class=\"tick\" x1=\"\(percent(tick.at))\" x2=\"\(percent(tick.at))\" y1=\"0\" y2=\"76\"/>"
      if !tick.label.isEmpty {
        let anchor = tick.at < 0.04 ? "start" : tick.at > 0.96 ? "end" : "middle"
        out += "<text class=\"ticklabel\" x=\"\(percent(tick.at))\" y=\"92\" text-anchor=\"\(anchor)\">\(tick.label)</text>"
      }
    }
    out += "\n"
    for span in drawable { out += drawn(span) }
    out += "</svg>\n"
    return out
  }

  private typealias Piece = (from: Double, to: Double, answer: AvailabilityRecord.Answer, length: Duration)

  /// Pieces that are too short to be seen grow, or join the one before; an outage is never swallowed.
  private var drawable: [Piece] {
    var out: [Piece] = []
    for span in record.spans {
      let from = scale.place(span.from.milliseconds), to = scale.place(span.to.milliseconds)
      if let last = out.last, last.answer == span.answer || to - last.to < Self.finest && span.answer != .down {
        out[out.count - 1].to = max(last.to, to)
        if last.answer == .down { out[out.count - 1].length += span.answer == .down ? span.length : .zero }
      } else if let last = out.last, span.answer == .down, last.answer == .up, last.to - last.from < Self.finest, out.count > 1 {
        out[out.count - 1] = (last.from, max(to, last.to), .down, span.length)
      } else {
        out.append((from, to, span.answer, span.length))
      }
    }
    return out
  }

  private func drawn(_ piece: Piece) -> HTML {
    let (x, width) = (percent(piece.from), percent(max(piece.to - piece.from, piece.answer == .down ? 0.004 : 0)))
    switch piece.answer {
    case .up:
      return
        "<rect class=\"upfill\" x=\"\(x)\" width=\"\(width)\" y=\"14\" height=\"62\"/><rect class=\"upline\" x=\"\(x)\" width=\"\(width)\" y=\"12\" height=\"3\"/>\n"
    case .unobserved:
      let middle = percent((piece.from + piece.to) / 2)
      let label: HTML =
        piece.to - piece.from > 0.16 ? "<text class=\"ticklabel\" x=\"\(middle)\" y=\"48\" text-anchor=\"middle\">not observed</text>" : ""
      return """
        <g><title>not observed for \(piece.length.forPeople)</title><rect class="pause" x="\(x)" width="\(width)" y="14" height="62"/>\
        \(label)</g>

        """
    case .down:
      let isWide = piece.to - piece.from > 0.16
      let middle = percent((piece.from + piece.to) / 2)
      let label: HTML =
        isWide ? "<text class=\"awaylabel\" x=\"\(middle)\" y=\"48\" text-anchor=\"middle\">away \(piece.length.forPeople)</text>" : ""
      return """
        <g><title>away for \(piece.length.forPeople)</title><rect class="away" x="\(x)" width="\(width)" y="0" height="76"/>\
        <rect class="downline" x="\(x)" width="\(width)" y="73" height="3"/>\(label)</g>

        """
    }
  }

  /// The outages in words.
  var table: HTML {
    let outages = record.outages
    guard !outages.isEmpty else { return "" }
    var out: HTML = "<table><thead><tr><th>Away from</th><th>to</th><th>for</th></tr></thead><tbody>"
    let longest = Set(outages.indices.sorted { outages[$0].length > outages[$1].length }.prefix(Self.mostRows))
    for (index, outage) in outages.enumerated() where longest.contains(index) {
      out += """
        <tr><td>\(localTime(outage.from, "%H:%M:%S"))</td><td>\(localTime(outage.to, "%H:%M:%S %Z"))</td>\
        <td>\(outage.length == .zero ? "one sample" : outage.length.forPeople)</td></tr>
        """
    }
    out += "</tbody></table>"
    if outages.count > longest.count { out += "<p>and \(outages.count - longest.count) shorter ones.</p>" }
    return out
  }
}
