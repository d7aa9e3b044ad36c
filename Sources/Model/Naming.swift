/// `a, b, c and 4 more`, or with another separator `a; b; c; and 4 more`.
public func naming(_ words: [String], most: Int = 6, separator: String = ", ") -> String {
  let more = words.count > most ? "\(separator == ", " ? " " : separator)and \(words.count - most) more" : ""
  return words.prefix(most).joined(separator: separator) + more
}
