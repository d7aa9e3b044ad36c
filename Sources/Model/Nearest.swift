/// The name that was most likely meant, for "did you mean". Nil where nothing is near enough to be helpful.
public func nearest(to word: String, among names: some Sequence<String>) -> String? {
  let word = word.lowercased()
  let limit = max(1, word.count / 3)
  var best: (name: String, distance: Int)?
  for name in names {
    let distance = name.lowercased().hasPrefix(word) && word.count >= 3 ? 1 : editDistance(word, name.lowercased())
    if distance <= limit, distance < best?.distance ?? .max { best = (name, distance) }
  }
  return best?.name
}

/// ` (did you mean `x`?)`, or nothing.
public func didYouMean(_ word: String, among names: some Sequence<String>) -> String {
  nearest(to: word, among: names).map { "; did you mean `\($0)`?" } ?? ""
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
private func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a.unicodeScalars.prefix(64)), b = Array(b.unicodeScalars.prefix(64))
  guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in 1...a.count {
    var row = [i]
    for j in 1...b.count {
      var cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { cost = min(cost, beforeLast[j - 2] + 1) }
      row.append(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.count]
}
