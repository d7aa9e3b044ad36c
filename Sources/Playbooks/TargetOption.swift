internal import Model

/// An option of an off-site target, as it is written in the configuration.
public enum TargetOption: String, Sendable, CaseIterable {
  case endpoint
  case region
  case pathStyle = "path-style"
  case storageClass = "storage-class"
  case partSize = "part-size"
  case parallel
  case credentialsFile = "credentials-file"
  case caFile = "ca-file"
  case identityFile = "identity-file"
  case knownHosts = "known-hosts"

  private static let web = ["https", "http"]
  private static let ssh = ["sftp", "scp", "rsync", "ssh"]

  /// The schemes of URLs that it is for.
  var schemes: [String] {
    switch self {
    case .endpoint, .region, .pathStyle, .storageClass, .partSize: ["s3"]
    case .parallel: ["s3"]
    case .credentialsFile, .caFile: ["s3"] + Self.web
    case .identityFile, .knownHosts: Self.ssh
    }
  }

  var shape: Shape {
    switch self {
    case .endpoint: .text(.webEndpoint)
    case .region, .storageClass: .text(.filled)
    case .pathStyle: .bool
    case .partSize: .text(.size)
    case .parallel: .int(1...64)
    case .credentialsFile, .identityFile: .text(.secretPath)
    case .caFile, .knownHosts: .text(.path)
    }
  }

  var description: String {
    switch self {
    case .endpoint: "s3: the server, such as https://minio.example:9000. Default: AWS."
    case .region: "s3: the region. Default: what the environment says, or us-east-1."
    case .pathStyle: "s3: the bucket in the path and not in the host name."
    case .storageClass: "s3: the storage class of new objects."
    case .partSize: "s3: the size of a part of an upload, 5MiB to 5GiB."
    case .parallel: "s3: how many parts travel at once, 1 to 64."
    case .credentialsFile: "s3, https: the file with the credentials; not readable by others."
    case .caFile: "s3, https: the CA that signed the server's certificate."
    case .identityFile: "ssh: the private key; not readable by others."
    case .knownHosts: "ssh: the file with the host keys."
    }
  }

  /// `16MiB` in bytes.
  static func bytes(_ text: String) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let scales: [Substring: Int64] = ["KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]
    guard let number = Int64(digits), let scale = scales[text.dropFirst(digits.count)] else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: scale)
    return overflow ? nil : bytes
  }
}
