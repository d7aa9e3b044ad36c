/// Reads a pattern into a program for `Pattern`.
struct PatternParser {
  struct Wrong: Error { let why: String }

  typealias Set = Pattern.CharacterSet

  indirect enum Tree {
    case nothing
    case one(Set)
    case both(Tree, Tree)
    case either(Tree, Tree)
    case times(Tree, Int, Int?)
  }

  private let scalars: [Unicode.Scalar]
  private var at = 0

  private let maximumLength: Int

  init(_ source: String, maximumLength: Int) {
    self.scalars = Array(source.unicodeScalars)
    self.maximumLength = maximumLength
  }

  mutating func program() throws(Wrong) -> [Pattern.Instruction] {
    guard scalars.count <= maximumLength else { throw Wrong(why: "it is longer than \(maximumLength) characters") }
    let tree = try alternatives()
    if at < scalars.count { throw wrong("`)` closes nothing") }
    var program: [Pattern.Instruction] = []
    try emit(tree, &program)
    program.append(.match)
    return program
  }

  private func wrong(_ what: String) -> Wrong { Wrong(why: "\(what), at its character \(at + 1)") }
  private var here: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard here == scalar else { return false }
    at += 1
    return true
  }

  private mutating func alternatives() throws(Wrong) -> Tree {
    var tree = try sequence()
    while take("|") { tree = .either(tree, try sequence()) }
    return tree
  }

  private mutating func sequence() throws(Wrong) -> Tree {
    var tree = Tree.nothing
    while let scalar = here, scalar != "|", scalar != ")" {
      // The whole text is matched anyway: the anchors at both ends say nothing new.
      if scalar == "^" && at == 0 || scalar == "$" && at == scalars.count - 1 {
        at += 1
        continue
      }
      tree = .both(tree, try repeated(try atom()))
    }
    return tree
  }

  private mutating func atom() throws(Wrong) -> Tree {
    guard let scalar = here else { throw wrong("it ends early") }
    switch scalar {
    case "(":
      at += 1
      if take("?"), !take(":") { throw wrong("of the groups with `?` only `(?:` is known") }
      let inside = try alternatives()
      guard take(")") else { throw wrong("a `(` is not closed") }
      return inside
    case "[":
      at += 1
      return .one(try brackets())
    case ".":
      at += 1
      return .one(Set(ranges: [10...10], isNegated: true))
    case "\\":
      at += 1
      return .one(try escape())
    case "*", "+", "?": throw wrong("`\(scalar)` has nothing to repeat")
    case "{", "}": throw wrong("`\(scalar)` has nothing to repeat; a literal one is written `\\\(scalar)`")
    case "^", "$": throw wrong("`\(scalar)` stands at the pattern's ends only; a literal one is written `\\\(scalar)`")
    default:
      at += 1
      return .one(Set(ranges: [scalar.value...scalar.value]))
    }
  }

  private mutating func repeated(_ tree: Tree) throws(Wrong) -> Tree {
    let repeated: Tree
    switch here {
    case "*": repeated = .times(tree, 0, nil)
    case "+": repeated = .times(tree, 1, nil)
    case "?": repeated = .times(tree, 0, 1)
    case "{":
      at += 1
      guard let least = number() else { throw wrong("a number was expected after `{`") }
      var most: Int? = least
      if take(",") { most = number() }
      guard here == "}" else { throw wrong("a `{` is not closed") }
      if let most, most < least { throw wrong("`{\(least),\(most)}` counts down") }
      repeated = .times(tree, least, most)
    default: return tree
    }
    at += 1
    if let scalar = here, ["*", "+", "?", "{"].contains(scalar) { throw wrong("`\(scalar)` repeats a repetition; use a group") }
    return repeated
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let digit = here, ("0"..."9").contains(digit) {
      value = min((value ?? 0) * 10 + Int(digit.value - 48), 10_000)
      at += 1
    }
    return value
  }

  private static let digits: [ClosedRange<UInt32>] = [48...57]
  private static let word: [ClosedRange<UInt32>] = [48...57, 65...90, 95...95, 97...122]
  private static let space: [ClosedRange<UInt32>] = [9...13, 32...32]

  private mutating func escape() throws(Wrong) -> Set {
    guard let scalar = here else { throw wrong("it ends with `\\`") }
    at += 1
    switch scalar {
    case "d", "D": return Set(ranges: Self.digits, isNegated: scalar == "D")
    case "w", "W": return Set(ranges: Self.word, isNegated: scalar == "W")
    case "s", "S": return Set(ranges: Self.space, isNegated: scalar == "S")
    case "n": return Set(ranges: [10...10])
    case "r": return Set(ranges: [13...13])
    case "t": return Set(ranges: [9...9])
    case "x":
      let digits = scalars[at...].prefix(2)
      guard digits.count == 2, let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16) else {
        throw wrong("`\\x` needs two hexadecimal digits")
      }
      at += 2
      return Set(ranges: [value...value])
    case let scalar where scalar.properties.isAlphabetic || ("0"..."9").contains(scalar):
      at -= 1
      throw wrong("`\\\(scalar)` is not known")
    default: return Set(ranges: [scalar.value...scalar.value])
    }
  }

  private mutating func brackets() throws(Wrong) -> Set {
    var set = Set(isNegated: take("^"))
    var isFirst = true
    while let scalar = here, scalar != "]" || isFirst {
      isFirst = false
      let low = try bracketed()
      guard here == "-", at + 1 < scalars.count, scalars[at + 1] != "]" else {
        set.ranges += low.ranges
        continue
      }
      at += 1
      let high = try bracketed()
      guard let from = low.single, let to = high.single, from <= to else { throw wrong("the range in `[…]` is not one") }
      set.ranges.append(from...to)
    }
    guard take("]") else { throw wrong("a `[` is not closed") }
    return set
  }

  private mutating func bracketed() throws(Wrong) -> Set {
    guard let scalar = here else { throw wrong("a `[` is not closed") }
    if scalar == "[", at + 1 < scalars.count, [":", ".", "="].contains(scalars[at + 1]) {
      throw wrong("classes such as `[:alpha:]` are not known; write a-z")
    }
    at += 1
    guard scalar == "\\" else { return Set(ranges: [scalar.value...scalar.value]) }
    let set = try escape()
    if set.isNegated { throw wrong("`\\D`, `\\W` and `\\S` do not stand in `[…]`") }
    return set
  }

  private func emit(_ tree: Tree, _ program: inout [Pattern.Instruction]) throws(Wrong) {
    guard program.count < Pattern.maximumSize else { throw Wrong(why: "its repetitions multiply to too large a pattern") }
    switch tree {
    case .nothing: break
    case .one(let set): program.append(.one(set))
    case .both(let a, let b):
      try emit(a, &program)
      try emit(b, &program)
    case .either(let a, let b):
      let split = program.count
      program.append(.match)
      try emit(a, &program)
      let jump = program.count
      program.append(.match)
      program[split] = .split(split + 1, program.count)
      try emit(b, &program)
      program[jump] = .jump(program.count)
    case .times(let tree, let least, let most):
      for _ in 0..<least {
        let before = program.count
        try emit(tree, &program)
        if program.count == before { break }
      }
      let optional = most.map { $0 - least }
      if let optional {
        var splits: [Int] = []
        for _ in 0..<optional {
          splits.append(program.count)
          program.append(.match)
          try emit(tree, &program)
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
      } else {
        let split = program.count
        program.append(.match)
        try emit(tree, &program)
        program.append(.jump(split))
        program[split] = .split(split + 1, program.count)
      }
    }
  }
}

extension Pattern.CharacterSet {
  fileprivate var single: UInt32? {
    guard ranges.count == 1, !isNegated, let range = ranges.first, range.count == 1 else { return nil }
    return range.lowerBound
  }
}
