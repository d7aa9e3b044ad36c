import Host
import Model

/// Certificates made by the openssl program, laid out as kubeadm lays them out.
final class TestPKI: Sendable {
  let directory: String

  init(_ directory: String) throws {
    self.directory = directory
    try Files.makeDirectory(directory)
    try authority("ca")
    try certificate("server")
    try certificate("peer")
    try certificate("healthcheck-client")
  }

  func authority(_ name: String) throws {
    try run(
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(name, "key"),
      "-out",
      path(name, "crt"), "-subj", "/CN=\(name)", "-days", "30")
  }

  /// `days` may be negative: then it has run out already.
  func certificate(_ name: String, by authority: String = "ca", days: Int = 30) throws {
    try run(
      "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(name, "key"), "-out",
      path(name, "csr"), "-subj", "/O=system:masters/CN=\(name)")
    let extensions = "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n"
    try Files.replace(path(name, "ext"), with: Array(extensions.utf8))
    try run(
      "openssl", "x509", "-req", "-in", path(name, "csr"), "-CA", path(authority, "crt"), "-CAkey", path(authority, "key"),
      "-CAcreateserial", "-days", "\(days)", "-extfile", path(name, "ext"), "-out", path(name, "crt"))
  }

  func path(_ name: String, _ kind: String) -> String { "\(directory)/\(name).\(kind)" }

  func identity(_ client: String = "healthcheck-client", authority: String = "ca") -> TLSIdentity {
    TLSIdentity(
      authority: .file(path(authority, "crt")), certificate: .file(path(client, "crt")), key: .file(path(client, "key")))
  }
}
