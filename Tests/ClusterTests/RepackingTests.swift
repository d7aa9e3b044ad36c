import Host
import Model
import Testing

@testable import Cluster

/// dpkg with a database and a root of the test's own, as `--root` shows it to kguard. Packages are real.
private final class DebianRoot {
  let path: String
  var root: String { path + "/root" }

  init() throws {
    path = try TestDirectory.make("deb")
    for directory in [
      "/var/lib/dpkg/info", "/var/lib/dpkg/updates", "/var/lib/dpkg/triggers", "/usr/bin", "/usr/lib", "/var/cache/apt/archives",
    ] {
      try Files.makeDirectory(root + directory)
    }
    for file in ["status", "available"] { try Files.replace(root + "/var/lib/dpkg/" + file, with: []) }
    // /lib is a link, as everywhere today.
    try Files.makeLink(root + "/lib", to: "usr/lib")
    try tool("dpkg-query", "exec /usr/bin/dpkg-query --admindir=\(root)/var/lib/dpkg \"$@\"")
    for name in ["apt-get", "apt-cache", "apt-mark", "dpkg"] { try tool(name, "exit 1") }
  }

  deinit { try? Files.removeOwnTree(path) }

  private func tool(_ name: String, _ line: String) throws {
    try Files.replace(root + "/usr/bin/" + name, with: Array("#!/bin/sh\n\(line)\n".utf8))
    try Files.setMode(root + "/usr/bin/" + name, 0o755)
  }

  func shell(_ script: String) throws -> String {
    let result = try runCaptured("/bin/sh", Command(["sh", "-ec", script], environment: ["LC_ALL": "C"], directory: path))
    guard result.end.isSuccess else { throw Failure(what: script, why: result.lastWords, next: "") }
    return result.text
  }

  /// A package with a program, a link, a unit below /lib, a conffile and a script.
  func build(_ version: String) throws -> String {
    _ = try shell(
      """
      rm -rf tree; mkdir -p tree/DEBIAN tree/usr/bin tree/etc/default tree/lib/systemd/system
      echo 'program \(version)' > tree/usr/bin/demo; chmod 750 tree/usr/bin/demo; ln -s demo tree/usr/bin/alias
      echo 'unit \(version)' > tree/lib/systemd/system/demo.service
      echo 'default \(version)' > tree/etc/default/demo; echo 'other \(version)' > tree/etc/default/gone
      printf 'Package: demo\\nVersion: \(version)\\nArchitecture: amd64\\nMaintainer: a <a@b>\\nDepends: libc6 | demo\\nDescription: x\\n long\\n .\\n text\\n' > tree/DEBIAN/control
      printf '/etc/default/demo\\n/etc/default/gone\\n' > tree/DEBIAN/conffiles
      printf '#!/bin/sh\\necho \(version) > \(path)/configured\\n' > tree/DEBIAN/postinst; chmod 755 tree/DEBIAN/postinst
      dpkg-deb --root-owner-group -Znone --build tree demo_\(version.split(separator: ":").joined(separator: "%3a"))_amd64.deb >/dev/null
      """)
    return path + "/demo_\(version.split(separator: ":").joined(separator: "%3a"))_amd64.deb"
  }

  func install(_ file: String) throws {
    _ = try shell(
      "dpkg --admindir=\(root)/var/lib/dpkg --instdir=\(root) --force-depends --force-script-chrootless --force-not-root --force-confold --log=/dev/null -i \(file)"
    )
  }

  func text(_ file: String) throws -> String? { try Files.textIfPresent(root + file) }
}

private enum TestDirectory {
  static func make(_ name: String) throws -> String {
    let result = try runCaptured("/bin/mktemp", Command(["mktemp", "-d", "/tmp/kguard-\(name)-XXXXXX"]))
    return String(result.text.dropLast())
  }
}

