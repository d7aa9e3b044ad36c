public import Model
internal import Synchronization

/// Bytes on their way from the thread that makes them to those that send them: a fixed number of blocks goes round, so
/// memory is bounded and the faster side waits. The first failure of either side ends both.
public final class BlockQueue: Sendable {
  public struct Block: Sendable {
    /// Counts from 0, in the order of the bytes.
    public let index: Int
    public var bytes: [UInt8]

    public init(index: Int, bytes: [UInt8]) {
      self.index = index
      self.bytes = bytes
    }
  }

  private struct State {
    var filled: [Block] = []
    var spare: [[UInt8]] = []
    var made = 0
    var isFinished = false
    var failure: Failure?
  }

  public let blockSize: Int
  private let state = Mutex(State())
  private let free: Semaphore
  private let ready: Semaphore

  public init(blocks: Int, of blockSize: Int) throws(Failure) {
    self.blockSize = blockSize
    free = try Semaphore(blocks)
    ready = try Semaphore(0)
  }

  /// An empty block to fill; waits until there is one.
  public func empty() throws(Failure) -> [UInt8] {
    free.wait()
    let (failure, spare) = state.withLock { ($0.failure, $0.spare.popLast()) }
    if let failure { throw failure }
    if let spare { return spare }
    var fresh: [UInt8] = []
    fresh.reserveCapacity(blockSize)
    return fresh
  }

  public func put(_ bytes: consuming [UInt8]) throws(Failure) {
    let failure = state.withLock { [bytes] state in
      state.filled.append(Block(index: state.made, bytes: bytes))
      state.made += 1
      return state.failure
    }
    ready.signal()
    if let failure { throw failure }
  }

  /// The next block; nil where all has been taken. Throws what the other side failed with.
  public func take() throws(Failure) -> Block? {
    ready.wait()
    let (failure, block) = state.withLock { state in
      (state.failure, state.filled.isEmpty || state.failure != nil ? nil : state.filled.removeFirst())
    }
    if let failure { throw failure }
    return block
  }

  /// A taken block has been dealt with; its memory is used again.
  public func giveBack(_ bytes: consuming [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    state.withLock { [bytes] in $0.spare.append(bytes) }
    free.signal()
  }

  /// No more blocks come.
  public func finish() {
    state.withLock { $0.isFinished = true }
    wakeAll()
  }

  /// Ends both sides with this failure, if it is the first.
  public func fail(_ failure: Failure) {
    state.withLock { if $0.failure == nil { $0.failure = failure } }
    wakeAll()
  }

  public var failure: Failure? { state.withLock { $0.failure } }

  private func wakeAll() {
    free.signal(1 << 32)
    ready.signal(1 << 32)
  }
}

/// Fills blocks with bytes that come in any sizes. The last block is passed on by `finish` only. Used on one thread.
public final class BlockFiller {
  private let queue: BlockQueue
  private var current: [UInt8] = []
  private var hasCurrent = false

  public init(_ queue: BlockQueue) { self.queue = queue }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var rest = bytes
    while !rest.isEmpty {
      if hasCurrent && current.count == queue.blockSize { try pass() }
      if !hasCurrent {
        current = try queue.empty()
        hasCurrent = true
      }
      let count = min(rest.count, queue.blockSize - current.count)
      current.append(contentsOf: rest.prefix(count))
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
  }

  /// Passes on what is left, and says that no more comes.
  public func finish() throws(Failure) {
    if hasCurrent && !current.isEmpty { try pass() }
    queue.finish()
  }

  private func pass() throws(Failure) {
    let full = current
    current = []
    hasCurrent = false
    try queue.put(full)
  }
}

/// Gives out the bytes of the blocks in any sizes. Used on one thread.
public final class BlockReader {
  private let queue: BlockQueue
  private var current: BlockQueue.Block?
  private var offset = 0

  public init(_ queue: BlockQueue) { self.queue = queue }

  /// Up to the buffer's size; 0 at the end.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    if current == nil {
      current = try queue.take()
      offset = 0
    }
    guard let block = current else { return 0 }
    let count = min(buffer.count, block.bytes.count - offset)
    block.bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
    offset += count
    if offset == block.bytes.count {
      current = nil
      queue.giveBack(block.bytes)
    }
    return count
  }
}
