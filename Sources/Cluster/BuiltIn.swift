public import Engine

public enum BuiltIn {
  public static let actions: [any Action.Type] = [
    ClusterBaseline.self, KubeadmPlan.self, ImagesPull.self, KubeadmApply.self, KubeletRestart.self, ClusterVerify.self,
  ]
}
