import Base
import Foundation
import Testing

/// The public collection of JSON texts: `y_` must be read, `n_` refused. Foundation: to list and read
/// the folder.
struct JSONVectorTests {
    /// What the collection allows and the contract does not.
    private static let stricter: Set<String> = [
        "y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json",
    ]

    @Test func `the public collection is read and refused as its names say`() throws {
        let folder = TestVectors.folder("json")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count == 318)
        for name in names {
            let data = try Data(contentsOf: folder.appendingPathComponent(name))
            let value = try? JSONParser.parse([UInt8](data))
            if name.hasPrefix("y_") {
                #expect((value != nil) == !Self.stricter.contains(name), "\(name)")
            } else if name.hasPrefix("n_") {
                #expect(value == nil, "\(name)")
            }
        }
    }
}
