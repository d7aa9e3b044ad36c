internal import Host
internal import Model
internal import Synchronization

extension S3Store {
  /// What fits in one part is sent as one; the rest goes in parts, several at a time, while the next are being made.
  func put(_ name: String, _ source: UploadSource, _ transfer: Transfer) throws(Failure) -> Receipt {
    try StoreName.check(name)
    let size = partSize(atMost: source.atMost)
    if source.atMost <= Int64(size) { return try putWhole(name, source, transfer) }
    return try S3Multipart(store: self, name: name, transfer: transfer, partSize: size).run(source)
  }

  /// At most 10,000 parts, all of one size, since not every server takes parts that differ.
  func partSize(atMost: Int64) -> Int {
    let mebibyte: Int64 = 1 << 20
    let needed = atMost / 10_000 + 1
    return max(settings.smallestPart, Int(clamping: (needed + mebibyte - 1) / mebibyte * mebibyte))
  }

  private func putWhole(_ name: String, _ source: UploadSource, _ transfer: Transfer) throws(Failure) -> Receipt {
    var body: [UInt8] = []
    let (size, digest) = try source.run { (bytes) throws(Failure) in
      guard body.count + bytes.count <= 1 << 30 else { return }
      body.append(contentsOf: bytes)
    }
    return try putWhole(name, body, size: size, digest: digest, transfer)
  }

  func putWhole(_ name: String, _ body: [UInt8], size: Int64, digest: Digest, _ transfer: Transfer) throws(Failure) -> Receipt {
    var call = Call(method: "PUT", name: name, body: body, digest: digest, what: "cannot send \(name) to \(url)")
    if settings.checksums { call.headers.append(("x-amz-checksum-sha256", base64(digest.bytes))) }
    let answer = try perform(try HTTPClient(stop: transfer.stop), call, transfer.stop)
    transfer.progress(Progress(done: size, total: size))
    return Receipt(name: name, size: size, sha256: digest, etag: answer["etag"])
  }
}

/// One multipart upload of one object.
struct S3Multipart {
  let store: S3Store
  let name: String
  let transfer: Transfer
  let partSize: Int

  private struct Part: Sendable { var number: Int, etag: String, sha256: Digest }

  /// What the senders share.
  private final class Shared: Sendable {
    let parts = Mutex<[Part]>([])
    let sent = Mutex<Int64>(0)
  }

  private var what: String { "cannot send \(name) to \(store.url)" }

  func run(_ source: UploadSource) throws(Failure) -> Receipt {
    let client = try HTTPClient(stop: transfer.stop)
    try abortStale(client)
    let upload = try begin(client)
    do throws(Failure) {
      try failpoint("store.s3.begun")
      let (made, parts) = try send(source, upload)
      try failpoint("store.s3.before-complete")
      let etag = try complete(client, upload, parts, size: made.size)
      return Receipt(name: name, size: made.size, sha256: made.sha256, etag: etag)
    } catch {
      // Also after a stop, so with a client of its own that does not heed it. What stays is found at the next try.
      if let other = try? HTTPClient() { try? abort(other, upload) }
      throw error
    }
  }

  private func send(_ source: UploadSource, _ upload: String) throws(Failure) -> ((size: Int64, sha256: Digest), [Part]) {
    let queue = try BlockQueue(blocks: store.settings.senders + 1, of: partSize)
    let shared = Shared()
    let workers = Workers()
    let (store, name, stop) = (store, name, transfer.stop)
    var made: (size: Int64, sha256: Digest) = (0, .zero)
    do throws(Failure) {
      for _ in 0..<store.settings.senders {
        try workers.start {
          do throws(Failure) {
            let client = try HTTPClient(stop: stop)
            while let block = try queue.take() {
              let count = Int64(block.bytes.count)
              let part = try Self.sendPart(store, client, name, upload, block, stop)
              shared.parts.withLock { $0.append(part) }
              shared.sent.withLock { $0 += count }
              queue.giveBack(block.bytes)
            }
          } catch {
            queue.fail(error)
          }
        }
      }
      let filler = BlockFiller(queue)
      made = try source.run { (bytes) throws(Failure) in
        try transfer.check(what)
        try filler.write(bytes)
        transfer.progress(Progress(done: shared.sent.withLock { $0 }, total: source.size))
      }
      try filler.finish()
    } catch {
      queue.fail(error)
    }
    workers.join()
    if let failure = queue.failure { throw failure }
    transfer.progress(Progress(done: made.size, total: made.size))
    var parts = shared.parts.withLock { $0.sorted { $0.number < $1.number } }
    if parts.isEmpty {
      // A multipart upload has at least one part, even of nothing.
      let nothing = BlockQueue.Block(index: 0, bytes: [])
      parts = [try Self.sendPart(store, try HTTPClient(stop: stop), name, upload, nothing, stop)]
    }
    return (made, parts)
  }

