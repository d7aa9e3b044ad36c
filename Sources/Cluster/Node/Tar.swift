internal import Model

/// One entry of a tar archive, as kguard writes it: POSIX ustar, with pax records where a name is too long.
struct TarEntry: Equatable {
  enum Kind: UInt8 { case file = 48, link = 50, directory = 53 }
  var kind: Kind
  /// Without a slash at its head.
  var path: String
  var mode: UInt32
  var owner: UInt32
  var group: UInt32
  var size: Int64 = 0
  /// Seconds since 1970.
  var modified: Int64 = 0
  /// Of a symbolic link.
  var target = ""
}

enum Tar {
  static let block = 512
  static let end = [UInt8](repeating: 0, count: 1024)

  /// The blocks that stand before an entry's bytes.
  static func header(_ entry: TarEntry) -> [UInt8] {
    let name = entry.kind == .directory ? entry.path + "/" : entry.path
    var records: [(String, String)] = []
    if name.utf8.count > 100 { records.append(("path", name)) }
    if entry.target.utf8.count > 100 { records.append(("linkpath", entry.target)) }
    var out: [UInt8] = []
    if !records.isEmpty {
      let body = records.flatMap { record($0.0, $0.1) }
      out += ustar("pax", UInt8(ascii: "x"), entry, size: Int64(body.count), target: "") + padded(body)
    }
    return out + ustar(name, entry.kind.rawValue, entry, size: entry.kind == .file ? entry.size : 0, target: entry.target)
  }

  /// Zeros that fill the last block of `size` bytes.
  static func padding(_ size: Int64) -> [UInt8] { [UInt8](repeating: 0, count: Int((Int64(block) - size % Int64(block)) % Int64(block))) }

  private static func padded(_ bytes: [UInt8]) -> [UInt8] { bytes + padding(Int64(bytes.count)) }

  /// `LENGTH key=value\n`; the length counts itself.
  private static func record(_ key: String, _ value: String) -> [UInt8] {
    let rest = " \(key)=\(value)\n"
    var length = rest.utf8.count + 1
    while String(length).utf8.count + rest.utf8.count != length { length = String(length).utf8.count + rest.utf8.count }
    return Array("\(length)\(rest)".utf8)
  }

  private static func ustar(_ name: String, _ kind: UInt8, _ entry: TarEntry, size: Int64, target: String) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: block)
    func put(_ text: String, _ at: Int, _ most: Int) {
      for (offset, byte) in text.utf8.prefix(most).enumerated() { out[at + offset] = byte }
    }
    func octal(_ number: Int64, _ at: Int, _ digits: Int) {
      let text = String(max(0, number), radix: 8)
      put(String(repeating: "0", count: max(0, digits - text.count)) + text, at, digits)
    }
    put(name, 0, 100)
    octal(Int64(entry.mode), 100, 7)
    octal(Int64(entry.owner), 108, 7)
    octal(Int64(entry.group), 116, 7)
    octal(size, 124, 11)
    octal(entry.modified, 136, 11)
    put("        ", 148, 8)
    out[156] = kind
    put(target, 157, 100)
    put("ustar\u{0}00", 257, 8)
    octal(out.reduce(0) { $0 + Int64($1) }, 148, 6)
    out[154] = 0
    out[155] = 32
    return out
  }
}

/// Reads a tar archive as its bytes come. What comes from outside is never trusted: names with `..` and unknown kinds are refused.
final class TarReader {
  private let begin: (TarEntry) throws(Failure) -> Void
  private let content: (UnsafeRawBufferPointer) throws(Failure) -> Void
  private let finish: () throws(Failure) -> Void

  private var header: [UInt8] = []
  private var pax: [UInt8]?
  private var records: [String: String] = [:]
  private var left: Int64 = 0
  private var padding: Int64 = 0
  private var isOpen = false
  private(set) var isOver = false

  /// `begin` is told of an entry, then `content` of its bytes, then `finish` that it is whole.
  init(
    begin: @escaping (TarEntry) throws(Failure) -> Void, content: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void,
    finish: @escaping () throws(Failure) -> Void
  ) {
    self.begin = begin
    self.content = content
    self.finish = finish
  }

