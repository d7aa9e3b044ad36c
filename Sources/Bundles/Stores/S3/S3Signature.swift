internal import Host
internal import Model

struct S3Credentials: Sendable {
  var accessKey: String
  var secretKey: String
  var sessionToken: String?
  /// Where they come from, for people.
  var origin: String
}

/// AWS Signature Version 4, as S3 wants it: the path is encoded once and not normalised.
struct S3Signature {
  let credentials: S3Credentials
  let region: String
  /// `20261121T031536Z`
  let time: String

  init(credentials: S3Credentials, region: String, at now: Timestamp) {
    self.credentials = credentials
    self.region = region
    time = String(now.description.prefix { $0 != "." }.filter { $0 != "-" && $0 != ":" }) + "Z"
  }

  /// The headers to send: those given, and the ones that signing adds. All of them are signed, with the host.
  func headers(
    method: String, host: String, path: String, query: String, headers: [(name: String, value: String)], payload: Digest
  ) -> [(name: String, value: String)] {
    var sent = headers + [("x-amz-content-sha256", payload.description), ("x-amz-date", time)]
    if let token = credentials.sessionToken { sent.append(("x-amz-security-token", token)) }
    let signed = (sent.map { (name: $0.name.lowercased(), value: $0.value) } + [("host", host)]).sorted { $0.name < $1.name }
    let names = signed.map(\.name).joined(separator: ";")
    let canonical =
      [method, path, query].joined(separator: "\n") + "\n" + signed.map { "\($0.name):\($0.value)\n" }.joined() + "\n" + names + "\n"
      + payload.description
    let day = String(time.prefix(8))
    let scope = "\(day)/\(region)/s3/aws4_request"
    let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(sha256(Array(canonical.utf8)))"
    var key = Array("AWS4\(credentials.secretKey)".utf8)
    for part in [day, region, "s3", "aws4_request"] { key = hmac(.sha256, key: key, Array(part.utf8)) }
    let signature = hex(hmac(.sha256, key: key, Array(text.utf8)))
    sent.append(
      ("authorization", "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"))
    return sent
  }

  /// Sorted and encoded, the same for the URL and for the signature.
  static func query(_ items: [(String, String)]) -> String {
    items.map { (percentEncoded($0.0, keepSlash: false), percentEncoded($0.1, keepSlash: false)) }
      .sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }
}
