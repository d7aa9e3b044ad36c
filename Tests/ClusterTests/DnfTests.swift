import Host
import Model
import Playbooks
import Testing

@testable import Cluster

/// Real dnf and rpm, with packages made here, below a root of their own.
@Suite(.enabled(if: DnfSite.isPossible)) struct `Packages of dnf` {
  @Test func `go up, are locked, and come back from the kept file`() throws {
    let site = try DnfSite()
    let dnf = try #require(Dnf(site.machine))
    #expect(try dnf.installed("kubeadm") == nil)
    #expect(try PackageManagers.find(site.machine, .auto).name == "none")
    try dnf.refresh()
    func offered(_ version: String) throws -> String? { try dnf.available("kubeadm", try #require(KubernetesVersion(version))) }
    let (old, new) = ("1.27.4-150500.1.1", "1.28.0-150500.1.1")
    #expect(try offered("v1.27.4") == old)
    #expect(try offered("v1.28.0") == new)
    #expect(try offered("v1.29.0") == nil)

    try site.run(dnf.install([("kubeadm", old), ("kubelet", old)]))
    #expect(try dnf.installed("kubeadm") == old)
    #expect(try PackageManagers.find(site.machine, .auto).name == "dnf")
    #expect(try dnf.holds() == [])
    try dnf.hold("kubeadm")
    #expect(try dnf.holds() == ["kubeadm"])

    let kept = try dnf.keep("kubeadm", old, in: site.path)
    #expect(try Files.info(kept.file)?.mode == 0o600)
    // The lock keeps a plain update away, and not kguard.
    try site.run(dnf.fetch([("kubeadm", new)]))
    #expect(try dnf.installed("kubeadm") == old)
    try site.run(dnf.install([("kubeadm", new)]))
    #expect(try dnf.installed("kubeadm") == new)
    try dnf.hold("kubeadm")
    #expect(try dnf.holds() == ["kubeadm"])
    #expect(try site.locks().contains("kubeadm-0:\(new)"))

    // The way back asks no repository.
    try site.dropRepository()
    try site.run(dnf.install(files: [kept.file]))
    #expect(try dnf.installed("kubeadm") == old)
    #expect(try Files.textIfPresent(site.root + "/usr/bin/kubeadm") == "1.27.4\n")
    #expect(try dnf.installed("kubelet") == old)
    #expect(throws: Failure.self) { try dnf.keep("kubelet", "9.9.9-1", in: site.path) }
  }
}

final class DnfSite {
  static let isPossible = ["/usr/bin/dnf", "/usr/bin/rpmbuild", "/usr/bin/createrepo_c"].allSatisfy { (try? Files.exists($0)) == true }

  private let directory = TemporaryDirectory()
  var path: String { directory.path }
  var root: String { path + "/root" }
  let machine: LocalMachine

  init() throws {
    let (path, root) = (directory.path, directory.path + "/root")
    for name in ["/usr/bin", "/etc/yum.repos.d", "/etc/dnf/plugins"] { try Files.makeDirectory(root + name) }
    machine = try LocalMachine(root: root)
    for version in ["1.27.4", "1.28.0"] {
      for package in ["kubeadm", "kubelet"] {
        let file = "\(path)/\(package)-\(version).spec"
        try Files.replace(file, with: Array(Self.specification(package, version).utf8))
        try shell("rpmbuild -bb --quiet --define '_topdir \(path)/build' --define '_rpmdir \(path)/repository' \(file)")
      }
    }
    try shell("createrepo_c -q \(path)/repository")
    // As Kubernetes' own page has it: nothing of it is updated by the way.
    let repository =
      "[kubernetes]\nname=kubernetes\nbaseurl=file://\(path)/repository\nenabled=1\ngpgcheck=0\nexclude=kubelet kubeadm kubectl\n"
    try Files.replace(root + "/etc/yum.repos.d/kubernetes.repo", with: Array(repository.utf8))
    let plugins = root + "/etc/dnf/plugins"
    try Files.replace(plugins + "/versionlock.conf", with: Array("[main]\nenabled=1\nlocklist=\(plugins)/versionlock.list\n".utf8))
    try Files.replace(plugins + "/versionlock.list", with: [])
    let options =
      "--installroot \(root) --releasever 1 --setopt=reposdir=\(root)/etc/yum.repos.d --setopt=pluginconfpath=\(plugins) "
      + "--setopt=cachedir=\(root)/var/cache/dnf"
    try program("dnf", "exec /usr/bin/dnf \(options) \"$@\"")
    // Debian's rpm wants to be told that it is meant, where it works on the database.
    try program("rpm", "[ \"$1\" != -K ] || exec /usr/bin/rpm \"$@\"\nexec /usr/bin/rpm --root \(root) --force-debian \"$@\"")
  }

  private static func specification(_ package: String, _ version: String) -> String {
    """
    Name: \(package)
    Version: \(version)
    Release: 150500.1.1
    Summary: \(package)
    License: Apache-2.0
    %description
    \(package)
    %install
    mkdir -p %{buildroot}/usr/bin
    echo \(version) > %{buildroot}/usr/bin/\(package)
    %files
    /usr/bin/\(package)

    """
  }

  private func program(_ name: String, _ line: String) throws {
    try Files.replace(root + "/usr/bin/" + name, with: Array("#!/bin/sh\n\(line)\n".utf8), mode: 0o755)
  }

  private func shell(_ line: String) throws {
    let result = try runCaptured("/bin/sh", Command(["sh", "-c", line]), timeout: .seconds(120))
    guard result.end.isSuccess else { throw Failure(what: line, why: result.lastWords, next: "") }
  }

  func run(_ command: PackageCommand) throws {
    let result = try machine.run(command.argv, timeout: .seconds(120))
    #expect(result.end.isSuccess, "\(command.argv): \(result.text) \(result.errorText)")
  }

  func locks() throws -> String { try Files.textIfPresent(root + "/etc/dnf/plugins/versionlock.list") ?? "" }

  func dropRepository() throws { try shell("mv \(path)/repository \(path)/repository.gone") }
}