  private static func sendPart(
    _ store: S3Store, _ client: HTTPClient, _ name: String, _ upload: String, _ block: BlockQueue.Block, _ stop: StopSignal?
  ) throws(Failure) -> Part {
    let digest = sha256(block.bytes)
    let number = block.index + 1
    var call = S3Store.Call(
      method: "PUT", name: name, query: [("partNumber", "\(number)"), ("uploadId", upload)], body: block.bytes, digest: digest,
      what: "cannot send \(name) to \(store.url)")
    let encoded = base64(digest.bytes)
    if store.settings.checksums { call.headers.append(("x-amz-checksum-sha256", encoded)) }
    let answer = try store.perform(client, call, stop)
    guard let etag = answer["etag"], !etag.isEmpty else {
      throw Failure(what: call.what, why: "the server took part \(number) without an ETag", next: "check the endpoint: is it S3?")
    }
    if let kept = answer["x-amz-checksum-sha256"], kept != encoded {
      throw Failure(
        .verification, what: call.what, why: "the server says that part \(number) has another SHA-256", next: "run the same command again",
        isTransient: true)
    }
    return Part(number: number, etag: etag, sha256: digest)
  }

  // MARK: - Begin, complete, abort

  private func begin(_ client: HTTPClient) throws(Failure) -> String {
    var call = S3Store.Call(method: "POST", name: name, query: [("uploads", "")], body: [], what: what)
    if store.settings.checksums { call.headers.append(("x-amz-checksum-algorithm", "SHA256")) }
    let root = try XMLParser.parse(try store.perform(client, call, transfer.stop).body)
    // Not every server calls its root element as AWS does.
    guard root.name != "Error", let id = root["UploadId"]?.text, !id.isEmpty else {
      throw Failure(what: what, why: "the server began no multipart upload", next: "check the endpoint: is it S3?")
    }
    return id
  }

  /// The server may answer with status 200 long before it knows, and put the error in the body.
  private func complete(_ client: HTTPClient, _ upload: String, _ parts: [Part], size: Int64) throws(Failure) -> String? {
    var body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    for part in parts {
      body += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(xmlEscaped(part.etag))</ETag>"
      if store.settings.checksums { body += "<ChecksumSHA256>\(base64(part.sha256.bytes))</ChecksumSHA256>" }
      body += "</Part>"
    }
    body += "</CompleteMultipartUpload>"
    var call = S3Store.Call(method: "POST", name: name, query: [("uploadId", upload)], body: Array(body.utf8), what: what)
    call.headers.append(("content-type", "application/xml"))
    call.stall = .seconds(600)
    var tries = 0
    return try store.retry.run(transfer.stop) { () throws(Failure) -> RetryPolicy.Try<String?> in
      tries += 1
      let answer = try store.exchange(client, call)
      let root = answer.body.isEmpty ? nil : try? XMLParser.parse(answer.body)
      if answer.status == 200, let root, root.name.hasPrefix("CompleteMultipartUpload") { return .done(root["ETag"]?.text) }
      let error = root.flatMap { S3Error($0) }
      // An earlier try whose answer was lost may have completed it.
      if tries > 1, error?.code == "NoSuchUpload", let there = try store.head(name), there.size == size { return .done(there.etag) }
      if answer.status == 200 && error == nil {
        return .again(
          Failure(what: what, why: "the server did not say that the upload is complete", next: "try again later", isTransient: true))
      }
      let failure = S3Refusal(store: store, what: what, answer: answer, error: error).failure
      guard failure.isTransient else { throw failure }
      return .again(failure, after: answer["retry-after"].flatMap { Int64($0) }.map { .seconds(min(max($0, 0), 3600)) })
    }
  }

  private func abort(_ client: HTTPClient, _ upload: String) throws(Failure) {
    let call = S3Store.Call(
      method: "DELETE", name: name, query: [("uploadId", upload)], stall: .seconds(10), what: "cannot abort the upload of \(name)")
    _ = try store.exchange(client, call)
  }

  /// Parts that a crashed try left behind cost money and are seen by no one. Only uploads of this very name are ours. A server
  /// that forbids or does not know the listing is let be.
  private func abortStale(_ client: HTTPClient) throws(Failure) {
    let key = store.settings.prefix + name
    let call = S3Store.Call(method: "GET", query: [("uploads", ""), ("prefix", key)], what: what)
    let answer = try store.perform(client, call, transfer.stop, also: [400, 403, 404, 405, 501])
    guard answer.status == 200, let root = try? XMLParser.parse(answer.body) else { return }
    for upload in root.all("Upload") where upload["Key"]?.text == key {
      if let id = upload["UploadId"]?.text, !id.isEmpty { try abort(client, id) }
    }
  }
}
