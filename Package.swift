// swift-tools-version: 6.2
import PackageDescription

/// One array for every target: the language mode and the checks that the house style counts on.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // Without it the async functions of an actor's helpers leave the event loop.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

func shared(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/Shared/\(name)",
        swiftSettings: strict)
}

func role(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: strict)
}

let package = Package(
    name: "reileta",
    products: [
        .executable(name: "eta", targets: ["Eta"]),
        .executable(name: "reil", targets: ["Reil"]),
        .executable(name: "ins", targets: ["Ins"]),
    ],
    targets: [
        // The system: what Glibc's module lacks, OpenSSL 3, SQLite.
        .systemLibrary(name: "CSystem", path: "Sources/Shared/CSystem"),
        // Values and the injected outside.
        shared("Base", []),
        // Bytes in, bytes out; words of the product.
        shared("Crypto", ["Base", "CSystem"]),
        shared("Domain", ["Base"]),
        // Protocols and storage.
        shared("HTTP", ["Base", "Crypto", "Domain"]),
        shared("Storage", ["Base", "Crypto", "Domain", "CSystem"]),
        // Sockets; the endpoint table.
        shared("Net", ["Base", "Crypto", "HTTP", "CSystem"]),
        shared("API", ["Base", "Crypto", "Domain", "HTTP"]),
        // Peers; processes.
        shared("Federation", ["Base", "Crypto", "Domain", "HTTP", "API"]),
        shared("Runtime", ["Base", "Crypto", "Domain", "HTTP", "Net", "CSystem"]),
        // The three roles.
        role("Eta", ["Base", "Crypto", "Domain", "HTTP", "Storage", "Net", "API", "Runtime"]),
        role("Reil", ["Base", "Crypto", "Domain", "HTTP", "Net", "API", "Federation", "Runtime"]),
        role("Ins", ["Base", "Crypto", "Domain", "HTTP", "Net", "API", "Runtime"]),
        // What the tests stand on, the tests of the parts, the tests of the whole.
        .target(
            name: "Support",
            dependencies: ["Base", "Crypto", "Domain", "HTTP", "Net", "API", "Federation"],
            path: "Tests/Support", swiftSettings: strict),
        .testTarget(
            name: "UnitTests",
            dependencies: [
                "Support", "Base", "Crypto", "Domain", "HTTP", "Storage", "Net", "API",
                "Federation", "Runtime", "Eta", "Reil", "Ins", "CSystem",
            ],
            // Tables of the contract: data that the tests read, no sources.
            path: "Tests/UnitTests", exclude: ["Contract", "Vectors"], swiftSettings: strict),
        .testTarget(
            name: "ProcessTests",
            dependencies: [
                "Support", "Base", "Crypto", "Domain", "HTTP", "Net", "API", "Federation",
                "CSystem",
            ],
            path: "Tests/ProcessTests", swiftSettings: strict),
    ]
)

// libFuzzer brings a `main` of its own: this target is there only when `./cluster/test fuzz` asks.
if Context.environment["REILETA_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["Support"], path: "Tests/Fuzz",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
