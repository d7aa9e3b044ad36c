internal import Host
internal import Model
internal import Playbooks

/// The two ways to tell somebody.
enum Delivery {
  typealias Entry = Playbooks.Notification

  private static let timeout = Duration.seconds(10)
  private static let commandTimeout = Duration.seconds(30)

  /// A courier for an entry of the configuration. `number` counts from 1.
  static func courier(_ entry: Entry, number: Int, _ machine: LocalMachine, _ state: String) -> Courier {
    switch entry.channel {
    case .webhook(let url):
      return Courier(name: "webhook \(number) (\(Entry.host(of: url)))", events: entry.events) { (news, stop) throws(Failure) in
        try post(news, to: url, entry, machine, stop)
      }
    case .webhookFile(let path):
      return Courier(name: "webhook \(number)", events: entry.events) { (news, stop) throws(Failure) in
        let url = try secret(path, machine)
        let isHere = url.hasPrefix("http://") && ["127.0.0.1", "localhost"].contains(Entry.host(of: url).prefix { $0 != ":" })
        guard url.hasPrefix("https://") || isHere else {
          throw Failure(.usage, what: "cannot use the webhook", why: "\(path) holds no https:// URL", next: "write one into it")
        }
        try post(news, to: url, entry, machine, stop)
      }
    case .command(let argv):
      return Courier(name: "command \(number) (\(argv.first ?? ""))", events: entry.events) { (news, stop) throws(Failure) in
        try run(argv, news, machine, state, stop)
      }
    }
  }

  private static func post(
    _ news: RunNews, to url: String, _ entry: Entry, _ machine: LocalMachine, _ stop: StopSignal
  ) throws(Failure) {
    var request = HTTPRequest("POST", url)
    request.headers = [("Content-Type", "application/json"), ("User-Agent", "kguard/\(kguardVersion)")]
    if let file = entry.tokenFile { request.headers.append(("Authorization", "Bearer " + (try secret(file, machine)))) }
    request.body = .bytes(Array(news.json.text().utf8))
    request.tls.authority = entry.caFile.map { .file(machine.locate($0)) }
    request.connectTimeout = .seconds(5)
    request.timeout = timeout
    let status: Int
    do throws(Failure) {
      status = try HTTPClient(stop: stop).send(request, limit: 1 << 20).status
    } catch {
      // The URL is a secret, and the failure may name it.
      throw Failure(what: "cannot tell the webhook", why: hide(url, in: error.why), next: "", isTransient: error.isTransient)
    }
    guard !(200..<300).contains(status) else { return }
    let mayPass = status == 408 || status == 429 || status >= 500
    throw Failure(what: "cannot tell the webhook", why: "it answers \(status)", next: "", isTransient: mayPass)
  }

  private static func run(
    _ argv: [String], _ news: RunNews, _ machine: LocalMachine, _ state: String, _ stop: StopSignal
  ) throws(Failure) {
    let executable = try machine.require(program: argv.first ?? "")
    let environment = machine.childEnvironment.merging(news.environment) { $1 }.merging(["KGUARD_STATE": state]) { $1 }
    let result = try runCaptured(
      executable, Command(argv, environment: environment), timeout: commandTimeout, limit: 65536,
      input: Array((news.json.text() + "\n").utf8), stop: stop)
    guard !result.end.isSuccess || result.timedOut else { return }
    let why = result.timedOut ? "its time was up, and it was ended" : "\(result.end): \(fit(result.lastWords, 300))"
    throw Failure(what: "the command failed", why: why, next: "", isTransient: !stop.isAsked)
  }

  /// The first line of a file that only its owner and group can read.
  private static func secret(_ path: String, _ machine: LocalMachine) throws(Failure) -> String {
    let file = machine.locate(path)
    guard let text = try Files.textIfPresent(file, limit: 65536) else {
      throw Failure(.usage, what: "cannot read \(path)", why: "there is no file \(file)", next: "correct `notify:`")
    }
    guard let info = try Files.info(file), info.mode & 0o007 == 0 else {
      throw Failure(.usage, what: "cannot use \(path)", why: "\(file) is open to other users", next: "`chmod o= \(file)`")
    }
    guard let line = text.split(whereSeparator: \.isNewline).first, !line.contains(where: \.isWhitespace) else {
      throw Failure(.usage, what: "cannot use \(path)", why: "\(file) does not hold one word in its first line", next: "correct it")
    }
    return String(line)
  }

  private static func hide(_ url: String, in text: String) -> String {
    let name = Entry.host(of: url)
    let secrets = [url, String(url.drop { $0 != ":" }.dropFirst(3).dropFirst(name.count))].filter { $0.count > 1 }
    return secrets.reduce(text) { text, secret in text.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "…") }
  }
}
