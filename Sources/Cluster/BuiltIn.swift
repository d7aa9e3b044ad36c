public import Engine

/// Every built-in action of a node and its cluster.
public enum BuiltIn {
  public static let actions: [any Action.Type] = [
    EtcdSnapshot.self, BundleVerify.self, EtcdDrill.self, BundleCopyAction.self, BundlePrune.self,
    ClusterBaseline.self, KubeadmPlan.self, ImagesPull.self, KubeadmApply.self, KubeletRestart.self, ClusterVerify.self,
    ClusterAssess.self, EtcdRescue.self, EtcdStage.self, ClusterStop.self, EtcdSwap.self, NodeRestore.self, ClusterStart.self,
    ClusterVerifyRestored.self,
  ]
}
