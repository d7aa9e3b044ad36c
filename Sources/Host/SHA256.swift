internal import COpenSSL
public import Model

/// SHA-256 over bytes that come in pieces.
public struct SHA256Hasher: ~Copyable {
  private let context: OpaquePointer?

  public init() {
    context = EVP_MD_CTX_new()
    EVP_DigestInit_ex(context, EVP_sha256(), nil)
  }

  private init(copying other: OpaquePointer?) {
    context = EVP_MD_CTX_new()
    EVP_MD_CTX_copy_ex(context, other)
  }

  /// A second hasher that has seen the same bytes and goes its own way.
  public func fork() -> SHA256Hasher { SHA256Hasher(copying: context) }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    if let base = bytes.baseAddress { EVP_DigestUpdate(context, base, bytes.count) }
  }

  public consuming func finish() -> Digest {
    var out = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &out, nil)
    guard let digest = Digest(out) else { preconditionFailure("32 bytes are a digest") }
    return digest
  }

  deinit { EVP_MD_CTX_free(context) }
}
