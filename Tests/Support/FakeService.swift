import API
import Base
import Crypto
import Domain
import Federation
import HTTP
import Net

/// What a service is to a node: it answers the node's check, and everything else with what it was
/// asked, so that a test sees what came through.
public final class FakeService: Sendable {
    /// Its server.
    public let peer: FakePeer
    /// Its id, which no other test has.
    public let id: String

    /// One that listens on a free port of this machine.
    public static func start(_ name: String = "echo") throws -> FakeService {
        let peer = try FakePeer.start()
        let port = peer.address.split(separator: ":").last ?? "0"
        let service = FakeService(peer, id: "org.example.\(name)-\(port)")
        service.answersChecks(true)
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            peer.on("\(method) /echo") { await service.tell($0) }
        }
        return service
    }

    private init(_ peer: FakePeer, id: String) {
        self.peer = peer
        self.id = id
    }

    /// Has it answer the node's checks, or not.
    public func answersChecks(_ isThere: Bool) {
        let id = id
        peer.on("GET /.well-known/avr-service") { request in
            let query = request.head.query.flatMap { Query($0) }
            let challenge = query?.pairs.first { $0.name == "challenge" }?.value ?? ""
            return FakePeer.json(
                [
                    "id": .string(isThere ? id : "org.example.other"),
                    "challenge": .string(challenge),
                ])
        }
    }

    /// The request as it came.
    private func tell(_ request: Request) async -> Response {
        var fields: JSONObject = [:]
        for index in 0..<request.head.fieldCount {
            let (name, value) = request.head.field(at: index)
            fields[String(decoding: name, as: UTF8.self).lowercased()] =
                .string(String(decoding: value, as: UTF8.self))
        }
        let body = (try? await request.body.collect(limit: 16 << 20)) ?? []
        return FakePeer.json([
            "method": .string("\(request.head.method.name)"),
            "target": .string(String(decoding: request.head.targetBytes, as: UTF8.self)),
            "fields": .object(fields), "length": .integer(Int64(body.count)),
            "digest": .string(SHA256.hash(body).hex),
        ])
    }

    /// Registers it at `node`, and waits until it is up.
    public func register(at node: TestNode, by owner: TestUser) async throws -> String {
        let made = try await owner.client.data(.put, "/api/services", registration)
        guard let credential = made["credential"]?.stringValue else {
            throw GaveUp("no credential in \(made)")
        }
        try await up(at: node)
        // Eta knows it a moment before the gateway.
        try await Eventually.holds("the way to \(id)") { status in
            let answer = try await node.client.send(
                .get, "/services/\(id)/.well-known/avr-service")
            status.text = "\(answer)"
            return answer.status == 200
        }
        return credential
    }

    /// What it is registered by.
    public var registration: JSONValue {
        [
            "id": .string(id), "title": "Echo", "address": .string(peer.address),
            "secure": false,
        ]
    }

    /// Waits until `node` has found it up, or down.
    public func up(at node: TestNode, _ isUp: Bool = true) async throws {
        try await Eventually.holds("\(id) is \(isUp ? "up" : "down")") { status in
            let answer = try await node.client.send(.get, "/api/services/\(id)")
            status.text = "\(answer)"
            return answer.data?["status"] == .string(isUp ? "up" : "down")
        }
    }
}

extension TestNode {
    /// Somebody who may register services.
    public func serviceCreator() async throws -> TestUser {
        let user = try await user()
        try await administrator().client.data(
            .post, "/api/users/\(user.id)",
            [
                "tags": [
                    "avr:service_creator", "avr:world_creator", "avr:instance_creator",
                    "avr:fetch_external",
                ]
            ])
        return user
    }
}
