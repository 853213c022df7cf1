import API
import Base
import Crypto
import Domain
import Federation
import HTTP
import Net

/// Another node, or what claims to be one: it has a key and a discovery document, and otherwise
/// does what a test says, above all what no node should.
public final class FakePeer: Responder {
    /// What it answers to a method and path.
    public typealias Reply = @Sendable (Request) async -> Response

    /// Its key.
    public let key: Ed25519PrivateKey
    private let server = Lock<HTTPServer?>(nil)
    private let state = Lock(State())

    private struct State {
        var port: UInt16 = 0
        var document: [UInt8]?
        var replies: [String: Reply] = [:]
        var heads: [RequestHead] = []
    }

    private init() { key = Ed25519PrivateKey.generate() }

    /// One that listens on a free port of this machine.
    public static func start() throws -> FakePeer {
        let peer = FakePeer()
        let server = HTTPServer(group: TestLoops.group, name: "peer", responder: peer)
        let address = try server.listen(on: SocketAddress(.v4(0x7F00_0001), port: 0))
        peer.server.withLock { $0 = server }
        peer.state.withLock { $0.port = address.port }
        return peer
    }

    /// Stops to listen and closes its connections.
    public func stop() { server.withLock { $0 }?.closeAll() }

    /// `127.0.0.1:port`.
    public var address: String { "127.0.0.1:\(state.withLock(\.port))" }
    /// The head of all that it was asked, in order.
    public var heads: [RequestHead] { state.withLock(\.heads) }
    /// Method and path of the same.
    public var asked: [String] { heads.map { "\($0.method.name) \($0.pathText)" } }
    /// How often it was asked for that method and path.
    public func count(of methodAndPath: String) -> Int {
        asked.count { $0 == methodAndPath }
    }

    /// Says what to answer to `GET /path`, instead of 404.
    public func on(_ methodAndPath: String, _ reply: @escaping Reply) {
        state.withLock { $0.replies[methodAndPath] = reply }
    }

    /// Answers `GET /path` with an envelope around that.
    public func on(_ methodAndPath: String, data: JSONValue) {
        on(methodAndPath) { _ in
            Self.json(["request": "/", "time": 0, "data": data])
        }
    }

    /// Publishes that in place of its document.
    public func publish(_ document: [UInt8]?) { state.withLock { $0.document = document } }

    /// A document for an address, signed by its key or by another, that names `further` gateways
    /// beside the address itself.
    public func document(
        of address: String? = nil, signedBy other: Ed25519PrivateKey? = nil,
        further: [String] = []
    ) -> [UInt8] {
        let own = Self.address(address ?? self.address)
        let now = SystemClock().timestamp()
        let gateway = Gateway(secure: false, address: own)
        return DiscoveryDocument.write(
            NodeIdentity(
                address: own, secure: false, gateway: gateway,
                gateways: [gateway]
                    + further.map { Gateway(secure: false, address: Self.address($0)) },
                version: "1",
                keys: [
                    NodeIdentity.Key(
                        pair: other ?? key, createdAt: now - .seconds(60),
                        expiresAt: now + .seconds(86_400))
                ]), now: now)
    }

    /// Answers as it was told to.
    public func begin(_ request: Request) -> Beginning {
        .waits { await self.answer(to: request) }
    }

    private func answer(to request: Request) async -> Response {
        let path = request.head.pathText
        let reply = state.withLock { state in
            state.heads.append(request.head)
            return state.replies["\(request.head.method.name) \(path)"]
        }
        if let reply { return await reply(request) }
        if path == DiscoveryDocument.path {
            return Response(
                status: .ok, fields: Fields((.contentType, "application/json")),
                body: .bytes(state.withLock(\.document) ?? document()))
        }
        return Response(status: .notFound)
    }

    /// A response of that JSON.
    public static func json(_ value: JSONValue, status: Status = .ok) -> Response {
        var out = ByteWriter()
        out.append(json: value)
        return Response(
            status: status, fields: Fields((.contentType, "application/json")),
            body: .bytes(out.array()))
    }

