internal import CPosix
internal import Glibc

/// Starts a thread of the operating system. It ends when `body` returns; nobody waits for it. False where the system gives none.
@discardableResult
public func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
  let box = Unmanaged.passRetained(ThreadBody(name, body)).toOpaque()
  var thread = pthread_t()
  let code = pthread_create(
    &thread, nil,
    { raw in
      guard let raw else { return nil }
      let body = Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue()
      _ = kg_set_name(body.name)
      body.run()
      return nil
    }, box)
  if code == 0 { pthread_detach(thread) } else { Unmanaged<ThreadBody>.fromOpaque(box).release() }
  return code == 0
}

private final class ThreadBody: Sendable {
  let name: String
  let run: @Sendable () -> Void
  init(_ name: String, _ run: @escaping @Sendable () -> Void) {
    self.name = name
    self.run = run
  }
}
