internal import Model

/// An option of an off-site target, as it is written in the configuration.
public enum TargetOption: String, Sendable, CaseIterable {
  case endpoint
  case region
  case pathStyle = "path-style"
  case profile
  case checksums
  case partSize = "part-size"
  case parallel
  case credentialsFile = "credentials-file"
  case caFile = "ca-file"
  case keyFile = "key-file"
  case knownHosts = "known-hosts"
  case user
  case port
  case mountPoint = "mount-point"
  case sameDisk = "same-disk"

  private static let web = ["https", "http"]
  private static let ssh = ["sftp", "scp", "ssh"]

  /// The schemes of URLs that it is for.
  var schemes: [String] {
    switch self {
    case .endpoint, .region, .pathStyle, .profile, .checksums, .partSize, .parallel: ["s3"]
    case .credentialsFile: ["s3", "rsync"] + Self.web
    case .caFile: ["s3"] + Self.web
    case .keyFile, .knownHosts: Self.ssh
    case .user: ["rsync"] + Self.web
    case .port: ["ssh"]
    case .mountPoint, .sameDisk: ["file"]
    }
  }

  var shape: Shape {
    switch self {
    case .endpoint: .text(.webEndpoint)
    case .region, .profile, .user: .text(.filled)
    case .pathStyle, .checksums, .sameDisk: .bool
    case .partSize: .text(.size)
    case .parallel: .int(1...16)
    case .port: .int(1...65535)
    case .credentialsFile, .keyFile: .text(.secretPath)
    case .caFile, .knownHosts, .mountPoint: .text(.path)
    }
  }

  var description: String {
    switch self {
    case .endpoint: "s3: the server, such as https://minio.example:9000. Default: AWS."
    case .region: "s3: the region. Default: what the environment says, or us-east-1."
    case .pathStyle: "s3: the bucket in the path and not in the host name."
    case .profile: "s3: the profile of the shared credentials file."
    case .checksums: "s3: let the server check and keep a SHA-256 of each object; false for servers that refuse it."
    case .partSize: "s3: the size of a part of an upload, 5MiB to 512MiB."
    case .parallel: "s3: how many parts travel at once, 1 to 16."
    case .credentialsFile: "s3, https, rsync: the file with the credentials; not readable by others."
    case .caFile: "s3, https: the CA that signed the server's certificate."
    case .keyFile: "sftp, scp, ssh: the private key; not readable by others."
    case .knownHosts: "sftp, scp, ssh: the file with the host keys."
    case .user: "https, rsync: the user's name."
    case .port: "user@host:path: the port of ssh."
    case .mountPoint: "file: the mount that must be there, so that nothing is written beneath it."
    case .sameDisk:
      "file: true lets the directory lie on the filesystem of `/`, of kguard's state or of etcd's data, where a copy is lost with the node."
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
