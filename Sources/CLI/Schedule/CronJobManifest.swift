internal import Host
internal import Model

/// A CronJob that runs on one control-plane node and has of it what a backup needs.
extension Schedule {
  struct Pod {
    let image: String
    let node: String
    let namespace: String
    let apiVersion: String
  }

  func cronJob(_ pod: Pod) throws(Failure) -> [Part] {
    let text = """
      # \(Self.mark) cronjob`: \(title).
      # Clusters older than 1.21 know CronJobs as batch/v1beta1 only (--api-version batch/v1beta1).
      # Times are those of the controller manager's zone, which is mostly UTC.
      apiVersion: \(pod.apiVersion)
      kind: CronJob
      metadata:
        name: \(name)
        namespace: \(Self.yaml(pod.namespace))
        labels: {app.kubernetes.io/name: kguard, app.kubernetes.io/component: \(job.rawValue)}
      spec:
        schedule: \(Self.yaml(try time.cron()))
        # kguard has a lock of its own; this keeps pods from piling up.
        concurrencyPolicy: Forbid
        startingDeadlineSeconds: 3600
        successfulJobsHistoryLimit: 3
        failedJobsHistoryLimit: 3
        jobTemplate:
          spec:
            # A pod that was killed is followed by one that goes on with the same run (--resume).
            backoffLimit: 1
            activeDeadlineSeconds: 86400
            template:
              metadata:
                labels: {app.kubernetes.io/name: kguard, app.kubernetes.io/component: \(job.rawValue)}
              spec:
                restartPolicy: Never
                terminationGracePeriodSeconds: 120
                # The record of runs is on this node, so the pod is too.
                nodeSelector:
                  kubernetes.io/hostname: \(Self.yaml(pod.node))
                tolerations:
                  - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}
                  - {key: node-role.kubernetes.io/master, operator: Exists, effect: NoSchedule}
                # etcd listens on the node's own addresses; names are looked up as the node does.
                hostNetwork: true
                dnsPolicy: Default
                automountServiceAccountToken: false
                enableServiceLinks: false
                securityContext:
                  runAsUser: 0
                  runAsGroup: 0
                  seccompProfile: {type: RuntimeDefault}
                containers:
                  - name: kguard
                    # Yours: it holds kguard\(drills ? ", etcd and etcdutl (or an etcdctl older than 3.6) of the cluster's etcd version" : ""), and rsync and ssh where a target needs them.
                    image: \(Self.yaml(pod.image))
                    command: [kguard]
                    args: [\(arguments.map { Self.yaml($0) }.joined(separator: ", "))]
                    # Credentials of off-site stores, if they come from the environment.
                    envFrom:
                      - secretRef: {name: kguard, optional: true}
                    resources:
                      requests: {cpu: 100m, memory: 256Mi}
                      limits: {memory: 2Gi}
                    securityContext:
                      allowPrivilegeEscalation: false
                      readOnlyRootFilesystem: true
                      capabilities:
                        drop: [ALL]
                        add: [\((["DAC_OVERRIDE"] + (drills ? ["CHOWN", "FOWNER"] : [])).joined(separator: ", "))]
                    volumeMounts:
      \(mounts.map { "                - " + $0.mount }.joined(separator: "\n"))
                volumes:
      \(mounts.map { "            - " + $0.volume }.joined(separator: "\n"))

      """
    return [Part(name: name + "-cronjob.yaml", text: text)]
  }

  private struct Mount {
    let name: String
    let path: String
    let type: String
    var isReadOnly = false
    /// A share that is mounted on the node later is seen in the pod too.
    var propagates = false

    var mount: String {
      "{name: \(name), mountPath: \(Schedule.yaml(path))\(isReadOnly ? ", readOnly: true" : "")"
        + "\(propagates ? ", mountPropagation: HostToContainer" : "")}"
    }
    var volume: String {
      type.isEmpty ? "{name: \(name), emptyDir: {}}" : "{name: \(name), hostPath: {path: \(Schedule.yaml(path)), type: \(type)}}"
    }
  }

  private var mounts: [Mount] {
    func at(_ path: String) -> String { root == "/" ? path : root + path }
    var mounts = [
      Mount(name: "kubernetes", path: at("/etc/kubernetes"), type: "Directory", isReadOnly: true),
      Mount(
        name: "config", path: config.map { Files.directory(of: $0) } ?? at("/etc/kguard"), type: "DirectoryOrCreate", isReadOnly: true),
      Mount(name: "state", path: state, type: "DirectoryOrCreate"),
    ]
    if let encryption, !mounts.contains(where: { $0.path == encryption }) {
      mounts.append(Mount(name: "encryption", path: encryption, type: "Directory", isReadOnly: true))
    }
    if drills {
      for (number, path) in (etcd.isEmpty ? [at("/var/lib/etcd")] : etcd).enumerated() {
        mounts.append(Mount(name: number == 0 ? "etcd" : "etcd-wal", path: path, type: "Directory"))
      }
    }
    for (number, path) in written.enumerated() where !mounts.contains(where: { $0.path == path }) {
      mounts.append(Mount(name: "written-\(number + 1)", path: path, type: "Directory", propagates: true))
    }
    mounts.append(Mount(name: "tmp", path: "/tmp", type: ""))
    return mounts
  }

  /// A text as YAML (and JSON) write it.
  static func yaml(_ text: String) -> String { JSON.string(text).text() }
}
