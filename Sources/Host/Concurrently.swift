internal import Glibc
public import Model
internal import Synchronization

/// Runs `other` on a thread of its own and `here` on this one; returns when both have ended, whatever either threw.
/// Without a thread to be had, one follows the other.
public func concurrently<A: Sendable, B>(
  _ other: @escaping @Sendable () throws(Failure) -> A, _ here: () throws(Failure) -> B
) -> (Result<A, Failure>, Result<B, Failure>) {
  let errand = Errand(other)
  var thread = pthread_t()
  let started = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      Unmanaged<AnyErrand>.fromOpaque(argument).takeRetainedValue().run()
      return nil
    }, Unmanaged<AnyErrand>.passRetained(errand).toOpaque())
  if started != 0 { Unmanaged<AnyErrand>.passUnretained(errand).release() }

  let result = Result(catching: here)
  if started == 0 { pthread_join(thread, nil) } else { errand.run() }
  return (errand.outcome.withLock { $0 } ?? Result(catching: other), result)
}

/// What a thread has to do; a C function cannot be told of a generic type.
private class AnyErrand {
  func run() {}
}

private final class Errand<A: Sendable>: AnyErrand {
  let work: @Sendable () throws(Failure) -> A
  let outcome = Mutex<Result<A, Failure>?>(nil)

  init(_ work: @escaping @Sendable () throws(Failure) -> A) { self.work = work }

  override func run() {
    let result = Result(catching: work)
    outcome.withLock { $0 = result }
  }
}