  static func damaged(_ why: String) -> Failure {
    Failure(.verification, what: "cannot read the node archive", why: why, next: "take another copy of the bundle: kguard bundle pull")
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var at = 0
    while at < bytes.count, !isOver {
      if left > 0 {
        let count = Int(min(left, Int64(bytes.count - at)))
        let part = UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
        if pax != nil { pax?.append(contentsOf: part) } else { try content(part) }
        left -= Int64(count)
        at += count
        if left == 0 { try close() }
      } else if padding > 0 {
        let count = Int(min(padding, Int64(bytes.count - at)))
        padding -= Int64(count)
        at += count
      } else {
        let count = min(Tar.block - header.count, bytes.count - at)
        header.append(contentsOf: bytes[at..<at + count])
        at += count
        if header.count == Tar.block { try read() }
      }
    }
  }

  /// Throws where the archive was cut.
  func end() throws(Failure) { if !isOver { throw Self.damaged("it ends in the middle") } }

  private func close() throws(Failure) {
    if let body = pax {
      records = try Self.records(body)
      pax = nil
    } else if isOpen {
      isOpen = false
      try finish()
    }
  }

  private func read() throws(Failure) {
    let block = header
    header = []
    if block.allSatisfy({ $0 == 0 }) {
      isOver = true
      return
    }
    var sum: Int64 = 0
    for (index, byte) in block.enumerated() { sum += (148..<156).contains(index) ? 32 : Int64(byte) }
    guard Self.octal(block, 148, 8) == sum, let size = Self.octal(block, 124, 12), size <= 1 << 40 else {
      throw Self.damaged("a header's checksum is wrong")
    }
    left = size
    padding = Int64(Tar.padding(size).count)
    if block[156] == UInt8(ascii: "x") {
      guard size <= 1 << 16 else { throw Self.damaged("a name is too long") }
      pax = []
      if left == 0 { try close() }
      return
    }
    guard let kind = TarEntry.Kind(rawValue: block[156]), kind == .file || size == 0, let mode = Self.octal(block, 100, 8),
      let owner = Self.octal(block, 108, 8), let group = Self.octal(block, 116, 8), let modified = Self.octal(block, 136, 12)
    else { throw Self.damaged("an entry is of an unknown kind") }
    var path = records["path"] ?? Self.text(block, 0, 100)
    while path.hasSuffix("/") { path.removeLast() }
    guard !path.isEmpty, !path.hasPrefix("/"), !path.utf8.contains(0), !path.split(separator: "/").contains("..") else {
      throw Self.damaged("a name leads out of it")
    }
    let entry = TarEntry(
      kind: kind, path: path, mode: UInt32(mode & 0o7777), owner: UInt32(clamping: owner), group: UInt32(clamping: group), size: size,
      modified: modified, target: records["linkpath"] ?? Self.text(block, 157, 100))
    records = [:]
    isOpen = true
    try begin(entry)
    if left == 0 { try close() }
  }

  private static func text(_ block: [UInt8], _ at: Int, _ most: Int) -> String {
    String(decoding: block[at..<at + most].prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func octal(_ block: [UInt8], _ at: Int, _ most: Int) -> Int64? {
    let digits = text(block, at, most).split(separator: " ").first ?? ""
    return digits.isEmpty ? 0 : Int64(digits, radix: 8)
  }

  private static func records(_ body: [UInt8]) throws(Failure) -> [String: String] {
    var found: [String: String] = [:]
    var rest = body[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0 != UInt8(ascii: " ") }
      guard let length = Int(String(decoding: digits, as: UTF8.self)), length > digits.count + 1, length <= rest.count else {
        throw damaged("a pax record is wrong")
      }
      let line = rest.prefix(length).dropFirst(digits.count + 1).dropLast()
      let parts = String(decoding: line, as: UTF8.self).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { found[String(parts[0])] = String(parts[1]) }
      rest = rest.dropFirst(length)
    }
    return found
  }
}
