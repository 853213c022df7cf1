import Base
import Foundation
import Testing

/// The public collection of JSON texts (`y_` must be read, `n_` refused), which lies beside the
/// project on some machines and is no part of it. Foundation: to list and read the folder.
struct JSONVectorTests {
    private static let folder = FileManager.default.currentDirectoryPath + "/../shared/vectors/json"

    /// Whether the collection is there; where it is not, the test is reported as skipped.
    private static var isThere: Bool {
        FileManager.default.fileExists(atPath: folder + "/y_array_empty.json")
    }

    /// What the collection allows and the contract does not.
    private static let stricter: Set<String> = [
        "y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json",
    ]

    @Test(.enabled(if: isThere, "no ../shared/vectors/json beside the package"))
    func `the public collection is read and refused as its names say`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder).sorted()
        for name in names where name.hasSuffix(".json") {
            let data = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/" + name))
            let value = try? JSONParser.parse([UInt8](data))
            if name.hasPrefix("y_") {
                #expect((value != nil) == !Self.stricter.contains(name), "\(name)")
            } else if name.hasPrefix("n_") {
                #expect(value == nil, "\(name)")
            }
        }
    }
}
