internal import COpenSSL
public import Model

/// SHA-256 over bytes as they come, by OpenSSL.
public struct SHA256Hasher: ~Copyable {
  private let context: OpaquePointer?

  public init() {
    context = EVP_MD_CTX_new()
    Self.require(EVP_DigestInit_ex(context, EVP_sha256(), nil))
  }

  private init(copying other: OpaquePointer?) {
    context = EVP_MD_CTX_new()
    Self.require(EVP_MD_CTX_copy_ex(context, other))
  }

  /// A second hasher that has seen the same bytes and goes its own way.
  public func fork() -> SHA256Hasher { SHA256Hasher(copying: context) }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    if let base = bytes.baseAddress { Self.require(EVP_DigestUpdate(context, base, bytes.count)) }
  }

  public consuming func finish() -> Digest {
    var out = [UInt8](repeating: 0, count: 32)
    Self.require(EVP_DigestFinal_ex(context, &out, nil))
    return Digest(out) ?? .zero
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Fails for no input, only without memory or a working libcrypto. A digest that is wrong would call two different files equal.
  private static func require(_ result: Int32) { precondition(result == 1, "libcrypto cannot compute SHA-256") }
}

public func sha256(_ bytes: [UInt8]) -> Digest {
  var hasher = SHA256Hasher()
  bytes.withUnsafeBytes { hasher.update($0) }
  return hasher.finish()
}
