import API
import Base
import Domain
import HTTP
import Support
import Testing

// What the tests of sockets need before they begin, and how they look at what came.

extension TestUser {
    /// A world of theirs.
    func world(_ tags: [String] = []) async throws -> String {
        let tags = JSONValue.array(tags.map { .string($0) })
        let body: JSONValue = ["title": "A place", "tags": tags]
        return "\(try await client.call(WorldAPI.create, body: body).id)"
    }

    /// An instance of theirs, of `world` or one made for it.
    func instance(
        of world: String? = nil, _ tags: [String] = [], capacity: Int64? = nil,
        moderators: [TestUser] = []
    ) async throws -> String {
        var body: JSONObject = [
            "tags": .array(tags.map { .string($0) }),
            "moderators": .array(moderators.map { .string($0.reference) }),
        ]
        if let world {
            body["world"] = .string(world)
        } else {
            body["world"] = .string(try await self.world())
        }
        if let capacity { body["capacity"] = .integer(capacity) }
        let made = try await client.data(.put, "/api/instances", .object(body))
        return try #require(made["id"]?.stringValue)
    }

    /// Changes one of their objects, by its path.
    func change(_ path: String, _ body: JSONValue) async throws {
        try await client.data(.post, path, body)
    }

    /// A socket of theirs that has logged in and subscribes to `events`.
    func socket(_ events: String...) async throws -> TestSocket {
        let socket = try await TestSocket.open(client)
        try await socket.event("authenticated")
        if !events.isEmpty {
            try await socket.command(
                "subscribe", ["events": .array(events.map { .string($0) })])
            try await socket.event("subscribed")
        }
        return socket
    }
}

extension TestSocket {
    /// Enters and returns one's own player.
    @discardableResult
    func join(_ instance: String) async throws -> String {
        let snapshot = try await command("instance-join", ["instance": .string(instance)])
        return try #require(snapshot["player"]?["id"]?.stringValue, "\(snapshot)")
    }

    /// The names of what waits, in the order in which it came.
    var names: [String] { waiting.compactMap { $0["command"]?.stringValue } }

    /// The ids of the objects of which an event waits.
    func told(_ event: String) -> [String] {
        waiting.filter { $0["command"] == .string(event) }
            .compactMap { $0["data"]?["id"]?.stringValue }
    }
}

extension TestNode {
    /// Asks for a socket, where that must be refused, and returns the answer.
    func upgrade(_ fields: [(String, String)]) async throws -> Answer {
        let all =
            [
                ("Host", address), ("Connection", "Upgrade"), ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ] + fields
        let lines = all.map { "\($0): \($1)\r\n" }.joined()
        let connection = try await RawConnection(client.address)
        await connection.send("GET /api/ws HTTP/1.1\r\n\(lines)\r\n")
        // How every envelope of an error ends.
        let text = try #require(await connection.receive(until: "}}"), "no error came")
        let words = text.split(separator: " ", maxSplits: 2)
        let body = try #require(text.firstRange(of: "\r\n\r\n")).upperBound
        return Answer(
            status: Int(words[1]) ?? 0, fields: Fields(), body: Array(text[body...].utf8))
    }
}
