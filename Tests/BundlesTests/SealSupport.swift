import Bundles
import Glibc
import Host
import Model

/// A directory of a test's own, removed with it.
final class SealDirectory: Sendable {
  let path: String
  init() {
    var template = Array("/tmp/kguard-seal-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }
  deinit { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path])) }

  func write(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(Failure) -> String {
    try Files.replace(path + "/" + name, with: bytes, mode: mode)
    return path + "/" + name
  }

  /// Runs a pipeline of Debian's own tools in the directory.
  func shell(_ script: String) throws(Failure) -> CommandResult {
    let command = Command(["sh", "-c", "set -e; cd \(path); " + script])
    return try runCaptured("/bin/sh", command, timeout: .seconds(120))
  }
}

/// Chance that a test can repeat (SplitMix64).
struct SeededChance: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

  /// Half of it chance, half of it repeated: compresses as real files do.
  mutating func document(_ count: Int) -> [UInt8] {
    var out: [UInt8] = []
    while out.count < count {
      out += bytes(40)
      out += Array("{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"default\"}}".utf8)
    }
    return Array(out.prefix(count))
  }
}

func sealed(_ plain: [UInt8], to recipients: [AgeRecipient], level: Int = 3, workers: Int = 1) throws(Failure) -> [UInt8] {
  var out: [UInt8] = []
  let sealer = try Sealer(recipients: recipients, level: level, workers: workers) { (bytes) throws(Failure) in out += bytes }
  try plain.withBytes { (raw) throws(Failure) in try sealer.write(raw) }
  _ = try sealer.finish()
  return out
}

/// Opens in pieces of `step` bytes, as a download would bring them.
func opened(_ sealed: [UInt8], with identities: [AgeIdentity], step: Int = 10_007) throws(Failure) -> [UInt8] {
  var out: [UInt8] = []
  let opener = try Opener(identities: identities, limit: 64 << 20) { (bytes) throws(Failure) in out += bytes }
  for at in stride(from: 0, to: sealed.count, by: step) {
    let piece = Array(sealed[at..<min(at + step, sealed.count)])
    try piece.withBytes { (raw) throws(Failure) in try opener.write(raw) }
  }
  let result = try opener.finish()
  guard result.plainSHA256 == sha256(out), result.sealedSHA256 == sha256(sealed), result.plainSize == out.count,
    result.sealedSize == sealed.count
  else { throw Failure(what: "the opener", why: "it counts wrong", next: "") }
  return out
}

func failure(_ body: () throws(Failure) -> Void) -> Failure? {
  do throws(Failure) {
    try body()
    return nil
  } catch { return error }
}
