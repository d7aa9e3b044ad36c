internal import Glibc
public import Model

/// Runs a program that may take long. `output` and `errors` are files that take its streams; `watch` is called a few times a
/// second. A stop, or a failure of `watch`, ends its group with SIGTERM, and after five seconds with SIGKILL.
public func runWatched(
  _ executable: String, _ command: Command, output: String, errors: String, stop: StopSignal?, watch: () throws(Failure) -> Void
) throws(Failure) -> ProcessEnd {
  let outputFile = try OpenFile(output, O_WRONLY | O_CREAT | O_TRUNC)
  let errorFile = try OpenFile(errors, O_WRONLY | O_CREAT | O_TRUNC)
  let pid = try Spawn.start(
    executable, command, output: .descriptor(outputFile.descriptor), error: .descriptor(errorFile.descriptor), leads: .group)
  var failure: Failure?
  if let process = ProcessIdentity.of(pid) {
    do throws(Failure) {
      while !process.waitForEnd(.milliseconds(200), stop: stop) {
        try watch()
        if stop?.isNow == true {
          throw Failure(
            .interrupted, what: "cannot finish `\(command.argv.first ?? executable)`", why: "it was stopped",
            next: "run `kguard resume` to go on")
        }
      }
    } catch {
      failure = error
      kill(-pid, SIGTERM)
      if !process.waitForEnd(.seconds(5)) { kill(-pid, SIGKILL) }
    }
  }
  let end = try Spawn.reap(pid)
  if let failure { throw failure }
  return end
}
