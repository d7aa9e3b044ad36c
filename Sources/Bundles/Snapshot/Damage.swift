internal import Model

/// What is wrong inside a database file, before it is known which file that is.
struct Damage: Error {
  let why: String
  init(_ why: String) { self.why = why }
}

/// The failure that a damaged snapshot is.
func damaged(_ path: String, _ why: String) -> Failure {
  Failure(
    .verification, what: "\(path) is damaged", why: why,
    next: "do not restore from it; use another copy, or take a new snapshot (for a stopped member's db: let its etcd start once)")
}
