/// What a fuzzer found out, with the words of a test.
struct Contradiction: Error, CustomStringConvertible {
  let description: String
}
