internal import Host
internal import Model

/// A download that goes on where it was cut. `fetch` asks for the bytes from a place on and reports where the server really
/// began; bytes that were delivered before are skipped.
struct Download {
  let policy: RetryPolicy
  let transfer: Transfer
  var total: Int64?

  func run(
    from offset: Int64, into sink: @escaping ByteSink,
    fetch: (_ from: Int64, _ deliver: @escaping (_ at: Int64, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure)
      -> RetryPolicy.Try<Void>
  ) throws(Failure) {
    var next = offset
    let (transfer, total) = (transfer, total)
    try policy.run(transfer.stop) { () throws(Failure) -> RetryPolicy.Try<Void> in
      let before = next
      do throws(Failure) {
        return try fetch(next) { (at, bytes) throws(Failure) in
          let skip = next - at
          guard skip >= 0 else {
            throw Failure(
              what: "cannot go on with a download", why: "the server began behind the place that was asked for",
              next: "run the same command again")
          }
          guard skip < Int64(bytes.count) else { return }
          let fresh = UnsafeRawBufferPointer(rebasing: bytes[Int(skip)...])
          try sink(fresh)
          next += Int64(fresh.count)
          transfer.progress(Progress(done: next, total: total))
        }
      } catch {
        if error.isTransient && next > before { return .further(error) }
        throw error
      }
    }
  }
}

extension HTTPClient {
  /// Where in the object the arriving body begins. Some servers answer a range with status 200, so the header decides.
  var answerStart: Int64 {
    guard let range = header("content-range"), range.hasPrefix("bytes ") else { return 0 }
    return Int64(range.dropFirst(6).prefix { $0 != "-" }) ?? 0
  }
}
