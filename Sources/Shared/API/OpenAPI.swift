import Base
import Domain
import HTTP

/// The OpenAPI 3.1 document, made from the endpoint table and nothing else.
public enum OpenAPI {
    /// The document of `endpoints`, for the node at `server` (an origin such as
    /// `https://example.org`).
    public static func document(of endpoints: [EndpointFacts], server: String) -> JSONValue {
        var paths = JSONObject()
        for endpoint in endpoints where endpoint.output != nil {
            let name = path(endpoint.template)
            var item = paths[name]?.objectValue ?? JSONObject()
            item["\(endpoint.method.name)".lowercased()] = operation(endpoint)
            paths[name] = .object(item)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Reileta", "version": "1",
                "description": "The federation API of a node, as its Reil answers it.",
            ],
            "servers": [["url": JSONValue.string(server)] as JSONValue],
            "paths": .object(paths),
            "components": [
                "securitySchemes": [
                    "bearer": [
                        "type": "http", "scheme": "bearer",
                        "description": "an access, an integrity or a server token",
                    ]
                ],
                "schemas": [
                    "Failure": failureSchema
                ],
            ],
        ]
    }

    private static func path(_ template: String) -> String {
        var text = ""
        var inCapture = false
        for character in template {
            if character == ":" {
                text += "{"
                inCapture = true
            } else {
                if character == "/", inCapture {
                    text += "}"
                    inCapture = false
                }
                text.append(character)
            }
        }
        return inCapture ? text + "}" : text
    }

    private static func operation(_ endpoint: EndpointFacts) -> JSONValue {
        var operation: JSONObject = [
            "operationId": .string(identifier(endpoint)),
            "summary": .string(endpoint.summary),
            "description": .string("Who may call: \(endpoint.access.word)"),
        ]
        if !endpoint.parameters.isEmpty {
            operation["parameters"] = .array(endpoint.parameters.map(parameter))
        }
        switch endpoint.body {
        case .none: break
        case .json(let schema):
            operation["requestBody"] = [
                "required": true, "content": ["application/json": ["schema": schema]],
            ]
        case .binary:
            operation["requestBody"] = [
                "required": true,
                "content": [
                    "application/octet-stream": ["schema": ["type": "string", "format": "binary"]]
                ],
            ]
        }
        if endpoint.credentials == .checked {
            operation["security"] =
                endpoint.access.kinds.contains(.nobody)
                ? [.object([:]), ["bearer": .array([])]] : [["bearer": .array([])]]
        } else {
            operation["security"] = [.object([:])]
        }
        operation["responses"] = responses(endpoint)
        return .object(operation)
    }

    /// `GET /api/worlds/:id/assets` is `getWorldsIdAssets`.
    private static func identifier(_ endpoint: EndpointFacts) -> String {
        let words = endpoint.template.split { !$0.isLetter && !$0.isNumber }.dropFirst()
        return "\(endpoint.method.name)".lowercased()
            + words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private static func parameter(_ parameter: Parameter) -> JSONValue {
        [
            "name": .string(parameter.name), "in": parameter.inPath ? "path" : "query",
            "required": .boolean(parameter.inPath), "description": .string(parameter.summary),
            "schema": parameter.schema,
        ]
    }

    private static func responses(_ endpoint: EndpointFacts) -> JSONValue {
        var responses = JSONObject()
        let success: JSONValue = [
            "description": "done",
            "content": [
                "application/json": ["schema": envelope(["data": endpoint.output ?? .object([:])])]
            ],
        ]
        responses[endpoint.created ? "201" : "200"] = success
        if endpoint.method == .get, !endpoint.holdsToken, !endpoint.volatile {
            responses["304"] = ["description": "not changed since the given tag"]
        }
        var codes = Set(endpoint.errors)
        codes.formUnion([.malformedRequest, .tooManyRequests, .overloaded, .internalError])
        codes.insert(endpoint.invalid)
        if endpoint.credentials == .checked {
            codes.formUnion([.userNotLogged, .wrongCredential, .userSuspended])
        }
        if endpoint.readsAbroad {
            codes.formUnion(ErrorCode.ofReadingAbroad)
            codes.formUnion([.serverInvalidInput, .objectNotInternal])
        }
        if case .json = endpoint.body {
            codes.formUnion([.unsupportedMediaType, .payloadTooLarge])
        }
        if endpoint.method == .post { codes.insert(.preconditionFailed) }
        if !endpoint.access.kinds.contains(.nobody) { codes.insert(.userDontHavePermission) }
        for (status, group) in Dictionary(grouping: codes, by: \.status).sorted(by: { $0.0 < $1.0 })
        {
            let names = group.sorted { $0.rawValue < $1.rawValue }
                .map { "\($0.rawValue) \($0.name)" }.joined(separator: ", ")
            responses[String(status)] = [
                "description": .string(names),
                "content": [
                    "application/json": ["schema": ["$ref": "#/components/schemas/Failure"]]
                ],
            ]
        }
        return .object(responses)
    }

    private static func envelope(_ more: JSONObject) -> JSONValue {
        var properties: JSONObject = [
            "request": ["type": "string"], "time": ["type": "integer"],
        ]
        for member in more.members { properties[member.key] = member.value }
        return [
            "type": "object", "properties": .object(properties),
            "required": .array((["request", "time"] + more.keys).map { .string($0) }),
        ]
    }

    private static let failureSchema: JSONValue = envelope([
        "error": [
            "type": "object",
            "properties": [
                "code": ["type": "integer"], "message": ["type": "string"],
                "details": [
                    "type": "array",
                    "items": [
                        "type": "object",
                        "properties": [
                            "field": ["type": "string"], "message": ["type": "string"],
                        ],
                        "required": ["field", "message"],
                    ],
                ],
            ],
            "required": ["code", "message"],
        ]
    ])
}
