internal import COpenSSL
internal import Glibc
public import Model

/// What a certificate says of itself.
public struct Certificate: Sendable, Equatable {
  public let subject: String
  public let issuer: String
  public let notBefore: Timestamp
  public let notAfter: Timestamp

  /// The certificates of a PEM text, in order; what is not a certificate is passed over.
  public static func all(inPEM bytes: [UInt8]) -> [Certificate] {
    guard let source = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else { return [] }
    defer { BIO_free(source) }
    var found: [Certificate] = []
    while let raw = PEM_read_bio_X509(source, nil, nil, nil) {
      defer { X509_free(raw) }
      if let one = Certificate(raw) { found.append(one) }
    }
    ERR_clear_error()
    return found
  }

  /// The first certificate of a PEM file or text: the one that its key belongs to.
  public static func first(of pem: PEM) throws(Failure) -> Certificate {
    let (name, bytes): (String, [UInt8])
    switch pem {
    case .file(let path): (name, bytes) = (path, try Files.read(path, limit: 1 << 20))
    case .bytes(let given): (name, bytes) = ("the certificate", given)
    }
    if let first = all(inPEM: bytes).first { return first }
    throw Failure(
      what: "cannot read \(name)", why: "it holds no certificate in PEM form", next: "check the path, or put the certificate back")
  }

  public func isValid(at time: Timestamp) -> Bool { notBefore <= time && time <= notAfter }

  private init?(_ raw: OpaquePointer) {
    guard let before = Self.time(X509_get0_notBefore(raw)), let after = Self.time(X509_get0_notAfter(raw)) else { return nil }
    notBefore = before
    notAfter = after
    subject = Self.text(X509_get_subject_name(raw))
    issuer = Self.text(X509_get_issuer_name(raw))
  }

  private static func time(_ raw: UnsafePointer<ASN1_TIME>?) -> Timestamp? {
    var parts = tm()
    guard let raw, ASN1_TIME_to_tm(raw, &parts) == 1 else { return nil }
    return Timestamp(milliseconds: Int64(timegm(&parts)) * 1000)
  }

  /// As `openssl x509 -subject -nameopt RFC2253` writes it.
  private static func text(_ name: OpaquePointer?) -> String {
    guard let name, let out = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(out) }
    X509_NAME_print_ex(out, name, 0, kg_name_format())
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = BIO_read(out, &bytes, Int32(bytes.count))
    return count > 0 ? String(decoding: bytes.prefix(Int(count)), as: UTF8.self) : ""
  }
}
