internal import Host
public import Model

/// Proof that an object off-site is byte for byte what was sent. Only `readBack` makes one.
public struct ReadBackProof: Sendable, Equatable {
  public let store: String
  public let name: String
  public let size: Int64
  public let sha256: Digest
  public let at: Timestamp

  public var json: JSON {
    [
      "store": .string(store), "name": .string(name), "size": .int(size), "sha256": .string(sha256.description),
      "at": .string(at.description),
    ]
  }
}

extension Store {
  /// Downloads the object and compares size and digest. `tap` is asked for a sink at every try: what it gets may later turn out
  /// to be wrong, and is right only when this returns. What a sink throws counts only where the bytes are those that were sent.
  public func readBack(
    _ name: String, expecting receipt: Receipt, _ transfer: Transfer = Transfer(), retry: RetryPolicy = RetryPolicy(attempts: 3),
    tap: (() throws(Failure) -> ByteSink)? = nil
  ) throws(Failure) -> ReadBackProof {
    // A server that is eventually consistent may show the old object for a moment; the same difference again is the truth.
    try retry.run(transfer.stop) { () throws(Failure) -> RetryPolicy.Try<ReadBackProof> in
      let got = RunningDigest()
      let further = try tap?()
      var refused: Failure?
      let why: String
      do throws(Failure) {
        try get(name, from: 0, transfer) { (bytes) throws(Failure) in
          guard got.size + Int64(bytes.count) <= receipt.size else {
            throw Failure(.verification, what: "", why: "it has more than the \(receipt.size) bytes that were sent", next: "")
          }
          got.update(bytes)
          guard refused == nil, let further else { return }
          do throws(Failure) { try further(bytes) } catch { refused = error }
        }
        let (size, sha256) = got.finish()
        if size == receipt.size && sha256 == receipt.sha256 {
          if let refused { throw refused }
          return .done(ReadBackProof(store: url, name: name, size: size, sha256: sha256, at: wallClock()))
        }
        why =
          size == receipt.size
          ? "sha256 is \(sha256), expected \(receipt.sha256)" : "it has \(size) bytes, expected \(receipt.size)"
      } catch {
        guard error.exit == .verification, error.what.isEmpty else { throw error }
        why = error.why
      }
      return .again(
        Failure(
          .verification, what: "the off-site copy of \(name) in \(url) differs", why: why,
          next: "the local bundle is intact: send it again with `kguard bundle copy`; if it differs again, do not trust this store"))
    }
  }

  /// Shows that the store can be written and read now: puts a small object, reads it back, deletes it. With recipients it is sealed, and
  /// opened where there are identities too. The evidence says what was done and how long it took.
  public func probe(
    _ transfer: Transfer = Transfer(), recipients: [AgeRecipient] = [], identities: [AgeIdentity] = []
  ) throws(Failure) -> JSON {
    let name = abilities.contains(.delete) ? "kguard-probe-\(hex(randomBytes(8)))" : "kguard-probe"
    let start = monotonicNow()
    let text = Array("kguard wrote this to see whether it may: \(wallClock()) \(hex(randomBytes(16)))\n".utf8)
    var sealed: [UInt8] = []
    if recipients.isEmpty {
      sealed = text
    } else {
      let sealer = try Sealer(recipients: recipients, workers: 0) { (bytes) throws(Failure) in sealed += bytes }
      try text.withBytes { (raw) throws(Failure) in try sealer.write(raw) }
      _ = try sealer.finish()
    }
    let opens = !recipients.isEmpty && !identities.isEmpty
    let receipt = try put(name, .bytes(sealed), transfer)
    do throws(Failure) {
      let opening = OpeningTap(identities)
      _ = try readBack(name, expecting: receipt, transfer, tap: opens ? { () throws(Failure) in try opening.start() } : nil)
      if opens, try opening.finish() != sha256(text) {
        throw Failure(
          .verification, what: "\(name) in \(url) does not open to what was sealed", why: "its sha256 differs",
          next: "look for a fault of this machine's memory")
      }
    } catch {
      if abilities.contains(.delete) { try? delete(name) }
      throw error.opening("\(name) in \(url)")
    }
    if abilities.contains(.delete) { try delete(name) }
    return [
      "url": .string(url), "wrote": true, "readBack": true, "opened": .bool(opens), "deleted": .bool(abilities.contains(.delete)),
      "milliseconds": .int((monotonicNow() - start).milliseconds),
    ]
  }
}
