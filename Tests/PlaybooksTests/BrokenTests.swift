import Model
import Playbooks
import Testing
import YAML

/// A text with mistakes, and the whole of what is said about it.
struct Broken: Sendable, CustomTestStringConvertible {
  let title: String
  let text: String
  let message: String
  init(_ title: String, _ text: String, _ message: String) {
    self.title = title
    self.text = text
    self.message = message
  }
  var testDescription: String { title }
}

@Suite struct `Mistakes` {
  @Test(arguments: brokenDocuments + brokenSteps + brokenReferences + brokenConditions)
  func `a broken playbook is answered with all its mistakes`(broken: Broken) {
    do throws(PlaybookProblems) {
      _ = try Playbook.load(text: broken.text, file: "p.yaml", catalogue: catalogue)
      Issue.record("it was taken for a good one")
    } catch {
      #expect(error.failure.why == broken.message)
      #expect(error.failure.exit == .usage)
      #expect(error.mistakes.map(\.position) == error.mistakes.map(\.position).sorted())
    }
  }

  @Test(arguments: brokenConfigurations)
  func `a broken configuration is answered with all its mistakes`(broken: Broken) {
    do throws(PlaybookProblems) {
      _ = try Configuration.load(text: broken.text, file: "c.yaml")
      Issue.record("it was taken for a good one")
    } catch {
      #expect(error.failure.why == broken.message)
      #expect(error.failure.exit == .usage)
    }
  }

  @Test func `a failure says what and what next`() {
    do throws(PlaybookProblems) {
      _ = try Playbook.load(text: "name: p\n", file: "p.yaml", catalogue: catalogue)
    } catch {
      #expect(error.failure.what == "the playbook p.yaml has a mistake")
      #expect(error.failure.next == "correct it; `kguard playbook check` looks again")
    }
  }

  @Test func `a large file is refused before it is read`() {
    let text = "name: p\nsteps:\n" + String(repeating: "  - {id: a, action: kubeadm/apply}\n", count: 10_000)
    do throws(PlaybookProblems) {
      _ = try Playbook.load(text: text, file: "p.yaml", catalogue: catalogue)
    } catch {
      #expect(error.failure.why == "p.yaml:1:1: the file is larger than 256 KiB")
    }
  }

  @Test func `a file as large as may be is read in good time`() {
    let text = "name: p\nsteps:\n" + String(repeating: "  - {id: a, action: kubeadm/apply}\n", count: 7_000)
    do throws(PlaybookProblems) {
      _ = try Playbook.load(text: text, file: "p.yaml", catalogue: catalogue)
    } catch {
      #expect(error.mistakes.count == 7_000 * 5 - 1)
    }
  }

  @Test func `a large playbook is loaded in good time`() throws {
    let steps = (0..<5000).map { "  - {id: s\($0), run: [x, \"${run.id}\"], undo: [y]}\n" }.joined()
    #expect(try Playbook.load(text: "name: p\nsteps:\n" + steps, file: "p.yaml", catalogue: catalogue).steps.count == 5000)
  }

  @Test func `of very many mistakes a hundred are shown`() {
    let text = "name: p\nsteps:\n" + String(repeating: "  - x\n", count: 1000)
    do throws(PlaybookProblems) {
      _ = try Playbook.load(text: text, file: "p.yaml", catalogue: catalogue)
    } catch {
      #expect(error.mistakes.count == 1000)
      #expect(error.failure.why.hasSuffix("\nand 900 more"))
    }
  }
}
