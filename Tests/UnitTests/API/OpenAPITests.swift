import API
import Base
import HTTP
import Testing

/// Protects: the document is made from the table, so what is built is described and nothing else.
struct OpenAPITests {
    private let document = OpenAPI.document(of: AllEndpoints.all, server: "http://a.example")

    @Test func `every endpoint with an envelope is an operation of a name of its own`() throws {
        var names: Set<String> = []
        for endpoint in AllEndpoints.all where endpoint.output != nil {
            let path = endpoint.template.split(separator: "/").map { part -> String in
                guard let colon = part.firstIndex(of: ":") else { return String(part) }
                return "\(part[..<colon]){\(part[part.index(after: colon)...])}"
            }.joined(separator: "/")
            let operation = try #require(
                document["paths"]?["/\(path)"]?["\(endpoint.method.name)".lowercased()])
            let name = try #require(operation["operationId"]?.stringValue)
            #expect(names.insert(name).inserted, "\(name) is there twice")
            #expect(operation["responses"]?[endpoint.created ? "201" : "200"] != nil)
        }
        #expect(names.count > 30)
    }

    @Test func `what answers every method is not described`() {
        // Its paths are the service's own.
        #expect(document["paths"]?["/services/{id}/…"] == nil)
        #expect(document["openapi"]?.stringValue == "3.1.0")
    }
}
