internal import COpenSSL

public enum HMACHash: String, Sendable {
  case sha1 = "SHA1"
  case sha256 = "SHA256"
}

/// A keyed hash, by OpenSSL's `EVP_Q_mac`. Empty only where OpenSSL itself fails, which no comparison accepts.
public func hmac(_ hash: HMACHash, key: [UInt8], _ message: [UInt8]) -> [UInt8] {
  var out = [UInt8](repeating: 0, count: 64)
  let size = out.count
  var length = 0
  // A null pointer stands for "no key given" in OpenSSL, so even an empty key needs an address.
  let key = key.isEmpty ? [0] : key
  let done = EVP_Q_mac(nil, "HMAC", nil, hash.rawValue, nil, key, key.count, message, message.count, &out, size, &length)
  return done == nil ? [] : Array(out.prefix(length))
}
