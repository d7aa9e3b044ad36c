internal import COpenSSL
internal import Host
internal import Model
internal import Synchronization

/// Key material. Its memory is wiped when the last holder lets go, and nothing prints it.
final class Secret: Sendable, CustomStringConvertible, CustomReflectable {
  private let bytes: Mutex<[UInt8]>

  /// Takes the only copy: whoever passes an array it keeps has a copy that nobody wipes.
  init(_ bytes: consuming [UInt8]) { self.bytes = Mutex(bytes) }

  deinit { bytes.withLock { wipe(&$0) } }

  /// The bytes are not to be kept beyond the call.
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> R) throws(Failure) -> R {
    let held = bytes.withLock { $0 }
    return try held.withBytes(body)
  }

  var description: String { "(secret)" }
  var customMirror: Mirror { Mirror(self, children: []) }
}

/// Overwrites the array's memory where no other array shares it, in a way that the optimizer must keep.
func wipe(_ bytes: inout [UInt8]) {
  bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
}
