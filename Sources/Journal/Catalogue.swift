public import Model

/// A bundle as the journal's catalogue has it.
public struct BundleRecord: Sendable, Equatable {
  public let id: String
  public let run: RunID?
  public let directory: String
  public let created: Timestamp
  /// What `bundle.json` says.
  public let manifest: JSON
  public let verified: Timestamp?
  public let drilled: Timestamp?
  public let drill: JSON?
  /// When its local files were removed.
  public let removed: Timestamp?
}

/// One file of a bundle at one off-site target.
public struct CopyRecord: Sendable, Equatable {
  public let bundle: String
  public let target: String
  public let file: String
  public let receipt: JSON
  public let sent: Timestamp
  /// When it was read back and found right.
  public let verified: Timestamp?
  public let removed: Timestamp?
}

extension RunJournal {
  /// The bundle is whole on disk, and verified.
  public func bundleVerified(_ id: String, run: RunID?, directory: String, manifest: JSON, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run(
        """
        INSERT INTO bundles (id, run, directory, created, manifest, verified) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET directory = excluded.directory, manifest = excluded.manifest, verified = excluded.verified, removed = NULL
        """, .text(id), SQLValue(run?.text), .text(directory), SQLValue(now), SQLValue(manifest), SQLValue(now))
    }
  }

  public func bundleDrilled(_ id: String, evidence: JSON, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run("UPDATE bundles SET drilled = ?, drill = ? WHERE id = ?", SQLValue(now), SQLValue(evidence), .text(id))
    }
  }

  public func bundleRemoved(_ id: String, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in try database.run("UPDATE bundles SET removed = ? WHERE id = ?", SQLValue(now), .text(id)) }
  }

  /// A file has been sent; it counts only when it has been read back.
  public func copySent(_ bundle: String, target: String, file: String, receipt: JSON, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run(
        "INSERT OR REPLACE INTO copies (bundle, target, file, receipt, sent) VALUES (?, ?, ?, ?, ?)", .text(bundle), .text(target),
        .text(file), SQLValue(receipt), SQLValue(now))
    }
  }

  public func copyVerified(_ bundle: String, target: String, file: String, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run(
        "UPDATE copies SET verified = ?, removed = NULL WHERE bundle = ? AND target = ? AND file = ?", SQLValue(now), .text(bundle),
        .text(target), .text(file))
    }
  }

  /// What was read back is gone, or is no longer what was sent: it counts no more, whatever becomes of sending it again.
  public func copyDiffers(_ bundle: String, target: String, file: String) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run(
        "UPDATE copies SET verified = NULL WHERE bundle = ? AND target = ? AND file = ?", .text(bundle), .text(target), .text(file))
    }
  }

  public func copyRemoved(_ bundle: String, target: String, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run("UPDATE copies SET removed = ? WHERE bundle = ? AND target = ?", SQLValue(now), .text(bundle), .text(target))
    }
  }

  /// All bundles, the newest first; those whose files are gone from here too.
  public func bundles() throws(Failure) -> [BundleRecord] {
    try database.rows(
      "SELECT id, run, directory, created, manifest, verified, drilled, drill, removed FROM bundles ORDER BY created DESC, id DESC"
    ) { (row) throws(Failure) in
      BundleRecord(
        id: row.text(0), run: row.textIfAny(1).flatMap { RunID($0) }, directory: row.text(2),
        created: row.time(3) ?? Timestamp(milliseconds: 0), manifest: try row.json(4) ?? [:], verified: row.time(5), drilled: row.time(6),
        drill: try row.json(7), removed: row.time(8))
    }
  }

  public func copies(of bundle: String) throws(Failure) -> [CopyRecord] {
    try database.rows(
      "SELECT target, file, receipt, sent, verified, removed FROM copies WHERE bundle = ? ORDER BY target, file", .text(bundle)
    ) { (row) throws(Failure) in
      CopyRecord(
        bundle: bundle, target: row.text(0), file: row.text(1), receipt: try row.json(2) ?? [:],
        sent: row.time(3) ?? Timestamp(milliseconds: 0), verified: row.time(4), removed: row.time(5))
    }
  }
}
