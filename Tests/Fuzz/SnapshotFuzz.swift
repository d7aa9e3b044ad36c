import Bundles
import Glibc
import Host
import Model

/// One input is one snapshot file. Its checksums are made to fit, so that what lies behind them is reached.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneSnapshot(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var bytes = Array(UnsafeBufferPointer(start: data, count: count))
  guard bytes.count >= 8192 else { return -1 }
  let body = bytes.count / 512 * 512
  bytes.removeSubrange(body...)
  for meta in [0, 4096] {
    let checksum = bytes[meta + 16..<meta + 72].reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(meta + 72..<meta + 80, with: $0) }
  }
  bytes += sha256(bytes).bytes
  do {
    try OpenFile(place, O_WRONLY | O_TRUNC).write(bytes)
    _ = try? verifySnapshot(place, withLiveDigest: true)
    let reader = try SnapshotReader(place)
    try reader.objects { object, _ throws(Failure) in _ = try? reader.object(object.key) }
    try diff(reader, reader) { _ in }
  } catch {}
  return 0
}

/// A file in memory.
private let place: String = {
  var template = Array("/dev/shm/kguard-fuzz-XXXXXX".utf8CString)
  close(mkstemp(&template))
  return String(cString: template)
}()
