/// One input is a record of a snapshot, or an object in one; see `RecordInput`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneRecord(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do { try RecordInput.take(Array(UnsafeBufferPointer(start: data, count: count))) } catch { fatalError("\(error)") }
  return 0
}
