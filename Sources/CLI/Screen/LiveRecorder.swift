internal import Engine
internal import Host
internal import Model
internal import Synchronization

/// Writes down what a run does at this moment, at most twice a second, so that a second terminal shows the same as the first.
final class LiveRecorder: Observer {
  fileprivate struct State {
    var record: LiveRecord?
    var path: String?
    var meter: ProgressMeter?
    var isDirty = false
    var messages: Int64 = 0
  }

  private let state = Mutex(State())
  private let directory: StateDirectory
  private let stop: StopSignal

  static let interval = Duration.milliseconds(500)

  init(_ directory: StateDirectory, stop: StopSignal) {
    self.directory = directory
    self.stop = stop
    startThread("live record") { [weak self] in
      let never = StopSignal()
      while never.sleep(Self.interval), let self { self.write() }
    }
  }

  func notice(_ notice: Notice) {
    state.withLock { state in
      state.isDirty = true
      switch notice {
      case .runStarted(let run, _, _, let parent, _):
        // A rollback goes on with the file of the run that it rolls back.
        if state.path == nil {
          state.path = LiveRecord.path(directory, parent ?? run)
          try? Files.makeDirectory(directory.directory(of: parent ?? run), mode: 0o700)
        }
        let messages = state.record?.messages ?? []
        state.record = LiveRecord(writer: .current(), run: run)
        state.record?.messages = messages
      case .settledBefore: break
      case .stepStarted(_, let step, _, let attempt, let stopping):
        state.clear()
        state.record?.step = step
        state.record?.attempt = attempt
        state.record?.waits = stopping == .waits
        state.record?.since = monotonicNow()
      case .stepEnded:
        state.clear()
        state.record?.step = nil
      case .retrying(_, let step, let failure, let after, let attempt):
        state.clear()
        state.add(step, "failed: \(failure); attempt \(attempt) in \(after.forPeople)")
        state.record?.nextAttempt = monotonicNow() + after
      case .message(_, let step, let text): state.add(step, text)
      case .phase(_, _, let text):
        state.meter = nil
        state.record?.phase = String(text.prefix(LiveRecord.longestText))
        state.record?.line = ""
      case .output(_, _, let line): state.record?.line = String(line.prefix(LiveRecord.longestText))
      case .progress(_, _, let progress):
        var meter = state.meter ?? ProgressMeter()
        meter.update(progress, at: monotonicNow())
        state.meter = meter
      case .runEnded: state.clear()
      }
    }
  }

  private func write() {
    state.withLock { state in
      guard let path = state.path, var record = state.record, state.isDirty || record.stop != stop.current else { return }
      record.reading = state.meter?.reading(at: monotonicNow())
      record.stop = stop.current
      state.record = record
      state.isDirty = false
      Files.replaceVolatile(path, with: Array((record.json.text() + "\n").utf8))
    }
  }

  /// Nothing more is done: the file goes.
  func end() {
    state.withLock { state in
      if let path = state.path { Files.removeVolatile(path) }
      state.record = nil
    }
  }
}

extension LiveRecorder.State {
  fileprivate mutating func clear() {
    meter = nil
    record?.phase = ""
    record?.line = ""
    record?.reading = nil
    record?.nextAttempt = nil
  }

  fileprivate mutating func add(_ step: String?, _ text: String) {
    messages += 1
    record?.messages.append(.init(number: messages, step: step, text: String(text.prefix(LiveRecord.longestText))))
    if let count = record?.messages.count, count > LiveRecord.mostMessages { record?.messages.removeFirst(count - LiveRecord.mostMessages) }
  }
}

/// Everybody who watches a run.
final class Observers: Observer {
  private let all: [any Observer]
  init(_ all: [any Observer]) { self.all = all }
  func notice(_ notice: Notice) { for observer in all { observer.notice(notice) } }
}
