/// One input is a sealed file, or a part of one; see `SealInput`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneSealedFile(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do { try SealInput.take(Array(UnsafeBufferPointer(start: data, count: count))) } catch { fatalError("\(error)") }
  return 0
}
