internal import COpenSSL
public import Model

/// SHA-256 over bytes as they come, by OpenSSL.
public struct SHA256Hasher: ~Copyable {
  private let context: OpaquePointer?

  public init() {
    context = EVP_MD_CTX_new()
    EVP_DigestInit_ex(context, EVP_sha256(), nil)
  }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  public consuming func finish() -> Digest {
    var out = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &out, nil)
    return Digest(out) ?? .zero
  }

  deinit { EVP_MD_CTX_free(context) }
}

public func sha256(_ bytes: [UInt8]) -> Digest {
  var hasher = SHA256Hasher()
  bytes.withUnsafeBytes { hasher.update($0) }
  return hasher.finish()
}
