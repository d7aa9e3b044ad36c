/// A text without what may open something: private keys, tokens, passwords. A report is handed on, and the output of commands may hold
/// anything. Digests stay: they prove, and open nothing.
func withoutSecrets(_ text: String) -> String {
  // Nearly every text holds nothing of the kind.
  guard mayHoldSecret(text) else { return text }
  var out: [String] = []
  var isInKey = false
  for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
    if line.contains("-----BEGIN "), line.contains("PRIVATE KEY") {
      isInKey = true
      out.append("(a private key was here)")
    }
    if !isInKey { out.append(lineWithoutSecrets(line)) }
    if isInKey, line.contains("-----END ") { isInKey = false }
  }
  return out.joined(separator: "\n")
}

private let hidden = "(hidden)"

/// Words after which a secret stands, as options, keys or headers.
private let names: Set<String> = [
  "password", "passwd", "passphrase", "secret", "secretkey", "secret-key", "secret-access-key", "secretaccesskey", "token", "api-key",
  "apikey", "access-token", "certificate-key", "bearer", "basic", "authorization", "client-key-data", "aws_secret_access_key",
  "aws_session_token", "session-token",
]

private func mayHoldSecret(_ text: String) -> Bool {
  let lowered = text.lowercased()
  if ["private key", "age-secret-key-", "bearer", "basic", "authorization", "://", "key-data"].contains(where: lowered.contains) {
    return true
  }
  return names.contains(where: lowered.contains) || text.split(whereSeparator: isBreak).contains(where: isJoinToken)
}

private func isBreak(_ character: Character) -> Bool { " \t\n\"'=,;:()[]{}<>".contains(character) }

/// kubeadm's own: `abcdef.0123456789abcdef`.
private func isJoinToken(_ word: Substring) -> Bool {
  let parts = word.split(separator: ".", omittingEmptySubsequences: false)
  guard parts.count == 2, parts[0].utf8.count == 6, parts[1].utf8.count == 16 else { return false }
  return word.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 46 }
}

private func lineWithoutSecrets(_ line: Substring) -> String {
  var out = ""
  /// A name was read, and what comes next is its value.
  var isValue = false
  /// After `Bearer` alone a short word is prose.
  var isProse = false
  var before: (word: Substring, gap: Substring) = ("", "")
  var rest = line
  while !rest.isEmpty {
    var word = rest.prefix { !isBreak($0) }
    let name = String(word.drop { $0 == "-" }).lowercased()
    let isScheme = ["bearer", "basic"].contains(name)
    if isValue, !word.isEmpty, !isScheme {
      let whole = rest.prefix { !$0.isWhitespace && !"\"'".contains($0) }
      if isProse, whole.utf8.count < 16 { isValue = false } else { word = whole }
    }
    rest = rest.dropFirst(word.count)
    let gap = rest.prefix(while: isBreak)
    rest = rest.dropFirst(gap.count)
    if word.isEmpty || isValue && isScheme {
      out += word
    } else if isValue || isJoinToken(word) || word.uppercased().hasPrefix("AGE-SECRET-KEY-") {
      out += hidden
      isValue = false
    } else if before.gap == ":", before.word.hasPrefix("//"), let at = word.lastIndex(of: "@") {
      // A password in an address.
      out += hidden + word[at...]
    } else {
      out += word
      // In prose the word hides nothing; before a colon or an equals sign, as an option or a scheme it does.
      isValue = names.contains(name) && (gap.contains { ":=".contains($0) } || word.hasPrefix("-") || isScheme)
      isProse = isScheme
    }
    out += gap
    before = (word, gap)
  }
  return out
}
