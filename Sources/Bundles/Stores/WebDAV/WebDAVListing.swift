internal import Model

/// What PROPFIND with depth 1 says about one collection: RFC 4918.
struct WebDAVListing {
  struct Entry {
    var name: String
    var isCollection: Bool
    var size: Int64
    var modified: Timestamp?
  }

  static let question =
    #"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>"#

  var entries: [Entry] = []

  /// `path` is the collection's, decoded, with its slash. What the answer says of anything else is not used.
  init(_ root: XMLElement, below path: String) throws(Failure) {
    guard root.name == "multistatus" else {
      throw Failure(
        what: "cannot read the server's listing", why: "it is a <\(root.name)>", next: "check the address: does this server speak WebDAV?")
    }
    for response in root.all("response") {
      guard let href = response["href"]?.text.filter({ !$0.isWhitespace }), let full = percentDecoded(Self.path(href)), full.hasPrefix(path)
      else { continue }
      let name = full.dropFirst(path.count).split(separator: "/", omittingEmptySubsequences: false)
      // `name` or `name/`; the collection itself comes too, with an empty name.
      guard let first = name.first, !first.isEmpty, name.count == 1 || (name.count == 2 && name[1].isEmpty) else { continue }
      let properties = response.all("propstat").filter { $0["status"]?.text.contains(" 200") ?? true }.flatMap { $0.all("prop") }
      let isCollection = properties.contains { $0["resourcetype", "collection"] != nil }
      let size = properties.compactMap { $0["getcontentlength"].flatMap { Int64($0.text) } }.first
      guard isCollection || size.map({ $0 >= 0 }) ?? false else { continue }
      let modified = properties.compactMap { $0["getlastmodified"].flatMap { Timestamp(httpDate: $0.text) } }.first
      entries.append(Entry(name: String(first), isCollection: isCollection, size: size ?? 0, modified: modified))
    }
  }

  /// The path of a whole URL, or of one that is only a path.
  private static func path(_ href: String) -> String {
    guard href.hasPrefix("http://") || href.hasPrefix("https://") else { return href }
    let parts = href.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    return parts.count == 4 ? "/" + parts[3] : "/"
  }
}
