import Host
import Model

/// A tmpfs over a directory, which is copied into it.
struct Mount {
  let path: String

  static let isPossible: Bool = {
    guard case let directory = Bench(), let mount = try? Mount(over: directory.path) else { return false }
    mount.end()
    return true
  }()

  init(over path: String) throws {
    self.path = path
    let script =
      "cp -a '\(path)' '\(path).copy' && mount -t tmpfs -o mode=700 tmpfs '\(path)' && cp -a '\(path).copy/.' '\(path)/' && rm -r '\(path).copy'"
    let result = try runCaptured("/bin/sh", Command(["sh", "-c", script]))
    guard result.end.isSuccess else {
      _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path + ".copy"]))
      throw Failure(what: "cannot mount", why: result.lastWords, next: "")
    }
  }

  func end() { _ = try? runCaptured("/bin/umount", Command(["umount", "-l", path])) }
}
