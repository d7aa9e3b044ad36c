internal import COpenSSL
internal import Model

/// SHA-256 of a file that ends with the SHA-256 of all before it: both digests in one pass.
struct BodyHasher: ~Copyable {
  private let body = EVP_MD_CTX_new()

  init() { EVP_DigestInit_ex(body, EVP_sha256(), nil) }
  deinit { EVP_MD_CTX_free(body) }

  mutating func update(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(body, bytes.baseAddress, bytes.count) }

  consuming func finish(_ trailer: UnsafeRawBufferPointer?) -> (body: Digest, whole: Digest) {
    let whole = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(whole) }
    EVP_MD_CTX_copy_ex(whole, body)
    EVP_DigestUpdate(whole, trailer?.baseAddress, trailer?.count ?? 0)
    return (Self.end(body), Self.end(whole))
  }

  private static func end(_ context: OpaquePointer?) -> Digest {
    var out = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &out, nil)
    return Digest(out) ?? .zero
  }
}