@Suite struct `Packages that are kept` {
  @Test func `what is installed becomes a package again, and dpkg goes back to it`() throws {
    let debian = try DebianRoot()
    try debian.install(try debian.build("1:1.0-1"))
    try Files.replace(debian.root + "/etc/default/demo", with: Array("edited\n".utf8))
    _ = try debian.shell("rm root/etc/default/gone")
    let apt = try #require(Apt(try LocalMachine(root: debian.root)))
    #expect(try apt.installed("demo") == "1:1.0-1")
    let kept = debian.path + "/kept"
    try Files.makeDirectory(kept)
    let (file, how) = try apt.keep("demo", "1:1.0-1", in: kept)
    #expect(how == "packed again")
    #expect(try Files.list(kept) == ["demo_1%3a1.0-1_amd64.deb"])
    #expect(try Files.info(file)?.mode == 0o600)
    let fields = try debian.shell("dpkg-deb -f \(file) Package Version Architecture Depends Description Status Conffiles")
    #expect(
      fields
        == "Package: demo\nVersion: 1:1.0-1\nArchitecture: amd64\nDepends: libc6 | demo\nDescription: x\n long\n .\n text\n")
    // /lib stays a directory of the package, and no link of this node gets into it.
    let listed = try debian.shell("dpkg-deb --contents \(file)")
    #expect(listed.contains("drwxr-xr-x") && listed.contains("./lib/systemd/system/demo.service") && !listed.contains("./lib ->"))

    try debian.install(try debian.build("2.0-1"))
    #expect(try debian.text("/usr/bin/demo") == "program 2.0-1\n")
    try debian.install(file)
    #expect(try apt.installed("demo") == "1:1.0-1")
    #expect(try debian.text("/usr/bin/demo") == "program 1:1.0-1\n")
    #expect(try Files.info(debian.root + "/usr/bin/demo")?.mode == 0o750)
    #expect(try Files.linkTarget(debian.root + "/usr/bin/alias") == "demo")
    #expect(try debian.text("/usr/lib/systemd/system/demo.service") == "unit 1:1.0-1\n")
    #expect(try Files.info(debian.root + "/lib", followLinks: false)?.kind == .link)
    #expect(try debian.text("/etc/default/demo") == "edited\n")
    #expect(try debian.shell("cat configured") == "1:1.0-1\n")
  }

  @Test func `apt's cache comes first, and a damaged file in it is passed over`() throws {
    let debian = try DebianRoot()
    let original = try debian.build("1.0-1")
    try debian.install(original)
    let apt = try #require(Apt(try LocalMachine(root: debian.root)))
    let kept = debian.path + "/kept"
    try Files.makeDirectory(kept)
    let cached = debian.root + "/var/cache/apt/archives/demo_1.0-1_amd64.deb"
    _ = try debian.shell("cp \(original) \(cached)")
    let first = try apt.keep("demo", "1.0-1", in: kept)
    #expect(first.how == "apt's cache")
    #expect(try Files.read(first.file) == Files.read(original))

    _ = try debian.shell("truncate -s -2000 \(cached)")
    let second = try apt.keep("demo", "1.0-1", in: kept)
    #expect(second.how == "packed again")
    // A file of that name with another version in it is not taken either.
    _ = try debian.shell("cp \(try debian.build("2.0-1")) \(cached)")
    #expect(try apt.keep("demo", "1.0-1", in: kept).how == "packed again")
    #expect(try Files.list(kept) == ["demo_1.0-1_amd64.deb"])
  }

  @Test func `files that are not there fail it`() throws {
    let debian = try DebianRoot()
    try debian.install(try debian.build("1.0-1"))
    _ = try debian.shell("rm -r root/usr/bin/demo root/usr/lib/systemd root/etc/default")
    let apt = try #require(Apt(try LocalMachine(root: debian.root)))
    let error = #expect(throws: Failure.self) { _ = try apt.keep("demo", "1.0-1", in: debian.path) }
    #expect(error?.exit == .failed)
    #expect(error?.what == "cannot keep the installed package demo for a way back")
  }

  @Test func `apt's options say where packages are installed`() {
    #expect(Repacking.top(ofOptions: "\n--admindir=/a\n--instdir=/lab/sysroot/\n--force-unsafe-io\n") == "/lab/sysroot")
    #expect(Repacking.top(ofOptions: "\n--force-unsafe-io\n") == "")
    #expect(Repacking.top(ofOptions: "--root=/") == "")
  }

  @Test func `conffiles that are gone are left out, and those that must go stay named`() throws {
    let text = "/etc/a\n/etc/b\nremove-on-upgrade /etc/c\nremove-on-upgrade /etc/a\n"
    #expect(try Repacking.conffiles(text) { $0 == "/etc/a" } == "/etc/a\nremove-on-upgrade /etc/c\n")
  }
}
