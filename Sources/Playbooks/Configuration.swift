public import Model
public import YAML

/// What `/etc/kguard/config.yaml` says; every part has a default, but for where bundles go.
public struct Configuration: Sendable, Equatable {
  public static let usualPath = "/etc/kguard/config.yaml"

  public enum Packages: String, Sendable, CaseIterable { case auto, apt, dnf, none }
  public enum EtcdRestore: String, Sendable, CaseIterable { case auto, always, never }

  public enum Encryption: Sendable, Equatable {
    /// Nothing is said: whoever copies off-site has to ask.
    case undecided
    /// `none`: copies in the clear are wanted.
    case none
    case age(recipients: [String], identity: String?)
  }

  public struct Retention: Sendable, Equatable {
    public var keepLast = 3
    public var keepDaily = 7
    public var keepWeekly = 4
    public var keepMonthly = 6
  }

  /// Overrides of what etcd's manifest says; nil and empty are "as the manifest says".
  public struct Etcd: Sendable, Equatable {
    public var endpoints: [String] = []
    public var caFile: String?
    public var certFile: String?
    public var keyFile: String?
    public var dataDir: String?
    public var manifest: String?
    public var tool: String?
    public var restore = EtcdRestore.auto
  }

  public struct Health: Sendable, Equatable {
    public var soak = Duration.seconds(60)
    public var timeout = Duration.seconds(600)
    public var interval = Duration.seconds(2)
  }

  public var offsite: [OffsiteTarget] = []
  public var encryption = Encryption.undecided
  public var retention = Retention()
  public var packages = Packages.auto
  public var etcd = Etcd()
  public var health = Health()
  public var notify: [Notification] = []
  /// The directory for metrics; nil: none are written.
  public var metricsTextfile: String?
  /// `values:`, free for playbooks.
  public var values: JSON = [:]
  /// The file that it was read from; nil for the defaults.
  public var file: String?

  /// What is in force where there is no file.
  public init() {}
}

/// One place that bundles are copied to.
public struct OffsiteTarget: Sendable, Equatable {
  public let url: String
  /// False: a copy that fails is reported, and the run goes on.
  public let isRequired: Bool
  public let options: [TargetOption: String]
  public let position: Position

  init(url: String, isRequired: Bool, options: [TargetOption: String], position: Position) {
    self.url = url
    self.isRequired = isRequired
    self.options = options
    self.position = position
  }

  /// A target that is named on the command line, looked at as one in the configuration is.
  public init(parsing url: String) throws(Failure) {
    let position = Position(line: 1, column: 1)
    var problems = Problems(file: "target", text: url)
    Shape.text(.url).check(Node(.scalar(url, isPlain: false), at: position), "it", &problems)
    if let mistake = problems.mistakes.first {
      throw Failure(.usage, what: "cannot use the off-site target", why: mistake.message, next: "correct the URL")
    }
    self.init(url: url, isRequired: true, options: [:], position: position)
  }

  public subscript(option: TargetOption) -> String? { options[option] }

  /// `part-size` in bytes.
  public var partSize: Int64? { options[.partSize].flatMap(TargetOption.bytes) }
  public var parallel: Int? { options[.parallel].flatMap { Int($0) } }
  public var usesPathStyle: Bool? { options[.pathStyle].map { $0 == "true" } }

  /// `s3`, `sftp`, …; `ssh` for user@host:path.
  public var scheme: String { Self.scheme(of: url) }

  static func scheme(of url: String) -> String {
    let name = url.prefix { $0 != ":" }
    return url.dropFirst(name.count).hasPrefix("://") ? String(name) : "ssh"
  }
}

/// Someone who is told about runs.
public struct Notification: Sendable, Equatable {
  public enum Event: String, Sendable, CaseIterable { case start, success, failure, rollback }
  public enum Channel: Sendable, Equatable {
    case webhook(String)
    /// A file that holds the URL.
    case webhookFile(String)
    case command([String])
  }
  public let channel: Channel
  public let events: [Event]
  /// A file with a bearer token, for a webhook.
  public var tokenFile: String?
  /// The authority that signed the webhook's certificate; nil: those that this machine trusts.
  public var caFile: String?
}
