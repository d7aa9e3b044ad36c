internal import Cluster
internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `kguard playbook …`
enum PlaybookCommands {
  static let format = OptionSpec("--format", value: "mermaid|dot", "the language of the graph (default mermaid)")
  private static let file = ArgumentSpec("PLAYBOOK", "a file, or the name of a playbook that `kguard playbook list` shows")

  static let spec = CommandSpec(
    name: "playbook", summary: "list, read, check, draw and run playbooks",
    examples: [.init("kguard playbook check my.yaml", "before it is run"), .init("kguard playbook run my.yaml", "run it")],
    subcommands: [
      CommandSpec(
        name: "list", summary: "list the playbooks and the actions that they can use",
        examples: [.init("kguard playbook list", "what there is to run and to build with")],
        run: { (invocation) throws(Failure) in try list(try Session(invocation)) }),
      CommandSpec(
        name: "show", summary: "print a playbook", arguments: [file],
        examples: [.init("kguard playbook show upgrade", "the built-in upgrade")],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          session.print(try session.library().find(name(invocation)).text)
          return .done
        }),
      CommandSpec(
        name: "check", summary: "say everything that is wrong with a playbook", arguments: [file],
        examples: [.init("kguard playbook check my.yaml", "exit 0 where all is well, 2 where not")],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let playbook = try session.playbook(name(invocation))
          if session.isJSON {
            session.printJSON(["playbook": .string(playbook.name), "steps": JSON(playbook.steps.count), "mistakes": []])
          } else {
            session.print("\(playbook.file): the playbook `\(playbook.name)` is good, \(playbook.steps.count) steps\n")
          }
          return .done
        }),
      CommandSpec(
        name: "graph", summary: "draw a playbook as Mermaid or DOT", arguments: [file], options: [format],
        examples: [.init("kguard playbook graph upgrade --format dot | dot -Tsvg", "a picture")],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let playbook = try session.playbook(name(invocation))
          switch invocation.value(format) ?? "mermaid" {
          case "mermaid": session.print(Graph.mermaid(playbook))
          case "dot": session.print(Graph.dot(playbook))
          case let other:
            throw Failure(.usage, what: "there is no format `\(other)`", why: "it is `mermaid` or `dot`", next: "correct --format")
          }
          return .done
        }),
      CommandSpec(
        name: "run", summary: "run a playbook", arguments: [file], options: [RunCommands.set, .dryRun],
        examples: [.init("kguard playbook run my.yaml --set name=value", "with an input")],
        acts: true,
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          return try session.start(try session.playbook(name(invocation)), inputs: try RunCommands.inputs(invocation))
        }),
      CommandSpec(
        name: "schema", summary: "print the JSON Schema of playbooks, for editors",
        examples: [.init("kguard playbook schema > kguard.schema.json", "a file that the editor is told of")],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          session.print(Playbook.schema(catalogue: session.actions.catalogue).text(pretty: true) + "\n")
          return .done
        }),
    ])

  private static func name(_ invocation: Invocation) -> String { invocation.arguments[file.name] ?? "" }

  private static func list(_ session: Session) throws(Failure) -> ExitStatus {
    let playbooks = try session.library().list()
    let actions = session.actions.catalogue.signatures
    if session.isJSON {
      session.printJSON([
        "playbooks": .array(
          playbooks.map { ["name": .string($0.name), "description": .string($0.description), "origin": .string($0.origin)] }),
        "actions": .array(actions.map { ["action": .string($0.path), "summary": .string($0.summary)] }),
      ])
      return .done
    }
    session.print(table([["PLAYBOOK", "FROM", "WHAT"]] + playbooks.map { [$0.name, $0.origin, $0.description] }, within: session.columns))
    session.print("\n" + table([["ACTION", "WHAT"]] + actions.map { [$0.path, $0.summary] }, within: session.columns))
    return .done
  }
}

/// `kguard config …`
enum ConfigCommands {
  static let spec = CommandSpec(
    name: "config", summary: "check the configuration", examples: [.init("kguard config check", "all that is wrong with it")],
    subcommands: [
      CommandSpec(
        name: "check", summary: "say everything that is wrong with the configuration",
        examples: [.init("kguard config check --config new.yaml", "before it is put in place")],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let configuration = try session.configuration()
          try session.requireUsable(configuration)
          if session.isJSON {
            session.printJSON(configuration.shown)
          } else if let file = configuration.file {
            session.print("\(file): the configuration is good\n")
          } else {
            session.print("There is no \(session.machine.locate(Configuration.usualPath)); the defaults are in force.\n")
          }
          if configuration.offsite.isEmpty, !session.isJSON {
            session.say("It names no off-site target: `kguard upgrade` wants one, or `--no-offsite`.\n")
          }
          return .done
        }),
      CommandSpec(
        name: "schema", summary: "print the JSON Schema of the configuration, for editors",
        examples: [.init("kguard config schema > config.schema.json", "a file that the editor is told of")],
        run: { (invocation) throws(Failure) in
          try Session(invocation).print(Configuration.schema.text(pretty: true) + "\n")
          return .done
        }),
    ])
}

extension Session {
  /// What nothing but the machine can tell of a configuration: files that are not there, and copies that nobody decided how to seal.
  fileprivate func requireUsable(_ configuration: Configuration) throws(Failure) {
    let missing = try configuration.missingFiles(machine)
    if !missing.isEmpty {
      let file = configuration.file ?? "the configuration"
      throw Failure(
        .usage, what: "\(file) cannot be used as it is", why: missing.joined(separator: "; "),
        next: "make \(missing.count == 1 ? "the file" : "these files"), or correct the \(missing.count == 1 ? "path" : "paths")")
    }
    try Offsite(configuration, machine, state).requireFittingKeys()
  }
}
