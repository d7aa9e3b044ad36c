internal import Glibc
internal import Host
internal import Model

/// An etcd of kguard's own on a copy of restored data. It listens on socket files in a directory that only root may enter: a port on
/// loopback would hand every secret of the cluster to every user of the machine.
struct ScratchEtcd {
  let client: EtcdClient
  private let process: OwnProcess
  private let directory: String

  /// Boots it and waits until it answers a linearizable read. A member of several starts as the only one, of the copy.
  static func boot(_ server: EtcdTool, _ plan: StagingPlan, _ membership: RestoreMembership, stop: StopSignal?) throws(Failure)
    -> ScratchEtcd
  {
    let directory = plan.scratch
    let data = directory + "/data"
    let size = try Files.sizeOfTree(data)
    var argv = [
      server.path, "--name=" + membership.name, "--data-dir=" + data, "--listen-client-urls=unix://client:0",
      "--advertise-client-urls=unix://client:0", "--listen-peer-urls=unix://peer:0", "--heartbeat-interval=10", "--election-timeout=100",
      "--quota-backend-bytes=\(max(8 << 30, size.multipliedReportingOverflow(by: 2).partialValue))", "--logger=zap", "--log-level=warn",
    ]
    if plan.stagedWAL != nil { argv.append("--wal-dir=" + directory + "/wal") }
    if membership.memberCount > 1 { argv.append("--force-new-cluster") }
    try failpoint("etcd-drill.boot")
    let process = try OwnProcess.start(argv, directory: directory, log: directory + "/etcd.log")
    do throws(Failure) {
      // A socket's path may have 107 bytes, and this one can be longer.
      let short = try ShortDirectory(directory)
      let endpoint = EtcdEndpoint("http://localhost", unixSocket: short.path + "/client:0")
      let client = try EtcdClient(endpoint, timeout: .seconds(30), stop: stop)
      let scratch = ScratchEtcd(client: client, process: process, directory: directory, short: short)
      try scratch.waitUntilHealthy(within: EtcdClient.timeLimit(forSize: size), stop: stop)
      return scratch
    } catch {
      process.stop()
      throw error
    }
  }

  private let short: ShortDirectory

  private init(client: EtcdClient, process: OwnProcess, directory: String, short: ShortDirectory) {
    self.client = client
    self.process = process
    self.directory = directory
    self.short = short
  }

  private func waitUntilHealthy(within limit: Duration, stop: StopSignal?) throws(Failure) {
    let what = "cannot boot etcd on the restored data"
    let end = monotonicNow() + limit
    let pause = stop ?? StopSignal()
    var last = "it does not answer"
    while monotonicNow() < end {
      guard process.isAlive else {
        throw Failure(
          .verification, what: what, why: "etcd ended: \(process.lastWords)", next: "the snapshot does not restore: take another")
      }
      do throws(Failure) {
        _ = try client.catchUp()
        return
      } catch { last = error.why }
      guard pause.sleep(.milliseconds(50), until: .now) else {
        throw Failure(.interrupted, what: what, why: "it was stopped", next: "run `kguard resume` to go on")
      }
    }
    throw Failure(
      .verification, what: what, why: "it is not healthy after \(limit.forPeople): \(last)", next: "look at its disk and its log")
  }

  func stop() { process.stop() }
}

/// Another, short path of a directory, while this lives.
private final class ShortDirectory {
  private let open: OpenFile
  var path: String { "/proc/self/fd/\(open.descriptor)" }

  init(_ directory: String) throws(Failure) { open = try OpenFile(directory, O_RDONLY | O_DIRECTORY) }
}
