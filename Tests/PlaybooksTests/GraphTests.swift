import Playbooks
import Testing

@Suite struct `Graphs` {
  let text = """
    name: p
    steps:
      - {id: a, action: etcd/snapshot, retries: 3, timeout: 30m}
      - {id: b, run: [echo, "<b> \\"${run.id}\\" #1 | [x]"], when: "${run.id} == \\"x\\"", on-failure: continue}
      - {id: c, shell: "line\\nother", retries: 1, on-failure: rollback}
    rollback: back-again
    """

  @Test func `a playbook as Mermaid`() throws {
    let playbook = try Playbook.load(text: text, file: "p.yaml", catalogue: catalogue)
    #expect(
      Graph.mermaid(playbook) == """
        flowchart TD
          begin(["p"])
          step1["a<br/>etcd/snapshot<br/>3 retries<br/>timeout 30m"]
          step2["b<br/>run: echo #60;b#62; #34;$#123;run.id#125;#34; #35;1 #124; #91;x#93;<br/>when $#123;run.id#125; == #34;x#34;"]
          step3["c<br/>shell: line…<br/>1 retry"]
          done(["done"])
          back(["back-again"])
          begin --> step1
          step1 --> step2
          step2 --> step3
          step3 --> done
          step2 -. "on failure, too" .-> step3
          step3 -. "on failure" .-> back

        """)
  }

  @Test func `a playbook for Graphviz`() throws {
    let playbook = try Playbook.load(text: text, file: "p.yaml", catalogue: catalogue)
    #expect(
      Graph.dot(playbook) == """
        digraph "p" {
          node [shape=box, style=rounded];
          begin [label="p", shape=oval];
          step1 [label="a\\netcd/snapshot\\n3 retries\\ntimeout 30m"];
          step2 [label="b\\nrun: echo <b> \\"${run.id}\\" #1 | [x]\\nwhen ${run.id} == \\"x\\""];
          step3 [label="c\\nshell: line…\\n1 retry"];
          done [label="done", shape=oval];
          back [label="back-again", shape=oval];
          begin -> step1;
          step1 -> step2;
          step2 -> step3;
          step3 -> done;
          step2 -> step3 [style=dashed, label="on failure, too"];
          step3 -> back [style=dashed, label="on failure"];
        }

        """)
  }
}
