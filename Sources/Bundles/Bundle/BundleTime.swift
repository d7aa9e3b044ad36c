public import Model

/// When a bundle was taken, as its `bundle.json` says; to the second.
public func bundleTime(_ manifest: JSON) -> Timestamp? { manifest["created"]?.string.flatMap { Timestamp(isoDate: $0) } }
