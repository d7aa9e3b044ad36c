import Glibc
import Host
import Model
import Testing

@Suite(.serialized) struct `The report of a rollback` {
  @Test func `tells the outage, what was lost by name, where the rest lies, and how to take it back`() throws {
    let node = try GuardedNode()
    let result = try node.run("put late-1\nput late-2\nrm etc/kubernetes/manifests/kube-scheduler.yaml")
    #expect(result.exit == 4, "\(result.errors)")
    let ended = try node.ended()
    let page = try node.kguard("report").output
    checkPage(page)
    #expect(page.contains("<b>↶ rolled back</b>"))
    #expect(page.contains("failed at the step damage and was rolled back: the cluster is as it was before the run."))
    #expect(page.contains("<li><code>ConfigMap demo/late-1</code></li>"))
    #expect(page.contains("<code>kguard rollback --undo \(ended.run)</code>"))
    #expect(page.contains("Rollback, run \(ended.rollback)"))
    #expect(page.contains("<svg class=\"availability\""))
    #expect(page.contains("<title>away for "))
    #expect(page.contains("etcd.kguard-aside-\(ended.rollback)"))
    #expect(page.contains("/lost.jsonl"))
    // Of the rollback's own id it is the same story.
    let other = try node.kguard("report", ended.rollback).output
    #expect(other.split(separator: "<footer>")[0] == page.split(separator: "<footer>")[0])
    let ticket = try node.kguard("report", "--format", "markdown").output
    #expect(ticket.contains("- `ConfigMap demo/late-1`\n"))
    #expect(ticket.contains("- Undo the rollback: `kguard rollback --undo \(ended.run)`\n"))
    // No file of the node's keys is quoted.
    for name in ["sa.key", "ca.key"] {
      let key = try Files.textIfPresent(node.root + "/etc/kubernetes/pki/" + name)?.split(separator: "\n") ?? []
      #expect(key.count > 3 && !page.contains(key[1]))
    }
  }
}
