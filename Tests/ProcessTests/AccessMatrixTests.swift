import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Who may call what: every endpoint of the table × every kind of caller. What is expected follows
/// from the access column; paths name objects that do not exist, so that nothing is changed by who
/// gets through.
@Suite struct AccessMatrixTests {
    /// The callers of the matrix.
    enum Kind: String, CaseIterable {
        case nobody, user, bare, administrator, visitor, server, garbage, dead, marked
    }

    /// What the callers share: two nodes, a peer with a server token, and who is who.
    struct Stage: Sendable {
        let node: TestNode
        let home: TestNode
        let peer: FakePeer
        let serverToken: String
        let administrator: TestUser
        let user: TestUser
        let bare: TestUser
        let guest: TypedClient
        let dead: TypedClient

        static let shared = Once {
            let node = try await Shared.plain.get()
            let home = try await Shared.other.get()
            let peer = try FakePeer.start()
            let made = try await node.user()
            try await node.eta(
                "user", "tag", made.name, "avr:world_creator", "avr:instance_creator",
                "avr:fetch_external", "--remove")
            let bare = try await made.again()
            // What the operator changes reaches the gateway within a second or so.
            try await Eventually.holds("tags taken away") { status in
                let answer = try await bare.client.send(.put, "/api/worlds", ["title": "x"])
                status.text = "\(answer)"
                return answer.code == 4
            }
            let gone = try await node.user()
            try await gone.client.data(.delete, "/api/auth/logout")
            return Stage(
                node: node, home: home, peer: peer, serverToken: try await peer.token(at: node),
                administrator: try await node.administrator(), user: try await node.user(),
                bare: bare, guest: try await home.user().visiting(node), dead: gone.client)
        }

        /// What `kind` gets when it calls `row`.
        func ask(_ row: EndpointFacts, as kind: Kind) async throws -> Answer {
            let target = row.unknownTarget
            let body: JSONValue? = row.takesJSON ? [:] : nil
            switch kind {
            case .nobody: return try await node.client.send(row.method, target, body)
            case .user: return try await client(user, row).send(row.method, target, body)
            case .bare: return try await client(bare, row).send(row.method, target, body)
            case .administrator:
                return try await client(administrator, row).send(row.method, target, body)
            case .visitor: return try await guest.send(row.method, target, body)
            case .server:
                return try await peer.send(
                    row.method, target, body, to: node, token: serverToken)
            case .garbage:
                return try await node.client.with(token: "no token at all").send(
                    row.method, target, body)
            case .dead: return try await dead.send(row.method, target, body)
            case .marked:
                return try await node.client.with(token: user.token, agent: "x AVR(Server)").send(
                    row.method, target, body)
            }
        }

        /// For calls that end sessions, somebody whose sessions nobody else uses.
        private func client(_ user: TestUser, _ row: EndpointFacts) async throws -> TypedClient {
            let endsSessions =
                row.template.hasPrefix("/api/auth/")
                && (row.method == .delete || row.template.hasSuffix("logout"))
            return endsSessions ? try await node.user().client : user.client
        }
    }

    /// The codes that the access column alone gives; nil: it lets the caller through.
    private func refusal(_ row: EndpointFacts, _ kind: Kind) -> Int? {
        if row.credentials == .ignored { return nil }
        let kinds: CallerKinds
        switch kind {
        case .garbage, .dead: return 3
        case .marked: return 54
        case .nobody: kinds = .nobody
        case .user, .bare, .administrator: kinds = .user
        case .visitor: kinds = .visitor
        case .server: kinds = .server
        }
        guard row.access.kinds.contains(kinds) else { return kind == .nobody ? 3 : 54 }
        if row.access.administrator, kind == .user || kind == .bare { return 4 }
        if row.access.tag != nil, kind == .bare { return 4 }
        return nil
    }

    /// What passes the gate may still answer 3 or 54 by itself; each with its reason. This list may
    /// only shrink.
    private static let excused: [String: [Kind]] = [:]

    @Test(arguments: EndpointTable.names) func `the access column decides`(
        name: String
    ) async throws {
        let stage = try await Stage.shared.get()
        let row = EndpointTable.row(name)
        for kind in Kind.allCases where !(Self.excused[name] ?? []).contains(kind) {
            let answer = try await stage.ask(row, as: kind)
            if let expected = refusal(row, kind) {
                #expect(answer.code == expected, "\(kind.rawValue): \(answer)")
                #expect(
                    answer.status == (expected == 4 ? 403 : 401), "\(kind.rawValue): \(answer)")
            } else {
                #expect(
                    answer.code != 3 && answer.code != 54, "\(kind.rawValue): \(answer)")
                #expect(answer.status < 500, "\(kind.rawValue): \(answer)")
            }
        }
    }

    /// The table that the matrix walks is the contract's.
    @Test func `every endpoint of the contract is in the table or elsewhere`() throws {
        let rows = try ContractTable("endpoints").rows
        let elsewhere = AllEndpoints.ofEveryMethod.map { "any \($0.template)" }
        for row in rows {
            let path = row["path"] ?? ""
            let spelled = AllEndpoints.aliases.first { $0.template == path }?.original ?? path
            let name = "\(row["method"] ?? "") \(spelled)"
            #expect(EndpointTable.names.contains(name) || elsewhere.contains(name), "\(name)")
        }
    }
}
