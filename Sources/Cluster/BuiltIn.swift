public import Engine
internal import Playbooks

/// Every built-in action of a node and its cluster.
public enum BuiltIn {
  /// It changes the node, though not the cluster.
  public static let kubeadmPackage = PackagesKubeadm.signature.path
  public static let actions: [any Action.Type] = [
    EtcdSnapshot.self, BundleVerify.self, EtcdDrill.self, BundleCopyAction.self, BundlePrune.self,
    NodePreflight.self, ClusterBaseline.self, NodeArchiveAction.self, PackagesKubeadm.self, KubeadmPlan.self, ImagesPull.self,
    KubeadmApply.self, NodeDrain.self, PackagesKubelet.self, KubeletRestart.self, NodeUncordon.self, ClusterVerify.self,
    ClusterAssess.self, EtcdRescue.self, EtcdStage.self, ClusterStop.self, EtcdSwap.self, NodeRestore.self, PackagesRestore.self,
    ClusterStart.self, ClusterVerifyRestored.self,
  ]
}
