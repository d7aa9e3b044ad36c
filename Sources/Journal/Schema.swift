internal import Model

/// What the file must be. `application_id` tells a kguard journal from any other SQLite file, `user_version` its age.
enum Schema {
  static let applicationID: Int64 = 0x6b67_7264  // "kgrd"
  static var version: Int64 { Int64(migrations.count) }

  /// Each entry brings a journal from version n to n + 1, in one transaction. Entries are only ever added.
  static let migrations: [String] = [
    """
    CREATE TABLE runs (
      id TEXT PRIMARY KEY NOT NULL,
      playbook TEXT NOT NULL,
      playbook_file TEXT NOT NULL,
      playbook_text TEXT NOT NULL,
      playbook_sha256 TEXT NOT NULL,
      inputs TEXT NOT NULL CHECK (json_valid(inputs)),
      config TEXT NOT NULL CHECK (json_valid(config)),
      root TEXT NOT NULL,
      kguard TEXT NOT NULL,
      parent TEXT REFERENCES runs (id),
      state TEXT NOT NULL CHECK (state IN (\(list(RunState.allCases)))),
      created INTEGER NOT NULL,
      started INTEGER,
      ended INTEGER,
      error TEXT CHECK (error IS NULL OR json_valid(error))
    ) STRICT;
    CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;
    CREATE INDEX runs_unfinished ON runs (state) WHERE state NOT IN ('succeeded', 'failed', 'rolled-back');

    CREATE TABLE steps (
      run TEXT NOT NULL REFERENCES runs (id),
      position INTEGER NOT NULL,
      id TEXT NOT NULL,
      action TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN (\(list(StepState.allCases)))),
      started INTEGER,
      ended INTEGER,
      evidence TEXT CHECK (evidence IS NULL OR json_valid(evidence)),
      error TEXT CHECK (error IS NULL OR json_valid(error)),
      PRIMARY KEY (run, position),
      UNIQUE (run, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE attempts (
      run TEXT NOT NULL,
      position INTEGER NOT NULL,
      number INTEGER NOT NULL CHECK (number > 0),
      started INTEGER NOT NULL,
      ended INTEGER,
      milliseconds INTEGER,
      outcome TEXT CHECK (outcome IN ('succeeded', 'failed', 'interrupted')),
      error TEXT CHECK (error IS NULL OR json_valid(error)),
      PRIMARY KEY (run, position, number),
      FOREIGN KEY (run, position) REFERENCES steps (run, position),
      CHECK ((ended IS NULL) = (outcome IS NULL))
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE artifacts (
      id INTEGER PRIMARY KEY,
      run TEXT NOT NULL REFERENCES runs (id),
      step TEXT NOT NULL,
      kind TEXT NOT NULL,
      path TEXT NOT NULL,
      detail TEXT NOT NULL CHECK (json_valid(detail)),
      state TEXT NOT NULL CHECK (state IN ('planned', 'present', 'removed')),
      created INTEGER NOT NULL,
      UNIQUE (run, kind, path)
    ) STRICT;

    CREATE TABLE events (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT,
      run TEXT REFERENCES runs (id),
      step TEXT,
      at INTEGER NOT NULL,
      type TEXT NOT NULL,
      data TEXT NOT NULL CHECK (json_valid(data))
    ) STRICT;
    CREATE INDEX events_by_run ON events (run, sequence);
    CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT raise(ABORT, 'events are never changed'); END;
    CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'events are never removed'); END;

    CREATE TABLE owner (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      epoch INTEGER NOT NULL,
      run TEXT REFERENCES runs (id),
      process TEXT CHECK (process IS NULL OR json_valid(process)),
      since INTEGER
    ) STRICT;
    INSERT INTO owner (one, epoch) VALUES (1, 0);
    """,
    """
    CREATE TABLE bundles (
      id TEXT PRIMARY KEY NOT NULL,
      run TEXT REFERENCES runs (id),
      directory TEXT NOT NULL,
      created INTEGER NOT NULL,
      manifest TEXT NOT NULL CHECK (json_valid(manifest)),
      verified INTEGER,
      drilled INTEGER,
      drill TEXT CHECK (drill IS NULL OR json_valid(drill)),
      removed INTEGER
    ) STRICT;

    CREATE TABLE copies (
      bundle TEXT NOT NULL REFERENCES bundles (id),
      target TEXT NOT NULL,
      file TEXT NOT NULL,
      receipt TEXT NOT NULL CHECK (json_valid(receipt)),
      sent INTEGER NOT NULL,
      verified INTEGER,
      removed INTEGER,
      PRIMARY KEY (bundle, target, file)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE runs ADD COLUMN rollback_file TEXT;
    ALTER TABLE runs ADD COLUMN rollback_text TEXT;
    ALTER TABLE runs ADD COLUMN rollback_sha256 TEXT;
    ALTER TABLE runs ADD COLUMN rollback_by TEXT CHECK (rollback_by IN (\(list(RollbackCause.allCases))));
    ALTER TABLE runs ADD COLUMN cause TEXT CHECK (cause IS NULL OR json_valid(cause));
    """,
  ]

  private static func list(_ states: [some RawRepresentable<String>]) -> String {
    states.map { "'\($0.rawValue)'" }.joined(separator: ", ")
  }
}
