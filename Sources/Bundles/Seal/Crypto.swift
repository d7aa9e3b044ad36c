internal import COpenSSL
internal import Host
internal import Model

/// What age needs of OpenSSL. This file is the only one that turns its codes into a `Failure`.
enum Crypto {
  static func check(_ isFine: Bool, _ call: String) throws(Failure) {
    if isFine { return }
    let code = ERR_peek_last_error()
    let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "no reason given"
    forgetErrors()
    throw Failure(
      what: "cannot encrypt or decrypt", why: "OpenSSL's \(call) failed: \(reason)",
      next: "check that libcrypto works and has its default provider: `openssl list -providers`")
  }

  /// TLS in the same thread would take an old entry of OpenSSL's queue for its own.
  static func forgetErrors() { ERR_clear_error() }

  /// The X25519 public key of a secret one.
  static func publicKey(of secret: Secret) throws(Failure) -> [UInt8] {
    let key = try privateKey(secret)
    defer { EVP_PKEY_free(key) }
    var out = [UInt8](repeating: 0, count: 32)
    var count = out.count
    try check(EVP_PKEY_get_raw_public_key(key, &out, &count) == 1 && count == 32, "EVP_PKEY_get_raw_public_key")
    return out
  }

  /// The secret that both sides share; nil for a point of low order, with which everybody would share it.
  static func sharedSecret(_ secret: Secret, _ point: [UInt8]) throws(Failure) -> Secret? {
    let own = try privateKey(secret)
    defer { EVP_PKEY_free(own) }
    let peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, point, point.count)
    defer { EVP_PKEY_free(peer) }
    let context = EVP_PKEY_CTX_new(own, nil)
    defer { EVP_PKEY_CTX_free(context) }
    try check(peer != nil && EVP_PKEY_derive_init(context) == 1, "EVP_PKEY_derive_init")
    try check(EVP_PKEY_derive_set_peer(context, peer) == 1, "EVP_PKEY_derive_set_peer")
    var out = [UInt8](repeating: 0, count: 32)
    var count = out.count
    let result = EVP_PKEY_derive(context, &out, &count)
    forgetErrors()
    guard result == 1, count == 32, out.reduce(0, |) != 0 else { return nil }
    return Secret(out)
  }

  private static func privateKey(_ secret: Secret) throws(Failure) -> OpaquePointer? {
    let key = try secret.withBytes { (raw) throws(Failure) in
      EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nil, raw.baseAddress, raw.count)
    }
    try check(key != nil, "EVP_PKEY_new_raw_private_key")
    return key
  }

  static func hmac(key: UnsafeRawBufferPointer, _ data: [UInt8]) throws(Failure) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: 32)
    var count = 0
    let result = EVP_Q_mac(
      nil, "HMAC", nil, "SHA256", nil, key.baseAddress, key.count, data, data.count, &out, out.count, &count)
    try check(result != nil && count == 32, "EVP_Q_mac")
    return out
  }

  /// HKDF-SHA-256 with 32 bytes of output (RFC 5869): one block of expansion.
  static func derive(from material: Secret, salt: [UInt8], info: String) throws(Failure) -> Secret {
    // An empty salt stands for a block of zeros.
    let salt = salt.isEmpty ? [UInt8](repeating: 0, count: 32) : salt
    var extracted = try material.withBytes { (raw) throws(Failure) in
      var copy = Array(raw)
      defer { wipe(&copy) }
      return try salt.withBytes { (salt) throws(Failure) in try hmac(key: salt, copy) }
    }
    defer { wipe(&extracted) }
    return Secret(try extracted.withBytes { (key) throws(Failure) in try hmac(key: key, Array(info.utf8) + [1]) })
  }

  /// In a time that does not depend on where they differ.
  static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool { a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0 }
}

/// ChaCha20-Poly1305 (RFC 7539) under one key, in place, without associated data.
struct ChaChaPoly: ~Copyable {
  static let tagSize = 16
  private let context: OpaquePointer?

  init(key: Secret, seals: Bool) throws(Failure) {
    context = EVP_CIPHER_CTX_new()
    let result = try key.withBytes { (raw) throws(Failure) in
      EVP_CipherInit_ex2(context, EVP_chacha20_poly1305(), raw.bindMemory(to: UInt8.self).baseAddress, nil, seals ? 1 : 0, nil)
    }
    // libcrypto wipes the key when it frees the context.
    try Crypto.check(context != nil && result == 1, "EVP_CipherInit_ex2")
  }

  deinit { EVP_CIPHER_CTX_free(context) }

  /// Encrypts `text`, and puts the tag behind it: `buffer` is the text and room for the tag.
  mutating func seal(_ buffer: UnsafeMutableRawBufferPointer, nonce: [UInt8]) throws(Failure) {
    let size = buffer.count - Self.tagSize
    let tag = buffer.baseAddress?.advanced(by: size)
    let isFine =
      run(buffer, size, nonce) && finish()
      && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagSize), tag) == 1
    try Crypto.check(isFine, "EVP_CipherUpdate")
  }

  /// Decrypts the text before the tag. Where it gives false the buffer holds nothing that may be used.
  mutating func open(_ buffer: UnsafeMutableRawBufferPointer, nonce: [UInt8]) -> Bool {
    let size = buffer.count - Self.tagSize
    guard size >= 0 else { return false }
    let tag = buffer.baseAddress?.advanced(by: size)
    let isFine =
      run(buffer, size, nonce)
      && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagSize), tag) == 1 && finish()
    if !isFine { Crypto.forgetErrors() }
    return isFine
  }

  private func run(_ buffer: UnsafeMutableRawBufferPointer, _ size: Int, _ nonce: [UInt8]) -> Bool {
    guard EVP_CipherInit_ex2(context, nil, nil, nonce, -1, nil) == 1 else { return false }
    if size == 0 { return true }
    let bytes = buffer.bindMemory(to: UInt8.self).baseAddress
    var count: Int32 = 0
    return EVP_CipherUpdate(context, bytes, &count, bytes, Int32(clamping: size)) == 1 && Int(count) == size
  }

  private func finish() -> Bool {
    var nothing: (UInt64, UInt64) = (0, 0)
    var count: Int32 = 0
    return withUnsafeMutableBytes(of: &nothing) {
      EVP_CipherFinal_ex(context, $0.bindMemory(to: UInt8.self).baseAddress, &count) == 1
    }
  }
}
