internal import Host
internal import Model

/// `<Error><Code>…</Code><Message>…</Message></Error>`
struct S3Error {
  let code: String
  let message: String
  let region: String?

  /// Nil where the body is not such an answer, as with HEAD.
  init?(_ answer: HTTPResponse) {
    guard !answer.body.isEmpty, let root = try? XMLParser.parse(answer.body) else { return nil }
    self.init(root)
  }

  init?(_ root: XMLElement) {
    guard root.name == "Error", let code = root["Code"]?.text else { return nil }
    self.code = code
    message = root["Message"]?.text ?? ""
    region = root["Region"]?.text
  }
}

/// One page of `ListBucketResult`.
struct S3Listing {
  var objects: [StoredObject] = []
  var next: String?

  init(_ root: XMLElement) throws(Failure) {
    guard root.name == "ListBucketResult" else { throw Self.problem("it is a <\(root.name)>") }
    let isEncoded = root["EncodingType"]?.text == "url"
    for entry in root.all("Contents") {
      guard let key = entry["Key"]?.text, let name = isEncoded ? Self.decoded(key) : key,
        let size = entry["Size"].flatMap({ Int64($0.text) }), size >= 0
      else { throw Self.problem("an entry has no key or size") }
      objects.append(
        StoredObject(
          name: name, size: size, modified: entry["LastModified"].flatMap { Timestamp(isoDate: $0.text) }, etag: entry["ETag"]?.text))
    }
    if root["IsTruncated"]?.text == "true" {
      guard let token = root["NextContinuationToken"]?.text, !token.isEmpty else {
        throw Self.problem("it is cut, without a token to go on")
      }
      next = token
    }
  }

  /// A space comes as `+`, as in forms.
  private static func decoded(_ key: String) -> String? {
    percentDecoded(String(key.map { $0 == "+" ? " " : $0 }))
  }

  private static func problem(_ why: String) -> Failure {
    Failure(what: "cannot read the server's listing", why: why, next: "check the endpoint: does it speak S3, version 2 of listings?")
  }
}

/// An answer that is not a success, in words an operator can act on.
struct S3Refusal {
  let store: S3Store
  let what: String
  let answer: HTTPResponse
  var error: S3Error?

  init(store: S3Store, what: String, answer: HTTPResponse) {
    self.init(store: store, what: what, answer: answer, error: S3Error(answer))
  }

  init(store: S3Store, what: String, answer: HTTPResponse, error: S3Error?) {
    self.store = store
    self.what = what
    self.answer = answer
    self.error = error
  }

  private static let passing: Set<String> = [
    "SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "RequestTimeout", "ServiceUnavailable", "OperationAborted",
    "Throttling", "TooManyRequests", "XMinioServerNotInitialized", "TemporaryRedirect",
  ]
  private static let full: Set<String> = ["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded"]

  var failure: Failure {
    let origin = store.settings.credentials.origin
    switch error?.code {
    case "InvalidAccessKeyId": return final("check the credentials (\(origin)): the server does not know this access key")
    case "SignatureDoesNotMatch": return final("check the secret key (\(origin)) and the region `\(store.currentRegion())`")
    case "ExpiredToken", "TokenRefreshRequired", "InvalidToken":
      return final("the session token (\(origin)) is no longer good: get new credentials")
    case "RequestTimeTooSkewed", "RequestExpired": return final("set this machine's clock right (chrony, timedatectl)\(skew)")
    case "NoSuchBucket": return final("make the bucket `\(store.settings.bucket)`, or correct the URL")
    case "AuthorizationHeaderMalformed", "PermanentRedirect":
      return final("set the bucket's own `region` and `endpoint` (now `\(store.currentRegion())`)")
    case "EntityTooLarge": return final("the server takes no object of this size")
    case let code? where Self.full.contains(code): return noSpace
    case let code? where Self.passing.contains(code): return passing
    case "AccessDenied", "AllAccessDisabled": return denied
    default: break
    }
    switch answer.status {
    case 507: return noSpace
    case 408, 429, 500..<600: return answer.status == 501 ? final("this server does not know the request: check the endpoint") : passing
    case 401, 403: return denied
    case 404: return final("check bucket and endpoint")
    case 301, 307, 308: return final("set `endpoint` and `region` to the bucket's own; redirects are not followed")
    default: return final("check endpoint, region and bucket")
    }
  }

  private var why: String {
    guard let error else { return "the server answered with status \(answer.status)" }
    return "\(error.code): \(error.message) (status \(answer.status))"
  }

  private func final(_ next: String) -> Failure { Failure(what: what, why: why, next: next) }
  private var passing: Failure { Failure(what: what, why: why, next: "try again when the server is well", isTransient: true) }
  private var noSpace: Failure { final("the store is full: free space or raise its quota, or prune old bundles") }
  private var denied: Failure {
    final(
      "allow the access key (\(store.settings.credentials.origin)) s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket and "
        + "s3:AbortMultipartUpload on `\(store.settings.bucket)/\(store.settings.prefix)*`")
  }

  private var skew: String {
    guard let theirs = answer["date"].flatMap({ Timestamp(httpDate: $0) }) else { return "" }
    let difference = wallClock() - theirs
    return difference < .zero
      ? "; it is \((.zero - difference).forPeople) behind the server's" : "; it is \(difference.forPeople) ahead of the server's"
  }
}
