public import Host
public import Model

/// A place off this machine where bundles lie. Names are relative, such as `ID/snapshot.db.zst.age` (`StoreName`).
///
/// One contract for all: a `put` that returns has put the whole object under its name; one that throws has left what was
/// there, or says otherwise. What a network loses is tried again inside; what can't pass is thrown at once. Nothing here
/// says that the bytes arrived right: only `readBack` does.
public protocol Store: Sendable {
  /// For people and records: without secrets.
  var url: String { get }
  var abilities: StoreAbilities { get }

  func put(_ name: String, _ source: UploadSource, _ transfer: Transfer) throws(Failure) -> Receipt
  /// Gives the object's bytes from `offset` to the end. A missing object is a failure.
  func get(_ name: String, from offset: Int64, _ transfer: Transfer, into sink: @escaping ByteSink) throws(Failure)
  /// Nil where there is no such object.
  func head(_ name: String) throws(Failure) -> StoredObject?
  /// Everything below a directory (`ID/`) or below the store (empty), sorted by name. A missing directory is empty.
  func list(_ prefix: String) throws(Failure) -> [StoredObject]
  /// Says nothing where it is gone already.
  func delete(_ name: String) throws(Failure)
}

public typealias ByteSink = (UnsafeRawBufferPointer) throws(Failure) -> Void

/// What a store's protocol can do beyond putting and getting.
public struct StoreAbilities: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// It can say what it holds: without, retention and finding bundles work from this machine's catalogue only.
  public static let list = StoreAbilities(rawValue: 1)
  public static let delete = StoreAbilities(rawValue: 2)
  /// No one ever sees half an object under its name.
  public static let atomicPut = StoreAbilities(rawValue: 4)
  /// An upload goes on while its bytes are still being made, without a file in between.
  public static let streaming = StoreAbilities(rawValue: 8)

  public static let all: StoreAbilities = [.list, .delete, .atomicPut, .streaming]
}

/// Who watches a transfer, and who may stop it.
public struct Transfer {
  public var stop: StopSignal?
  public var progress: (Progress) -> Void
  /// Told what begins: each file is sent, and read back.
  public var phase: (String) -> Void

  public init(
    stop: StopSignal? = nil, progress: @escaping (Progress) -> Void = { _ in }, phase: @escaping (String) -> Void = { _ in }
  ) {
    self.stop = stop
    self.progress = progress
    self.phase = phase
  }

  func check(_ what: String) throws(Failure) {
    if stop?.isNow == true { throw Self.stopped(what) }
  }

  static func endedEarly(_ what: String) -> Failure {
    Failure(what: what, why: "the server ended the transfer before all was sent", next: "run the same command again", isTransient: true)
  }

  static func stopped(_ what: String) -> Failure {
    Failure(.interrupted, what: what, why: "it was stopped", next: "run `kguard resume` to go on")
  }
}

/// What a store knows about an object.
public struct StoredObject: Sendable, Equatable {
  public var name: String
  public var size: Int64
  public var modified: Timestamp?
  /// A digest of the whole object that the server keeps, where it does.
  public var sha256: Digest?
  public var etag: String?
}

/// What was sent, as this machine counted and hashed it.
public struct Receipt: Sendable, Equatable {
  public let name: String
  public let size: Int64
  public let sha256: Digest
  public var etag: String?

  public init(name: String, size: Int64, sha256: Digest, etag: String? = nil) {
    self.name = name
    self.size = size
    self.sha256 = sha256
    self.etag = etag
  }

  public var json: JSON {
    ["name": .string(name), "size": .int(size), "sha256": .string(sha256.description), "etag": JSON(etag)]
  }

  public init?(json: JSON?) {
    guard let name = json?["name"]?.string, let size = json?["size"]?.int, size >= 0,
      let digest = json?["sha256"]?.string.flatMap({ Digest(hex: $0) })
    else { return nil }
    self.init(name: name, size: size, sha256: digest, etag: json?["etag"]?.string)
  }
}

/// Names that every store can carry unchanged: letters, digits and `. _ -`, in parts with `/` between them. No part begins
/// with a dot or a dash, and none ends in `.part`, which is what unfinished files are called.
public enum StoreName {
  public static func check(_ name: String) throws(Failure) {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard name.utf8.count <= 512, parts.allSatisfy({ isPart($0) }), !name.hasSuffix(".part") else {
      throw Failure(
        .usage, what: "cannot use the name \(JSON.string(name).text()) off-site",
        why: "only letters, digits and . _ - in parts of at most 200 characters go everywhere", next: "use another name")
    }
  }

  static func isPart(_ part: Substring) -> Bool {
    guard let first = part.utf8.first, part.utf8.count <= 200 else { return false }
    return first != UInt8(ascii: ".") && first != UInt8(ascii: "-") && part.utf8.allSatisfy(isPlain)
  }

  /// An empty prefix, or a directory with its slash.
  static func check(prefix: String) throws(Failure) {
    if prefix.isEmpty { return }
    guard prefix.hasSuffix("/") else {
      throw Failure(.usage, what: "cannot list \(prefix)", why: "a directory's name ends in `/`", next: "add the slash")
    }
    try check(String(prefix.dropLast()))
  }

  /// What a listing may give: others' files beside ours, and what is still being sent, are not ours to see.
  static func isOurs(_ name: String) -> Bool {
    name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { isPart($0) } && !name.hasSuffix(".part")
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

extension Store {
  func missing(_ name: String) -> Failure {
    Failure(
      what: "cannot get \(name) from \(url)", why: "there is no such object",
      next: "see what is there with `kguard bundle list --offsite`")
  }
}
