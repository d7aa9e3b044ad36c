// swift-tools-version: 6.1
import PackageDescription

/// Everything Swift is built with the same strict settings. Failpoints exist in debug (test) builds only.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .define("FAILPOINTS", .when(configuration: .debug)),
]

func module(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []) -> Target {
  .testTarget(name: name + "Tests", dependencies: dependencies, exclude: exclude, resources: resources, swiftSettings: settings)
}

func library(_ name: String, pkgConfig: String?, apt: [String]) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt(apt)])
}

let package = Package(
  name: "kguard",
  products: [.executable(name: "kguard", targets: ["kguard"])],
  targets: [
    library("CPosix", pkgConfig: nil, apt: ["libc6-dev"]),
    library("CSQLite", pkgConfig: "sqlite3", apt: ["libsqlite3-dev"]),
    library("CCurl", pkgConfig: "libcurl", apt: ["libcurl4-openssl-dev"]),
    library("COpenSSL", pkgConfig: "libcrypto", apt: ["libssl-dev"]),
    library("CYAML", pkgConfig: "yaml-0.1", apt: ["libyaml-dev"]),
    library("CZstd", pkgConfig: "libzstd", apt: ["libzstd-dev"]),

    module("Model", []),
    module("Host", ["Model", "CPosix", "CCurl", "COpenSSL"]),
    module("Journal", ["Model", "Host", "CSQLite"]),
    module("YAML", ["Model", "CYAML"]),
    module("Playbooks", ["Model", "Host", "YAML"], resources: [.embedInCode("Embedded")]),
    module("Engine", ["Model", "Host", "Journal", "Playbooks"]),
    module("Bundles", ["Model", "Host", "COpenSSL", "CZstd"]),
    module("Cluster", ["Model", "Host", "YAML", "Journal", "Playbooks", "Engine", "Bundles"]),
    module("CLI", ["Model", "Host", "Journal", "Playbooks", "Engine", "Bundles", "Cluster"]),
    .executableTarget(name: "kguard", dependencies: ["CLI"], swiftSettings: settings),

    tests("Model", ["Model"]),
    tests("Host", ["Host", "Model"]),
    tests("YAML", ["YAML", "Model"]),
    tests("Journal", ["Journal", "Host", "Model"]),
    tests("Playbooks", ["Playbooks", "YAML", "Host", "Model"]),
    tests("Engine", ["Engine", "Journal", "Playbooks", "Host", "Model"]),
    tests("Bundles", ["Bundles", "Host", "Model"]),
    tests("CLI", ["CLI", "Cluster", "YAML", "Host", "Model", "kguard"], exclude: ["Expected"]),
    tests("Cluster", ["Cluster", "Bundles", "Engine", "Playbooks", "YAML", "Host", "Model"], exclude: ["Servers"]),
  ]
)
