internal import Model

/// A file for /etc/cron.d. No flock is needed: a second kguard finds that the node is held, and exits 6.
extension Schedule {
  func cron(executable: String) throws(Failure) -> [Part] {
    let command = ([executable] + arguments).map { Self.shellWord($0) }.joined(separator: " ")
    // Where all went well nothing is printed, so that cron sends no mail. To cron a percent sign is a new line.
    // The status is kept first: in some shells `$(hostname)` replaces it.
    let words = "'kguard \(job.rawValue) on %s ended with exit %s\\n%s\\n' \"$(hostname)\" \"$s\" \"$o\""
    let line = "o=$(\(command) 2>&1) || { s=$?; printf \(words); }"
    let escaped = line.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "\\%")
    return [
      Part(
        name: name,
        text: """
          # \(Self.mark) cron`: \(title).
          # For /etc/cron.d. Mail is sent only where something went wrong. Times are those of the machine's zone.
          SHELL=/bin/sh
          PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
          MAILTO=root
          \(try time.cron()) root \(escaped)

          """)
    ]
  }

  /// A word of /bin/sh.
  static func shellWord(_ text: String) -> String {
    let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@"
    if !text.isEmpty, text.allSatisfy(plain.contains) { return text }
    return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