    /// An address that is one.
    public static func address(_ text: String) -> ServerAddress {
        guard let address = ServerAddress(text) else { preconditionFailure("no address: \(text)") }
        return address
    }

    /// Asks a node for something to sign, as `claim` or as itself.
    public func challenge(
        at node: TestNode, claiming claim: String? = nil
    ) async throws -> ChallengeAPI.Nonce {
        try await node.client.call(
            ChallengeAPI.open, body: ["server": .string(claim ?? address)])
    }

    /// The proof for a challenge, by its key or by another, for that node or for another.
    public func proof(
        _ challenge: ChallengeAPI.Nonce, for node: String, by other: Ed25519PrivateKey? = nil
    ) throws -> JSONValue {
        guard
            let proof = ChallengeText.prove(
                challenge, asker: challenge.server, asked: Self.address(node), key: other ?? key)
        else { throw NeverCame("a challenge that nobody should sign: \(challenge)") }
        return JSONCoder.value(proof)
    }

    /// A server token of that node, by a challenge, for `claim` or for itself.
    public func token(at node: TestNode, claiming claim: String? = nil) async throws -> String {
        let challenge = try await challenge(at: node, claiming: claim)
        let proved = try await node.client.call(
            ChallengeAPI.prove, "\(challenge.id)", body: try proof(challenge, for: node.address))
        return proved.token.text
    }

    /// What may be wrong with a signed request.
    public struct Flaw: Sendable {
        /// Another key signs.
        public var key: Ed25519PrivateKey?
        /// The nonce, in place of a fresh one.
        public var nonce: [UInt8]?
        /// How far its clock is off.
        public var clock = Duration.zero
        /// What was signed in place of the method.
        public var method: String?
        /// What was signed in place of the path.
        public var path: String?
        /// What was signed in place of the node.
        public var authority: String?
        /// What was signed in place of the body.
        public var body: [UInt8]?
        /// Whether it is signed at all.
        public var isUnsigned = false
        /// Fields beside the usual ones.
        public var further: [(String, String)] = []

        /// None.
        public init() {}
    }

    /// The fields of a signed request.
    public func signature(
        _ method: Method, _ target: String, _ body: [UInt8], to node: TestNode, token: String,
        flaw: Flaw = Flaw()
    ) -> [(String, String)] {
        let cut = target.firstIndex(of: "?") ?? target.endIndex
        let digest = RequestSignature.digest(of: flaw.body ?? body)
        let parts = RequestSignature.Parts(
            method: flaw.method ?? "\(method.name)", authority: flaw.authority ?? node.address,
            path: flaw.path ?? String(target[..<cut]),
            query: cut == target.endIndex ? "?" : String(target[cut...]), digest: digest,
            authorization: "Bearer \(token)")
        let signed = RequestSignature.sign(
            parts, with: flaw.key ?? key, nonce: flaw.nonce ?? SystemRandom().bytes(16),
            now: SystemClock().timestamp() + flaw.clock)
        return [
            ("Content-Digest", digest), ("Signature-Input", signed.input),
            ("Signature", signed.signature),
        ]
    }

    /// Sends a signed request with a server token.
    public func send(
        _ method: Method, _ target: String, _ body: JSONValue? = nil, to node: TestNode,
        token: String, flaw: Flaw = Flaw()
    ) async throws -> Answer {
        var out = ByteWriter()
        if let body { out.append(json: body) }
        let bytes = out.array()
        var fields =
            flaw.isUnsigned
            ? [] : signature(method, target, bytes, to: node, token: token, flaw: flaw)
        if body != nil { fields.append(("Content-Type", "application/json")) }
        return try await node.client.with(token: token, agent: "AVR(Server)").send(
            method, target, bytes: body == nil ? .none : .bytes(bytes),
            fields: fields + flaw.further)
    }
}

extension RequestHead {
    /// The path as it came.
    public var pathText: String { String(decoding: path, as: UTF8.self) }
    /// The query as it came; nil without one.
    public var queryText: String? { query.map { String(decoding: $0, as: UTF8.self) } }
}
