internal import Model

extension StoreTarget {
  /// Of a `file://` target: its directory, as the host calls it. Nil for every other kind.
  public var localDirectory: String? {
    guard let url = try? StoreURL(url), url.scheme == .file else { return nil }
    return url.path
  }
}
