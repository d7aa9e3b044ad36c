/// One input is an answer of etcd; see `RPCInput`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneAnswer(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do { try RPCInput.take(Array(UnsafeBufferPointer(start: data, count: count))) } catch { fatalError("\(error)") }
  return 0
}
