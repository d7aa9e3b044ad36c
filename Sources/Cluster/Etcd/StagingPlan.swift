public import Host
public import Model

/// Where a restore is staged so that a rollback is only a rename.
///
/// The staged directory stands beside the data directory, on the same filesystem. Where the data directory is a mount point it cannot
/// be renamed and its neighbours are on another filesystem: then the staged directory stands *in* it (etcd ignores it, with a warning in
/// its log), and the rollback moves `member/`. A write-ahead log with a directory of its own is staged beside that, and where it is a
/// mount point in it: then the rollback moves the log's files. A symbolic link is followed first: what it points to is swapped, the link
/// stays.
public struct StagingPlan: Sendable, Equatable {
  public enum Swap: String, Sendable {
    /// The whole directory is renamed.
    case rename
    /// The directory stays and its `member` is moved.
    case moveMember = "move-member"
  }

  public let id: String
  /// The data directory with links followed, where it really is on this machine.
  public let live: String
  public let staged: String
  /// Nil where the write-ahead log lies in the data directory, as usual.
  public let liveWAL: String?
  public let stagedWAL: String?
  public let swap: Swap
  /// Whose the staged files become: the data directory's owner.
  public let owner: UInt32
  public let group: UInt32

  /// Says what is staged, and that it is whole: it is beside the staged directory and is written last.
  public var marker: String { staged + ".json" }
  var log: String { staged + ".log" }
  /// For the server of the drill; removed with all that is in it.
  var scratch: String { staged + ".scratch" }

  static let infix = "kguard-staged-"
  /// As the journal calls a staged directory.
  static let artifactKind = "staged"

  /// `id` is the run's or the bundle's; the same id names the same directory again.
  public static func make(
    _ machine: any Machine, dataDirectory: String, walDirectory: String? = nil, id: String
  ) throws(Failure) -> StagingPlan {
    let (live, info) = try real(machine, dataDirectory)
    let wal = try walDirectory.map { (path) throws(Failure) in try real(machine, path).0 }
    let (isMount, isLogMount) = (try Files.isMountPoint(live), try wal.map(Files.isMountPoint) ?? false)
    for point in try Files.mountPoints(below: live) where point != wal || point.hasPrefix(live + "/member/") {
      // A directory that is renamed takes what is mounted in it along, and the restored one would have nothing mounted there.
      throw Failure(
        .preflightRefused, what: "cannot stage a restore for \(dataDirectory)", why: "another filesystem is mounted in it at \(point)",
        next: "give etcd's log a directory of its own outside of it, with --wal-dir, or make them one filesystem")
    }
    let isLogInside = wal?.hasPrefix(live + "/") ?? false
    let swap: Swap = isMount || (isLogInside && isLogMount) ? .moveMember : .rename
    let staged = (isMount ? live + "/" : live + ".") + infix + id
    var stagedWAL: String?
    if let wal {
      // Inside of what is moved, it comes along.
      let moved = swap == .rename ? live + "/" : live + "/member/"
      let own = (isLogMount ? wal + "/" : wal + ".") + infix + id
      stagedWAL = wal.hasPrefix(moved) && !isLogMount ? staged + wal.dropFirst(live.count) : own
    }
    return StagingPlan(
      id: id, live: live, staged: staged, liveWAL: wal, stagedWAL: stagedWAL, swap: swap, owner: info.owner, group: info.group)
  }

  /// Throws where what the plan would rename is, or holds, a mount point by now: that would be found out with the control plane down.
  func requireMovable() throws(Failure) {
    var moved = [swap == .rename ? live : live + "/member"]
    if let liveWAL, swapsLog, !movesLogFiles { moved.append(liveWAL) }
    for path in moved {
      let points = try Files.isMountPoint(path) ? [path] : Files.mountPoints(below: path)
      guard let point = points.first(where: { $0 != (movesLogFiles ? liveWAL : nil) }) else { continue }
      throw Failure(
        .needsOperator, what: "cannot put etcd's data back", why: "a filesystem is mounted at \(point), which was not so at the drill",
        next: "mount it as it was, then run `kguard resume`; nothing was stopped")
    }
  }

  /// The write-ahead log is exchanged by itself: it does not lie in what is moved.
  var swapsLog: Bool { stagedWAL.map { !$0.hasPrefix(staged + "/") } ?? false }

  /// The log's directory is a mount point: its files move, and it stays.
  var movesLogFiles: Bool {
    guard let liveWAL, let stagedWAL else { return false }
    return stagedWAL.hasPrefix(liveWAL + "/")
  }

  /// For a machine that is no member: in any directory, for a drill only.
  public static func loose(in directory: String, id: String) throws(Failure) -> StagingPlan {
    guard let real = Files.real(directory), let info = try Files.info(real) else {
      throw Failure(.usage, what: "cannot stage a restore in \(directory)", why: "it does not exist", next: "make it, or name another")
    }
    return StagingPlan(
      id: id, live: real + "/etcd", staged: "\(real)/etcd.\(infix)\(id)", liveWAL: nil, stagedWAL: nil, swap: .rename,
      owner: info.owner, group: info.group)
  }

  private static func real(_ machine: any Machine, _ path: String) throws(Failure) -> (String, FileInfo) {
    guard let real = Files.real(machine.locate(path)), let info = try Files.info(real) else {
      throw Failure(
        what: "cannot stage a restore for \(path)", why: "it does not exist",
        next: "check the --data-dir of etcd's manifest, or run the drill with a directory of its own")
    }
    return (real, info)
  }

  /// The directory that holds staged directories and markers.
  var parent: String { Files.directory(of: staged) }

  public var json: JSON {
    var json: JSON = [
      "id": .string(id), "live": .string(live), "staged": .string(staged), "swap": .string(swap.rawValue),
      "owner": .int(Int64(owner)), "group": .int(Int64(group)),
    ]
    if let liveWAL, let stagedWAL {
      json["liveWAL"] = .string(liveWAL)
      json["stagedWAL"] = .string(stagedWAL)
    }
    return json
  }

  public init?(json: JSON?) {
    guard let json, let id = json["id"]?.string, let live = json["live"]?.string, let staged = json["staged"]?.string,
      let swap = json["swap"]?.string.flatMap(Swap.init(rawValue:)), let owner = json["owner"]?.int, let group = json["group"]?.int,
      Files.name(of: staged).contains(Self.infix)
    else { return nil }
    self.init(
      id: id, live: live, staged: staged, liveWAL: json["liveWAL"]?.string, stagedWAL: json["stagedWAL"]?.string, swap: swap,
      owner: UInt32(clamping: owner), group: UInt32(clamping: group))
  }

  private init(
    id: String, live: String, staged: String, liveWAL: String?, stagedWAL: String?, swap: Swap, owner: UInt32, group: UInt32
  ) {
    self.id = id
    self.live = live
    self.staged = staged
    self.liveWAL = liveWAL
    self.stagedWAL = stagedWAL
    self.swap = swap
    self.owner = owner
    self.group = group
  }
}
