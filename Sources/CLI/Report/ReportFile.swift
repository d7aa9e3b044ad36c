internal import Glibc
internal import Host
internal import Model

/// Where a report goes. It appears under its name whole or not at all, readable by its owner only, and replaces an older report but
/// nothing else.
struct ReportFile {
  let path: String

  /// The file as named; where a link stands, the file that it leads to.
  init(_ name: String) throws(Failure) {
    let named = try Files.absolute(name)
    guard let info = try Files.info(named, followLinks: false), info.kind == .link else {
      path = named
      return
    }
    guard let resolved = realpath(named, nil) else { throw systemFailure(errno, "cannot follow the link \(named)") }
    defer { free(resolved) }
    path = String(cString: resolved)
  }

  /// True where something else than a report stands there.
  func holdsSomethingElse() throws(Failure) -> Bool {
    guard let info = try Files.info(path) else { return false }
    guard info.kind == .file else {
      let what = info.kind == .directory ? "it is a directory" : "it is no file"
      throw Failure(.usage, what: "cannot write the report to \(path)", why: what, next: "name a file, for example `-o report.html`")
    }
    if info.size == 0 { return false }
    let head = String(decoding: try Files.read(path, from: 0, upTo: 1024), as: UTF8.self)
    return !head.contains(HTMLReport.mark) && !head.hasPrefix(MarkdownReport.mark)
  }

  func write(_ text: String) throws(Failure) {
    do throws(Failure) {
      try writeBeside(text)
    } catch {
      // The name that it has on the way is nobody's business.
      throw Failure(error.exit, what: "cannot write the report to \(path)", why: error.why, next: error.next)
    }
  }

  private func writeBeside(_ text: String) throws(Failure) {
    // A name that nobody could have put a link at.
    let part = "\(path).\(hex(randomBytes(6))).part"
    let file = try OpenFile(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
    do throws(Failure) {
      try file.write(Array(text.utf8))
      try file.sync()
      try file.close()
      guard rename(part, path) == 0 else { throw systemFailure(errno, "cannot rename \(part) to \(path)") }
    } catch {
      unlink(part)
      throw error
    }
    try Files.syncDirectory(Files.directory(of: path))
  }
}
