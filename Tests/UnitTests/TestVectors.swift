import Foundation

/// Data of others that lies beside the tests, in `Vectors`.
enum TestVectors {
    /// The folder of that name. Foundation: its path.
    static func folder(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Vectors").appendingPathComponent(name)
    }
}
